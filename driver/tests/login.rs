//! What the two sides tell each other at a login, and what ends one before any file is looked at.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::app::App;
use support::raw::{self, Raw};
use support::stage::Stage;
use support::{kind, limits, name};
use tcpshm_driver::protocol::login::{CarrierWish, Confirm, Hello, Holding, LoginMessage, Ready, Silence};
use tcpshm_driver::protocol::{AttachmentId, Nonce, Position, SessionId, Standing, Undelivered};
use tcpshm_driver::{Admission, Carrier, RefusalCode, SendError, UserData};

fn user_data(bytes: &[u8]) -> UserData {
    UserData::new(bytes).unwrap()
}

#[test]
fn a_denied_client_is_told_why_and_leaves_nothing() {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.ours.delete();
    let before = stage.theirs.contents();
    stage.world.at_server().app.admission = Admission::Deny("not on the list".into());
    stage.client.link.name = name("stranger");
    stage.start_client(App::default());
    stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 2);
    assert_eq!(stage.theirs.contents(), before);
    assert!(stage.ours.names().is_empty(), "nor does the client make a file");

    let (server, client) = stage.world.both();
    let refusal = client.app.refusal(RefusalCode::Denied).unwrap();
    assert_eq!(refusal.text.as_bytes(), b"not on the list");
    assert!(refusal.to_string().contains("not on the list"));
    let refused = *server.app.refusals().last().unwrap();
    assert!(refused.by_us && refused.refusal.code == RefusalCode::Denied);
    assert_eq!(refused.peer, Some(name("stranger")), "whoever it was had said so");

    server.app.admission = Admission::Admit(UserData::default());
    stage.connected();
}

#[test]
fn a_long_denial_is_cut() {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.world.at_server().app.admission = Admission::Deny("no ".repeat(1000));
    stage.start_client(App::default());
    stage.world.until("a refusal", |world| !world.clients[0].app.refusals().is_empty());
    let refusal = stage.world.clients[0].app.refusal(RefusalCode::Denied).unwrap();
    assert_eq!(refusal.text.as_bytes().len(), 200);
}

#[test]
fn a_client_that_means_another_server_is_refused_by_name() {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.client.server = Some(name("production"));
    stage.start_client(App::default());
    stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 2);
    let (server, client) = stage.world.both();
    let text = client.app.refusal(RefusalCode::WrongServer).unwrap().to_string();
    assert!(text.contains("production") && text.contains("server"), "{text}");
    assert_eq!(server.app.attempts.len(), 1, "the application is not even asked");
    assert_eq!(server.app.refusals()[0].peer, Some(name("client")));
    assert_eq!(stage.ours.names(), ["c~client~server.link"]);
}

#[test]
fn user_data_goes_both_ways_at_every_login() {
    let mut stage = Stage::with(|_, client| client.user_data = user_data(b"account 7"));
    stage.stop_client();
    stage.world.at_server().app.admission = Admission::Admit(user_data(&[0xab; 1024]));
    stage.start_client(App::default());
    stage.connected();
    let (server, client) = stage.world.both();
    for (who, bytes) in &server.app.attempts {
        assert_eq!((who.as_str(), &bytes[..]), ("client", &b"account 7"[..]));
    }
    assert_eq!(server.app.attempts.len(), 2);
    for connected in server.app.connections() {
        assert_eq!((connected.user_data.as_bytes(), connected.carrier), (&b"account 7"[..], Carrier::Tcp));
    }
    let connected = client.app.connections().next().unwrap();
    assert_eq!(connected.user_data.as_bytes(), [0xab; 1024]);
}

#[test]
fn a_message_larger_than_the_server_takes_is_refused_when_it_is_sent() {
    let mut stage = Stage::with(|server, _| server.link.limits.accept = limits(4096, 100).accept);
    let now = stage.world.now;
    let mut link = stage.world.clients[0].driver.link(now).unwrap();
    assert_eq!(link.send(kind(1), &[0; 101]), Err(SendError::TooLarge { len: 101, most: 100 }));
    link.send(kind(1), &[0; 100]).unwrap();
    drop(link);
    stage.world.until("the reply", |world| world.clients[0].app.received.len() == 2);
}

#[test]
fn a_ring_larger_than_the_peer_takes_is_as_large_as_it_takes() {
    let mut stage = Stage::with(|server, client| {
        server.link.limits.accept = limits(1024, 100).accept;
        client.link.limits.accept = limits(2048, 100).accept;
    });
    let now = stage.world.now;
    let (server, client) = stage.world.both();
    assert_eq!(client.driver.link(now).unwrap().space(), 1024 - 8);
    assert_eq!(server.driver.link(now, &name("client")).unwrap().space(), 2048 - 8);
    // What was asked for, not what was left of it, is what a restart compares with.
    stage.stop_client();
    stage.start_client(App::default());
    stage.connected();
    stage.stop_server();
    stage.start_server(App::with(support::app::Habit::Echo));
    stage.connected();
    stage.exchange("on we go");
}

