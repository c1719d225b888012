//! `tcpshm recv`: messages of a link, as lines.

mod block;
mod writer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tcpshm_driver::mio::{Token, Waker};
use tcpshm_driver::{EventLoop, Name};
use tcpshm_support::stop::Stop;

use crate::arguments::STOPPED;
use crate::failure::Failure;
use crate::pipe::app::EndApp;
use crate::pipe::{End, EndOptions};
use crate::turning::turn;
use crate::units::counted;
use block::Taking;
use writer::{Target, Writer};

/// Receive messages of a link as lines
///
/// Each message is written with a newline behind it, and consumed only after the write succeeded: what was not written
/// stays in the link. It ends when the other side says that its input ended, after --count messages, or when
/// whoever reads has had enough.
///
/// Standard output may get again, after a kill, what was written and not consumed. With --output nothing comes twice: it is
/// written down where the file stood, and what a kill left behind that is cut off. One process at a time appends to a file.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tcpshm recv --listen 127.0.0.1:4001                    what `tcpshm send --connect 127.0.0.1:4001` sends
  tcpshm recv --connect 127.0.0.1:4000 --count 3         three messages of `tcpshm serve --mode source`
  tcpshm recv --listen 127.0.0.1:4001 --output copy      exact, however often it is killed
  tcpshm recv --listen 127.0.0.1:4001 --json | jq .kind  any message, with its kind

Messages of kind 65534 get no newline, and an empty one of kind 65535 is the end: so `tcpshm send` sends any bytes.

JSON: one document a message, {\"position\", \"kind\", \"bytes\", and \"text\" if it is UTF-8 or else \"hex\"}.")]
pub(crate) struct Options {
    #[command(flatten)]
    end: EndOptions,
    /// End after so many messages
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Append to this file, exactly, in place of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Go on when the other side says that its input ended
    #[arg(long)]
    forever: bool,
    /// One document for each message
    #[arg(long)]
    json: bool,
}

/// The writer has written.
const WRITTEN: Token = Token(2);
/// How long to wait at a signal for what is being written, so that it can be consumed.
const LAST_WRITE: Duration = Duration::from_millis(500);
/// How long what was consumed last may take to be acknowledged: several times the delay of an ack.
const LAST_ACK: Duration = Duration::from_millis(100);
/// How long to wait for the other side to see that everything was consumed, and to hang up.
const FAREWELL: Duration = Duration::from_secs(1);

/// Receives until the end.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let name = options.end.name_or("recv");
    match (options.end.connect, options.end.listen) {
        (Some(address), _) => {
            let client = options.end.client(name.clone(), address)?;
            Receiving::run(options, 'c', &name, client)
        }
        (None, Some(address)) => {
            let server = options.end.server(name.clone(), address)?;
            Receiving::run(options, 's', &name, server)
        }
        (None, None) => Err(Failure::Usage("one of --connect and --listen is needed")),
    }
}

struct Receiving<'o, D> {
    options: &'o Options,
    events: EventLoop<D>,
    app: EndApp<Taking>,
    writer: Writer,
    received: u64,
}

impl<'o, D: End> Receiving<'o, D> {
    fn run(options: &'o Options, side: char, name: &Name, driver: D) -> Result<ExitCode, Failure> {
        let listens_at = driver.listens_at();
        let events = EventLoop::new(driver, Instant::now).map_err(Failure::call("epoll"))?;
        let events = events.with_idle(options.end.idle.strategy());
        let waker = Waker::new(events.registry(), WRITTEN).map_err(Failure::call("epoll"))?;
        let stop = Stop::register(events.registry(), false).map_err(Failure::call("signals"))?;
        let target = match &options.output {
            Some(path) => Target::file(path, &options.end.dir, &format!("{side}~{name}"))?,
            None => Target::Output,
        };
        let taking = Taking::new(options.count, options.forever, options.json);
        let mut receiving = Self {
            options,
            events,
            app: EndApp::new(taking, options.end.peer.clone()),
            writer: Writer::start(target, Arc::new(waker)),
            received: 0,
        };
        if let Some(address) = listens_at {
            receiving.app.screen.line(format_args!("listening on {address}"));
        }
        let done = receiving.go(&stop);
        let Self { events, app, .. } = &mut receiving;
        events.shut_down(app);
        done
    }

    fn go(&mut self, stop: &Stop) -> Result<ExitCode, Failure> {
        let (mut farewell, mut stopped) = (None, None);
        loop {
            let wait = Some(Duration::from_millis(100))
                .filter(|_| farewell.is_some() || stopped.is_some() || self.app.screen.is_live());
            turn(&mut self.events, &mut self.app, self.options.end.idle, wait)
                .map_err(Failure::call("receiving"))?;
            let now = self.events.now();
            if stop.asked(self.events.foreign()).is_some() {
                self.app.taker.stop();
                stopped = Some(now + LAST_WRITE);
            }
            self.pass_on()?;
            if stopped.is_some_and(|until| self.writer.is_idle() || now >= until) {
                // Without an end of its own that is the end.
                let endless = self.options.forever && self.options.count.is_none();
                return Ok(if endless { ExitCode::SUCCESS } else { ExitCode::from(STOPPED) });
            }
            if self.app.taker.is_complete() && self.writer.is_idle() {
                // That has to come to the other side. At the end of its input it hangs up, otherwise it stays.
                let long = if self.app.taker.ended_by_count() { LAST_ACK } else { FAREWELL };
                let until = *farewell.get_or_insert(now + long);
                if !self.app.connected || now >= until {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            let (received, connected) = (self.received, self.app.connected);
            self.app.screen.progress(now, || {
                let state = if connected { "" } else { " (not connected)" };
                format!("{} received{state}", counted(received, "message"))
            });
        }
    }

    /// Consumes what was written, and has written what has come.
    fn pass_on(&mut self) -> Result<(), Failure> {
        if let Some(reset) = self.app.reset.take() {
            // What was taken of the ended session and not written can be consumed no more; nobody else has it.
            self.app.taker.forget(reset.ended);
        }
        loop {
            if let Some(written) = self.writer.written()? {
                let now = self.events.now();
                if let Some(mut link) = self.events.driver().end_link(now, self.app.peer.as_ref()) {
                    // It is refused where the session has ended meanwhile: then it was written all the same.
                    let _ = link.consume_through(written.upto);
                }
                self.received += written.messages;
            }
            if !self.writer.is_idle() {
                return Ok(());
            }
            let Some(block) = self.app.taker.take_block() else { return Ok(()) };
            self.writer.write(block);
            if !self.writer.is_idle() {
                return Ok(());
            }
        }
    }
}
