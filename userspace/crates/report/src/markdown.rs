//! The report as Markdown, to be pasted into a ticket.

use sockleak_core::{
    assess::{Report, findings::FindingReport},
    text::escape::{markdown, markdown_code},
    verdict::Verdict,
};

use super::{
    document::Section,
    stacks, tables, text,
    words::{all_is_well, headline, missing, more, remarks, statement, younger},
};

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
    let figures = tables::figures(report);
    let findings = tables::by_path(&report.findings, |it| &it.path);
    for path in tables::by_severity(report) {
        blocks.push(format!("## {}", markdown_code(path)));
        let findings = findings.get(path).into_iter().flatten();
        let told = findings.filter(|it| it.verdict != Verdict::Healthy);
        blocks.extend(told.map(|it| finding(report, it)));
        let figures = tables::programs(report, figures.get(path).map_or(&[], Vec::as_slice));
        if !figures.rows.is_empty() {
            blocks.push(figures.markdown());
        }
        let (open, hidden) = tables::open(report.open.on(path));
        if !open.rows.is_empty() {
            blocks.push("### Not closed".to_owned());
            blocks.push(open.markdown());
        }
        blocks.extend(more(hidden));
    }
    blocks.extend(younger(report));
    blocks.extend(remarks(report).into_iter().chain(missing(report)).map(|sentence| markdown(&sentence)));
}

fn finding(report: &Report, finding: &FindingReport) -> String {
    let verdict = finding.verdict.name().to_uppercase();
    let statement = statement(finding, report.leak_age_ns, markdown_code);
    let mut lines = vec![format!("- **{verdict}**: {statement}")];
    lines.extend(finding.uncertain.iter().map(|doubt| format!("  - Uncertain: {}.", markdown(doubt))));
    let (places, rest) = stacks::places(&report.stacks, finding);
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
