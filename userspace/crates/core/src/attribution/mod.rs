//! Who and what: the programs behind process ids, and the listeners that the user asked for.

pub mod by;
pub mod container;
pub mod engines;
pub mod files;
pub mod filter;
pub mod limits;
mod names;
mod pattern;
pub mod processes;
pub mod script;
pub mod selection;
pub mod stacks;
pub mod targets;
pub mod who;
