//! The peer's file, read in place: only if it is the peer's, of this session, and the very memory that the
//! peer writes. Whatever else lies at its name is refused with its name and left as it is.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/attached.rs"]
mod attached;
mod support;

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use attached::{CLIENTS_NONCE, SERVERS_NONCE, Sides, header};
use rustix::fs::{CWD, Mode, mkfifoat};
use support::{chmod, everything, is_root, name, skipped, write_at};
use tcpshm_protocol::login::Confirm;
use tcpshm_protocol::{Geometry, Grant, Header, HeaderError, LoginFault, Nonce, Role, ViewFault};
use tcpshm_shm::{FileError, MappedSession, ViewError};
use tempfile::TempDir;

/// What the server says of the client's file after `tamper` was there.
#[track_caller]
fn refusal(tamper: impl Fn(&Path)) -> ViewError {
    refusal_of(&header(Role::Server, 1), CLIENTS_NONCE, tamper)
}

/// The same for another session of the server's, or another nonce.
#[track_caller]
fn refusal_of(ours: &Header, nonce: Nonce, tamper: impl Fn(&Path)) -> ViewError {
    let (place, sides, file) = stage();
    tamper(&file);
    let before = everything(place.path());
    let error = sides.server.view(ours, nonce).unwrap_err();
    assert_eq!(everything(place.path()), before, "nothing is made or changed");
    error
}

/// Two sides, and where the file is that the client shows.
fn stage() -> (TempDir, Sides, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let sides = Sides::new(place.path(), 1);
    let file = place.path().join(format!("c~owner~peer.link.{:032x}.new", 1));
    (place, sides, file)
}

fn replaced_by(file: &Path, make: impl Fn(&Path)) {
    fs::rename(file, file.with_extension("aside")).unwrap();
    make(file);
}

/// With its mode.
fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

#[test]
fn a_fresh_file_is_found_where_it_is_prepared_and_where_its_login_has_put_it() {
    let (_place, mut sides, _) = stage();
    let prepared = sides.server.view(sides.theirs.header(), CLIENTS_NONCE).unwrap();
    sides.attach(Instant::now());
    let main = sides.server.view(sides.theirs.header(), CLIENTS_NONCE).unwrap();
    for file in [prepared, main] {
        assert!(sides.server.is_peer_in_place(&name("owner"), &file).unwrap());
    }
}

#[test]
fn a_file_that_is_not_there_is_missing_under_its_name() {
    let error = refusal(|file| fs::remove_file(file).unwrap());
    let ViewError::Missing { path } = &error else { panic!("{error}") };
    assert!(path.ends_with("c~owner~peer.link"));
    assert!(error.to_string().contains("give both the same directory, or use TCP"), "{error}");
}

#[test]
fn a_file_without_this_logins_nonce_is_other_memory() {
    let error = refusal_of(&header(Role::Server, 1), Nonce::new(5), |_| {});
    assert!(matches!(error, ViewError::Fault { source: ViewFault::OtherMemory { .. }, .. }), "{error}");
    assert!(error.to_string().contains("do not share memory"), "{error}");
    // A copy holds the nonce of its day.
    let (_place, mut sides, file) = stage();
    let image = fs::read(&file).unwrap();
    sides.ours.show(Nonce::new(77));
    replaced_by(&file, |file| {
        fs::write(file, &image).unwrap();
        chmod(file, 0o600);
    });
    let error = sides.server.view(sides.theirs.header(), Nonce::new(77)).unwrap_err();
    assert!(matches!(error, ViewError::Fault { source: ViewFault::OtherMemory { .. }, .. }), "{error}");
}

/// Gives the name of the client's file to that of another session or link.
#[track_caller]
fn shown_in_its_place(other: &Header) -> ViewError {
    let elsewhere = tempfile::tempdir().unwrap();
    let directory = tcpshm_shm::LinkDirectory::open(elsewhere.path(), other.role, &other.owner).unwrap();
    drop(MappedSession::new(directory.create(other, CLIENTS_NONCE).unwrap()));
    let made = fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().path());
    let made = made.into_iter().find(|path| path.extension().unwrap() == "new").unwrap();
    refusal(|file| replaced_by(file, |file| copy(&made, file)))
}

#[test]
fn the_file_of_another_session_or_link_is_told_from_the_peers() {
    let ours = header(Role::Client, 1);
    let others = [
        header(Role::Client, 2),
        Header { owner: name("somebody"), ..ours.clone() },
        Header { peer: name("somebody"), ..ours.clone() },
        header(Role::Server, 1),
    ];
    for other in others {
        let error = shown_in_its_place(&other);
        assert!(matches!(error, ViewError::Fault { source: ViewFault::OtherLink, .. }), "{error}");
    }
}

