//! A terminal: a tmux server of its own, with a shell in it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::scene::Scratch;

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A screen that has not changed for so long is taken for the one that is meant, where that is not known otherwise.
const STILL: Duration = Duration::from_millis(1500);

/// A terminal.
pub(crate) struct Tmux {
    server: String,
    directory: PathBuf,
}

impl Tmux {
    /// A terminal of so many columns and rows, whose shell is in the directory and finds sockleak.
    pub(crate) fn new(scratch: &Scratch, (columns, rows): (u16, u16)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = scratch.file("");
        let terminal = Self { server: format!("sockleak-{}-{number}", std::process::id()), directory };
        let program = Path::new(env!("CARGO_BIN_EXE_sockleak"));
        let folder = program.parent().unwrap().display();
        let path = format!("{folder}:{}", env::var("PATH").unwrap_or_default());
        let shell = format!("env -i PATH='{path}' TERM=screen TZ=UTC LANG=C.UTF-8 PS1='$ ' sh -i");
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, &shell]);
        terminal.tmux(&["set", "-g", "status", "off"]);
        terminal.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
        terminal.wait_for("$");
        terminal
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-L", &self.server, "-f", "/dev/null"]).args(arguments).current_dir(&self.directory);
        let output = tmux.env_remove("TMUX").output();
        output.unwrap_or_else(|error| panic!("tmux is needed ({error}); `cargo xtask setup` installs it"))
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "tmux {arguments:?}: {error}");
        out.into_owned()
    }

    /// Types a line.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.keys(&["Enter"]);
    }

    /// Presses keys, by tmux's names. An Escape before another has to change something.
    #[track_caller]
    pub(crate) fn keys(&self, keys: &[&str]) {
        for (nth, key) in keys.iter().enumerate() {
            // With what follows at once it would be another key.
            let before = (*key == "Escape" && nth + 1 < keys.len()).then(|| self.screen());
            self.tmux(&["send-keys", key]);
            if let Some(before) = before {
                self.wait("what Escape leads to", |screen| screen != before);
            }
        }
    }

    /// Presses the left button of the mouse at a column and a row, which count from 0.
    #[track_caller]
    pub(crate) fn click(&self, column: u16, row: u16) {
        self.tmux(&["send-keys", "-l", &format!("\u{1b}[<0;{};{}M", column + 1, row + 1)]);
    }

    /// Turns the wheel by a notch.
    #[track_caller]
    pub(crate) fn wheel_up(&self) {
        self.tmux(&["send-keys", "-l", "\u{1b}[<64;10;10M"]);
    }

    /// What is on the screen, without the blanks at the ends of its lines.
    #[track_caller]
    pub(crate) fn screen(&self) -> String {
        let screen = self.tmux(&["capture-pane", "-p"]);
        screen.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// The same with what makes colours.
    #[track_caller]
    pub(crate) fn styled(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    #[track_caller]
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What tmux says of the terminal, such as `#{alternate_on}`.
    #[track_caller]
    pub(crate) fn property(&self, name: &str) -> String {
        self.tmux(&["display-message", "-p", &format!("#{{{name}}}")]).trim().to_owned()
    }

    /// Waits until something holds of the screen.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} did not come; there is\n{screen}");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// Waits until the screen is the one that is expected, which has this text in it.
    #[track_caller]
    pub(crate) fn expect(&self, name: &str, text: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/top/goldens/{name}.txt"));
        if env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&path, self.still(text)).unwrap();
            return;
        }
        let expected = fs::read_to_string(&path);
        let expected = expected.unwrap_or_else(|error| panic!("{name}: {error}; UPDATE_GOLDENS=1 writes it"));
        assert!(expected.contains(text), "{name} is another screen: {text:?} is not in it");
        let begun = Instant::now();
        while self.screen() != expected {
            if begun.elapsed() > PATIENCE {
                panic!("{name} is another now; expected:\n{expected}\nthere is:\n{}", self.screen());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until the screen has a text in it and does not change any more.
    fn still(&self, text: &str) -> String {
        let mut last = self.wait_for(text);
        let mut since = Instant::now();
        while since.elapsed() < STILL {
            thread::sleep(LOOK_EVERY);
            let screen = self.screen();
            if screen != last {
                (last, since) = (screen, Instant::now());
            }
        }
        assert!(last.contains(text), "{text:?} went away again; there is\n{last}");
        last
    }

    /// How the terminal is set, as stty has it. To be asked when the shell waits for a line.
    #[track_caller]
    pub(crate) fn settings(&self) -> String {
        let file = self.directory.join("settings");
        let _ = fs::remove_file(&file);
        self.run("stty -g > settings.new; mv settings.new settings");
        let begun = Instant::now();
        loop {
            match fs::read_to_string(&file) {
                Ok(settings) => return settings,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}; there is\n{}", self.screen()),
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Process number of sockleak.
    #[track_caller]
    pub(crate) fn pid(&self) -> i32 {
        let shell = self.property("pane_pid");
        let children = format!("/proc/{shell}/task/{shell}/children");
        let begun = Instant::now();
        loop {
            let children = fs::read_to_string(&children).unwrap();
            if let Some(pid) = children.split_whitespace().next() {
                return pid.parse().unwrap();
            }
            assert!(begun.elapsed() < PATIENCE, "nothing runs; there is\n{}", self.screen());
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.command(&["kill-server"]);
    }
}
