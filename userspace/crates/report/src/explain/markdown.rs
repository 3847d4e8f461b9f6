//! Markdown as plain text: as much of it as docs/verdicts.md uses.

/// A piece of a text, without markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A line of words; headings are such, too.
    Paragraph(String),
    /// An item of a list.
    Item(String),
    /// What is quoted.
    Quoted(String),
    /// Nothing: an empty line.
    Gap,
}

/// The blocks of a text.
pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    let block = |line: &str| match (line.strip_prefix("- "), line.strip_prefix("> ")) {
        _ if line.is_empty() => Block::Gap,
        (Some(item), _) => Block::Item(inline(item)),
        (None, Some(quoted)) => Block::Quoted(inline(quoted)),
        (None, None) => Block::Paragraph(inline(line.trim_start_matches('#').trim_start())),
    };
    markdown.trim().lines().map(block).collect()
}

/// Blocks in lines of a width.
pub(super) fn text(blocks: &[Block], width: usize) -> String {
    let block = |block: &Block| match block {
        Block::Gap => "\n".to_owned(),
        Block::Item(words) => wrapped(words, "- ", "  ", width),
        Block::Quoted(words) => wrapped(words, "    ", "    ", width),
        Block::Paragraph(words) => wrapped(words, "", "", width),
    };
    blocks.iter().map(block).collect()
}

/// Text in lines of a width, each of them ended.
pub(super) fn wrapped(text: &str, first: &str, further: &str, width: usize) -> String {
    let options = textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(further)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    format!("{}\n", textwrap::fill(text, options))
}

/// Without emphasis and code marks; of links, their words.
pub(super) fn inline(markdown: &str) -> String {
    let plain = markdown.replace("**", "").replace('`', "");
    let mut text = String::new();
    let mut rest = plain.as_str();
    while let Some((before, words, after)) = link(rest) {
        text.push_str(before);
        text.push_str(words);
        rest = after;
    }
    text.push_str(rest);
    // What is left of emphasis: *word*.
    let mut letters = text.chars().peekable();
    let mut plain = String::new();
    let mut is_open = false;
    while let Some(letter) = letters.next() {
        let begins = !is_open && letters.peek().is_some_and(|next| next.is_alphabetic());
        if letter == '*' && (begins || is_open) {
            is_open = !is_open;
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// The first link: what is before it, its words, and what follows.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("](")?;
    let (before, words) = before.rsplit_once('[')?;
    let (_, after) = rest.split_once(')')?;
    Some((before, words, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_words() {
        let markdown = "It **holds** *most* of `2 * 3 * 4` [slots](#slots), see [use](x.md#use).\n- one\n- two\n\n> SAID: it.";
        let text = "It holds most of 2 * 3 * 4 slots, see use.\n- one\n- two\n\n    SAID: it.\n";
        assert_eq!(self::text(&blocks(markdown), 80), text);
        assert_eq!(self::text(&blocks("- one two three"), 10), "- one two\n  three\n");
    }
}
