//! Evidence of use: what an open connection was last used for. Given where it is known, and never needed.

/// What is known of how a connection is used. Times are nanoseconds since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Since when use is watched; what was sent before is not known.
    pub since: u64,
    /// Up to when it is known.
    pub until: u64,
    /// What the client's end sent.
    pub client: EndUse,
    /// What the server's end sent.
    pub server: EndUse,
}

/// What one end sent, and what lies unread there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndUse {
    /// When it last sent something. None if it has not, as far as was watched.
    pub last: Option<u64>,
    /// How often it sent.
    pub sends: u64,
    /// How many bytes it sent.
    pub bytes: u64,
    /// Packets that wait to be read at this end; None if that was not looked at.
    pub unread: Option<u64>,
}

/// What use says about an overdue connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is not known.
    Unknown,
    /// It was used as usual, or a request waits for its answer.
    Used,
    /// It has been idle for longer than ever before.
    Unused,
}

/// It is unused after so many times its usual gap.
const GAPS: u64 = 8;

impl Usage {
    /// When either end last sent something.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.client.last.max(self.server.last)
    }

    /// The client sent last, and the server has not answered: a request is under way.
    #[must_use]
    pub fn awaits_answer(&self) -> bool {
        self.client.last.is_some() && self.client.last > self.server.last
    }

    /// What it says of a connection that was made at `opened`, of a program whose natural age is `age` nanoseconds.
    pub(super) fn judge(&self, opened: u64, now: u64, age: u64) -> Use {
        // What happened since it was looked at last is not known.
        let now = now.min(self.until);
        let watched = self.since.max(opened);
        let last = self.last().unwrap_or(watched).max(watched);
        if now.saturating_sub(last) < age {
            // Used within its natural age, or not watched for so long.
            return if self.last().is_some_and(|it| it >= watched) { Use::Used } else { Use::Unknown };
        }
        if self.awaits_answer() && self.client.unread.unwrap_or(0) == 0 {
            return Use::Unknown;
        }
        let sends = self.client.sends.saturating_add(self.server.sends);
        let gap = last.saturating_sub(watched) / sends.max(1);
        if now.saturating_sub(last) >= gap.saturating_mul(GAPS) { Use::Unused } else { Use::Used }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: u64 = 60;

    fn usage(since: u64, client: Option<u64>, server: Option<u64>, sends: u64) -> Usage {
        let end = |last| EndUse { last, sends: if last.is_some() { sends } else { 0 }, ..EndUse::default() };
        Usage { since, until: u64::MAX, client: end(client), server: end(server) }
    }

    #[test]
    fn unused_since_its_first_exchange() {
        let exchange = usage(0, Some(101), Some(102), 1);
        for (now, expected) in [(102 + AGE - 1, Use::Used), (102 + AGE, Use::Unused), (10_000, Use::Unused)] {
            assert_eq!(exchange.judge(100, now, AGE), expected, "{now}");
        }
        // Never used at all.
        assert_eq!(usage(0, None, None, 0).judge(100, 160, AGE), Use::Unused);
        assert_eq!(usage(0, None, None, 0).judge(100, 159, AGE), Use::Unknown);
    }

    #[test]
    fn what_was_used_before_it_was_watched_is_not_known() {
        let late = usage(1000, None, None, 0);
        assert_eq!(late.judge(100, 1059, AGE), Use::Unknown);
        assert_eq!(late.judge(100, 1060, AGE), Use::Unused);
    }

    #[test]
    fn what_was_used_since_the_last_look_is_not_known() {
        let looked = |until| Usage { until, ..usage(0, Some(101), Some(102), 1) };
        assert_eq!(looked(102 + AGE - 1).judge(100, 10_000, AGE), Use::Used);
        assert_eq!(looked(102 + AGE).judge(100, 10_000, AGE), Use::Unused);
        // It was looked at before it was old, and nothing had been sent.
        let early = Usage { until: 105, ..usage(0, None, None, 0) };
        assert_eq!(early.judge(100, 10_000, AGE), Use::Unknown);
    }

    #[test]
    fn a_pause_is_measured_by_the_usual_ones() {
        // Twenty sends over 2000: a gap of 100.
        let regular = usage(0, Some(2100), Some(2100), 10);
        assert_eq!(regular.judge(100, 2100 + 799, AGE), Use::Used);
        assert_eq!(regular.judge(100, 2100 + 800, AGE), Use::Unused);
    }

    #[test]
    fn a_request_under_way_is_no_sign_of_a_leak() {
        let asked = usage(0, Some(110), None, 1);
        assert_eq!(asked.judge(100, 10_000, AGE), Use::Unknown);
        assert!(asked.awaits_answer());
        // The answer is there, and nobody reads it.
        let mut unread = usage(0, Some(110), Some(105), 1);
        unread.client.unread = Some(1);
        assert_eq!(unread.judge(100, 10_000, AGE), Use::Unused);
    }
}
