//! The Wireshark dissector beside `WIRE.md` shows what our own programs say to each other, as it is.
//!
//! Needs tshark. Without it every test here prints SKIPPED, or fails if `TCPSHM_REQUIRE_TSHARK` is set.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/dissected.rs"]
mod dissected;
#[path = "support/pcap.rs"]
mod pcap;
#[path = "support/recorded.rs"]
mod recorded;
mod support;
#[path = "support/tshark.rs"]
mod tshark;

use std::fmt::Write;

use pcap::{Capture, Cut, HEADERS};
use recorded::{Chapter, Said};
use support::cable::Piece;
use support::raw::{self, ACK, CLOSE};
use tcpshm_driver::protocol::login::{LoginMessage, Outcome, Ready, Refusal, Silence, UserData, Welcome};
use tcpshm_driver::protocol::{AttachmentId, Challenge, Nonce, SessionId, Standing};
use tcpshm_driver::{Carrier, Carriers, RefusalCode};
use tshark::{Shown, dissect, infos};

const ID: u128 = 0x0f1e_2d3c_4b5a_6978_c0ff_ee01_2345_6789;

#[test]
fn every_field_of_every_frame_is_shown_however_the_bytes_are_cut() {
    let chapters = recorded::chapters();
    let connections: Vec<&Vec<Piece>> = chapters.iter().flat_map(|chapter| &chapter.connections).collect();
    let numbered = connections.iter().zip(0..);
    let expected: Vec<Shown> =
        numbered.flat_map(|(pieces, number)| dissected::expected(number, pieces)).collect();
    for kind in ["Hello", "Welcome", "Confirm", "Ready", "Refusal"] {
        assert!(expected.iter().any(|shown| shown.get("type") == Some(kind)), "a {kind} is among them");
    }
    for code in ["Ack", "Heartbeat", "Close"] {
        assert!(expected.iter().any(|shown| shown.get("code") == Some(code)), "a {code} is among them");
    }
    for cut in [Cut::AsTheyCame, Cut::Together, Cut::Bytes, Cut::Odd(1), Cut::Odd(2)] {
        let mut capture = Capture::new();
        connections.iter().for_each(|pieces| capture.add(pieces, cut));
        // Two passes show everything twice, as to a person who scrolls.
        let passes: &[&str] = if matches!(cut, Cut::Bytes) { &[] } else { &["-2"] };
        let Some(shown) = dissect(&capture, passes) else { return };
        for (number, (shown, expected)) in shown.iter().zip(&expected).enumerate() {
            assert_eq!(shown, expected, "number {number}, cut {cut:?}");
        }
        assert_eq!(shown.len(), expected.len(), "cut {cut:?}");
        let mut first = 0;
        for chapter in &chapters {
            first = tells_what_the_programs_did(chapter, first, &shown);
        }
    }
}

/// Compares a chapter, whose first connection has this number, with what its programs know. Returns the number of the
/// next chapter's first connection.
#[track_caller]
fn tells_what_the_programs_did(chapter: &Chapter, first: u16, shown: &[Shown]) -> u16 {
    let upto = first + u16::try_from(chapter.connections.len()).unwrap();
    let mut of_chapter = shown.iter().filter(|shown| (first..upto).contains(&shown.connection));
    let messages = of_chapter.clone().filter(|shown| shown.get("mark").is_some());
    let said: Vec<Said> = messages.map(|shown| Said::shown(shown, first)).collect();
    for expected in &chapter.said {
        assert!(said.contains(expected), "{}: {expected:?} in {said:?}", chapter.title);
    }
    assert_eq!(said.len(), chapter.said.len(), "{}: {said:?}", chapter.title);
    for (name, value) in &chapter.facts {
        let found = of_chapter.find(|shown| shown.get(name) == Some(value));
        assert!(found.is_some(), "{}: {name} is {value}, in this order", chapter.title);
    }
    upto
}

#[test]
fn the_info_column_says_what_happens() {
    let mut capture = Capture::new();
    let marked = raw::message(ID, 0, &[7; 200]);
    let close = raw::frame(24, 0, CLOSE, 8, &1_u64.to_le_bytes());
    let mut pieces = login(Carrier::Tcp);
    pieces.push(up([raw::frame(16, 0, ACK, 0, &[]), marked, close].concat()));
    capture.add(&pieces, Cut::AsTheyCame);
    let Some(infos) = infos(&capture) else { return };
    assert_eq!(
        infos,
        [
            "Hello client=c1 wish=tcp".to_owned(),
            "Welcome server=server carriers=tcp+shm".to_owned(),
            format!("Confirm proposed={ID:032x}"),
            format!("Ready fresh session={ID:032x} carrier=tcp"),
            "Ack ack=0; Message @0 kind=1 len=216 ack=0; Close reason=Application ack=8".to_owned(),
        ]
    );
}

