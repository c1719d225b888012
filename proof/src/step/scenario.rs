//! The operations, and what leads up to each.

pub mod script;

use tcpshm_protocol::Role;
use tcpshm_protocol::login::Carrier;

use crate::step::act::{Act, Who};
use crate::step::case::Setting;
use script::Script;
pub use script::{CAPACITY, LARGEST, PLACES};

/// What happens in a run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Before anybody looks.
    pub prelude: Vec<(Who, Act)>,
    /// What the subject does while it is stepped.
    pub operation: Vec<Act>,
}

/// An operation by its name.
#[derive(Clone, Copy)]
pub struct Operation {
    /// The name.
    pub name: &'static str,
    /// Whether it makes, opens or moves files: a hundred times as many instructions as a message takes.
    pub files: bool,
    /// Where there is such a thing.
    only: Only,
    write: fn(&mut Script),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    Everywhere,
    OverTcp,
    OverShm,
    Of(Role),
}

use Only::{Everywhere, Of, OverShm, OverTcp};
use Role::{Client, Server};

/// All of them.
pub const OPERATIONS: &[Operation] = &[
    operation("claim-abandoned", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::Abandon(random.usize(..=LARGEST_LEN)));
    }),
    operation("batch-abandoned", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::AbandonBatch(lens(random, 3)));
    }),
    operation("send", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::Send(random.usize(..=LARGEST_LEN)));
    }),
    operation("send-after-abandoned", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::Abandon(random.usize(..=LARGEST_LEN)));
        script.now(|random| Act::Send(random.usize(..=LARGEST_LEN)));
    }),
    operation("send-after-abandoned-batch", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::AbandonBatch(lens(random, 3)));
        script.now(|random| Act::Send(random.usize(..=LARGEST_LEN)));
    }),
    operation("send-fills-the-ring", Everywhere, |script| {
        let left = script.full_but_for_one();
        script.then([Act::Send(left)]);
    }),
    operation("send-past-what-is-zeroed", OverShm, |script| {
        script.churn();
        script.then([Act::Look]);
        script.then([const { Act::Send(LARGEST_LEN) }; 5]);
    }),
    operation("reply", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::Reply(random.usize(..=LARGEST_LEN)));
    }),
    operation("echo-in-the-handler", Everywhere, |script| {
        script.churn();
        script.peer_sends();
        script.now(|random| Act::Echo(random.usize(..=LARGEST_LEN)));
    }),
    operation("batch-of-two", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::Batch(lens(random, 2), 0));
    }),
    operation("batch-of-three", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::Batch(lens(random, 3), 0));
    }),
    operation("batch-that-consumes", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::Batch(lens(random, 3), 2));
    }),
    operation("batch-that-only-consumes", Everywhere, |script| {
        script.conversation();
        script.then([Act::Batch(Vec::new(), 3)]);
    }),
    operation("consume", Everywhere, |script| {
        script.conversation();
        script.then([Act::Consume]);
    }),
    operation("consume-through", Everywhere, |script| {
        script.conversation();
        script.now(|random| Act::ConsumeThrough(random.usize(1..=3)));
    }),
    operation("learn", Everywhere, |script| {
        script.conversation();
        script.reply_before();
        script.peer_consumes_all();
        script.then([Act::Learn]);
    }),
    operation("take-a-message-that-acknowledges", OverTcp, |script| {
        script.conversation();
        script.before(Who::Peer, [Act::Take, Act::ConsumeThrough(2), Act::Send(5), Act::Transmit]);
        script.then([Act::Take]);
    }),
    operation("learn-and-send", Everywhere, |script| {
        script.full_but_for_one();
        script.peer_consumes_one();
        script.then([Act::LearnAndSend(LARGEST_LEN)]);
    }),
    of_files("make-the-first-file", Everywhere, |script| {
        script.ready_to_create();
        script.then([Act::Create]);
    }),
    operation("show", Of(Client), |script| {
        script.conversation();
        script.before(Who::Subject, [Act::Detach]);
        script.then([Act::Show]);
    }),
    of_files("first-login", Of(Server), |script| {
        script.ready_to_create();
        script.then([Act::Create, Act::Accept, Act::Switch]);
    }),
    of_files("first-login", Of(Client), |script| {
        script.first_confirm();
        script.before(Who::Peer, [Act::Create, Act::Accept, Act::Switch]);
        script.then([Act::Establish, Act::Switch]);
    }),
    operation("login", Of(Server), |script| {
        script.conversation();
        script.news_for_a_login();
        script.before(Who::Peer, [Act::Show]);
        script.then([Act::Accept]);
    }),
    operation("login", Of(Client), |script| {
        script.conversation();
        script.news_for_a_login();
        script.before(Who::Subject, [Act::Show]);
        script.before(Who::Peer, [Act::Accept]);
        script.then([Act::Establish]);
    }),
    operation("take-over", Of(Server), |script| {
        script.conversation();
        script.before(Who::Peer, [Act::Take, Act::Consume, Act::Detach, Act::Show]);
        script.then([Act::Accept]);
    }),
    of_files("reset", Of(Server), |script| {
        script.conversation();
        script.peer_loses_all();
        script.before(Who::Peer, [Act::Create, Act::Show]);
        script.then([Act::Create, Act::Accept, Act::Switch]);
    }),
    of_files("reset", Of(Client), |script| {
        script.conversation();
        script.peer_loses_all();
        script.before(Who::Subject, [Act::Create, Act::Show]);
        script.before(Who::Peer, [Act::Create, Act::Accept, Act::Switch]);
        script.then([Act::Establish, Act::Switch]);
    }),
    of_files("make-a-file-for-a-reset", Of(Client), |script| {
        script.conversation();
        script.peer_loses_all();
        script.then([Act::Create]);
    }),
    operation("detach", Everywhere, |script| {
        script.conversation();
        script.then([Act::Detach]);
    }),
    of_files("open", Everywhere, |script| {
        script.conversation();
        script.before(Who::Subject, [Act::Exit]);
        script.then([Act::Open]);
    }),
    of_files("open-after-half-a-reply", Everywhere, |script| {
        script.conversation();
        script.reply_before();
        script.before(Who::Subject, [Act::LagConsumed, Act::Exit]);
        script.then([Act::Open]);
    }),
    of_files("open-after-half-a-reset", Of(Server), |script| {
        script.conversation();
        script.peer_loses_all();
        script.before(Who::Peer, [Act::Create, Act::Show]);
        script.before(Who::Subject, [Act::Create, Act::Accept, Act::Exit]);
        script.then([Act::Open]);
    }),
    of_files("open-after-half-a-reset", Of(Client), |script| {
        script.conversation();
        script.peer_loses_all();
        script.before(Who::Subject, [Act::Create, Act::Show]);
        script.before(Who::Peer, [Act::Create, Act::Accept, Act::Switch]);
        script.before(Who::Subject, [Act::Establish, Act::Exit]);
        script.then([Act::Open]);
    }),
    of_files("make-the-file-again", Everywhere, |script| {
        script.conversation();
        script.before(Who::Subject, [Act::Detach, Act::Remove]);
        script.then([Act::Restore]);
    }),
];

