//! How large a stream's ring and messages are, and how two sides agree on that.

use crate::frame;

/// The size of one direction's ring and of the largest message it carries. Fixed for a session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    capacity: u64,
    largest: u32,
}

impl Geometry {
    /// The smallest ring, in bytes.
    pub const MIN_CAPACITY: u64 = 64;
    /// The largest ring, in bytes: 1 TiB, far below what would overflow a file offset.
    pub const MAX_CAPACITY: u64 = 1 << 40;
    /// The largest payload, in bytes: 1 GiB, so that a frame's length fits its 32-bit field with room.
    pub const MAX_MESSAGE: u32 = 1 << 30;

    /// A ring of `capacity` bytes, a power of two, for payloads of up to `largest` bytes.
    ///
    /// The largest frame and the 8 bytes of the header after it must fit an empty ring at every
    /// position; for throughput keep `largest` to a quarter of `capacity`.
    pub const fn new(capacity: u64, largest: u32) -> Result<Self, GeometryError> {
        if !capacity.is_power_of_two() || capacity < Self::MIN_CAPACITY || capacity > Self::MAX_CAPACITY {
            return Err(GeometryError::Capacity { capacity });
        }
        if largest > Self::MAX_MESSAGE || frame::padded_size(largest) + 8 > capacity {
            return Err(GeometryError::Largest { largest, capacity });
        }
        Ok(Self { capacity, largest })
    }

    /// Bytes of the ring, a power of two.
    pub const fn capacity(self) -> u64 {
        self.capacity
    }

    /// Bytes of the largest payload.
    pub const fn largest(self) -> u32 {
        self.largest
    }

    /// Bytes that the largest message takes in the ring, header and padding included.
    pub const fn largest_frame(self) -> u64 {
        frame::padded_size(self.largest)
    }

    /// What is left of `self` when the receiver takes at most `accepted`.
    pub fn limited_to(self, accepted: Geometry) -> Result<Geometry, GeometryError> {
        Geometry::new(self.capacity.min(accepted.capacity), self.largest.min(accepted.largest))
    }

    /// Whether a receiver that takes at most `accepted` can receive this stream.
    pub fn fits(self, accepted: Geometry) -> bool {
        self.capacity <= accepted.capacity && self.largest <= accepted.largest
    }
}

impl Default for Geometry {
    /// 256 KiB, since neither latency nor a 16-byte stream gains from more, and payloads of up to
    /// 65,520 bytes, so that the largest frame is a quarter of the ring.
    fn default() -> Self {
        Geometry { capacity: 256 * 1024, largest: 65_520 }
    }
}

/// Why two numbers are not a geometry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// The ring's size is out of range.
    #[error("a ring of {capacity} bytes: the size must be a power of two from 64 to 2^40")]
    Capacity {
        /// Bytes asked for.
        capacity: u64,
    },
    /// The largest message does not fit an empty ring.
    #[error(
        "messages of {largest} bytes need a ring larger than {capacity} bytes (header and next header included)"
    )]
    Largest {
        /// Bytes of payload asked for.
        largest: u32,
        /// Bytes of the ring.
        capacity: u64,
    },
}

/// What one side sends and what it takes, told in Hello and Welcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The geometry it would like for its own stream.
    pub send: Geometry,
    /// The most it takes of the peer's: its capacity bounds what may be in flight, and so the memory
    /// that held messages can occupy.
    pub accept: Geometry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_message_fits_an_empty_ring_with_the_next_header() {
        assert!(Geometry::new(64, 40).is_ok());
        assert_eq!(Geometry::new(64, 41), Err(GeometryError::Largest { largest: 41, capacity: 64 }));
        assert_eq!(Geometry::new(96, 8), Err(GeometryError::Capacity { capacity: 96 }));
        assert_eq!(Geometry::new(32, 0), Err(GeometryError::Capacity { capacity: 32 }));
        assert_eq!(Geometry::new(1 << 41, 0), Err(GeometryError::Capacity { capacity: 1 << 41 }));
        let most = Geometry::MAX_MESSAGE;
        assert!(Geometry::new(1 << 31, most).is_ok());
        assert!(Geometry::new(1 << 40, most + 1).is_err());
    }

    #[test]
    fn the_default_is_a_geometry() {
        let default = Geometry::default();
        assert_eq!(Geometry::new(default.capacity(), default.largest()), Ok(default));
        assert_eq!(default.largest_frame(), default.capacity() / 4);
    }

    #[test]
    fn a_receiver_that_takes_less_gets_less() {
        let wished = Geometry::new(1024, 200).unwrap();
        let accepted = Geometry::new(256, 1 + 64).unwrap();
        assert!(!wished.fits(accepted));
        let agreed = wished.limited_to(accepted).unwrap();
        assert_eq!((agreed.capacity(), agreed.largest()), (256, 65));
        assert!(agreed.fits(accepted));
    }
}
