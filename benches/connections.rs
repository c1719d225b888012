//! What ten thousand connections over TCP cost: the one that is active, memory, idle time, and logins.
//!
//! ```text
//! cargo bench --bench connections       # add `-- --quick` for two hundred connections
//! ```
//!
//! The server is a process on a core of its own, the clients live in others on the other core. Rings have 4 KiB,
//! and the silence that is tolerated is long, so that heartbeats are few: see `--silence`.
//!
//! * *round trip*: a client and its server that both sleep in epoll, with payloads of 16 to 200 bytes. The
//!   floor is the same with a server that has no other connection; the two take turns.
//! * *memory*: the growth of the server's private pages, for each connection. A link file's pages are shared
//!   with the kernel's cache, but count as private while no other process maps them, so anonymous pages, which are
//!   the heap, are listed too. What the kernel keeps for sockets is in neither.
//! * *idle*: processor time of the server while nothing happens but heartbeats.
//! * *logins*: first logins, 64 in progress for each process of clients; and by the server's processor time alone, since
//!   making the clients' files takes the clients longer.
//! * *return*: the server is killed and started again, and all clients come back by themselves, each from the
//!   loss of its connection to the next.
#![expect(clippy::print_stdout, reason = "a bench prints its results")]
#![expect(clippy::unwrap_used, reason = "a bench may stop on any error")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use benches::{
    Cores, Crowd, Helper, LinkClient, Mix, Plan, Ratio, Returned, Times, Usage, Usual, home,
    raise_descriptors, ratios, readable, serve_crowd,
};
use clap::Parser;
use serde::Serialize;
use tcpshm_driver::Carrier;

#[derive(Parser, Serialize)]
struct Arguments {
    #[command(flatten)]
    #[serde(flatten)]
    usual: Usual,
    /// Connections beside the active one
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Seconds of silence that both sides tolerate; a heartbeat is sent in a third of it
    #[arg(long, default_value_t = 600)]
    silence: u64,
    /// Logins that the server lets be in progress at once, from one address too; its default if nothing is said
    #[arg(long)]
    pending: Option<usize>,
    /// Seconds in which nothing happens
    #[arg(long)]
    idle: Option<u64>,
    /// Be a server
    #[arg(long, hide = true, value_name = "ADDRESS", requires = "home")]
    #[serde(skip)]
    serve: Option<SocketAddr>,
    /// Be a crowd: its server, and the number of its first client
    #[arg(long, hide = true, value_name = "ADDRESS", requires_all = ["first", "count", "home"])]
    #[serde(skip)]
    crowd: Option<SocketAddr>,
    #[arg(long, hide = true)]
    #[serde(skip)]
    first: Option<usize>,
    #[arg(long, hide = true)]
    #[serde(skip)]
    home: Option<PathBuf>,
}

/// Descriptors of a server for each link: its socket. The file is mapped, and closed.
const OF_SERVER: u64 = 1;
/// Of a client: this, its directory and its lock, and one for the poll that they share.
const OF_CLIENT: u64 = 4;
/// Of any process: streams, polls, listeners, and the logins that a server lets be in progress.
const SPARE: u64 = 64 + 1024;

fn main() {
    let arguments = Arguments::parse();
    let silence = Duration::from_secs(arguments.silence);
    if let (Some(home), Some(address)) = (&arguments.home, arguments.serve) {
        return serve_crowd(home, address, silence, arguments.pending).unwrap();
    }
    let wished = arguments.count.unwrap_or(arguments.usual.or_quick(10_000, 200));
    if let (Some(home), Some(address), Some(first)) = (&arguments.home, arguments.crowd, arguments.first) {
        let count = usize::try_from(wished).unwrap();
        return Crowd::new(home, address, silence, first, count).unwrap().run().unwrap();
    }
    let descriptors = raise_descriptors().unwrap();
    let count = wished.min((descriptors - SPARE) / OF_SERVER);
    if count < wished {
        let needed = wished * OF_SERVER + SPARE;
        println!(
            "SKIPPED: {wished} connections take a server {needed} descriptors, and it may have {descriptors}"
        );
    }
    let cores = Cores::find().unwrap();
    Cores::pin(cores.near).unwrap();
    println!("{count} connections, rings of 4 KiB, a heartbeat within {} s", arguments.silence / 3);
    let crowds = (descriptors - SPARE) / OF_CLIENT;
    let found = measure(&arguments, count, crowds, cores);
    let Found { logins, idle, ratio, came_back, .. } = &found;
    println!(
        "\nconnections count={count} rtt_ratio={:.3} idle={idle:.4} private={:.0} anonymous={:.0} logins={:.0} \
         logins_by_processor={:.0} all_back_s={:.3}",
        ratio.spread.p50,
        logins.private_bytes,
        logins.anonymous_bytes,
        logins.per_second,
        logins.per_processor_second,
        came_back.all
    );
    arguments.usual.write(&found).unwrap();
}

