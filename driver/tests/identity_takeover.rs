//! A client that comes back before the server knows that its old connection is dead takes its place.

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::app::App;
use support::stage::Stage;
use tcpshm_driver::Carrier;

carriers! {
    a_half_open_predecessor_gives_way_at_once_and_the_events_come_in_order,
    taking_over_again_and_again_loses_and_repeats_nothing,
}

/// A link that runs through a cable.
fn cabled(carrier: Carrier) -> Stage {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    let near = stage.world.lay_cable(stage.client.addresses[0]);
    stage.client.addresses = vec![near];
    stage.start_client(App::default());
    stage.connected();
    stage.world.at_server().app.notes.clear();
    stage.exchange("through the cable");
    stage
}

fn a_half_open_predecessor_gives_way_at_once_and_the_events_come_in_order(carrier: Carrier) {
    let mut stage = cabled(carrier);
    let start = stage.world.now;
    stage.world.cables[0].last().cut_client();
    stage.world.until("the client's notice", |world| !world.clients[0].app.endings().is_empty());
    assert_eq!(stage.world.at_server().driver.connections(), 1, "the server knows of nothing");
    stage.world.send(0, b"meanwhile");
    stage.connected();
    let end = match carrier {
        Carrier::Tcp => "Replaced",
        // It sees in the client's file that the client has left.
        Carrier::Shm => "Cut",
    };
    assert_eq!(stage.world.at_server().app.story(), [end, "Resumed"]);
    assert!(stage.world.now - start < Duration::from_secs(1), "without waiting for a silence");
    assert_eq!(stage.world.at_server().driver.connections(), 1);
    stage.world.until("the reply", |world| world.clients[0].app.texts().ends_with(&["meanwhile"]));
    stage.world.until("the old connection's end", |world| world.cables[0].wires[0].is_over());
    stage.exchange("on we go");
}

fn taking_over_again_and_again_loses_and_repeats_nothing(carrier: Carrier) {
    let mut stage = cabled(carrier);
    stage.world.clients[0].app.received.clear();
    for round in 0..20 {
        stage.world.send(0, format!("before {round}").as_bytes());
        (0..round % 7).for_each(|_| stage.world.turn());
        stage.world.cables[0].last().cut_client();
        stage.world.until("the client's notice", |world| !world.clients[0].driver.is_connected());
        stage.world.send(0, format!("after {round}").as_bytes());
        stage.connected();
    }
    stage.world.until("all replies", |world| world.clients[0].app.received.len() >= 40);
    stage.world.calm();
    let expected: Vec<String> =
        (0..20).flat_map(|round| [format!("before {round}"), format!("after {round}")]).collect();
    assert_eq!(stage.world.clients[0].app.texts(), expected);
    assert!(stage.world.at_server().app.disputes().is_empty());
}