#[test]
fn a_server_that_takes_less_than_it_promised_refuses_with_numbers_until_it_takes_it_again() {
    for (shrunk, numbers) in [(limits(2048, 512), [4096, 2048]), (limits(4096, 100), [512, 100])] {
        let mut stage = Stage::new();
        stage.stop_server();
        stage.world.send(0, &[b'x'; 500]);
        let old = stage.server.link.limits.accept;
        stage.server.link.limits.accept = shrunk.accept;
        stage.start_server(App::with(support::app::Habit::Echo));
        stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 2);
        let (server, client) = stage.world.both();
        assert_eq!(client.app.refusal(RefusalCode::LimitsShrunk).unwrap().numbers, numbers);
        assert_eq!(server.app.refusal(RefusalCode::LimitsShrunk).unwrap().numbers, numbers);
        assert!(client.app.disputes().is_empty() && server.app.disputes().is_empty());

        stage.stop_server();
        stage.server.link.limits.accept = old;
        stage.start_server(App::with(support::app::Habit::Echo));
        stage.world.until("the reply", |world| world.clients[0].app.received.len() == 2);
        assert_eq!(stage.world.clients[0].app.outcomes().len(), 2);
    }
}

#[test]
fn a_client_that_takes_less_than_it_promised_is_refused_with_numbers_too() {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.world.answer(&[b'x'; 500]);
    let old = stage.client.link.limits.accept;
    stage.client.link.limits.accept = limits(4096, 64).accept;
    stage.start_client(App::default());
    stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 2);
    let refusal = stage.world.clients[0].app.refusal(RefusalCode::LimitsShrunk).unwrap();
    assert_eq!(refusal.numbers, [512, 64]);
    stage.stop_client();
    stage.client.link.limits.accept = old;
    stage.start_client(App::default());
    stage.world.until("the message", |world| world.clients[0].app.received.len() == 1);
}

#[test]
fn a_stranger_that_wishes_shared_memory_and_shows_none_is_refused_and_nothing_is_made_for_it() {
    let mut stage = Stage::new();
    let before = stage.theirs.names();
    let hello = |wish| {
        raw::encode(LoginMessage::Hello(Hello {
            client: name("guest"),
            server: None,
            limits: limits(4096, 512),
            wish,
            silence: Silence::default(),
            user_data: UserData::default(),
        }))
    };
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.greet(&mut stage.world, &hello(CarrierWish::Shm));
    raw.answer(raw::confirm(5));
    raw.until(&mut stage.world, "an end", |raw| raw.ended);
    let refusal = raw.refusal().unwrap();
    assert_eq!(refusal.code, RefusalCode::NoCarrier);
    assert!(refusal.to_string().contains("another host, container or directory"), "{refusal}");
    assert_eq!(stage.theirs.names(), before);

    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.greet(&mut stage.world, &hello(CarrierWish::Auto));
    raw.answer(raw::confirm(5));
    raw.until(&mut stage.world, "an answer", |raw| raw.understood().0.len() == 2);
    let LoginMessage::Ready(ready) = &raw.understood().0[1] else { panic!("{:?}", raw.understood()) };
    assert_eq!(ready.carrier, Carrier::Tcp);
}

#[test]
fn nothing_can_be_committed_before_the_first_login() {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.stop_server();
    stage.ours.delete();
    stage.start_client(App::default());
    stage.world.pass(Duration::from_secs(3));
    let now = stage.world.now;
    assert!(stage.world.clients[0].driver.link(now).is_none(), "no server is known");
}

#[test]
fn a_client_that_knows_its_server_commits_before_it_is_connected() {
    let mut stage = Stage::new();
    stage.stop_server();
    stage.world.clients.clear();
    stage.start_client(App::default());
    stage.world.send(0, b"early");
    stage.start_server(App::with(support::app::Habit::Echo));
    stage.world.until("the reply", |world| world.clients[0].app.texts() == ["early"]);
}

#[test]
fn a_delayed_confirm_of_an_abandoned_connection_is_stale() {
    let mut stage = Stage::new();
    let [mut first, mut second] = welcomed(&mut stage);
    second.answer(raw::confirm(5));
    second.until(&mut stage.world, "a ready", |raw| raw.understood().0.len() == 2);
    first.answer(raw::confirm(5));
    first.until(&mut stage.world, "an end", |raw| raw.ended);
    assert_eq!(first.refusal().unwrap().code, RefusalCode::StaleConfirm);
    second.listen();
    assert!(!second.ended, "the later one is not disturbed");
}