/// Bytes of the largest payload.
const LARGEST_LEN: usize = LARGEST as usize;

const fn operation(name: &'static str, only: Only, write: fn(&mut Script)) -> Operation {
    Operation { name, files: false, only, write }
}

const fn of_files(name: &'static str, only: Only, write: fn(&mut Script)) -> Operation {
    Operation { name, files: true, only, write }
}

impl Operation {
    /// Whether there is such a thing on this side and carrier.
    pub fn applies(&self, setting: &Setting) -> bool {
        match self.only {
            Everywhere => true,
            OverTcp => setting.carrier == Carrier::Tcp,
            OverShm => setting.carrier == Carrier::Shm,
            Of(role) => setting.role == role,
        }
    }
}

/// The operation of this name, at a place of the ring and with lengths that the seed decides.
pub fn named(name: &str, setting: Setting, seed: u64) -> Result<Scenario, String> {
    let mut operations = OPERATIONS.iter();
    let operation = operations.find(|operation| operation.name == name && operation.applies(&setting));
    let operation = operation.ok_or_else(|| format!("there is no operation `{name}` of this side"))?;
    let mut script = Script::new(setting, seed);
    (operation.write)(&mut script);
    Ok(script.into_scenario())
}

fn lens(random: &mut fastrand::Rng, count: usize) -> Vec<usize> {
    (0..count).map(|_| random.usize(..=LARGEST_LEN)).collect()
}
