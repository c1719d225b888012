//! The echo client as a process that is killed, stopped and deceived.

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use std::fs;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use examples::entry::{Connections, Entry};
use examples::record::Record;
use programs::{Running, last_line, program, run, start_server, start_server_offering, until};
use rustix::process::Signal;
use tcpshm_driver::Carrier;
use tempfile::TempDir;

/// The same test over each carrier.
macro_rules! over_both_carriers {
    ($($test:ident),* $(,)?) => {
        mod over_tcp {
            $(#[test] fn $test() { super::$test(tcpshm_driver::Carrier::Tcp) })*
        }
        mod over_shm {
            $(#[test] fn $test() { super::$test(tcpshm_driver::Carrier::Shm) })*
        }
    };
}

over_both_carriers!(
    killed_runs_add_up_to_one,
    random_kills_of_either_side_lose_nothing,
    a_count_that_was_reached_needs_no_server,
    a_window_beyond_the_ring_is_held_back_and_not_lost,
    the_smallest_windows_are_kept_moving,
    a_stopped_run_says_so_and_the_next_goes_on,
    a_run_that_is_limited_in_time_is_done_with_what_it_sent,
    what_was_in_flight_when_the_server_lost_its_files_is_counted_as_lost,
);

/// Where the two sides keep their files: apart, unless shared memory is to carry the link.
struct Homes {
    server: TempDir,
    client: Option<TempDir>,
    carrier: Carrier,
}

impl Homes {
    fn new(carrier: Carrier) -> Self {
        let home = || tempfile::tempdir().expect("a temporary directory");
        Self { server: home(), client: (carrier == Carrier::Tcp).then(home), carrier }
    }

    fn server(&self) -> &Path {
        self.server.path()
    }

    fn client(&self) -> &Path {
        self.client.as_ref().unwrap_or(&self.server).path()
    }

    fn start_server(&self, listen: &str) -> (Running, SocketAddr) {
        start_server(self.server(), listen)
    }

    fn command(&self, address: SocketAddr, count: u64) -> Command {
        let carrier = if self.carrier == Carrier::Tcp { "tcp" } else { "shm" };
        let mut command = client(address, self.client(), count);
        command.args(["--carrier", carrier]);
        command
    }

    fn lose_server_files(&self) {
        for file in fs::read_dir(self.server()).expect("it exists") {
            let path = file.expect("it can be read").path();
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"s~")) {
                fs::remove_file(path).expect("nobody else removes it");
            }
        }
    }

    fn entry(&self) -> Entry {
        entry(self.client())
    }

    /// Judges a last run, and whether all runs were over the right carrier.
    #[track_caller]
    fn assert_flawless(&self, output: &std::process::Output, count: u64) {
        let line = format!("echo client: sent={count} received={count} lost=0 duplicated=0 reordered=0");
        assert_eq!((last_line(output), output.status.code()), (line.as_str(), Some(0)), "{output:?}");
        let connections = self.entry().connections;
        assert!(connections.are_all_over(self.carrier), "{connections:?}");
    }
}

fn client(address: SocketAddr, directory: &Path, count: u64) -> Command {
    let mut command = program("echo_client");
    command.args(["--name", "c1", "--connect", &address.to_string(), "--count", &count.to_string()]);
    command.arg("--dir").arg(directory);
    command
}

fn entry(directory: &Path) -> Entry {
    let name = "c1".parse().expect("a name");
    Record::peek(&Record::path(directory, &name)).unwrap_or_default()
}

fn a_run_that_is_limited_in_time_is_done_with_what_it_sent(carrier: Carrier) {
    for limit in ["0", "5"] {
        let homes = Homes::new(carrier);
        let (_server, address) = homes.start_server("127.0.0.1:0");
        let output = run(homes.command(address, 1_000_000_000).args(["--limit", limit]));
        let received = homes.entry().received;
        assert!(received > 0, "{output:?}");
        homes.assert_flawless(&output, received);
    }
}

