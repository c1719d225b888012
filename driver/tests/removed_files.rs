//! A link file that somebody removes or replaces while its owner runs: the owner goes on with what it has
//! mapped, and the next start of the process tells what is missing.

mod support;

use std::fs;
use std::path::PathBuf;

use support::app::{App, Habit};
use support::files;
use support::stage::Stage;
use tcpshm_driver::Quarrel;

/// A live link, and what happens to the file of one side.
struct Tampering {
    stage: Stage,
    file: PathBuf,
    /// Whose it is.
    clients: bool,
}

impl Tampering {
    fn with(clients: bool) -> Self {
        let stage = Stage::new();
        let file = if clients {
            files::client_file(stage.ours.path())
        } else {
            files::server_file(stage.theirs.path())
        };
        Tampering { stage, file, clients }
    }

    /// The link goes on, through a new connection too: the process has what it needs.
    #[track_caller]
    fn goes_on(&mut self) {
        self.stage.exchange("unimpressed");
        let now = self.stage.world.now;
        self.stage.world.clients[0].driver.link(now).expect("a link").close();
        self.stage.world.until("the end", |world| !world.clients[0].driver.is_connected());
        self.stage.connected();
        self.stage.exchange("still there");
        let (server, client) = self.stage.world.both();
        assert!(server.app.disputes().is_empty() && client.app.disputes().is_empty());
    }

    /// Both are told at the first login of the next process, and start anew.
    #[track_caller]
    fn is_told_after_a_restart(&mut self, quarrel: Quarrel) {
        if self.clients {
            self.stage.stop_client();
            self.stage.start_client(App::default());
        } else {
            self.stage.stop_server();
            self.stage.start_server(App::with(Habit::Echo));
        }
        self.stage.connected();
        let (server, client) = self.stage.world.both();
        for app in [&server.app, &client.app] {
            assert!(app.disputes().iter().all(|dispute| dispute.quarrel == quarrel), "{:?}", app.disputes());
            assert!(!app.disputes().is_empty());
            assert_eq!(app.resets().len(), 1);
        }
        self.stage.exchange("on we go");
    }
}

#[test]
fn a_removed_file_harms_nobody_while_its_owner_runs_and_is_told_when_it_starts_again() {
    for (clients, quarrel) in [(true, Quarrel::ClientLost), (false, Quarrel::ServerLost)] {
        let mut tampering = Tampering::with(clients);
        fs::remove_file(&tampering.file).unwrap();
        tampering.goes_on();
        tampering.is_told_after_a_restart(quarrel);
    }
}

#[test]
fn a_file_replaced_by_an_older_copy_is_not_looked_at_before_the_next_start_and_diverges_then() {
    for clients in [true, false] {
        let mut tampering = Tampering::with(clients);
        let directory = tampering.file.parent().unwrap().to_owned();
        let copy = files::back_up(&directory);
        files::restore(&directory, &copy);
        tampering.goes_on();
        assert!(fs::read(&tampering.file).unwrap() == copy[&tampering.file], "nobody writes to it");
        tampering.is_told_after_a_restart(Quarrel::Diverged);
    }
}
