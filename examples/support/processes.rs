//! A part of this program as a process of its own, which can be killed and never outlives us.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// Which side of the link a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The echo client.
    Client,
    /// The echo server.
    Server,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Side::Client => "client",
            Side::Server => "server",
        })
    }
}

/// A line that a process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who wrote it.
    pub side: Side,
    /// Whether it is a result, on standard output, or for people, on standard error.
    pub result: bool,
    /// Without its end.
    pub text: String,
}

/// This program, running once more. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The other end is its standard input, which ends when this is closed, even if by our death.
    lifeline: Option<UnixStream>,
}

impl Process {
    /// Starts this program with `arguments`; what it writes goes to `lines`.
    pub fn start(side: Side, arguments: &[OsString], lines: &Sender<Line>) -> io::Result<Self> {
        let (lifeline, input) = UnixStream::pair()?;
        let mut child = Command::new(env::current_exe()?)
            .args(arguments)
            .stdin(OwnedFd::from(input))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(output) = child.stdout.take() {
            forward(side, true, output, lines.clone());
        }
        if let Some(output) = child.stderr.take() {
            forward(side, false, output, lines.clone());
        }
        Ok(Self { child, lifeline: Some(lifeline) })
    }

    /// Ends it with SIGKILL, wherever it is, and waits until it is gone.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks it to stop, and waits; beyond `patience` it is killed, and its status says so.
    pub fn stop(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        self.lifeline = None;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            // There is no wait with a deadline in std; this looks again, and nothing depends on how long it is.
            thread::sleep(Duration::from_millis(1));
        }
        self.kill()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        let _ = self.kill();
    }
}

/// Sends every line of `output` on, until it ends or nobody listens.
fn forward(side: Side, result: bool, output: impl Read + Send + 'static, lines: Sender<Line>) {
    thread::spawn(move || {
        for text in BufReader::new(output).lines().map_while(Result::ok) {
            if lines.send(Line { side, result, text }).is_err() {
                break;
            }
        }
    });
}
