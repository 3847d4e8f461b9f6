//! The end of a capture: its report, on standard output and in the file that `--report` names.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use sockleak_core::assess::{Coverage, Report};
use sockleak_recording::output_path::{self, Place};
use sockleak_report::{
    document::{self, CsvTable, Format, Section},
    json,
    pictures::pictures,
    text::{self, Layout},
};

use super::{
    super::{
        destination::is_same,
        output::{style, terminal_width},
        report::{fail_on, view},
    },
    Run, recording,
};
use crate::{
    cli::{self, Capture, View},
    console::say,
    failure::Failure,
    tracer,
};

/// What stands for the recording in a report without one.
const NOT_RECORDED: &str = "not recorded";

/// The file of `--report`. It is opened at the start: whoever waits for hours learns at once if it cannot be written, and
/// privileges are dropped before the end.
#[derive(Debug)]
pub(super) struct ReportFile {
    file: File,
    path: PathBuf,
    format: Format,
    /// It was opened by whoever started the capture, who may have written to it before.
    is_given: bool,
}

impl ReportFile {
    /// Opens the file, if one is asked for, and leaves what is in it.
    ///
    /// # Errors
    /// If it cannot be written to, or is the recording.
    pub(super) fn open(arguments: &Capture) -> Result<Option<Self>, Failure> {
        let Some(cli::ReportFile { path, format }) = &arguments.report else { return Ok(None) };
        let open = || -> io::Result<(File, bool)> {
            match output_path::resolve(path)? {
                Place::Descriptor(descriptor) => Ok((output_path::duplicate(descriptor)?.into(), true)),
                Place::Name(target) => {
                    output_path::refuse_database(&target)?;
                    // Only its owner may read it: command lines are in it.
                    Ok((output_path::open(&target, Some(0o600))?, false))
                }
            }
        };
        if arguments.output.as_deref().is_some_and(|recording| is_same(path, recording)) {
            let path = path.display();
            return Err(Failure::Usage(format!("{path} is the recording; name another file for the report")));
        }
        let (file, is_given) = open().map_err(|cause| Failure::OutputFile { path: path.clone(), cause })?;
        Ok(Some(Self { file, path: path.clone(), format: *format, is_given }))
    }

    fn write(self, section: Section<'_>, shown: &View) -> Result<(), Failure> {
        let Self { file, path, format, is_given } = self;
        let written = || -> io::Result<()> {
            // A device or a pipe has no length.
            if !is_given && file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            let mut out = BufWriter::new(&file);
            let layout = Layout { width: text::WIDTH, is_whole: shown.all, style: style(shown.color, true) };
            document::write(&[section], format, CsvTable::default(), layout, &mut out)?;
            out.flush()
        };
        written().map_err(|cause| Failure::OutputFile { path, cause })
    }

    fn wants_pictures(&self) -> bool {
        self.format == Format::Html
    }
}

impl Run<'_> {
    /// Ends the recording and writes the report.
    pub(super) fn conclude(&mut self, frame: Coverage) -> Result<(), Failure> {
        let recorded = recording::end(&mut self.tracer.audience, &frame);
        let now = frame.now;
        let session = &self.tracer.session;
        for limit in &self.arguments.limits {
            if !session.sockets().iter().any(|socket| limit.means(&socket.path)) {
                say(format_args!("--limit {} means no socket that was traced", limit.text()));
            }
        }
        let report =
            view(Report::new(session, frame), &self.arguments.view, &self.arguments.findings.wanted());
        let recording = self.arguments.output.as_deref().map(Path::display);
        let wants_pictures = self.report_file.as_ref().is_some_and(ReportFile::wants_pictures);
        let section = Section {
            host: tracer::host_name(),
            file: recording.map_or_else(|| NOT_RECORDED.to_owned(), |path| path.to_string()),
            report,
            clock: self.clock.clone(),
            pictures: if wants_pictures { pictures(session, now) } else { Vec::new() },
        };
        let out = &mut self.tracer.audience.out;
        if self.arguments.json {
            json::report(&section.report, &self.clock, None, &mut out.sink()).map_err(Failure::Output)?;
        } else {
            if !self.arguments.quiet {
                out.buffer.push(b'\n');
            }
            let width = terminal_width().unwrap_or(text::WIDTH);
            let layout = Layout {
                width,
                is_whole: self.arguments.view.all,
                style: style(self.arguments.view.color, false),
            };
            out.buffer.extend_from_slice(text::render(&section, layout).as_bytes());
        }
        out.flush()?;
        let failed = fail_on(&section.report, &self.arguments.fail_on);
        // Neither file takes the other with it.
        let written =
            self.report_file.take().map_or(Ok(()), |file| file.write(section, &self.arguments.view));
        recorded.and(written).and(failed)
    }
}
