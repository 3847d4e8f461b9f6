//! Two programs of one interpreter.

use sockleak_core::{
    assess::findings::{FindingReport, findings},
    attribution::by::By,
    event::End,
    verdict::Verdict,
};

use crate::scene::{SECOND, Scene};

const PYTHON: &str = "/usr/bin/python3.11";
const LEAKY: u32 = 31;
const TIDY: u32 = 32;
const MINUTE: u64 = 60_000;

/// One script opens and forgets, the other has requests of twenty minutes, beside which nothing looks old.
fn told(scripts: [&str; 2]) -> Vec<FindingReport> {
    let mut scene = Scene::default();
    scene.seconds = 3600;
    scene.listener(1, "/run/a.sock");
    scene.note_use();
    for (pid, script) in [LEAKY, TIDY].into_iter().zip(scripts) {
        scene.process(pid, &[PYTHON, script], (0, None), None);
    }
    for nth in 0..12 {
        let at = (2 + nth * 2) * MINUTE;
        let kept = scene.open(at, LEAKY, 1);
        scene.used(LEAKY, 1, kept, 1, [at + 5, at + 9]);
    }
    for nth in 0..8 {
        let at = (1 + nth * 4) * MINUTE;
        let request = scene.open(at, TIDY, 1);
        scene.release(at + 20 * MINUTE, TIDY, 1, request, End::Client);
        scene.release(at + 20 * MINUTE + 1, 107, 1, request, End::Server);
    }
    findings(&scene.session(By::Program), (1_000 + scene.seconds) * SECOND, false)
}

#[test]
fn a_leak_is_not_hidden_behind_another_script_of_its_interpreter() {
    let of_two = told(["/srv/leaky.py", "/srv/tidy.py"]);
    let leak: Vec<_> = of_two.iter().filter(|it| it.verdict == Verdict::ClientLeak).collect();
    assert_eq!(leak.len(), 1, "{of_two:?}");
    assert_eq!((leak[0].program.as_str(), leak[0].count), ("/usr/bin/python3.11 /srv/leaky.py", 12));
    assert!(of_two.iter().any(|it| it.program == "/usr/bin/python3.11 /srv/tidy.py"), "{of_two:?}");
    // As one program, the long requests are what is usual.
    let of_one = told(["/srv/app.py", "/srv/app.py"]);
    assert!(of_one.iter().all(|it| it.program == "/usr/bin/python3.11 /srv/app.py"), "{of_one:?}");
    assert!(of_one.iter().all(|it| it.verdict != Verdict::ClientLeak || it.count < 12), "{of_one:?}");
}
