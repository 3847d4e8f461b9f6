//! The terminal: taken over, and given back as it was, however this ends.

use std::{
    io::{self, BufWriter, IsTerminal as _, Stdout, Write as _},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor::{Hide, Show},
    event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind},
    execute,
    style::Print,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};

use super::{
    state::{Input, State},
    theme::Theme,
    view,
};

/// It is taken over. There is but one.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The mouse is listened to as well.
static MOUSE: AtomicBool = AtomicBool::new(false);
/// Presses of buttons and the wheel, in the form of any number of columns. Where the mouse moves is nobody's business here.
const LISTEN_TO_MOUSE: &str = "\u{1b}[?1000h\u{1b}[?1006h";
const LEAVE_MOUSE: &str = "\u{1b}[?1006l\u{1b}[?1000l";
/// Something panicked: nothing more is drawn.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// The terminal, taken over until this is dropped.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

impl Screen {
    /// Takes it over, with the mouse if that is wanted. From then on a panic gives it back first.
    pub(super) fn take(mouse: bool) -> io::Result<Self> {
        give_back_on_panic();
        MOUSE.store(mouse, Ordering::SeqCst);
        let (columns, rows) = size();
        enter()?;
        let backend = CrosstermBackend::new(BufWriter::with_capacity(64 << 10, io::stdout()));
        // The size is asked for here alone: where it cannot be told, ratatui would run a program to find out.
        let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport });
        match terminal {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Draws what has changed.
    pub(super) fn draw(&mut self, state: &State) -> io::Result<()> {
        if PANICKED.load(Ordering::SeqCst) {
            return Err(io::Error::other("a thread panicked"));
        }
        self.terminal.draw(|frame| view::draw(state, frame.buffer_mut()))?;
        Ok(())
    }

    /// Draws everything anew, as large as it is now: it may have another size, or something else was written there.
    pub(super) fn redraw(&mut self, state: &State) -> io::Result<()> {
        let (columns, rows) = state.size;
        // It clears what was there. ratatui's own clear would ask the terminal where the cursor is, and wait for its answer.
        self.terminal.resize(Rect::new(0, 0, columns, rows))?;
        self.draw(state)
    }

    /// Takes it over again, whoever has had it meanwhile: while this process was stopped the shell has set it its own way.
    pub(super) fn retake(&mut self) -> io::Result<()> {
        if TAKEN.load(Ordering::SeqCst) {
            disable_raw_mode()?;
        }
        TAKEN.store(false, Ordering::SeqCst);
        enter()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter() -> io::Result<()> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let mouse = if MOUSE.load(Ordering::SeqCst) { LISTEN_TO_MOUSE } else { "" };
    let entered =
        enable_raw_mode().and_then(|()| execute!(io::stdout(), EnterAlternateScreen, Hide, Print(mouse)));
    entered.inspect_err(|_| give_back())
}

/// Gives it back as it was. Whoever closed it needs nothing of that.
pub(super) fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // What was pressed meanwhile would be typed into the shell.
        let mouse = if MOUSE.load(Ordering::SeqCst) { LEAVE_MOUSE } else { "" };
        let _ = execute!(io::stdout(), Print(mouse), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        let _ = io::stdout().flush();
    }
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICKED.store(true, Ordering::SeqCst);
            give_back();
            before(info);
        }));
    });
}

/// Columns and rows of most terminals.
const USUAL: (u16, u16) = (80, 24);

/// Columns and rows; those of most where they cannot be told.
pub(super) fn size() -> (u16, u16) {
    let known = terminal_size::terminal_size_of(io::stdout());
    known.map_or(USUAL, |(terminal_size::Width(columns), terminal_size::Height(rows))| (columns, rows))
}

/// Why there is nothing to draw on, if there is not.
pub(super) fn lacks() -> Option<&'static str> {
    if !io::stdout().is_terminal() {
        return Some(
            "standard output is no terminal, which `top` draws on; `sockleak list` and `sockleak report` print",
        );
    }
    let name = std::env::var("TERM").unwrap_or_default();
    matches!(name.as_str(), "" | "dumb").then_some(
        "this terminal cannot be drawn on, by its name in TERM; name the right one, for example TERM=xterm",
    )
}

