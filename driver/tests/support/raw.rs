//! A peer made of bare bytes, from the written format alone.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use tcpshm_driver::protocol::login::{
    CarrierWish, Confirm, Hello, LoginMessage, Proposal, Refusal, Silence, Streams, UserData,
};
use tcpshm_driver::protocol::{Challenge, Nonce, SessionId};
use tcpshm_driver::{Geometry, Handler};

use super::{World, limits, name};

/// The code of a control frame that only acknowledges.
pub(crate) const ACK: u16 = 1;
/// The code of one that says nothing at all.
pub(crate) const HEARTBEAT: u16 = 2;
/// The code of a control frame that says why a connection ends.
pub(crate) const CLOSE: u16 = 3;
/// The reason in it when the peer broke the protocol.
pub(crate) const FAULT: u64 = 4;

/// A socket, and what came out of it.
pub(crate) struct Raw {
    stream: TcpStream,
    pub(crate) heard: Vec<u8>,
    /// The other side has closed, or the connection broke.
    pub(crate) ended: bool,
}

/// A frame as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u16,
    /// The mark of a message, the code of a control frame.
    pub(crate) mark: u16,
    pub(crate) ack: u64,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Bytes that it takes.
    pub(crate) fn size(&self) -> usize {
        (16 + self.payload.len()).next_multiple_of(8)
    }
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Raw::over(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream, heard: Vec::new(), ended: false }
    }

    /// Sends as much as the socket takes; what a closed one does not take is lost.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends the front of `bytes`, as much as the socket takes now. Returns how much that was.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        while count < bytes.len() {
            match self.stream.write(&bytes[count..]) {
                Ok(written) => count += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        count
    }

    /// Ends the sending direction.
    pub(crate) fn hang_up(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Takes what came.
    pub(crate) fn listen(&mut self) {
        let mut chunk = [0; 16 * 1024];
        while !self.ended {
            match self.stream.read(&mut chunk) {
                Ok(0) => self.ended = true,
                Ok(count) => self.heard.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.ended = true,
            }
        }
    }

    /// The login messages at the front of what came, and the frames behind them.
    pub(crate) fn understood(&self) -> (Vec<LoginMessage>, Vec<Frame>) {
        let mut rest = &self.heard[..];
        let mut messages = Vec::new();
        while let Ok(Some(message)) = LoginMessage::decode(&mut rest) {
            messages.push(message);
        }
        (messages, frames(rest))
    }

    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.understood().0.into_iter().find_map(|message| match message {
            LoginMessage::Refusal(refusal) => Some(refusal),
            _ => None,
        })
    }

    /// The reason of a close frame.
    pub(crate) fn close_reason(&self) -> Option<u64> {
        let close = self.understood().1.into_iter().find(|frame| frame.kind == 0 && frame.mark == CLOSE)?;
        Some(u64::from_le_bytes(close.payload.try_into().unwrap()))
    }

    /// Logs in under `client` with the fresh session `id`.
    #[track_caller]
    pub(crate) fn log_in<A: Handler, B: Handler>(&mut self, world: &mut World<A, B>, client: &str, id: u128) {
        self.greet(world, &hello(client));
        self.answer(confirm(id));
        self.until(world, "a ready", |raw| raw.understood().0.len() == 2);
        assert!(matches!(self.understood().0[1], LoginMessage::Ready(_)), "{:?}", self.understood());
    }

    /// Says this Hello, and waits for Welcome.
    #[track_caller]
    pub(crate) fn greet<A: Handler, B: Handler>(&mut self, world: &mut World<A, B>, hello: &[u8]) {
        self.say(hello);
        self.until(world, "a welcome", |raw| raw.understood().0.len() == 1);
    }

    /// Answers the Welcome that came.
    #[track_caller]
    pub(crate) fn answer(&mut self, confirm: Confirm) {
        self.say(&answer(confirm, self.challenge()));
    }

    /// What the Welcome that came wants to hear again.
    #[track_caller]
    pub(crate) fn challenge(&self) -> Challenge {
        match self.understood().0.first() {
            Some(LoginMessage::Welcome(welcome)) => welcome.challenge,
            other => panic!("{other:?} in place of a welcome"),
        }
    }

    /// Turns the world and listens until `done`.
    #[track_caller]
    pub(crate) fn until<A: Handler, B: Handler>(
        &mut self,
        world: &mut World<A, B>,
        what: &str,
        mut done: impl FnMut(&Raw) -> bool,
    ) {
        world.until(what, |_| {
            self.listen();
            done(self)
        });
    }
}

/// The sizes that the configurations of [`super::server`] and [`super::client`] agree on.
fn geometry() -> Geometry {
    limits(4096, 512).send
}

/// A client's first words.
pub(crate) fn hello(client: &str) -> Vec<u8> {
    encode(LoginMessage::Hello(Hello {
        client: name(client),
        server: None,
        limits: limits(4096, 512),
        wish: CarrierWish::Tcp,
        // It wants to hear no heartbeats.
        silence: Silence::MAX,
        user_data: UserData::default(),
    }))
}

/// What a client shows that has nothing, and proposes the session `id`.
pub(crate) fn confirm(id: u128) -> Confirm {
    Confirm {
        held: None,
        proposed: Some(proposal(id)),
        disputed: false,
        token: None,
        undelivered: None,
        nonce: Nonce::new(7),
    }
}

/// A client's second words.
pub(crate) fn answer(confirm: Confirm, challenge: Challenge) -> Vec<u8> {
    encode(LoginMessage::Confirm(confirm, challenge))
}

/// The fresh session `id`, with the sizes that are agreed on.
pub(crate) fn proposal(id: u128) -> Proposal {
    let streams = Streams { client: geometry(), server: geometry() };
    Proposal { session: SessionId::new(id).unwrap(), streams }
}

pub(crate) fn encode(message: LoginMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// The mark of a client's frame at `position` in the session `id`.
#[expect(clippy::cast_possible_truncation, reason = "as the format says")]
pub(crate) fn mark(id: u128, position: u64) -> u16 {
    let salt = id as u64 ^ (id >> 64) as u64;
    (((position / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt) >> 48) as u16
}

/// A frame with these two words, this payload, and zeros up to a multiple of 8.
pub(crate) fn frame(len: u32, kind: u16, mark: u16, ack: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&mark.to_le_bytes());
    bytes.extend_from_slice(&ack.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A client's message of kind 1 at `position`.
pub(crate) fn message(id: u128, position: u64, payload: &[u8]) -> Vec<u8> {
    let len = 16 + u32::try_from(payload.len()).unwrap();
    frame(len, 1, mark(id, position), 0, payload)
}

/// The whole frames at the front of `bytes`.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while bytes.len() >= 16 {
        let len = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        let end = len.next_multiple_of(8);
        if len < 16 || end > bytes.len() {
            break;
        }
        frames.push(Frame {
            kind: u16::from_le_bytes(bytes[4..6].try_into().unwrap()),
            mark: u16::from_le_bytes(bytes[6..8].try_into().unwrap()),
            ack: u64::from_le_bytes(bytes[8..16].try_into().unwrap()),
            payload: bytes[16..len].to_vec(),
        });
        bytes = &bytes[end..];
    }
    frames
}
