//! Made-up sessions for sockleak's tests, its example and its benches: no kernel and no root is needed.
//!
//! A [`Scene`](scene::Scene) is a list of records. It becomes a recording, a session, or a [`Fake`](fake::Fake) tracer that
//! answers the web process.

pub mod contained;
mod descriptors;
pub mod fake;
pub mod scene;
mod scratch;
