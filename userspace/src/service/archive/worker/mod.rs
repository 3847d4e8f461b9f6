//! The process that archives: it reads one segment from a descriptor, and puts it into the archive. It has no privileges, and may open
//! no file of the store.

mod http;
mod target;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader},
    os::unix::net::UnixStream,
};

use memmap2::{MmapMut, MmapOptions};
use serde_json::json;
use sockleak_core::choice::Choice as _;
use sockleak_recording::{
    Trace, TraceError,
    export::{
        ExportError,
        archive::{Kind, Options, Part, SCHEMA, archive},
    },
};

use super::{
    message::{self, Job, Said},
    name::{SegmentName, sha256},
};
use crate::service::config::Place;
use http::Connector;
use target::{Refusal, Target};

/// Does what the service asks for, once, and says what became of it.
///
/// # Errors
/// If the service has gone.
pub fn serve(link: &UnixStream, segment: &File) -> io::Result<()> {
    let Some(job) = message::read::<Job>(&mut BufReader::new(link))? else { return Ok(()) };
    let said = match work(&job, segment, link) {
        Ok(()) => Said::Done,
        Err(said) => said,
    };
    message::write(&mut &*link, &said)
}

fn work(job: &Job, segment: &File, mut link: &UnixStream) -> Result<(), Said> {
    let trace = read(job, segment).map_err(|error| match error {
        ReadError::Damaged(error) => Said::Unreadable(error.to_string()),
        ReadError::Other(error) => Said::Failed(error),
    })?;
    let failed = |error: io::Error| Said::Failed(error.to_string());
    let runtime = crate::runtime::start().map_err(failed)?;
    let place = Place::parse(&job.url).map_err(|error| Said::Failed(error.to_string()))?;
    let target = {
        let _runtime = runtime.enter();
        Target::new(&place, &job.variables, Connector::new(&job.certificates, job.bandwidth))
    };
    let target = target.map_err(Said::Failed)?;
    let name = SegmentName::new(&job.host, job.segment, &trace);
    if runtime.block_on(target.size(&name.list())).map_err(Said::Failed)?.is_some() {
        return Ok(());
    }
    let mut list = List::default();
    let options = Options { command_lines: job.command_lines, rows: 0 };
    let mut take = |part: Part| {
        let said = runtime.block_on(list.put(&target, &name, part)).map_err(io::Error::other)?;
        message::write(&mut link, &said)
    };
    archive(&trace, options, &mut take).map_err(|error| match error {
        ExportError::Recording(error) => Said::Unreadable(error.to_string()),
        ExportError::Output(error) => Said::Failed(error.to_string()),
    })?;
    runtime.block_on(list.finish(&target, &name, &trace, job.segment)).map_err(Said::Failed)
}

enum ReadError {
    Damaged(TraceError),
    Other(String),
}

/// Maps the file: what is not looked at now takes no memory.
fn read(job: &Job, segment: &File) -> Result<Trace, ReadError> {
    // SAFETY: nobody changes a closed segment, and a private mapping changes nothing of it. If it were cut short meanwhile, this process
    // would end, and the service would start another.
    let map = unsafe { MmapOptions::new().map_copy(segment) };
    let map =
        map.map_err(|error| ReadError::Other(format!("{} cannot be read ({error})", job.name.display())))?;
    // It is read until this process ends.
    let map: &'static mut MmapMut = Box::leak(Box::new(map));
    Trace::of_bytes(&job.name, map).map_err(|error| {
        if error.is_of_the_file() { ReadError::Damaged(error) } else { ReadError::Other(error.to_string()) }
    })
}

/// The files of a segment.
#[derive(Default)]
struct List {
    files: BTreeMap<Kind, Vec<(String, serde_json::Value)>>,
}

impl List {
    /// Puts a file into the archive, unless it is there.
    async fn put(&mut self, target: &Target, name: &SegmentName, part: Part) -> Result<Said, Refusal> {
        let Part { kind, number, rows, bytes } = part;
        let file = name.file(number, &bytes);
        let path = format!("{}/{file}", name.folder(kind));
        let (size, digest) = (bytes.len() as u64, sha256(&bytes));
        // Its name has a digest of it.
        let is_new = target.size(&path).await? != Some(size);
        if is_new {
            target.put(&path, bytes).await?;
        }
        let facts = json!({"path": path, "rows": rows, "bytes": size, "sha256": digest});
        self.files.entry(kind).or_default().push((file, facts));
        Ok(Said::file(kind, rows, size, is_new))
    }

    /// Writes the list when everything else is there: whoever finds it need not look further. Before that, it removes what an attempt
    /// by another version of sockleak left, whose files may be cut in another way.
    async fn finish(
        self,
        target: &Target,
        name: &SegmentName,
        trace: &Trace,
        segment: u64,
    ) -> Result<(), Refusal> {
        for &kind in Kind::ALL {
            let folder = name.folder(kind);
            let ours = self.files.get(&kind);
            let is_ours = |file: &str| ours.is_some_and(|ours| ours.iter().any(|(name, _)| name == file));
            for file in target.names(&folder).await? {
                if name.is_of(&file) && !is_ours(&file) {
                    target.delete(&format!("{folder}/{file}")).await?;
                }
            }
        }
        let header = trace.header();
        let files: Vec<_> = self.files.into_values().flatten().map(|(_, facts)| facts).collect();
        let list = json!({
            "schema": SCHEMA,
            "host": header.host,
            "boot_id": header.boot_id,
            "segment": segment,
            "sockleak": env!("CARGO_PKG_VERSION"),
            "files": files,
        });
        let text = serde_json::to_vec(&list).map_err(|error| error.to_string())?;
        target.put(&name.list(), text).await
    }
}
