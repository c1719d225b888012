//! A reset that is cut anywhere is finished by the next login, and told once on each side, with the counts.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit};
use support::quarrel::QUARRELS;
use tcpshm_driver::Carrier;

carriers! {
    a_reset_cut_while_the_client_speaks_is_finished_by_the_next_login,
    a_reset_cut_while_the_server_speaks_is_finished_by_the_next_login,
}

/// Bytes between the cuts that are tried; each kind of quarrel starts at another one.
const STEP: usize = 11;

/// Resets a link on a cable that carries so many bytes on each connection until it is cut once. Returns
/// whether it had to be cut.
#[track_caller]
fn reset_with_a_cut(carrier: Carrier, number: usize, up: usize, down: usize) -> bool {
    let quarrelling = QUARRELS[number](carrier);
    let (mut stage, ours, theirs) = (quarrelling.stage, quarrelling.ours, quarrelling.theirs);
    let what = format!("{:?} cut after {up} and {down} bytes", quarrelling.code);
    stage.start_server(App::with(Habit::Echo));
    let near = stage.world.lay_cable(stage.server.listen[0]);
    stage.client.addresses = vec![near];
    (stage.world.cables[0].up, stage.world.cables[0].down) = (up, down);
    stage.start_client(App::default());
    let stuck = |lane: &support::cable::Lane| lane.allowed == 0;
    stage.world.until("a cut or a link", |world| {
        let wire = world.cables[0].wires.last();
        world.clients[0].driver.is_connected()
            || wire.is_some_and(|wire| stuck(&wire.to_client) || stuck(&wire.to_server))
    });
    (0..5).for_each(|_| stage.world.turn());
    let cut = !stage.world.clients[0].driver.is_connected();
    stage.world.cables[0].last().cut();
    (stage.world.cables[0].up, stage.world.cables[0].down) = (usize::MAX, usize::MAX);
    stage.world.until("the client's notice", |world| !world.clients[0].driver.is_connected());
    stage.connected();
    stage.world.calm();
    assert!(stage.world.clients[0].driver.is_connected());

    let (server, client) = stage.world.both();
    for (app, own, other) in [(&server.app, theirs, ours), (&client.app, ours, theirs)] {
        let resets = app.resets();
        assert_eq!(resets.len(), 1, "{what}: {:?}", app.story());
        assert_eq!((resets[0].undelivered, resets[0].peer_undelivered), (own, other), "{what}");
        assert_eq!(resets[0].kept.as_ref().map(|kept| kept.1), own, "{what}");
    }
    let sides = [(server.driver.files(), &stage.theirs, theirs), (client.driver.files(), &stage.ours, ours)];
    for (directory, home, own) in sides {
        assert_eq!(directory.kept(None).unwrap().len(), usize::from(own.is_some()), "{what}");
        let names = home.names();
        assert!(names.iter().all(|name| !name.ends_with(".new")), "{what}: {names:?}");
    }
    stage.world.clients[0].app.received.clear();
    stage.exchange("on we go");
    cut
}

fn a_reset_cut_while_the_client_speaks_is_finished_by_the_next_login(carrier: Carrier) {
    for number in 0..QUARRELS.len() {
        let mut cut = 1 + number;
        while reset_with_a_cut(carrier, number, cut, usize::MAX) {
            cut += STEP;
        }
        assert!(cut > 100);
    }
}

fn a_reset_cut_while_the_server_speaks_is_finished_by_the_next_login(carrier: Carrier) {
    for number in 0..QUARRELS.len() {
        let mut cut = 1 + number;
        while reset_with_a_cut(carrier, number, usize::MAX, cut) {
            cut += STEP;
        }
        assert!(cut > 100);
    }
}
