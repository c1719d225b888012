//! What carries a link: what the client wishes, the server offers and their memory permits. If that is
//! nothing, both are told why, and nothing was made for the asking.

mod support;

use std::fs;

use support::app::{App, Habit};
use support::files::{self, Home};
use support::stage::Stage;
use support::{World, client, server};
use tcpshm_driver::protocol::login::{CarrierWish, Carriers};
use tcpshm_driver::{Carrier, Outcome, RefusalCode};

const WISHES: [CarrierWish; 3] = [CarrierWish::Tcp, CarrierWish::Shm, CarrierWish::Auto];
const OFFERS: [Carriers; 3] = [Carriers::TCP, Carriers::SHM, Carriers::BOTH];

/// What is to come of a wish, an offer, and whether both use one directory.
fn expected(wish: CarrierWish, offer: Carriers, shared: bool) -> Option<Carrier> {
    let possible = |carrier| wish.allows(carrier) && offer.contains(carrier);
    let order = [possible(Carrier::Shm) && shared, possible(Carrier::Tcp)];
    [Carrier::Shm, Carrier::Tcp]
        .into_iter()
        .zip(order)
        .find(|(_, possible)| *possible)
        .map(|(carrier, _)| carrier)
}

#[test]
fn a_link_is_carried_as_wish_offer_and_memory_allow_or_refused_with_a_reason() {
    for wish in WISHES {
        for offer in OFFERS {
            for shared in [true, false] {
                check(wish, offer, shared);
            }
        }
    }
}

#[track_caller]
fn check(wish: CarrierWish, offer: Carriers, shared: bool) {
    let what = format!("{wish:?} with {offer:?}, shared: {shared}");
    let [ours, theirs] = Home::pair(if shared { Carrier::Shm } else { Carrier::Tcp });
    let mut world = World::<App, App>::new();
    let mut server = server(theirs.path());
    server.carriers = offer;
    let address = world.serve(server, App::with(Habit::Echo));
    let mut client = client(ours.path(), address);
    client.carrier = wish;
    world.connect(client, App::default());
    world.until("an answer", |world| {
        let client = &world.clients[0];
        client.driver.is_connected() || client.app.refusals().len() > 2
    });
    let memory_was_asked = wish != CarrierWish::Tcp && offer != Carriers::TCP;
    let told = world.at_server().app.not_shared.first().map(|(_, text)| text.clone());
    assert_eq!(told.is_some(), memory_was_asked && !shared, "{what}");
    assert!(told.is_none_or(|text| text.contains("c~client~server.link")), "{what}");

    let Some(carrier) = expected(wish, offer, shared) else {
        assert!(theirs.names().is_empty(), "{what}: {:?}", theirs.names());
        let (server, client) = world.both();
        assert!(client.app.outcomes().is_empty() && server.app.outcomes().is_empty(), "{what}");
        for (app, by_us) in [(&client.app, false), (&server.app, true)] {
            assert!(app.refusals().iter().all(|refused| refused.by_us == by_us), "{what}");
            let refusal = app.refusal(RefusalCode::NoCarrier).expect("the code").to_string();
            let reason = if memory_was_asked {
                "does not see the client's link file: another host, container or directory"
            } else if offer == Carriers::TCP {
                "over TCP only"
            } else {
                "over shared memory only"
            };
            assert!(refusal.contains(reason), "{what}: {refusal}");
        }
        return;
    };
    world.send(0, b"through");
    world.until("a reply", |world| world.clients[0].app.texts() == ["through"]);
    let (server, client) = world.both();
    for app in [&server.app, &client.app] {
        let granted: Vec<_> = app.connections().map(|login| (login.outcome, login.carrier)).collect();
        assert_eq!(granted, [(Outcome::Fresh, carrier)], "{what}");
        assert!(app.refusals().is_empty(), "{what}");
    }
}

/// A running server that sees the client's file, and whose own the client may not use: somebody gave it a
/// second name.
fn one_sided(wish: CarrierWish, offer: Carriers) -> (Stage, std::path::PathBuf) {
    let mut stage = Stage::over_with(Carrier::Shm, |server, client| {
        (server.carriers, client.carrier) = (offer, wish);
    });
    stage.stop_client();
    let extra = stage.theirs.path().join("extra");
    fs::hard_link(files::server_file(stage.theirs.path()), &extra).expect("a second name");
    stage.start_client(App::default());
    (stage, extra)
}

