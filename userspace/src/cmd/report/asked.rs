//! The report of a service, which that draws up.

use std::{io::Write, time::Duration};

use anyhow::{Context as _, anyhow};

use super::{Output, fail, terminal_width};
use crate::{
    cli,
    clock::nanoseconds,
    cmd::destination::Destination,
    failure::Failure,
    report::{document::Format, text},
    service::link::{Answer, question::ReportFilter},
    top::source::{Server, Service},
    verdict::Verdict,
};

/// So long is waited: a service that follows many connections has much to write.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for it, and writes it as it comes.
pub(super) fn run(server: &Server, format: Format, arguments: &cli::Report) -> Result<(), Failure> {
    let width = terminal_width().filter(|_| arguments.output.is_none()).unwrap_or(text::WIDTH);
    let filter = ReportFilter {
        format,
        table: arguments.table.unwrap_or_default(),
        width: u16::try_from(width).unwrap_or(u16::MAX),
        older_than_ns: arguments.view.older_than.map_or(0, nanoseconds),
        with_argv: true,
    };
    let Answer { body, verdicts, .. } = ask(server, arguments, filter)?;
    // It may be another version: what it does not tell was not found by it.
    let verdicts =
        verdicts.context("the service does not tell its verdicts; --fail-on needs one of this version");
    match &arguments.output {
        Some(path) => Destination::open(Some(path), &[])?.put(|out| out.write_all(&body))?,
        None => {
            let mut out = Output::default();
            out.sink().write_all(&body).map_err(Failure::Output)?;
            out.flush()?;
        }
    }
    if arguments.fail_on.is_empty() {
        return Ok(());
    }
    let verdicts = verdicts?;
    let is_told = |verdict: &Verdict| verdicts.split(", ").any(|name| name == verdict.name());
    let found: std::collections::BTreeSet<_> = arguments.fail_on.iter().copied().filter(is_told).collect();
    if found.is_empty() { Ok(()) } else { Err(fail(found)) }
}

fn ask(server: &Server, arguments: &cli::Report, filter: ReportFilter) -> Result<Answer, Failure> {
    let service = Service::new(server.clone(), arguments.token_file.clone()).map_err(Failure::Usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started")?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, service.report(filter)).await });
    let answer = answer.map_err(|_| anyhow!("{server} does not answer within {} s", PATIENCE.as_secs()))?;
    Ok(answer.map_err(|sentence| anyhow!(named(&server.to_string(), sentence)))?)
}

/// Who said it, unless that is said already.
fn named(server: &str, sentence: String) -> String {
    if sentence.starts_with(server) { sentence } else { format!("{server}: {sentence}") }
}
