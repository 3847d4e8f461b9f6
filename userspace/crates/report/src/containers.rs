//! The containers of a finding, in words.

use sockleak_core::{
    assess::findings::FindingReport,
    text::count::{agreeing, counted},
};

use crate::words::Quote;

/// Containers that a sentence names.
const NAMED: usize = 3;

/// In which containers the finding's program has its connections open; None if in none.
pub(crate) fn sentence(finding: &FindingReport, quote: Quote) -> Option<String> {
    let containers = &finding.containers;
    if let [one] = &containers[..] {
        return Some(format!("In {}.", quote(&one.container.described())));
    }
    let named = containers
        .iter()
        .take(NAMED)
        .map(|it| format!("{} ({})", quote(&it.container.described()), counted(it.count, "connection")));
    let mut named: Vec<String> = named.collect();
    let more = containers.len().saturating_sub(NAMED) as u64;
    if more > 0 {
        named.push(format!("{more} other {}", agreeing(more, "container", "containers")));
    }
    (!named.is_empty()).then(|| format!("In {}.", named.join("; ")))
}
