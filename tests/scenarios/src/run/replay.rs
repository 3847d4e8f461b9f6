//! The recording of a scenario leads to the report of its capture, byte for byte.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::child::Child;
use super::{REPLAYED, REPLAYED_ERRORS, REPORT, Setup, TRACE};

/// So much is shown before and after the first byte that differs.
const AROUND: usize = 60;

/// Replays the recording in `dir`, and compares with what the capture printed, and with the text that it wrote.
pub(super) fn check(
    setup: &Setup,
    dir: &Path,
    captured: &[u8],
    differences: &mut Vec<String>,
) -> anyhow::Result<()> {
    let (live, replayed) = (fs::read(dir.join(REPORT))?, report(setup, dir, &[])?);
    differences.extend(difference(&live, &replayed).map(|it| format!("the replayed text differs: {it}")));
    if live.is_empty() {
        differences.push("the report in text is empty".to_owned());
    }
    let live = captured.split_inclusive(|&byte| byte == b'\n').next_back().unwrap_or_default();
    let replayed = report(setup, dir, &["--json"])?;
    differences.extend(difference(live, &replayed).map(|it| format!("the replayed report differs: {it}")));
    let complaints = fs::read(dir.join(REPLAYED_ERRORS))?;
    if !complaints.is_empty() {
        differences.push(format!("the replay complains: {}", String::from_utf8_lossy(&complaints)));
    }
    Ok(())
}

fn report(setup: &Setup, dir: &Path, format: &[&str]) -> anyhow::Result<Vec<u8>> {
    let (out, errors) = (dir.join(REPLAYED), dir.join(REPLAYED_ERRORS));
    let mut command = Command::new(&setup.sockleak);
    command.arg("report").arg(dir.join(TRACE)).args(format);
    Child::start("report", &mut command, &out, &errors)?.wait_for_success()?;
    Ok(fs::read(&out)?)
}

/// Where two outputs part.
fn difference(first: &[u8], second: &[u8]) -> Option<String> {
    let equal = first.iter().zip(second).take_while(|(one, other)| one == other).count();
    if equal == first.len() && equal == second.len() {
        return None;
    }
    let part = |bytes: &[u8]| {
        let around = equal.saturating_sub(AROUND)..(equal + AROUND).min(bytes.len());
        String::from_utf8_lossy(&bytes[around]).into_owned()
    };
    let (first, second) = (part(first), part(second));
    Some(format!("first difference at byte {equal}: '{first}', then '{second}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(difference(b"same", b"same"), None);
        for (second, place) in [(&b"sane"[..], 2), (b"sam", 3), (b"same.", 4), (b"", 0)] {
            let told = difference(b"same", second).unwrap_or_default();
            assert!(told.contains(&format!("at byte {place}: 'same', then ")), "{told}");
        }
    }
}
