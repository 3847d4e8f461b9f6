//! The answer for many hosts in each of the forms of a report.

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};
use maud::html;
use serde::Serialize as _;
use sockleak_core::{
    choice::Choice as _,
    text::escape::{HarmlessJson, cell, markdown, markdown_code, terminal},
};

use super::{FleetFinding, HostList, Merged, text};
use crate::{html, section::Format, tables, text::Layout};

/// Findings of a page or of Markdown.
const ROWS: usize = 200;
/// Findings that Markdown tells in sentences.
const TOLD: usize = 20;

/// Writes it. `layout` is that of text and Markdown, and says whether everything is listed.
///
/// # Errors
/// If it cannot be written.
pub fn write(merged: &Merged, format: Format, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => out.write_all(text::render(merged, layout).as_bytes()),
        Format::Json => {
            merged.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, HarmlessJson))?;
            out.write_all(b"\n")
        }
        Format::Csv => csv(merged, out),
        Format::Markdown => out.write_all(markdown_document(merged, layout).as_bytes()),
        Format::Html => out.write_all(page(merged, layout).as_bytes()),
    }
}

fn markdown_document(merged: &Merged, layout: Layout) -> String {
    let mut blocks = vec!["# sockleak: all hosts".to_owned(), markdown(&text::headline(merged))];
    blocks.extend(text::all_is_well(merged));
    let shown = &merged.findings[..merged.findings.len().min(layout.most(ROWS))];
    if !shown.is_empty() {
        blocks.push(text::table(merged, shown).markdown());
    }
    blocks.extend(text::more(merged.findings.len() - shown.len(), "finding"));
    let amiss = merged.findings.iter().filter(|it| !tables::is_calm(it.verdict));
    for finding in amiss.take(layout.most(TOLD)) {
        let said = text::statement(finding, layout, markdown_code);
        let (verdict, rest) = said.split_once(':').unwrap_or((&said, ""));
        let details = text::details(finding, layout, markdown_code);
        let details = details.iter().map(|it| format!("\n  - {it}")).collect::<String>();
        blocks.push(format!("- **{verdict}**:{rest}{details}"));
    }
    blocks.extend(text::missing(merged, layout, markdown_code).into_iter().map(|it| format!("- {it}")));
    blocks.extend(text::remarks(merged));
    blocks.iter().map(|block| block.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn page(merged: &Merged, layout: Layout) -> String {
    let shown = &merged.findings[..merged.findings.len().min(layout.most(ROWS))];
    let quote = |name: &str| terminal(name).into_owned();
    let amiss = merged.findings.iter().filter(|it| !tables::is_calm(it.verdict)).take(shown.len());
    let title = "sockleak report: all hosts";
    html::page(
        title,
        &html! {
            h1 { (title) }
            p { (html::parts::Text(&text::headline(merged))) }
            @if let Some(sentence) = text::all_is_well(merged) { p { (sentence) } }
            @if !shown.is_empty() { (text::table(merged, shown).html("Findings")) }
            @if let Some(sentence) = text::more(merged.findings.len() - shown.len(), "finding") {
                p class="remark" { (sentence) }
            }
            @for finding in amiss {
                p { (html::parts::Text(&text::statement(finding, layout, quote))) }
                @for sentence in text::details(finding, layout, quote) {
                    p class="remark" { (html::parts::Text(&sentence)) }
                }
            }
            @for sentence in text::missing(merged, layout, quote) {
                p class="doubt" { (html::parts::Text(&sentence)) }
            }
            @for sentence in text::remarks(merged) { p class="remark" { (sentence) } }
        },
    )
}

const HEADINGS: [&str; 18] = [
    "verdict",
    "path",
    "by",
    "program",
    "hosts",
    "of_hosts",
    "count",
    "opened",
    "closed",
    "oldest_ns",
    "growth_per_hour",
    "first_full_host",
    "first_full_seconds",
    "uncertain_hosts",
    "earlier_hosts",
    "builds",
    "missing_ns",
    "named_hosts",
];

/// The findings, and then the programs that could not be judged.
fn csv(merged: &Merged, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(out);
    writer.write_record(HEADINGS)?;
    for finding in merged.findings.iter().chain(&merged.undecided) {
        writer.write_record(row(merged, finding))?;
    }
    writer.flush()
}

fn row(merged: &Merged, it: &FleetFinding) -> [String; HEADINGS.len()] {
    let safe = |text: &str| cell(text).into_owned();
    let known = |number: Option<u64>| number.map(|it| it.to_string()).unwrap_or_default();
    let first = it.first_full.as_ref();
    [
        it.verdict.name().to_owned(),
        safe(&it.path),
        merged.by.name().to_owned(),
        safe(&it.program),
        it.hosts.count.to_string(),
        it.of_hosts.to_string(),
        it.count.to_string(),
        it.opened.to_string(),
        it.closed.to_string(),
        known(it.oldest_ns),
        it.growth_per_hour.map(|it| it.to_string()).unwrap_or_default(),
        first.map(|it| safe(&it.host)).unwrap_or_default(),
        known(first.map(|it| it.seconds)),
        it.uncertain_hosts.to_string(),
        it.earlier_hosts.to_string(),
        safe(&it.builds.iter().map(|build| build.build_id.as_str()).collect::<Vec<_>>().join(" ")),
        known(it.missing_ns),
        safe(&hosts(&it.hosts)),
    ]
}

fn hosts(hosts: &HostList) -> String {
    hosts.named.iter().map(|host| host.host.as_str()).collect::<Vec<_>>().join(" ")
}
