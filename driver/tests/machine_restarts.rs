//! A machine that was started anew is told from a process that was: whatever was written last before may be
//! lost, and the application that cares can ask its peer.

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::path::Path;

use support::app::{App, Habit};
use support::files;
use support::stage::Stage;
use tcpshm_driver::Carrier;

carriers! {
    each_side_is_told_once_that_its_own_machine_was_restarted,
}

/// Makes a file one that was last used in another boot.
fn age(path: &Path) {
    files::write_at(path, 1304, &77_u64.to_le_bytes());
}

/// What each connection of this application so far was told.
fn restarts(app: &App) -> Vec<bool> {
    app.connections().map(|connected| connected.machine_restarted).collect()
}

fn each_side_is_told_once_that_its_own_machine_was_restarted(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    assert_eq!(restarts(&stage.world.at_server().app), [false], "a first connection");

    stage.stop_client();
    age(&files::client_file(stage.ours.path()));
    for told in [true, false] {
        stage.start_client(App::default());
        stage.connected();
        assert_eq!(restarts(&stage.world.clients[0].app), [told]);
        stage.exchange("and on it goes");
        stage.stop_client();
    }
    assert_eq!(restarts(&stage.world.at_server().app), [false; 3], "it was not the server's machine");

    stage.stop_server();
    age(&files::server_file(stage.theirs.path()));
    stage.start_client(App::default());
    for told in [true, false] {
        stage.start_server(App::with(Habit::Echo));
        stage.world.until("a link", |world| world.clients[0].driver.is_connected());
        assert_eq!(restarts(&stage.world.at_server().app), [told]);
        stage.exchange("again");
        stage.stop_server();
    }
    assert_eq!(restarts(&stage.world.clients[0].app), [false; 2]);
}
