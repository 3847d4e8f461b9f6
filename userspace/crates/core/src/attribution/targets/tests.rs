use proptest::prelude::*;

use super::{super::pattern::escape, *};

const OURS: u32 = 10;

fn target(given: &str) -> Target {
    match Target::parse(given, Path::new("/home/me")) {
        Ok(target) => target,
        Err(error) => panic!("{given}: {error}"),
    }
}

fn listener(path: &str) -> Listener {
    let is_abstract = path.starts_with('@');
    Listener {
        id: 1,
        path: path.as_bytes().to_vec(),
        path_truncated: false,
        bind_name: path.replacen('@', "\0", 1).into_bytes(),
        is_abstract,
        device: 1,
        inode: u64::from(!is_abstract),
        directory_inode: 77,
        mount_namespace: OURS,
        network_namespace: 1,
        pid: Some(1),
        backlog: 1,
        is_seqpacket: false,
    }
}

fn selects(given: &str, path: &str) -> bool {
    target(given).selects(&Sight::default(), &listener(path), OURS)
}

#[test]
fn each_kind_of_target_selects_its_listeners() {
    for (given, path, expected) in [
        ("/run/a.sock", "/run/a.sock", true),
        ("/run//x/../a.sock", "/run/a.sock", true),
        ("/run/a.sock", "/run/b/a.sock", false),
        ("sub/a.sock", "/home/me/sub/a.sock", true),
        ("./a.sock", "/home/me/a.sock", true),
        ("a.sock", "/anywhere/a.sock", true),
        ("a.sock", "/anywhere/aa.sock", false),
        ("/run/*/a.sock", "/run/x/a.sock", true),
        ("/run/*/a.sock", "/run/x/y/a.sock", false),
        ("/run/**/a.sock", "/run/x/y/a.sock", true),
        ("*.sock", "/anywhere/a.sock", true),
        ("*.sock", "/anywhere/a.socket", false),
        ("@a", "@a", true),
        ("@a", "@ab", false),
        ("a", "@a", false),
        ("*", "@a", false),
        ("@a", "@a\0\0\0", true),
        ("@a", "@ab\0\0\0", false),
        ("@a*", "@abc", true),
        ("@a*", "@a/b\0\0\0", true),
        ("@?", "@a\0\0\0", true),
        ("@?", "@ab", false),
        ("@a*", "@b", false),
        ("@a*", "/run/abc", false),
        ("@a[1]", "@a1", true),
        ("@a[1]", "@a[1]", true),
        ("@a\\[1\\]", "@a[1]", true),
        ("@a\\[1\\]", "@a1", false),
        ("/run/a\\[1\\].sock", "/run/a[1].sock", true),
        ("/run/a\\[1\\].sock", "/run/a1.sock", false),
        ("a\\*", "/run/a*", true),
        ("a\\*", "/run/ab", false),
        ("/run/*/a\\[1\\].sock", "/run/x/a[1].sock", true),
        ("/run/dev\\x2d1.sock", "/run/dev\\x2d1.sock", true),
        ("/run/dev\\x2d*.sock", "/run/dev\\x2d1.sock", true),
    ] {
        assert_eq!(selects(given, path), expected, "{given} {path}");
    }
}

#[test]
fn the_same_path_in_another_mount_namespace_is_another_socket() {
    let target = target("/run/a.sock");
    let mut other = listener("/run/a.sock");
    other.mount_namespace = OURS + 1;
    assert!(!target.selects(&Sight::default(), &other, OURS));
    // Unless its directory is the one that our path leads to.
    let sight = Sight { directory: Some((1, 77)), resolved: None, exists: false };
    assert!(target.selects(&sight, &other, OURS));
    other.path = b"/container/other-name".to_vec();
    assert!(!target.selects(&sight, &other, OURS));
}

#[test]
fn a_symbolic_link_means_what_it_leads_to() {
    let target = target("/run/link");
    let sight = Sight { directory: None, resolved: Some(PathBuf::from("/run/real.sock")), exists: true };
    assert!(target.selects(&sight, &listener("/run/real.sock"), OURS));
    assert!(!target.selects(&sight, &listener("/run/link"), OURS));
    let wanted = [Wanted::File(b"link".to_vec()), Wanted::File(b"real.sock".to_vec())];
    assert_eq!(target.wanted(&sight), wanted);
}

#[test]
fn the_kernel_is_asked_for_as_little_as_possible() {
    for (given, expected) in [
        ("/run/*/a.sock", Wanted::File(b"a.sock".to_vec())),
        ("/run/x/*.sock", Wanted::AnyFile),
        ("/run/{x/a,y/b}.sock", Wanted::AnyFile),
        ("/run/*/a\\[1\\].sock", Wanted::File(b"a[1].sock".to_vec())),
        ("/run/a\\[1\\].sock", Wanted::File(b"a[1].sock".to_vec())),
        ("@a", Wanted::Abstract(b"a".to_vec())),
        ("@a*", Wanted::AnyAbstract),
        ("a.sock", Wanted::File(b"a.sock".to_vec())),
    ] {
        assert_eq!(target(given).wanted(&Sight::default()), [expected], "{given}");
    }
}

