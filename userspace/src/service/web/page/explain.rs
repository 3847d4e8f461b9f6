//! What a verdict means: the section of docs/verdicts.md, as `sockleak explain` prints it.

use maud::{Markup, html};
use sockleak_core::verdict::Verdict;
use sockleak_report::{
    explain::{Block, Explanation, explain},
    html::{findings::severity, parts::Text},
};

use super::layout::{self, Frame};

/// The address of a verdict's page.
pub(super) fn explain_address(verdict: Verdict) -> String {
    format!("/explain/{verdict}")
}

/// The page.
pub(super) fn page(verdict: Verdict, frame: &Frame<'_>) -> Markup {
    let Explanation { meaning, body, terms } = explain(verdict);
    let (class, sign) = severity(verdict);
    let main = html! {
        nav class="crumbs" aria-label="Where you are" { a href="/" { "Sockets" } " › " span { "verdict" } }
        h1 { span class={ "verdict " (class) } { (sign) " " (verdict) } ": " (Text(&meaning)) }
        div class="explained" { (blocks(&body)) }
        @if !terms.is_empty() {
            section aria-labelledby="terms" {
                h2 id="terms" { "Terms" }
                div class="explained" { (blocks(&terms)) }
            }
        }
        section aria-labelledby="others" {
            h2 id="others" { "All verdicts" }
            nav class="ranges" aria-labelledby="others" {
                @for other in Verdict::ALL {
                    a href=(explain_address(other)) aria-current=[(other == verdict).then_some("page")] { (other) }
                }
            }
        }
    };
    layout::document(&format!("{verdict} · sockleak"), frame, &main)
}

/// Items that follow each other are one list.
fn blocks(blocks: &[Block]) -> Markup {
    let is_item = |block: &Block| matches!(block, Block::Item(_));
    html! {
        @for group in blocks.chunk_by(|one, next| is_item(one) && is_item(next)) {
            @if is_item(&group[0]) {
                ul { @for block in group { (self::block(block)) } }
            } @else {
                @for block in group { (self::block(block)) }
            }
        }
    }
}

fn block(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Gap => {}
            Block::Item(words) => { li { (Text(words)) } }
            Block::Quoted(words) => { blockquote { (Text(words)) } }
            Block::Paragraph(words) => { p { (Text(words)) } }
        }
    }
}
