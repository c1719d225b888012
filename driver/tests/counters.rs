//! What a link and a server tell in numbers.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::name;
use support::stage::Stage;
use tcpshm_driver::{Admission, Carrier, Counters, RefusalCode};

carriers! {
    a_link_counts_its_bytes_by_positions_and_its_logins_over_every_connection,
    a_link_says_what_carries_it_and_when_it_last_heard_of_the_other_side,
}

fn at_client(stage: &mut Stage) -> Counters {
    let now = stage.world.now;
    stage.world.clients[0].driver.link(now).unwrap().counters()
}

fn at_server(stage: &mut Stage) -> Counters {
    let now = stage.world.now;
    stage.world.at_server().driver.open_link(now, &name("client")).unwrap().unwrap().counters()
}

fn a_link_counts_its_bytes_by_positions_and_its_logins_over_every_connection(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let before = at_client(&mut stage);
    // "first" and its echo: 16 bytes and 5, rounded up.
    let positions = |found: &Counters| [found.committed, found.acked, found.consumed].map(|at| at.get());
    assert_eq!((positions(&before), before.logins, before.unacked()), ([24; 3], 1, 0));
    stage.exchange("the second one");
    let after = at_client(&mut stage);
    assert_eq!((positions(&after), after.logins), ([24 + 32; 3], 1));
    assert_eq!((after.delivered, after.held), (after.consumed, 0));
    assert!(after.space < after.capacity && after.space + 64 > after.capacity, "{after:?}");
    stage.stop_server();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    stage.exchange("third");
    let (client, server) = (at_client(&mut stage), at_server(&mut stage));
    assert_eq!((client.logins, server.logins), (2, 1), "of the session that is open, not of the link");
    assert_eq!(client.consumed, server.committed);
}

fn a_link_says_what_carries_it_and_when_it_last_heard_of_the_other_side(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    assert_eq!(at_client(&mut stage).carrier, Some(carrier));
    let before = at_client(&mut stage).heard.unwrap();
    // Heartbeats go on when nothing else does.
    let until = stage.world.now + Duration::from_secs(30);
    stage.world.until("a heartbeat", |world| world.now >= until);
    let heard = at_client(&mut stage).heard.unwrap();
    assert!(heard > before && heard <= stage.world.now);
    stage.stop_server();
    let found = at_client(&mut stage);
    assert_eq!((found.carrier, found.heard, found.logins), (None, None, 1));
}

#[test]
fn a_server_counts_its_links_and_whom_it_refused_and_why() {
    let mut stage = Stage::new();
    let counters = |stage: &mut Stage| stage.world.at_server().driver.counters();
    let found = counters(&mut stage);
    assert_eq!((found.connected, found.detached, &found.refused[..]), (1, 0, &[][..]));
    stage.stop_client();
    let found = counters(&mut stage);
    assert_eq!((found.connected, found.detached), (0, 1));
    stage.world.at_server().app.admission = Admission::Deny("not today".to_owned());
    stage.start_client(App::default());
    stage.world.until("two refusals", |world| world.at_server().app.refusals().len() >= 2);
    let found = counters(&mut stage);
    assert_eq!(found.refused_for(RefusalCode::Denied), stage.world.at_server().app.refusals().len() as u64);
    assert_eq!(found.refused_for(RefusalCode::Busy), 0);
}
