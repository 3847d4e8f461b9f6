//! What an interpreter runs. Programs that share one are as many programs as it runs scripts: a leak of one of them would be hidden
//! behind its neighbours otherwise. Told by the command line and the control group alone, without a look at files.

use super::container::Membership;
use crate::event::Process;

/// An interpreter, by how its command line is read.
struct Interpreter {
    /// Names of its executable, without a version.
    names: &'static [&'static str],
    /// Letters that are options without a value, and may stand before another in one argument: `-Im` is `-I -m`.
    flags: &'static str,
    /// Options whose value is the next argument.
    with_value: &'static [&'static str],
    /// Options that are given what to run, and how it is named then.
    runs: &'static [(&'static str, Runs)],
    /// How names of files that it runs end.
    extensions: &'static [&'static str],
    /// What is no option may be a name of its own kind: a class.
    runs_classes: bool,
}

/// What the argument behind an option is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// A name that tells programs apart: a module, a jar.
    Named,
    /// A file.
    File,
    /// Code, which is no name.
    Code,
}

/// An option that nobody knows may have a value, which would be taken for a script: from there on nothing is told.
const INTERPRETERS: &[Interpreter] = &[
    Interpreter {
        names: &["python", "pypy"],
        flags: "bBdEhiIOPqRsSuvVx",
        with_value: &["-W", "-X", "-Q", "--check-hash-based-pycs"],
        runs: &[("-m", Runs::Named), ("-c", Runs::Code)],
        extensions: &["py", "pyc", "pyz", "pyw"],
        runs_classes: false,
    },
    Interpreter {
        names: &["node", "nodejs"],
        flags: "ip",
        with_value: &[
            "-r",
            "--require",
            "--import",
            "--loader",
            "--experimental-loader",
            "-C",
            "--conditions",
            "--title",
            "--env-file",
        ],
        runs: &[("-e", Runs::Code), ("--eval", Runs::Code), ("-p", Runs::Code), ("--print", Runs::Code)],
        extensions: &["js", "mjs", "cjs", "ts", "mts"],
        runs_classes: false,
    },
    Interpreter {
        names: &["java"],
        flags: "",
        with_value: &[
            "-cp",
            "-classpath",
            "--class-path",
            "-p",
            "--module-path",
            "--upgrade-module-path",
            "--add-modules",
            "--add-opens",
            "--add-exports",
            "--add-reads",
            "--enable-native-access",
        ],
        runs: &[("-jar", Runs::Named), ("-m", Runs::Named), ("--module", Runs::Named)],
        extensions: &["java"],
        runs_classes: true,
    },
    Interpreter {
        names: &["ruby", "jruby"],
        flags: "acdlnpsSvwy0",
        with_value: &["-I", "-r", "-C", "-E", "-K", "--encoding"],
        runs: &[("-e", Runs::Code)],
        extensions: &["rb", "ru"],
        runs_classes: false,
    },
    Interpreter {
        names: &["perl"],
        flags: "acdilnpsStTuUvwWX0",
        with_value: &["-I"],
        runs: &[("-e", Runs::Code), ("-E", Runs::Code)],
        extensions: &["pl", "pm", "psgi", "t"],
        runs_classes: false,
    },
    Interpreter {
        names: &["php", "php-cgi", "php-fpm"],
        flags: "aCnqsvw",
        with_value: &["-c", "-d", "-z", "-t", "-S", "--php-ini", "--define"],
        runs: &[("-f", Runs::File), ("--file", Runs::File), ("-r", Runs::Code), ("--run", Runs::Code)],
        extensions: &["php", "phar"],
        runs_classes: false,
    },
];

/// Letters of a name of a script, a module or a class: a path, and nothing that would make it a sentence.
const MOST_LETTERS: usize = 160;

/// Is an executable one that runs others' programs?
pub(super) fn is_interpreter(program: &str) -> bool {
    interpreter(program).is_some()
}

