//! How much a page shows: a browser has to draw it, and somebody has to read it.

use sockleak_core::text::count::counted;

/// How much is shown of one recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Findings.
    pub(super) findings: usize,
    /// Sockets, those with the most severe findings first.
    pub(super) sockets: usize,
    /// Connections that are drawn for a socket.
    pub(super) lanes: usize,
    /// Connections that are listed for a socket, and programs.
    pub(super) rows: usize,
    is_whole: bool,
}

/// Unless more is asked for: some ten screens.
const FEW: Bounds = Bounds { findings: 10, sockets: 6, lanes: 20, rows: 12, is_whole: false };
/// And when everything is asked for. The sockets share the rows.
const MOST: Bounds = Bounds { findings: 1000, sockets: 200, lanes: 200, rows: 10_000, is_whole: true };

impl Bounds {
    /// Those for a recording of so many sockets.
    pub(super) fn new(is_whole: bool, sockets: usize) -> Self {
        if !is_whole {
            return FEW;
        }
        let rows = MOST.rows / sockets.clamp(1, MOST.sockets);
        Self { rows, lanes: rows.min(MOST.lanes), ..MOST }
    }

    /// That there are more, and how they are shown, if so.
    pub(super) fn rest(self, hidden: usize, noun: &str) -> Option<String> {
        let remedy = if self.is_whole {
            "a page lists no more of them. --format csv does"
        } else {
            "--all lists them"
        };
        (hidden > 0).then(|| format!("… and {}; {remedy}.", counted(hidden as u64, &format!("more {noun}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever was recorded, a page lists some ten thousand connections.
    #[test]
    fn sockets_share_the_rows() {
        for (sockets, rows, lanes) in
            [(0, 10_000, 200), (1, 10_000, 200), (100, 100, 100), (1_000_000, 50, 50)]
        {
            let bounds = Bounds::new(true, sockets);
            assert_eq!((bounds.rows, bounds.lanes), (rows, lanes), "{sockets}");
        }
        assert_eq!(Bounds::new(false, 1_000_000), FEW);
        assert_eq!(FEW.rest(0, "connection"), None);
        assert_eq!(
            FEW.rest(490, "connection").as_deref(),
            Some("… and 490 more connections; --all lists them.")
        );
        let beyond = Bounds::new(true, 1).rest(1, "connection");
        assert_eq!(
            beyond.as_deref(),
            Some("… and 1 more connection; a page lists no more of them. --format csv does.")
        );
    }
}
