//! One of the two processes, as its supervisor handles it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::app;

/// A process that is killed when nobody needs it any more.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Starts `program` as an application; what it says goes to the end of a file.
    pub(super) fn start(program: &Path, options: &app::Options) -> io::Result<Self> {
        let path = options.directory.join(format!("{}.stderr", options.side));
        let says: File = OpenOptions::new().append(true).create(true).open(path)?;
        let child = Command::new(program)
            .args(options.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(says)
            .spawn()?;
        Ok(Self { child })
    }

    /// Sends SIGKILL. It may still run for a moment.
    pub(super) fn strike(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    /// Waits for the end of one that was killed. An error tells how it had ended by itself.
    pub(super) fn bury(&mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.signal() == Some(Signal::SIGKILL as i32) { Ok(()) } else { Err(status.to_string()) }
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Stops it where it is, or lets it go on.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(id), signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
