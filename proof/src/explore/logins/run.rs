//! Logins, one after the other, until one is accepted or there is no sense in another.

use tcpshm_protocol::login::{
    Carrier, Confirm, Holding as Shown, LoginMessage, Outcome, Proposal, RefusalCode, UserData,
};
use tcpshm_protocol::{AttachmentId, Grant, Nonce, Position, Published, Role, Session, Standing};

use super::expected::End;
use super::holdings::{Confirmed, Holding, Which};
use crate::explore::act::Done;
use crate::explore::event::{Act, Line};
use crate::explore::files::Slot;
use crate::explore::image::Image;
use crate::explore::rules::Rules;
use crate::explore::side::{App, Side};
use crate::explore::state::{ClientEnd, History, Link, ServerEnd, State};
use crate::explore::truth::Truth;
use crate::violation::{Invariant, violate};
use crate::world::image::{self, at};

/// The first login is cut after so many of its messages have arrived; or it is not cut.
pub(super) const CUTS: [Option<u32>; 5] = [None, Some(0), Some(1), Some(2), Some(3)];

/// Logins after which there is no sense in another.
const PATIENCE: u32 = 6;

/// How the logins of these two end, and how many they take.
pub(super) fn run(
    rules: &Rules,
    client: &Holding,
    server: &Holding,
    live: bool,
    mut cut: Option<u32>,
) -> (End, u32) {
    let mut state = begin(rules, client, server, live);
    let mut last = None;
    for logins in 1..=PATIENCE {
        let refused = login(rules, &mut state, cut.take());
        if state.carrier_of(Role::Client).is_some() {
            return (accepted(&state, client, server), logins);
        }
        // Twice the same, with nothing between that could have changed it: so it stays.
        let again = last.is_some_and(|(code, _)| Some(code) == refused);
        if let (true, Some((code, first))) = (again, last) {
            return (End::Refused(code), first);
        }
        last = refused.map(|code| (code, logins));
    }
    violate(Invariant::Decided, "no end of logins");
}

fn begin(rules: &Rules, client: &Holding, server: &Holding, live: bool) -> State {
    let mut state = State::first(rules);
    state.left.takeovers = u8::MAX;
    // Nothing is known of what was done, so nothing of that is judged.
    state.history = History::Broken;
    for (role, holding) in [(Role::Client, client), (Role::Server, server)] {
        let side = &mut state.sides[role as usize];
        *side = Side::new(rules, role, holding.main.as_ref().map(|main| main.image(rules, role)));
        if let Some(main) = &holding.main {
            side.truth = Truth::new(main.session.id());
        }
        if holding.proposed {
            let whole = image::fresh(&rules.header(role, Which::Proposed.id()));
            side.fresh = Slot::Closed(Image::packed(9, &whole));
        }
        state.start(role);
    }
    // What is drawn from here on is new to both.
    state.ids.sessions_from(3);
    if let Some(main) = server.main.as_ref().filter(|_| live) {
        let side = &mut state.sides[Role::Server as usize];
        side.main = attached(rules, main).into();
        state.links.push(Link {
            up: Vec::new(),
            down: Vec::new(),
            client: ClientEnd::Gone,
            server: ServerEnd::Stream,
        });
    }
    state
}

/// A server's session on a connection whose client was at the attachment that the file says.
fn attached(rules: &Rules, main: &Confirmed) -> Session<Image> {
    let mut session = Session::open(main.image(rules, Role::Server), Nonce::new(1)).expect("a sound file");
    let position = |bytes| Position::new(bytes).expect("a multiple of 8");
    let (acked, consumed) = (position(main.shape.acked), position(main.shape.consumed));
    let standing = Standing { acked: consumed, sent: consumed, consumed: acked };
    let shown = AttachmentId::new(main.previous);
    let id = session.id();
    let proposal = Proposal { session: id, streams: rules.streams() };
    let confirm = Confirm {
        held: shown.map(|attachment| Shown { session: id, attachment, standing }),
        proposed: shown.is_none().then_some(proposal),
        disputed: false,
        token: None,
        undelivered: None,
        nonce: Nonce::new(2),
    };
    let grant = Grant {
        outcome: Outcome::Resumed,
        attachment: AttachmentId::new(main.current).expect("not 0"),
        nonce: Nonce::new(3),
        carrier: Carrier::Tcp,
        user_data: UserData::default(),
        timing: rules.timing(),
    };
    session.accept(rules.now, &confirm, grant).expect("a client that fits");
    session
}

/// One login; the reason if it was refused.
fn login(rules: &Rules, state: &mut State, cut: Option<u32>) -> Option<RefusalCode> {
    let act = |state: &mut State, act| state.act(rules, act, rules.now) != Done::Nothing;
    let older = state.links.len();
    let before = attachment(state);
    if !act(state, Act::Dial) {
        violate(Invariant::Decided, "no place for a login");
    }
    let mut refused = None;
    for arrived in 0.. {
        let Some(link) = state.links.last().filter(|_| cut != Some(arrived)) else { break };
        refused = refusal(link).or(refused);
        let line = if state.links.len() > 1 { Line::Second } else { Line::Oldest };
        let at_server = matches!(link.server, ServerEnd::Login(_));
        let at_client = matches!(link.client, ClientEnd::Login(..));
        let heard = at_server && act(state, Act::Hear(Role::Server, line, App::Consume))
            || at_client && act(state, Act::Hear(Role::Client, Line::Oldest, App::Consume));
        if !heard {
            break;
        }
    }
    if state.carrier_of(Role::Client).is_none() {
        // Both sides notice the end of this connection. An older one stays as it is, unless it was fenced.
        let kept = if attachment(state) == before { older } else { 0 };
        for link in kept..state.links.len() {
            state.leave(Role::Client, link);
            state.leave(Role::Server, link);
        }
        state.sweep();
    }
    refused
}

/// The last login that the server accepted.
fn attachment(state: &State) -> Option<u64> {
    state.side(Role::Server).main.image().map(|image| image.load(at::CURRENT))
}

/// The refusal that is on its way to the client.
fn refusal(link: &Link) -> Option<RefusalCode> {
    match LoginMessage::decode(&mut &link.down[..]) {
        Ok(Some(LoginMessage::Refusal(refusal))) => Some(refusal.code),
        _ => None,
    }
}

fn accepted(state: &State, client: &Holding, server: &Holding) -> End {
    let session = state.side(Role::Client).truth.session;
    let at_server = server.main.as_ref().map(|main| main.session);
    match at_server {
        Some(which) if which.id().get() == session => End::Resumed(which),
        None if client.main.is_none() => End::Fresh,
        _ => End::Reset,
    }
}
