//! Slots in use over time, stacked by who has them.

use std::fmt::Write as _;

use super::{
    parts,
    plot::{LEFT, Plot},
};
use crate::{
    clock::human,
    report::{
        count::{agreeing, counted},
        escape::html,
        grid::{Grid, Kind},
        pictures::{Picture, Whose},
    },
};

const HEIGHT: f64 = 220.0;
/// Rows of the table that says the same.
const ROWS: usize = 24;

/// The picture of a socket, its legend, and a table of it. `leaking` names the groups that are said to leak.
pub(super) fn slots(picture: &Picture, id: &str, leaking: &[&str]) -> String {
    let highest = picture.used.iter().map(|it| it.highest).max().unwrap_or_default();
    if highest == 0 {
        return parts::nothing("No connection was accepted while it was watched: no slot was in use.");
    }
    let length = picture.used.last().map_or(0, |last| last.to);
    let limit = picture.limit.map(|limit| limit.slots);
    let top = highest.max(limit.unwrap_or(0));
    // Some air above the highest line.
    let full = top as f64 * 1.08;
    // "2 of 10 slots were", but "1 slot was".
    let slots = match limit {
        Some(limit) => format!("{highest} of {}", counted(limit, "slot")),
        None => counted(highest, "slot"),
    };
    let were = agreeing(highest, "was", "were");
    let description = format!("At most {slots} {were} in use within {}.", human(length));
    let mut plot = Plot::new(id, (LEFT, HEIGHT), "Slots in use over time", &description);
    plot.counts(top, full);
    plot.times(length);
    let classes = classes(picture, leaking);
    let mut below = vec![0.0; picture.used.len()];
    for (share, class) in picture.groups.iter().zip(&classes) {
        let above: Vec<f64> = below.iter().zip(&share.slots).map(|(below, slots)| below + slots).collect();
        let edge = |values: &[f64]| steps(&plot, picture, values, full, length);
        let back: Vec<String> = edge(&below).into_iter().rev().collect();
        let path = format!("M{} L{}Z", edge(&above).join(" L"), back.join(" L"));
        let _ = write!(
            plot.svg,
            "<path class=\"area {class}\" d=\"{path}\"><title>{}</title></path>",
            html(&name(&share.whose))
        );
        below = above;
    }
    let highest: Vec<f64> = picture.used.iter().map(|it| it.highest as f64).collect();
    let highest = steps(&plot, picture, &highest, full, length).join(" ");
    let _ = write!(plot.svg, "<polyline class=\"peak\" points=\"{highest}\"/>");
    if let Some(limit) = picture.limit {
        let y = plot.y(limit.slots as f64 / full);
        let ends = (plot.x(0.0), plot.x(1.0));
        plot.line("limit", (ends.0, y), (ends.1, y));
        let text = format!("limit {} ({})", limit.slots, limit.source.name());
        plot.text("limit-text", (ends.0 + 4.0, y - 5.0), &text);
    }
    let legend = picture.groups.iter().zip(&classes).map(|(share, class)| (*class, name(&share.whose)));
    let legend = legend.chain([("peak-line", "most at any moment".to_owned())]);
    let table = table(picture).html();
    format!(
        "<figure>{}{}<details><summary>Slots in use as a table</summary>{table}</details></figure>",
        parts::legend(legend),
        parts::scroll(&plot.finish())
    )
}

/// The points of a line that stays for each stretch and then steps.
fn steps(plot: &Plot, picture: &Picture, values: &[f64], full: f64, length: u64) -> Vec<String> {
    let x = |at: u64| plot.x(at as f64 / length.max(1) as f64);
    let stretches = picture.used.iter().zip(values);
    let points = stretches.flat_map(|(stretch, value)| {
        let y = plot.y(value / full);
        [stretch.from, stretch.to].map(|at| format!("{:.1},{y:.1}", x(at)))
    });
    let mut points: Vec<String> = points.collect();
    points.dedup();
    points
}

/// The colours: one is kept for who leaks, and one pattern for what the server keeps.
fn classes(picture: &Picture, leaking: &[&str]) -> Vec<&'static str> {
    let mut leaks = ["leak", "leak-2"].into_iter();
    let mut others = ["c1", "c2", "c3", "c4", "c5", "c6"].into_iter();
    let class = |whose: &Whose| match whose {
        Whose::Group(name) if leaking.contains(&name.as_str()) => {
            leaks.next().or_else(|| others.next()).unwrap_or("others")
        }
        Whose::Group(_) => others.next().unwrap_or("others"),
        Whose::Others => "others",
        Whose::Server => "server",
    };
    picture.groups.iter().map(|share| &share.whose).map(class).collect()
}

fn name(whose: &Whose) -> String {
    match whose {
        Whose::Group(name) => name.clone(),
        Whose::Others => "others".to_owned(),
        Whose::Server => "client has gone, server has not released".to_owned(),
    }
}

/// The same in numbers, in some rows.
fn table(picture: &Picture) -> Grid {
    let mut grid = Grid::new(&[
        ("FROM", Kind::Number),
        ("TO", Kind::Number),
        ("AVERAGE", Kind::Number),
        ("MOST", Kind::Number),
        ("WHOSE, ON AVERAGE", Kind::Prose),
    ]);
    let some = picture.used.len().div_ceil(ROWS).max(1);
    for (nth, stretches) in picture.used.chunks(some).enumerate() {
        let (Some(first), Some(last)) = (stretches.first(), stretches.last()) else { continue };
        let average = |slots: &dyn Fn(usize) -> f64| {
            let areas =
                stretches.iter().enumerate().map(|(index, it)| slots(index) * (it.to - it.from) as f64);
            areas.sum::<f64>() / (last.to - first.from).max(1) as f64
        };
        let all = average(&|index| stretches.get(index).map_or(0.0, |it| it.average));
        let whose = picture.groups.iter().filter_map(|share| {
            let slots = average(&|index| share.slots.get(nth * some + index).copied().unwrap_or_default());
            (slots >= 0.05).then(|| format!("{} {slots:.1}", name(&share.whose)))
        });
        let most = stretches.iter().map(|it| it.highest).max().unwrap_or_default();
        grid.rows.push(vec![
            human(first.from).into(),
            human(last.to).into(),
            format!("{all:.1}").into(),
            most.to_string().into(),
            whose.collect::<Vec<_>>().join(", ").into(),
        ]);
    }
    grid
}
