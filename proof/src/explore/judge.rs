//! What must hold in every state, and after every message of a login.

use tcpshm_protocol::login::RefusalCode;
use tcpshm_protocol::{Published, Role, survey};

use super::client::Said;
use super::files::Files;
use super::image::Image;
use super::rules::{ROLES, Rules};
use super::side::Side;
use super::state::{History, State};
use super::truth::{Found, Truth};
use crate::violation::Invariant::{
    CrashAtomic, Decided, ExactlyOnce, Idempotent, Monotonic, NothingLost, Ordered, Untouched,
};
use crate::violation::{ensure, violate};
use crate::world::image::at;

/// Everything that can be seen of a state without doing anything to it.
pub(crate) fn state(rules: &Rules, state: &State) {
    let [client, server] = ROLES.map(|role| file(rules, state.side(role)));
    let (Some(client), Some(server)) = (client, server) else { return };
    let truths = &state.sides;
    let [c, s] = [&truths[0].truth, &truths[1].truth];
    if c.session != s.session || state.history != History::One && !is_connected(state) {
        return;
    }
    ensure(c.consumed_a_prefix_of(s) && s.consumed_a_prefix_of(c), ExactlyOnce, || {
        format!("client {c:?}, server {s:?}")
    });
    for (mine, theirs, owner) in [(client, server, "client"), (server, client, "server")] {
        ensure(mine.freed <= theirs.consumed && theirs.consumed <= mine.committed, Ordered, || {
            format!("the {owner}'s file holds {mine:?}, its peer's {theirs:?}")
        });
    }
}

fn is_connected(state: &State) -> bool {
    let link = state.carrier_of(Role::Client);
    link.is_some() && link == state.carrier_of(Role::Server)
}

/// A side's file is what was done to it, message by message.
fn file(rules: &Rules, side: &Side) -> Option<Found> {
    let image = side.main.image()?;
    let found = match side.truth.find(rules, side.role, image) {
        Ok(found) => found,
        Err(text) => violate(NothingLost, format_args!("{:?}: {text}", side.role)),
    };
    let done = (side.truth.sent.len(), side.truth.consumed.len());
    ensure((found.committed, found.consumed) == done, NothingLost, || {
        format!("{:?} committed and consumed {done:?}, its file holds {found:?}", side.role)
    });
    let told = side.truth.sent[..found.freed].last().map_or(0, |freed| freed.told);
    ensure(usize::from(told) <= found.word, Ordered, || {
        format!("{:?} freed a message that tells a consumption of {told}, its file {found:?}", side.role)
    });
    Some(found)
}

/// What a kill in the middle of an operation left is the state before it or the state after it. Gives what was
/// really done.
pub(crate) fn crash(rules: &Rules, before: &Side, after: &Side, left: &Files) -> Truth {
    let Some(image) = &left.main else { return before.truth.clone() };
    let session = session_of(image);
    if session != before.truth.session {
        ensure(session == after.truth.session, CrashAtomic, || "a file of neither session".into());
        return after.truth.clone();
    }
    let same = after.truth.session == session;
    let longest = if same { &after.truth } else { &before.truth };
    let found = match longest.find(rules, before.role, image) {
        Ok(found) => found,
        Err(text) => violate(CrashAtomic, format_args!("{:?}: {text}", before.role)),
    };
    let counts = |truth: &Truth| (truth.sent.len(), truth.consumed.len());
    let seen = (found.committed, found.consumed);
    let whole = seen == counts(&before.truth) || same && seen == counts(&after.truth);
    ensure(whole, CrashAtomic, || {
        format!("left {seen:?}, before {:?}, after {:?}", counts(&before.truth), counts(longest))
    });
    let mut truth = longest.clone();
    truth.truncate(found.committed, found.consumed);
    truth
}

/// Words of one session never go back.
pub(crate) fn step(before: &Side, after: &Side) {
    let (Some(old), Some(new)) = (before.main.image(), after.main.image()) else { return };
    if old.file != new.file {
        return;
    }
    for (word, offset) in [("acked", at::ACKED), ("floor", at::FLOOR), ("consumed", at::CONSUMED)] {
        ensure(new.load(offset) >= old.load(offset), Monotonic, || {
            format!("{:?}: {word} goes from {} back to {}", after.role, old.load(offset), new.load(offset))
        });
    }
}

/// A process was started: its files hold what they held, and starting again changes nothing more.
pub(crate) fn opened(side: &Side) {
    let Some(image) = side.main.image() else { return };
    let found = survey(image);
    let Ok(found) = found else { violate(CrashAtomic, format_args!("{:?}: {found:?}", side.role)) };
    if side.main.session().is_none() {
        return;
    }
    let again = super::client::open(image.clone(), tcpshm_protocol::Nonce::new(7));
    ensure(again.standing() == found.standing(), Idempotent, || {
        format!("opened twice: {:?}, once {:?}", again.standing(), found.standing())
    });
    ensure(again.storage().equals_but_for_nonce(image), Idempotent, || "a second opening stores more".into());
}

/// A message of the server's came to a client that logs in: until the login is accepted nothing of its link file
/// is different but the nonce, and of honest sides with one history nobody is refused.
pub(crate) fn client_login(client: &Side, before: &Files, said: Said, history: History) {
    let broken = history != History::One;
    match said {
        Said::Accepted(_) => return,
        Said::Refused(code) => ensure(broken || code == RefusalCode::NoCarrier, Decided, || {
            format!("one history, and the login is refused: {code:?}")
        }),
        Said::Disputed => ensure(broken, Decided, || "one history, and Ready does not fit".into()),
        Said::Nothing | Said::Left => {}
    }
    untouched(client.main.image(), before.main.as_ref(), Image::equals_but_for_nonce);
}

/// A message of the client's came to a server: until it is accepted nothing of its files is different.
pub(crate) fn server_login(server: &Side, before: &Files, said: Said) {
    if !matches!(said, Said::Accepted(_)) {
        untouched(server.main.image(), before.main.as_ref(), Image::eq);
        ensure(server.fresh.image().is_some() == before.fresh.is_some(), Untouched, || {
            "a login that was not accepted left a file".into()
        });
    }
}

fn untouched(now: Option<&Image>, before: Option<&Image>, equal: fn(&Image, &Image) -> bool) {
    let same = match (now, before) {
        (Some(now), Some(before)) => now.file == before.file && equal(now, before),
        (None, None) => true,
        _ => false,
    };
    ensure(same, Untouched, || "a login that was not accepted changed the link file".into());
}

fn session_of(image: &Image) -> u128 {
    u128::from_le_bytes(*image.bytes(32, 16).first_chunk().expect("as long as asked for"))
}
