//! Plays a scene through a session, and counts how often the verdicts are right.

use std::collections::{BTreeMap, BTreeSet};

use sockleak_core::{
    assess::findings::{FindingReport, findings_with},
    attribution::{by::By, limits::GivenLimit, selection::Selection},
    lifecycle::Connection,
    session::{Session, Settings},
    verdict::{Usage, Verdict},
};

use super::{
    earlier,
    scene::{HOUR, START, Scene, Truth, name},
};

/// Each recording is judged at so many moments.
pub(crate) const MOMENTS: u64 = 20;

/// Accusations of one verdict, and what they should have been.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    /// At all moments: right and wrong accusations.
    pub(crate) right: u64,
    pub(crate) wrong: u64,
    /// Programs that do it, and of those found at the end, and at any moment.
    pub(crate) leaks: u64,
    pub(crate) found: u64,
    pub(crate) ever: u64,
    /// Programs that do not, and of those accused at the end, and at any moment.
    pub(crate) others: u64,
    pub(crate) accused: u64,
    pub(crate) accused_ever: u64,
    /// Times that an accusation of a real one began, and leaks that were accused: a restart ends one, and the next begins.
    pub(crate) episodes: u64,
    pub(crate) told: u64,
    /// Leaked connections when it was told first, of those that were.
    pub(crate) until_told: u64,
}

impl Score {
    pub(crate) fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.leaks += other.leaks;
        self.found += other.found;
        self.ever += other.ever;
        self.others += other.others;
        self.accused += other.accused;
        self.accused_ever += other.accused_ever;
        self.episodes += other.episodes;
        self.told += other.told;
        self.until_told += other.until_told;
    }

    pub(crate) fn precision(&self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    pub(crate) fn precision_at_end(&self) -> f64 {
        share(self.found, self.found + self.accused)
    }

    pub(crate) fn recall(&self) -> f64 {
        share(self.found, self.leaks)
    }

    pub(crate) fn episodes_a_leak(&self) -> f64 {
        share(self.episodes, self.told)
    }

    /// Takes in what was said of one program at each moment.
    ///
    /// `runs` says in which run of the program each moment is; of a server, which does not restart, it is empty.
    fn take(&mut self, told: &[bool], is_true: bool, leaked: &[u64], runs: &[usize]) {
        let count = told.iter().filter(|&&it| it).count() as u64;
        let at_end = u64::from(told.last() == Some(&true));
        if !is_true {
            self.wrong += count;
            self.others += 1;
            self.accused += at_end;
            self.accused_ever += u64::from(count > 0);
            return;
        }
        self.right += count;
        self.leaks += 1;
        self.found += at_end;
        self.ever += u64::from(count > 0);
        let run = |at: usize| runs.get(at).copied().unwrap_or(0);
        let is_first = |at: usize| at == 0 || run(at - 1) != run(at);
        let begins = (0..told.len()).filter(|&at| told[at] && (is_first(at) || !told[at - 1]));
        self.episodes += begins.count() as u64;
        self.told += (0..told.len()).filter(|&at| told[at]).map(run).collect::<BTreeSet<_>>().len() as u64;
        let first = told.iter().position(|&it| it);
        self.until_told += first.and_then(|at| leaked.get(at)).copied().unwrap_or(0);
    }
}

/// A share of something; of nothing it is all.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// Scores by what was asked, in this order.
pub(crate) type Scores = BTreeMap<&'static str, Score>;

/// How often findings with one doubt are right, and findings without any.
pub(crate) type Doubts = BTreeMap<String, (u64, u64)>;

/// Everything that is measured.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) scores: Scores,
    pub(crate) doubts: Doubts,
}

/// Judges a scene.
pub(crate) fn measure(scene: &Scene, with_use: bool, measured: &mut Measured) {
    let told = play(scene, with_use, &mut measured.doubts);
    let moments: Vec<u64> = (1..=MOMENTS).map(|nth| scene.length / MOMENTS * nth).collect();
    let is_said = |program: &str, verdicts: &[Verdict]| -> Vec<bool> {
        told.iter().map(|said| verdicts.iter().any(|it| said.contains(&(program.to_owned(), *it)))).collect()
    };
    for &(program, truth) in &scene.clients {
        let named = name(program);
        let leaked = |&at: &u64| {
            scene.lives.iter().filter(|it| it.program == program && it.is_leaked && it.opened <= at).count()
                as u64
        };
        let leaked: Vec<u64> = moments.iter().map(leaked).collect();
        // When a process exits, what it leaked is gone.
        let ends = scene.lives.iter().filter(|it| it.program == program && it.is_leaked);
        let ends: BTreeSet<u64> = ends.filter_map(|it| it.client).collect();
        let runs: Vec<usize> = moments.iter().map(|&at| ends.range(..=at).count()).collect();
        let is_leak = truth == Truth::ClientLeak;
        let mut put = |what, told: &[bool], is_true| {
            measured.scores.entry(what).or_default().take(told, is_true, &leaked, &runs);
        };
        put("client-leak", &is_said(&named, &[Verdict::ClientLeak]), is_leak);
        put("client-leak or suspect", &is_said(&named, &[Verdict::ClientLeak, Verdict::Suspect]), is_leak);
        put("stale-client", &is_said(&named, &[Verdict::StaleClient]), truth == Truth::Stale);
        put("starved", &is_said(&named, &[Verdict::Starved]), truth == Truth::Starved);
        put("saturated", &is_said(&named, &[Verdict::Saturated]), truth == Truth::Saturated);
        if !with_use {
            let curve = |at: u64| old_open(scene, program, at);
            let old: Vec<u64> = moments.iter().map(|&at| curve(at)).collect();
            put(
                "rule: 3 older than the leak age",
                &old.iter().map(|&it| it >= 3).collect::<Vec<_>>(),
                is_leak,
            );
            put(
                "rule: 10 older than the leak age",
                &old.iter().map(|&it| it >= 10).collect::<Vec<_>>(),
                is_leak,
            );
            let grows: Vec<bool> = moments.iter().map(|&at| grows_each_hour(at, curve)).collect();
            put("rule: growth in each of three hours", &grows, is_leak);
            let rising: Vec<bool> = moments.iter().map(|&at| is_rising(at, curve)).collect();
            put("rule: regression, p < 0.01", &rising, is_leak);
            let earlier: Vec<bool> =
                moments.iter().map(|&at| earlier::is_client_leak(scene, program, at)).collect();
            put("542f368: client-leak", &earlier, is_leak);
        }
    }
    let server = is_said("/usr/bin/server", &[Verdict::ServerLeak]);
    let is_leak = scene.server == Truth::ServerLeak;
    measured.scores.entry("server-leak").or_default().take(&server, is_leak, &[], &[]);
    if !with_use {
        let earlier: Vec<bool> = moments.iter().map(|&at| earlier::is_server_leak(scene, at)).collect();
        measured.scores.entry("542f368: server-leak").or_default().take(&earlier, is_leak, &[], &[]);
    }
}

