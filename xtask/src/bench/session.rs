//! `cargo xtask bench session`: what a connection costs a session that a descriptor scan has found, for ever more connections: that
//! it stays the same shows that the session is linear. Prints, and judges nothing.

use anyhow::{Context, Result, ensure};

use crate::{paths, process};

/// Steps of `userspace/examples/session-scale.rs`, in the order in which it prints them.
const STEPS: [&str; 4] = ["found", "carried", "rebuilt", "counted"];

/// Arguments of `cargo xtask bench session`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many connections are found, one measurement each
    #[arg(
        long, value_name = "N", num_args = 2.., default_values_t = [10_000, 100_000, 1_000_000],
        value_parser = clap::value_parser!(u64).range(1..=10_000_000)
    )]
    connections: Vec<u64>,
    /// Runs of each measurement, of which the shortest counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// What a connection takes in each step, in nanoseconds.
type Costs = [f64; STEPS.len()];

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    eprintln!("bench: building");
    let arguments = ["build", "--release", "--quiet", "--package", "sockleak", "--example", "session-scale"];
    process::run(process::command("cargo", arguments).current_dir(paths::repo()))?;
    let mut rows = Vec::new();
    for &count in &args.connections {
        eprintln!("bench: {count} connections");
        let mut least = [f64::INFINITY; STEPS.len()];
        for _ in 0..args.runs {
            let costs = measure(count)?;
            least.iter_mut().zip(costs).for_each(|(least, cost)| *least = least.min(cost));
        }
        rows.push((count, least));
    }
    print!("{}", table(&rows));
    Ok(())
}

fn measure(count: u64) -> Result<Costs> {
    let program = paths::release().join("examples/session-scale").display().to_string();
    costs(&process::output(&mut process::command(&program, [count.to_string()]))?, count)
}

fn costs(printed: &str, count: u64) -> Result<Costs> {
    let numbers = printed.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>();
    let numbers = numbers.ok().filter(|numbers| numbers.len() == STEPS.len());
    let numbers = numbers.with_context(|| format!("session-scale printed {printed:?}"))?;
    ensure!(count > 0, "nothing was measured");
    let mut costs = Costs::default();
    costs.iter_mut().zip(numbers).for_each(|(cost, number)| *cost = number / count as f64);
    Ok(costs)
}

/// Nanoseconds a connection, a row for each number of connections; and the last row by the first.
fn table(rows: &[(u64, Costs)]) -> String {
    let line = |title: &str, cells: [String; STEPS.len()]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
        format!("{title:<22}{cells}\n")
    };
    let mut text = line("ns a connection", STEPS.map(str::to_owned));
    for (count, costs) in rows {
        text.push_str(&line(&format!("{count} connections"), costs.map(|cost| format!("{cost:.0}"))));
    }
    if let (Some((_, least)), Some((_, most))) = (rows.first(), rows.last()) {
        let ratios: Vec<_> =
            most.iter().zip(least).map(|(most, least)| format!("{:.2}", most / least)).collect();
        if let Ok(ratios) = ratios.try_into() {
            text.push_str(&line("most by fewest", ratios));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_number_and_the_ratios() {
        let rows = [1000, 100_000]
            .map(|count| (count, costs("2000000 300000 1000000 50000\n", count).expect("it is one")));
        assert_eq!(
            table(&rows),
            "ns a connection            found   carried   rebuilt   counted\n\
             1000 connections            2000       300      1000        50\n\
             100000 connections            20         3        10         0\n\
             most by fewest              0.01      0.01      0.01      0.01\n"
        );
        assert!(costs("1 2 3", 7).is_err() && costs("1 2 3 x", 7).is_err());
    }
}
