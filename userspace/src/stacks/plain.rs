//! Stacks without what is in files: where instructions are, as far as frame pointers lead.

use std::sync::Arc;

use sockleak_core::event::{Frame, RawStack};

use super::{DEEPEST, maps};

/// Modules and offsets, the innermost first, with the reason why there are no names; None if the process is gone.
pub(super) fn frames(raw: &RawStack, why: &Arc<str>) -> Option<Arc<[Frame]>> {
    let mappings = maps::read(raw.process.pid)?;
    let place = |address: u64| {
        let mapping = mappings.iter().find(|mapping| mapping.range.contains(&address));
        let unnamed = Some(Arc::clone(why));
        match mapping {
            Some(mapping) => Frame {
                module: Some(mapping.path.trim_end_matches(" (deleted)").into()),
                offset: Some((address - mapping.range.start).saturating_add(mapping.offset)),
                unnamed,
                ..Frame::default()
            },
            None => Frame { offset: Some(address), unnamed, ..Frame::default() },
        }
    };
    let is_code = |address: u64| mappings.iter().any(|mapping| mapping.range.contains(&address));
    Some(addresses(raw, is_code).into_iter().map(place).collect())
}

/// Where it stands, and where each function that keeps a frame pointer returns to.
fn addresses(raw: &RawStack, is_code: impl Fn(u64) -> bool) -> Vec<u64> {
    let mut found = vec![raw.ip];
    // A function that calls no other, as the C library's connect, has no frame of its own.
    if is_code(raw.link) {
        found.push(raw.link.saturating_sub(1));
    }
    let mut frame = raw.bp;
    while found.len() < DEEPEST {
        let next = raw.word(frame);
        let back = frame.checked_add(8).and_then(|at| raw.word(at));
        let (Some(next), Some(back)) = (next, back) else { break };
        if !is_code(back) {
            break;
        }
        // The call is before where it returns to.
        found.push(back.saturating_sub(1));
        // Callers are further up.
        if next <= frame {
            break;
        }
        frame = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use sockleak_core::event::ProcessId;

    use super::*;

    #[test]
    fn frame_pointers_lead_to_callers_and_never_in_a_circle() {
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let raw = |bp, bytes: &[u64]| RawStack {
            connection: 1,
            process: ProcessId { pid: 1, start: 0, exec_id: 0 },
            tid: 1,
            ip: 0x500,
            sp: 0x1000,
            bp,
            link: 0,
            base: 0x1000,
            script: Box::new([]),
            bytes: words(bytes),
        };
        let code = |address| (0x400..0x600).contains(&address);
        let told = |bp, bytes: &[u64]| addresses(&raw(bp, bytes), code);
        assert_eq!(told(0x1000, &[0x1010, 0x410, 0, 0x420]), [0x500, 0x40f, 0x41f]);
        assert_eq!(told(0x1000, &[0x1000, 0x410]), [0x500, 0x40f]);
        assert_eq!(told(0x1000, &[0x1010, 0x999]), [0x500]);
        assert_eq!(told(u64::MAX, &[]), [0x500]);
    }
}
