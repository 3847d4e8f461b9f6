//! Each hook says which kernel prototype it relies on; here that is compared with the kernels themselves.
//!
//! The line stands above the hook: `// proto: int f(struct sock *sk, int flags) [5.10, 6.1]`. Without brackets it
//! is said of every kernel.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::btf::{self, Btf};
use crate::paths;
use crate::vm::kernels;

/// What a hook declares.
#[derive(Debug, PartialEq)]
struct Declaration {
    line: usize,
    prototype: String,
    function: String,
    /// The series that it is said of; empty for all.
    series: Vec<String>,
}

/// Compares all declarations with all cached kernels.
pub(super) fn check() -> Result<()> {
    let mut kernels = Vec::new();
    for kernel in kernels::SERIES.iter().filter_map(kernels::cached) {
        let btf = btf::of(&kernel).with_context(|| format!("kernel {}", kernel.series))?;
        kernels.push((kernel.series, btf));
    }
    let (mut declared, mut wrong) = (0, Vec::new());
    for file in hook_files()? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let (declarations, mistakes) = declarations(&text);
        declared += declarations.len();
        wrong.extend(mistakes.into_iter().map(|mistake| format!("{name}:{mistake}")));
        for declaration in &declarations {
            for (series, btf) in &kernels {
                if let Some(difference) = compare(declaration, series, btf) {
                    wrong.push(format!("{name}:{}: kernel {series}: {difference}", declaration.line));
                }
            }
        }
    }
    ensure!(declared > 0, "no `// proto:` line in any hook");
    if !wrong.is_empty() {
        bail!("{} mistakes in {declared} declarations\n  {}", wrong.len(), wrong.join("\n  "));
    }
    Ok(())
}

fn hook_files() -> Result<Vec<PathBuf>> {
    let folder = paths::repo().join("probe-ebpf/src/hooks");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension() == Some(Path::new("rs").as_os_str()));
    files.sort();
    Ok(files)
}

/// The declarations in a source file, and what is wrong with them in themselves: one that cannot be read, or a
/// hook that has none.
fn declarations(text: &str) -> (Vec<Declaration>, Vec<String>) {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    let mut above = Vec::new();
    for (number, line) in text.lines().map(str::trim).enumerate().map(|(index, line)| (index + 1, line)) {
        if let Some(comment) = line.strip_prefix("// proto:") {
            match parse(comment.trim(), number) {
                Some(declaration) => above.push(declaration),
                None => wrong.push(format!("{number}: cannot read the prototype {:?}", comment.trim())),
            }
        } else if let Some(function) = attached_to(line) {
            if above.is_empty() {
                wrong.push(format!("{number}: the hook on {function} declares no prototype"));
            }
            for other in above.iter().filter(|declaration| declaration.function != function) {
                wrong.push(format!("{}: the hook is on {function}, not {}", other.line, other.function));
            }
            found.append(&mut above);
        } else if !line.starts_with("//") {
            wrong.extend(above.drain(..).map(|d| format!("{}: no hook below the prototype", d.line)));
        }
    }
    (found, wrong)
}

/// The kernel function in a line like `#[kprobe(function = "f")]`; an iterator `#[unsafe(link_section = "iter/f")]` has
/// the signature of `bpf_iter_f`.
fn attached_to(line: &str) -> Option<String> {
    if let Some(iterator) = line.strip_prefix("#[unsafe(link_section = \"iter/") {
        return iterator.split_once('"').map(|(name, _)| format!("bpf_iter_{name}"));
    }
    let kinds = ["fentry", "fexit", "kprobe", "kretprobe"];
    let attribute = line.strip_prefix("#[")?;
    kinds.iter().find_map(|kind| attribute.strip_prefix(kind)?.strip_prefix('('))?;
    attribute.split_once("function = \"")?.1.split_once('"').map(|(function, _)| function.to_owned())
}