fn carriers(stage: &Stage) -> Vec<Carrier> {
    stage.world.clients[0].app.connections().map(|login| login.carrier).collect()
}

#[test]
fn a_client_that_cannot_use_the_servers_file_takes_tcp_where_it_may_and_memory_again_when_it_can() {
    let (mut stage, extra) = one_sided(CarrierWish::Auto, Carriers::BOTH);
    stage.connected();
    stage.exchange("over TCP");
    assert_eq!(carriers(&stage), [Carrier::Tcp]);
    let app = &stage.world.clients[0].app;
    assert!(app.refusals().is_empty());
    assert_eq!(app.not_shared.len(), 1);
    assert!(app.not_shared[0].1.contains("has 2 names"), "{:?}", app.not_shared);

    fs::remove_file(extra).expect("it is there");
    let now = stage.world.now;
    stage.world.clients[0].driver.link(now).expect("a link").close();
    stage.world.until("another connection", |world| world.clients[0].app.outcomes().len() == 2);
    assert_eq!(carriers(&stage), [Carrier::Tcp, Carrier::Shm]);
    stage.exchange("on we go");
}

#[test]
fn a_client_that_cannot_use_the_servers_file_and_may_not_take_tcp_is_told_and_goes_on_trying() {
    for (wish, offer) in [(CarrierWish::Shm, Carriers::BOTH), (CarrierWish::Auto, Carriers::SHM)] {
        let (mut stage, extra) = one_sided(wish, offer);
        stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 3);
        let app = &stage.world.clients[0].app;
        assert!(app.outcomes().is_empty());
        assert!(app.refusals().iter().all(|refused| refused.refusal.code == RefusalCode::NoCarrier));
        assert!(!app.not_shared.is_empty());
        if wish == CarrierWish::Shm {
            let refusal = app.refusal(RefusalCode::NoCarrier).expect("the code").to_string();
            assert!(refusal.contains("the client does not see the server's link file"), "{refusal}");
        }
        fs::remove_file(extra).expect("it is there");
        stage.connected();
        assert_eq!(carriers(&stage), [Carrier::Shm]);
        stage.exchange("on we go");
    }
}

/// What two containers see that were made from one image: every name and number is right, and the memory is
/// another.
#[test]
fn copies_of_the_files_in_another_directory_are_not_taken_for_shared_memory() {
    for (wish, carrier) in [(CarrierWish::Auto, Some(Carrier::Tcp)), (CarrierWish::Shm, None)] {
        let mut stage = Stage::new();
        stage.stop_client();
        stage.stop_server();
        stage.ours.copy_to(stage.theirs.path());
        stage.theirs.copy_to(stage.ours.path());
        let image = fs::read(files::client_file(stage.theirs.path())).expect("the copy");
        stage.client.carrier = wish;
        stage.start_server(App::with(Habit::Echo));
        stage.start_client(App::default());
        stage.world.until("an answer", |world| {
            let client = &world.clients[0];
            client.driver.is_connected() || client.app.refusals().len() > 2
        });
        let (server, client) = stage.world.both();
        assert!(server.app.not_shared[0].1.contains("it is not the memory that the peer writes"));
        assert!(server.app.disputes().is_empty() && client.app.disputes().is_empty());
        if carrier.is_none() {
            assert!(client.app.refusal(RefusalCode::NoCarrier).is_some());
        } else {
            stage.exchange("on we go");
        }
        assert_eq!(carriers(&stage), carrier.into_iter().collect::<Vec<_>>());
        assert!(fs::read(files::client_file(stage.theirs.path())).expect("the copy") == image);
    }
}

#[test]
fn two_clients_share_a_directory_with_their_server_and_each_has_a_link_of_its_own() {
    let mut stage = Stage::over(Carrier::Shm);
    let mut other = stage.client.clone();
    other.link.name = "other".parse().expect("a name");
    stage.world.connect(other, App::default());
    stage.world.until("the other link", |world| world.clients[1].driver.is_connected());
    stage.world.send(1, b"mine");
    stage.world.until("the reply", |world| world.clients[1].app.texts() == ["mine"]);
    stage.exchange("and mine");
    assert_eq!(stage.world.at_server().driver.connections(), 2);
}
