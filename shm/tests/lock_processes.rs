//! One owner per name, between processes.
//!
//! One test at a time: while one forks, its child holds copies of every descriptor of this process.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use support::{child, child_place, make_main, name, open};
use tcpshm_protocol::Role;
use tcpshm_shm::{DirectoryError, LinkDirectory};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn opens(place: &Path) -> bool {
    match LinkDirectory::open(place, Role::Client, &name("owner")) {
        Ok(_) => true,
        Err(DirectoryError::Locked { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

/// A process that holds the lock and has a link open, until its input ends or it is killed.
fn holder(place: &Path) -> Child {
    let mut holder = child("hold", place).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(holder.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains("held")), "the child took no lock");
    holder
}

/// The child's side of [`holder`]; nothing to do otherwise.
#[test]
#[expect(clippy::print_stdout, reason = "how it tells its parent")]
fn hold() {
    let Some(place) = child_place() else { return };
    let directory = open(&place);
    let _link = make_main(&directory, 1);
    println!("held");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_second_process_is_refused_until_the_first_is_killed() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = tempfile::tempdir().unwrap();
    let mut holder = holder(place.path());
    assert!(!opens(place.path()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let directory = open(place.path());
    let link = directory.open_link(&name("peer"), None, support::NONCE).unwrap();
    assert_eq!(link.unwrap().session.id(), support::session(1));
}

#[test]
fn the_lock_does_not_pass_to_a_program_that_is_executed() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = tempfile::tempdir().unwrap();
    let directory = open(place.path());
    let link = make_main(&directory, 1);
    let mut program = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Once it answers, it runs: before, the child is still a fork of this process.
    program.stdin.as_mut().unwrap().write_all(b"?").unwrap();
    program.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    drop(link);
    drop(directory);
    let directory = open(place.path());
    assert!(directory.open_link(&name("peer"), None, support::NONCE).unwrap().is_some());
    drop(program.stdin.take());
    program.wait().unwrap();
}
