//! Somebody between the two says again, byte for byte, what was once said in an accepted login: he is refused, and
//! its owner goes on.
//!
//! Over TCP only: whoever says it again has no memory to share.

mod support;

use support::app::{App, Habit};
use support::files;
use support::raw::{self, Raw};
use support::stage::Stage;
use tcpshm_driver::protocol::login::{Confirm, Holding, LoginMessage, Outcome, Ready};
use tcpshm_driver::protocol::{Standing, Undelivered};
use tcpshm_driver::{Position, RefusalCode, Silence};

const SESSION: u128 = 5;

/// The name of the owner in this test.
const OWNER: &str = "guest";

/// A link between a server and a client, which say nothing by themselves.
fn stage() -> Stage {
    Stage::with(|server, _| server.link.silence = Silence::MAX)
}

/// Logs the owner in with what it shows. Returns its connection, and all it said but for its first frame.
#[track_caller]
fn owner(stage: &mut Stage, shows: Confirm) -> (Raw, Vec<u8>) {
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.greet(&mut stage.world, &raw::hello(OWNER));
    let said = [raw::hello(OWNER), raw::answer(shows.clone(), raw.challenge())].concat();
    raw.answer(shows);
    raw.until(&mut stage.world, "an answer", |raw| raw.understood().0.len() == 2);
    (raw, said)
}

#[track_caller]
fn ready(raw: &Raw) -> Ready {
    match raw.understood().0.remove(1) {
        LoginMessage::Ready(ready) => ready,
        other => panic!("{other:?} in place of a ready"),
    }
}

/// What the owner shows that saw this Ready.
fn holding(ready: &Ready) -> Confirm {
    let held = Holding { session: ready.session, attachment: ready.attachment, standing: Standing::START };
    let undelivered = Undelivered { messages: 0, from: Position::ZERO, upto: Position::ZERO };
    Confirm { held: Some(held), proposed: None, undelivered: Some(undelivered), ..raw::confirm(SESSION) }
}

/// Somebody says all of it, in one breath. It is refused, and no byte of the owner's link changes.
#[track_caller]
fn is_refused(stage: &mut Stage, said: &[u8]) {
    let file = stage.theirs.path().join(format!("s~server~{OWNER}.link"));
    let (before, names) = (files::content(&file), stage.theirs.names());
    let mut again = Raw::connect(stage.client.addresses[0]);
    again.say(said);
    again.until(&mut stage.world, "an end", |raw| raw.ended);
    assert_eq!(again.refusal().map(|refusal| refusal.code), Some(RefusalCode::StaleConfirm));
    assert!(stage.world.at_server().app.refusal(RefusalCode::StaleConfirm).is_some());
    assert_eq!(files::content(&file), before, "not a byte");
    assert_eq!(stage.theirs.names(), names);
}

#[test]
fn to_a_live_server_is_refused_and_the_owner_is_not_disturbed() {
    let mut stage = stage();
    let (mut raw, mut said) = owner(&mut stage, raw::confirm(SESSION));
    is_refused(&mut stage, &said);

    let message = raw::message(SESSION, 0, b"first");
    raw.say(&message);
    raw.until(&mut stage.world, "an echo", |raw| raw.understood().1.iter().any(|it| it.payload == b"first"));
    said.extend(message);
    is_refused(&mut stage, &said);
    raw.listen();
    assert!(!raw.ended);
    stage.exchange("the others, too");
}

#[test]
fn to_a_server_that_ended_before_the_first_frame_and_came_back_is_refused_and_the_owner_resumes() {
    let mut stage = stage();
    // Its first login, and one with a history.
    let mut shows = raw::confirm(SESSION);
    for outcome in [Outcome::Fresh, Outcome::Resumed] {
        let (raw, said) = owner(&mut stage, shows);
        let ready = ready(&raw);
        assert_eq!(ready.outcome, outcome);
        // It has stored the attachment, and its first frame is on the way.
        let said = [said, raw::message(SESSION, 0, b"first")].concat();
        stage.stop_server();
        drop(raw);
        stage.start_server(App::with(Habit::Echo));
        stage.connected();
        stage.world.calm();
        is_refused(&mut stage, &said);
        shows = holding(&ready);
    }
    let (raw, _) = owner(&mut stage, shows);
    assert_eq!(ready(&raw).outcome, Outcome::Resumed);
    stage.exchange("the others, too");
}