fn killed_runs_add_up_to_one(carrier: Carrier) {
    let homes = Homes::new(carrier);
    let (_server, address) = homes.start_server("127.0.0.1:0");
    // Slow enough to be killed in the middle, however late that comes.
    for answers in [4000, 8000, 12_000] {
        let running = Running::start(homes.command(address, 100_000).args(["--rate", "40000"]));
        until("answers", || homes.entry().received >= answers);
        drop(running);
    }
    let before = homes.entry().received;
    assert!((12_000..100_000).contains(&before), "killed in the middle: {before}");
    let output = run(&mut homes.command(address, 100_000));
    homes.assert_flawless(&output, 100_000);
}

fn random_kills_of_either_side_lose_nothing(carrier: Carrier) {
    // Whom it hits, and after how many answers about; where exactly, no seed decides.
    let mut random = fastrand::Rng::with_seed(1);
    let homes = Homes::new(carrier);
    let (mut server, address) = homes.start_server("127.0.0.1:0");
    // At full speed: what is in flight at a kill is as much as it can be.
    let start_client = || Running::start(&mut homes.command(address, 10_000_000));
    let mut running = start_client();
    for _ in 0..6 {
        let answers = homes.entry().received + random.u64(1..20_000);
        until("answers", || homes.entry().received >= answers);
        if random.bool() {
            drop(running);
            running = start_client();
        } else {
            drop(server);
            (server, _) = homes.start_server(&address.to_string());
        }
    }
    // What was sent by now is all there is.
    drop(running);
    let sent = homes.entry().intent.map_or(0, |intent| intent.last);
    let output = run(&mut homes.command(address, sent));
    homes.assert_flawless(&output, sent);
}

fn a_count_that_was_reached_needs_no_server(carrier: Carrier) {
    let homes = Homes::new(carrier);
    let (server, address) = homes.start_server("127.0.0.1:0");
    let first = run(&mut homes.command(address, 1000));
    drop(server);
    let second = run(&mut homes.command(address, 1000));
    homes.assert_flawless(&first, 1000);
    homes.assert_flawless(&second, 1000);
}

fn a_window_beyond_the_ring_is_held_back_and_not_lost(carrier: Carrier) {
    let homes = Homes::new(carrier);
    let (_server, address) = homes.start_server("127.0.0.1:0");
    let output = run(homes.command(address, 50_000).args(["--window", "1000000"]));
    homes.assert_flawless(&output, 50_000);
}

fn the_smallest_windows_are_kept_moving(carrier: Carrier) {
    let homes = Homes::new(carrier);
    let (_server, address) = homes.start_server("127.0.0.1:0");
    for (window, count) in (1..=9).zip((100..).step_by(100)) {
        let output = run(homes.command(address, count).args(["--window", &window.to_string()]));
        homes.assert_flawless(&output, count);
    }
}

fn a_stopped_run_says_so_and_the_next_goes_on(carrier: Carrier) {
    let homes = Homes::new(carrier);
    let (_server, address) = homes.start_server("127.0.0.1:0");
    let running = Running::start(homes.command(address, 50_000).args(["--rate", "1000"]));
    until("answers", || homes.entry().received > 0);
    running.signal(Signal::INT);
    let stopped = running.finish();
    assert_eq!((last_line(&stopped), stopped.status.code()), ("", Some(130)));
    let output = run(&mut homes.command(address, 50_000));
    homes.assert_flawless(&output, 50_000);
}

fn what_was_in_flight_when_the_server_lost_its_files_is_counted_as_lost(carrier: Carrier) {
    let homes = Homes::new(carrier);
    let (server, address) = homes.start_server("127.0.0.1:0");
    let running = Running::start(homes.command(address, 50_000).args(["--window", "64", "--rate", "20000"]));
    until("answers", || homes.entry().received > 0);
    // Stopped, it lets the window fill up, and then it never answers.
    server.signal(Signal::STOP);
    until("a full window", || {
        let entry = homes.entry();
        entry.intent.is_some_and(|intent| intent.last == entry.done + 64)
    });
    drop(server);
    homes.lose_server_files();
    let (_server, _) = homes.start_server(&address.to_string());
    let output = running.finish();
    let line = "echo client: sent=50000 received=49936 lost=64 duplicated=0 reordered=0";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(1)), "{output:?}");
}

