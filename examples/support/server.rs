//! The echo server: every message goes back as it came, exactly once.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use tcpshm_driver::{
    Connected, Delivered, Disconnected, EventLoop, FileError, Handler, Held, Link, LoginRefused, Name,
    Received, ResetReport, SendError, Server, ServerConfig, SessionId, Stalled, Undelivered, ViewError,
};

use crate::choices::{CarrierChoice, IdleChoice};
use crate::events;
use crate::screen::Screen;
use crate::stop::Stop;

/// How to run an echo server.
#[derive(Args, Debug)]
pub struct ServerOptions {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The server's name, which is part of every link's identity
    #[arg(long, default_value = "server")]
    pub name: Name,
    /// Where to keep the link files; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// What may carry links
    #[arg(long, value_enum, value_name = "CARRIER", default_value_t)]
    pub carrier: CarrierChoice,
    /// What to do while shared memory is polled and nothing comes
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub idle: IdleChoice,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    pub child: bool,
}

/// What an echo server does from its options to its exit status.
pub fn main(options: &ServerOptions) -> ExitCode {
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Screen::new().line(format_args!("echo server: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is asked to stop. The first line of standard output says where.
pub fn run(options: &ServerOptions) -> Result<(), Box<dyn Error>> {
    let mut config = ServerConfig::new(options.name.clone(), &options.dir, options.listen);
    config.carriers = options.carrier.offer();
    let server = EventLoop::new(Server::bind(config)?, Instant::now)?;
    let mut events = server.with_idle(options.idle.strategy());
    let stop = Stop::register(events.registry(), options.child)?;
    let mut app = EchoServer { screen: Screen::new(), waiting: HashMap::new() };
    announce(&events.driver().local_addresses()?)?;
    while stop.asked(events.foreign()).is_none() {
        events.turn(&mut app, None)?;
    }
    events.shut_down(&mut app);
    Ok(())
}

fn announce(addresses: &[SocketAddr]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    for address in addresses {
        writeln!(output, "listening on {address}")?;
    }
    output.flush()
}

/// The application.
struct EchoServer {
    screen: Screen,
    /// For each client, in order, the messages whose answers found no room. Not empty. They stay
    /// unconsumed, so the client's ring fills and it stops sending: this needs no bound of its own.
    waiting: HashMap<Name, VecDeque<Held>>,
}

impl Handler for EchoServer {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        // Answers leave in the order of the questions.
        let queued = self.waiting.contains_key(link.peer());
        let unanswered = if queued { Err(received) } else { self.echo(link, received) };
        if let Err(received) = unanswered {
            match link.hold(received) {
                Ok(held) => self.waiting.entry(link.peer().clone()).or_default().push_back(held),
                Err(refused) => self.screen.line(format_args!("cannot hold a message: {}", refused.reason)),
            }
        }
    }

    fn closed(&mut self, peer: &Name, _: SessionId) {
        self.waiting.remove(peer);
    }

    fn writable(&mut self, link: &mut Link<'_>) {
        self.answer_waiting(link);
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        self.screen.line(events::connected(link, connected));
        self.answer_waiting(link);
    }

    fn disconnected(&mut self, link: &mut Link<'_>, reason: &Disconnected) {
        self.screen.line(events::disconnected(link, reason));
    }

    fn reset(&mut self, link: &mut Link<'_>, report: &ResetReport) {
        // They belong to the session that has ended.
        self.waiting.remove(link.peer());
        self.screen.line(events::reset(report));
    }

    fn refused(&mut self, refused: &LoginRefused) {
        self.screen.line(events::refused(refused));
    }

    fn stalled(&mut self, link: &mut Link<'_>, stalled: &Stalled) {
        self.screen.line(events::stalled(link, stalled));
    }

    fn unconsumed(&mut self, link: &mut Link<'_>, position: Delivered) {
        self.screen.line(events::unconsumed(link, position));
    }

    fn not_shared(&mut self, peer: &Name, error: &ViewError) {
        self.screen.line(events::not_shared(peer, error));
    }

    fn left_behind(&mut self, peer: &Name, undelivered: &Undelivered) {
        self.screen.line(events::left_behind(peer, undelivered));
    }

    fn failed(&mut self, peer: &Name, error: &FileError) {
        self.screen.line(events::failed(peer, error));
    }
}

impl EchoServer {
    /// Sends a message back and consumes it, both in one store. Hands it back if there is no room.
    fn echo<'r>(&mut self, link: &mut Link<'_>, received: Received<'r>) -> Result<(), Received<'r>> {
        match link.claim(received.kind(), received.payload().len()) {
            Ok(mut slot) => {
                slot.copy_from_slice(received.payload());
                slot.commit_consuming(received).map(|_| ()).map_err(|refused| {
                    self.screen.line(format_args!("cannot consume a message: {}", refused.reason));
                    refused.received
                })
            }
            Err(SendError::Full { .. }) => Err(received),
            Err(error) => {
                // It can never be answered; what comes after it can.
                self.screen.line(format_args!("no answer to {}: {error}", link.peer()));
                link.consume(received).map(|_| ()).map_err(|refused| refused.received)
            }
        }
    }

    /// There may be room: goes on with the oldest message that has no answer.
    fn answer_waiting(&mut self, link: &mut Link<'_>) {
        let Some(mut waiting) = self.waiting.remove(link.peer()) else {
            return;
        };
        while let Some(held) = waiting.pop_front() {
            // One that is refused is void: it came before the link was opened anew, and comes again.
            let Ok(received) = link.redeem(held) else { continue };
            let Err(received) = self.echo(link, received) else { continue };
            if let Ok(held) = link.hold(received) {
                waiting.push_front(held);
            }
            break;
        }
        if !waiting.is_empty() {
            self.waiting.insert(link.peer().clone(), waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tcpshm_driver::{Client, ClientConfig, Geometry, Kind};

    use super::*;

    /// Asks once, as much as it can, and counts the answers.
    #[derive(Default)]
    struct Asker {
        asked: u64,
        answers: Vec<u64>,
    }

    impl Handler for Asker {
        fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
            self.answers.push(u64::from_le_bytes(*received.payload().first_chunk().unwrap()));
            link.consume(received).unwrap();
        }

        fn connected(&mut self, link: &mut Link<'_>, _: &Connected) {
            while link.send(Kind::new(1).unwrap(), &self.asked.to_le_bytes()).is_ok() {
                self.asked += 1;
            }
        }
    }

    #[test]
    fn answers_that_find_no_room_wait_and_keep_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = ServerConfig::new("server".parse().unwrap(), directory.path(), listen);
        // Ten answers fit.
        config.link.limits.send = Geometry::new(256, 16).unwrap();
        let server = Server::bind(config).unwrap();
        let address = server.local_addresses().unwrap()[0];
        let mut server = EventLoop::new(server, Instant::now).unwrap();
        let mut app = EchoServer { screen: Screen::new(), waiting: HashMap::new() };
        let config = ClientConfig::new("client".parse().unwrap(), directory.path(), address);
        let mut client = EventLoop::new(Client::new(config).unwrap(), Instant::now).unwrap();
        let mut asker = Asker::default();
        let mut waited = 0;
        while asker.asked == 0 || asker.answers.len() < usize::try_from(asker.asked).unwrap() {
            server.turn(&mut app, Some(Duration::from_millis(1))).unwrap();
            waited = waited.max(app.waiting.values().map(VecDeque::len).sum());
            client.turn(&mut asker, Some(Duration::from_millis(1))).unwrap();
        }
        assert!(waited > 1000, "{waited} answers found no room");
        assert!(asker.answers.iter().copied().eq(0..asker.asked));
        assert!(app.waiting.is_empty());
    }
}
