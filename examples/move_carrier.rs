//! A live link moves from TCP to shared memory and back, with unconsumed messages in both directions.
//!
//! ```text
//! cargo run --release --example move_carrier
//! ```
//!
//! The messages lie in the link files of the two sides, whatever carries them, so a change of carrier is
//! nothing but a login of the same session. Here both sides send whenever they are connected, and whenever
//! they have just lost their connection, and keep all they get until the end: then each must have
//! everything, once and in order. Both live in one process, to fit on a screen; two processes with the same
//! directory do the same.

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tcpshm_driver::{
    Carrier, CarrierWish, Client, ClientConfig, Connected, Disconnected, EventLoop, Handler, Held, Kind,
    Link, Name, Received, Server, ServerConfig,
};

const NUMBER: Kind = Kind::new(1).expect("not 0");
/// The longest wait in a turn. The two take turns, so neither may wait for the other for long.
const TURN: Option<Duration> = Some(Duration::from_millis(1));

fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let name: Name = "alice".parse()?;
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(ServerConfig::new("bob".parse()?, home.path(), local))?;
    let address = *server.local_addresses()?.first().ok_or("the server does not listen")?;
    let client = Client::new(ClientConfig::new(name.clone(), home.path(), address))?;
    let mut server = EventLoop::new(server, Instant::now)?;
    let mut client = EventLoop::new(client, Instant::now)?;
    let (mut alice, mut bob) = (Side::default(), Side::default());

    for wish in [CarrierWish::Tcp, CarrierWish::Shm, CarrierWish::Tcp] {
        let now = client.now();
        client.driver().change_carrier(now, wish, &mut alice);
        let connections = alice.connections + 1;
        // One from each connection, and one from each moment between two.
        let messages = 2 * connections - 1;
        while [&alice, &bob].iter().any(|side| side.connections < connections || side.held.len() < messages) {
            client.turn(&mut alice, TURN)?;
            server.turn(&mut bob, TURN)?;
        }
        println!("alice has {} unconsumed messages, bob {}", alice.held.len(), bob.held.len());
    }

    let now = client.now();
    let got = alice.consume(&mut client.driver().link(now).ok_or("a session stays open")?)?;
    println!("alice consumes {got:?}");
    let also = bob.consume(&mut server.driver().link(now, &name).ok_or("a session stays open")?)?;
    println!("bob consumes {also:?}");
    if got != also || got != ["1", "2", "3", "4", "5"] {
        return Err("something was lost, or came twice or out of order".into());
    }
    Ok(())
}

/// The application, the same on both sides.
#[derive(Default)]
struct Side {
    connections: usize,
    sent: u64,
    held: Vec<Held>,
}

impl Handler for Side {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        self.held.push(link.hold(received).expect("it belongs to this link"));
    }

    fn connected(&mut self, link: &mut Link<'_>, connected: &Connected) {
        let over = match connected.carrier {
            Carrier::Tcp => "TCP",
            Carrier::Shm => "shared memory",
        };
        println!("with {} over {over}: {:?} session {}", link.peer(), connected.outcome, link.session());
        self.connections += 1;
        self.send(link);
    }

    fn disconnected(&mut self, link: &mut Link<'_>, _: &Disconnected) {
        // It waits in the link file for the next connection.
        self.send(link);
    }
}

impl Side {
    fn send(&mut self, link: &mut Link<'_>) {
        self.sent += 1;
        link.send(NUMBER, self.sent.to_string().as_bytes()).expect("a few small messages fit any ring");
    }

    /// Consumes everything that is held. What came over one carrier is consumed over another.
    fn consume(&mut self, link: &mut Link<'_>) -> Result<Vec<String>, Box<dyn Error>> {
        let mut texts = Vec::new();
        for held in self.held.drain(..) {
            let received = link.redeem(held).map_err(|(_, reason)| reason)?;
            texts.push(received.payload().escape_ascii().to_string());
            link.consume(received).map_err(|refused| refused.reason)?;
        }
        Ok(texts)
    }
}
