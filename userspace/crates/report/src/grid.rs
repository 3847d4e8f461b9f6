//! Tables as data: what is in them, before it is known how they are shown.

use comfy_table::{CellAlignment, Table, presets};
use sockleak_core::text::escape::{self, terminal};
use textwrap::core::display_width;

use crate::{
    elide,
    style::{Meaning, Style},
};

/// A table. Its texts are as they came from outside; whoever shows them makes them safe.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Numbers and ages: to the right, and never cut.
    Number,
    /// A word or two: never cut.
    Word,
    /// A path or a name from outside: its end tells the most.
    Name,
    /// A program and its arguments, which may go over several lines.
    Command,
    /// Words that may go over several lines, and do so first.
    Prose,
}

/// A text, and the shorter one that does where room is scarce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) long: String,
    pub(super) short: Option<String>,
    /// Why it has a colour, in a column of words or numbers.
    pub(super) meaning: Option<Meaning>,
}

impl Cell {
    /// In the colour of this meaning.
    pub(super) fn with(self, meaning: Option<Meaning>) -> Self {
        Self { meaning, ..self }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { long: text.into(), ..Self::default() }
    }
}

/// Between two columns.
const GAP: usize = 2;
/// A column whose text is cut is at least so wide.
const NARROWEST: usize = 12;

