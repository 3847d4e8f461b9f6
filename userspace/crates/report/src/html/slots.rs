//! Slots in use over time, of a recording.

use maud::{Markup, html};
use sockleak_core::{
    text::count::{agreeing, counted},
    time::human,
};

use super::{
    parts,
    plot::Ticks,
    stack::{Layer, Stacked, Tone},
};
use crate::{
    grid::{Grid, Kind},
    pictures::{Picture, Whose},
};

/// Rows of the table that says the same.
const ROWS: usize = 24;

/// The picture of a socket, its legend, and a table of it. `leaking` names the groups that are said to leak.
pub(super) fn slots(picture: &Picture, id: &str, leaking: &[&str]) -> Markup {
    let highest = picture.used.iter().map(|it| it.highest).max().unwrap_or_default();
    if highest == 0 {
        return parts::nothing("No connection was accepted while it was watched: no slot was in use.");
    }
    let stacked = stacked(picture, highest, leaking);
    html! {
        figure {
            (stacked.draw(id))
            details {
                summary { "Slots in use as a table" }
                (table(picture).html("Slots in use over time"))
            }
        }
    }
}

fn stacked(picture: &Picture, highest: u64, leaking: &[&str]) -> Stacked {
    let length = picture.used.last().map_or(0, |last| last.to);
    // "2 of 10 slots were", but "1 slot was".
    let slots = match picture.limit.map(|limit| limit.slots) {
        Some(limit) => format!("{highest} of {}", counted(limit, "slot")),
        None => counted(highest, "slot"),
    };
    let were = agreeing(highest, "was", "were");
    let tone = |whose: &Whose| match whose {
        Whose::Group(name) if leaking.contains(&name.as_str()) => Tone::Leaking,
        Whose::Group(_) => Tone::Plain,
        Whose::Others => Tone::Others,
        Whose::Server => Tone::Server,
    };
    let layers = picture.groups.iter().map(|share| Layer {
        name: name(&share.whose),
        tone: tone(&share.whose),
        values: share.slots.clone(),
    });
    Stacked {
        title: "Slots in use over time",
        description: format!("At most {slots} {were} in use within {}.", human(length)),
        length,
        ticks: Ticks::Since,
        stretches: picture.used.iter().map(|it| (it.from, it.to)).collect(),
        layers: layers.collect(),
        peak: ("most at any moment", picture.used.iter().map(|it| it.highest).collect()),
        limit: picture.limit,
    }
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
