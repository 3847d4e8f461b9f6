//! The tracer's side of the process that reads files: starts it, asks it, and starts it again when it has gone. Nothing that it
//! does or sends can do more to the tracer than leave functions without names.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use nix::sys::socket::SockType;

use super::message::{self, Answer, Ask, Question, Told};
use crate::child::{Job, Started, Starter};

/// How it is started.
const JOB: Job = Job {
    name: "stacks",
    link: SockType::SeqPacket,
    // What aborts it says so, in words of whoever made the file.
    is_mute: true,
    is_expendable: true,
    remedy: "add one",
};

/// Starts that are made one after the other: what fails more often waits.
const STARTS: u32 = 16;
/// Time after which there is another one.
const NEXT_START: Duration = Duration::from_secs(5);
/// Time that waiting for it may take, besides a tenth of all time: tracing stands still meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waiting that is not counted: most answers take microseconds.
const QUICK: Duration = Duration::from_millis(50);

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The process ended, or made no sense, over this question.
    Died,
    /// It did not answer in time.
    Late,
    /// There is no process to ask.
    Off(String),
}

/// Something that may be done so often, and once more each time a while has passed.
#[derive(Debug)]
struct Allowance {
    left: Duration,
    most: Duration,
    /// How much of the time that passes is added.
    share: u32,
    at: Instant,
}

impl Allowance {
    fn new(most: Duration, share: u32, now: Instant) -> Self {
        Self { left: most, most, share, at: now }
    }

    fn left(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at) / self.share;
        (self.left, self.at) = (self.left.saturating_add(passed).min(self.most), now);
        self.left
    }

    fn take(&mut self, amount: Duration) {
        self.left = self.left.saturating_sub(amount);
    }
}

#[derive(Debug)]
enum Stage {
    Off,
    Starting(Receiver<io::Result<Started>>),
    /// Started; its first message has not come.
    Silent(OwnedFd),
    Running(OwnedFd),
}

/// The process.
#[derive(Debug)]
pub(super) struct Process {
    starter: Starter,
    room: u64,
    stage: Stage,
    starts: Allowance,
    patience: Allowance,
    /// Why the last one could not be started.
    failed: Option<String>,
}

impl Process {
    /// Gets ready to start it: `program` is sockleak itself. To be called while the privileges to change the user are there.
    pub(super) fn new(program: PathBuf, room: u64) -> io::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            starter: Starter::new(program, JOB)?,
            room,
            stage: Stage::Off,
            starts: Allowance::new(NEXT_START * STARTS, 1, now),
            patience: Allowance::new(PATIENCE, 10, now),
            failed: None,
        })
    }

    /// Asks, and waits for the answer. Whoever gets an error has to take it that the process is another afterwards.
    pub(super) fn ask(
        &mut self,
        ask: Ask,
        descriptor: Option<&impl AsFd>,
        deadline: Instant,
    ) -> Result<(Told, bool), Trouble> {
        let begun = Instant::now();
        if self.patience.left(begun).is_zero() {
            return Err(Trouble::Off("reading programs has taken too long of late".to_owned()));
        }
        let answered = self.exchange(ask, descriptor, deadline);
        let waited = begun.elapsed();
        if waited > QUICK {
            self.patience.take(waited);
        }
        if matches!(answered, Err(Trouble::Died | Trouble::Late)) {
            self.end();
        }
        answered
    }

    /// Ends it: the next question is another process's.
    pub(super) fn end(&mut self) {
        if !matches!(self.stage, Stage::Off) {
            self.starter.end();
            self.stage = Stage::Off;
        }
    }

    fn exchange(
        &mut self,
        ask: Ask,
        descriptor: Option<&impl AsFd>,
        deadline: Instant,
    ) -> Result<(Told, bool), Trouble> {
        self.run(deadline)?;
        let Stage::Running(link) = &self.stage else { return Err(Trouble::Died) };
        message::send(link, &Question { ask: Some(ask) }, descriptor).map_err(|_| Trouble::Died)?;
        receive(link, deadline)
    }

    /// Brings it to run.
    fn run(&mut self, deadline: Instant) -> Result<(), Trouble> {
        loop {
            match &self.stage {
                Stage::Running(_) => return Ok(()),
                Stage::Off => self.begin()?,
                Stage::Starting(started) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    self.stage = match started.recv_timeout(left) {
                        Ok(Ok(started)) => Stage::Silent(started.link),
                        Ok(Err(error)) => {
                            return Err(self.fail(format!("the process cannot be started: {error}")));
                        }
                        Err(RecvTimeoutError::Timeout) => return Err(off("the process is being started")),
                        Err(RecvTimeoutError::Disconnected) => {
                            return Err(self.fail("its starter ended".to_owned()));
                        }
                    };
                }
                Stage::Silent(link) => match receive(link, deadline) {
                    Ok((Told::Ready(_), _)) => {
                        let Stage::Silent(link) = std::mem::replace(&mut self.stage, Stage::Off) else {
                            continue;
                        };
                        (self.stage, self.failed) = (Stage::Running(link), None);
                    }
                    _ => return Err(self.fail("the process does not come up".to_owned())),
                },
            }
        }
    }

    fn begin(&mut self) -> Result<(), Trouble> {
        if self.starts.left(Instant::now()) < NEXT_START {
            let why =
                self.failed.as_deref().unwrap_or("the process that reads programs ended too often of late");
            return Err(off(why));
        }
        self.starts.take(NEXT_START);
        let (reply, started) = mpsc::channel();
        let begun = self.starter.start(vec![format!("--room={}", self.room)], Vec::new(), move |it| {
            // Nobody may wait for it any more.
            let _ = reply.send(it);
        });
        match begun {
            Ok(()) => {
                self.stage = Stage::Starting(started);
                Ok(())
            }
            Err(error) => Err(self.fail(error.to_string())),
        }
    }

    fn fail(&mut self, why: String) -> Trouble {
        self.end();
        self.failed = Some(why.clone());
        Trouble::Off(why)
    }
}

