//! A strict policy on either side keeps everything as it is until somebody has decided, and so does a
//! full shelf of files kept aside.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::files::{self, Home};
use support::quarrel::{QUARRELS, Quarrelling};
use support::stage::Stage;
use tcpshm_driver::{Carrier, LoginRefused, Policy, RefusalCode};

carriers! {
    a_strict_server_refuses_with_counts_and_changes_no_file,
    a_strict_client_refuses_with_counts_and_changes_no_file,
    a_person_who_decides_on_both_sides_ends_the_matter_without_a_restart,
    a_server_that_keeps_enough_files_refuses_the_next_reset_until_one_is_released,
    a_client_that_keeps_enough_files_refuses_the_next_reset_until_one_is_released,
    a_server_that_has_nothing_to_keep_is_not_kept_from_a_reset_by_what_it_kept_before,
}

fn echo(app: App) -> App {
    App { habit: Habit::Echo, ..app }
}

/// Starts both, lets them try for a while, and checks that they are told and no file changes.
#[track_caller]
fn nothing_changes(quarrelling: &mut Quarrelling, server: App, client: App) {
    let Quarrelling { stage, code, ours, theirs } = quarrelling;
    let [mut at_ours, at_theirs] = [&stage.ours, &stage.theirs].map(Home::contents);
    stage.start_server(server);
    stage.start_client(client);
    if let Some(opened) = at_ours.get_mut(&files::client_file(stage.ours.path())) {
        // Opening one's own file is not the login's doing.
        *opened = files::content(&files::client_file(stage.ours.path()));
    }
    stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 1);
    let prepared = stage.ours.contents();
    stage.world.pass(Duration::from_secs(20));
    assert!(stage.theirs.contents() == at_theirs, "{code:?}: the server's files");
    assert!(stage.ours.contents() == prepared, "{code:?}: more files at every attempt");
    for (path, content) in at_ours {
        assert!(prepared[&path] == content, "{code:?}: {}", path.display());
    }

    let count = |refused: &LoginRefused| refused.refusal.undelivered.map(|undelivered| undelivered.messages);
    let (server, client) = stage.world.both();
    let refusals = client.app.refusals();
    assert!(refusals.len() > 5, "it goes on trying");
    for refused in refusals {
        assert_eq!((refused.refusal.code, refused.by_us, count(refused)), (*code, false, *theirs));
    }
    for refused in server.app.refusals() {
        assert_eq!((refused.refusal.code, refused.by_us, count(refused)), (*code, true, *theirs));
    }
    let told = |app: &App, own: Option<u64>, other: Option<u64>| {
        app.disputes().iter().all(|dispute| app.was_asked(dispute.quarrel, own, other))
    };
    assert!(told(&client.app, *ours, *theirs) && told(&server.app, *theirs, *ours), "{code:?}");
    assert!(!client.app.disputes().is_empty() && !server.app.disputes().is_empty());
    assert!(client.app.resets().is_empty() && server.app.resets().is_empty());
}

fn a_strict_server_refuses_with_counts_and_changes_no_file(carrier: Carrier) {
    for quarrel in QUARRELS {
        nothing_changes(&mut quarrel(carrier), App::strict(), App::default());
    }
}

fn a_strict_client_refuses_with_counts_and_changes_no_file(carrier: Carrier) {
    for quarrel in QUARRELS {
        nothing_changes(&mut quarrel(carrier), App::default(), App::strict());
    }
}

fn a_person_who_decides_on_both_sides_ends_the_matter_without_a_restart(carrier: Carrier) {
    for quarrel in QUARRELS {
        let mut quarrelling = quarrel(carrier);
        nothing_changes(&mut quarrelling, echo(App::strict()), App::strict());
        let mut stage = quarrelling.stage;
        let (server, client) = stage.world.both();
        (server.app.policy, client.app.policy) = (Policy::Reset, Policy::Reset);
        stage.connected();
        assert_eq!(stage.world.clients[0].app.resets().len(), 1);
        stage.exchange("on we go");
    }
}

fn a_server_that_keeps_enough_files_refuses_the_next_reset_until_one_is_released(carrier: Carrier) {
    let mut stage = Stage::over_with(carrier, |server, _| server.link.max_kept = 1);
    for _ in 0..2 {
        stage.stop_client();
        stage.ours.delete();
        stage.start_client(App::default());
        stage.world.until("an end", |world| {
            world.clients[0].driver.is_connected() || !world.clients[0].app.refusals().is_empty()
        });
    }
    let before = stage.theirs.contents();
    stage.world.pass(Duration::from_secs(20));
    let (server, client) = stage.world.both();
    assert_eq!(stage.theirs.contents(), before);
    assert_eq!(client.app.refusal(RefusalCode::KeptFull).unwrap().numbers, [1, 1]);
    assert_eq!(server.app.refusal(RefusalCode::KeptFull).unwrap().numbers, [1, 1]);

    let kept = server.driver.files().kept(None).unwrap();
    server.driver.files().release(&kept[0]).unwrap();
    stage.connected();
    stage.exchange("on we go");
}

fn a_client_that_keeps_enough_files_refuses_the_next_reset_until_one_is_released(carrier: Carrier) {
    let mut stage = Stage::over_with(carrier, |_, client| client.link.max_kept = 1);
    for _ in 0..2 {
        stage.stop_server();
        stage.theirs.delete();
        stage.start_server(App::with(Habit::Echo));
        stage.world.until("an end", |world| {
            let client = &world.clients[0];
            client.driver.is_connected() || !client.app.refusals().is_empty()
        });
    }
    stage.world.pass(Duration::from_secs(20));
    let client = &mut stage.world.clients[0];
    assert_eq!(client.app.refusal(RefusalCode::KeptFull).unwrap().numbers, [1, 1]);
    assert!(!client.driver.is_connected());

    let kept = client.driver.files().kept(None).unwrap();
    assert_eq!(kept.len(), 1);
    client.driver.files().release(&kept[0]).unwrap();
    stage.connected();
    stage.exchange("on we go");
}

fn a_server_that_has_nothing_to_keep_is_not_kept_from_a_reset_by_what_it_kept_before(carrier: Carrier) {
    let mut stage = Stage::over_with(carrier, |server, _| server.link.max_kept = 1);
    stage.stop_client();
    stage.ours.delete();
    stage.start_client(App::default());
    stage.connected();
    assert_eq!(stage.world.at_server().driver.files().kept(None).unwrap().len(), 1);
    stage.stop_server();
    std::fs::remove_file(files::server_file(stage.theirs.path())).unwrap();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    stage.exchange("on we go");
}
