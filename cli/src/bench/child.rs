//! The server of a bench: this very program as a child process, which somebody may keep killing.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use tcpshm_support::choices::{CarrierChoice, IdleChoice};
use tcpshm_support::cores::Cores;

/// How to start it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) dir: PathBuf,
    pub(super) carrier: CarrierChoice,
    pub(super) idle: IdleChoice,
    pub(super) core: usize,
}

/// A running server. It is killed when this value is dropped, and ends by itself when this process does.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(super) fn start(plan: &Plan, listen: SocketAddr) -> io::Result<Self> {
        let idle = plan.idle.to_possible_value().expect("every strategy can be typed");
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--child", "--quiet", "--name", "bench-server"])
            .args(["--listen", &listen.to_string(), "--carrier", &plan.carrier.to_string()])
            .args(["--idle", idle.get_name(), "--core", &plan.core.to_string()])
            .arg("--dir")
            .arg(&plan.dir)
            // A terminal's Ctrl-C is for the bench, which still waits for answers.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim_end().strip_prefix("listening on ").and_then(|text| text.parse().ok());
        let mut server = Self { child, address: listen };
        // It has said why; it is gone when this value is dropped.
        server.address = address.ok_or_else(|| io::Error::other("the child did not come to listen"))?;
        Ok(server)
    }

    /// Ends it with SIGKILL, wherever it is. Returns when that was.
    fn kill(&mut self) -> io::Result<Instant> {
        let now = Instant::now();
        self.child.kill()?;
        self.child.wait()?;
        Ok(now)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        let _ = self.kill();
    }
}

/// A thread that kills the server again and again, and starts it again at once.
#[derive(Debug)]
pub(super) struct Killer {
    /// When each kill was, or why there can be no more of them.
    pub(super) kills: Receiver<io::Result<Instant>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Option<Server>>>,
}

impl Killer {
    pub(super) fn start(plan: Plan, server: Server, every: Duration) -> Self {
        let (told, kills) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            // A process begins where the thread runs that starts it, and the near core is spinning.
            if let Err(error) = Cores::pin(plan.core) {
                let _ = told.send(Err(error));
            }
            let mut server = Some(server);
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = again(&plan, &mut server, &told) {
                    let _ = told.send(Err(error));
                    break;
                }
            }
            server
        });
        Self { kills, stop: Some(stop), thread: Some(thread) }
    }

    /// Kills no more. The server goes on.
    pub(super) fn stop(&mut self) {
        self.stop = None;
    }
}

/// One kill, and one start.
fn again(plan: &Plan, server: &mut Option<Server>, told: &Sender<io::Result<Instant>>) -> io::Result<()> {
    let Some(mut running) = server.take() else { return Err(io::ErrorKind::NotFound.into()) };
    let killed = running.kill()?;
    // Before it is started: whatever comes after a login behind this is an answer of the new process.
    let _ = told.send(Ok(killed));
    *server = Some(Server::start(plan, running.address)?);
    Ok(())
}

impl Drop for Killer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // With its last server, which ends here.
            drop(thread.join());
        }
    }
}
