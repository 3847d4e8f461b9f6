//! What a record of sockleak means: from bytes to verdicts, in one pass and without I/O.
//!
//! Data flows one way: [`decode`] → [`session`] ([`attribution`] and [`lifecycle`]) → [`verdict`] → [`assess`]. A live capture, a
//! service and the replay of a recording feed the same [`session::Session`]; a [`assess::Report`] is drawn from it. Nothing here
//! opens a file, reads a clock, or prints. What only the live system knows is handed in as data.
//!
//! ```
//! use std::sync::Arc;
//!
//! use sockleak_core::{
//!     assess::{Coverage, Report},
//!     attribution::{files::Unseen, selection::Selection, targets::Target},
//!     event::{Actor, Comm, Event, Listener, ProcessId, Queue, Record, What},
//!     session::{Notice, Session, Settings},
//!     verdict::Verdict,
//! };
//!
//! const SECOND: u64 = 1_000_000_000;
//!
//! // Follow sockets of one name, in any directory.
//! let selection = Selection::new(vec![Target::parse("app.sock", "/".as_ref())?], &Unseen::default());
//! let mut session = Session::new(selection, Settings { leak_age: 60 * SECOND, ..Settings::default() });
//!
//! // A listener, and a client that opens a connection every ten seconds and closes none.
//! session.feed(Record::Listener(Arc::new(Listener { id: 1, path: b"/run/app.sock".to_vec(), ..Listener::default() })));
//! let actor = |pid, comm: &[u8; 6]| {
//!     let mut name = [0; 16];
//!     name[..6].copy_from_slice(comm);
//!     Actor { id: ProcessId { pid, start: 1, exec_id: 1 }, tid: pid, uid: None, gid: None, comm: Comm(name) }
//! };
//! for connection in 1..=60 {
//!     let at = connection * 10 * SECOND;
//!     let what = What::Connect {
//!         connection,
//!         listener: 1,
//!         client_inode: 100 + connection,
//!         queue: Queue { length: 0, max: 128 },
//!         client_untracked: false,
//!         server_untracked: false,
//!     };
//!     session.feed(Record::Event(Event { at, actor: actor(7, b"client"), what }));
//!     let what = What::Accept { connection, listener: 1, server_inode: 200 + connection };
//!     let effect = session.feed(Record::Event(Event { at: at + 1, actor: actor(8, b"server"), what }));
//!     // What there is to say of a record is in the answer, and which connection it closed.
//!     assert!(matches!(effect.notice, Some(Notice::Seen(seen)) if seen.open == connection) && effect.closed.is_none());
//! }
//!
//! let report = Report::new(&session, Coverage { now: 600 * SECOND, ..Coverage::default() });
//! let leak = &report.findings[0];
//! assert_eq!((leak.verdict, leak.opened, leak.closed), (Verdict::ClientLeak, 60, 0));
//! # Ok::<(), sockleak_core::attribution::targets::TargetError>(())
//! ```

pub mod assess;
pub mod attribution;
pub mod choice;
pub mod decode;
pub mod event;
pub mod lifecycle;
pub mod recent;
pub mod session;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;
pub mod verdict;
