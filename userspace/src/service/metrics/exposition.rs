//! The forms in which metrics are exposed as text, and which of them a client accepts.

use mediatype::{MediaType, MediaTypeList, Name, ReadParams as _, names};
use serde::{Deserialize, Serialize};

/// A text format for metrics. The series and their values are the same in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exposition {
    /// Prometheus's own text format 0.0.4, which every reader of metrics knows.
    #[default]
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The draft of OpenMetrics that Prometheus asked for before 1.0. The text is that of 1.0.
    OpenMetricsDraft,
}

const OPENMETRICS: Name<'_> = Name::new_unchecked("openmetrics-text");
const VERSION: Name<'_> = Name::new_unchecked("version");
const QUALITY: Name<'_> = Name::new_unchecked("q");

impl Exposition {
    /// The best comes last.
    const ALL: [Self; 3] = [Self::Prometheus, Self::OpenMetricsDraft, Self::OpenMetrics];

    /// The content type, with the version.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::OpenMetricsDraft => "application/openmetrics-text; version=0.0.1; charset=utf-8",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Prometheus => "0.0.4",
            Self::OpenMetrics => "1.0.0",
            Self::OpenMetricsDraft => "0.0.1",
        }
    }

    const fn essence(self) -> (Name<'static>, Name<'static>) {
        match self {
            Self::Prometheus => (names::TEXT, names::PLAIN),
            Self::OpenMetrics | Self::OpenMetricsDraft => (names::APPLICATION, OPENMETRICS),
        }
    }

    /// The form that an `Accept` header asks for, by the rules of RFC 9110: the most specific range decides how much a form is
    /// wanted, and the form that is wanted most is sent. OpenMetrics is only sent to a client that names it, or that wants it
    /// more than text. Without a header, and to a client that accepts none of them, it is Prometheus's own.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        let ranges: Vec<_> = MediaTypeList::new(accept.unwrap_or_default()).filter_map(Result::ok).collect();
        let wanted = Self::ALL.into_iter().filter_map(|form| {
            let (quality, is_named) = form.preference(&ranges);
            // Of forms that are wanted equally, OpenMetrics if they are named, and text if they are not.
            let is_ours = (form == Self::Prometheus) != is_named;
            (quality > 0).then_some(((quality, is_named, is_ours), form))
        });
        wanted.max_by_key(|(preference, _)| *preference).map_or(Self::Prometheus, |(_, form)| form)
    }

    /// How much it is wanted, in thousandths, and whether it is named.
    fn preference(self, ranges: &[MediaType<'_>]) -> (u16, bool) {
        let fitting = ranges.iter().filter_map(|range| Some((self.specificity(range)?, quality(range))));
        let best = fitting.max().unwrap_or_default();
        (best.1, best.0 >= NAMED)
    }

    /// How closely a range describes this form; None if it does not.
    fn specificity(self, range: &MediaType<'_>) -> Option<u8> {
        let (ty, subty) = self.essence();
        if range.suffix.is_some() {
            return None;
        }
        let any = Name::new_unchecked("*");
        let level = match (range.ty == ty, range.subty == subty) {
            (true, true) => NAMED,
            (true, false) if range.subty == any => 1,
            (false, false) if range.ty == any && range.subty == any => 0,
            _ => return None,
        };
        match range.get_param(VERSION) {
            // Other parameters say how names and values are written, which is the same in all forms of ours.
            Some(version) if version.unquoted_str() == self.version() => Some(level + 1),
            Some(_) => None,
            None => Some(level),
        }
    }
}

/// A range that is as specific names what it means.
const NAMED: u8 = 2;

/// How much a range is wanted, in thousandths. One that cannot be read is not wanted.
fn quality(range: &MediaType<'_>) -> u16 {
    let Some(quality) = range.get_param(QUALITY) else { return 1000 };
    let value = quality.as_str().parse::<f32>().ok().filter(|value| (0.0..=1.0).contains(value));
    value.map_or(0, |value| (value * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Prometheus sends: 3.5, 2.53 and 2.5.
    const PROMETHEUS: [&str; 3] = [
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;\
         q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
         text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    ];

    #[test]
    fn a_client_gets_what_it_accepts() {
        use Exposition::{OpenMetrics, OpenMetricsDraft, Prometheus};
        let [newest, new, old] = PROMETHEUS;
        for (accept, expected) in [
            (newest, OpenMetrics),
            (new, OpenMetrics),
            (old, OpenMetricsDraft),
            ("application/openmetrics-text; version=1.0.0", OpenMetrics),
            ("application/openmetrics-text; version=0.0.1", OpenMetricsDraft),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=1", OpenMetrics),
            ("application/openmetrics-text, text/plain", OpenMetrics),
            ("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0", OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text;q=0.1",
                OpenMetricsDraft,
            ),
            ("application/openmetrics-text;q=0.2, text/plain;version=0.0.4;q=0.3", Prometheus),
            ("application/openmetrics-text;q=0.2, text/*;q=0.3", Prometheus),
            ("application/openmetrics-text;q=0.2, */*;q=0.1", OpenMetrics),
            ("application/openmetrics-text;q=0", Prometheus),
            ("application/openmetrics-text;q=0, */*", Prometheus),
            // A version that is not written here.
            ("application/openmetrics-text; version=2.0.0", Prometheus),
            ("application/openmetrics-text; version=2.0.0, */*;q=0.1", Prometheus),
            ("text/plain;version=0.0.4", Prometheus),
            ("text/plain", Prometheus),
            ("*/*", Prometheus),
            ("text/plain, */*", Prometheus),
            // A browser.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Prometheus),
            // It wants no text.
            ("application/*", OpenMetrics),
            ("*/*, text/plain;q=0.1", OpenMetrics),
            // None of them: any answer is better than none.
            ("application/json", Prometheus),
            ("application/openmetrics-text+json", Prometheus),
            // What cannot be read.
            ("", Prometheus),
            (",, ;;/, application/openmetrics-text", OpenMetrics),
            ("application/openmetrics-text;q=2, text/plain;q=0.1", Prometheus),
            ("application/openmetrics-text;q=many", Prometheus),
            ("openmetrics", Prometheus),
        ] {
            assert_eq!(Exposition::accepted(Some(accept)), expected, "{accept}");
        }
        assert_eq!(Exposition::accepted(None), Prometheus);
    }
}
