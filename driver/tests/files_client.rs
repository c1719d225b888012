//! A client that cannot use its link file says which and why, and leaves it as it is.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;

use support::app::{App, Habit};
use support::stage::Stage;
use support::{files, limits};
use tcpshm_driver::shm::DirectoryError;
use tcpshm_driver::{Client, FileError, RefusalCode, SetupError};

/// A client that is not running, with a message in its file that was never delivered.
fn stopped() -> Stage {
    let mut stage = Stage::new();
    stage.stop_server();
    stage.world.send(0, b"waiting");
    stage.world.clients.clear();
    stage
}

#[test]
fn a_damaged_file_keeps_a_client_from_being_set_up_and_is_left_alone() {
    let stage = stopped();
    let file = files::client_file(stage.ours.path());
    let whole = fs::read(&file).unwrap();
    let damages: [(u64, &[u8]); 6] =
        [(0, &[0; 8]), (8, &[9]), (200, b"?"), (1024, &[1]), (1152, &[7]), (4096 + 24, &[0xff; 16])];
    for (at, bytes) in damages {
        files::write_at(&file, at, bytes);
        let damaged = fs::read(&file).unwrap();
        let error = Client::new(stage.client.clone()).unwrap_err();
        assert!(matches!(error, SetupError::File(FileError::Damaged { .. })), "at {at}: {error}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert!(fs::read(&file).unwrap() == damaged, "at {at}");
        fs::write(&file, &whole).unwrap();
    }
    assert!(Client::new(stage.client.clone()).is_ok());
}

#[test]
fn another_ring_size_in_the_configuration_is_told_with_both_sizes() {
    let mut stage = stopped();
    let file = files::client_file(stage.ours.path());
    let before = fs::read(&file).unwrap();
    let old = std::mem::replace(&mut stage.client.link.limits.send, limits(1024, 100).send);
    let new = stage.client.link.limits.send;
    match Client::new(stage.client.clone()).unwrap_err() {
        SetupError::File(FileError::Geometry { path, file: found, configured }) => {
            assert_eq!((path, found, configured), (file.clone(), old, new));
        }
        other => panic!("{other}"),
    }
    assert!(fs::read(&file).unwrap() == before);
}

#[test]
fn a_second_client_under_the_same_name_and_directory_cannot_be_set_up() {
    let mut stage = Stage::new();
    let before = stage.ours.contents();
    let error = Client::new(stage.client.clone()).unwrap_err();
    assert!(matches!(error, SetupError::Directory(DirectoryError::Locked { .. })), "{error}");
    let lock = stage.ours.path().join("c~client.lock");
    assert!(error.to_string().contains(lock.to_str().unwrap()), "{error}");
    assert_eq!(stage.ours.contents(), before);
    stage.exchange("on we go");
}

#[test]
fn a_client_and_a_server_share_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut stage = Stage::with(|server, client| {
        server.link.directory = directory.path().into();
        client.link.directory = directory.path().into();
    });
    stage.exchange("on we go");
    assert_eq!(files::names(directory.path()), ["c~client~server.link", "s~server~client.link"]);
}

/// The client has links with "server" and "another", and meets the latter.
fn with_two_links() -> Stage {
    let mut stage = Stage::new();
    stage.stop_server();
    stage.server.link.name = "another".parse().unwrap();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    stage.stop_client();
    stage
}

#[test]
fn a_damaged_file_that_is_found_at_login_refuses_it_and_is_used_when_it_is_mended() {
    let mut stage = with_two_links();
    let file = stage.ours.path().join("c~client~another.link");
    let whole = fs::read(&file).unwrap();
    files::write_at(&file, 8, &[9]);
    let damaged = fs::read(&file).unwrap();
    stage.start_client(App::default());
    stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 2);
    let (server, client) = stage.world.both();
    assert!(client.app.refusals().iter().all(|refused| refused.by_us));
    assert!(client.app.refusal(RefusalCode::Storage).is_some());
    assert!(client.app.failures()[0].contains(file.to_str().unwrap()), "{:?}", client.app.failures());
    assert!(!server.app.refusals()[0].by_us, "the server is told");
    assert!(fs::read(&file).unwrap() == damaged);
    fs::write(&file, &whole).unwrap();
    stage.connected();
    stage.exchange("on we go");
}

#[test]
fn a_damaged_file_of_another_link_is_told_and_keeps_nobody_from_this_one() {
    let mut stage = with_two_links();
    let file = files::client_file(stage.ours.path());
    files::write_at(&file, 8, &[9]);
    stage.start_client(App::default());
    stage.connected();
    assert!(stage.world.clients[0].app.failures()[0].contains(file.to_str().unwrap()));
    stage.exchange("on we go");
}
