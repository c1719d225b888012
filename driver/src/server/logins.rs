//! Which logins are under way, and which of them came too late.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tcpshm_protocol::{Name, SessionId};

/// The logins in progress, oldest first, and the order in which their Hellos were read.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    /// By order of arrival.
    arrivals: BTreeMap<u64, Arrival>,
    next_arrival: u64,
    per_address: HashMap<IpAddr, usize>,
    hellos: u64,
    /// Only names that a login in progress has said; so it is bounded by their number.
    names: HashMap<Name, Said>,
}

#[derive(Debug)]
struct Arrival {
    place: usize,
    address: IpAddr,
    at: Instant,
}

/// How many logins may be in progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) most: usize,
    pub(crate) most_per_address: usize,
    /// How old one is that has to give way.
    pub(crate) grace: Duration,
}

/// Whether one more may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    /// The login at this place has to give way.
    InPlaceOf(usize),
    /// All of them have just begun.
    Nowhere,
}

#[derive(Debug, Default)]
struct Said {
    logins: usize,
    /// The Hello of the last accepted Confirm under the name, among those it could have overtaken.
    accepted: u64,
    /// Proposals that clients were told to forget, the latest at the back. An id never comes to life
    /// again, so refusing it is always right.
    dead: VecDeque<SessionId>,
}

impl Logins {
    /// Notes a connection at `place`. The number returned stands for it from here on.
    pub(crate) fn arrive(&mut self, at: Instant, place: usize, address: IpAddr) -> u64 {
        self.next_arrival += 1;
        self.arrivals.insert(self.next_arrival, Arrival { place, address, at });
        *self.per_address.entry(address).or_default() += 1;
        self.next_arrival
    }

    /// The connection `arrival` is no longer logging in.
    pub(crate) fn leave(&mut self, arrival: u64, name: Option<&Name>) {
        let Some(Arrival { address, .. }) = self.arrivals.remove(&arrival) else {
            return;
        };
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
        let Some(name) = name else {
            return;
        };
        if let Some(said) = self.names.get_mut(name) {
            said.logins -= 1;
            if said.logins == 0 {
                self.names.remove(name);
            }
        }
    }

    /// Whatever was logging in at `place` is gone. Returns whether there was anything.
    pub(crate) fn forget(&mut self, place: usize) -> bool {
        let arrival = self.arrivals.iter().find(|(_, it)| it.place == place).map(|(arrival, _)| *arrival);
        if let Some(arrival) = arrival {
            self.leave(arrival, None);
        }
        arrival.is_some()
    }

    /// A Hello was read. Returns its number in order.
    pub(crate) fn hello(&mut self, name: &Name) -> u64 {
        self.hellos += 1;
        self.names.entry(name.clone()).or_default().logins += 1;
        self.hellos
    }

    /// Whether a Confirm under `name` was accepted whose Hello was read after `hello`.
    pub(crate) fn is_stale(&self, name: &Name, hello: u64) -> bool {
        self.names.get(name).is_some_and(|said| hello < said.accepted && !zoo!(OlderLoginWins))
    }

    /// A Confirm was accepted: those that were begun before it decide nothing, however late they arrive.
    pub(crate) fn overtake(&mut self, name: &Name, hello: u64) {
        if let Some(said) = self.names.get_mut(name) {
            said.accepted = said.accepted.max(hello);
        }
    }

    /// The client was told to forget a proposal: a delayed Confirm must not bring it back.
    ///
    /// The id is remembered and not the order of the Hello, since anybody can have an invented proposal
    /// refused, and would make the owner's own logins stale by it.
    pub(crate) fn bury(&mut self, name: &Name, proposal: SessionId) {
        if let Some(said) = self.names.get_mut(name) {
            said.accepted = if zoo!(BurialMakesStale) { self.hellos } else { said.accepted };
            said.dead.push_back(proposal);
            if said.dead.len() > REMEMBERED {
                said.dead.pop_front();
            }
        }
    }

