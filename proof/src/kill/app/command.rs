//! What one of the processes is told, and its main loop.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tcpshm_driver::{
    BackOff, CarrierWish, Client, ClientConfig, EventLoop, Geometry, IdleStrategy, Limits, LinkConfig, Name,
    Server, ServerConfig, Silence,
};

use super::fleet::Fleet;
use super::worker::Worker;
use crate::child;
use crate::kill::carrier::Carriage;
use crate::kill::record::log_name;
use crate::kill::side::Side;

/// Nobody waits longer for an answer on loopback that ever comes.
const DEADLINE: Duration = Duration::from_secs(1);

/// What one process is told. Not for people: the supervisor writes it.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Which of the two.
    #[arg(long)]
    pub side: Side,
    /// The process that this one ends with.
    #[arg(long)]
    pub parent: u32,
    /// Where link files and logs are.
    #[arg(long)]
    pub directory: PathBuf,
    /// Where to listen, or to connect to.
    #[arg(long)]
    pub address: SocketAddr,
    /// What shall carry the links.
    #[arg(long)]
    pub carriage: Carriage,
    /// How many links.
    #[arg(long)]
    pub links: u16,
    /// Bytes of each ring.
    #[arg(long)]
    pub capacity: u64,
    /// Milliseconds without a sign of life after which a connection is given up.
    #[arg(long)]
    pub silence: u64,
    /// What is decided at random follows from this and the life.
    #[arg(long)]
    pub seed: u64,
    /// How often this side has been started.
    #[arg(long)]
    pub life: u32,
    /// Send nothing but what is owed.
    #[arg(long)]
    pub drain: bool,
}

impl Options {
    /// The arguments that say the same.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["kill-app".into()];
        let mut add = |name: &str, value: OsString| arguments.extend([format!("--{name}").into(), value]);
        add("side", self.side.to_string().into());
        add("parent", self.parent.to_string().into());
        add("directory", self.directory.clone().into());
        add("address", self.address.to_string().into());
        add("carriage", self.carriage.to_string().into());
        add("links", self.links.to_string().into());
        add("capacity", self.capacity.to_string().into());
        add("silence", self.silence.to_string().into());
        add("seed", self.seed.to_string().into());
        add("life", self.life.to_string().into());
        if self.drain {
            arguments.push("--drain".into());
        }
        arguments
    }

    fn link_config(&self, name: &str) -> Result<LinkConfig, String> {
        let geometry = Geometry::new(self.capacity, 1024).map_err(|error| error.to_string())?;
        let mut link = LinkConfig::new(named(name)?, &self.directory);
        link.limits = Limits { send: geometry, accept: geometry };
        link.silence =
            Silence::new(Duration::from_millis(self.silence)).map_err(|error| error.to_string())?;
        link.login_deadline = DEADLINE;
        Ok(link)
    }

    fn server(&self) -> Result<Server, String> {
        let mut config = ServerConfig::new(named("server")?, &self.directory, self.address);
        config.link = self.link_config("server")?;
        Server::bind(config).map_err(|error| error.to_string())
    }

    fn client(&self, link: u16, wish: CarrierWish) -> Result<Client, String> {
        let name = client_name(link);
        let mut config = ClientConfig::new(named(&name)?, &self.directory, self.address);
        config.link = self.link_config(&name)?;
        config.server = Some(named("server")?);
        config.carrier = wish;
        config.connect_deadline = DEADLINE;
        // A server that was killed is back in a moment.
        config.back_off = BackOff { first: Duration::from_millis(1), most: Duration::from_millis(40) };
        Client::new(config).map_err(|error| error.to_string())
    }
}

/// What the client of a link is called.
pub fn client_name(link: u16) -> String {
    format!("client-{link}")
}

pub(super) fn named(name: &str) -> Result<Name, String> {
    name.parse().map_err(|error| format!("{name}: {error}"))
}

/// Runs until it is killed.
pub fn run(options: &Options) -> Result<(), String> {
    child::end_with(options.parent)?;
    let log = options.directory.join(log_name(options.side));
    let lives = u64::from(options.life) << 1 | u64::from(options.side == Side::Client);
    let mut random = Rng::with_seed(options.seed ^ lives.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut worker = Worker::new(options, &log, random.fork())?;
    // Half of the lives answer what they recovered before anybody is there.
    let eager = random.bool();
    match options.side {
        Side::Server => {
            let server = options.server()?;
            let idle = IdleStrategy::default();
            let events = EventLoop::new(server, Instant::now).map_err(|error| error.to_string())?;
            serve(events.with_idle(idle), &mut worker, eager)
        }
        Side::Client => {
            let clients = (0..options.links).map(|link| {
                let wish = options.carriage.wish(&mut random);
                options.client(link, wish)
            });
            let mut fleet = Fleet::new(clients.collect::<Result<_, _>>()?)?;
            let changing = options.carriage == Carriage::Changing && !options.drain;
            loop {
                let wait = worker.wait();
                fleet.turn(&mut worker, wait)?;
                fleet.step(&mut worker);
                if changing && random.u16(..400) == 0 {
                    let wish = options.carriage.wish(&mut random);
                    fleet.change_carrier(random.u16(..options.links), wish, &mut worker);
                }
            }
        }
    }
}

fn serve(mut events: EventLoop<Server>, worker: &mut Worker, eager: bool) -> Result<(), String> {
    let clients = worker.clients().to_vec();
    if eager {
        for name in &clients {
            let now = events.now();
            let link = events.driver().open_link(now, name).map_err(|error| error.to_string())?;
            if let Some(mut link) = link {
                worker.step(&mut link);
            }
        }
    }
    loop {
        events.turn(worker, Some(worker.wait())).map_err(|error| error.to_string())?;
        for name in &clients {
            let now = events.now();
            if let Some(mut link) = events.driver().link(now, name) {
                worker.step(&mut link);
            }
        }
    }
}
