//! Links without a connection: what a server keeps open of them, and what it opens when it is asked.

mod support;

use support::app::{App, Habit};
use support::stage::Stage;
use support::{client, kind, name};

#[test]
fn a_link_that_has_a_file_is_opened_however_many_others_hold_messages() {
    let mut stage = Stage::with(|server, _| server.max_detached = 1);
    let directory = tempfile::tempdir().unwrap();
    let mut other = client(directory.path(), stage.client.addresses[0]);
    other.link.name = name("other");
    stage.world.connect(other.clone(), App::default());
    stage.world.until("the other link", |world| world.clients[1].driver.is_connected());
    stage.world.calm();
    stage.world.clients.truncate(1);
    stage.world.at_server().app.habit = Habit::Hold;
    stage.world.send(0, b"held");
    stage.world.until("the message", |world| world.at_server().app.held.len() == 1);
    stage.stop_client();

    let now = stage.world.now;
    let server = stage.world.at_server();
    let mut link = server.driver.open_link(now, &name("other")).unwrap().expect("it has a file");
    link.send(kind(2), b"for later").unwrap();
    drop(link);
    // What is held can still be redeemed.
    let mut link = server.driver.link(now, &name("client")).expect("it is open");
    let received = link.redeem(server.app.held.pop().unwrap()).unwrap();
    link.consume(received).unwrap();
    drop(link);
    stage.world.connect(other, App::default());
    stage.world.until("the message", |world| world.clients[0].app.texts() == ["for later"]);
}
