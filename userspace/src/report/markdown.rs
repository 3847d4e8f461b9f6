//! The report as Markdown, to be pasted into a ticket.

use super::{
    Report,
    document::Section,
    escape::{markdown, markdown_code},
    findings::FindingReport,
    tables, text,
    words::{all_is_well, headline, more, remarks, statement, younger},
};
use crate::verdict::Verdict;

/// Renders a document.
pub(super) fn render(sections: &[Section]) -> String {
    let mut blocks = Vec::new();
    if sections.len() > 1 {
        blocks.push("# sockleak: summary".to_owned());
        blocks.push(text::summary(sections).markdown());
    }
    for section in sections {
        let Section { host, file, report, .. } = section;
        blocks.push(format!("# {}: {}", markdown_code(host), markdown_code(file)));
        self::report(report, &mut blocks);
    }
    blocks.iter().map(|block| block.trim_end()).collect::<Vec<_>>().join("\n\n") + "\n"
}

fn report(report: &Report, blocks: &mut Vec<String>) {
    blocks.push(format!("{}.", headline(report, markdown_code)));
    blocks.extend(all_is_well(report));
    if report.programs.is_empty() {
        blocks.push(format!("No {} connected, or tried to.", report.by.noun()));
    }
    for path in by_severity(report) {
        blocks.push(format!("## {}", markdown_code(path)));
        let findings = report.findings.iter().filter(|it| it.path == path);
        let told = findings.filter(|it| it.verdict != Verdict::Healthy);
        blocks.extend(told.map(|it| finding(it, report.leak_age_ns)));
        let figures = tables::programs(report, path);
        if !figures.rows.is_empty() {
            blocks.push(figures.markdown());
        }
        let (open, hidden) = tables::open(report.open.iter().filter(|it| it.path == path));
        if !open.rows.is_empty() {
            blocks.push("### Not closed".to_owned());
            blocks.push(open.markdown());
        }
        blocks.extend(more(hidden));
    }
    blocks.extend(younger(report));
    blocks.extend(remarks(report).iter().map(|sentence| markdown(sentence)));
}

/// The sockets with findings, the most severe first, and then the others.
pub(super) fn by_severity(report: &Report) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    let told = report.findings.iter().filter(|it| it.verdict != Verdict::Healthy);
    for path in told.map(|it| it.path.as_str()).chain(tables::paths(report)) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

fn finding(finding: &FindingReport, leak_age: u64) -> String {
    let verdict = finding.verdict.name().to_uppercase();
    let mut lines = vec![format!("- **{verdict}**: {}", statement(finding, leak_age, markdown_code))];
    lines.extend(finding.uncertain.iter().map(|doubt| format!("  - Uncertain: {}.", markdown(doubt))));
    lines.push(format!("  - {}", markdown(&finding.advice)));
    lines.join("\n")
}
