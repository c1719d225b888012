//! The program as it is run, both sides of every peer in processes of their own.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs::File;
use std::process::Command;

use serde_json::Value;

/// Peers that every build has.
const ALWAYS: [&str; 8] = [
    "tcpshm-shm",
    "iceoryx2",
    "shmem-ipc",
    "tcpshm-tcp",
    "bare-tcp",
    "bare-unix",
    "zeromq-tcp",
    "zeromq-ipc",
];

/// What a short run writes. It ends by itself, since no side waits for another one for ever.
fn found(arguments: &[&str]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("found.json");
    let run = Command::new(env!("CARGO_BIN_EXE_peers"))
        .args(["--quick", "--rounds", "2", "--json"])
        .arg(&path)
        .args(arguments)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_reader(File::open(path).unwrap()).unwrap()
}

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn every_peer_has_its_row_beside_its_floor() {
    let found = found(&["--no-streams"]);
    let (aeron, skipped) = (cfg!(feature = "aeron"), names(&found["skipped"]));
    assert_eq!(skipped, if aeron { vec![] } else { vec!["aeron-ipc"] });
    let mut expected = ALWAYS.to_vec();
    if aeron {
        expected.insert(3, "aeron-ipc");
    }
    assert_eq!(names(&found["ratios"]), expected);
    expected.splice(..0, ["cache line", "bare TCP"]);
    assert_eq!(names(&found["lines"]), expected);
    for line in found["lines"].as_array().unwrap() {
        let (batches, singles) = (&line["batches"], &line["singles"]);
        assert!(batches["count"].as_u64() >= Some(2) && batches["min"].as_f64() > Some(0.0), "{line}");
        assert!(singles["count"].as_u64() > batches["count"].as_u64(), "{line}");
    }
    assert_eq!(benches::curves(&found).len(), expected.len(), "distributions to draw");
}

#[test]
fn every_peer_has_its_streams() {
    let only: Vec<&str> = ALWAYS.into_iter().chain(cfg!(feature = "aeron").then_some("aeron-ipc")).collect();
    let found = found(&["--only", &only.join(",")]);
    let streams = found["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 2 * only.len());
    for stream in streams {
        assert!(stream["rate"]["min"].as_f64() > Some(0.0), "{stream}");
    }
}

#[test]
fn only_what_is_wanted_is_measured() {
    let found = found(&["--only", "bare-unix", "--no-streams"]);
    assert_eq!(names(&found["lines"]), ["bare TCP", "bare-unix"]);
    assert_eq!(names(&found["ratios"]), ["bare-unix"]);
}