fn parse(comment: &str, line: usize) -> Option<Declaration> {
    let (prototype, series) = match comment.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) {
        Some((prototype, series)) => {
            (prototype.trim(), series.split(',').map(|s| s.trim().to_owned()).collect())
        }
        None => (comment, Vec::new()),
    };
    let series: Vec<String> = series;
    if series.iter().any(|series| kernels::series(series).is_err()) {
        return None;
    }
    let (head, arguments) = prototype.split_once('(')?;
    if !arguments.ends_with(')') {
        return None;
    }
    let function = head.rsplit([' ', '*']).next().filter(|name| !name.is_empty() && *name != head)?;
    Some(Declaration { line, prototype: prototype.to_owned(), function: function.to_owned(), series })
}

fn compare(declaration: &Declaration, series: &str, btf: &Btf) -> Option<String> {
    if !declaration.series.is_empty() && !declaration.series.iter().any(|wanted| wanted == series) {
        return None;
    }
    let Some(actual) = btf.prototype(&declaration.function) else {
        return Some(format!("it has no function {}", declaration.function));
    };
    (types(&actual) != types(&declaration.prototype))
        .then(|| format!("expected `{}`, found `{actual}`", declaration.prototype))
}

/// A prototype without the names of its arguments, which say nothing about what is passed.
fn types(prototype: &str) -> Vec<String> {
    let (head, arguments) = prototype.split_once('(').unwrap_or((prototype, ""));
    let arguments = arguments.trim_end_matches(')').split(", ");
    let unnamed = |argument: &str| {
        let end = argument.rfind([' ', '*']).map_or(argument.len(), |at| at + 1);
        argument[..end].trim().to_owned()
    };
    std::iter::once(head.to_owned()).chain(arguments.map(unnamed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read() {
        let text = "// proto: int f(struct sock *sk, int n) [5.10, 6.1]\n// proto: int f(struct sock *sk) [7.2]\n\
                    #[fexit(function = \"f\")]\nfn a() {}\n";
        let (found, wrong) = declarations(text);
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].function, "f");
        assert_eq!(found[0].prototype, "int f(struct sock *sk, int n)");
        assert_eq!(found[0].series, ["5.10", "6.1"]);
        assert_eq!(found[1].line, 2);
    }

    #[test]
    fn pointers_may_be_returned() {
        let declaration = parse("struct sock *unix_find_other(struct net *net)", 1).expect("readable");
        assert_eq!(declaration.function, "unix_find_other");
        assert!(declaration.series.is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("#[kprobe(function = \"f\")]\nfn a() {}\n", "1: the hook on f declares no prototype"),
            ("// proto: int g(int n)\n#[kprobe(function = \"f\")]\n", "1: the hook is on f, not g"),
            ("#[unsafe(link_section = \"iter/f\")]\n", "1: the hook on bpf_iter_f declares no prototype"),
            ("// proto: int g(int n)\nfn a() {}\n", "1: no hook below the prototype"),
            ("// proto: nonsense\n", "1: cannot read the prototype \"nonsense\""),
            ("// proto: int g(int n) [4.4]\n", "1: cannot read the prototype \"int g(int n) [4.4]\""),
        ] {
            assert_eq!(declarations(text).1, [expected], "{text}");
        }
    }

    #[test]
    fn types_count_and_names_of_arguments_do_not() {
        let same = |a, b| types(a) == types(b);
        assert!(same("int f(struct sock *sk, int n)", "int f(struct sock *other, int m)"));
        assert!(!same("int f(struct sock *sk, int n)", "int f(struct sock *sk)"));
        assert!(!same("int f(struct sock *sk)", "int f(struct socket *sk)"));
        assert!(!same("int f(struct sock *sk)", "void f(struct sock *sk)"));
        assert!(!same("int f(unsigned int n)", "int f(int n)"));
        assert!(!same("int f(int *n)", "int f(int n)"));
    }
}