#[test]
fn whatever_breaks_the_protocol_is_remarked_upon() {
    let cases = broken();
    let mut capture = Capture::new();
    cases.iter().for_each(|case| capture.add(&case.1, Cut::AsTheyCame));
    let Some(shown) = dissect(&capture, &[]) else { return };
    let mut wrong = Vec::new();
    for ((expected, _), connection) in cases.iter().zip(0..) {
        let of_connection = shown.iter().filter(|shown| shown.connection == connection);
        let mut remarks = String::new();
        for (sort, text) in of_connection.flat_map(|shown| &shown.remarks) {
            write!(remarks, "{sort}: {text}").unwrap();
        }
        if remarks != *expected {
            wrong.push(format!("{expected:?} was expected of {connection}, and {remarks:?} came"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_refusal_and_every_reason_has_its_name() {
    let mut capture = Capture::new();
    let mut names = Vec::new();
    for number in 1..=20_u16 {
        let mut refusal = raw::encode(LoginMessage::Refusal(Refusal::new(RefusalCode::Busy, "")));
        refusal[8..10].copy_from_slice(&number.to_le_bytes());
        let Ok(Some(LoginMessage::Refusal(decoded))) = LoginMessage::decode(&mut &refusal[..]) else {
            panic!("a refusal");
        };
        names.push(match decoded.code {
            RefusalCode::Other(number) => number.to_string(),
            code => format!("{code:?}"),
        });
        capture.add(&[login(Carrier::Tcp).remove(0), down(refusal)], Cut::AsTheyCame);
    }
    let reasons = ["Application", "ShuttingDown", "Replaced", "Fault", "Silence", "6"];
    for number in 1..=6_u64 {
        let close = raw::frame(24, 0, CLOSE, 0, &number.to_le_bytes());
        capture.add(&after_login(close, Vec::new()), Cut::AsTheyCame);
    }
    names.extend(reasons.map(str::to_owned));
    let Some(shown) = dissect(&capture, &[]) else { return };
    let found: Vec<&str> =
        shown.iter().filter_map(|shown| shown.get("refusal").or_else(|| shown.get("reason"))).collect();
    assert_eq!(found, names);
}

fn up(bytes: Vec<u8>) -> Piece {
    Piece { to_server: true, bytes }
}

fn down(bytes: Vec<u8>) -> Piece {
    Piece { to_server: false, bytes }
}

/// The four messages of a login that begins the session [`ID`].
fn login(carrier: Carrier) -> Vec<Piece> {
    let limits = support::limits(4096, 512);
    let challenge = Challenge::new(5);
    let welcome = LoginMessage::Welcome(Welcome {
        server: support::name("server"),
        limits,
        carriers: Carriers::BOTH,
        silence: Silence::default(),
        challenge,
    });
    let ready = LoginMessage::Ready(Ready {
        outcome: Outcome::Fresh,
        session: SessionId::new(ID).unwrap(),
        standing: Standing::START,
        attachment: AttachmentId::new(6).unwrap(),
        carrier,
        nonce: Nonce::new(7),
        user_data: UserData::default(),
    });
    let mut hello = raw::hello("c1");
    if carrier == Carrier::Shm {
        // The wish stands before silence and user data.
        let at = hello.len() - 7;
        hello[at] = 2;
    }
    let confirm = raw::answer(raw::confirm(ID), challenge);
    vec![up(hello), down(raw::encode(welcome)), up(confirm), down(raw::encode(ready))]
}

/// A login, these frames of the client, and these of the server.
fn after_login(client: Vec<u8>, server: Vec<u8>) -> Vec<Piece> {
    let mut pieces = login(Carrier::Tcp);
    pieces.extend([up(client), down(server)].into_iter().filter(|piece| !piece.bytes.is_empty()));
    pieces
}

/// A login one of whose messages was changed.
fn changed(message: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Piece> {
    let mut pieces = login(Carrier::Tcp);
    pieces.truncate(message + 1);
    let bytes = &mut pieces[message].bytes;
    change(bytes);
    let body = u16::try_from(bytes.len() - 8).unwrap();
    bytes[6..8].copy_from_slice(&body.to_le_bytes());
    pieces
}

/// Remarks, and the connection that gives rise to them.
fn broken() -> Vec<(&'static str, Vec<Piece>)> {
    let message = || raw::message(ID, 0, b"twelve bytes");
    let client = |bytes| after_login(bytes, Vec::new());
    let acked = |ack| after_login(message(), raw::frame(16, 0, ACK, ack, &[]));
    let mut padded = message();
    padded[28] = 1;
    let mut shared = login(Carrier::Shm);
    shared.push(up(message()));
    let window: Vec<u8> = (0..8).flat_map(|number| raw::message(ID, number * 528, &[0; 512])).collect();
    let nothing = Vec::new;
    vec![
        ("", client(message())),
        ("", acked(32)),
        ("malformed: a length of 15, where 16 to 528 are possible", client(raw::frame(15, 1, 0, 0, &[]))),
        ("malformed: a length of 529, where 16 to 528 are possible", client(raw::frame(529, 1, 0, 0, &[]))),
        ("malformed: unknown control code 4", client(raw::frame(16, 0, 4, 0, &[]))),
        (
            "malformed: a control frame of code 3 with 16 bytes, where 24 belong",
            client(raw::frame(16, 0, CLOSE, 0, &[])),
        ),
        ("malformed: padding that is not zero", client(padded)),
        ("mark.wrong: a mark of 0x51d6, where 0xcfe1 belongs", client(raw::message(ID, 8, b"x"))),
        ("malformed: it ends at 4224, beyond the window", client(window)),
        ("ack.wrong: an ack of 4 is no multiple of 8", acked(4)),
        ("ack.wrong: an ack of 40, where 32 was sent", acked(40)),
        ("ack.wrong: an ack of 24, where no message ends", acked(24)),
        ("turn: a message, where shared memory carries the messages", shared),
        ("lost: behind the end of the connection", {
            let close = raw::frame(24, 0, CLOSE, 0, &9_u64.to_le_bytes());
            client([close, message()].concat())
        }),
        (
            "turn: Confirm where Welcome is due",
            vec![login(Carrier::Tcp).remove(0), login(Carrier::Tcp).remove(2)],
        ),
        ("turn: it answers another Welcome", changed(2, |bytes| *bytes.last_mut().unwrap() = 1)),
        ("turn: a session that Confirm did not show", changed(3, |bytes| bytes[9] ^= 1)),
        ("turn: a carrier that was not wished or not offered", changed(3, |bytes| bytes[57] = 2)),
        (
            "malformed: the body ends within a field: 1 of its 2 bytes are there",
            changed(0, |bytes| bytes.truncate(bytes.len() - 1)),
        ),
        ("malformed: 1 bytes after the last field", changed(1, |bytes| bytes.push(0))),
        ("malformed: not a name", changed(0, |bytes| bytes[9] = b'/')),
        ("malformed: neither 0 nor 1", changed(0, |bytes| bytes[11] = 2)),
        ("malformed: 4 is not one of them", changed(0, |bytes| bytes[36] = 4)),
        ("malformed: not from 10 to 3,600,000 ms", changed(0, |bytes| bytes[37..41].fill(0))),
        ("malformed: not a power of two from 64 to 2^40", changed(0, |bytes| bytes[12] = 1)),
        ("malformed: 0 is no id", changed(2, |bytes| bytes[10..26].fill(0))),
        ("malformed: a position is a multiple of 8", changed(3, |bytes| bytes[25] = 1)),
        (
            "malformed: neither a held nor a proposed session",
            changed(2, |bytes| drop(bytes.splice(9..50, [0]))),
        ),
        ("malformed: a dispute or a debt without a held session", changed(2, |bytes| bytes[50] = 1)),
        ("malformed: login version 2, this dissector knows 1", changed(0, |bytes| bytes[4] = 2)),
        ("malformed: Welcome of 103 bytes, where 102 is the most", changed(1, |bytes| bytes.resize(111, 0))),
        ("malformed: not a login message", vec![login(Carrier::Tcp).remove(0), down(message())]),
        ("", after_login(nothing(), nothing())),
    ]
}

#[test]
fn frames_whose_login_was_not_captured_are_shown_without_their_places() {
    let mut capture = Capture::new();
    let bytes =
        [raw::frame(16, 0, ACK, 8, &[]), raw::message(ID, 4096, b"four"), raw::message(ID, 4120, b"")];
    capture.add(&[up(bytes.concat())], Cut::Odd(3));
    for told in [["-o", "tcpshm.ports:4000"], ["-d", "tcp.port==4000,tcpshm"]] {
        let Some(shown) = dissect(&capture, &told) else { return };
        let told: Vec<_> = shown
            .iter()
            .map(|shown| ["len", "kind", "ack", "position"].map(|name| shown.get(name)))
            .collect();
        assert_eq!(
            told,
            [
                [Some("16"), Some("0"), Some("8"), None],
                [Some("20"), Some("1"), Some("0"), None],
                [Some("16"), Some("1"), Some("0"), None],
            ]
        );
        assert!(shown.iter().all(|shown| shown.remarks.is_empty()));
    }
    let Some(shown) = dissect(&capture, &[]) else { return };
    assert_eq!(shown, [], "nothing says that these are ours");
}

#[test]
fn a_connection_between_ports_that_were_used_before_is_another_one() {
    let mut capture = Capture::new();
    capture.reuses_ports = true;
    for _ in 0..3 {
        capture.add(&after_login(raw::message(ID, 0, b"first of its stream"), Vec::new()), Cut::Odd(5));
    }
    let Some(shown) = dissect(&capture, &["-2"]) else { return };
    let positions: Vec<_> = shown.iter().filter_map(|shown| shown.get("position")).collect();
    assert_eq!(positions, ["0", "0", "0"]);
    assert!(shown.iter().all(|shown| shown.remarks.is_empty()), "{shown:?}");
}

#[test]
fn what_the_capture_left_out_is_not_the_peers_fault() {
    let mut capture = Capture::new();
    capture.kept = HEADERS + 20;
    let mut pieces = login(Carrier::Tcp);
    pieces.push(up(raw::message(ID, 0, b"of which four bytes are there")));
    capture.add(&pieces, Cut::AsTheyCame);
    let Some(shown) = dissect(&capture, &[]) else { return };
    let sorts: Vec<&str> = shown.iter().flat_map(|shown| &shown.remarks).map(|remark| &*remark.0).collect();
    assert_eq!(sorts, ["lost"; 4], "{shown:?}");
    let message = shown.last().unwrap();
    assert_eq!((message.get("len"), message.get("payload")), (Some("45"), Some("6f662077")));
}

/// Bytes that a peer could send in place of what belongs there.
fn garbage(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes: Vec<u8> = match random.u8(..4) {
        0 => Vec::new(),
        3 => raw::frame(24, 0, CLOSE, 0, &1_u64.to_le_bytes()),
        1 => raw::message(ID, 0, &vec![1; random.usize(..300)]),
        _ => raw::frame(random.u32(..600), random.u16(..2), random.u16(..5), random.u64(..), &[0; 20]),
    };
    bytes.extend((0..random.usize(..200)).map(|_| random.u8(..)));
    bytes
}

const NOISY: u16 = 120;

/// Connections that begin as a login does and go on with garbage, of whose packets this much is kept.
fn noise(seed: u64, kept: usize) -> Capture {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut capture = Capture::new();
    capture.kept = kept;
    for _ in 0..NOISY {
        let mut pieces = login(if random.bool() { Carrier::Tcp } else { Carrier::Shm });
        pieces.truncate(random.usize(1..=pieces.len()));
        if random.bool() {
            let piece = random.usize(..pieces.len());
            let bytes = &mut pieces[piece].bytes;
            let at = random.usize(4..bytes.len());
            bytes[at] = random.u8(..);
        }
        for _ in 0..random.usize(1..4) {
            pieces.push(Piece { to_server: random.bool(), bytes: garbage(&mut random) });
        }
        capture.add(&pieces, if random.bool() { Cut::AsTheyCame } else { Cut::Odd(random.u64(..)) });
    }
    capture
}

#[test]
fn no_bytes_make_the_dissector_fail() {
    // `dissect` looks for errors of the script.
    let ways: [(u64, usize, &[&str]); 5] = [
        (1, usize::MAX, &[]),
        (2, usize::MAX, &["-2"]),
        (3, usize::MAX, &["-o", "tcp.desegment_tcp_streams:FALSE"]),
        (4, HEADERS + 20, &[]),
        (5, HEADERS + 12, &[]),
    ];
    for (seed, kept, way) in ways {
        let Some(shown) = dissect(&noise(seed, kept), way) else { return };
        let begun = (0..NOISY).filter(|number| shown.iter().any(|shown| shown.connection == *number)).count();
        assert!(begun > usize::from(NOISY) / 3, "{begun} of seed {seed}");
    }
}
