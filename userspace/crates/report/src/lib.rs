//! Reports of sockleak in each form: text, Markdown, CSV, JSON and a page; live lines and the list of connections; and what draws
//! their tables and pictures.
//!
//! Everything here is drawn from the plain figures of [`sockleak_core::assess`], and from a session where those are not enough.

pub mod compare;
mod containers;
mod csv;
pub mod document;
pub mod elide;
pub mod explain;
pub mod fleet;
pub mod grid;
pub mod html;
pub mod json;
pub mod list;
pub mod live;
mod markdown;
pub mod pictures;
pub mod section;
pub mod stacks;
pub mod style;
pub mod survey;
pub mod tables;
pub mod text;
pub mod usage;
pub mod words;

pub use usage::sentence as use_sentence;
pub use words::sentence;
