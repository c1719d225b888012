//! Frames that no sound peer sends end that connection, with a reason, and change no byte of any file.

mod support;

use std::path::PathBuf;

use support::files;
use support::process::alone;
use support::raw::{self, ACK, CLOSE, FAULT, HEARTBEAT, Raw};
use support::siege::Siege;
use support::{kind, name};

/// A peer that is logged in as "mallory" with the session `ID`, and the server's file of that link.
struct Mallory {
    raw: Raw,
    file: PathBuf,
}

const ID: u128 = 0x6d61_6c6c_6f72_7900_0000_0000_0000_0001;

#[track_caller]
fn log_in(siege: &mut Siege) -> Mallory {
    let file = siege.stage.theirs.path().join("s~server~mallory.link");
    let mut raw = Raw::connect(siege.stage.client.addresses[0]);
    raw.log_in(siege.world(), "mallory", ID);
    Mallory { raw, file }
}

/// The server answers `bytes` with a fault and closes, and its files are as before.
#[track_caller]
fn is_a_fault(siege: &mut Siege, what: &str, bytes: &[u8]) {
    let mut mallory = log_in(siege);
    let before = files::content(&mallory.file);
    mallory.raw.say(bytes);
    mallory.raw.until(siege.world(), what, |raw| raw.ended);
    assert_eq!(mallory.raw.close_reason(), Some(FAULT), "{what}");
    assert!(files::content(&mallory.file) == before, "{what}: the file has changed");
    let app = &mut siege.world().at_server().app;
    assert_eq!(app.endings().len(), 1, "{what}");
    assert!(app.endings()[0].starts_with("Fault("), "{what}: {:?}", app.endings());
    app.notes.clear();
}

/// Ends the siege without the link that had to be made for it.
fn over(siege: Siege) {
    let mut siege = siege;
    siege.forget_link("mallory");
    siege.conclude();
}

#[test]
fn a_length_that_cannot_be_is_a_fault() {
    let _alone = alone();
    let mut siege = Siege::new();
    for len in [0, 1, 7, 15, 529, 0xffff, u32::MAX] {
        let message = raw::frame(len, 1, raw::mark(ID, 0), 0, b"payload");
        is_a_fault(&mut siege, &format!("a message of length {len}"), &message);
    }
    over(siege);
}

#[test]
fn eight_bytes_are_enough_to_notice_one() {
    let _alone = alone();
    let mut siege = Siege::new();
    for word in [[0; 8], [0xff; 8], [7, 0, 0, 0, 1, 0, 0, 0], [16, 0, 0, 0, 0, 0, 99, 0]] {
        is_a_fault(&mut siege, &format!("{word:?}"), &word);
    }
    over(siege);
}

#[test]
fn a_mark_of_another_place_session_or_direction_is_a_fault() {
    let _alone = alone();
    let mut siege = Siege::new();
    let marks = [raw::mark(ID, 8), raw::mark(ID ^ 1 << 63, 0), !raw::mark(ID, 0), 0];
    for mark in marks.into_iter().filter(|mark| *mark != raw::mark(ID, 0)) {
        is_a_fault(&mut siege, &format!("mark {mark}"), &raw::frame(23, 1, mark, 0, b"payload"));
    }
    over(siege);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_a_fault() {
    let _alone = alone();
    let mut siege = Siege::new();
    for ack in [8, 24, 1 << 40, u64::MAX - 7, u64::MAX, 3] {
        let what = format!("ack {ack}");
        is_a_fault(&mut siege, &what, &raw::frame(23, 1, raw::mark(ID, 0), ack, b"payload"));
        is_a_fault(&mut siege, &what, &raw::frame(16, 0, ACK, ack, b""));
    }
    over(siege);
}

#[test]
fn an_acknowledgement_inside_a_frame_is_a_fault() {
    let _alone = alone();
    let mut siege = Siege::new();
    let _ = log_in(&mut siege);
    siege.world().until("its end", |world| world.at_server().driver.connections() == 1);
    let now = siege.world().now;
    let server = siege.world().at_server();
    server.driver.link(now, &name("mallory")).unwrap().send(kind(1), &[0xaa; 100]).unwrap();
    server.app.notes.clear();
    for ack in [8, 16, 24, 112] {
        is_a_fault(&mut siege, &format!("ack {ack}"), &raw::frame(16, 0, HEARTBEAT, ack, b""));
    }
    over(siege);
}

#[test]
fn control_frames_of_unknown_kind_or_wrong_length_are_faults() {
    let _alone = alone();
    let mut siege = Siege::new();
    for code in [0, 4, 77, u16::MAX] {
        is_a_fault(&mut siege, &format!("control code {code}"), &raw::frame(16, 0, code, 0, b""));
    }
    for (code, len) in [(ACK, 24), (HEARTBEAT, 24), (CLOSE, 16), (CLOSE, 32), (ACK, 0), (ACK, u32::MAX)] {
        let frame = raw::frame(len, 0, code, 0, &[0; 16]);
        is_a_fault(&mut siege, &format!("control code {code} of length {len}"), &frame);
    }
    over(siege);
}

#[test]
fn data_of_kind_0_is_a_fault() {
    let _alone = alone();
    let mut siege = Siege::new();
    is_a_fault(&mut siege, "kind 0", &raw::frame(23, 0, raw::mark(ID, 0), 0, b"payload"));
    over(siege);
}

#[test]
fn padding_that_is_not_zero_is_a_fault() {
    let _alone = alone();
    let mut siege = Siege::new();
    for len in 17..24 {
        let mut frame = raw::frame(len, 1, raw::mark(ID, 0), 0, &[0; 8]);
        frame[23] = 1;
        is_a_fault(&mut siege, &format!("padding of a frame of length {len}"), &frame);
    }
    over(siege);
}

#[test]
fn a_fault_behind_good_messages_takes_nothing_back() {
    let _alone = alone();
    let mut siege = Siege::new();
    let mut mallory = log_in(&mut siege);
    let good = [raw::message(ID, 0, b"one"), raw::message(ID, 24, b"two")].concat();
    mallory.raw.say(&[good, vec![0; 16]].concat());
    mallory.raw.until(siege.world(), "an end", |raw| raw.ended);
    let app = &siege.world().at_server().app;
    let heard: Vec<_> = app.texts().into_iter().filter(|text| *text == "one" || *text == "two").collect();
    assert_eq!(heard, ["one", "two"]);
    let last = mallory.raw.understood().1.pop().unwrap();
    assert_eq!((last.kind, last.mark, last.ack), (0, CLOSE, 48), "both are acknowledged");
    assert_eq!(mallory.raw.close_reason(), Some(FAULT));
}

#[test]
fn random_frames_end_in_a_fault_and_change_nothing() {
    let _alone = alone();
    let mut siege = Siege::new();
    let mut random = fastrand::Rng::with_seed(0xf4a3);
    for round in 0..100 {
        let mut bytes = vec![0; 64];
        random.fill(&mut bytes);
        is_a_fault(&mut siege, &format!("random frame {round}"), &bytes);
    }
    over(siege);
}