/// Everything that was found.
#[derive(Serialize)]
struct Found<'a> {
    bench: &'static str,
    arguments: &'a Arguments,
    count: u64,
    cores: Cores,
    logins: Logins,
    /// Of the server, as a part of a core.
    idle: f64,
    round_trips: [Times; 2],
    ratio: Ratio,
    came_back: CameBack,
}

/// First logins, and what they left in the server's memory.
#[derive(Serialize)]
struct Logins {
    per_second: f64,
    per_processor_second: f64,
    private_bytes: f64,
    anonymous_bytes: f64,
    #[serde(skip)]
    after: Usage,
}

/// How all clients came back to a server that was killed. Times are in seconds since then.
#[derive(Serialize)]
struct CameBack {
    gone: f64,
    listening: f64,
    all: f64,
    times: Times,
    unreachable: u64,
}

fn measure(arguments: &Arguments, count: u64, most: u64, cores: Cores) -> Found<'_> {
    let rounds = arguments.usual.rounds(200, 10);
    let idle = Duration::from_secs(arguments.idle.unwrap_or(arguments.usual.or_quick(10, 1)));
    let place = home().unwrap();
    let [busy_home, free_home] = ["busy", "free"].map(|name| place.path().join(name));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let start = |home: &Path, address| serve(arguments, home, address, cores);
    let ((busy, address), (_free, free_address)) = (start(&busy_home, any), start(&free_home, any));
    let mut crowds = gather(arguments, place.path(), address, count, most);
    println!("{} processes of clients", crowds.len());
    let logins = log_in(&busy, &mut crowds, count);

    // What is measured is that nothing happens: the clock has to run for it.
    thread::sleep(idle);
    let idled = Usage::of(busy.id()).unwrap().processor.saturating_sub(logins.after.processor);
    let share = idled.as_secs_f64() / idle.as_secs_f64();
    println!("idle              {:.2} % of a core", 100.0 * share);

    let (round_trips, ratio) = round_trips(&place.path().join("active"), [free_address, address], rounds);
    println!("\nround trips, means of batches; ratio p50 {:.3}\n{}", ratio.spread.p50, Times::HEADING);
    round_trips.iter().for_each(|times| println!("{times}"));
    let came_back = come_back(busy, || start(&busy_home, address).0, &mut crowds);
    Found {
        bench: "connections",
        arguments,
        count,
        cores,
        logins,
        idle: share,
        round_trips,
        ratio,
        came_back,
    }
}

fn log_in(server: &Helper, crowds: &mut [Helper], count: u64) -> Logins {
    let before = Usage::of(server.id()).unwrap();
    let began = Instant::now();
    crowds.iter_mut().for_each(order);
    assert_eq!(listen(crowds).refused, 0, "no login is refused");
    let took = began.elapsed();
    let after = Usage::of(server.id()).unwrap();
    let count = count as f64;
    let each = |bytes: fn(&Usage) -> u64| bytes(&after).saturating_sub(bytes(&before)) as f64 / count;
    let spent = after.processor.saturating_sub(before.processor);
    let logins = Logins {
        per_second: count / took.as_secs_f64(),
        per_processor_second: count / spent.as_secs_f64(),
        private_bytes: each(|usage| usage.private),
        anonymous_bytes: each(|usage| usage.anonymous),
        after,
    };
    println!("\nlogins            {:.0} a second", logins.per_second);
    println!("                  {:.0} a second of the server's processor time", logins.per_processor_second);
    println!("memory            {:.0} bytes of private pages for each connection", logins.private_bytes);
    println!("                  {:.0} bytes of them anonymous", logins.anonymous_bytes);
    logins
}