pub(crate) type Said = BTreeSet<(String, Verdict)>;

/// What is said at each moment.
pub(crate) fn play(scene: &Scene, with_use: bool, doubts: &mut Doubts) -> Vec<Said> {
    let limit = scene.limit.map(|slots| GivenLimit::parse(&format!("s.sock={slots}")));
    let settings = Settings {
        started: START,
        leak_age: scene.leak_age,
        limits: limit.into_iter().flatten().collect(),
        by: By::Program,
    };
    let mut session = Session::new(Selection::recorded(vec!["/run/s.sock".to_owned()]), settings);
    let mut records = scene.records().into_iter().peekable();
    let mut told = Vec::new();
    for nth in 1..=MOMENTS {
        let now = scene.length / MOMENTS * nth;
        while let Some((_, record)) = records.next_if(|(at, _)| *at <= now) {
            session.feed(record);
        }
        let usage = |it: &Connection| -> Option<Usage> { scene.usage(it.id, now).filter(|_| with_use) };
        let findings = findings_with(&session, START + now, false, &usage);
        findings.iter().for_each(|it| weigh(scene, it, doubts));
        told.push(findings.into_iter().map(|it| (it.program, it.verdict)).collect());
    }
    assert_eq!(session.misfits(), 0, "the scene is sound");
    told
}

/// Notes whether an accusation is right, and what its doubt was.
fn weigh(scene: &Scene, finding: &FindingReport, doubts: &mut Doubts) {
    let is_right = match finding.verdict {
        Verdict::ClientLeak | Verdict::Suspect => scene.truth(&finding.program) == Truth::ClientLeak,
        Verdict::ServerLeak => scene.truth(&finding.program) == Truth::ServerLeak,
        _ => return,
    };
    // Its figures are left out, and the number of the verb that follows them.
    let words = |doubt: &String| {
        let words = doubt.split(' ').filter(|it| it.parse::<u64>().is_err() && !matches!(*it, "is" | "are"));
        words.collect::<Vec<_>>().join(" ")
    };
    let doubt = finding.uncertain.first().map_or_else(|| "no doubt".to_owned(), words);
    let (right, all) = doubts.entry(format!("{}: {doubt}", finding.verdict)).or_default();
    *right += u64::from(is_right);
    *all += 1;
}

/// How many client ends of a program are older than the leak age.
fn old_open(scene: &Scene, program: u32, at: u64) -> u64 {
    let lives = scene.lives.iter().filter(|it| it.program == program && it.accepted.is_some());
    let is_old = |it: &&super::scene::Life| {
        it.opened + scene.leak_age <= at && it.client.is_none_or(|closed| closed > at)
    };
    lives.filter(is_old).count() as u64
}

fn grows_each_hour(at: u64, curve: impl Fn(u64) -> u64) -> bool {
    let step = HOUR.min(at / 3);
    let points: Vec<u64> = (0..4).map(|back| curve(at.saturating_sub((3 - back) * step))).collect();
    points.windows(2).all(|pair| pair[1] > pair[0])
}

/// Least squares over twenty points, with a t test.
fn is_rising(at: u64, curve: impl Fn(u64) -> u64) -> bool {
    const POINTS: u64 = 20;
    /// One-sided, 18 degrees of freedom.
    const T: f64 = 2.552;
    let points: Vec<(f64, f64)> =
        (1..=POINTS).map(|nth| (nth as f64, curve(at / POINTS * nth) as f64)).collect();
    let n = POINTS as f64;
    let (mx, my) =
        (points.iter().map(|it| it.0).sum::<f64>() / n, points.iter().map(|it| it.1).sum::<f64>() / n);
    let sxx: f64 = points.iter().map(|it| (it.0 - mx).powi(2)).sum();
    let slope = points.iter().map(|it| (it.0 - mx) * (it.1 - my)).sum::<f64>() / sxx;
    let rest: f64 = points.iter().map(|it| (it.1 - my - slope * (it.0 - mx)).powi(2)).sum();
    slope > 0.0 && slope > T * (rest / (n - 2.0) / sxx).sqrt()
}
