//! From `kill -9` of one side to its first new message, with both rings full.
//!
//! ```text
//! cargo bench --bench recovery          # add `-- --quick` for five kills of each
//! ```
//!
//! One side is a process that is killed and started again, the other one stays, each on a core of its own. When both
//! rings are full of messages that nobody consumes, the process is killed. From then on both consume what they
//! get; the new process opens its file, finds the other side, and sends a message as soon as its ring has room.
//! What is measured ends when that message is in the other side's handler, behind all that the killed process
//! had committed. The start of the process is part of it.
//!
//! A client that lost its server waits before it tries again: a random time, of at most 10 ms before the first
//! try and twice as much before each next one. So with a killed server the target is 10 ms and that.
//!
//! The floor, after every kill: the same program killed and started, with nothing to do but say so.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use benches::{Cores, Helper, Side, Survivor, Times, Usual, Word, home, say_line};
use clap::Parser;
use serde::Serialize;
use serde_json::json;
use tcpshm_driver::protocol::Role;
use tcpshm_driver::{BackOff, Carrier, Driver, EventLoop};

#[derive(Parser, Serialize)]
struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    usual: Usual,
    /// Bytes of both rings
    #[arg(long, default_value_t = 256 * 1024)]
    ring: u64,
    /// Be the side that is killed: its place among the four cases
    #[arg(long, hide = true, requires_all = ["home", "address"])]
    #[serde(skip)]
    victim: Option<usize>,
    /// There was one before
    #[arg(long, hide = true)]
    #[serde(skip)]
    again: bool,
    /// Be a process that does nothing
    #[arg(long, hide = true)]
    #[serde(skip)]
    nothing: bool,
    #[arg(long, hide = true)]
    #[serde(skip)]
    home: Option<PathBuf>,
    #[arg(long, hide = true)]
    #[serde(skip)]
    address: Option<SocketAddr>,
}

/// What is killed, and what carries the link.
const CASES: [(&str, Role, Carrier); 4] = [
    ("tcp server", Role::Server, Carrier::Tcp),
    ("tcp client", Role::Client, Carrier::Tcp),
    ("shm server", Role::Server, Carrier::Shm),
    ("shm client", Role::Client, Carrier::Shm),
];
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    let arguments = Arguments::parse();
    if arguments.nothing {
        say_line(&Word::Up(None)).unwrap();
        // Until it is killed, or nobody is there to do so.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    if let (Some(case), Some(home), Some(address)) = (arguments.victim, &arguments.home, arguments.address) {
        let (_, role, carrier) = CASES[case];
        let side = Side { role, home, carrier, ring: arguments.ring, address };
        return side.live(!arguments.again).unwrap();
    }
    let kills = arguments.usual.rounds(300, 5);
    let cores = Cores::find().unwrap();
    Cores::pin(cores.near).unwrap();
    let back_off = BackOff::default().first;
    println!(
        "{kills} kills of each, rings of {} bytes, a back-off of up to {back_off:?} first",
        arguments.ring
    );
    println!("\n{}", Times::HEADING);
    let mut all = Vec::new();
    for case in 0..CASES.len() {
        let times = measure(&arguments, case, kills, cores);
        times.iter().for_each(|times| println!("{times}"));
        all.extend(times);
    }
    println!();
    for new in all.iter().skip(3).step_by(4) {
        let [p50, p99, max] = [new.spread.p50, new.spread.p99, new.spread.max].map(|nanos| nanos / 1e6);
        println!("recovery {} kills={kills} p50_ms={p50:.2} p99_ms={p99:.2} max_ms={max:.2}", new.name);
    }
    let found = json!({ "bench": "recovery", "arguments": arguments, "kills": kills, "cores": cores,
        "back_off_ms": back_off.as_millis(), "times": all });
    arguments.usual.write(&found).unwrap();
}

/// Times since the kill.
#[derive(Clone, Copy)]
struct Kill {
    floor: Duration,
    up: Duration,
    connected: Duration,
    new: Duration,
}

