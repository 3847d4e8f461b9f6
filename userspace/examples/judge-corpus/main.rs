//! Judges a corpus of made-up recordings of known truth, for `cargo xtask bench verdicts`.
//!
//! `judge-corpus HALF SEEDS [kinds]`: HALF is `tune` or `publish`; SEEDS scenes of each kind. With `kinds`, prints each kind.
//! `judge-corpus show KIND SEED`: what is said of one recording at each moment.
//! `judge-corpus report DIR`: judges the recordings in a directory against the `.truth` file beside each.

mod earlier;
mod kinds;
mod leaks;
mod measure;
mod recordings;
mod scene;

use anyhow::{Result, bail};
use measure::{Measured, Score, measure, share};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["report", directory] => recordings::judge(directory.as_ref()),
        [half @ ("tune" | "publish"), seeds, by_kind @ ..] if matches!(by_kind, [] | ["kinds"]) => {
            corpus(*half == "publish", seeds.parse()?, !by_kind.is_empty());
            Ok(())
        }
        ["show", kind, seed] => show(kind, seed.parse()?),
        _ => bail!(
            "judge-corpus tune|publish SEEDS [kinds], judge-corpus show KIND SEED, or judge-corpus report DIR"
        ),
    }
}

fn corpus(publish: bool, seeds: u64, by_kind: bool) {
    let kinds = || kinds::HEALTHY.iter().chain(leaks::LEAKS);
    let [mut without, mut with] = [Measured::default(), Measured::default()];
    if by_kind {
        println!(
            "{:<44} {:>12} {:>12}   (leak told, suspect or leak told; of {seeds}, at the end)",
            "kind", "no use", "use"
        );
    }
    for (nth, (kind, make)) in (0_u64..).zip(kinds()) {
        let [mut plain, mut used] = [Measured::default(), Measured::default()];
        for seed in 0..seeds {
            // Even seeds are for tuning, odd ones for publishing.
            let mut rng = fastrand::Rng::with_seed(nth * 100_000 + 2 * seed + u64::from(publish));
            let scene = make(&mut rng);
            measure(&scene, false, &mut plain);
            measure(&scene, true, &mut used);
        }
        if by_kind {
            println!("{kind:<44} {:>12} {:>12}", ends(&plain), ends(&used));
        }
        merge(&mut without, plain);
        merge(&mut with, used);
    }
    println!(
        "\n{} kinds, {seeds} recordings of each, judged at {} moments",
        kinds().count(),
        measure::MOMENTS
    );
    print(&without, "without evidence of use");
    print(&with, "with evidence of use");
    let certain = with.scores.get("client-leak").copied().unwrap_or_default();
    let told = without.scores.get("client-leak or suspect").copied().unwrap_or_default();
    println!("\nprecision {:.2} recall {:.2}", certain.precision(), told.recall());
}

/// Prints what is said of one recording at each moment, without and with evidence of use.
fn show(kind: &str, seed: u64) -> Result<()> {
    let named = (0_u64..).zip(kinds::HEALTHY.iter().chain(leaks::LEAKS)).find(|(_, it)| it.0 == kind);
    let Some((nth, (_, make))) = named else { bail!("no kind is called {kind:?}") };
    let scene = make(&mut fastrand::Rng::with_seed(nth * 100_000 + seed));
    for with_use in [false, true] {
        for (nth, said) in (1..).zip(measure::play(&scene, with_use, &mut measure::Doubts::default())) {
            println!("{nth:>2} {said:?}");
        }
    }
    Ok(())
}

fn merge(all: &mut Measured, one: Measured) {
    for (what, score) in one.scores {
        all.scores.entry(what).or_default().add(&score);
    }
    for (doubt, (right, count)) in one.doubts {
        let sum = all.doubts.entry(doubt).or_default();
        *sum = (sum.0 + right, sum.1 + count);
    }
}

fn ends(measured: &Measured) -> String {
    let of = |what| measured.scores.get(what).copied().unwrap_or_default();
    let (certain, told, server): (Score, Score, Score) =
        (of("client-leak"), of("client-leak or suspect"), of("server-leak"));
    let end = |it: Score| it.found + it.accused;
    let ever = |it: Score| it.ever + it.accused_ever;
    format!("{}/{} {}/{} {}", end(certain), ever(certain), end(told), ever(told), end(server))
}

fn print(measured: &Measured, title: &str) {
    println!("\n{title}");
    println!(
        "{:<38} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "precision", "at end", "recall", "ever", "episodes", "leaked"
    );
    for (what, score) in &measured.scores {
        println!(
            "{what:<38} {:>9.3} {:>9.3} {:>9.3} {:>9.3} {:>9.2} {:>9.1}",
            score.precision(),
            score.precision_at_end(),
            score.recall(),
            share(score.ever, score.leaks),
            score.episodes_a_leak(),
            score.until_told as f64 / score.ever.max(1) as f64
        );
    }
    for (doubt, (right, count)) in &measured.doubts {
        println!("{doubt}: right {right} of {count} times ({:.2})", share(*right, *count));
    }
}
