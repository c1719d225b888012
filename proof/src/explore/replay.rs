//! One path again, event by event.

use super::event::Event;
use super::expand::follow;
use super::rules::Rules;
use super::state::State;
use super::{drain, judge};
use crate::violation::catch;

/// Goes along `path`, tells after each event where the two sides are, and judges the end of it as a search does.
pub fn replay(rules: &Rules, path: &str, mut tell: impl FnMut(String)) -> Result<(), String> {
    let mut state = State::first(rules);
    for word in path.split_whitespace() {
        let event: Event = word.parse()?;
        let next = catch(|| follow(rules, &state, event)).map_err(|failure| format!("{word}: {failure}"))?;
        state = next.ok_or_else(|| format!("{word}: that cannot happen here"))?;
        tell(format!("{word:<24} {}", summary(&state)));
    }
    catch(|| {
        judge::state(rules, &state);
        drain::drain(rules, state.clone())
    })
    .map(|acts| tell(format!("without faults it ends well after {acts} acts")))
    .map_err(|failure| failure.to_string())
}

fn summary(state: &State) -> String {
    let side = |side: &super::side::Side| {
        let run = match (side.alive, side.is_attached()) {
            (false, _) => "dead",
            (true, false) => "alone",
            (true, true) => "attached",
        };
        let (sent, consumed, held) = (side.truth.sent.len(), side.truth.consumed.len(), side.held.len());
        format!("{run}, {sent} sent, {consumed} consumed, {held} held")
    };
    let [client, server] = &state.sides;
    let links: Vec<_> = state.links.iter().map(|link| (link.up.len(), link.down.len())).collect();
    format!("client {}; server {}; bytes on their way {links:?}", side(client), side(server))
}
