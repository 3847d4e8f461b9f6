//! The page: what a browser shows of the API's answers.
//!
//! It is rendered here, in the process without privileges, from the same answers that the API gives. Each figure says which field
//! of which answer it is, in attributes: tests compare all of them.

mod assets;
mod cells;
mod connection;
mod connections;
mod explain;
mod history;
mod layout;
mod links;
mod listing;
mod overview;
mod range;
mod socket;
mod tables;
mod view;

use maud::{Markup, html};

pub use assets::assets;
pub(super) use assets::{asset, is_asset};
pub(super) use layout::{Argv, Frame};
use view::ViewError;
pub(super) use view::{Listing, SocketView, Sources, View};

use crate::service::link::question::SeriesRange;

/// The pages, as [`super::ROUTES`] writes paths.
pub const PAGES: [&str; 4] = ["/", "/socket", "/connection/{id}", "/explain/{verdict}"];

/// Draws a view of what was answered.
///
/// # Errors
/// If an answer cannot be read, or has not what is looked for.
pub(super) fn render(view: &View, sources: &Sources, frame: &Frame<'_>) -> Result<String, ViewError> {
    let page = match view {
        View::Overview { offset } => overview::page(&sources.snapshot()?, *offset, frame),
        View::Socket(view) => socket::page(view, sources, frame)?,
        View::Lanes(view) => socket::lanes(view, sources, frame)?,
        View::Explain { verdict } => explain::page(*verdict, frame),
        View::Connection { id } => connection::page(*id, &sources.story()?, frame),
    };
    Ok(page.into_string())
}

/// That there is nothing to show, and why.
pub(super) fn refusal(sentence: &str, frame: &Frame<'_>) -> String {
    let main = html! {
        h1 { "This cannot be shown" }
        p class="banner" { (sockleak_report::html::parts::Text(sentence)) "." }
        p { a href="/" { "All sockets" } }
    };
    layout::document("sockleak", frame, &main).into_string()
}

/// A row of links to pages of a list: before, where one is, after. `link` leads to the page that begins after so many.
fn pages(total: usize, offset: usize, size: usize, what: &str, link: &dyn Fn(usize) -> String) -> Markup {
    let last = (offset + size).min(total);
    html! {
        @if total > size {
            nav class="pages" aria-label=(format!("Pages of {what}")) {
                @if offset > 0 { a href=(link(offset.saturating_sub(size))) rel="prev" { "← before" } }
                span { (offset + 1) " to " (last) " of " (total) }
                @if last < total { a href=(link(last)) rel="next" { "after →" } }
            }
        }
    }
}

/// The address of the API's series of a range.
fn series_address(range: &SeriesRange) -> String {
    let SeriesRange { socket, from_ms, to_ms, points } = range;
    let socket = cells::encoded(socket);
    format!("/api/v1/series?socket={socket}&from={from_ms}&to={to_ms}&points={points}")
}