    /// Whether a proposal was refused for good while this login was under way.
    pub(crate) fn is_dead(&self, name: &Name, proposal: SessionId) -> bool {
        self.names.get(name).is_some_and(|said| said.dead.contains(&proposal) && !zoo!(ProposalComesBack))
    }

    /// Whether there is room for one more from `address`.
    pub(crate) fn room(&self, now: Instant, address: IpAddr, bounds: Bounds) -> Room {
        let of_address = self.per_address.get(&address).copied().unwrap_or(0);
        let mut arrivals = self.arrivals.values();
        let oldest = if of_address >= bounds.most_per_address {
            arrivals.find(|arrival| arrival.address == address)
        } else if self.arrivals.len() >= bounds.most {
            arrivals.next()
        } else {
            return Room::Free;
        };
        match oldest {
            _ if zoo!(OldestKeepsItsPlace) => Room::Free,
            Some(oldest) if now.saturating_duration_since(oldest.at) >= bounds.grace => {
                Room::InPlaceOf(oldest.place)
            }
            Some(_) => Room::Nowhere,
            // Nobody may log in at all.
            None => Room::Nowhere,
        }
    }
}

/// Dead proposals remembered for one name: more than a client can have had refused in the time that a
/// login may take, unless somebody floods the name.
const REMEMBERED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    #[test]
    fn the_oldest_gives_way_first_of_its_own_address_then_of_all() {
        let (mut logins, now) = (Logins::default(), Instant::now());
        for (place, from) in [(10, 1), (11, 2), (12, 2)] {
            logins.arrive(now, place, address(from));
        }
        let room = |from, most| {
            logins.room(now, address(from), Bounds { most, most_per_address: 2, grace: Duration::ZERO })
        };
        assert_eq!(room(2, 9), Room::InPlaceOf(11));
        assert_eq!(room(1, 9), Room::Free);
        assert_eq!(room(3, 3), Room::InPlaceOf(10));
    }

    #[test]
    fn one_that_has_just_begun_does_not_give_way() {
        let (mut logins, start) = (Logins::default(), Instant::now());
        let grace = Duration::from_millis(100);
        logins.arrive(start, 10, address(1));
        logins.arrive(start + grace, 11, address(1));
        let room = |after| {
            let bounds = Bounds { most: 2, most_per_address: 2, grace };
            logins.room(start + after, address(1), bounds)
        };
        assert_eq!(room(grace - Duration::from_nanos(1)), Room::Nowhere);
        assert_eq!(room(grace), Room::InPlaceOf(10));
        // A clock that goes back makes nobody older.
        assert_eq!(
            logins.room(start, address(2), Bounds { most: 2, most_per_address: 9, grace }),
            Room::Nowhere
        );
    }

    #[test]
    fn a_confirm_is_stale_when_a_later_hello_was_accepted() {
        let mut logins = Logins::default();
        let name: Name = "c".parse().unwrap();
        let arrivals = [0, 1].map(|place| logins.arrive(Instant::now(), place, address(1)));
        let hellos = [0, 1].map(|_| logins.hello(&name));
        logins.overtake(&name, hellos[1]);
        logins.overtake(&name, hellos[0]);
        assert!(logins.is_stale(&name, hellos[0]) && !logins.is_stale(&name, hellos[1]));
        for arrival in arrivals {
            logins.leave(arrival, Some(&name));
        }
        assert!(logins.names.is_empty() && logins.per_address.is_empty() && logins.arrivals.is_empty());
    }

    #[test]
    fn a_dead_proposal_is_remembered_as_long_as_a_login_under_the_name_is_under_way() {
        let mut logins = Logins::default();
        let name: Name = "c".parse().unwrap();
        let proposal = SessionId::new(7).unwrap();
        let arrival = logins.arrive(Instant::now(), 0, address(1));
        let hello = logins.hello(&name);
        logins.bury(&name, proposal);
        assert!(logins.is_dead(&name, proposal) && !logins.is_stale(&name, hello));
        assert!(!logins.is_dead(&name, SessionId::new(8).unwrap()));
        logins.leave(arrival, Some(&name));
        assert!(!logins.is_dead(&name, proposal));
    }
}