#[test]
fn an_open_wish_takes_shared_memory_where_the_directory_is_shared_and_tcp_where_not() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, address) = start_server(server_files.path(), "127.0.0.1:0");
    let open = |directory: &Path, name: &str| {
        let output = run(program("echo_client")
            .args(["--name", name, "--connect", &address.to_string(), "--count", "1000", "--dir"])
            .arg(directory));
        assert!(output.status.success(), "{output:?}");
        Record::peek(&Record::path(directory, &name.parse().unwrap())).unwrap().connections
    };
    assert_eq!(open(server_files.path(), "here"), Connections { tcp: 0, shm: 1 });
    assert_eq!(open(files.path(), "elsewhere"), Connections { tcp: 1, shm: 0 });
}

#[test]
fn a_server_grants_what_it_offers() {
    let files = tempfile::tempdir().unwrap();
    for (offered, wished, connections) in [
        ("tcp", "auto", Connections { tcp: 1, shm: 0 }),
        ("shm", "auto", Connections { tcp: 1, shm: 1 }),
        ("auto", "tcp", Connections { tcp: 2, shm: 1 }),
    ] {
        let (_server, address) = start_server_offering(offered, files.path(), "127.0.0.1:0");
        let count = 1000 * (connections.tcp + connections.shm);
        let output = run(client(address, files.path(), count).args(["--carrier", wished]));
        assert!(output.status.success(), "{output:?}");
        assert_eq!(entry(files.path()).connections, connections, "{offered}");
    }
    for (offered, wished) in [("tcp", "shm"), ("shm", "tcp")] {
        let (_server, address) = start_server_offering(offered, files.path(), "127.0.0.1:0");
        let mut running = Running::start(client(address, files.path(), 5000).args(["--carrier", wished]));
        let mut line = String::new();
        running.errors().read_line(&mut line).unwrap();
        assert!(line.starts_with("refused by") && line.contains("carrier"), "{line}");
    }
}

#[test]
fn killed_runs_over_changing_carriers_add_up_to_one() {
    let files = tempfile::tempdir().unwrap();
    let (_server, address) = start_server(files.path(), "127.0.0.1:0");
    for (carrier, answers) in ["tcp", "shm", "auto", "tcp", "shm"].iter().zip((3000..).step_by(3000)) {
        let mut command = client(address, files.path(), 100_000);
        let running = Running::start(command.args(["--rate", "40000", "--carrier", carrier]));
        until("answers", || entry(files.path()).received >= answers);
        drop(running);
    }
    let output = run(&mut client(address, files.path(), 100_000));
    let line = "echo client: sent=100000 received=100000 lost=0 duplicated=0 reordered=0";
    assert_eq!((last_line(&output), output.status.code()), (line, Some(0)));
    assert_eq!(entry(files.path()).connections, Connections { tcp: 2, shm: 4 });
}

#[test]
fn a_client_that_insists_on_shared_memory_says_why_there_is_none() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, address) = start_server(server_files.path(), "127.0.0.1:0");
    let mut running = Running::start(client(address, files.path(), 1000).args(["--carrier", "shm"]));
    let mut line = String::new();
    running.errors().read_line(&mut line).unwrap();
    assert!(line.contains("does not see") && line.ends_with("; trying on\n"), "{line}");
    assert_eq!(entry(files.path()).connections, Connections::default());
}

#[test]
fn another_seed_is_refused() {
    let (server_files, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_server, address) = start_server(server_files.path(), "127.0.0.1:0");
    assert!(run(client(address, files.path(), 10).args(["--seed", "5"])).status.success());
    let other = run(client(address, files.path(), 20).args(["--seed", "6"]));
    assert_eq!(other.status.code(), Some(1));
    assert!(str::from_utf8(&other.stderr).unwrap().contains("seed 5"), "{other:?}");
}