#[test]
fn failed_attempts_are_matched_by_address() {
    let selects = |given: &str, bytes: &str, directory: Option<&str>, same_namespace| {
        let address =
            Address { bytes: bytes.as_bytes(), directory: directory.map(Path::new), same_namespace };
        target(given).place_of(&Sight::default(), &address).is_some()
    };
    assert!(selects("/run/a.sock", "/run/./a.sock", None, true));
    assert!(!selects("/run/a.sock", "/run/a.sock", None, false));
    assert!(selects("/run/a.sock", "../a.sock", Some("/run/x"), true));
    assert!(!selects("/run/a.sock", "../a.sock", None, true));
    // With a root directory of its own (chroot) a client means another file.
    assert!(!selects("/run/a.sock", "/run/a.sock", Some("/srv/jail"), true));
    assert!(selects("/srv/jail/run/a.sock", "/run/a.sock", Some("/srv/jail"), true));
    assert!(!selects("/srv/jail/run/*.sock", "/run/a.sock", None, true));
    assert!(selects("/srv/jail/run/*.sock", "/run/a.sock", Some("/srv/jail"), true));
    assert!(!selects("/run/a.sock", "/elsewhere/a.sock", None, true));
    assert!(selects("a.sock", "/elsewhere/a.sock", None, false));
    assert!(selects("@a", "\0a", None, false));
    assert!(selects("@a", "\0a\0\0", None, false));
    assert!(selects("@a*", "\0ab", None, false));
    assert!(!selects("@a*", "\0b", None, false));
    assert!(!selects("@a", "a", None, false));
    assert!(selects("/run/*.sock", "/run/a.sock", None, false));
}

#[test]
fn malformed_targets_are_named() {
    for (given, part) in [
        ("", "empty"),
        ("@", "@NAME"),
        ("/run/", "directory"),
        ("..", "directory"),
        ("/run/.", "directory"),
        ("/run/[", "no valid glob"),
        (&"x".repeat(256), "longer than 255"),
        (&format!("@{}", "x".repeat(108)), "longer than 107"),
    ] {
        let error = Target::parse(given, Path::new("/")).err().map(|error| error.to_string());
        assert!(error.as_deref().is_some_and(|error| error.contains(part)), "{given}: {error:?}");
    }
}

#[test]
fn a_name_may_fill_its_address_and_need_not_be_utf8() {
    let long = "x".repeat(108);
    assert!(selects(&long, &format!("/run/{long}")));
    let bytes = OsStr::from_bytes(b"/run/\xff.sock");
    let target = Target::parse(bytes, Path::new("/")).expect("it is one");
    assert_eq!(target.given(), "/run/\\xff.sock");
    let found = Listener { path: bytes.as_bytes().to_vec(), ..listener("/run/a.sock") };
    assert!(target.selects(&Sight::default(), &found, OURS));
    let other = Listener { path: b"/run/\xfe.sock".to_vec(), ..found };
    assert!(!target.selects(&Sight::default(), &other, OURS));
    let glob = Target::parse(OsStr::from_bytes(b"/run/\xff*"), Path::new("/"));
    assert!(glob.is_err_and(|error| error.to_string().contains("put ? in place of each")));
}

/// What exists.
struct Tree(Vec<PathBuf>);

impl Files for Tree {
    fn namespace(&self) -> u32 {
        OURS
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        self.0.iter().find(|it| *it == path).cloned()
    }

    fn identity(&self, _: &Path) -> Option<(u64, u64)> {
        None
    }
}

#[test]
fn a_glob_that_exists_is_a_path() {
    let base = Path::new("/run/app");
    let files = Tree(vec![base.join("a[1].sock")]);
    let there = |given: &str| {
        let target = Target::parse(given, base).expect("it is one");
        target.settled(&files).wanted(&Sight::default())
    };
    for given in ["a[1].sock".to_owned(), base.join("a[1].sock").to_string_lossy().into_owned()] {
        assert_eq!(there(&given), [Wanted::File(b"a[1].sock".to_vec())], "{given}");
    }
    assert_eq!(there("a[2].sock"), [Wanted::AnyFile]);
}

proptest! {
    #[test]
    fn a_literal_escape_means_one_path_and_no_other(
        name in proptest::collection::vec(
            prop_oneof![prop::sample::select(b"*?[]{}\\!ab".to_vec()), 1_u8..],
            1..40,
        ),
        other in proptest::collection::vec(prop::sample::select(b"*?[]{}\\!ab".to_vec()), 1..40),
    ) {
        prop_assume!(!name.contains(&b'/') && name != b"." && name != b"..");
        let path = [b"/run/", name.as_slice()].concat();
        let escaped = escape(&path);
        let target = Target::parse(OsStr::from_bytes(&escaped), Path::new("/")).expect("it is one");
        let wanted = target.wanted(&Sight::default());
        prop_assert_eq!(wanted, [Wanted::File(name.clone())]);
        let at = |path: Vec<u8>| Listener { path, ..listener("/run/a.sock") };
        prop_assert!(target.selects(&Sight::default(), &at(path), OURS));
        let elsewhere = [b"/run/", other.as_slice()].concat();
        prop_assert_eq!(target.selects(&Sight::default(), &at(elsewhere), OURS), name == other);
    }
}
