//! What can follow a state.

use tcpshm_protocol::Role;
use tcpshm_protocol::login::Carrier;

use super::act::Done;
use super::event::{ACTS, Act, Event, Fate, Size};
use super::files::Files;
use super::journal::{self, Step};
use super::judge;
use super::rules::Rules;
use super::side::App;
use super::state::{Link, ServerEnd, State};

/// An act that was done to a copy of a state.
struct Run {
    after: State,
    done: Done,
    /// What its process stored meanwhile.
    steps: Vec<Step>,
}

/// Gives every event that can happen in `state`, with what it leads to. `begin` is told of each before anything
/// of it is done.
pub(crate) fn expand(
    rules: &Rules,
    state: &State,
    mut begin: impl FnMut(Event),
    mut each: impl FnMut(Event, State),
) {
    let mut message = false;
    for (number, (_, act)) in ACTS.iter().enumerate() {
        let act = *act;
        if !may(rules, state, act) || act.is_choice() && !message {
            continue;
        }
        begin(Event::whole(number));
        let run = run(rules, state, act);
        if !act.is_choice() {
            message = run.done == Done::Message;
        }
        if run.done == Done::Nothing {
            continue;
        }
        if let Some(role) = act.owner().filter(|_| !run.steps.is_empty()) {
            let crashes = journal::crashes(state.side(role).files(), &run.steps, rules.torn);
            for (step, left) in crashes.into_iter().enumerate().skip(1) {
                for (peer, (_, look)) in looks(rules, state, role) {
                    begin(Event::seen(number, step, peer));
                    if let Some(seen) = seen(rules, state, &run, role, &left, look) {
                        each(Event::seen(number, step, peer), seen);
                    }
                }
                if state.left.crashes > 0 {
                    begin(Event::killed(number, step));
                    each(Event::killed(number, step), killed(rules, state, &run, role, left));
                }
            }
        }
        each(Event::whole(number), run.after);
    }
}

/// What an event that can happen leads to.
pub(crate) fn follow(rules: &Rules, state: &State, event: Event) -> Option<State> {
    let act = event.act();
    let run = run(rules, state, act);
    let left = |step: usize| {
        let role = act.owner()?;
        let mut crashes = journal::crashes(state.side(role).files(), &run.steps, rules.torn);
        (step < crashes.len()).then(|| (role, crashes.swap_remove(step)))
    };
    match event.fate() {
        Fate::Whole => (run.done != Done::Nothing).then_some(run.after),
        Fate::Killed(step) => left(step).map(|(role, left)| killed(rules, state, &run, role, left)),
        Fate::Seen(step, look) => {
            left(step).and_then(|(role, left)| seen(rules, state, &run, role, &left, look))
        }
    }
}

fn run(rules: &Rules, state: &State, act: Act) -> Run {
    let mut after = state.clone();
    let owner = act.owner().filter(|_| state.left.crashes > 0 || rules.peeks);
    if owner.is_some() {
        journal::record();
    }
    let done = after.act(rules, act, rules.now);
    let steps = owner.map_or(Vec::new(), |role| journal::take(&after.side(role).files()));
    for (before, after) in state.sides.iter().zip(&after.sides) {
        judge::step(before, after);
        if matches!(act, Act::Start(role) if role == after.role) {
            judge::opened(after);
        }
    }
    Run { after, done, steps }
}

/// The process is killed in the course of the act; what it had to say was not said.
fn killed(rules: &Rules, before: &State, run: &Run, role: Role, left: Files) -> State {
    let mut state = State { ids: run.after.ids.clone(), ..before.clone() };
    let after = run.after.side(role);
    let truth = judge::crash(rules, before.side(role), after, &left);
    let side = &mut state.sides[role as usize];
    if truth.session != side.truth.session {
        state.history = run.after.history;
    } else {
        let committed = truth.sent.len() - side.truth.sent.len();
        side.sends -= u8::try_from(committed).expect("few");
    }
    side.truth = truth;
    (side.main, side.fresh) = (left.main.into(), left.fresh.into());
    state.left.crashes -= 1;
    state.bury(role);
    state
}

/// The peer looks at the file in the course of the act.
fn seen(rules: &Rules, before: &State, run: &Run, role: Role, left: &Files, look: Act) -> Option<State> {
    let peer = role.other() as usize;
    // The peer does what it does with the file as it is at that moment, and not before or after.
    let mut meanwhile = before.clone();
    meanwhile.ids = run.after.ids.clone();
    let side = &mut meanwhile.sides[role as usize];
    (side.main, side.fresh) = (left.main.clone().into(), left.fresh.clone().into());
    side.truth = run.after.side(role).truth.clone();
    let attached = |state: &State| state.carrier_of(role.other());
    if meanwhile.act(rules, look, rules.now) == Done::Nothing {
        return None;
    }
    // A look that ends the connection comes to the same as one behind the act.
    if [attached(&meanwhile), attached(&run.after)] != [attached(before); 2] {
        return None;
    }
    let mut after = run.after.clone();
    after.ids = meanwhile.ids;
    after.sides[peer] = meanwhile.sides[peer].clone();
    Some(after)
}

/// How the peer of `role` can look at its file.
fn looks(rules: &Rules, state: &State, role: Role) -> impl Iterator<Item = (usize, (&'static str, Act))> {
    let peer = role.other();
    let looks = rules.peeks && state.side(peer).view.is_some();
    ACTS.iter().copied().enumerate().filter(move |(_, (_, act))| {
        looks && (*act == Act::Poll(peer, App::Consume) || *act == Act::Observe(peer))
    })
}

/// Whether it is worth a try: what is excluded here is not possible, or not part of the search.
fn may(rules: &Rules, state: &State, act: Act) -> bool {
    let app_may = |role: Role, app: App| match app {
        App::Consume => true,
        App::Hold => state.side(role).holds > 0,
        App::Reply { .. } => rules.replies && state.side(role).sends > 0,
    };
    match act {
        Act::Hear(Role::Client, _, app) => {
            state.dialled().is_some_and(|link| !state.links[link].down.is_empty())
                && app_may(Role::Client, app)
        }
        Act::Hear(Role::Server, line, app) => {
            let heard = |link: &Link| !link.up.is_empty() && !matches!(link.server, ServerEnd::Gone);
            state.links.get(line as usize).is_some_and(heard) && app_may(Role::Server, app)
        }
        Act::Poll(role, app) => {
            rules.carrier == Carrier::Shm && state.side(role).view.is_some() && app_may(role, app)
        }
        Act::Observe(role) => rules.carrier == Carrier::Shm && state.side(role).view.is_some(),
        Act::Send(role, Size::Batch) => rules.batches && state.side(role).sends > 1,
        Act::Send(role, _) => state.side(role).sends > 0,
        Act::Release(role, app) => !state.side(role).held.is_empty() && app_may(role, app),
        Act::SayPart(_) => state.left.splits > 0,
        Act::Cut | Act::Leave(_) => state.left.cuts > 0,
        Act::Kill(_) => state.left.crashes > 0,
        Act::Lose(_) | Act::Copy(_) | Act::Restore(_) => state.left.losses > 0,
        Act::Say(role) => state.side(role).is_attached(),
        Act::Start(role) => !state.side(role).alive,
        Act::Dial | Act::Notice(_) => true,
    }
}