impl Grid {
    pub(super) fn new(columns: &[(&'static str, Kind)]) -> Self {
        let columns = columns.iter().map(|&(heading, kind)| Column { heading, kind }).collect();
        Self { columns, rows: Vec::new() }
    }

    /// As text of at most `width` columns, if that can be.
    pub(super) fn text(&self, width: usize) -> String {
        self.styled(width, Style::Plain)
    }

    /// As [`Self::text`], with the colours that cells have.
    pub(super) fn styled(&self, width: usize, style: Style) -> String {
        let (widths, mut rows) = self.fitted(width);
        for (row, cells) in rows.iter_mut().zip(&self.rows) {
            for ((text, cell), column) in row.iter_mut().zip(cells).zip(&self.columns) {
                // Others may go over several lines.
                let is_line = matches!(column.kind, Kind::Number | Kind::Word);
                style.mark(text, cell.meaning.filter(|_| is_line));
            }
        }
        style.paint(self.draw(&widths, rows))
    }

    /// The widths of the columns, and the texts that fit in there.
    fn fitted(&self, width: usize) -> (Vec<usize>, Vec<Vec<String>>) {
        let safe = |text: &str| terminal(text).into_owned();
        let long: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| safe(&cell.long)).collect()).collect();
        let natural = self.widths(&long, display_width);
        if total(&natural) <= width {
            return (natural, long);
        }
        let short: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| safe(cell.short.as_ref().unwrap_or(&cell.long))).collect())
            .collect();
        let widths = self.shrunk(&short, width);
        let mut rows = short;
        for (index, (column, &width)) in self.columns.iter().zip(&widths).enumerate() {
            let mut cells: Vec<&mut String> = rows.iter_mut().filter_map(|row| row.get_mut(index)).collect();
            match column.kind {
                Kind::Number | Kind::Word => {}
                Kind::Name => fit_names(&mut cells, width),
                Kind::Command | Kind::Prose => {
                    cells.iter_mut().for_each(|cell| **cell = wrapped(cell, width));
                }
            }
        }
        (widths, rows)
    }

    /// The widths of the columns. `of_heading` tells that of a heading.
    fn widths(&self, rows: &[Vec<String>], of_heading: impl Fn(&str) -> usize) -> Vec<usize> {
        let width = |(index, column): (usize, &Column)| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| display_width(cell));
            cells.max().unwrap_or(0).max(of_heading(column.heading))
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    /// The widths when the table must not be wider than `width`: prose gives way first, and then the widest column.
    ///
    /// Names keep their last parts as long as others have anything to give.
    fn shrunk(&self, rows: &[Vec<String>], width: usize) -> Vec<usize> {
        let longest_word = |heading: &str| heading.split(' ').map(display_width).max().unwrap_or_default();
        let mut widths = self.widths(rows, longest_word);
        let last_parts = self.last_parts(rows);
        for least in [last_parts, vec![NARROWEST; widths.len()]] {
            while total(&widths) > width {
                let columns = self.columns.iter().zip(&mut widths).zip(&least);
                let giving = columns.filter(|((column, width), least)| {
                    !matches!(column.kind, Kind::Number | Kind::Word) && **width > **least
                });
                let Some(((_, widest), _)) =
                    giving.max_by_key(|((column, width), _)| (column.kind == Kind::Prose, **width))
                else {
                    break;
                };
                *widest -= 1;
            }
        }
        widths
    }

    /// How wide each column has to be for the file names in it, behind an ellipsis.
    fn last_parts(&self, rows: &[Vec<String>]) -> Vec<usize> {
        /// A file name that is longer is cut.
        const MOST: usize = 24;

        let wide = |(index, column): (usize, &Column)| {
            let cells = rows.iter().filter_map(|row| row.get(index).map(String::as_str));
            let paths: Vec<&str> = match column.kind {
                Kind::Name => cells.collect(),
                Kind::Command => cells.filter_map(|cell| cell.split(' ').next()).collect(),
                Kind::Number | Kind::Word | Kind::Prose => return NARROWEST,
            };
            let parts = paths.into_iter().filter_map(|path| path.rsplit('/').next());
            parts.map(|part| display_width(part) + 2).max().unwrap_or(0).clamp(NARROWEST, MOST)
        };
        self.columns.iter().enumerate().map(wide).collect()
    }

    fn draw(&self, widths: &[usize], rows: Vec<Vec<String>>) -> String {
        let mut table = Table::new();
        let headings = self.columns.iter().zip(widths).map(|(column, &width)| match column.heading {
            long if display_width(long) > width => long.replace(' ', "\n"),
            short => short.to_owned(),
        });
        table.load_preset(presets::NOTHING).set_header(headings).add_rows(rows);
        for (column, shown) in self.columns.iter().zip(table.column_iter_mut()) {
            shown.set_padding((0, GAP as u16));
            if column.kind == Kind::Number {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
        // Without the blanks that fill the last column.
        table.lines().fold(String::new(), |mut text, line| {
            text.push_str(line.trim_end());
            text.push('\n');
            text
        })
    }

    /// As a table of GitHub's Markdown, which others read too.
    pub(super) fn markdown(&self) -> String {
        let mut out = String::new();
        let mut line = |cells: &mut dyn Iterator<Item = String>| {
            out.push('|');
            cells.for_each(|cell| out.push_str(&format!(" {cell} |")));
            out.push('\n');
        };
        line(&mut self.columns.iter().map(|column| lower(column.heading)));
        line(&mut self.columns.iter().map(|column| match column.kind {
            Kind::Number => "---:".to_owned(),
            _ => "---".to_owned(),
        }));
        for row in &self.rows {
            line(&mut self.columns.iter().zip(row).map(|(column, cell)| match column.kind {
                Kind::Name | Kind::Command => escape::markdown_code(&cell.long),
                _ => escape::markdown(&cell.long),
            }));
        }
        out
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// A heading where capitals would shout: `Client end open`.
pub(super) fn lower(heading: &str) -> String {
    if matches!(heading, "PID" | "FD") {
        return heading.to_owned();
    }
    let mut letters = heading.chars();
    letters.next().into_iter().chain(letters.flat_map(char::to_lowercase)).collect()
}

/// Cuts names. If two would look the same then, they all go over several lines instead.
fn fit_names(cells: &mut [&mut String], width: usize) {
    let names: Vec<&str> = cells.iter().map(|cell| cell.as_str()).collect();
    let fitting = elide::apart(&names, width, "…");
    let fitting = fitting.unwrap_or_else(|| names.iter().map(|name| broken(name, width)).collect());
    for (cell, text) in cells.iter_mut().zip(fitting) {
        **cell = text;
    }
}

/// A text in lines of a width, broken wherever they end. A further line begins with an ellipsis: nobody's name begins one.
fn broken(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for letter in text.chars() {
        let is_full = lines
            .last()
            .is_some_and(|line| display_width(line) + display_width(letter.encode_utf8(&mut [0; 4])) > width);
        if is_full {
            lines.push("…".to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push(letter);
        }
    }
    lines.join("\n")
}

/// Words in lines of a width; a word that is longer is cut in front.
fn wrapped(text: &str, width: usize) -> String {
    let words: Vec<String> = text.split(' ').map(|word| elide::end(word, width, "…")).collect();
    let options = textwrap::Options::new(width)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(&words.join(" "), options).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(rows: &[[&str; 3]]) -> Grid {
        let mut grid = Grid::new(&[("AGE NOW", Kind::Number), ("PROGRAM", Kind::Name), ("END", Kind::Prose)]);
        grid.rows = rows.iter().map(|row| row.iter().map(|cell| Cell::from(*cell)).collect()).collect();
        grid
    }

    #[test]
    fn a_table_that_fits_stays_as_it_is() {
        let grid = grid(&[["1 s", "/usr/bin/x", "open"], ["10 s", "/x", "closed, 1 s ago"]]);
        let expected = "\
AGE NOW  PROGRAM     END
    1 s  /usr/bin/x  open
   10 s  /x          closed, 1 s ago
";
        assert_eq!(grid.text(39), expected);
    }

    #[test]
    fn names_lose_their_front_and_numbers_nothing() {
        let grid = grid(&[
            ["123456789", "/usr/lib/a-long-way/to/renewer", "open"],
            ["1", "/x", "held by /usr/lib/another-long-way/holder 12"],
        ]);
        let expected = [
            "  AGE NOW  PROGRAM        END",
            "123456789  …y/to/renewer  open",
            "        1  /x             held by",
            "                          …-way/holder",
            "                          12",
        ];
        let text = grid.text(38);
        assert!(text.lines().all(|line| display_width(line) <= 38), "{text}");
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        // It cannot become narrower than its numbers.
        assert!(grid.text(5).contains("123456789"));
    }

    #[test]
    fn names_that_end_alike_are_told_apart() {
        let grid = grid(&[["1", "/opt/one/lib/bin/python3", "-"], ["2", "/opt/two/lib/bin/python3", "-"]]);
        assert!(grid.text(30).contains("  1  /opt/one…bin/python3  -"), "{}", grid.text(30));
        assert!(grid.text(24).contains("  1  /opt/one…thon3  -"), "{}", grid.text(24));
    }

    #[test]
    fn names_that_differ_too_far_apart_go_over_several_lines() {
        let paths =
            ["/a-long-way/one/bin/python3", "/b-long-way/one/bin/python3", "/b-long-way/two/bin/python3"];
        let text = grid(&paths.map(|path| ["1", path, "-"])).text(24);
        assert!(text.contains("/a-long-way/") && text.contains("/b-long-way/"), "{text}");
        assert!(text.lines().all(|line| display_width(line) <= 24), "{text}");
    }

    #[test]
    fn a_shorter_text_comes_before_a_broken_one() {
        let mut grid = grid(&[["1", "/x", ""]]);
        grid.rows[0][2] = Cell {
            long: "accepted by /usr/sbin/haproxy 107".into(),
            short: Some("haproxy 107".into()),
            meaning: None,
        };
        assert!(grid.text(80).contains("accepted by /usr/sbin/haproxy 107"));
        assert!(grid.text(30).contains("haproxy 107\n"));
    }

    #[test]
    fn colours_take_no_room() {
        let mut grid =
            grid(&[["10/10", "/usr/lib/a-long-way/to/renewer", "open"], ["1", "/x", "closed by a holder"]]);
        grid.rows[0][0].meaning = Some(Meaning::Warning);
        // Names may be cut, and have none.
        grid.rows[0][1].meaning = Some(Meaning::Accusing);
        for width in [20, 38, 80] {
            let (plain, coloured) = (grid.text(width), grid.styled(width, Style::Coloured));
            assert!(coloured.contains("\x1b[33m10/10\x1b[0m"), "{coloured:?}");
            assert_eq!(coloured.replace("\x1b[33m", "").replace("\x1b[0m", ""), plain);
        }
    }

    #[test]
    fn wide_letters_count_twice() {
        assert_eq!(elide::end("漢字漢字", 5, "…"), "…漢字");
        assert_eq!(broken("漢字漢字", 5), "漢字\n…漢字");
    }

    #[test]
    fn markdown_cells_stay_cells() {
        let text = grid(&[["1", "a|b\nc", "x|*y*"]]).markdown();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("| Age now | Program | End |\n| ---: | --- | --- |\n| 1 |"), "{text}");
        assert_eq!(text.lines().last().map(|line| line.matches('|').count()), Some(4), "{text}");
    }
}
