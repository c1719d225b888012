//! A server that cannot use a link file refuses that link with the reason, leaves the file as it is, and
//! serves the others.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::app::{App, Habit, Note};
use support::stage::Stage;
use support::{client, files, limits};
use tcpshm_driver::shm::DirectoryError;
use tcpshm_driver::{RefusalCode, Server, SetupError};

/// What happens to the file, and a part of what has to be said about it.
type Damage = (fn(&Path), &'static str);

const DAMAGES: [Damage; 10] = [
    (|path| truncate(path, 0), "0 bytes are too few"),
    (|path| truncate(path, 100), "100 bytes are too few"),
    (|path| truncate(path, 4096), "cut off or"),
    (|path| truncate(path, 5000), "5000"),
    (|path| files::write_at(path, 0, &[0; 8]), "never finished"),
    (|path| files::write_at(path, 0, &[0; 4096]), "never finished"),
    (|path| files::write_at(path, 8, &[2]), "format 2"),
    (|path| files::write_at(path, 100, &[0xff]), "checksum"),
    // The first frame that the client has not consumed.
    (|path| files::write_at(path, 4096 + 48, &[0; 8]), "damaged"),
    (|path| chmod(path, 0o400), "chmod 600"),
];

fn truncate(path: &Path, len: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A server that has two links, with clients "client" and "other"; the former has a message waiting.
fn stage() -> (Stage, tempfile::TempDir) {
    let mut stage = Stage::new();
    let directory = tempfile::tempdir().unwrap();
    let mut config = client(directory.path(), stage.client.addresses[0]);
    config.link.name = "other".parse().unwrap();
    stage.world.connect(config, App::default());
    stage.world.until("the other link", |world| world.clients[1].driver.is_connected());
    stage.world.clients[0].app.habit = Habit::Ignore;
    stage.world.answer(b"waiting");
    stage.world.answer(b"waiting too");
    stage.world.until("both", |world| world.clients[0].app.received.len() == 3);
    // An acknowledgement, with which the server's file learns how far it must reach.
    let client = &mut stage.world.clients[0];
    let Note::Unconsumed(first) = client.app.notes[1] else { panic!("{:?}", client.app.notes) };
    client.driver.link(stage.world.now).unwrap().consume_through(first).unwrap();
    stage.world.calm();
    stage.stop_server();
    (stage, directory)
}

#[test]
fn a_damaged_file_is_told_with_its_name_left_alone_and_used_again_when_it_is_mended() {
    let (mut stage, _directory) = stage();
    let file = files::server_file(stage.theirs.path());
    let mut whole = fs::read(&file).unwrap();
    for (damage, text) in DAMAGES {
        damage(&file);
        let damaged = fs::read(&file).unwrap();
        stage.start_server(App::with(Habit::Echo));
        stage.world.clients.iter_mut().for_each(|client| client.app.notes.clear());
        stage.world.until("a refusal", |world| !world.clients[0].app.refusals().is_empty());
        stage.world.until("the other link", |world| world.clients[1].driver.is_connected());

        assert!(fs::read(&file).unwrap() == damaged, "{text}: the file has changed");
        let failures = stage.world.at_server().app.failures().join("\n");
        assert!(failures.contains(file.to_str().unwrap()) && failures.contains(text), "{text}: {failures}");
        let refusal = stage.world.clients[0].app.refusal(RefusalCode::Storage).expect(text).to_string();
        assert!(
            !refusal.contains(stage.theirs.path().to_str().unwrap()),
            "a peer learns no paths: {refusal}"
        );
        let before = stage.world.clients[1].app.received.len();
        stage.world.send(1, b"is it you?");
        stage.world.until("the other's reply", |world| world.clients[1].app.received.len() > before);

        chmod(&file, 0o600);
        fs::write(&file, &whole).unwrap();
        stage.connected();
        assert_eq!(stage.world.clients[0].app.story(), ["Resumed"], "{text}");
        stage.stop_server();
        whole = fs::read(&file).unwrap();
    }
}

#[test]
fn another_ring_size_in_the_configuration_is_told_with_both_sizes() {
    let (mut stage, _directory) = stage();
    let file = files::server_file(stage.theirs.path());
    let before = fs::read(&file).unwrap();
    let old = stage.server.link.limits;
    stage.server.link.limits.send = limits(8192, 512).send;
    stage.start_server(App::with(Habit::Echo));
    stage.world.until("a refusal", |world| !world.clients[0].app.refusals().is_empty());
    assert!(fs::read(&file).unwrap() == before);
    let failures = stage.world.at_server().app.failures().join("\n");
    assert!(failures.contains("4096") && failures.contains("8192"), "{failures}");
    assert!(stage.world.clients[0].app.refusal(RefusalCode::Storage).is_some());

    stage.stop_server();
    stage.server.link.limits = old;
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
}

#[test]
fn a_file_of_another_size_is_used_as_it_is_where_the_configuration_says_so() {
    let (mut stage, _directory) = stage();
    stage.server.link.limits.send = limits(8192, 512).send;
    stage.server.link.adopt_geometry = true;
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    assert_eq!(stage.world.clients[0].app.outcomes().len(), 2);
}

#[test]
fn a_second_server_under_the_same_name_and_directory_cannot_be_set_up() {
    let mut stage = Stage::new();
    let before = stage.theirs.contents();
    let mut config = stage.server.clone();
    config.listen = vec![support::loopback()];
    let error = Server::bind(config).unwrap_err();
    assert!(matches!(error, SetupError::Directory(DirectoryError::Locked { .. })), "{error}");
    let lock = stage.theirs.path().join("s~server.lock");
    assert!(error.to_string().contains(lock.to_str().unwrap()), "{error}");
    assert_eq!(stage.theirs.contents(), before);
    stage.exchange("on we go");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let stage = Stage::new();
    let directory = tempfile::tempdir().unwrap();
    let mut config = stage.server.clone();
    config.link.directory = directory.path().into();
    let error = Server::bind(config).unwrap_err();
    assert!(
        matches!(error, SetupError::Listen { address, .. } if address == stage.server.listen[0]),
        "{error}"
    );
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    chmod(directory.path(), 0o777);
    let error = Server::bind(support::server(directory.path())).unwrap_err();
    assert!(matches!(error, SetupError::Directory(DirectoryError::WrongMode { mode: 0o777, .. })), "{error}");
}

#[test]
fn a_reset_whose_last_step_was_cut_off_by_a_kill_is_finished_at_the_next_login() {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.world.answer(b"for nobody");
    stage.ours.delete();
    stage.start_client(App::default());
    stage.connected();
    let current = stage.session_at_server().get();
    let server = stage.world.at_server();
    let kept = server.driver.files().kept(None).unwrap().remove(0);
    stage.stop_server();
    // The names were exchanged, and the old file has not got its new name yet.
    let half_way = stage.theirs.path().join(format!("s~server~client.link.{current:032x}.new"));
    fs::rename(&kept.path, &half_way).unwrap();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    assert!(!half_way.exists());
    let again = stage.world.at_server().driver.files().kept(None).unwrap().remove(0);
    assert_eq!((again.session, again.undelivered.unwrap().messages), (kept.session, 1));
    stage.exchange("on we go");
}