/// A program that an interpreter runs, by what tells it from others: `/usr/bin/python3.11 /srv/app.py`,
/// `/usr/bin/python3.11 -m http.server`, `/usr/bin/java -jar /srv/app.jar`, `/usr/sbin/php-fpm8.2 (pool www)`. Where the name of the
/// script does not say which it is, or there is none, with the service or the container: `/usr/bin/python3.11 app.py (a.service)`. None
/// of what is no interpreter, and where nothing tells.
pub fn name(program: &str, process: &Process) -> Option<String> {
    let interpreter = interpreter(program)?;
    if let Some(pool) = pool(interpreter, process) {
        return Some(format!("{program} (pool {pool})"));
    }
    match interpreter.run(process) {
        // A path from the root is one script; any other begins in a folder that is not known.
        Some(run) if run.starts_with('/') || run.contains(" /") => Some(format!("{program} {run}")),
        Some(run) => Some(match place(process) {
            Some(place) => format!("{program} {run} ({place})"),
            None => format!("{program} {run}"),
        }),
        None => Some(format!("{program} ({})", place(process)?)),
    }
}

/// The container or the service. Sessions of users are neither: whoever logs in twice runs the same script.
fn place(process: &Process) -> Option<String> {
    let Membership { unit, container, .. } = Membership::of_process(process)?;
    container.map(|it| it.short()).or_else(|| unit.filter(|unit| unit.ends_with(".service")))
}

/// `/usr/bin/python3.11` is a python.
fn interpreter(program: &str) -> Option<&'static Interpreter> {
    let file = program.rsplit('/').next()?;
    let bare = file.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    INTERPRETERS.iter().find(|it| it.names.contains(&bare))
}

/// php-fpm's children say in their title which pool they are of.
fn pool<'p>(interpreter: &Interpreter, process: &'p Process) -> Option<&'p str> {
    let title = process.argv.first()?.strip_prefix("php-fpm: pool ")?;
    let pool = title.trim();
    (interpreter.names.contains(&"php-fpm") && is_name(pool) && !pool.contains(' ')).then_some(pool)
}

impl Interpreter {
    /// What it was told to run, as on its command line.
    fn run(&self, process: &Process) -> Option<String> {
        // The last argument may be cut.
        let whole = process.argv.len().saturating_sub(usize::from(process.argv_truncated));
        let argv = process.argv.get(..whole)?;
        // Who gave itself a title has no arguments any more.
        if argv.first()?.contains(' ') {
            return None;
        }
        let mut arguments = argv[1..].iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            if let Some((option, runs)) = self.option_that_runs(argument) {
                let given = arguments.next().filter(|given| is_name(given))?;
                return match runs {
                    Runs::Named => Some(format!("{option} {given}")),
                    Runs::File => Some(given.to_owned()),
                    Runs::Code => None,
                };
            }
            if self.with_value.contains(&argument) {
                arguments.next()?;
            } else if argument == "--" {
                return arguments.next().filter(|it| self.is_run(it)).map(str::to_owned);
            } else if argument == "-" || !argument.starts_with('-') {
                return self.is_run(argument).then(|| argument.to_owned());
            }
        }
        None
    }

    /// The option of an argument that tells what to run, flags before it or not.
    fn option_that_runs(&self, argument: &str) -> Option<(&'static str, Runs)> {
        let bundled = |option: &str| {
            let (letters, last) = (argument.strip_prefix('-')?, option.strip_prefix('-')?);
            let flags = letters.strip_suffix(last).filter(|_| last.chars().count() == 1)?;
            flags.chars().all(|flag| self.flags.contains(flag)).then_some(())
        };
        self.runs.iter().find(|(option, _)| *option == argument || bundled(option).is_some()).copied()
    }

    /// Does an argument look like what it runs? The value of an option that nobody knows does not, mostly: it may be a secret.
    fn is_run(&self, argument: &str) -> bool {
        let file = argument.rsplit('/').next().unwrap_or_default();
        let extension = file.rsplit_once('.').map(|(_, extension)| extension);
        let is_file = argument.contains('/') || extension.is_some_and(|it| self.extensions.contains(&it));
        is_name(argument) && (is_file || self.runs_classes && is_class(argument))
    }
}

/// Is it short, and of one word?
fn is_name(text: &str) -> bool {
    let is_whole = text.chars().nth(MOST_LETTERS).is_none();
    !text.is_empty() && is_whole && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// `org.example.Main`
fn is_class(text: &str) -> bool {
    let is_part = |part: &str| {
        part.chars().next().is_some_and(char::is_alphabetic)
            && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
    };
    text.split('.').all(is_part)
}

#[cfg(test)]
mod tests;
