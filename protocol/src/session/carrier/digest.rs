//! What an exhaustive search sees of a connection.

use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use super::Attached;

impl Hash for Attached {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self {
            transmit,
            inbound,
            reader,
            liveness: _,
            acks,
            stall: _,
            unproven,
            greet,
            sleeper,
            offered,
            closing,
            fault,
        } = self;
        (transmit, inbound, reader, acks).hash(state);
        (unproven, greet, sleeper, offered).hash(state);
        discriminant(closing).hash(state);
        fault.is_some().hash(state);
    }
}
