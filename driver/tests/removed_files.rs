//! A link file that somebody removes or replaces while its owner runs: both sides go on with what they have
//! mapped, and notice before a silence would be noticed. A removed file is made again; of a replaced one a
//! person has to say whose it is.

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use support::app::{App, Habit};
use support::files;
use support::stage::Stage;
use support::{kind, name};
use tcpshm_driver::{Carrier, Driver, Quarrel, RefusalCode, Silence};

carriers! {
    a_removed_file_is_noticed_within_the_silence_and_made_again_with_all_that_it_held,
    a_link_whose_file_was_removed_again_and_again_is_the_same_link_after_a_restart,
    a_file_replaced_by_a_copy_refuses_logins_until_it_is_moved_away_and_nobody_writes_to_it,
    a_directory_that_is_swept_under_load_loses_nothing,
    messages_held_while_their_file_is_removed_stay_redeemable,
    a_process_that_shuts_down_leaves_the_file_that_was_removed_under_it,
    a_sweep_that_takes_the_lock_too_is_told_and_ends_with_a_restart,
    a_reset_keeps_the_old_file_aside_although_it_was_removed,
}

/// A live link, and the file of one side to tamper with.
struct Tampering {
    stage: Stage,
    file: PathBuf,
    /// Whose it is.
    clients: bool,
}

const SILENCE: Duration = Duration::from_secs(5);

impl Tampering {
    fn over(carrier: Carrier, clients: bool) -> Self {
        let stage = Stage::over_with(carrier, |server, client| {
            let silence = Silence::new(SILENCE).expect("a sane silence");
            (server.link.silence, client.link.silence) = (silence, silence);
        });
        let file = if clients {
            files::client_file(stage.ours.path())
        } else {
            files::server_file(stage.theirs.path())
        };
        Tampering { stage, file, clients }
    }

    fn owner(&mut self) -> &App {
        let (server, client) = self.stage.world.both();
        if self.clients { &client.app } else { &server.app }
    }

    /// Turns until the owner of the file has noticed; that is soon enough.
    #[track_caller]
    fn is_noticed(&mut self) {
        let (before, start) = (self.owner().endings().len(), self.stage.world.now);
        let mut told = String::new();
        for _ in 0..50_000 {
            if let Some(ending) = self.owner().endings().get(before) {
                told = (*ending).to_owned();
                break;
            }
            self.stage.world.turn();
        }
        let path = self.file.to_str().expect("plain names").to_owned();
        // Whoever looks first tells the other, who may be the one whose peer's file is gone.
        assert!(told.contains(&path) || told == "ByPeer(Application)", "{told}");
        assert!(self.stage.world.now - start <= SILENCE, "{:?}", self.stage.world.now - start);
    }

    /// Neither side has heard of a loss.
    #[track_caller]
    fn lost_nothing(&mut self) {
        let (server, client) = self.stage.world.both();
        for app in [&server.app, &client.app] {
            assert!(app.disputes().is_empty() && app.resets().is_empty(), "{:?}", app.notes);
        }
    }
}

fn a_removed_file_is_noticed_within_the_silence_and_made_again_with_all_that_it_held(carrier: Carrier) {
    for clients in [true, false] {
        let mut tampering = Tampering::over(carrier, clients);
        fs::remove_file(&tampering.file).expect("it is there");
        tampering.stage.exchange("unimpressed");
        tampering.is_noticed();
        // In its file or out of it, what is committed is kept.
        tampering.stage.world.send(0, b"meanwhile");
        tampering.stage.world.until("the reply", |world| world.clients[0].app.texts().contains(&"meanwhile"));
        assert!(tampering.file.exists(), "the login has made it again");
        tampering.stage.exchange("on we go");
        tampering.lost_nothing();
    }
}

fn a_link_whose_file_was_removed_again_and_again_is_the_same_link_after_a_restart(carrier: Carrier) {
    for clients in [true, false] {
        let mut tampering = Tampering::over(carrier, clients);
        let id = tampering.stage.session_at_client();
        for _ in 0..3 {
            fs::remove_file(&tampering.file).expect("it is there");
            tampering.is_noticed();
            tampering.stage.connected();
            tampering.stage.exchange("once more");
        }
        let stage = &mut tampering.stage;
        stage.world.clients[0].app.received.clear();
        stage.stop_server();
        stage.world.send(0, b"over the restart");
        stage.world.clients.clear();
        stage.start_server(App::with(Habit::Echo));
        stage.start_client(App::default());
        stage.world.until("the reply", |world| world.clients[0].app.texts() == ["over the restart"]);
        assert_eq!(stage.session_at_client(), id);
        tampering.lost_nothing();
    }
}

