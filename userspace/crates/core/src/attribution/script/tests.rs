use std::sync::Arc;

use super::*;
use crate::{event::Record, testing::process};

fn told(program: &str, argv: &[&str], cgroup: Option<&str>, is_cut: bool) -> Option<String> {
    let Record::Process(sample) = process(7, Some(program)) else { panic!("no process") };
    let mut sample = Arc::unwrap_or_clone(sample);
    sample.argv = argv.iter().map(|it| (*it).to_owned()).collect();
    sample.argv_truncated = is_cut;
    sample.cgroup_path = cgroup.map(Into::into);
    name(program, &sample)
}

const PYTHON: &str = "/usr/bin/python3.11";
const SERVICE: &str = "/system.slice/a.service";

#[test]
fn what_an_interpreter_runs_names_it() {
    for (program, argv, expected) in [
        (PYTHON, &["python3", "/srv/app.py", "--port", "1"][..], "/usr/bin/python3.11 /srv/app.py"),
        (PYTHON, &["python3", "-u", "-W", "ignore", "/srv/app.py"], "/usr/bin/python3.11 /srv/app.py"),
        (
            PYTHON,
            &["/usr/bin/python3", "/usr/local/bin/gunicorn", "a:b"],
            "/usr/bin/python3.11 /usr/local/bin/gunicorn",
        ),
        (PYTHON, &["python3", "-m", "http.server"], "/usr/bin/python3.11 -m http.server"),
        (PYTHON, &["python3", "-Im", "http.server"], "/usr/bin/python3.11 -m http.server"),
        (PYTHON, &["python3", "--", "/srv/-x.py"], "/usr/bin/python3.11 /srv/-x.py"),
        ("/usr/bin/node", &["node", "-r", "dotenv/config", "/srv/a.js"], "/usr/bin/node /srv/a.js"),
        ("/usr/bin/nodejs", &["node", "--max-old-space-size=64", "/a/b"], "/usr/bin/nodejs /a/b"),
        ("/jvm/bin/java", &["java", "-Xmx1g", "-cp", "/a.jar:/b", "org.a.Main"], "/jvm/bin/java org.a.Main"),
        ("/jvm/bin/java", &["java", "-jar", "/srv/a.jar", "x"], "/jvm/bin/java -jar /srv/a.jar"),
        ("/usr/bin/ruby3.1", &["ruby", "-I", "lib", "/srv/a.rb"], "/usr/bin/ruby3.1 /srv/a.rb"),
        ("/usr/bin/perl", &["perl", "-w", "/srv/a.pl"], "/usr/bin/perl /srv/a.pl"),
        ("/usr/bin/php8.2", &["php", "-d", "a=1", "-f", "/srv/a.php"], "/usr/bin/php8.2 /srv/a.php"),
        ("/usr/sbin/php-fpm8.2", &["php-fpm: pool www"], "/usr/sbin/php-fpm8.2 (pool www)"),
    ] {
        assert_eq!(told(program, argv, None, false).as_deref(), Some(expected), "{argv:?}");
        // Where it is whole, the service adds nothing.
        if expected.contains(" /") || expected.contains("(pool") {
            assert_eq!(told(program, argv, Some(SERVICE), false).as_deref(), Some(expected), "{argv:?}");
        }
    }
}

#[test]
fn a_service_or_container_tells_which_script_it_is() {
    let id = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";
    let docker = format!("/system.slice/docker-{id}.scope");
    for (argv, cgroup, expected) in [
        (&["python3", "app.py"][..], Some(SERVICE), Some("/usr/bin/python3.11 app.py (a.service)")),
        (&["python3", "app.py"], Some(&*docker), Some("/usr/bin/python3.11 app.py (docker 8f3c1d2e4b5a)")),
        (&["python3", "app.py"], Some("/user.slice/session-3.scope"), Some("/usr/bin/python3.11 app.py")),
        (&["python3", "app.py"], None, Some("/usr/bin/python3.11 app.py")),
        (&["python3", "-c", "import x"], Some(SERVICE), Some("/usr/bin/python3.11 (a.service)")),
        (&["python3"], Some(SERVICE), Some("/usr/bin/python3.11 (a.service)")),
        // Titles differ between the workers of one program.
        (&["gunicorn: worker [app]"], Some(SERVICE), Some("/usr/bin/python3.11 (a.service)")),
        (&["gunicorn: worker [app]"], None, None),
    ] {
        assert_eq!(told(PYTHON, argv, cgroup, false).as_deref(), expected, "{argv:?} {cgroup:?}");
    }
}

#[test]
fn what_may_be_anything_is_no_name() {
    let long = format!("/{}.py", "a".repeat(200));
    for argv in [
        &[][..],
        &[""],
        &["python3"],
        &["python3", "-"],
        &["python3", "-c", "/srv/a.py"],
        &["python3", "-Ec", "/srv/a.py"],
        &["python3", "--unknown", "secret"],
        &["python3", "-m"],
        &["python3", "-m", "two words"],
        &["python3", "/srv/two words.py"],
        &["python3", "/srv/line\nfeed.py"],
        &["python3", &long],
    ] {
        assert_eq!(told(PYTHON, argv, None, false), None, "{argv:?}");
    }
    assert_eq!(told("/usr/bin/perl", &["perl", "-pe", "s/a/b/"], None, false), None);
    assert_eq!(told("/usr/bin/ruby", &["ruby", "-ne", "puts/1"], None, false), None);
    // It was cut within its name.
    assert_eq!(told(PYTHON, &["python3", "/srv/ap"], None, true), None);
    assert_eq!(
        told(PYTHON, &["python3", "/srv/app.py", "--na"], None, true).as_deref(),
        Some("/usr/bin/python3.11 /srv/app.py")
    );
    for other in ["/usr/bin/pythonic", "/usr/sbin/haproxy", "/usr/bin/javac", "[python3]", ""] {
        assert_eq!(told(other, &["x", "/srv/app.py"], Some(SERVICE), false), None, "{other}");
    }
}

proptest::proptest! {
    /// Whatever a process calls itself, its name begins with its executable, and is one line.
    #[test]
    fn a_name_is_a_line(argv in proptest::collection::vec("[-a-z/. \\n:]{0,12}", 0..6), is_cut: bool) {
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        if let Some(name) = told(PYTHON, &argv, Some(SERVICE), is_cut) {
            let is_line = name.starts_with(PYTHON) && !name.chars().any(char::is_control);
            proptest::prop_assert!(is_line, "{}", name);
        }
    }
}
