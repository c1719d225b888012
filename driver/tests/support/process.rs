//! What this process has open, and other processes. Tests that look at the former must be alone in their
//! process at that time.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::os::fd::RawFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps the other tests of this program out until it is dropped.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // One that failed has nothing to do with the next.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many descriptors are open.
pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many sockets are registered with an epoll descriptor.
pub(crate) fn registered(epoll: RawFd) -> usize {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap();
    info.lines().filter(|line| line.starts_with("tfd:")).count()
}

/// Says on the terminal that a test was not run.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see it")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// The environment variable that tells a test that it runs as another test's child, and what it is to do.
const TASK: &str = "TCPSHM_TEST_TASK";

/// What to do, word by word, if this is a child.
pub(crate) fn task() -> Option<Vec<String>> {
    let task = std::env::var(TASK).ok()?;
    Some(task.lines().map(str::to_owned).collect())
}

/// This program again, running only the test `test`, as a child with this task.
pub(crate) fn child(test: &str, task: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(TASK, task.join("\n"));
    command
}

/// A process that is killed when nobody needs it any more, and that ends if its parent is killed.
pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Process { child, lines }
    }

    /// What it says next behind this word, on a line of its own; `None` if it has ended.
    pub(crate) fn says(&mut self, word: &str) -> Option<String> {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        lines.find_map(|line| Some(line.strip_prefix(word)?.trim().to_owned()))
    }

    /// Ends it where it stands.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For a child: ends the process when its parent is gone.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        // Nobody writes there; it ends with whoever holds the other end.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
}
