//! Runs the examples as processes, never for longer than a test may take.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Many times what anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

/// The example of this name, as cargo has built it beside this test.
pub(crate) fn program(name: &str) -> Command {
    let test = env::current_exe().expect("a test has a path");
    let program = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST").join("examples").join(name);
    assert!(program.exists(), "{} is missing: cargo build --examples", program.display());
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Output {
    Running::start(command).finish()
}

/// The last line of standard output.
pub(crate) fn last_line(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("results are text").lines().last().unwrap_or_default()
}

/// A process that is killed when it is dropped.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().expect("an example starts")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child().id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child()), signal).expect("it has not been waited for");
    }

    pub(crate) fn output(&mut self) -> BufReader<ChildStdout> {
        let output = self.0.as_mut().and_then(|child| child.stdout.take());
        BufReader::new(output.expect("taken once"))
    }

    pub(crate) fn errors(&mut self) -> BufReader<ChildStderr> {
        let errors = self.0.as_mut().and_then(|child| child.stderr.take());
        BufReader::new(errors.expect("taken once"))
    }

    fn child(&self) -> &Child {
        self.0.as_ref().expect("gone only in finish and drop")
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let child = self.0.take().expect("gone only in finish and drop");
        let id = Pid::from_child(&child);
        let (done, ended) = mpsc::channel();
        thread::spawn(move || done.send(child.wait_with_output()));
        match ended.recv_timeout(LIMIT) {
            Ok(output) => output.expect("its output can be read"),
            Err(_) => {
                let _ = kill_process(id, Signal::KILL);
                panic!("it has not ended after {LIMIT:?}")
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An echo server in `directory`, and where it listens.
#[track_caller]
pub(crate) fn start_server(directory: &Path, listen: &str) -> (Running, SocketAddr) {
    start_server_offering("auto", directory, listen)
}

/// One that offers these carriers.
#[track_caller]
pub(crate) fn start_server_offering(carrier: &str, directory: &Path, listen: &str) -> (Running, SocketAddr) {
    let mut command = program("echo_server");
    command.args(["--carrier", carrier, "--listen", listen, "--dir"]).arg(directory);
    command.stderr(Stdio::null());
    let mut server = Running::start(&mut command);
    let mut line = String::new();
    server.output().read_line(&mut line).expect("its output can be read");
    let address = line.trim_end().strip_prefix("listening on ").expect("the first line says where");
    (server, address.parse().expect("an address"))
}

/// Waits until something holds that another process brings about.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "not after {LIMIT:?}: {what}");
        // Not a guess at how long it takes: it only keeps the loop from taking the core from that process.
        thread::sleep(Duration::from_millis(1));
    }
}