fn a_file_replaced_by_a_copy_refuses_logins_until_it_is_moved_away_and_nobody_writes_to_it(carrier: Carrier) {
    for clients in [true, false] {
        let mut tampering = Tampering::over(carrier, clients);
        let image = fs::read(&tampering.file).expect("it is there");
        fs::remove_file(&tampering.file).expect("it is there");
        files::put(&tampering.file, &image);
        tampering.stage.exchange("unimpressed");
        tampering.is_noticed();
        tampering.stage.world.send(0, b"meanwhile");
        tampering.stage.world.until("refusals", |world| {
            let (server, client) = world.both();
            let app = if clients { &client.app } else { &server.app };
            app.refusals().len() > 2
        });
        assert!(tampering.owner().refusal(RefusalCode::Storage).is_some());
        let failures = tampering.owner().failures().join("\n");
        assert!(failures.contains("another file was put in the place of the one in use"), "{failures}");
        assert!(!tampering.stage.world.clients[0].driver.is_connected());
        assert!(fs::read(&tampering.file).expect("it is there") == image, "nobody writes to it");

        fs::rename(&tampering.file, tampering.file.with_extension("aside")).expect("it is there");
        tampering.stage.world.until("the reply", |world| world.clients[0].app.texts().contains(&"meanwhile"));
        tampering.stage.exchange("on we go");
        tampering.lost_nothing();
    }
}

fn a_directory_that_is_swept_under_load_loses_nothing(carrier: Carrier) {
    let mut tampering = Tampering::over(carrier, true);
    let stage = &mut tampering.stage;
    stage.world.clients[0].app.received.clear();
    // Turns take time here, so that checks come although it is never quiet.
    stage.world.tick = Duration::from_millis(20);
    let mut sent = 0;
    for _ in 0..10 {
        stage.ours.delete();
        stage.theirs.delete();
        for _ in 0..400 {
            let now = stage.world.now;
            let mut link = stage.world.clients[0].driver.link(now).expect("a link");
            // A window that leaves room for all replies.
            while link.undelivered().messages < 20 && link.send(kind(1), sent.to_string().as_bytes()).is_ok()
            {
                sent += 1;
            }
            drop(link);
            stage.world.turn();
        }
    }
    stage.world.until("all replies", |world| world.clients[0].app.received.len() == sent);
    stage.connected();
    assert!(stage.world.clients[0].app.endings().len() > 5, "{:?}", stage.world.clients[0].app.endings());
    let expected: Vec<String> = (0..sent).map(|number| number.to_string()).collect();
    assert_eq!(stage.world.clients[0].app.texts(), expected);
    tampering.lost_nothing();
}

fn messages_held_while_their_file_is_removed_stay_redeemable(carrier: Carrier) {
    for clients in [true, false] {
        let mut tampering = Tampering::over(carrier, clients);
        tampering.stage.world.at_server().app.habit = Habit::Hold;
        for text in ["one", "two", "three"] {
            tampering.stage.world.send(0, text.as_bytes());
        }
        tampering.stage.world.until("all of it", |world| world.at_server().app.held.len() == 3);
        fs::remove_file(&tampering.file).expect("it is there");
        tampering.is_noticed();
        tampering.stage.connected();
        let stage = &mut tampering.stage;
        let now = stage.world.now;
        let server = stage.world.at_server();
        assert_eq!(server.app.received.len(), 4, "they do not come twice");
        let mut link = server.driver.link(now, &name("client")).expect("it is live");
        for (held, text) in server.app.held.drain(..).zip(["one", "two", "three"]) {
            let received = link.redeem(held).expect("of this link");
            assert_eq!(received.payload(), text.as_bytes());
            link.consume(received).expect("in order");
        }
        drop(link);
        server.app.habit = Habit::Echo;
        stage.exchange("on we go");
        tampering.lost_nothing();
    }
}

