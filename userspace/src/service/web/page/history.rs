//! How full a socket was over time.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use sockleak_core::attribution::limits::Limit;
use sockleak_report::html::{
    parts::{self, scroll},
    plot::Ticks,
    stack::{Layer, Stacked, Tone},
};

use super::{
    cells::{dash, moment, name, number, some_number},
    series_address,
    view::{SocketView, ViewError},
};
use crate::service::model::{Point, ProgramPoint, SeriesOf};

/// Programs that are drawn apart.
const PROGRAMS: usize = 5;
/// Name of all others in the history.
const OTHERS: &str = "[others]";
const MILLISECOND: u64 = 1_000_000;

/// The picture, and the same as a table. `leaking` names the programs that are said to leak.
pub(super) fn history(
    view: &SocketView,
    series: &Result<SeriesOf, ViewError>,
    limit: Option<Limit>,
    leaking: &[&str],
    ticks: Ticks,
) -> Markup {
    let series = match series {
        Ok(series) if !series.series.points.is_empty() => series,
        Ok(_) => {
            return parts::nothing(
                "No minute of that time is over yet, or was watched: the history has nothing of it.",
            );
        }
        Err(error) => return parts::nothing(&error.to_string()),
    };
    let drawn = Stacked { ticks, ..stacked(view, series, limit, leaking) };
    html! {
        figure class="chart" id="chart" data-begin=(series.from_ms) data-step=(view.range.step) {
            (drawn.draw_to_be_read("history"))
            // The script shows it, and says which step is read.
            label class="probe" id="probe" hidden {
                span { "Step " output id="probed" data-own { "none" } }
                input type="range" min="0" max=(series.series.points.len() - 1) step="1";
            }
            figcaption {
                "A step is " (sockleak_core::time::human(view.range.step as u64 * MILLISECOND))
                ". Areas: connections that were not closed at its end, by who opened them. Line: the most slots in use within it."
            }
            details {
                summary { "The same as a table" }
                (table(view, series))
            }
        }
    }
}

fn stacked(view: &SocketView, series: &SeriesOf, limit: Option<Limit>, leaking: &[&str]) -> Stacked {
    let points = &series.series.points;
    let highest = points.iter().map(|point| point.slots_max).max().unwrap_or_default();
    let from = |point: &Point| u64::try_from(point.at - series.from_ms).unwrap_or(0) * MILLISECOND;
    let step = view.range.step as u64 * MILLISECOND;
    // The last step is not over yet.
    let until = view.now.min(series.to_ms);
    let length = u64::try_from(until - series.from_ms).unwrap_or(1).max(1) * MILLISECOND;
    Stacked {
        title: "Open connections over time, by program",
        description: format!("At most {highest} slots were in use within {}.", view.range.words),
        length,
        ticks: Ticks::Ago,
        stretches: points
            .iter()
            .map(|point| (from(point).min(length), (from(point) + step).min(length)))
            .collect(),
        layers: layers(points, &series.series.programs, leaking),
        peak: ("most slots in use", points.iter().map(|point| point.slots_max).collect()),
        limit,
    }
}

/// The programs with the most connections, the others, and what is nobody's.
fn layers(points: &[Point], programs: &[ProgramPoint], leaking: &[&str]) -> Vec<Layer> {
    let places: BTreeMap<i64, usize> =
        points.iter().enumerate().map(|(index, point)| (point.at, index)).collect();
    let mut by_name: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for point in programs {
        let values = by_name.entry(&point.program).or_insert_with(|| vec![0.0; points.len()]);
        if let Some(value) = places.get(&point.at).and_then(|&index| values.get_mut(index)) {
            *value = point.open_last as f64;
        }
    }
    let mut others = by_name.remove(OTHERS).unwrap_or_else(|| vec![0.0; points.len()]);
    let mut named: Vec<_> = by_name.into_iter().collect();
    named.sort_by(|a, b| b.1.iter().sum::<f64>().total_cmp(&a.1.iter().sum()).then_with(|| a.0.cmp(b.0)));
    for (_, values) in named.split_off(named.len().min(PROGRAMS)) {
        others.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    let mut layers: Vec<Layer> = named
        .into_iter()
        .map(|(program, values)| {
            let tone = if leaking.contains(&program) { Tone::Leaking } else { Tone::Plain };
            Layer { name: program.to_owned(), tone, values }
        })
        .collect();
    layers.push(Layer { name: "others".to_owned(), tone: Tone::Others, values: others });
    let of_all = |index: usize| layers.iter().filter_map(|it| it.values.get(index)).sum::<f64>();
    let rest =
        points.iter().enumerate().map(|(index, point)| (point.open_last as f64 - of_all(index)).max(0.0));
    let rest = rest.collect();
    layers.push(Layer { name: "opener not in the history".to_owned(), tone: Tone::Server, values: rest });
    layers.retain(|layer| layer.values.iter().any(|&value| value > 0.0));
    layers
}

fn table(view: &SocketView, series: &SeriesOf) -> Markup {
    let by_step: BTreeMap<i64, Vec<(usize, &ProgramPoint)>> =
        series.series.programs.iter().enumerate().fold(BTreeMap::new(), |mut all, (index, point)| {
            all.entry(point.at).or_insert_with(Vec::new).push((index, point));
            all
        });
    let steps: BTreeSet<i64> = series.series.points.iter().map(|point| point.at).collect();
    let table = html! {
        table data-source=(series_address(&view.series)) {
            caption class="unseen" { "Figures over time" }
            thead { tr {
                th scope="col" { "From" }
                th scope="col" class="number" { "Slots, most" }
                th scope="col" class="number" { "Queue, most" }
                th scope="col" class="number" { "Open" }
                th scope="col" class="number" { "Opened" }
                th scope="col" class="number" { "Closed" }
                th scope="col" class="number" { "Failed" }
                th scope="col" { "Open by program" }
            } }
            tbody {
                @for (nth, point) in series.series.points.iter().enumerate() {
                    @let at = |field: &str| format!("/points/{nth}/{field}");
                    tr {
                        th scope="row" { (moment(&at("at_ms"), point.at)) }
                        td class="number" { (number(&at("slots_max"), point.slots_max)) }
                        td class="number" { (some_number(&at("queue_max"), point.queue_max)) }
                        td class="number" { (number(&at("open_last"), point.open_last)) }
                        td class="number" { (number(&at("opened"), point.opened)) }
                        td class="number" { (number(&at("closed"), point.closed)) }
                        td class="number" { (number(&at("failed"), point.failed)) }
                        td {
                            @if steps.contains(&point.at) {
                                @for (index, program) in by_step.get(&point.at).into_iter().flatten() {
                                    @if program.open_last > 0 {
                                        (name(&program.program)) " "
                                        (number(&format!("/programs/{index}/open_last"), program.open_last)) " "
                                    }
                                }
                            } @else { (dash()) }
                        }
                    }
                }
            }
        }
    };
    scroll("Figures over time", &table)
}
