//! `tcpshm stat` as a process.

#[expect(dead_code, reason = "other tests use the rest")]
mod tool;

use rustix::process::Signal;
use serde_json::Value;
use tool::{Running, argument, document, home, refused, run_to, start_server, tcpshm};

fn link<'d>(look: &'d Value, role: &str) -> &'d Value {
    let links = look["links"].as_array().expect("a list");
    links.iter().find(|link| link["role"] == role).unwrap_or(&Value::Null)
}

#[test]
fn a_live_link_shows_both_sides_its_rates_and_its_logins() {
    let home = home();
    let (server, address) = start_server(home.path(), &["--mode", "source", "--rate", "5k"]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    let receive = || {
        Running::start(
            tcpshm(["recv", "--connect", &address, "--dir", dir]).stdout(std::process::Stdio::null()),
        )
    };
    let recv = receive();
    let mut stat = Running::start(&mut tcpshm(["stat", "--json", "--interval", "50ms", dir]));
    let mut until = |what: &str, holds: &dyn Fn(&Value) -> bool| {
        // Each look waits for the next; the process is killed with the test.
        for _ in 0..600 {
            let look = document(&stat.line());
            if holds(&look) {
                return look;
            }
        }
        panic!("not in 600 looks: {what}")
    };
    let look = until("both are linked and it moves", &|look| {
        let moves = link(look, "server")["sent_per_second"].as_f64().is_some_and(|rate| rate > 0.0);
        moves && ["server", "client"].iter().all(|role| link(look, role)["state"] == "linked")
    });
    assert_eq!(link(&look, "server")["pid"], server.id());
    assert_eq!(link(&look, "client")["pid"], recv.id());
    recv.signal(Signal::KILL);
    recv.finish();
    let look = until("the receiver is gone", &|look| link(look, "client")["state"] == "closed");
    assert_eq!(link(&look, "client")["pid"], Value::Null);
    let _recv = receive();
    until("it came back, with one more login", &|look| {
        link(look, "server")["logins"] == 1 && link(look, "server")["state"] == "linked"
    });
    stat.signal(Signal::INT);
    assert_eq!(stat.finish().status.code(), Some(0));
}

#[test]
fn what_the_other_side_has_consumed_is_not_counted_even_if_its_owner_has_not_looked() {
    let home = home();
    let (_server, address) = start_server(home.path(), &[]);
    let (address, dir) = (address.to_string(), argument(home.path()));
    run_to(0, ["ping", &address, "--dir", dir, "--carrier", "shm", "--count", "50", "--interval", "0"]);
    let look = document(&run_to(0, ["stat", "--once", "--json", dir]));
    assert_eq!(
        (&link(&look, "server")["unacked"], &link(&look, "server")["state"]),
        (&0.into(), &"open".into())
    );
    assert_eq!(link(&look, "client")["state"], "closed");
    let shown = run_to(0, ["stat", "--once", dir]);
    assert!(shown.starts_with("LINK ") && shown.contains("\nserver server > ping "), "{shown}");
}

#[test]
fn a_file_that_is_no_link_file_is_shown_with_its_reason() {
    let home = home();
    std::fs::write(home.path().join("c~me~you.link"), "nothing of the kind").unwrap();
    let dir = argument(home.path());
    let look = document(&run_to(0, ["stat", "--once", "--json", dir]));
    let [unreadable] = &look["unreadable"].as_array().expect("a list")[..] else { panic!("{look}") };
    assert_eq!(unreadable["verdict"], "damaged");
    assert!(unreadable["path"].as_str().is_some_and(|path| path.ends_with("c~me~you.link")), "{look}");
    let shown = run_to(0, ["stat", "--once", dir]);
    assert!(shown.contains("c~me~you.link: damaged: ") && !shown.contains("no links here"), "{shown}");
}

#[test]
fn an_empty_directory_says_so_and_what_is_none_is_refused() {
    let home = home();
    assert!(run_to(0, ["stat", "--once", argument(home.path())]).contains("no links here"));
    refused(1, ["stat", "/nowhere"]);
    refused(2, ["stat", "--interval", "0s"]);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let home = home();
    let mut stat = Running::start(&mut tcpshm(["stat", "--interval", "10ms", argument(home.path())]));
    assert!(stat.line().starts_with("LINK"));
    stat.close_output();
    let output = stat.finish();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &[][..]), "{output:?}");
}