fn a_process_that_shuts_down_leaves_the_file_that_was_removed_under_it(carrier: Carrier) {
    for clients in [true, false] {
        let mut tampering = Tampering::over(carrier, clients);
        tampering.stage.stop_client();
        tampering.stage.start_client(App::default());
        tampering.stage.connected();
        let stage = &mut tampering.stage;
        fs::remove_file(&tampering.file).expect("it is there");
        let now = stage.world.now;
        if clients {
            stage.world.send(0, b"last words");
            let client = &mut stage.world.clients[0];
            client.driver.shut_down(now, &mut client.app);
            stage.world.clients.clear();
            assert!(tampering.file.exists());
            stage.start_client(App::default());
        } else {
            stage.world.answer(b"last words");
            let server = stage.world.at_server();
            server.driver.shut_down(now, &mut server.app);
            stage.world.server = None;
            assert!(tampering.file.exists());
            stage.start_server(App::with(Habit::Echo));
        }
        stage.world.until("them", |world| world.clients[0].app.texts().contains(&"last words"));
        tampering.lost_nothing();
    }
}

/// Whoever finds the lock gone cannot know who has used the file meanwhile.
fn a_sweep_that_takes_the_lock_too_is_told_and_ends_with_a_restart(carrier: Carrier) {
    let mut tampering = Tampering::over(carrier, false);
    let lock = tampering.stage.theirs.path().join("s~server.lock");
    for file in [&tampering.file, &lock] {
        fs::remove_file(file).expect("it is there");
    }
    tampering.is_noticed();
    tampering.stage.world.send(0, b"meanwhile");
    let stage = &mut tampering.stage;
    stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 2);
    assert!(stage.world.clients[0].app.refusal(RefusalCode::Storage).is_some());
    let failures = stage.world.at_server().app.failures().join("\n");
    assert!(
        failures.contains("s~server.lock: the lock file was removed or replaced while in use"),
        "{failures}"
    );
    assert!(!tampering.file.exists(), "nothing is made under a lock that is none");
    stage.world.server = None;
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    let (server, client) = stage.world.both();
    assert!(client.app.was_asked(Quarrel::ServerLost, Some(1), None), "{:?}", client.app.disputes());
    assert_eq!((server.app.resets().len(), client.app.resets().len()), (1, 1), "both are told");
    stage.exchange("on we go");
}

fn a_reset_keeps_the_old_file_aside_although_it_was_removed(carrier: Carrier) {
    let mut tampering = Tampering::over(carrier, false);
    let stage = &mut tampering.stage;
    stage.stop_client();
    stage.world.answer(b"for nobody");
    stage.ours.delete();
    fs::remove_file(&tampering.file).expect("it is there");
    stage.start_client(App::default());
    stage.connected();
    let server = stage.world.at_server();
    assert_eq!(server.app.resets()[0].kept.as_ref().map(|kept| kept.1), Some(1));
    assert_eq!(server.driver.files().kept(None).expect("a list").len(), 1);
    stage.exchange("on we go");
}

/// Only the reader of a file looks after it soon; its owner would much later.
#[test]
fn a_peers_file_that_was_removed_under_shared_memory_is_noticed_by_its_reader() {
    for clients in [true, false] {
        let mut stage = Stage::over_with(Carrier::Shm, |server, client| {
            let silences = [3600, 5].map(|secs| Silence::new(Duration::from_secs(secs)).expect("sane"));
            let [owners, readers] = silences;
            (client.link.silence, server.link.silence) =
                if clients { (owners, readers) } else { (readers, owners) };
        });
        let file = if clients { files::client_file } else { files::server_file }(stage.ours.path());
        let start = stage.world.now;
        fs::remove_file(&file).expect("it is there");
        stage.world.until("the end", |world| !world.clients[0].app.endings().is_empty());
        assert!(stage.world.now - start <= SILENCE);
        stage.connected();
        let (server, client) = stage.world.both();
        let reader = if clients { &server.app } else { &client.app };
        let ending = reader.endings()[0];
        assert!(
            ending.starts_with("PeerFileGone") && ending.contains(file.to_str().expect("plain")),
            "{ending}"
        );
        assert!(file.exists(), "the login has made it again");
        stage.exchange("on we go");
    }
}
