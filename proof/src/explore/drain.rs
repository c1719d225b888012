//! The faults stop: does everything that was committed arrive?

use std::time::{Duration, Instant};

use tcpshm_protocol::Role;

use super::act::Done;
use super::event::{Act, Line, Size};
use super::judge;
use super::rules::{ROLES, Rules};
use super::side::{App, Side};
use super::state::State;
use crate::violation::Invariant::{ExactlyOnce, Live};
use crate::violation::{ensure, violate};

/// Connections that it may take.
const CONNECTIONS: u32 = 3;
/// Acts that it may take: four logins of eight messages, and for each message a few acts on both sides.
const ACTS: u32 = 200;

/// What goes on by itself, in the order in which it is tried: whoever can go on does, and who cannot dials.
const ORDER: [Act; 14] = [
    Act::Start(Role::Client),
    Act::Start(Role::Server),
    Act::Hear(Role::Server, Line::Oldest, App::Consume),
    Act::Hear(Role::Server, Line::Second, App::Consume),
    Act::Hear(Role::Client, Line::Oldest, App::Consume),
    Act::Release(Role::Client, App::Consume),
    Act::Release(Role::Server, App::Consume),
    Act::Say(Role::Client),
    Act::Say(Role::Server),
    Act::Notice(Role::Client),
    Act::Notice(Role::Server),
    Act::Dial,
    Act::Poll(Role::Client, App::Consume),
    Act::Poll(Role::Server, App::Consume),
];

/// Lets everything happen that happens without faults, and one more message each way, and checks what has come of
/// it. Gives the number of acts.
pub(crate) fn drain(rules: &Rules, mut state: State) -> u32 {
    let mut spent = Spent { acts: 0, connections: 0 };
    let now = settle(rules, &mut state, rules.now, &mut spent);
    finished(rules, &state);
    for role in ROLES {
        state.sides[role as usize].sends += 1;
        let sent = state.act(rules, Act::Send(role, Size::Large), now);
        ensure(sent == Done::Something, Live, || format!("{role:?} has no room, and nothing is owed"));
    }
    settle(rules, &mut state, now, &mut spent);
    finished(rules, &state);
    spent.acts
}

struct Spent {
    acts: u32,
    connections: u32,
}

/// Goes on until nothing is left to be done. Gives what time it is then.
fn settle(rules: &Rules, state: &mut State, mut now: Instant, spent: &mut Spent) -> Instant {
    // Twice, since acknowledgements may have waited for a message to carry them, and room for those.
    for _ in 0..2 {
        while let Some(act) = ORDER.into_iter().find(|act| progress(rules, state, *act, now)) {
            spent.acts += 1;
            spent.connections += u32::from(act == Act::Dial);
            ensure(spent.acts <= ACTS && spent.connections <= CONNECTIONS, Live, || {
                format!("no end after {} acts and {} connections", spent.acts, spent.connections)
            });
        }
        now += Duration::from_millis(20);
        for role in ROLES {
            state.act(rules, Act::Observe(role), now);
        }
    }
    now
}

fn progress(rules: &Rules, state: &mut State, act: Act, now: Instant) -> bool {
    let links = state.links.len();
    let done = state.act(rules, act, now);
    // A look that finds nothing is none, unless the connection ends with it.
    let looks = matches!(act, Act::Poll(..));
    done == Done::Message || done == Done::Something && (!looks || state.links.len() != links)
}

fn finished(rules: &Rules, state: &State) {
    judge::state(rules, state);
    let [client, server] = &state.sides;
    ensure(client.is_attached() && server.is_attached(), Live, || "the two do not come together".into());
    let same = client.truth.session == server.truth.session;
    let all = |sender: &Side, receiver: &Side| {
        sender.truth.sent.len() == receiver.truth.consumed.len()
            && receiver.truth.consumed_a_prefix_of(&sender.truth)
    };
    ensure(same && all(client, server) && all(server, client), ExactlyOnce, || {
        format!("client {:?}, server {:?}", client.truth, server.truth)
    });
    for side in [client, server] {
        let Some(session) = side.session() else { violate(Live, "no session") };
        let owed = session.undelivered();
        ensure(owed.messages == 0, Live, || format!("{:?}: {owed}, all of it consumed", side.role));
    }
}
