//! `tcpshm doctor` as a process. What it finds of the machine depends on the machine; of a directory it does not.

#[expect(dead_code, reason = "other tests use the rest")]
mod tool;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use tool::{Running, argument, document, home, refused, run_to, start_server, tcpshm};

/// The checks of a directory with this name: verdict, text and advice of each.
fn checks(code: i32, directory: &Path, name: &str) -> Vec<(String, String, String)> {
    let found = document(&run_to(code, ["doctor", "--json", argument(directory)]));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let of_name = |check: &&Value| check["about"] == "directory" && check["name"] == name;
    let checks = found["checks"].as_array().expect("a list").iter().filter(of_name);
    checks.map(|check| (text(check, "verdict"), text(check, "text"), text(check, "advice"))).collect()
}

#[track_caller]
fn assert_only(checks: &[(String, String, String)], verdict: &str, part: &str) {
    let [(found, text, advice)] = checks else { panic!("{checks:?}") };
    assert!(found == verdict && (text.contains(part) || advice.contains(part)), "{checks:?}");
}

#[test]
fn a_directory_in_use_is_well_and_every_verdict_is_a_line() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    run_to(0, ["ping", &address, "--dir", dir, "--count", "3"]);
    assert_only(&checks(0, home.path(), "link files"), "ok", "2, 1 of them open");
    assert_only(&checks(0, home.path(), "owners"), "ok", "2 have run here, 1 run now");
    assert_only(&checks(0, home.path(), "permissions"), "ok", "of user");
    let shown = run_to(0, ["doctor", dir]);
    for part in ["this machine\n", "  ok       cores ", " clock ", " open files ", dir] {
        assert!(shown.contains(part) || shown.contains(&part.replace("ok  ", "note")), "{part}: {shown}");
    }
}

#[test]
fn what_waits_for_a_process_that_does_not_run_is_noted_and_a_killed_one_holds_no_lock() {
    let home = home();
    let (server, address) = start_server(home.path(), &["--mode", "source"]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    run_to(0, ["recv", "--connect", &address, "--dir", dir, "--count", "2"]);
    server.signal(Signal::KILL);
    server.finish();
    assert_only(&checks(0, home.path(), "owners"), "ok", "2 have run here, 0 run now");
    let checks = checks(0, home.path(), "link file");
    assert_only(&checks, "note", "messages waiting, and nobody runs");
}

#[test]
fn damage_wrong_modes_and_leftovers_each_have_their_line() {
    let home = home();
    let (server, address) = start_server(home.path(), &[]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    run_to(0, ["ping", &address, "--dir", dir, "--count", "1"]);
    drop(server);
    let sound = fs::read(home.path().join("s~server~ping.link")).unwrap();
    let session: String = sound[32..48].iter().rev().map(|byte| format!("{byte:02x}")).collect();
    let put = |name: &str, mode: u32, content: &[u8]| {
        let path = home.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };

    let damaged = put("s~server~x.link", 0o600, &sound[..5000]);
    assert_only(&checks(3, home.path(), "link file"), "problem", "damaged");
    fs::remove_file(damaged).unwrap();

    let unfinished = put("s~server~y.link", 0o600, &[0; 5000]);
    assert_only(&checks(3, home.path(), "link file"), "problem", "unfinished");
    fs::remove_file(unfinished).unwrap();

    let open = put(&format!("s~server~ping.link.{session}.kept"), 0o644, &sound);
    assert_only(&checks(3, home.path(), "link file"), "problem", "chmod 600");
    fs::remove_file(open).unwrap();

    put(&format!("s~server~ping.link.{session}.kept"), 0o600, &sound);
    assert_only(&checks(0, home.path(), "kept aside"), "note", "1 file of server with ping");
    put(&format!("c~ping~server.link.{session}.new"), 0o600, &[]);
    assert_only(&checks(0, home.path(), "prepared"), "note", "interrupted");
    put("notes.txt", 0o600, b"mine");
    assert_only(&checks(0, home.path(), "other files"), "note", "notes.txt");

    let mut foreign = sound;
    foreign[1304] ^= 1;
    put("s~server~ping.link", 0o600, &foreign);
    assert_only(&checks(0, home.path(), "link file"), "note", "before this machine was started");
}

#[test]
fn directories_that_links_are_refused_in_are_problems() {
    let home = home();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_only(&checks(3, home.path(), "permissions"), "problem", "chmod 700");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o500)).unwrap();
    assert_only(&checks(3, home.path(), "permissions"), "problem", "make files in it");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_only(&checks(3, Path::new("/proc"), "file system"), "problem", "it has no space");
    let link = home.path().join("link");
    symlink(home.path(), &link).unwrap();
    assert_only(&checks(3, &link, "directory"), "problem", "not a directory");
    assert_only(&checks(3, Path::new("/nowhere/x"), "directory"), "problem", "nor is the one above it");
    assert_only(&checks(0, &home.path().join("new"), "directory"), "note", "mode 0700");
}

#[test]
fn nothing_is_made_or_changed() {
    let home = home();
    let directory = home.path().join("links");
    run_to(0, ["doctor", argument(&directory)]);
    assert!(!directory.exists());
}

#[test]
fn nobody_reading_is_no_failure_and_wrong_arguments_are_status_2() {
    let mut doctor = Running::start(&mut tcpshm(["doctor"]));
    doctor.close_output();
    assert!(doctor.finish().stderr.is_empty());
    refused(2, ["doctor", "one", "two"]);
    refused(2, ["doctor", "--mend"]);
}
