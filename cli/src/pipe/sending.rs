//! Sends an input through a link: the loop of `send` and `replay`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tcpshm_driver::mio::{Token, Waker};
use tcpshm_driver::{EventLoop, Link, Received, SessionId};
use tcpshm_support::stop::Stop;

use super::app::{EndApp, Taker};
use super::format::{Format, sum};
use super::input::Input;
use super::inputs;
use super::journal::{Entry, Identity, Journal};
use super::laying::{Laid, Sent, lay_out};
use super::{End, EndOptions};
use crate::arguments::STOPPED;
use crate::failure::Failure;
use crate::output::Output;
use crate::turning::turn;
use crate::units::counted;

/// The input has something.
const INPUT: Token = Token(2);
/// Bytes of frames that are committed in one batch: one write of the journal for all of them.
const BATCH: u64 = 32 * 1024;
/// How often to look whether everything was consumed, when only that is waited for.
const LOOK: Duration = Duration::from_millis(5);

/// What to send.
pub(crate) struct Task {
    pub(crate) end: EndOptions,
    pub(crate) subcommand: &'static str,
    /// Standard input if there are none.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) format: Format,
    /// Messages to send at most.
    pub(crate) count: Option<u64>,
    /// Say at the end that it was the end.
    pub(crate) says_end: bool,
    /// Consume and forget what the other side sends.
    pub(crate) drops_answers: bool,
    /// Forget where an interrupted input was.
    pub(crate) restart: bool,
    pub(crate) json: bool,
}

/// What comes while something else is sent.
struct Answers {
    dropped: bool,
}

impl Taker for Answers {
    fn take(&mut self, _: &Link<'_>, _: &Received<'_>) -> bool {
        self.dropped
    }
}

/// Sends all of it, and waits until it was consumed.
pub(crate) fn run(task: &Task) -> Result<ExitCode, Failure> {
    let name = task.end.name_or(task.subcommand);
    match (task.end.connect, task.end.listen) {
        (Some(address), _) => Sending::run(task, &format!("c~{name}"), task.end.client(name, address)?),
        (None, Some(address)) => Sending::run(task, &format!("s~{name}"), task.end.server(name, address)?),
        (None, None) => Err(Failure::Usage("one of --connect and --listen is needed")),
    }
}

struct Sending<'t, D> {
    task: &'t Task,
    events: EventLoop<D>,
    app: EndApp<Answers>,
    waker: Arc<Waker>,
    journal: Journal,
    /// What is sent is in files: where it stood can be found again. Of a pipe nobody can tell.
    lasts: bool,
    /// The input, as it is known in the journal.
    files: String,
    inputs: Vec<Identity>,
    /// Once the link is known.
    input: Option<Input>,
    session: Option<SessionId>,
    /// Bytes of input that are committed, and messages.
    bytes: u64,
    messages: u64,
    /// The check sum of those bytes.
    sum: u32,
    /// Everything is committed.
    committed: bool,
    /// Bytes of the largest message, as far as is known.
    largest: usize,
    /// How many messages the input says it has, as far as it was read.
    promised: Option<u64>,
}

impl<'t, D: End> Sending<'t, D> {
    fn run(task: &'t Task, owner: &str, driver: D) -> Result<ExitCode, Failure> {
        let listens_at = driver.listens_at();
        let events = EventLoop::new(driver, Instant::now).map_err(Failure::call("epoll"))?;
        let events = events.with_idle(task.end.idle.strategy());
        let waker = Waker::new(events.registry(), INPUT).map_err(Failure::call("epoll"))?;
        let stop = Stop::register(events.registry(), false).map_err(Failure::call("signals"))?;
        let answers = Answers { dropped: task.drops_answers };
        let inputs = inputs::identities(&task.files)?;
        let lasts = inputs.as_ref().is_some_and(|inputs| !inputs.is_empty());
        if lasts && task.count.is_none() {
            task.format.check(&task.files)?;
        }
        let inputs = inputs.unwrap_or_default();
        let mut sending = Self {
            task,
            events,
            app: EndApp::new(answers, task.end.peer.clone()),
            waker: Arc::new(waker),
            journal: Journal::new(&task.end.dir, &format!("{owner}.send")),
            lasts,
            files: inputs::names(&task.files),
            inputs,
            input: None,
            session: None,
            bytes: 0,
            messages: 0,
            sum: 0,
            committed: false,
            largest: tcpshm_driver::Geometry::default().largest() as usize,
            promised: None,
        };
        if let Some(address) = listens_at {
            sending.app.screen.line(format_args!("listening on {address}"));
        }
        let done = sending.go(&stop);
        let Self { events, app, .. } = &mut sending;
        events.shut_down(app);
        done
    }

