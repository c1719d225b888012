//! An older copy of one side's files is put back: it never passes for the original, however well its
//! positions fit.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit};
use support::files::Home;
use support::stage::Stage;
use tcpshm_driver::{Carrier, Outcome, Quarrel};

carriers! {
    an_older_copy_of_the_clients_files_is_noticed,
    a_copy_of_the_clients_files_whose_positions_fit_is_noticed,
    a_copy_taken_during_the_last_connection_is_noticed_by_its_positions,
    a_message_of_a_restored_copy_never_replaces_one_that_the_server_holds,
    an_older_copy_of_the_servers_files_is_noticed,
    a_copy_of_the_servers_files_whose_positions_fit_is_noticed,
    putting_back_the_newest_copy_is_no_divergence,
}

/// What both sides were told after a copy was put back, with the messages that were given up: the
/// client's, then the server's.
#[track_caller]
fn told_of_a_divergence(stage: &mut Stage, ours: u64, theirs: u64) {
    let (server, client) = stage.world.both();
    assert!(client.app.was_asked(Quarrel::Diverged, Some(ours), Some(theirs)), "{:?}", client.app.disputes());
    assert!(server.app.was_asked(Quarrel::Diverged, Some(theirs), Some(ours)), "{:?}", server.app.disputes());
    for (report, own, other, directory) in [
        (client.app.resets()[0], ours, theirs, client.driver.files()),
        (server.app.resets()[0], theirs, ours, server.driver.files()),
    ] {
        assert_eq!((report.undelivered, report.peer_undelivered), (Some(own), Some(other)));
        assert_eq!(report.kept.as_ref().unwrap().1, own);
        let kept = directory.kept(None).unwrap();
        assert_eq!((kept.len(), Some(kept[0].session)), (1, report.ended));
    }
    assert_eq!(client.app.outcomes().last(), Some(&Outcome::Reset));
    assert_eq!(server.app.outcomes().last(), Some(&Outcome::Reset));
    stage.exchange("on we go");
}

fn an_older_copy_of_the_clients_files_is_noticed(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    let backup = stage.ours.back_up();
    stage.start_client(App::default());
    stage.connected();
    stage.exchange("after the backup");
    stage.stop_client();
    stage.ours.restore(&backup);
    stage.start_client(App::default());
    stage.connected();
    told_of_a_divergence(&mut stage, 0, 0);
}

fn a_copy_of_the_clients_files_whose_positions_fit_is_noticed(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    let backup = stage.ours.back_up();
    stage.start_client(App::default());
    stage.connected();
    stage.world.at_server().app.habit = Habit::Consume;
    stage.world.send(0, b"lost");
    stage.world.until("the message", |world| world.at_server().app.texts().contains(&"lost"));
    stage.world.calm();
    stage.world.at_server().app.habit = Habit::Echo;
    stage.stop_client();
    stage.ours.restore(&backup);
    stage.start_client(App::default());
    // Ends exactly where the server says it has consumed.
    stage.world.send(0, b"fits");
    stage.connected();
    told_of_a_divergence(&mut stage, 1, 0);
}

fn a_copy_taken_during_the_last_connection_is_noticed_by_its_positions(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let backup = stage.ours.back_up();
    stage.exchange("lost");
    stage.stop_client();
    stage.ours.restore(&backup);
    stage.start_client(App::default());
    stage.world.send(0, b"fits");
    stage.connected();
    told_of_a_divergence(&mut stage, 1, 0);
}

fn a_message_of_a_restored_copy_never_replaces_one_that_the_server_holds(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.at_server().app.habit = Habit::Hold;
    let backup = stage.ours.back_up();
    stage.world.send(0, b"held");
    stage.world.until("the message", |world| world.at_server().app.held.len() == 1);
    stage.stop_client();
    stage.ours.restore(&backup);
    stage.start_client(App::default());
    stage.world.send(0, b"fits");
    stage.connected();
    stage.world.at_server().app.habit = Habit::Echo;
    told_of_a_divergence(&mut stage, 1, 0);
}

fn an_older_copy_of_the_servers_files_is_noticed(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_server();
    let backup = stage.theirs.back_up();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    stage.exchange("after the backup");
    stage.stop_server();
    stage.theirs.restore(&backup);
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    told_of_a_divergence(&mut stage, 0, 0);
}

fn a_copy_of_the_servers_files_whose_positions_fit_is_noticed(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_server();
    let backup = stage.theirs.back_up();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    stage.world.answer(b"lost");
    stage.world.until("the message", |world| world.clients[0].app.texts().contains(&"lost"));
    stage.world.calm();
    stage.stop_server();
    stage.theirs.restore(&backup);
    stage.start_server(App::with(Habit::Echo));
    // Ends exactly where the client says it has consumed.
    stage.world.answer(b"fits");
    stage.connected();
    told_of_a_divergence(&mut stage, 0, 1);
}

fn putting_back_the_newest_copy_is_no_divergence(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    stage.world.answer(b"for later");
    let [ours, theirs] = [&stage.ours, &stage.theirs].map(Home::back_up);
    stage.world.server = None;
    stage.ours.restore(&ours);
    stage.theirs.restore(&theirs);
    stage.start_server(App::with(Habit::Echo));
    stage.start_client(App::default());
    stage.world.until("the message", |world| world.clients[0].app.texts() == ["for later"]);
    let (server, client) = stage.world.both();
    assert_eq!((server.app.story(), client.app.story()), (vec!["Resumed".into()], vec!["Resumed".into()]));
    stage.exchange("on we go");
}
