//! What is around a list or a text: the title, where one stands, what there is to say, and the keys.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{KEYS, said, when::day_time_and_zone};
use crate::top::{
    state::{Overlay, Pane, Scope, State, What},
    text::{Keep, width},
};

/// The title, where one stands, and which lists there are.
pub(super) fn head(state: &State, buffer: &mut Buffer, area: Rect) {
    title(state, buffer, Rect { height: 1, ..area });
    let where_one_is = state.theme.letters().fit(&path(state), area.width.into(), Keep::End);
    buffer.set_stringn(area.x, area.y + 1, where_one_is, area.width.into(), state.theme.strong());
    buffer.set_line(area.x, area.y + 2, &tabs(state), area.width);
}

/// Blanks of the title: at both ends and between its parts.
const AROUND: usize = 4;

fn title(state: &State, buffer: &mut Buffer, area: Rect) {
    let (theme, letters) = (state.theme, state.theme.letters());
    let snapshot = state.data.snapshot.as_ref();
    let marks = [
        ("  INCOMPLETE", snapshot.is_some_and(|snapshot| !snapshot.complete)),
        ("  STALE", state.trouble.is_some()),
        ("  FROZEN", state.frozen),
    ];
    let marks: String = marks.into_iter().filter_map(|(mark, holds)| holds.then_some(mark)).collect();
    let mut right = marks;
    if let Some(snapshot) = snapshot {
        right.insert_str(0, &letters.safe(&day_time_and_zone(snapshot.at_ms)));
        let host = letters.fit(&snapshot.host, 24, Keep::Front) + "  ";
        // Time and marks go before it.
        if width(&host) + width(&right) + AROUND <= area.width.into() {
            right.insert_str(0, &host);
        }
    }
    let room = usize::from(area.width).saturating_sub(width(&right) + AROUND);
    let left = letters.fit(&format!("sockleak top  {}", state.source), room, Keep::Front);
    let free = room - width(&left).min(room);
    let text = format!(" {left}{}  {right} ", " ".repeat(free));
    buffer.set_stringn(area.x, area.y, text, area.width.into(), theme.title());
}

/// From the whole down to what is shown.
fn path(state: &State) -> String {
    let within = state.theme.within();
    let of = |scope: &Scope| {
        let parts = [Some("All sockets"), scope.socket.as_deref(), scope.program.as_deref()];
        let parts: Vec<_> = match scope.socket {
            Some(_) => parts.into_iter().skip(1).flatten().collect(),
            None => parts.into_iter().flatten().collect(),
        };
        parts.join(within)
    };
    match &state.page().what {
        What::List(scope, _) => of(scope),
        What::Story(id) => match state.data.story(*id).story() {
            Some(story) => {
                let open = &story.connection;
                format!("{}{within}{}{within}connection {id}", open.path, open.opener.program)
            }
            None => format!("connection {id}"),
        },
        What::Finding(key) => format!("{}{within}{}{within}{}", key.path, key.program, key.verdict),
    }
}

/// The names of the lists, and which one is shown. There are none above a text.
fn tab_names(state: &State) -> Vec<(String, bool)> {
    let What::List(scope, shown) = &state.page().what else { return Vec::new() };
    let name = |pane: &Pane| {
        let mut name = pane.name().to_owned();
        if *pane == Pane::Findings {
            let count = state.data.findings().filter(|it| scope.has(&it.path, &it.program)).count();
            name.push_str(&format!(" {count}"));
        }
        if pane == shown { (format!("[{name}]"), true) } else { (format!(" {name} "), false) }
    };
    scope.panes().iter().map(name).collect()
}

fn tabs(state: &State) -> Line<'static> {
    let style = |is_shown| if is_shown { state.theme.strong() } else { Style::new() };
    let names = tab_names(state).into_iter();
    Line::from_iter(names.flat_map(|(name, is_shown)| [Span::styled(name, style(is_shown)), Span::raw(" ")]))
}

/// Which list's name is at a column: its place among them.
pub(super) fn tab_at(state: &State, column: u16) -> Option<usize> {
    let mut end = 0;
    tab_names(state).iter().position(|(name, _)| {
        let begin = end;
        end = begin + width(name) + 1;
        // The blank behind belongs to nothing.
        (begin..end - 1).contains(&column.into())
    })
}

/// What there is to say, and the keys.
pub(super) fn foot(state: &State, buffer: &mut Buffer, area: Rect) {
    said::draw(state, buffer, Rect { height: area.height - KEYS, ..area });
    buffer.set_line(area.x, area.bottom() - KEYS, &keys(state, area.width), area.width);
}

/// The keys; where there is no room for all, the help has the others.
fn keys(state: &State, columns: u16) -> Line<'static> {
    let theme = state.theme;
    let keys: &[(&str, &str)] = match (state.overlay, &state.page().what) {
        (Overlay::Filter, _) => &[("Enter", "keep"), ("Esc", "show all"), ("Up/Down", "move")],
        (Overlay::Help(_), _) => &[("Up/Down", "move"), ("any other key", "back")],
        (_, What::List(_, Pane::Events)) => &[
            ("Enter", "story"),
            ("Esc", "back"),
            ("Tab", "next"),
            ("/", "filter"),
            ("f", "freeze"),
            ("?", "help"),
            ("q", "quit"),
        ],
        (_, What::List(..)) => &[
            ("Enter", "open"),
            ("Esc", "back"),
            ("Tab", "next"),
            ("/", "filter"),
            ("s/S", "sort"),
            ("f", "freeze"),
            ("?", "help"),
            ("q", "quit"),
        ],
        _ => &[("Esc", "back"), ("Up/Down", "move"), ("f", "freeze"), ("?", "help"), ("q", "quit")],
    };
    let mut keys = keys.to_vec();
    let needed =
        |keys: &[(&str, &str)]| keys.iter().map(|(key, what)| key.len() + what.len() + 3).sum::<usize>();
    for dear in ["f", "s/S", "Tab"] {
        // What is behind the last is no loss.
        if needed(&keys) > usize::from(columns) + 2 {
            keys.retain(|(key, _)| *key != dear);
        }
    }
    let spans = keys
        .into_iter()
        .flat_map(|(key, what)| [Span::styled(key, theme.key()), Span::raw(format!(" {what}  "))]);
    Line::from(spans.collect::<Vec<_>>())
}
