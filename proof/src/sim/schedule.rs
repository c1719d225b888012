//! One random schedule of everything that can happen to a pair.

use std::time::Duration;

use fastrand::Rng;
use tcpshm_protocol::login::RefusalCode;

use crate::sim::counters::Counters;
use crate::violation::{Invariant, ensure};
use crate::world::carriers::CARRIERS;
use crate::world::endpoint::{App, Configuration, Endpoint, Note};
use crate::world::pair::{Cut, Pair, Setup};
use crate::world::pipe::Chunks;

pub(super) fn setup(random: &mut Rng, seed: u64) -> Setup {
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
pub(super) fn connect(pair: &mut Pair, random: &mut Rng, counters: &mut Counters) {
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
pub(super) fn step(pair: &mut Pair, random: &mut Rng, counters: &mut Counters) {
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
pub(super) fn bury(pair: &mut Pair, counters: &mut Counters) {
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
pub(super) fn finish(pair: &mut Pair) {
    pair.client.disk.defuse();
    pair.server.disk.defuse();
    (pair.chunks, pair.room, pair.next_cut) = (Chunks::Whole, None, None);
    (pair.client.app, pair.server.app) = (App::Consume, App::Consume);
    pair.thaw();
    pair.cut();
    let tries = pair.login();
    ensure(tries <= 3, Invariant::Live, || format!("{tries} connections"));
    pair.client.release();
    pair.server.release();
    pair.elapse(Duration::from_secs(1));
    pair.check_complete();
    // A Confirm that was overtaken is refused to a client that has long gone.
    let bad = |note: &Note| note.is_trouble() && *note != Note::Refused(RefusalCode::StaleConfirm);
    let refused = pair.client.count(|note| matches!(note, Note::Refused(_)));
    let troubles = (pair.client.count(bad), pair.server.count(bad), refused);
    ensure(troubles == (0, 0, 0), Invariant::Decided, || {
        format!("client {:?}, server {:?}", pair.client.notes, pair.server.notes)
    });
}
