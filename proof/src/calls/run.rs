//! One run of the scenario, in a process of its own, with or without strace(1) in between.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tcpshm_protocol::Role;

use super::faults::Fault;
use super::record::{Entry, UNRECORDED};

/// How long a run may take: a hundred times as long as it does.
const DEADLINE: Duration = Duration::from_secs(20);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It did everything.
    Finished,
    /// It gave up waiting, and ended in order.
    Stuck,
    /// SIGKILL ended it.
    Killed,
    /// It did not end.
    Hung,
    /// Anything else: a panic, a signal. What it said.
    Died(String),
}

/// What a run left.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) entries: Vec<Entry>,
    pub(super) end: End,
    /// Calls that strace made fail.
    pub(super) injected: usize,
}

/// Where one run after another leaves its files.
#[derive(Debug)]
pub(super) struct Place {
    root: tempfile::TempDir,
    program: PathBuf,
}

impl Place {
    /// An empty place for runs of `program`.
    pub(super) fn new(program: &Path) -> io::Result<Self> {
        Ok(Self { root: tempfile::tempdir()?, program: program.to_owned() })
    }

    /// Where the link files lie.
    pub(super) fn links(&self) -> PathBuf {
        self.root.path().join("links")
    }

    /// Plays the scenario while `fault` happens.
    pub(super) fn run_with(&self, fault: &Fault) -> io::Result<Run> {
        let mut strace = self.strace();
        let behind = fault.behind.map(|behind| behind.split(':').next().unwrap_or_default());
        let traced = behind.map_or(fault.call.into(), |behind| format!("{},{behind}", fault.call));
        // Stopping at these calls only is much faster, and strace then sends no signals.
        strace.args((!fault.kills()).then_some("--seccomp-bpf"));
        strace.args(["-e", &format!("trace={traced}")]);
        strace.args(["-e", &format!("inject={}", fault.expression())]);
        if let Some(behind) = fault.behind {
            strace.args(["-e", &format!("inject={behind}")]);
        }
        strace.arg(&self.program).arg("calls-app").arg(self.links());
        let mut run = self.run(strace)?;
        let no_trace = |error| io::Error::other(format!("strace left no trace: {error}: {:?}", run.end));
        let trace = fs::read_to_string(self.trace()).map_err(no_trace)?;
        let ours = |line: &&str| line.contains("(INJECTED)") && line.contains(&format!("{}(", fault.call));
        run.injected = match fault.kills() {
            true => usize::from(run.end == End::Killed),
            false => trace.lines().filter(ours).count(),
        };
        Ok(run)
    }

    /// Plays it undisturbed, and gives every system call in order, by name and arguments.
    pub(super) fn run_traced(&self) -> io::Result<(Run, Vec<String>)> {
        let mut strace = self.strace();
        strace.arg(&self.program).arg("calls-app").arg(self.links());
        let run = self.run(strace)?;
        let trace = fs::read_to_string(self.trace())?;
        let calls = trace.lines().filter_map(|line| Some(line.split_once(' ')?.1.trim_start().to_owned()));
        Ok((run, calls.filter(|call| call.contains('(')).collect()))
    }

    /// Goes on where `earlier` ended, undisturbed.
    pub(super) fn run_again(&self, earlier: &Run, may_reset: bool) -> io::Result<Run> {
        let sent = |side| earlier.last_commit(side).to_string();
        let mut app = Command::new(&self.program);
        app.arg("calls-app").arg(self.links()).arg("--again");
        app.args(["--client-sent", &sent(Role::Client), "--server-sent", &sent(Role::Server)]);
        app.args(may_reset.then_some("--may-reset"));
        self.run(app)
    }

    fn strace(&self) -> Command {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o"]).arg(self.trace());
        strace
    }

    fn trace(&self) -> PathBuf {
        self.root.path().join("trace")
    }

    fn run(&self, mut command: Command) -> io::Result<Run> {
        let [record, said] = ["record", "said"].map(|name| self.root.path().join(name));
        command.stdin(Stdio::null()).stdout(File::create(&record)?).stderr(File::create(&said)?);
        let end = match wait(command)? {
            Some(status) => end_of(status, &fs::read_to_string(said)?),
            None => End::Hung,
        };
        let lines = fs::read_to_string(record)?;
        // The last line of a process that died may be half a line.
        let whole = lines.rfind('\n').map_or("", |end| &lines[..=end]);
        let entries = whole.lines().map(str::parse).collect::<Result<Vec<Entry>, String>>();
        Ok(Run { entries: entries.map_err(io::Error::other)?, end, injected: 0 })
    }
}

impl Run {
    /// The number of the last message that this side committed, or was about to.
    fn last_commit(&self, side: Role) -> u64 {
        let number = |entry: &Entry| match entry {
            Entry::Commits(of, number) if *of == side => Some(*number),
            _ => None,
        };
        self.entries.iter().rev().find_map(number).unwrap_or(0)
    }

    /// The act in which it ended.
    pub(super) fn last_act(&self) -> &str {
        let act = |entry: &'_ Entry| matches!(entry, Entry::Act(_));
        match self.entries.iter().rev().find(|entry| act(entry)) {
            Some(Entry::Act(name)) => name,
            _ => "",
        }
    }
}

fn end_of(status: ExitStatus, said: &str) -> End {
    match status.code() {
        Some(0) => End::Finished,
        Some(1) => End::Stuck,
        Some(UNRECORDED) => End::Died("it could not write its record".into()),
        // strace ends as its child did.
        _ if status.signal() == Some(Signal::SIGKILL as i32) => End::Killed,
        _ => End::Died(format!("{status}: {}", said.trim().replace('\n', " "))),
    }
}

/// Waits for a process and all of its children; `None` if they had to be killed.
fn wait(mut command: Command) -> io::Result<Option<ExitStatus>> {
    let mut child = command.process_group(0).spawn()?;
    let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let (ended, end) = mpsc::channel();
    let waiter = thread::spawn(move || ended.send(child.wait()));
    let status = match end.recv_timeout(DEADLINE) {
        Ok(status) => Some(status?),
        Err(_) => {
            killpg(group, Signal::SIGKILL)?;
            None
        }
    };
    // It has nothing left to wait for.
    let _ = waiter.join();
    Ok(status)
}
