//! The bytes of each message, every cut, every fault, and the way back.

use super::super::samples;
use super::*;
use crate::geometry::GeometryError;
use crate::login::{
    Carrier, Carriers, Proposal, RefusalCode, RefusalText, Silence, SilenceError, UserData, UserDataError,
};
use crate::name::NameError;
use crate::position::Undelivered;

const ALICE: &[u8] = b"\x05alice";
const BOB: &[u8] = b"\x03bob";

fn encoded(message: &LoginMessage) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// What decoding says of a sample whose body was edited and whose length was put right.
#[track_caller]
fn fault(message: MessageType, edit: impl FnOnce(&mut Vec<u8>)) -> Malformed {
    let sample = samples::all().into_iter().find(|sample| sample.message_type() == message);
    let mut bytes = encoded(&sample.unwrap());
    let mut body = bytes.split_off(PROLOGUE);
    edit(&mut body);
    bytes[6..].copy_from_slice(&u16::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend(body);
    match LoginMessage::decode(&mut &bytes[..]) {
        Err(LoginError::Malformed { message: of, fault }) if of == message => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hello_has_its_written_bytes() {
    let expected = [
        b"tshm\x01\x01\x2c\x00",
        ALICE,
        b"\x01",
        BOB,
        b"\x00\x04\0\0\0\0\0\0\xc8\0\0\0",
        b"\x00\x02\0\0\0\0\0\0\x64\0\0\0",
        b"\x03\xb8\x0b\0\0\x02\0hi",
    ];
    assert_eq!(encoded(&samples::all()[0]), expected.concat());
}

#[test]
fn welcome_has_its_written_bytes() {
    let expected = [
        b"tshm\x01\x02\x29\x00",
        BOB,
        b"\x00\x01\0\0\0\0\0\0\x40\0\0\0",
        b"\x80\x00\0\0\0\0\0\0\x20\0\0\0",
        b"\x03\x0a\0\0\0",
        b"\x28\0\0\0\0\0\0\0",
    ];
    assert_eq!(encoded(&samples::all()[1]), expected.concat());
}

#[test]
fn confirm_has_its_written_bytes() {
    let expected: [&[u8]; 10] = [
        b"tshm\x01\x03\x95\x00",
        b"\x01\xa1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xb2\0\0\0\0\0\0\0",
        b"\x10\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0",
        b"\x01\xc3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x80\0\0\0\0\0\0\0\x20\0\0\0\0\x01\0\0\0\0\0\0\x40\0\0\0",
        b"\x01",
        b"\x01\xd4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x01\x03\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x40\0\0\0\0\0\0\0",
        b"\xe5\0\0\0\0\0\0\0",
        b"\x28\0\0\0\0\0\0\0",
    ];
    assert_eq!(encoded(&samples::all()[2]), expected.concat());
}

#[test]
fn ready_has_its_written_bytes() {
    let expected: [&[u8]; 6] = [
        b"tshm\x01\x04\x3f\x00",
        b"\x03\xc3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x18\0\0\0\0\0\0\0\x30\0\0\0\0\0\0\0\x28\0\0\0\0\0\0\0",
        b"\xf6\0\0\0\0\0\0\0",
        b"\x02\x17\0\0\0\0\0\0\0",
        b"\x03\0yo!",
    ];
    assert_eq!(encoded(&samples::all()[3]), expected.concat());
}

#[test]
fn refusal_has_its_written_bytes() {
    let expected: [&[u8]; 5] = [
        b"tshm\x01\x05\x40\x00\x0c\x00",
        b"\x01\xd4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x01\x02\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x48\0\0\0\0\0\0\0",
        b"\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0",
        b"\x02\0no",
    ];
    assert_eq!(encoded(&samples::all()[4]), expected.concat());
}

#[test]
fn each_type_has_the_maximum_its_fields_add_up_to() {
    assert_eq!(MessageType::ALL.map(MessageType::max_body), [1186, 102, 149, 1084, 262]);
    assert_eq!(MAX_BODY, 1186);
    let mut largest = samples::hello();
    largest.client = "c".repeat(64).parse().unwrap();
    largest.server = Some("s".repeat(64).parse().unwrap());
    largest.user_data = UserData::new(&[0xff; UserData::MAX]).unwrap();
    let bytes = encoded(&LoginMessage::Hello(largest.clone()));
    assert_eq!(bytes.len(), PROLOGUE + MAX_BODY);
    assert_eq!(LoginMessage::decode(&mut &bytes[..]), Ok(Some(LoginMessage::Hello(largest))));
}

#[test]
fn a_stream_of_messages_reads_the_same_however_it_is_cut() {
    let bytes: Vec<u8> = samples::all().iter().flat_map(encoded).collect();
    for cut in 0..=bytes.len() {
        let mut decoded = Vec::new();
        let mut kept = Vec::new();
        for piece in [&bytes[..cut], &bytes[cut..]] {
            kept.extend_from_slice(piece);
            let mut input = &kept[..];
            while let Some(message) = LoginMessage::decode(&mut input).unwrap() {
                decoded.push(message);
            }
            kept.drain(..kept.len() - input.len());
        }
        assert_eq!(decoded, samples::all(), "cut at {cut}");
        assert!(kept.is_empty());
    }
}

#[test]
fn every_prefix_of_a_message_asks_for_more_and_takes_nothing() {
    for bytes in samples::all().iter().map(encoded) {
        for len in 0..bytes.len() {
            let mut input = &bytes[..len];
            assert_eq!(LoginMessage::decode(&mut input), Ok(None));
            assert_eq!(input.len(), len);
        }
    }
}

#[test]
fn a_wrong_prologue_is_refused_at_its_first_wrong_byte() {
    let good = encoded(&samples::all()[1]);
    let decode = |len: usize, at: usize, byte: u8| {
        let mut bytes = good[..len].to_vec();
        bytes[at] = byte;
        LoginMessage::decode(&mut &bytes[..])
    };
    for at in 0..4 {
        assert_eq!(decode(at + 1, at, b'G'), Err(LoginError::Magic { at, found: b'G' }));
    }
    assert_eq!(decode(5, 4, 2), Err(LoginError::Version { found: 2, known: 1 }));
    for found in [0, 6, 255] {
        assert_eq!(decode(6, 5, found), Err(LoginError::Type { found }));
    }
    let too_long = LoginError::TooLong { message: MessageType::Welcome, len: 103, max: 102 };
    assert_eq!(decode(7, 6, 103), Ok(None));
    assert_eq!(decode(8, 6, 103), Err(too_long));
}

#[test]
fn every_shortened_body_is_refused_as_truncated() {
    for sample in samples::all() {
        let body = encoded(&sample).len() - PROLOGUE;
        for len in 0..body {
            let fault = fault(sample.message_type(), |body| body.truncate(len));
            assert!(matches!(fault, Malformed::Truncated { .. }), "{len}: {fault}");
        }
    }
    let empty = fault(MessageType::Welcome, Vec::clear);
    assert_eq!(empty, Malformed::Truncated { needed: 1, left: 0 });
    let within = fault(MessageType::Refusal, |body| body.truncate(1));
    assert_eq!(within, Malformed::Truncated { needed: 2, left: 1 });
}

#[test]
fn every_lengthened_body_is_refused() {
    for sample in samples::all() {
        let message = sample.message_type();
        let room = message.max_body() - (encoded(&sample).len() - PROLOGUE);
        for extra in 1..=room.min(9) {
            let fault = fault(message, |body| body.resize(body.len() + extra, 0));
            assert_eq!(fault, Malformed::Trailing { extra });
        }
    }
}

#[test]
fn every_wrong_field_of_hello_and_welcome_has_its_error() {
    let hello = |edit: fn(&mut Vec<u8>)| fault(MessageType::Hello, edit);
    assert_eq!(hello(|b| b[1] = b'/'), Malformed::Name(NameError::Forbidden { at: 0, byte: b'/' }));
    assert_eq!(hello(|b| b[0] = 0), Malformed::Name(NameError::Empty));
    assert_eq!(hello(|b| b[6] = 2), Malformed::Flag { found: 2 });
    let capacity = GeometryError::Capacity { capacity: 1025 };
    assert_eq!(hello(|b| b[11] = 1), Malformed::Geometry(capacity));
    assert_eq!(hello(|b| b[35] = 0), Malformed::CarrierWish { found: 0 });
    assert_eq!(hello(|b| b[36..40].fill(0)), Malformed::Silence(SilenceError { milliseconds: 0 }));
    let long = |b: &mut Vec<u8>| {
        b.truncate(40);
        b.extend([1, 4]);
        b.resize(42 + 1025, 0);
    };
    assert_eq!(hello(long), Malformed::UserData(UserDataError { len: 1025 }));
    for found in [0, 4, 7] {
        assert_eq!(fault(MessageType::Welcome, |b| b[28] = found), Malformed::Carriers { found });
    }
}

#[test]
fn every_wrong_field_of_confirm_has_its_error() {
    let confirm = |edit: fn(&mut Vec<u8>)| fault(MessageType::Confirm, edit);
    assert_eq!(confirm(|b| b[0] = 0xff), Malformed::Flag { found: 0xff });
    assert_eq!(confirm(|b| b[1] = 0), Malformed::Session);
    assert_eq!(confirm(|b| b[17] = 0), Malformed::Attachment);
    assert_eq!(confirm(|b| b[25] = 17), Malformed::Position { found: 17 });
    assert_eq!(confirm(|b| b[90] = 3), Malformed::Flag { found: 3 });
    assert_eq!(confirm(|b| b[92] = 0), Malformed::Token);
    let capacity = GeometryError::Capacity { capacity: 129 };
    assert_eq!(confirm(|b| b[66] = 129), Malformed::Geometry(capacity));
    let largest = GeometryError::Largest { largest: 256 + 64, capacity: 256 };
    assert_eq!(confirm(|b| b[87] = 1), Malformed::Geometry(largest));
    assert_eq!(confirm(|b| b[50] = 0xa1), Malformed::ProposesItsHolding);
    assert_eq!(confirm(|b| drop(b.splice(49..90, [0]))), Malformed::TokenWithoutProposal);
    assert_eq!(confirm(|b| drop(b.splice(..49, [0]))), Malformed::NothingHeld);
    assert_eq!(confirm(|b| *b = vec![0; 21]), Malformed::NothingShown);
}

#[test]
fn a_debt_must_be_possible() {
    let debt = |messages: u8, from: u8, upto: u8| {
        fault(MessageType::Confirm, |b| (b[109], b[117], b[125]) = (messages, from, upto))
    };
    for (messages, from, upto) in [(3, 64, 16), (4, 16, 64), (0, 16, 64), (1, 64, 64)] {
        let counted = Undelivered {
            messages: messages.into(),
            from: samples::at(from.into()),
            upto: samples::at(upto.into()),
        };
        assert_eq!(debt(messages, from, upto), Malformed::Undelivered(counted));
    }
    let mut nothing = samples::confirm();
    let end = samples::at(64);
    nothing.undelivered = Some(Undelivered { messages: 0, from: end, upto: end });
    let bytes = encoded(&LoginMessage::Confirm(nothing.clone(), samples::challenge()));
    assert_eq!(
        LoginMessage::decode(&mut &bytes[..]),
        Ok(Some(LoginMessage::Confirm(nothing, samples::challenge())))
    );
}

#[test]
fn every_wrong_field_of_ready_and_refusal_has_its_error() {
    for found in [0, 4] {
        assert_eq!(fault(MessageType::Ready, |b| b[0] = found), Malformed::Outcome { found });
    }
    for found in [0, 3] {
        assert_eq!(fault(MessageType::Ready, |b| b[49] = found), Malformed::Carrier { found });
    }
    let long = |b: &mut Vec<u8>| {
        *b = vec![0; 22 + 201];
        b[20] = 201;
    };
    assert_eq!(fault(MessageType::Refusal, long), Malformed::Text { len: 201 });
}

#[test]
fn every_message_comes_back_as_it_went() {
    let mut messages = samples::all().to_vec();
    messages.push(LoginMessage::Hello(Hello {
        server: None,
        silence: Silence::MAX,
        user_data: UserData::default(),
        ..samples::hello()
    }));
    messages.push(LoginMessage::Welcome(Welcome { carriers: Carriers::SHM, ..samples::welcome() }));
    let held = Confirm { proposed: None, token: None, disputed: false, ..samples::confirm() };
    messages.push(LoginMessage::Confirm(held.clone(), Challenge::new(u64::MAX)));
    let proposed = Some(Proposal { session: samples::session(u128::MAX), ..samples::proposal(1) });
    let begins = Confirm { held: None, proposed, undelivered: None, ..held };
    messages.push(LoginMessage::Confirm(begins, Challenge::new(0)));
    messages.push(LoginMessage::Ready(Ready { carrier: Carrier::Tcp, ..samples::ready() }));
    let text = RefusalText::from_bytes(&[0xff; RefusalText::MAX]).unwrap();
    let code = RefusalCode::Other(u16::MAX);
    messages.push(LoginMessage::Refusal(Refusal {
        code,
        token: None,
        undelivered: None,
        numbers: [u64::MAX; 2],
        text,
    }));
    for message in messages {
        let bytes = encoded(&message);
        let mut input = &bytes[..];
        assert_eq!(LoginMessage::decode(&mut input), Ok(Some(message)));
        assert!(input.is_empty());
    }
}