/// How things are to look here: `ascii` is asked for. What is not known to show Unicode gets none.
pub(super) fn theme(ascii: bool) -> Theme {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    Theme { colour: set("NO_COLOR").is_none(), ascii: ascii || !is_unicode(&locale.to_string_lossy()) }
}

fn is_unicode(locale: &str) -> bool {
    // What is behind an @ says which of several.
    let locale = locale.split('@').next().unwrap_or_default().to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}

/// What a key or the mouse is for; None if for nothing.
pub(super) fn input(event: &Event) -> Option<Input> {
    if let Event::Mouse(MouseEvent { kind, column, row, .. }) = *event {
        return match kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Input::Click(column, row)),
            MouseEventKind::ScrollUp => Some(Input::WheelUp),
            MouseEventKind::ScrollDown => Some(Input::WheelDown),
            _ => None,
        };
    }
    let Event::Key(KeyEvent { code, modifiers, kind, .. }) = event else { return None };
    if *kind == KeyEventKind::Release {
        return None;
    }
    if modifiers.contains(KeyModifiers::CONTROL) {
        return match code {
            KeyCode::Char('c') => Some(Input::Interrupt),
            KeyCode::Char('z') => Some(Input::Suspend),
            KeyCode::Char('l') => Some(Input::Redraw),
            KeyCode::Char('h') => Some(Input::Backspace),
            _ => None,
        };
    }
    Some(match code {
        KeyCode::Up => Input::Up,
        KeyCode::Down => Input::Down,
        KeyCode::Left => Input::Left,
        KeyCode::Right => Input::Right,
        KeyCode::PageUp => Input::PageUp,
        KeyCode::PageDown => Input::PageDown,
        KeyCode::Home => Input::Home,
        KeyCode::End => Input::End,
        KeyCode::Enter => Input::Enter,
        KeyCode::Esc => Input::Escape,
        KeyCode::Tab => Input::Tab,
        KeyCode::BackTab => Input::BackTab,
        KeyCode::Backspace => Input::Backspace,
        KeyCode::Char(letter) => Input::Letter(*letter),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_tell_what_can_be_shown() {
        for (locale, expected) in [
            ("C.UTF-8", true),
            ("de_DE.utf8", true),
            ("ca_ES.UTF-8@valencia", true),
            ("C", false),
            ("", false),
            ("en_US.ISO-8859-1", false),
            ("de_DE@euro", false),
        ] {
            assert_eq!(is_unicode(locale), expected, "{locale}");
        }
    }

    #[test]
    fn keys_are_for_something() {
        let key = |code, modifiers| input(&Event::Key(KeyEvent::new(code, modifiers)));
        for (code, modifiers, expected) in [
            (KeyCode::Char('j'), KeyModifiers::NONE, Some(Input::Letter('j'))),
            (KeyCode::Char('G'), KeyModifiers::SHIFT, Some(Input::Letter('G'))),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Input::Interrupt)),
            (KeyCode::Char('x'), KeyModifiers::CONTROL, None),
            (KeyCode::BackTab, KeyModifiers::SHIFT, Some(Input::BackTab)),
            (KeyCode::Left, KeyModifiers::NONE, Some(Input::Left)),
            (KeyCode::Right, KeyModifiers::NONE, Some(Input::Right)),
            (KeyCode::F(1), KeyModifiers::NONE, None),
        ] {
            assert_eq!(key(code, modifiers), expected, "{code:?}");
        }
        assert_eq!(input(&Event::FocusGained), None);
    }

    #[test]
    fn the_mouse_is_for_something() {
        let mouse = |kind| {
            input(&Event::Mouse(MouseEvent { kind, column: 7, row: 4, modifiers: KeyModifiers::NONE }))
        };
        for (kind, expected) in [
            (MouseEventKind::Down(MouseButton::Left), Some(Input::Click(7, 4))),
            (MouseEventKind::Up(MouseButton::Left), None),
            (MouseEventKind::Down(MouseButton::Right), None),
            (MouseEventKind::ScrollUp, Some(Input::WheelUp)),
            (MouseEventKind::ScrollDown, Some(Input::WheelDown)),
            (MouseEventKind::Moved, None),
        ] {
            assert_eq!(mouse(kind), expected, "{kind:?}");
        }
    }
}
