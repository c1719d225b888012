//! Random schedules of everything that can happen to a pair: messages, batches, echoes, held messages,
//! cuts, half-open connections, kills after any step, time. Each connection is carried by TCP or by shared
//! memory, as the seed has it. Then the faults stop, and everything that was committed is consumed, once
//! and in order.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;
use proof::endpoint::{App, Configuration, Endpoint, Note};
use proof::pair::Cut;
use proof::pipe::Chunks;
use proof::{CARRIERS, Pair, Setup};
use tcpshm_protocol::login::RefusalCode;
use tcpshm_protocol::{InboundFault, ProtocolError};

/// How often the rare things happened. A schedule that never does them proves nothing.
#[derive(Debug, Default)]
struct Counters {
    deaths: usize,
    deaths_in_login: usize,
    cuts: usize,
    takeovers: usize,
    timeouts: usize,
    held: usize,
    full: usize,
    batches: usize,
    delivered: usize,
    stalls: usize,
    /// Steps after which shared memory carried the link.
    shared: usize,
    /// Changes of carrier, and those of them with messages that were held or not known to be consumed.
    changes: usize,
    burdened: usize,
    /// A side that read on found that the other had left the memory.
    left: usize,
}

fn setup(random: &mut Rng, seed: u64) -> Setup {
    let mut configuration = || {
        let capacity = 64 << random.u32(..3);
        let largest = random.u32(0..=u32::try_from(capacity).expect("small") - 24);
        Configuration::new(capacity, largest)
    };
    let configurations = [configuration(), configuration()];
    let room = random.bool().then(|| random.usize(1..300));
    let carrier = CARRIERS[random.usize(..2)];
    Setup { configurations, seed, chunks: Chunks::Whole, room, carrier, ..Setup::default() }
}

/// The client dials, perhaps for another carrier.
fn connect(pair: &mut Pair, random: &mut Rng, counters: &mut Counters) {
    let before = pair.carrier;
    pair.carrier = CARRIERS[random.usize(..2)];
    if pair.carrier != before {
        counters.changes += 1;
        let owes = |endpoint: &mut Endpoint| endpoint.held() > 0 || !endpoint.is_idle();
        counters.burdened += usize::from(owes(&mut pair.client) || owes(&mut pair.server));
    }
    pair.connect();
}

fn endpoint<'a>(pair: &'a mut Pair, random: &mut Rng) -> &'a mut Endpoint {
    if random.bool() { &mut pair.client } else { &mut pair.server }
}

fn size(endpoint: &Endpoint, random: &mut Rng) -> usize {
    // Beyond what the peer takes now and then.
    random.usize(0..=endpoint.configuration.limits.send.largest() as usize)
}

/// One thing that happens.
fn step(pair: &mut Pair, random: &mut Rng, counters: &mut Counters) {
    match random.u32(..100) {
        0..30 => {
            let endpoint = endpoint(pair, random);
            let len = size(endpoint, random);
            counters.full += usize::from(endpoint.send(len).is_err());
        }
        30..36 => {
            let endpoint = endpoint(pair, random);
            let lens: Vec<_> = (0..random.usize(..4)).map(|_| size(endpoint, random) / 3).collect();
            counters.batches += usize::from(endpoint.send_batch(&lens).is_ok());
        }
        36..56 => {
            pair.turn();
        }
        56..66 => pair.settle(),
        66..71 => pair.chunks = Chunks::Random(Rng::with_seed(random.u64(..)), random.usize(1..40)),
        71..76 => pair.chunks = Chunks::Whole,
        76..81 => {
            // Two that echo would echo for ever.
            let echoes = pair.client.app == App::Echo || pair.server.app == App::Echo;
            let apps = [App::Consume, App::Hold, if echoes { App::Hold } else { App::Echo }];
            let endpoint = endpoint(pair, random);
            endpoint.app = apps[random.usize(..3)];
            counters.held += endpoint.held();
            endpoint.release();
        }
        81..84 => pair.elapse(Duration::from_millis(random.u64(0..3_000))),
        84 => pair.elapse(Duration::from_secs(10)),
        85..88 => connect(pair, random, counters),
        88..90 => pair.cut(),
        90..92 => {
            let bytes = random.u64(0..600);
            pair.next_cut = Some(if random.bool() { Cut::Up(bytes) } else { Cut::Down(bytes) });
            connect(pair, random, counters);
        }
        92 => pair.freeze(),
        93 => pair.thaw(),
        94..98 => {
            let steps = random.u64(1..20);
            endpoint(pair, random).disk.burn_after(steps);
        }
        98 => pair.restart_client(),
        _ => pair.restart_server(),
    }
    bury(pair, counters);
}