/// Two connections of "guest" that were welcomed, in this order.
fn welcomed(stage: &mut Stage) -> [Raw; 2] {
    let mut both = [(); 2].map(|()| Raw::connect(stage.client.addresses[0]));
    for raw in &mut both {
        raw.greet(&mut stage.world, &raw::hello("guest"));
    }
    both
}

#[test]
fn a_delayed_confirm_is_stale_although_what_overtook_it_has_ended() {
    let mut stage = Stage::new();
    let [mut first, mut second] = welcomed(&mut stage);
    second.answer(raw::confirm(5));
    second.until(&mut stage.world, "a ready", |raw| raw.understood().0.len() == 2);
    drop(second);
    stage.world.until("its end", |world| world.at_server().driver.connections() == 1);
    first.answer(raw::confirm(5));
    first.until(&mut stage.world, "an end", |raw| raw.ended);
    assert_eq!(first.refusal().unwrap().code, RefusalCode::StaleConfirm);
}

#[test]
fn a_delayed_confirm_does_not_bring_back_a_proposal_that_was_refused_for_good() {
    let mut stage = Stage::new();
    let [mut first, mut second] = welcomed(&mut stage);
    let before = stage.theirs.names();
    let held = Holding {
        session: SessionId::new(5).unwrap(),
        attachment: AttachmentId::new(5).unwrap(),
        standing: Standing::START,
    };
    let both = Confirm { held: Some(held), proposed: Some(raw::proposal(6)), ..none() };
    second.answer(both);
    second.until(&mut stage.world, "an answer", |raw| raw.understood().0.len() == 2);
    assert_eq!(second.refusal().unwrap().code, RefusalCode::ProposalDead);
    // Said before, and on its way until now.
    first.answer(raw::confirm(6));
    first.until(&mut stage.world, "an answer", |raw| raw.understood().0.len() == 2);
    assert_eq!(first.refusal().map(|refusal| refusal.code), Some(RefusalCode::ProposalDead));
    assert_eq!(stage.theirs.names(), before);
}

/// What a client "guest" that holds the session 5 says, if it saw this Ready of it.
fn holding(ready: &Ready) -> Confirm {
    let held = Holding { session: ready.session, attachment: ready.attachment, standing: Standing::START };
    let undelivered = Undelivered { messages: 0, from: Position::ZERO, upto: Position::ZERO };
    Confirm { held: Some(held), undelivered: Some(undelivered), ..none() }
}

/// The answer to a Confirm of "guest"; the connection is over afterwards.
#[track_caller]
fn answer(stage: &mut Stage, confirm: Confirm) -> LoginMessage {
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.greet(&mut stage.world, &raw::hello("guest"));
    raw.answer(confirm);
    raw.until(&mut stage.world, "an answer", |raw| raw.understood().0.len() == 2);
    let answer = raw.understood().0.remove(1);
    drop(raw);
    stage.world.until("its end", |world| world.at_server().driver.connections() == 1);
    answer
}

#[test]
fn leave_to_reset_is_void_once_any_login_was_accepted_and_good_for_one() {
    let mut stage = Stage::new();
    let begin = |id| Confirm { proposed: Some(raw::proposal(id)), ..none() };
    let LoginMessage::Ready(ready) = answer(&mut stage, begin(5)) else { panic!("a first login") };
    let LoginMessage::Refusal(refusal) = answer(&mut stage, begin(6)) else { panic!("its state is lost") };
    assert_eq!(refusal.code, RefusalCode::PeerLostClient);
    let reset = Confirm { token: refusal.token, ..begin(6) };
    assert!(reset.token.is_some());

    assert!(matches!(answer(&mut stage, holding(&ready)), LoginMessage::Ready(_)));
    let LoginMessage::Refusal(refusal) = answer(&mut stage, reset) else { panic!("an old leave") };
    assert_eq!(refusal.code, RefusalCode::TokenVoid);

    let LoginMessage::Refusal(refusal) = answer(&mut stage, begin(6)) else { panic!("its state is lost") };
    let reset = Confirm { token: refusal.token, ..begin(6) };
    assert!(matches!(answer(&mut stage, reset.clone()), LoginMessage::Ready(_)));
    let again = Confirm { proposed: Some(raw::proposal(7)), ..reset };
    let LoginMessage::Refusal(refusal) = answer(&mut stage, again) else { panic!("a used leave") };
    assert_eq!(refusal.code, RefusalCode::TokenVoid);
}

/// Nothing shown.
fn none() -> Confirm {
    Confirm {
        held: None,
        proposed: None,
        disputed: false,
        token: None,
        undelivered: None,
        nonce: Nonce::new(1),
    }
}
