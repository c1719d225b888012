//! What an act does.

use std::time::Instant;

use tcpshm_protocol::Role;

use super::event::{Act, Size};
use super::rules::Rules;
use super::side::{App, Heard, Side};
use super::state::State;
use crate::world::wire::frame_size;

/// What came of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was not possible, or there was nothing to do.
    Nothing,
    Something,
    /// An application was given a message.
    Message,
}

/// Two sides, one to change and the other to look at.
fn both(state: &mut State, role: Role) -> (&mut Side, &mut Side) {
    let [client, server] = &mut state.sides;
    if role == Role::Client { (client, server) } else { (server, client) }
}

impl State {
    /// Does it, if it can be done now, at the time `now`.
    pub(crate) fn act(&mut self, rules: &Rules, act: Act, now: Instant) -> Done {
        let done = match act {
            Act::Dial => self.dial(rules),
            Act::Hear(role, line, app) => return self.hear(rules, role, line, app, now),
            Act::Say(role) => self.say(role, usize::MAX, now),
            Act::SayPart(role) => self.say_part(role, now),
            Act::Poll(role, app) => return self.poll(rules, role, app),
            Act::Observe(role) => self.observe(role),
            Act::Send(role, size) => self.send(rules, role, size),
            Act::Release(role, app) => self.release(rules, role, app),
            Act::Notice(role) => self.notice(role),
            Act::Cut => self.cut(),
            Act::Leave(role) => self.part(role),
            Act::Kill(role) => self.killed(role),
            Act::Start(role) => {
                let dead = !self.side(role).alive;
                if dead {
                    self.start(role);
                }
                dead
            }
            Act::Lose(role) => self.lose(role),
            Act::Copy(role) => self.copy(role),
            Act::Restore(role) => self.restore(role),
        };
        if done { Done::Something } else { Done::Nothing }
    }

    // ---- shared memory ----

    fn poll(&mut self, rules: &Rules, role: Role, app: App) -> Done {
        let Some(index) = self.carrier_of(role) else { return Done::Nothing };
        let (side, peer) = both(self, role);
        let Some(view) = side.viewed(peer).cloned() else { return Done::Nothing };
        let heard = side.poll(rules, &view, app, &peer.truth);
        let found_nothing = heard == Ok(Heard::Nothing);
        let done = self.after(role, index, heard);
        self.sweep();
        // A look that finds nothing may have zeroed places ahead.
        if found_nothing { Done::Something } else { done }
    }

    fn observe(&mut self, role: Role) -> bool {
        let (side, peer) = both(self, role);
        let Some(view) = side.viewed(peer) else { return false };
        side.main.session_mut().is_some_and(|session| {
            session.observe(view);
            true
        })
    }

    // ---- applications ----

    fn send(&mut self, rules: &Rules, role: Role, size: Size) -> bool {
        let side = &mut self.sides[role as usize];
        let [small, large] = rules.sizes;
        let (count, payload) = match size {
            Size::Small => (1, small),
            Size::Large => (1, large),
            Size::Batch => {
                let bytes = frame_size(small) + frame_size(large) - 16;
                (2, usize::try_from(bytes).expect("small"))
            }
        };
        if !side.alive || side.sends < count || !side.has_room(payload) {
            return false;
        }
        match size {
            Size::Small | Size::Large => side.send(rules, size == Size::Large),
            Size::Batch => side.send_batch(rules),
        }
        true
    }

    fn release(&mut self, rules: &Rules, role: Role, app: App) -> bool {
        let side = &mut self.sides[role as usize];
        let held = !side.held.is_empty();
        if held {
            side.release(rules, app);
        }
        held
    }
}