/// Kills the server, starts another one, and waits for all.
fn come_back(mut server: Helper, start: impl FnOnce() -> Helper, crowds: &mut [Helper]) -> CameBack {
    crowds.iter_mut().for_each(order);
    let killed = Instant::now();
    let so_far = || killed.elapsed().as_secs_f64();
    server.kill().unwrap();
    let gone = so_far();
    let _server = start();
    let listening = so_far();
    let Returned { times, unreachable, refused } = listen(crowds);
    let all = so_far();
    println!("\nreturn of all {} after the server was killed: {all:.3} s", times.len());
    println!("of these until the process was gone {gone:.3} s, and until it listened again {listening:.3} s");
    println!("{unreachable} attempts led nowhere, {refused} logins were refused");
    assert_eq!(refused, 0, "no login is refused");
    let lines = Times::new("return", times.iter().copied());
    println!("{}\n{lines}", Times::HEADING);
    print_buckets(&times);
    CameBack { gone, listening, all, times: lines, unreachable }
}

/// A server, and where it listens.
fn serve(arguments: &Arguments, home: &Path, address: SocketAddr, cores: Cores) -> (Helper, SocketAddr) {
    let (address, silence) = (address.to_string(), arguments.silence.to_string());
    let home = home.to_str().unwrap();
    let mut line = vec!["--serve", &address, "--home", home, "--silence", &silence];
    let pending = arguments.pending.map(|pending| pending.to_string());
    line.extend(pending.iter().flat_map(|pending| ["--pending", pending]));
    let mut server = Helper::start_on(cores.far, line).unwrap();
    let address = server.hear().unwrap();
    (server, address)
}

/// Processes of clients that are ready to connect, as many as descriptors ask for.
fn gather(arguments: &Arguments, home: &Path, address: SocketAddr, count: u64, most: u64) -> Vec<Helper> {
    let address = address.to_string();
    let home = home.to_str().unwrap();
    let start = |first: u64| {
        let members = most.min(count - first);
        let [first, members, silence] = [first, members, arguments.silence].map(|number| number.to_string());
        let crowd = ["--crowd", &address, "--home", home, "--first", &first, "--count", &members];
        Helper::start(crowd.into_iter().chain(["--silence", &silence])).unwrap()
    };
    let most = usize::try_from(most).unwrap();
    let mut crowds: Vec<Helper> = (0..count).step_by(most).map(start).collect();
    for crowd in &mut crowds {
        crowd.hear::<usize>().unwrap();
    }
    crowds
}

/// Tells a crowd that the next connections count, and waits until it knows.
fn order(crowd: &mut Helper) {
    crowd.say(b"!").unwrap();
    crowd.hear::<()>().unwrap();
}

/// What the crowds have to say when all are connected.
fn listen(crowds: &mut [Helper]) -> Returned {
    let mut all = Returned { times: Vec::new(), unreachable: 0, refused: 0 };
    for crowd in crowds {
        let Returned { times, unreachable, refused } = crowd.hear().unwrap();
        all.times.extend(times);
        all.unreachable += unreachable;
        all.refused += refused;
    }
    all
}

/// With the server that has no other connection, and with the one that has many.
fn round_trips(home: &Path, addresses: [SocketAddr; 2], rounds: u64) -> ([Times; 2], Ratio) {
    std::fs::create_dir(home).unwrap();
    let mut clients = addresses.map(|address| {
        let home = home.join(address.port().to_string());
        LinkClient::new(&home, Carrier::Tcp, address, 4096, Mix::new(1)).unwrap().waiting()
    });
    let mut means = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        for (client, means) in clients.iter_mut().zip(&mut means) {
            let plan = Plan { warm_up: 20, trips: 200, singly: false };
            means.push(client.run(plan).unwrap().mean());
        }
    }
    let [free, busy] = means;
    let ratio = Ratio::new("busy / free", ratios(&busy, &free));
    let times = |name: &str, means: Vec<f64>| {
        Times::new(name, means.into_iter().map(|nanos| Duration::from_secs_f64(nanos / 1e9)))
    };
    ([times("no other connection", free), times("beside the others", busy)], ratio)
}

/// How times are spread between the least and the greatest, so that a herd would be seen.
fn print_buckets(times: &[Duration]) {
    const BUCKETS: usize = 10;
    let longest = times.iter().max().copied().unwrap_or_default().as_secs_f64().max(1e-9);
    let mut buckets = [0_usize; BUCKETS];
    for time in times {
        // Not beyond the last one; and no time is negative.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let at = (time.as_secs_f64() / longest * BUCKETS as f64) as usize;
        buckets[at.min(BUCKETS - 1)] += 1;
    }
    let most = buckets.into_iter().max().unwrap_or(1).max(1);
    for (at, count) in buckets.into_iter().enumerate() {
        let upto = readable(longest * 1e9 * (at + 1) as f64 / BUCKETS as f64);
        println!("  up to {upto:>9} {count:>7} {}", "#".repeat((50 * count).div_ceil(most)));
    }
}
