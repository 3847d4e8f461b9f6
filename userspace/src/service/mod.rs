//! The long-running service: the same stages as a capture, and what is made of them for months.

pub mod alerts;
pub mod archive;
mod collector;
pub mod config;
pub mod health;
pub mod link;
pub mod metrics;
pub mod minutes;
pub mod model;
pub mod otlp;
mod post;
pub mod run;
pub mod snapshot;
pub mod store;
pub mod web;

pub use post::CertificateError;
