//! Licences of libraries, compared with those that may be used.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use cargo_metadata::{Metadata, Package};
use spdx::{Expression, LicenseReq, ParseMode};

use super::{linked, reached, shipped};
use crate::rules::{LICENCES, LICENCES_OF_TOOLS};

/// Checks every library: those that are linked by a shorter list.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let graph = linked(metadata);
    let linked: BTreeSet<_> =
        shipped(metadata).iter().flat_map(|package| reached(&graph, &package.id)).collect();
    let wrong: Vec<_> = metadata
        .packages
        .iter()
        .filter_map(|package| {
            let more = if linked.contains(&package.id) { &[] } else { LICENCES_OF_TOOLS };
            let fault = fault(package.license.as_deref(), &[LICENCES, more].concat())?;
            Some(format!("{}: {fault}", describe(package)))
        })
        .collect();
    if !wrong.is_empty() {
        bail!("{} (the table LICENCES is in xtask/lint/src/rules.rs)", wrong.join("; "));
    }
    Ok(())
}

fn describe(package: &Package) -> String {
    format!("{} {}", package.name, package.version)
}

/// Why a library may not be used, if so.
fn fault(licence: Option<&str>, allowed: &[&str]) -> Option<String> {
    let Some(licence) = licence else { return Some("names no licence".to_owned()) };
    // Older packages write MIT/Apache-2.0.
    let expression = match Expression::parse_mode(licence, ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => return Some(format!("its licence {licence:?} cannot be read: {}", error.reason)),
    };
    let is_allowed = |required: &LicenseReq| allowed.contains(&required.to_string().as_str());
    (!expression.evaluate(is_allowed)).then(|| format!("its licence is {licence}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_cargo_deny_is_the_same() {
        let text = include_str!("../../../../deny.toml");
        let list =
            text.split_once("allow = [").and_then(|(_, rest)| rest.split_once(']')).expect("it is there").0;
        let listed: Vec<_> =
            list.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
        assert_eq!(listed, [LICENCES, LICENCES_OF_TOOLS].concat());
    }

    #[test]
    fn one_of_the_choices_must_be_allowed() {
        for (licence, is_allowed) in [
            (Some("MIT"), true),
            (Some("MIT/Apache-2.0"), true),
            (Some("GPL-3.0-only OR MIT"), true),
            (Some("(MIT OR Apache-2.0) AND GPL-3.0-only"), false),
            (Some("Apache-2.0 WITH LLVM-exception"), false),
            (Some("no such licence"), false),
            (None, false),
        ] {
            assert_eq!(fault(licence, &["MIT"]).is_none(), is_allowed, "{licence:?}");
        }
    }
}
