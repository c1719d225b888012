//! How often what happened: a search in which something never did proves nothing about it.

use tcpshm_protocol::login::Carrier;

use super::event::{ACTS, Act, Event, Fate};
use super::rules::{Budget, Rules};

/// Counts of events.
#[derive(Clone, Debug)]
pub struct Tally {
    acts: [u64; ACTS.len()],
    killed: u64,
    killed_starting: u64,
    seen: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { acts: [0; ACTS.len()], killed: 0, killed_starting: 0, seen: 0 }
    }
}

impl Tally {
    pub(super) fn count(&mut self, event: Event) {
        match event.fate() {
            Fate::Whole => self.acts[event.number()] += 1,
            Fate::Killed(_) if matches!(event.act(), Act::Start(_)) => self.killed_starting += 1,
            Fate::Killed(_) => self.killed += 1,
            Fate::Seen(..) => self.seen += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Tally) {
        self.acts.iter_mut().zip(other.acts).for_each(|(sum, count)| *sum += count);
        self.killed += other.killed;
        self.killed_starting += other.killed_starting;
        self.seen += other.seen;
    }

    /// What happened how often, by name.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let acts = ACTS.iter().zip(self.acts).map(|((name, _), count)| (*name, count));
        let others = [
            ("killed in an operation", self.killed),
            ("killed in recovery", self.killed_starting),
            ("looked at between two stores", self.seen),
        ];
        acts.chain(others)
    }

    /// What could have happened within `rules`, and never did.
    pub fn missing(&self, rules: &Rules) -> Vec<&'static str> {
        let Budget { sends, cuts, crashes, takeovers, losses, splits, holds } = rules.budget;
        let shm = rules.carrier == Carrier::Shm;
        let expected = |name: &str| match name {
            "cut" | "c.leave" | "s.leave" => cuts > 0,
            "c.kill" | "s.kill" | "c.start" | "s.start" | "killed in an operation" => crashes > 0,
            "killed in recovery" => crashes > 1,
            "looked at between two stores" => rules.peeks && sends != [0; 2],
            "c.lose" | "s.lose" | "c.copy" | "s.copy" | "c.restore" | "s.restore" => losses > 0,
            "c.say-part" => splits > 0,
            // Over shared memory it only answers.
            "s.say-part" => splits > 0 && !shm,
            "s.hear2" => takeovers > 0,
            "c.poll" | "s.poll" | "c.observe" | "s.observe" => shm,
            "c.send" | "c.send-large" => sends[0] > 0,
            "s.send" | "s.send-large" => sends[1] > 0,
            "c.release" | "s.release" => holds > 0 && sends[0] > 0 && sends[1] > 0,
            _ => false,
        };
        self.rows().filter(|(name, count)| *count == 0 && expected(name)).map(|(name, _)| name).collect()
    }
}
