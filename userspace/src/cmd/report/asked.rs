//! The report of a service, which that draws up.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use sockleak_core::{text::escape, time::nanoseconds};
use sockleak_report::document::Format;

use super::{fail_on_any, layout, put};
use crate::{
    cli,
    client::{Server, Service},
    failure::Failure,
    service::link::{Answer, question::ReportFilter},
};

/// So long is waited: a service that follows many connections has much to write.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for it, and writes it as it comes.
pub(super) fn run(server: &Server, format: Format, arguments: &cli::Report) -> Result<(), Failure> {
    let filter = ReportFilter {
        format,
        table: arguments.table.unwrap_or_default(),
        width: u16::try_from(layout(arguments).width).unwrap_or(u16::MAX),
        all: arguments.view.all,
        older_than_ns: arguments.view.older_than.map_or(0, nanoseconds),
        with_argv: true,
        wanted: arguments.findings.wanted(),
    };
    let Answer { body, verdicts, .. } = ask(server, arguments, filter)?;
    // Whoever answers there need not be a service: the port is anybody's while none runs.
    let document = escape::document(&body, format == Format::Json);
    put(arguments, &[], |out| out.write_all(document.as_bytes()))?;
    if arguments.fail_on.is_empty() {
        return Ok(());
    }
    // It may be another version.
    let verdicts =
        verdicts.context("the service does not tell its verdicts; --fail-on needs one of this version")?;
    let told = verdicts.split(", ").filter_map(|name| name.parse().ok());
    fail_on_any(told, &arguments.fail_on)
}

fn ask(server: &Server, arguments: &cli::Report, filter: ReportFilter) -> Result<Answer, Failure> {
    let service = Service::new(server.clone(), arguments.token_file.clone());
    let service = service.map_err(|error| Failure::Usage(error.to_string()))?;
    let runtime = crate::runtime::start();
    let runtime = runtime.context("the runtime cannot be started")?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, service.report(filter)).await });
    let answer = answer.map_err(|_| anyhow!("{server} does not answer within {} s", PATIENCE.as_secs()))?;
    Ok(answer.map_err(anyhow::Error::new)?)
}
