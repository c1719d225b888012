//! The server that is flooded: it echoes.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tcpshm_driver::{EventLoop, Handler, Link, Received, Server, ServerConfig};

use crate::child;

/// How long a stranger may take to log in.
pub(super) const LOGIN_DEADLINE: Duration = Duration::from_secs(2);
/// Links that may be live at once.
pub(super) const LINKS: usize = 16;

/// What the server is told. Not for people: the besieger writes it.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerOptions {
    /// The process that this one ends with.
    #[arg(long)]
    pub parent: u32,
    /// Where its link files are.
    #[arg(long)]
    pub directory: PathBuf,
    /// How many descriptors it may have open; 0 leaves the limit.
    #[arg(long)]
    pub descriptors: u64,
}

struct Echo;

impl Handler for Echo {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        if let Ok(mut slot) = link.claim(received.kind(), received.payload().len()) {
            slot.copy_from_slice(received.payload());
            slot.commit_consuming(received).expect("messages come in order");
        }
    }
}

/// Echoes until it is killed.
#[expect(clippy::print_stdout, reason = "the besieger reads where it listens")]
pub fn serve(options: &ServerOptions) -> Result<(), String> {
    child::end_with(options.parent)?;
    if options.descriptors > 0 {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
        setrlimit(Resource::RLIMIT_NOFILE, options.descriptors, most).map_err(|error| error.to_string())?;
    }
    let name = "server".parse().map_err(|error| format!("a name: {error}"))?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = ServerConfig::new(name, &options.directory, any);
    config.link.login_deadline = LOGIN_DEADLINE;
    config.max_links = LINKS;
    let server = Server::bind(config).map_err(|error| error.to_string())?;
    let addresses = server.local_addresses().map_err(|error| error.to_string())?;
    println!("{}", addresses[0]);
    let mut events = EventLoop::new(server, Instant::now).map_err(|error| error.to_string())?;
    loop {
        events.turn(&mut Echo, None).map_err(|error| error.to_string())?;
    }
}

/// The server as its besieger has it: killed when it is dropped.
#[derive(Debug)]
pub(super) struct Besieged {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Besieged {
    pub(super) fn start(program: &Path, directory: &Path, descriptors: u64) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the server does not start: {error}");
        let mut child = Command::new(program)
            .args(["flood-server", "--parent", &std::process::id().to_string()])
            .args(["--descriptors", &descriptors.to_string(), "--directory"])
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut line = String::new();
        if let Some(says) = child.stdout.take() {
            // It ends with the process, so this waits for one or the other.
            BufReader::new(says).read_line(&mut line).map_err(failed)?;
        }
        match line.trim().parse() {
            Ok(address) => Ok(Self { child, address }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("the server says {line:?} instead of where it listens"))
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Besieged {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
