//! The report as Markdown, to be pasted into a ticket.

use sockleak_core::{
    assess::{Report, findings::FindingReport},
    text::escape::{markdown, markdown_code},
    verdict::Verdict,
};

use super::{
    containers,
    section::Section,
    stacks, tables,
    text::{self, Layout},
    words::{all_is_well, filtered, headline, missing, more, origin, remarks, statement, younger},
};

/// Connections that are listed for a socket, and sockets that are told of.
const OPEN: usize = 10;
const SOCKETS: usize = 10;

/// Renders a document.
pub(super) fn render(sections: &[Section], layout: Layout) -> String {
    let mut blocks = Vec::new();
    if sections.len() > 1 {
        blocks.push("# sockleak: summary".to_owned());
        blocks.push(text::summary(sections).markdown());
    }
    for section in sections {
        let Section { host, file, .. } = section;
        blocks.push(format!("# {}: {}", markdown_code(host), markdown_code(file)));
        report(section, layout, &mut blocks);
    }
    blocks.iter().map(|block| block.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn report(section: &Section<'_>, layout: Layout, blocks: &mut Vec<String>) {
    let report = &section.report;
    blocks.push(format!("{}.", origin(section, markdown_code)));
    blocks.push(format!("{}.", headline(report, markdown_code)));
    blocks.extend(filtered(report).map(|sentence| markdown(&sentence)));
    blocks.extend(all_is_well(report));
    if report.programs.is_empty() && report.filtered.is_none() {
        blocks.push(format!("No {} connected, or tried to.", report.by.noun()));
    }
    let figures = tables::figures(report);
    let findings = tables::by_path(&report.findings, |it| &it.path);
    let paths = tables::by_severity(report);
    let shown = paths.len().min(layout.most(SOCKETS));
    for &path in &paths[..shown] {
        blocks.push(format!("## {}", markdown_code(path)));
        let findings = findings.get(path).into_iter().flatten();
        let told = findings.filter(|it| it.verdict != Verdict::Healthy);
        blocks.extend(told.map(|it| finding(report, it, layout)));
        let figures = tables::programs(report, figures.get(path).map_or(&[], Vec::as_slice), None, false);
        if !figures.rows.is_empty() {
            blocks.push(figures.markdown());
        }
        let (open, hidden) = tables::open_on(report, path, layout.most(OPEN));
        if !open.rows.is_empty() {
            blocks.push("### Not closed".to_owned());
            blocks.push(open.markdown());
        }
        blocks.extend(more(hidden, "connection"));
    }
    blocks.extend(more(paths.len() - shown, "socket"));
    blocks.extend(younger(report));
    blocks.extend(remarks(report).into_iter().chain(missing(report)).map(|sentence| markdown(&sentence)));
}

fn finding(report: &Report, finding: &FindingReport, layout: Layout) -> String {
    let verdict = finding.verdict.name().to_uppercase();
    let statement = statement(finding, report.leak_age_ns, markdown_code);
    let mut lines = vec![format!("- **{verdict}**: {statement}")];
    lines.extend(containers::sentence(finding, markdown_code).map(|sentence| format!("  - {sentence}")));
    lines.extend(finding.uncertain.iter().map(|doubt| format!("  - Uncertain: {}.", markdown(doubt))));
    let (places, rest) = stacks::places(&report.stacks, finding, layout.depth());
    for (place, functions) in places {
        lines.push(format!("  - {}\n", markdown(&place)));
        // Each line is a function and begins with blanks: none can end the block.
        lines.push("    ```text".to_owned());
        lines.extend(functions.lines().map(|function| format!("    {function}")));
        lines.push("    ```".to_owned());
    }
    lines.extend(rest.map(|sentence| format!("  - {sentence}")));
    lines.push(format!("  - {}", markdown(&finding.advice)));
    lines.join("\n")
}
