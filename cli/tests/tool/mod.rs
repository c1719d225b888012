//! Runs the tool as a process, never for longer than a test may take.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Many times what anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The tool with these arguments.
pub(crate) fn tcpshm<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcpshm"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the tool to its end.
#[track_caller]
pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    Running::start(&mut tcpshm(arguments)).finish()
}

/// Runs it, and expects this status. Returns standard output.
#[track_caller]
pub(crate) fn run_to<'a>(code: i32, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    text(&output.stdout)
}

/// Runs it, and expects this status, nothing on standard output, and one line on standard error. Returns that.
#[track_caller]
pub(crate) fn refused<'a>(code: i32, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = text(&output.stderr);
    assert!(said.starts_with("tcpshm: ") && said.lines().count() == 1, "{said:?}");
    said
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the tool speaks UTF-8")
}

/// A directory for link files, in memory as links like it.
pub(crate) fn home() -> TempDir {
    let mut home = tempfile::Builder::new();
    home.prefix("tcpshm-cli-");
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { home.tempdir_in(memory) } else { home.tempdir() };
    made.expect("a directory can be made")
}

/// A path as an argument.
pub(crate) fn argument(path: &Path) -> &str {
    path.to_str().expect("the paths of these tests are text")
}

/// A process that is killed when it is dropped.
pub(crate) struct Running {
    child: Option<Child>,
    lines: Option<BufReader<ChildStdout>>,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { child: Some(command.spawn().expect("the tool starts")), lines: None }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("gone only in finish and drop");
        kill_process(Pid::from_child(child), signal).expect("it has not been waited for");
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().expect("gone only in finish and drop");
        child.try_wait().expect("it is ours").is_some()
    }

    /// Waits until it is gone, whoever ended it.
    pub(crate) fn wait(&mut self) {
        let child = self.child.as_mut().expect("gone only in finish and drop");
        child.wait().expect("it is ours");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("gone only in finish and drop").id()
    }

    pub(crate) fn input(&mut self) -> ChildStdin {
        let child = self.child.as_mut().expect("gone only in finish and drop");
        child.stdin.take().expect("it was piped, and is taken once")
    }

    /// Its next line of output; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let child = self.child.as_mut().expect("gone only in finish and drop");
        let lines =
            self.lines.get_or_insert_with(|| BufReader::new(child.stdout.take().expect("it was piped")));
        let mut line = String::new();
        lines.read_line(&mut line).expect("its output can be read");
        line.trim_end().to_owned()
    }

    /// Reads no more of what it says.
    pub(crate) fn close_output(&mut self) {
        let child = self.child.as_mut().expect("gone only in finish and drop");
        drop(child.stdout.take());
        self.lines = None;
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        let mut child = self.child.take().expect("gone only in finish and drop");
        let id = Pid::from_child(&child);
        let ended_before = child.try_wait().expect("it is ours").is_some();
        let lines = self.lines.take();
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            let mut rest = Vec::new();
            if let Some(mut lines) = lines {
                let _ = std::io::Read::read_to_end(&mut lines, &mut rest);
            }
            drop(child.stdin.take());
            let output = child.wait_with_output().map(|mut output| {
                output.stdout.extend(rest);
                output
            });
            done.send(output)
        });
        match ended.recv_timeout(LIMIT) {
            Ok(output) => output.expect("its output can be read"),
            Err(_) => {
                if !ended_before {
                    let _ = kill_process(id, Signal::KILL);
                }
                panic!("it has not ended after {LIMIT:?}")
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A server on a free port, and its address.
#[track_caller]
pub(crate) fn start_server(home: &Path, arguments: &[&str]) -> (Running, SocketAddr) {
    let mut command = tcpshm(["serve", "--listen", "127.0.0.1:0", "--dir", argument(home)]);
    command.args(arguments).stderr(Stdio::null());
    let mut server = Running::start(&mut command);
    let line = server.line();
    let address = match line.strip_prefix("listening on ") {
        Some(address) => address.to_owned(),
        None => document(&line)["address"].as_str().expect("the first line says where").to_owned(),
    };
    (server, address.parse().expect("an address"))
}

/// One line of JSON.
#[track_caller]
pub(crate) fn document(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
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

/// Writes all of it, if the process is still there.
pub(crate) fn feed(input: &mut ChildStdin, bytes: &[u8]) {
    let _ = input.write_all(bytes).and_then(|()| input.flush());
}
