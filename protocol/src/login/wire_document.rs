//! `WIRE.md` against the code: its examples are bytes that the code makes, its tables the code's numbers.

use std::time::Instant;

use super::*;
use crate::control::Control;
use crate::geometry::Geometry;
use crate::id::{Kind, Nonce, Role, SessionId};
use crate::layout;
use crate::{CloseReason, Event, Grant, Header, Memory, Position, Session, Timing};

const DOCUMENT: &str = include_str!("../../WIRE.md");

/// The column in which comments on an example begin.
const COMMENT: usize = 52;

/// The session of the document's frames.
const SESSION: u128 = 0x0f1e_2d3c_4b5a_6978_c0ff_ee01_2345_6789;

#[test]
fn its_examples_are_bytes_that_the_code_makes() {
    let mut hello = Vec::new();
    LoginMessage::Hello(samples::hello()).encode(&mut hello);
    assert_eq!(example("hello"), hello);
    let (server, client) = frames();
    assert_eq!(example("server"), server);
    assert_eq!(example("client"), client);
}

#[test]
fn its_table_of_the_link_file_has_the_places_of_the_layout() {
    let rows = [
        (layout::MAGIC, 8, "magic"),
        (layout::VERSION, 4, "version"),
        (layout::FLAGS, 4, "flags"),
        (layout::CAPACITY, 8, "capacity"),
        (layout::LARGEST, 4, "largest"),
        (layout::ROLE, 4, "role"),
        (layout::SESSION, 16, "session"),
        (layout::INCOMING_CAPACITY, 8, "incoming capacity"),
        (layout::INCOMING_LARGEST, 4, "incoming largest"),
        (layout::ASKED_LARGEST, 4, "asked largest"),
        (layout::ASKED_CAPACITY, 8, "asked capacity"),
        (layout::OWNER, 72, "owner"),
        (layout::PEER, 72, "peer"),
        (layout::CHECKSUM, 4, "checksum"),
        (layout::ACKED, 8, "acked"),
        (layout::FLOOR, 8, "floor"),
        (layout::SENT_FLOOR, 8, "sent_floor"),
        (layout::CONSUMED, 8, "consumed"),
        (layout::NONCE, 8, "nonce"),
        (layout::CURRENT, 8, "current"),
        (layout::PREVIOUS, 8, "previous"),
        (layout::BOOT, 8, "boot"),
        (layout::PARKED, 8, "parked"),
        (layout::PREVIOUS_SENT, 8, "previous_sent"),
        (layout::SENT_FLOOR_OF, 8, "sent_floor_of"),
    ];
    for (at, bytes, name) in rows {
        assert_row(&format!("| {at} | {bytes} | {name} | "));
    }
    assert_row(&format!("| {} | | frames | ", layout::FRAMES));
}

#[test]
fn its_tables_of_messages_and_codes_have_the_numbers_of_the_codec() {
    for message in MessageType::ALL {
        assert_row(&format!("| {} | {message:?} | {} |", message.number(), message.max_body()));
    }
    for code in RefusalCode::KNOWN {
        assert_row(&format!("| {} | {code:?} | ", code.number()));
    }
}

#[test]
fn its_table_of_control_frames_has_the_codes_and_lengths_of_the_codec() {
    for (control, name) in [
        (Control::Ack, "Ack"),
        (Control::Heartbeat, "Heartbeat"),
        (Control::Close(CloseReason::Application), "Close"),
    ] {
        let (bytes, len) = control.encode(Position::ZERO);
        assert_row(&format!("| {} | {name} | {len} | ", bytes[6]));
    }
    let reasons = [
        (CloseReason::Application, "the application closed the link"),
        (CloseReason::ShuttingDown, "shutting down"),
        (CloseReason::Replaced, "replaced by a newer login"),
        (CloseReason::Fault, "the peer broke the protocol"),
        (CloseReason::Silence, "nothing was heard"),
    ];
    let told = reasons.map(|(reason, text)| {
        let (bytes, _) = Control::Close(reason).encode(Position::ZERO);
        format!("{} {text}", bytes[16])
    });
    assert!(DOCUMENT.contains(&format!("u64, the reason: {} |", told.join(", "))));
}

#[track_caller]
fn assert_row(start: &str) {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(rows, 1, "rows that start with {start:?}");
}

/// The bytes of a block of hexadecimal digits; what follows them in a line is for people.
fn example(name: &str) -> Vec<u8> {
    let (_, block) = DOCUMENT.split_once(&format!("```hex {name}\n")).unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let digits = |line: &'static str| line.get(..COMMENT).unwrap_or(line).split_whitespace();
    block.lines().flat_map(digits).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// What the server sends first, and what the client sends then.
#[expect(clippy::disallowed_methods, reason = "any time will do, and there is no other way to make one")]
fn frames() -> (Vec<u8>, Vec<u8>) {
    let now = Instant::now();
    let [mut client, mut server] = pair(now);
    server.send(Kind::new(7).unwrap(), b"hello").unwrap();
    let from_server = transmit(&mut server, now);
    let mut from_client = transmit(&mut client, now);
    let mut input = &from_server[..];
    let Ok(Some(Event::Message(message))) = client.handle_input(now, &mut input) else {
        panic!("the server sent a whole message");
    };
    client.consume(message).unwrap();
    client.send(Kind::new(9).unwrap(), b"hi").unwrap();
    client.send(Kind::new(9).unwrap(), b"").unwrap();
    from_client.extend(transmit(&mut client, now));
    (from_server, from_client)
}

/// The two ends of a fresh session, attached to each other.
fn pair(now: Instant) -> [Session<Memory>; 2] {
    let [mut client, mut server] = [Role::Client, Role::Server].map(|role| {
        let geometry = Geometry::new(1024, 200).unwrap();
        let names = if role == Role::Client { ["alice", "bob"] } else { ["bob", "alice"] };
        let [owner, peer] = names.map(|name| name.parse().unwrap());
        let session = SessionId::new(SESSION).unwrap();
        let header =
            Header { role, session, owner, peer, outgoing: geometry, incoming: geometry, asked: geometry };
        let mut memory = Memory::zeroed(Header::file_size(geometry).unwrap());
        header.format(&mut memory, Nonce::new(1));
        Session::open(memory, Nonce::new(2)).unwrap()
    });
    let timing = Timing::new(Silence::default(), Silence::default());
    assert!(client.show(Nonce::new(3)).is_none());
    let confirm = Confirm {
        held: None,
        proposed: Some(samples::proposal(SESSION)),
        disputed: false,
        token: None,
        undelivered: None,
        nonce: Nonce::new(3),
    };
    let grant = Grant {
        outcome: Outcome::Fresh,
        attachment: samples::attachment(4),
        nonce: Nonce::new(5),
        carrier: Carrier::Tcp,
        user_data: UserData::default(),
        timing,
    };
    let ready = server.accept(now, &confirm, grant).unwrap();
    client.establish(now, &ready, &timing).unwrap();
    [client, server]
}

fn transmit(session: &mut Session<Memory>, now: Instant) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let pending = session.poll_transmit(now);
        let count = pending.len();
        bytes.extend_from_slice(pending);
        session.handle_transmitted(now, count);
        if count == 0 {
            return bytes;
        }
    }
}
