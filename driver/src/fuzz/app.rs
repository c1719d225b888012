//! An application that knows what must come next on each of its links.

use std::collections::HashMap;

use tcpshm_protocol::{Kind, Received};

use crate::handler::Handler;
use crate::link::Link;

/// What one side has sent and received, by the name of the peer.
#[derive(Debug, Default)]
pub(super) struct App {
    /// Whether it answers.
    pub(super) replies: bool,
    pub(super) links: HashMap<String, Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Messages committed to the link.
    pub(super) sent: u32,
    /// Messages that came, each once and in order.
    pub(super) received: u32,
    /// Connections that ended.
    pub(super) ended: u32,
}

impl App {
    /// Commits the next message of the link; there may be no room.
    pub(super) fn send(&mut self, link: &mut Link<'_>, client: &str, len: usize) {
        let counts = self.links.entry(link.peer().to_string()).or_default();
        if link.send(kind(), &message(client, counts.sent, len)).is_ok() {
            counts.sent += 1;
        }
    }
}

impl Handler for App {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        let peer = link.peer().to_string();
        let counts = self.links.entry(peer.clone()).or_default();
        // A server's peer is the client, a client's is the server: the message names its client.
        let (client, number, len) = parse(received.payload());
        assert!(!self.replies || client == peer, "a message of {client} on the link with {peer}");
        assert_eq!(number, counts.received, "on the link of {client} with {peer}");
        counts.received += 1;
        if self.replies
            && let Ok(mut slot) = link.claim(kind(), len)
        {
            slot.copy_from_slice(&message(&client, counts.sent, len));
            slot.commit_consuming(received).expect("messages come in order");
            counts.sent += 1;
        } else {
            link.consume(received).expect("messages come in order");
        }
    }

    fn disconnected(&mut self, link: &mut Link<'_>, _: &crate::Disconnected) {
        self.links.entry(link.peer().to_string()).or_default().ended += 1;
    }
}

fn kind() -> Kind {
    Kind::new(1).expect("not 0")
}

/// The client's initial, the number, and what fills it up.
fn message(client: &str, number: u32, len: usize) -> Vec<u8> {
    let mut message = vec![client.as_bytes()[0]];
    message.extend_from_slice(&number.to_le_bytes());
    message.resize(len.max(message.len()), 0xee);
    message
}

fn parse(payload: &[u8]) -> (String, u32, usize) {
    let number = payload[1..5].try_into().expect("4 bytes");
    assert!(payload[5..].iter().all(|byte| *byte == 0xee), "another message's bytes");
    (char::from(payload[0]).to_string(), u32::from_le_bytes(number), payload.len())
}
