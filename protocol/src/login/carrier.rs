//! What carries the frames of a session: a wish, an offer, a choice.

/// What carries the frames of one connection. A session may change it at any login and lose nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// The connection that the login itself came over.
    Tcp,
    /// Each side reads the other's link file through a read-only mapping.
    Shm,
}

/// The carrier a client would like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CarrierWish {
    /// TCP and nothing else.
    Tcp,
    /// Shared memory and nothing else: refused where it is not possible.
    Shm,
    /// Shared memory where both sides prove to see the same memory, TCP otherwise. The default, since
    /// it always connects.
    #[default]
    Auto,
}

impl CarrierWish {
    /// Whether `carrier` fulfils the wish.
    pub const fn allows(self, carrier: Carrier) -> bool {
        match self {
            CarrierWish::Tcp => matches!(carrier, Carrier::Tcp),
            CarrierWish::Shm => matches!(carrier, Carrier::Shm),
            CarrierWish::Auto => true,
        }
    }
}

/// The carriers a server can offer: a set that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Carriers(u8);

impl Carriers {
    /// TCP only.
    pub const TCP: Carriers = Carriers(1);
    /// Shared memory only.
    pub const SHM: Carriers = Carriers(2);
    /// Either.
    pub const BOTH: Carriers = Carriers(1 | 2);

    /// The set with these bits (1 TCP, 2 shared memory), or `None` for the empty set and unknown bits.
    pub(super) const fn from_bits(bits: u8) -> Option<Self> {
        if bits >= 1 && bits <= 3 { Some(Self(bits)) } else { None }
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// Whether `carrier` is among them.
    pub const fn contains(self, carrier: Carrier) -> bool {
        let bit = match carrier {
            Carrier::Tcp => Self::TCP.0,
            Carrier::Shm => Self::SHM.0,
        };
        self.0 & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_carriers_is_never_empty_nor_unknown() {
        assert_eq!(Carriers::from_bits(0), None);
        assert_eq!(Carriers::from_bits(4), None);
        assert_eq!(Carriers::from_bits(3), Some(Carriers::BOTH));
    }

    #[test]
    fn a_set_contains_what_it_names() {
        let contained = |set: Carriers| [Carrier::Tcp, Carrier::Shm].map(|carrier| set.contains(carrier));
        assert_eq!(contained(Carriers::TCP), [true, false]);
        assert_eq!(contained(Carriers::SHM), [false, true]);
        assert_eq!(contained(Carriers::BOTH), [true, true]);
    }

    #[test]
    fn only_an_open_wish_allows_either_carrier() {
        let allowed = |wish: CarrierWish| [Carrier::Tcp, Carrier::Shm].map(|carrier| wish.allows(carrier));
        assert_eq!(allowed(CarrierWish::Tcp), [true, false]);
        assert_eq!(allowed(CarrierWish::Shm), [false, true]);
        assert_eq!(allowed(CarrierWish::Auto), [true, true]);
    }
}
