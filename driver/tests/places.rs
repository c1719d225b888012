//! What a name, a login or a link costs the server, and when it costs nothing any more.

mod support;

use std::fs;

use support::app::{App, Habit};
use support::files::Home;
use support::raw::{self, FAULT, Raw};
use support::stage::Stage;
use support::{client, files, name};
use tcpshm_driver::protocol::login::{CarrierWish, Hello, LoginMessage, Silence};
use tcpshm_driver::{Admission, Geometry, Limits, RefusalCode, UserData};

#[test]
fn a_link_that_has_ended_gives_its_place_to_another() {
    let mut stage = Stage::with(|server, _| server.max_links = 1);
    let directory = tempfile::tempdir().unwrap();
    let mut other = client(directory.path(), stage.client.addresses[0]);
    other.link.name = name("other");
    stage.world.connect(other, App::default());
    stage.world.until("refusals", |world| world.clients[1].app.refusals().len() > 2);
    assert!(stage.world.clients[1].app.refusal(RefusalCode::Overloaded).is_some());

    stage.world.clients.remove(0);
    stage.world.until("the other link", |world| world.clients[0].driver.is_connected());
    stage.world.answer(b"for the first");
    stage.start_client(App::default());
    stage.world.until("refusals", |world| world.clients[1].app.refusals().len() > 2);
    let refusals = stage.world.clients[1].app.refusals();
    assert!(refusals.iter().all(|refused| refused.refusal.code == RefusalCode::Overloaded));
    stage.exchange("meanwhile");

    stage.world.clients.remove(0);
    stage.connected();
    stage.world.until("what waited", |world| world.clients[0].app.texts() == ["for the first"]);
}

#[test]
fn somebody_who_is_denied_takes_over_no_link_even_with_its_files() {
    let mut stage = Stage::new();
    let directory = tempfile::tempdir().unwrap();
    stage.ours.copy_to(directory.path());
    let clone = client(directory.path(), stage.client.addresses[0]);
    stage.world.at_server().app.admission = Admission::Deny("not you".into());
    let before = [&stage.ours, &stage.theirs].map(Home::contents);
    stage.world.connect(clone.clone(), App::default());
    stage.world.until("refusals", |world| world.clients[1].app.refusals().len() > 2);
    assert!(stage.world.clients[1].app.refusal(RefusalCode::Denied).is_some());
    assert_eq!([&stage.ours, &stage.theirs].map(Home::contents), before);
    assert_eq!(stage.world.at_server().app.story(), ["Fresh"]);
    stage.exchange("on we go");

    // Let in, it could not be told from the original.
    stage.world.clients.truncate(1);
    files::delete(directory.path());
    stage.ours.copy_to(directory.path());
    stage.world.at_server().app.admission = Admission::Admit(UserData::default());
    stage.world.connect(clone, App::default());
    stage.world.until("the clone", |world| world.clients[1].driver.is_connected());
}

#[test]
fn what_a_peer_says_it_sends_and_takes_is_no_size_of_ours() {
    let mut stage = Stage::new();
    let huge = Geometry::new(Geometry::MAX_CAPACITY, Geometry::MAX_MESSAGE).unwrap();
    let hello = raw::encode(LoginMessage::Hello(Hello {
        client: name("giant"),
        server: None,
        limits: Limits { send: huge, accept: huge },
        wish: CarrierWish::Tcp,
        silence: Silence::MAX,
        user_data: UserData::default(),
    }));
    let mut raw = Raw::connect(stage.client.addresses[0]);
    raw.greet(&mut stage.world, &hello);
    raw.answer(raw::confirm(9));
    raw.until(&mut stage.world, "a ready", |raw| raw.understood().0.len() == 2);
    let size = |file: &str| fs::metadata(stage.theirs.path().join(file)).unwrap().len();
    assert_eq!(size("s~server~giant.link"), size("s~server~client.link"));
    // A message of a gigabyte is not waited for.
    raw.say(&raw::frame(16 + Geometry::MAX_MESSAGE, 1, raw::mark(9, 0), 0, b""));
    raw.until(&mut stage.world, "the end", |raw| raw.ended);
    assert_eq!(raw.close_reason(), Some(FAULT));
    assert_eq!(stage.world.at_server().app.habit, Habit::Echo);
    stage.exchange("on we go");
}
