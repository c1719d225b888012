//! The ways in which strangers come to the door.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use fastrand::Rng;
use socket2::SockRef;
use tcpshm_driver::protocol::login::{
    CarrierWish, Confirm, Hello, LoginMessage, Proposal, Silence, Streams, UserData,
};
use tcpshm_driver::protocol::{Challenge, Nonce};
use tcpshm_driver::{Limits, SessionId};

/// A server that does not answer within this time has forgotten the stranger.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a stranger behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Connects, and says nothing.
    Silent,
    /// Says what is no login at all.
    Noise,
    /// Says a part of Hello.
    HalfHello,
    /// Says Hello, with a name that nobody said before, and no more.
    Names,
    /// Says Hello, hears Welcome, and says a part of Confirm.
    HalfConfirm,
    /// Says Hello, hears Welcome, says Confirm, always under the same name, and is gone.
    Gone,
    /// Says a byte of Hello every now and then.
    Drip,
}

/// All of them.
pub(super) const MANNERS: [Manner; 7] = [
    Manner::Silent,
    Manner::Noise,
    Manner::HalfHello,
    Manner::Names,
    Manner::HalfConfirm,
    Manner::Gone,
    Manner::Drip,
];

/// The one name under which links are made.
pub(super) const NAME: &str = "mallory";

/// A stranger at the door.
#[derive(Debug)]
pub(super) struct Stranger {
    stream: TcpStream,
    /// What is still to be said, a byte at a time.
    rest: Vec<u8>,
}

impl Manner {
    /// Stranger number `number` comes, and says what is its manner.
    pub(super) fn come(self, server: SocketAddr, number: u64, random: &mut Rng) -> Option<Stranger> {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        // Most of them slam the door, which also spares the port a long rest.
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        let hello = match self {
            Manner::Gone | Manner::HalfConfirm => hello(NAME),
            _ => hello(&format!("stranger-{number}")),
        };
        let mut rest = Vec::new();
        // A server that has closed already hears nothing of it.
        match self {
            Manner::Silent => {}
            Manner::Noise => {
                let mut noise = vec![0; random.usize(1..400)];
                random.fill(&mut noise);
                let _ = stream.write_all(&noise);
            }
            Manner::HalfHello => {
                let _ = stream.write_all(&hello[..random.usize(1..hello.len())]);
            }
            Manner::Names => {
                let _ = stream.write_all(&hello);
            }
            Manner::HalfConfirm => {
                let _ = stream.write_all(&hello);
                let confirm = confirm(welcomed(&mut stream)?);
                let _ = stream.write_all(&confirm[..random.usize(1..confirm.len())]);
            }
            Manner::Gone => {
                let _ = stream.write_all(&hello);
                let confirm = confirm(welcomed(&mut stream)?);
                let _ = stream.write_all(&confirm);
            }
            Manner::Drip => rest = hello,
        }
        rest.reverse();
        Some(Stranger { stream, rest })
    }
}

impl Stranger {
    /// Says one more byte, if there is one left.
    pub(super) fn drip(&mut self) {
        if let Some(byte) = self.rest.pop() {
            let _ = self.stream.write_all(&[byte]);
        }
    }
}

fn hello(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    LoginMessage::Hello(Hello {
        client: name.parse().expect("letters and digits"),
        server: None,
        limits: Limits::default(),
        wish: CarrierWish::Tcp,
        silence: Silence::MAX,
        user_data: UserData::default(),
    })
    .encode(&mut bytes);
    bytes
}

/// What the server wants to hear again. None if it says anything else, or nothing.
fn welcomed(stream: &mut TcpStream) -> Option<Challenge> {
    let (mut heard, mut chunk) = (Vec::new(), [0; LoginMessage::MAX]);
    loop {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        heard.extend_from_slice(&chunk[..count]);
        match LoginMessage::decode(&mut &heard[..]).ok()? {
            Some(LoginMessage::Welcome(welcome)) => return Some(welcome.challenge),
            Some(_) => return None,
            None => {}
        }
    }
}

fn confirm(challenge: Challenge) -> Vec<u8> {
    let geometry = Limits::default().send;
    let streams = Streams { client: geometry, server: geometry };
    let proposal = Proposal { session: SessionId::new(77).expect("not 0"), streams };
    let mut bytes = Vec::new();
    let confirm = Confirm {
        held: None,
        proposed: Some(proposal),
        disputed: false,
        token: None,
        undelivered: None,
        nonce: Nonce::new(7),
    };
    LoginMessage::Confirm(confirm, challenge).encode(&mut bytes);
    bytes
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Manner::Silent => "silent",
            Manner::Noise => "noise",
            Manner::HalfHello => "half a hello",
            Manner::Names => "new names",
            Manner::HalfConfirm => "half a confirm",
            Manner::Gone => "gone at once",
            Manner::Drip => "a byte a time",
        })
    }
}
