//! The parameters that choose what a report tells of; each may be repeated.

use std::{borrow::Cow, convert::Infallible, fmt};

use sockleak_core::{
    assess::Wanted,
    attribution::filter::{Filter, Glob},
    verdict::Verdict,
};

use super::{Parameters, Refusal, bad};

impl Parameters<'_> {
    /// What a report tells of.
    pub(super) fn wanted(&self) -> Result<Wanted, Refusal> {
        let glob = |text: &str| Glob::parse(text);
        let pid = |text: &str| text.parse().map_err(|_| "write the number of a process");
        let verdict = |text: &str| text.parse::<Verdict>();
        let processes = Filter {
            pids: self.list("pid", pid)?,
            programs: self.list("program", glob)?,
            users: self.list("user", |text| Ok::<_, Infallible>(text.to_owned()))?,
            units: self.list("unit", glob)?,
            containers: self.list("container", glob)?,
            pods: self.list("pod", glob)?,
        };
        Ok(Wanted { verdicts: self.list("verdict", verdict)?, processes })
    }

    /// Each value of a parameter that may be repeated.
    fn list<T, E: fmt::Display>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, Refusal> {
        let values = self.0.get(name).into_iter().flatten();
        let read = |value: &Cow<'_, str>| {
            read(value).map_err(|remedy| bad(&format!("{name}={value} cannot be used; {remedy}")))
        };
        values.map(read).collect()
    }
}