    fn go(&mut self, stop: &Stop) -> Result<ExitCode, Failure> {
        loop {
            let wait = self.step()?;
            turn(&mut self.events, &mut self.app, self.task.end.idle, Some(wait))
                .map_err(Failure::call("sending"))?;
            if stop.asked(self.events.foreign()).is_some() {
                return self.stopped();
            }
            if let (Some(session), Some(_)) = (self.session, &self.app.reset) {
                return Err(Failure::BeganAnew { session, bytes: self.bytes });
            }
            if self.committed && self.is_delivered() {
                break;
            }
            let (messages, connected) = (self.messages, self.app.connected);
            self.app.screen.progress(Instant::now(), || {
                let state = if connected { "" } else { " (not connected)" };
                format!("{} committed{state}", counted(messages, "message"))
            });
        }
        if self.lasts {
            self.journal.remove().map_err(Failure::path(self.journal.path().to_owned()))?;
        }
        self.app.screen.clear();
        if self.task.json {
            let mut output = Output::new();
            output.json(&json!({"messages": self.messages, "bytes": self.bytes, "delivered": true}))?;
            output.flush()?;
        }
        match self.promised.filter(|_| !self.lasts && self.task.count.is_none()) {
            Some(promised) if promised != self.messages => {
                Err(Failure::Incomplete { promised, messages: self.messages })
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    /// Commits what there is and fits. Returns how long there is nothing more to do.
    fn step(&mut self) -> Result<Duration, Failure> {
        let idle = Duration::from_millis(100);
        if self.input.is_none() {
            if self.app.logins > 0 {
                self.begin()?;
                return Ok(Duration::ZERO);
            }
            return Ok(idle);
        }
        while self.app.roomy && !self.committed {
            if !self.commit_some()? {
                break;
            }
        }
        Ok(if self.committed { LOOK } else { idle })
    }

    /// The link is known: finds out where an interrupted input was.
    fn begin(&mut self) -> Result<(), Failure> {
        let now = self.events.now();
        let Some(link) = self.events.driver().end_link(now, self.app.peer.as_ref()) else { return Ok(()) };
        let (session, position) = (link.session(), link.committed().position().get());
        drop(link);
        self.app.reset = None;
        let read = self.journal.read().map_err(Failure::path(self.journal.path().to_owned()))?;
        if self.task.restart && read.is_some() {
            self.journal.remove().map_err(Failure::path(self.journal.path().to_owned()))?;
        } else if let Some(entry) = read {
            self.go_on(entry, session, position)?;
        }
        self.session = Some(session);
        self.input = Some(Input::start(self.task.files.clone(), self.bytes, Arc::clone(&self.waker)));
        Ok(())
    }

    /// Where a run was interrupted, which had written `entry`.
    fn go_on(&mut self, entry: Entry, session: SessionId, position: u64) -> Result<(), Failure> {
        let (files, bytes) = (entry.file.clone(), entry.before);
        if entry.file != self.files {
            return Err(Failure::OtherInput { files, bytes });
        }
        if !entry.is_of(session) {
            return Err(Failure::BeganAnew { session, bytes });
        }
        // The batch is there as a whole or not at all.
        let taken = position == entry.reach;
        if !taken && position != entry.position {
            return Err(Failure::LinkMoved { files, bytes });
        }
        self.bytes = if taken { entry.after } else { entry.before };
        self.messages = if taken { entry.messages_after } else { entry.messages };
        self.sum = entry.sums[usize::from(taken)];
        self.committed = taken && entry.end;
        if !inputs::is_continued(&entry.inputs, &self.inputs)
            || inputs::sum(&self.task.files, self.bytes)? != self.sum
        {
            return Err(Failure::InputChanged { files, bytes });
        }
        Ok(())
    }

    /// Commits one batch. Returns whether another one may follow at once.
    fn commit_some(&mut self) -> Result<bool, Failure> {
        let now = self.events.now();
        let Some(input) = &mut self.input else { return Ok(false) };
        let Some(mut link) = self.events.driver().end_link(now, self.app.peer.as_ref()) else {
            return Ok(false);
        };
        let position = link.committed().position().get();
        let room = link.space().min(BATCH);
        let mut batch = link.batch();
        let sent = Sent { bytes: self.bytes, messages: self.messages };
        let laid = lay_out(self.task, input, &mut batch, sent, room, &mut self.largest)?;
        let Laid { took, messages, filled, promised, full, end } = laid;
        self.promised = sum(self.promised, promised);
        let after = Sent { bytes: sent.bytes + took as u64, messages: sent.messages + messages };
        let mut hasher = crc32fast::Hasher::new_with_initial(self.sum);
        hasher.update(&input.look()?.0[..took]);
        let check = hasher.finalize();
        if self.lasts && filled > 0 {
            let entry = Entry {
                session: self.session.map(|session| session.to_string()).unwrap_or_default(),
                position,
                reach: position + filled,
                before: sent.bytes,
                after: after.bytes,
                messages: sent.messages,
                messages_after: after.messages,
                sums: [self.sum, check],
                end,
                file: self.files.clone(),
                inputs: self.inputs.clone(),
            };
            self.journal.write(&entry).map_err(Failure::path(self.journal.path().to_owned()))?;
        }
        batch.commit();
        drop(link);
        input.use_up(took);
        (self.bytes, self.messages, self.sum) = (after.bytes, after.messages, check);
        self.committed = end;
        self.app.roomy &= !full;
        Ok(filled > 0)
    }

    fn is_delivered(&mut self) -> bool {
        let now = self.events.now();
        let link = self.events.driver().end_link(now, self.app.peer.as_ref());
        link.is_some_and(|link| link.undelivered().messages == 0)
    }

    fn stopped(&mut self) -> Result<ExitCode, Failure> {
        let now = self.events.now();
        let link = self.events.driver().end_link(now, self.app.peer.as_ref());
        let waiting = link.map_or(0, |link| link.undelivered().messages);
        let ends = self.committed && self.task.says_end && waiting > 0;
        let messages = counted(self.messages, "message");
        self.app.screen.line(format_args!(
            "tcpshm: stopped with {messages} of the input committed; what waits in the link: {}{}",
            counted(waiting, "message"),
            if ends { ", the last of which says that it was the end" } else { "" },
        ));
        Ok(ExitCode::from(STOPPED))
    }
}