fn measure(arguments: &Arguments, case: usize, kills: u64, cores: Cores) -> [Times; 4] {
    let home = home().unwrap();
    let (name, role, carrier) = CASES[case];
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut scene = Scene { arguments, case, home: home.path(), cores };
    let side = |role, address| Side { role, home: home.path(), carrier, ring: arguments.ring, address };
    let found: Vec<Kill> = if role == Role::Client {
        let mut server = side(Role::Server, any).server().unwrap();
        let address = server.driver().local_addresses().unwrap()[0];
        let victim = scene.start(address, false);
        scene.kill_again_and_again(server, victim, address, kills)
    } else {
        let victim = scene.start(any, false);
        let Word::Up(Some(address)) = victim.hear() else { panic!("a server says where it listens") };
        let client = side(Role::Client, address).client().unwrap();
        scene.kill_again_and_again(client, victim, address, kills)
    };
    let times =
        |what: &str, time: fn(&Kill) -> Duration| Times::new(format!("{name}{what}"), found.iter().map(time));
    [
        times(", floor", |kill| kill.floor),
        times(", process", |kill| kill.up),
        times(", connected", |kill| kill.connected),
        times("", |kill| kill.new),
    ]
}

/// A process, and what it says with the time of each word.
struct Victim {
    process: Helper,
    words: Receiver<(Instant, Word)>,
}

impl Victim {
    fn hear(&self) -> Word {
        self.words.recv_timeout(PATIENCE).expect("it says something").1
    }

    /// When it said this.
    fn heard(&self, word: fn(&Word) -> bool) -> Instant {
        let mut said = std::iter::from_fn(|| self.words.recv_timeout(PATIENCE).ok());
        said.find(|(_, said)| word(said)).expect("it says so").0
    }
}

struct Scene<'a> {
    arguments: &'a Arguments,
    case: usize,
    home: &'a Path,
    cores: Cores,
}

impl Scene<'_> {
    fn start(&mut self, address: SocketAddr, again: bool) -> Victim {
        let [case, ring] = [self.case as u64, self.arguments.ring].map(|number| number.to_string());
        let address = address.to_string();
        let home = self.home.to_str().unwrap();
        let line = ["--victim", &case, "--home", home, "--ring", &ring, "--address", &address];
        let process = Helper::start_on(self.cores.far, line.into_iter().chain(again.then_some("--again")));
        Victim::of(process.unwrap())
    }

    /// Before the next kill: the last of what was sent is on its way, and a client's back-off begins anew only
    /// once a link has lasted longer than the wait for it could have been.
    fn pause(&self) -> Duration {
        match CASES[self.case] {
            (_, Role::Client, _) => Duration::from_millis(2),
            (_, Role::Server, _) => 16 * BackOff::default().first,
        }
    }

    fn kill_again_and_again<D: Driver>(
        &mut self,
        mut staying: EventLoop<D>,
        mut victim: Victim,
        address: SocketAddr,
        kills: u64,
    ) -> Vec<Kill> {
        let mut app = Survivor::default();
        let mut found = Vec::new();
        for _ in 0..kills {
            until(&mut staying, &mut app, |_| victim.words.try_iter().any(|(_, word)| word == Word::Full));
            let quiet = Instant::now() + self.pause();
            until(&mut staying, &mut app, |_| Instant::now() > quiet);
            app.wait();
            let killed = Instant::now();
            victim.process.kill().unwrap();
            victim = self.start(address, true);
            until(&mut staying, &mut app, |app| app.came.is_some());
            let new = app.came.unwrap() - killed;
            let up = victim.heard(|word| matches!(word, Word::Up(_))) - killed;
            let connected = victim.heard(|word| *word == Word::Connected) - killed;
            found.push(Kill { floor: restart_nothing(self.cores), up, connected, new });
        }
        found
    }
}

/// Kills a process that does nothing, and starts another one.
fn restart_nothing(cores: Cores) -> Duration {
    let on_far = || Helper::start_on(cores.far, ["--nothing"]).unwrap();
    let mut first = on_far();
    first.hear::<Word>().unwrap();
    let killed = Instant::now();
    first.kill().unwrap();
    on_far().hear::<Word>().unwrap();
    killed.elapsed()
}

impl Victim {
    /// Its words are taken as they come, whatever else goes on.
    fn of(mut process: Helper) -> Self {
        let (tell, words) = mpsc::channel();
        let output: BufReader<ChildStdout> = process.take_output().unwrap();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let word = serde_json::from_str(&line).unwrap();
                if tell.send((Instant::now(), word)).is_err() {
                    return;
                }
            }
        });
        Self { process, words }
    }
}

fn until<D: Driver>(driver: &mut EventLoop<D>, app: &mut Survivor, done: impl Fn(&Survivor) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(app) {
        driver.turn(app, Some(Duration::from_millis(1))).unwrap();
        assert_eq!(app.trouble, None);
        assert!(Instant::now() < deadline, "nothing new came");
    }
}
