//! Markdown as a man page shows it: as much of it as the documentation uses.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use markdown::{
    ParseOptions,
    mdast::{Node, Table},
};

/// Appends a text. Tables become lists of what is in their first column.
///
/// # Errors
/// What the text has that cannot be shown.
pub(crate) fn render(text: &str, page: &mut Roff) -> anyhow::Result<()> {
    let tree = markdown::to_mdast(text, &ParseOptions::gfm());
    blocks(&tree.map_err(|message| anyhow::anyhow!("it is no Markdown: {message}"))?, page)
}

/// Everything that is in a block.
fn blocks(parent: &Node, page: &mut Roff) -> anyhow::Result<()> {
    parent.children().into_iter().flatten().try_for_each(|node| block(node, page))
}

fn block(node: &Node, page: &mut Roff) -> anyhow::Result<()> {
    match node {
        Node::Paragraph(_) => paragraph(page, "PP", &[], line(node)?),
        Node::Heading(_) => paragraph(page, "SS", &[], line(node)?),
        Node::List(_) => blocks(node, page)?,
        Node::ListItem(item) => match item.children.as_slice() {
            [text @ Node::Paragraph(_)] => paragraph(page, "IP", &["\\(bu", "2"], line(text)?),
            _ => anyhow::bail!("an item of a list is more than a paragraph"),
        },
        Node::Blockquote(_) => {
            page.control("RS", ["4"]);
            blocks(node, page)?;
            page.control("RE", []);
        }
        Node::Code(code) => {
            page.control("PP", []).control("RS", ["4"]).control("nf", []);
            for line in code.value.lines() {
                page.text([roman(line)]);
            }
            page.control("fi", []).control("RE", []);
        }
        Node::Table(table) => rows(table, page)?,
        other => anyhow::bail!("this cannot be shown in a man page: {other:?}"),
    }
    Ok(())
}

fn paragraph(page: &mut Roff, name: &str, arguments: &[&str], text: Vec<Inline>) {
    page.control(name, arguments.iter().copied());
    page.text(text);
}

/// Rows of `key | default | meaning`, or without the second.
fn rows(table: &Table, page: &mut Roff) -> anyhow::Result<()> {
    let cells = |row: &Node| row.children().into_iter().flatten().map(line).collect::<Result<Vec<_>, _>>();
    let (header, rows) = table.children.split_first().ok_or_else(|| anyhow::anyhow!("a table is empty"))?;
    let header: Vec<_> =
        cells(header)?.into_iter().map(|cell| cell.into_iter().map(text_of).collect()).collect();
    for row in rows {
        let (tag, meaning) = match (cells(row)?.as_mut_slice(), header.as_slice()) {
            ([tag, meaning], _) => (std::mem::take(tag), std::mem::take(meaning)),
            ([tag, value, meaning], [_, name, _]) => {
                let (mut tag, meaning) = (std::mem::take(tag), std::mem::take(meaning));
                tag.extend(in_brackets(name, std::mem::take(value)));
                (tag, meaning)
            }
            (cells, _) => anyhow::bail!("a table has {} columns", cells.len()),
        };
        paragraph(page, "TP", &[], tag);
        page.text(meaning);
    }
    Ok(())
}

/// ` (default: 5)`, and ` (required)`, which is no value.
fn in_brackets(name: &String, value: Vec<Inline>) -> impl Iterator<Item = Inline> {
    let is_required = matches!(value.as_slice(), [Inline::Roman(text)] if text == "required");
    let before = if is_required { " (".to_owned() } else { format!(" ({name}: ") };
    [roman(before)].into_iter().chain(value).chain([roman(")")])
}

/// The text of a block that has nothing but text in it.
fn line(parent: &Node) -> anyhow::Result<Vec<Inline>> {
    let mut text = Vec::new();
    for node in parent.children().into_iter().flatten() {
        match node {
            // The source's lines are not the page's.
            Node::Text(plain) => text.push(roman(plain.value.replace('\n', " "))),
            Node::InlineCode(code) => text.push(bold(&code.value)),
            Node::Break(_) => text.push(roman(" ")),
            Node::Strong(_) => text.extend(line(node)?.into_iter().map(|part| bold(text_of(part)))),
            Node::Emphasis(_) => text.extend(line(node)?.into_iter().map(|part| italic(text_of(part)))),
            // On paper nobody follows it.
            Node::Link(_) => text.extend(line(node)?),
            other => anyhow::bail!("this cannot be shown in a line of a man page: {other:?}"),
        }
    }
    Ok(text)
}

fn text_of(inline: Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text,
        Inline::LineBreak => " ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        let mut page = Roff::new();
        render(text, &mut page).expect("it can be shown");
        page.to_roff()
    }

    #[test]
    fn texts_keep_their_words() {
        let page = rendered(
            "One `key` and [a link](x.md),\nover **two** lines.\n\n> said\n\n- `a`: first\n- second\n",
        );
        let expected = ".PP\nOne \\fBkey\\fR and a link, over \\fBtwo\\fR lines.\n.RS 4\n.PP\nsaid\n.RE\n\
                        .IP \\(bu 2\n\\fBa\\fR: first\n.IP \\(bu 2\nsecond\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn rows_become_paragraphs_with_a_tag() {
        let page =
            rendered("| key | default | meaning |\n| --- | --- | --- |\n| `a` | `\"1s\"` | how long |\n");
        assert_eq!(page, ".TP\n\\fBa\\fR (default: \\fB\"1s\"\\fR)\nhow long\n");
        let page = rendered("| key | default | meaning |\n| --- | --- | --- |\n| `a` | required | which |\n");
        assert_eq!(page, ".TP\n\\fBa\\fR (required)\nwhich\n");
        let page = rendered("| key | meaning |\n| --- | --- |\n| `kind` | which |\n");
        assert_eq!(page, ".TP\n\\fBkind\\fR\nwhich\n");
    }

    #[test]
    fn code_stays_as_it_is() {
        let page = rendered("```json\n{\"a\": 1}\n.b\n```\n");
        assert_eq!(page, ".PP\n.RS 4\n.nf\n{\"a\": 1}\n\\&.b\n.fi\n.RE\n");
    }

    #[test]
    fn nothing_is_left_out_in_silence() {
        for text in
            ["![picture](x.png)\n", "---\n", "| a | b | c | d |\n| - | - | - | - |\n| 1 | 2 | 3 | 4 |\n"]
        {
            assert!(render(text, &mut Roff::new()).is_err(), "{text}");
        }
    }
}