/// Whoever died is noticed, and starts again; in one case of eight only to be killed at once.
fn bury(pair: &mut Pair, counters: &mut Counters) {
    let connected = pair.is_connected();
    pair.bury();
    let dead = [!pair.client.is_alive(), !pair.server.is_alive()];
    counters.deaths += usize::from(dead[0]) + usize::from(dead[1]);
    counters.deaths_in_login += usize::from(!connected && dead != [false; 2]);
    if dead[0] {
        pair.client.start();
    }
    if dead[1] {
        pair.server.start();
    }
}

/// No more faults: a bounded number of connections, then everything is there.
fn finish(pair: &mut Pair) {
    pair.client.disk.defuse();
    pair.server.disk.defuse();
    (pair.chunks, pair.room, pair.next_cut) = (Chunks::Whole, None, None);
    (pair.client.app, pair.server.app) = (App::Consume, App::Consume);
    pair.thaw();
    pair.cut();
    let tries = pair.login();
    assert!(tries <= 3, "{tries} connections");
    pair.client.release();
    pair.server.release();
    pair.elapse(Duration::from_secs(1));
    pair.check_complete();
    // A Confirm that was overtaken is refused to a client that has long gone.
    let bad = |note: &Note| note.is_trouble() && *note != Note::Refused(RefusalCode::StaleConfirm);
    assert_eq!((pair.client.count(bad), pair.server.count(bad)), (0, 0), "{:?}", pair.server.notes);
    assert_eq!(pair.client.count(|note| matches!(note, Note::Refused(_))), 0);
}

fn run(seed: u64, counters: &mut Counters) {
    let mut random = Rng::with_seed(seed);
    let mut pair = Pair::new(setup(&mut random, seed));
    for _ in 0..random.usize(20..120) {
        if !pair.is_connected() && random.u32(..4) == 0 {
            connect(&mut pair, &mut random, counters);
            pair.settle();
            bury(&mut pair, counters);
        }
        step(&mut pair, &mut random, counters);
        pair.check();
        counters.shared += usize::from(pair.client.is_shared() && pair.server.is_shared());
    }
    counters.takeovers += pair.server.count(|note| *note == Note::Replaced);
    let timed_out = |note: &Note| matches!(note, Note::TimedOut(_));
    counters.timeouts += pair.client.count(timed_out) + pair.server.count(timed_out);
    counters.cuts += pair.client.count(|note| *note == Note::Disconnected);
    let left = |note: &Note| *note == Note::Fault(ProtocolError::Inbound(InboundFault::Left));
    counters.left += pair.client.count(left) + pair.server.count(left);
    counters.stalls += pair.client.count(|note| matches!(note, Note::Stalled(_)));
    finish(&mut pair);
    let delivered =
        |endpoint: &Endpoint| endpoint.truths.values().map(|truth| truth.consumed.len()).sum::<usize>();
    counters.delivered += delivered(&pair.client) + delivered(&pair.server);
}

/// The first forty thousand, or `FIRST..LAST` from the environment: what a soak, or a failure, asks for.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("PROOF_SEEDS") else { return 0..40_000 };
    let (first, last) = text.split_once("..").expect("PROOF_SEEDS=FIRST..LAST");
    first.parse().expect("a number")..last.parse().expect("a number")
}

#[test]
fn in_forty_thousand_schedules() {
    let mut counters = Counters::default();
    for seed in seeds() {
        let run = || run(seed, &mut counters);
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            panic!("PROOF_SEEDS={seed}..{}: {}", seed + 1, text(&*panic));
        }
    }
    if seeds() != (0..40_000) {
        return;
    }
    let Counters { deaths, deaths_in_login, cuts, takeovers, timeouts, held, full, .. } = counters;
    let Counters { batches, delivered, stalls, shared, changes, burdened, left, .. } = counters;
    let rare = [
        [deaths, deaths_in_login, cuts, takeovers, timeouts, held, full],
        [batches, delivered, stalls, shared, changes, burdened, left],
    ];
    assert!(
        rare.as_flattened().iter().all(|count| *count > 500),
        "something hardly ever happened: {counters:?}"
    );
}

fn text(panic: &dyn std::any::Any) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
