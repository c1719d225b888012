//! Which logins are under way, and which of them came too late.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use tcpshm_protocol::Name;

/// The logins in progress, oldest first, and the order in which their Hellos were read.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    /// Place by order of arrival.
    arrivals: BTreeMap<u64, (usize, IpAddr)>,
    next_arrival: u64,
    per_address: HashMap<IpAddr, usize>,
    hellos: u64,
    /// Only names that a login in progress has said; so it is bounded by their number.
    names: HashMap<Name, Said>,
}

#[derive(Debug, Default)]
struct Said {
    logins: usize,
    /// The latest Hello whose Confirm settled something, among those it could have overtaken.
    settled: u64,
}

impl Logins {
    /// Notes a connection at `place`. The number returned stands for it from here on.
    pub(crate) fn arrive(&mut self, place: usize, address: IpAddr) -> u64 {
        self.next_arrival += 1;
        self.arrivals.insert(self.next_arrival, (place, address));
        *self.per_address.entry(address).or_default() += 1;
        self.next_arrival
    }

    /// The connection `arrival` is no longer logging in.
    pub(crate) fn leave(&mut self, arrival: u64, name: Option<&Name>) {
        let Some((_, address)) = self.arrivals.remove(&arrival) else {
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
        let arrival = self.arrivals.iter().find(|(_, (at, _))| *at == place).map(|(arrival, _)| *arrival);
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

    /// Whether a Confirm under `name` whose Hello was read after `hello` has settled something.
    pub(crate) fn is_stale(&self, name: &Name, hello: u64) -> bool {
        self.names.get(name).is_some_and(|said| hello < said.settled)
    }

    /// A Confirm was accepted, or made its client forget something: from here on those that were begun
    /// before it decide nothing, however late they arrive.
    pub(crate) fn overtake(&mut self, name: &Name, hello: u64) {
        if let Some(said) = self.names.get_mut(name) {
            said.settled = said.settled.max(hello);
        }
    }

    /// The place of the login that has to make room for one more from `address`, if any.
    pub(crate) fn crowded(&self, address: IpAddr, most: usize, most_per_address: usize) -> Option<usize> {
        if self.per_address.get(&address).is_some_and(|count| *count >= most_per_address) {
            let own = self.arrivals.values().find(|(_, from)| *from == address);
            return own.map(|(place, _)| *place);
        }
        let oldest = self.arrivals.values().next().filter(|_| self.arrivals.len() >= most);
        oldest.map(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    #[test]
    fn the_oldest_gives_way_first_of_its_own_address_then_of_all() {
        let mut logins = Logins::default();
        for (place, from) in [(10, 1), (11, 2), (12, 2)] {
            logins.arrive(place, address(from));
        }
        assert_eq!(logins.crowded(address(2), 9, 2), Some(11));
        assert_eq!(logins.crowded(address(1), 9, 2), None);
        assert_eq!(logins.crowded(address(3), 3, 2), Some(10));
    }

    #[test]
    fn a_confirm_is_stale_when_a_later_one_has_settled_something() {
        let mut logins = Logins::default();
        let name: Name = "c".parse().unwrap();
        let arrivals = [0, 1].map(|place| logins.arrive(place, address(1)));
        let hellos = [0, 1].map(|_| logins.hello(&name));
        logins.overtake(&name, hellos[1]);
        logins.overtake(&name, hellos[0]);
        assert!(logins.is_stale(&name, hellos[0]) && !logins.is_stale(&name, hellos[1]));
        for arrival in arrivals {
            logins.leave(arrival, Some(&name));
        }
        assert!(logins.names.is_empty() && logins.per_address.is_empty() && logins.arrivals.is_empty());
    }
}
