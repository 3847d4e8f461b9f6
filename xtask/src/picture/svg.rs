//! Draws a session as a moving picture: an SVG that styles alone animate, so that it moves in an image of a web page too, where no script
//! runs. Where nothing shall move (`prefers-reduced-motion`, or a viewer without animations), it shows the moment that is marked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::cast::Session;
use super::screen::{Cell, Screen, Style};

/// Size of a cell in pixels. The width is that of a character of most monospaced fonts at [`FONT`]; `textLength` sees to the others.
const CELL: (f64, f64) = (8.43, 19.0);
const FONT: u32 = 14;
const MARGIN: f64 = 14.0;
/// From the top of a row to the line that its characters stand on.
const BASE_LINE: f64 = 14.0;
/// Letters of the terminal, its ground, its edge, and its 16 colours, on dark and on light.
const DARK: Palette = Palette {
    text: "#e6edf3",
    ground: "#0d1117",
    edge: "#6e7681",
    colours: ["#8b949e", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#e6edf3"],
};
const LIGHT: Palette = Palette {
    text: "#1f2328",
    ground: "#ffffff",
    edge: "#8c959f",
    colours: ["#59636e", "#c11b28", "#116329", "#7d4e00", "#0759b8", "#7340c9", "#0f6068", "#1f2328"],
};

struct Palette {
    text: &'static str,
    ground: &'static str,
    edge: &'static str,
    colours: [&'static str; 8],
}

/// A cell with what it shows from one moment to another, in milliseconds.
#[derive(Clone, Copy)]
struct Version {
    cell: Cell,
    from: u64,
    to: u64,
}

/// From when to when something can be seen.
type Interval = (u64, u64);

/// The versions of each cell of a screen, by row and column.
struct Film {
    rows: Vec<Vec<Vec<Version>>>,
}

impl Film {
    fn of(session: &Session) -> Self {
        let mut screen = Screen::new(session.columns, session.rows);
        let begin = |cell: &Cell| vec![Version { cell: *cell, from: 0, to: session.end }];
        let mut rows: Vec<Vec<Vec<Version>>> =
            screen.cells().iter().map(|row| row.iter().map(begin).collect()).collect();
        for (at, output) in &session.output {
            screen.feed(output);
            let places = rows.iter_mut().flatten().zip(screen.cells().iter().flatten());
            for (versions, cell) in places {
                if let Some(last) = versions.last_mut().filter(|last| last.cell != *cell) {
                    last.to = *at;
                    versions.push(Version { cell: *cell, from: *at, to: session.end });
                }
            }
        }
        Self { rows }
    }

    /// What can be seen from one moment to another, by row and column. Blanks cannot.
    fn by_interval(&self) -> BTreeMap<Interval, BTreeMap<usize, Vec<(usize, Cell)>>> {
        let mut found: BTreeMap<Interval, BTreeMap<usize, Vec<(usize, Cell)>>> = BTreeMap::new();
        for (row, cells) in self.rows.iter().enumerate() {
            for (column, versions) in cells.iter().enumerate() {
                for it in versions.iter().filter(|it| !it.cell.is_blank() && it.from < it.to) {
                    let rows = found.entry((it.from, it.to)).or_default();
                    rows.entry(row).or_default().push((column, it.cell));
                }
            }
        }
        found
    }

    /// Is a cell blank all the time from one moment to another?
    fn is_blank(&self, row: usize, column: usize, (from, to): Interval) -> bool {
        let versions = &self.rows[row][column];
        versions.iter().all(|it| it.cell.is_blank() || it.to <= from || to <= it.from)
    }

    /// Texts of one style within a row, with the blanks in them, and the column of each.
    fn spans(&self, row: usize, cells: &[(usize, Cell)], interval: Interval) -> Vec<(usize, Style, String)> {
        let mut spans: Vec<(usize, Style, String)> = Vec::new();
        let mut next = 0;
        for (column, cell) in cells {
            let joins = (next..*column).all(|between| self.is_blank(row, between, interval));
            match spans.last_mut() {
                Some((_, style, text)) if joins && *style == cell.style => {
                    text.extend(std::iter::repeat_n(' ', column - next));
                    text.push(cell.character);
                }
                _ => spans.push((*column, cell.style, cell.character.to_string())),
            }
            next = column + 1;
        }
        spans
    }
}

/// The picture, with a title for those who do not see it.
pub(super) fn draw(session: &Session, title: &str) -> String {
    let film = Film::of(session);
    let (mut styles, mut body) = (String::new(), String::new());
    for (number, (interval, rows)) in film.by_interval().into_iter().enumerate() {
        let still = if interval.0 <= session.still && session.still < interval.1 { " s" } else { "" };
        // What is there all the time needs no animation.
        if interval == (0, session.end) {
            _ = write!(body, "<g class=\"s\">");
        } else {
            styles.push_str(&animation(number, interval, session.end));
            _ = write!(body, "<g class=\"t{number}{still}\">");
        }
        for (row, cells) in rows {
            for span in film.spans(row, &cells, interval) {
                body.push_str(&text(row, &span));
            }
        }
        body.push_str("</g>\n");
    }
    let (width, height) =
        (CELL.0 * session.columns as f64 + 2.0 * MARGIN, CELL.1 * session.rows as f64 + 2.0 * MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<style>\n{}{styles}</style>\n\
         <rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\"/>\n{body}</svg>\n",
        common(session.end),
        width - 1.0,
        height - 1.0,
        title = escaped(title),
    )
}

/// The rule that shows a group from one moment to another, again and again.
fn animation(number: usize, (from, to): Interval, end: u64) -> String {
    let percent = |at: u64| format!("{:.2}%", at as f64 / end as f64 * 100.0);
    let begin = if from == 0 {
        "0%{visibility:visible}".to_owned()
    } else {
        format!("0%{{visibility:hidden}}{}{{visibility:visible}}", percent(from))
    };
    let over = if to == end { String::new() } else { format!("{}{{visibility:hidden}}", percent(to)) };
    format!("@keyframes k{number}{{{begin}{over}}}.t{number}{{animation-name:k{number}}}\n")
}

fn text(row: usize, (column, style, text): &(usize, Style, String)) -> String {
    let (x, y) = (MARGIN + CELL.0 * *column as f64, MARGIN + CELL.1 * row as f64 + BASE_LINE);
    let colour = style.colour.map(|colour| format!("c{}", colour % 8));
    let classes = [colour.as_deref(), style.bold.then_some("b"), style.dim.then_some("d")];
    let classes = classes.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let class = if classes.is_empty() { String::new() } else { format!(" class=\"{classes}\"") };
    let length = text.chars().count();
    let length =
        if length == 1 { String::new() } else { format!(" textLength=\"{:.1}\"", CELL.0 * length as f64) };
    format!("<text x=\"{x:.1}\" y=\"{y:.0}\"{length}{class}>{}</text>", escaped(text))
}

/// The rules that do not depend on the session, but for its length.
fn common(end: u64) -> String {
    let colours = |palette: &Palette| {
        let mut rules =
            format!("rect{{fill:{};stroke:{}}}text{{fill:{}}}", palette.ground, palette.edge, palette.text);
        for (number, colour) in palette.colours.iter().enumerate() {
            _ = write!(rules, ".c{number}{{fill:{colour}}}");
        }
        rules
    };
    format!(
        "text{{font:{FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}}\n\
         {}\n@media(prefers-color-scheme:light){{{}}}\n.b{{font-weight:bold}}.d{{fill-opacity:.75}}\n\
         g{{visibility:hidden;animation:{:.3}s step-end infinite}}.s{{visibility:visible}}\n\
         @media(prefers-reduced-motion:reduce){{g{{animation:none!important}}}}\n",
        colours(&DARK),
        colours(&LIGHT),
        end as f64 / 1e3,
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(output: &[(u64, &str)], still: u64, end: u64) -> Session {
        let output = output.iter().map(|(at, text)| (*at, (*text).to_owned())).collect();
        Session { columns: 20, rows: 4, output, still, end }
    }

    #[test]
    fn each_text_is_there_from_when_it_came_to_when_it_went() {
        let picture = draw(
            &session(&[(1_000, "ls a b"), (2_000, "\r\nout"), (5_000, "\x1b[H\x1b[2Jnew")], 2_500, 10_000),
            "x",
        );
        // One span, blanks included, and the moment that is marked stands still.
        assert!(picture.contains("textLength=\"50.6\">ls a b</text></g>"), "{picture}");
        for (number, keyframes) in [
            (0, "0%{visibility:hidden}10.00%{visibility:visible}50.00%{visibility:hidden}"),
            (1, "0%{visibility:hidden}20.00%{visibility:visible}50.00%{visibility:hidden}"),
            (2, "0%{visibility:hidden}50.00%{visibility:visible}"),
        ] {
            let rule = format!("@keyframes k{number}{{{keyframes}}}.t{number}{{animation-name:k{number}}}");
            assert!(picture.contains(&rule), "{rule}\n{picture}");
        }
        assert!(
            picture.contains("<g class=\"t0 s\">") && picture.contains("<g class=\"t1 s\">"),
            "{picture}"
        );
        assert!(picture.contains("<g class=\"t2\">"), "{picture}");
        assert!(picture.contains("animation:10.000s step-end infinite"), "{picture}");
    }

    #[test]
    fn what_changes_beside_a_text_is_another_one() {
        let picture = draw(&session(&[(0, "a"), (10, "  c"), (20, "\x1b[H\x1b[Cb")], 20, 30), "x");
        for text in [">a<", ">b<", ">c<"] {
            assert!(picture.contains(text), "{text}\n{picture}");
        }
    }

    #[test]
    fn foreign_text_is_escaped_and_colours_are_classes() {
        let picture = draw(&session(&[(0, "<&\"\x1b[1;31m>x")], 0, 10), "a<b");
        assert!(picture.contains(">&lt;&amp;&quot;</text>"), "{picture}");
        assert!(picture.contains("class=\"c1 b\">&gt;x</text>"), "{picture}");
        assert!(picture.contains("<title>a&lt;b</title>") && picture.contains("aria-label=\"a&lt;b\""));
    }
}