fn off(why: &str) -> Trouble {
    Trouble::Off(why.to_owned())
}

/// The answer, and whether the process has taken much memory.
fn receive(link: &OwnedFd, deadline: Instant) -> Result<(Told, bool), Trouble> {
    match message::receive::<Answer>(link, Some(deadline)) {
        Ok(Some((Answer { told: Some(told), is_heavy }, _))) => Ok((told, is_heavy)),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(Trouble::Late),
        Ok(_) | Err(_) => Err(Trouble::Died),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, send, socketpair};
    use prost::Message as _;
    use std::os::fd::AsRawFd as _;

    use super::*;
    use crate::stacks::message::{Names, Number};

    /// A process that runs, and its end of the link.
    fn running() -> (Process, OwnedFd) {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                .expect("there are sockets");
        let mut process = Process::new("/nonexistent".into(), 1 << 20).expect("a thread can be started");
        process.stage = Stage::Running(ours);
        (process, theirs)
    }

    fn ask(process: &mut Process, patience: Duration) -> Result<(Told, bool), Trouble> {
        process.ask(Ask::File(Number { number: 1 }), None::<&OwnedFd>, Instant::now() + patience)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_is_taken_and_anything_else_ends_it() {
        let names = Told::Names(Names::default());
        let good = Answer { told: Some(names.clone()), is_heavy: true }.encode_to_vec();
        let wordless = Answer { told: None, is_heavy: true }.encode_to_vec();
        for (bytes, expected) in [
            (&good[..], Ok((names, true))),
            (&good[..1], Err(Trouble::Died)),
            (&[0xff; 64], Err(Trouble::Died)),
            (&wordless, Err(Trouble::Died)),
            (&vec![0; 160 << 10], Err(Trouble::Died)),
        ] {
            let (mut process, theirs) = running();
            send(theirs.as_raw_fd(), bytes, MsgFlags::empty()).expect("it can be sent");
            let is_good = expected.is_ok();
            assert_eq!(ask(&mut process, LONG), expected);
            assert_eq!(matches!(process.stage, Stage::Running(_)), is_good);
        }
    }

    #[test]
    fn one_that_has_gone_is_not_waited_for() {
        let (mut process, theirs) = running();
        drop(theirs);
        assert_eq!(ask(&mut process, LONG), Err(Trouble::Died));
    }

    #[test]
    fn a_slow_one_is_waited_for_to_its_time_and_no_longer_once_patience_ends() {
        let (mut process, _theirs) = running();
        assert_eq!(ask(&mut process, QUICK * 2), Err(Trouble::Late));
        process.patience.take(PATIENCE);
        process.patience.at = Instant::now() + LONG;
        assert!(matches!(ask(&mut process, LONG), Err(Trouble::Off(why)) if why.contains("too long")));
    }

    #[test]
    fn one_that_cannot_be_started_is_told_with_the_reason_and_not_tried_for_ever() {
        let mut process = Process::new("/nonexistent".into(), 1 << 20).expect("a thread can be started");
        process.starts.at = Instant::now() + LONG;
        for _ in 0..STARTS + 3 {
            let told = ask(&mut process, LONG);
            assert!(matches!(&told, Err(Trouble::Off(why)) if why.contains("cannot be started")), "{told:?}");
        }
        assert!(process.starts.left < NEXT_START);
    }

    #[test]
    fn an_allowance_comes_back_with_time() {
        let now = Instant::now();
        let mut allowance = Allowance::new(LONG, 10, now);
        allowance.take(LONG * 2);
        assert_eq!(allowance.left(now), Duration::ZERO);
        assert_eq!(allowance.left(now + LONG), LONG / 10);
        assert_eq!(allowance.left(now + LONG * 100), LONG);
    }
}
