//! A terminal's screen: as much of one as a shell, its commands and sockleak's text need.

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Style {
    /// One of the 16 colours of a terminal; its own one without.
    pub(super) colour: Option<u8>,
    pub(super) bold: bool,
    pub(super) dim: bool,
}

/// A place for one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) character: char,
    pub(super) style: Style,
}

impl Cell {
    /// Nothing can be seen there.
    pub(super) fn is_blank(self) -> bool {
        self.character == ' '
    }
}

const BLANK: Cell = Cell { character: ' ', style: Style { colour: None, bold: false, dim: false } };

/// What comes next in the output.
enum Parse {
    Text,
    /// After ESC.
    Escape,
    /// After ESC and `[`: its parameters so far.
    Control(String),
    /// A title or the like, which ends with BEL or ESC.
    Command,
}

/// The cells, and where the next character goes.
pub(super) struct Screen {
    columns: usize,
    cells: Vec<Vec<Cell>>,
    row: usize,
    column: usize,
    style: Style,
    parse: Parse,
}

impl Screen {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        let cells = vec![vec![BLANK; columns]; rows];
        Self { columns, cells, row: 0, column: 0, style: Style::default(), parse: Parse::Text }
    }

    pub(super) fn cells(&self) -> &[Vec<Cell>] {
        &self.cells
    }

    /// Takes in output. A control sequence may come in parts.
    pub(super) fn feed(&mut self, output: &str) {
        for character in output.chars() {
            self.take(character);
        }
    }

    fn take(&mut self, character: char) {
        match &mut self.parse {
            Parse::Text => self.text(character),
            Parse::Escape => {
                self.parse = match character {
                    '[' => Parse::Control(String::new()),
                    ']' => Parse::Command,
                    _ => Parse::Text,
                }
            }
            Parse::Control(parameters) if ('\x20'..'\x40').contains(&character) => parameters.push(character),
            Parse::Control(parameters) => {
                let parameters = std::mem::take(parameters);
                self.parse = Parse::Text;
                self.control(&parameters, character);
            }
            Parse::Command => match character {
                '\x07' => self.parse = Parse::Text,
                '\x1b' => self.parse = Parse::Escape,
                _ => {}
            },
        }
    }

    fn text(&mut self, character: char) {
        match character {
            '\x1b' => self.parse = Parse::Escape,
            '\r' => self.column = 0,
            '\n' => self.next_row(),
            '\x08' => self.column = self.column.saturating_sub(1),
            '\t' => self.column = (self.column / 8 * 8 + 8).min(self.columns - 1),
            _ if character.is_control() => {}
            _ => {
                if self.column == self.columns {
                    self.column = 0;
                    self.next_row();
                }
                self.cells[self.row][self.column] = Cell { character, style: self.style };
                self.column += 1;
            }
        }
    }

    fn next_row(&mut self) {
        if self.row + 1 < self.cells.len() {
            self.row += 1;
        } else {
            self.cells.remove(0);
            self.cells.push(vec![BLANK; self.columns]);
        }
    }

    fn control(&mut self, parameters: &str, what: char) {
        // Private modes (bracketed paste and the like) show nothing.
        if parameters.starts_with(['?', '>', '=']) {
            return;
        }
        let numbers: Vec<usize> = parameters.split(';').map(|number| number.parse().unwrap_or(0)).collect();
        let first = numbers[0];
        let (last_row, last_column) = (self.cells.len() - 1, self.columns - 1);
        match what {
            'm' => self.graphics(&numbers),
            'H' | 'f' => {
                self.row = first.saturating_sub(1).min(last_row);
                self.column = numbers.get(1).map_or(0, |column| column.saturating_sub(1)).min(last_column);
            }
            'A' => self.row = self.row.saturating_sub(first.max(1)),
            'B' => self.row = (self.row + first.max(1)).min(last_row),
            'C' => self.column = (self.column + first.max(1)).min(last_column),
            'D' => self.column = self.column.saturating_sub(first.max(1)),
            'K' => {
                let column = self.column.min(self.columns);
                let erased = match first {
                    0 => column..self.columns,
                    1 => 0..(column + 1).min(self.columns),
                    _ => 0..self.columns,
                };
                self.cells[self.row][erased].fill(BLANK);
            }
            'J' => {
                let whole = match first {
                    0 => self.row + 1..self.cells.len(),
                    1 => 0..self.row,
                    _ => 0..self.cells.len(),
                };
                self.cells[whole].iter_mut().for_each(|row| row.fill(BLANK));
                if first < 2 {
                    self.control(parameters, 'K');
                }
            }
            _ => {}
        }
    }

    fn graphics(&mut self, numbers: &[usize]) {
        let mut numbers = numbers.iter();
        while let Some(number) = numbers.next() {
            match *number {
                0 => self.style = Style::default(),
                1 => self.style.bold = true,
                2 => self.style.dim = true,
                22 => (self.style.bold, self.style.dim) = (false, false),
                colour @ 30..=37 => self.style.colour = u8::try_from(colour - 30).ok(),
                colour @ 90..=97 => self.style.colour = u8::try_from(colour - 82).ok(),
                39 => self.style.colour = None,
                // Of 256 colours, those that every terminal has; of three numbers for red, green and blue, none.
                38 => match (numbers.next(), numbers.next()) {
                    (Some(5), Some(colour)) => {
                        self.style.colour = u8::try_from(*colour).ok().filter(|it| *it < 16);
                    }
                    _ => _ = numbers.nth(1),
                },
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is on the screen after this output, without the blanks at the ends of rows.
    fn shown(output: &[&str]) -> Vec<String> {
        let mut screen = Screen::new(10, 3);
        output.iter().for_each(|output| screen.feed(output));
        let text = |row: &Vec<Cell>| row.iter().map(|cell| cell.character).collect::<String>();
        screen.cells().iter().map(|row| text(row).trim_end().to_owned()).collect()
    }

    #[test]
    fn text_wraps_and_scrolls() {
        assert_eq!(shown(&["one\r\ntwo"]), ["one", "two", ""]);
        assert_eq!(shown(&["0123456789"]), ["0123456789", "", ""]);
        assert_eq!(shown(&["0123456789ab"]), ["0123456789", "ab", ""]);
        assert_eq!(shown(&["1\r\n2\r\n3\r\n4"]), ["2", "3", "4"]);
        assert_eq!(shown(&["abc\rx\x08y\tz"]), ["ybc     z", "", ""]);
    }

    #[test]
    fn sequences_move_and_erase_also_in_parts() {
        assert_eq!(shown(&["abc\x1b", "[2", "Dx"]), ["axc", "", ""]);
        assert_eq!(shown(&["abc\r\ndef\x1b[H\x1b[K"]), ["", "def", ""]);
        assert_eq!(shown(&["abc\r\ndef\x1b[H\x1b[2J\x1b[3;3Hx"]), ["", "", "  x"]);
        assert_eq!(shown(&["abc\r\ndef\x1b[1;2H\x1b[J"]), ["a", "", ""]);
        assert_eq!(shown(&["\x1b[?2004h\x1b]0;title\x07a\x1b]0;title\x1b\\b"]), ["ab", "", ""]);
        assert_eq!(shown(&["\x1b[99;99Hx\x1b[9A\x1b[99Dy"]), ["y", "", "         x"]);
    }

    #[test]
    fn colours_are_those_of_each_cell() {
        let mut screen = Screen::new(10, 1);
        screen.feed("\x1b[1;31ma\x1b[0mb\x1b[38;5;2mc\x1b[38;2;1;2;3md\x1b[92me\x1b[38;5;200mf\x1b[2;39mg");
        let styles: Vec<_> = screen.cells()[0].iter().map(|cell| cell.style).collect();
        let style = |colour, bold, dim| Style { colour, bold, dim };
        assert_eq!(styles[0], style(Some(1), true, false));
        assert_eq!(styles[1], Style::default());
        assert_eq!(styles[2], style(Some(2), false, false));
        assert_eq!(styles[3], style(Some(2), false, false));
        assert_eq!(styles[4], style(Some(10), false, false));
        assert_eq!(styles[5], style(None, false, false));
        assert_eq!(styles[6], style(None, false, true));
    }
}
