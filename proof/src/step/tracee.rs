//! A process that is stepped, instruction after instruction.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::violation::{Failure, Invariant, Violation};

/// With what the child stops itself just before the operation and just behind it.
pub(super) const MARK: Signal = Signal::SIGSTOP;

/// Longer than any run takes, on a machine with much else to do.
const DEADLINE: Duration = Duration::from_secs(600);

/// The exit code of a process that panicked.
const PANICKED: i32 = 101;

/// A stopped child, traced by the thread that started it. Killed when it is dropped.
#[derive(Debug)]
pub struct Tracee {
    child: Child,
    pid: Pid,
    over: bool,
    watchdog: Option<(Sender<()>, JoinHandle<()>)>,
}

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One instruction was executed, or one system call.
    Made,
    /// The operation is over.
    Over,
}

impl Tracee {
    /// Starts a child that has itself traced, and waits until it stops before the operation.
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // A backtrace would be stepped through for minutes.
        let child = command.env("RUST_BACKTRACE", "0").spawn().map_err(harness)?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(harness)?);
        let mut tracee = Self { child, pid, over: false, watchdog: Some(watchdog(pid)) };
        match tracee.wait()? {
            WaitStatus::Stopped(_, MARK) => {}
            other => return Err(tracee.unexpected(other)),
        }
        // It must not run on if this process is killed.
        ptrace::setoptions(pid, Options::PTRACE_O_EXITKILL).map_err(harness)?;
        Ok(tracee)
    }

    /// Lets it execute one instruction. A system call is one step, and so is each turn of a repeated string
    /// instruction. On ARM64 an exclusive pair of load and store never succeeds when it is stepped: that needs a
    /// core whose atomics are single instructions.
    pub fn step(&mut self) -> Result<Step, Failure> {
        ptrace::step(self.pid, None).map_err(harness)?;
        match self.wait()? {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(Step::Made),
            WaitStatus::Stopped(_, MARK) => Ok(Step::Over),
            other => Err(self.unexpected(other)),
        }
    }

    /// Lets it run to its end, which must be a good one.
    pub fn finish(mut self) -> Result<(), Failure> {
        ptrace::cont(self.pid, None).map_err(harness)?;
        match self.wait()? {
            WaitStatus::Exited(_, 0) => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    fn wait(&mut self) -> Result<WaitStatus, Failure> {
        loop {
            match waitpid(self.pid, None) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(harness(error)),
                Ok(status) => {
                    self.over = matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
                    return Ok(status);
                }
            }
        }
    }

    /// It stopped, or ended, where it should not have: with what it said, if it has ended.
    fn unexpected(&mut self, status: WaitStatus) -> Failure {
        let mut said = String::new();
        if self.over
            && let Some(mut stderr) = self.child.stderr.take()
            && let Err(error) = stderr.read_to_string(&mut said)
        {
            said = error.to_string();
        }
        let text = format!("the child: {status:?} {}", said.trim());
        match status {
            // What the code under test refuses, or stumbles over, is a panic there.
            WaitStatus::Exited(_, PANICKED) => {
                Failure::Violation(Violation { invariant: Invariant::Typed, text })
            }
            _ => Failure::Harness(text),
        }
    }
}

/// Something is wrong with the tracer.
pub(super) fn harness(error: impl ToString) -> Failure {
    Failure::Harness(error.to_string())
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if !self.over {
            // It may have ended by itself; either way it is waited for.
            let _: io::Result<()> = self.child.kill();
            let _ = waitpid(self.pid, None);
        }
        if let Some((stop, thread)) = self.watchdog.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

/// Kills the child if it takes too long.
fn watchdog(pid: Pid) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel();
    let thread = thread::spawn(move || {
        if stopped.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            // It may have ended at this very moment.
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    (stop, thread)
}