#[test]
fn a_file_with_another_ring_than_was_promised_is_refused_with_both() {
    let other = Header { outgoing: Geometry::new(8192, 512).unwrap(), ..header(Role::Client, 1) };
    let error = shown_in_its_place(&other);
    let ViewError::Fault { source: ViewFault::Geometry { found, promised }, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((found, promised), (other.outgoing, header(Role::Server, 1).incoming));
}

#[test]
fn what_is_no_link_file_is_refused_before_it_is_mapped() {
    let tampers: [fn(&Path); 5] = [
        |file| fs::File::options().write(true).open(file).unwrap().set_len(0).unwrap(),
        |file| fs::File::options().write(true).open(file).unwrap().set_len(100).unwrap(),
        |file| fs::File::options().write(true).open(file).unwrap().set_len(4096).unwrap(),
        |file| write_at(file, 0, &[0; 8]),
        |file| write_at(file, 80, b"other"),
    ];
    for tamper in tampers {
        // On a copy, since the client has mapped its own.
        let error = refusal(|file| {
            let image = fs::read(file).unwrap();
            replaced_by(file, |file| {
                fs::write(file, &image).unwrap();
                chmod(file, 0o600);
                tamper(file);
            });
        });
        let typed = matches!(
            error,
            ViewError::File(FileError::Damaged { .. })
                | ViewError::Fault { source: ViewFault::Header(HeaderError::Unfinished), .. }
        );
        assert!(typed, "{error:?}");
    }
}

#[test]
fn links_directories_and_pipes_are_not_followed_opened_or_waited_for() {
    let plants: [fn(&Path); 4] = [
        |file| symlink(file.with_extension("aside"), file).unwrap(),
        |file| symlink("nowhere", file).unwrap(),
        |file| fs::create_dir(file).unwrap(),
        |file| mkfifoat(CWD, file, Mode::from_raw_mode(0o600)).unwrap(),
    ];
    for plant in plants {
        let error = refusal(|file| replaced_by(file, plant));
        assert!(matches!(error, ViewError::File(FileError::NotRegular { .. })), "{error:?}");
    }
}

#[test]
fn a_file_that_others_may_use_is_refused_with_its_mode() {
    for wrong in [0o640, 0o604, 0o660, 0o606, 0o610] {
        let error = refusal(|file| chmod(file, wrong));
        assert!(
            matches!(error, ViewError::File(FileError::WrongMode { mode, .. }) if mode == wrong),
            "{error}"
        );
    }
}

#[test]
fn a_file_with_a_second_name_is_refused_with_their_number() {
    let error = refusal(|file| fs::hard_link(file, file.with_extension("extra")).unwrap());
    assert!(matches!(error, ViewError::File(FileError::Linked { count: 2, .. })), "{error}");
}

#[test]
fn a_file_of_another_user_is_refused_with_that_user() {
    if !is_root() {
        return skipped("only root can give a file to another user");
    }
    let error = refusal(|file| chown(file, Some(12_345), None).unwrap());
    let ViewError::File(FileError::WrongOwner { found, .. }) = &error else { panic!("{error}") };
    assert_eq!(*found, 12_345);
    assert!(error.to_string().contains("12345"), "{error}");
}

#[test]
fn a_peers_file_that_was_removed_or_replaced_is_no_longer_in_place() {
    let tampers: [fn(&Path); 2] = [
        |file| fs::remove_file(file).unwrap(),
        |file| replaced_by(file, |file| copy(&file.with_extension("aside"), file)),
    ];
    for tamper in tampers {
        let (_place, mut sides, _) = stage();
        sides.attach(Instant::now());
        let file = sides.theirs.peer_file().unwrap();
        assert!(sides.server.is_peer_in_place(&name("owner"), file).unwrap());
        tamper(&sides.server.path_of_peer(&name("owner")));
        assert!(!sides.server.is_peer_in_place(&name("owner"), file).unwrap());
    }
}

#[test]
fn a_session_takes_no_view_of_another_sessions_file() {
    let (_place, mut sides, _) = stage();
    sides.attach(Instant::now());
    let elsewhere = tempfile::tempdir().unwrap();
    let others = Sides::new(elsewhere.path(), 2);
    let view = others.server.view(others.theirs.header(), CLIENTS_NONCE).unwrap();
    let (confirm, now) = (attached::confirm(&sides.ours), Instant::now());
    let error = sides.theirs.accept(now, &confirm, attached::grant(), Some(view)).unwrap_err();
    assert_eq!(error, LoginFault::OtherSession);
}

#[test]
fn a_view_that_was_proved_for_an_earlier_login_is_refused() {
    let (_place, mut sides, _) = stage();
    let now = Instant::now();
    let of_client = sides.server.view(sides.theirs.header(), CLIENTS_NONCE).unwrap();
    let of_server = sides.client.view(sides.ours.header(), SERVERS_NONCE).unwrap();
    sides.attach(now);
    let Sides { client, server, ours, theirs } = &mut sides;
    ours.detach(Nonce::new(2));
    theirs.detach(Nonce::new(3));
    let nonce = Nonce::new(4);
    let held = ours.show(nonce);
    let confirm = Confirm { held, proposed: None, nonce, ..attached::confirm(ours) };
    let grant = || Grant { nonce: Nonce::new(5), ..attached::grant() };

    assert_eq!(theirs.accept(now, &confirm, grant(), Some(of_client)).unwrap_err(), LoginFault::NoView);
    let view = server.view(theirs.header(), nonce).unwrap();
    let ready = theirs.accept(now, &confirm, grant(), Some(view)).unwrap();
    let timing = attached::timing();
    assert_eq!(ours.establish(now, &ready, &timing, Some(of_server)).unwrap_err(), LoginFault::NoView);
    let view = client.view(ours.header(), ready.nonce).unwrap();
    ours.establish(now, &ready, &timing, Some(view)).unwrap();
}
