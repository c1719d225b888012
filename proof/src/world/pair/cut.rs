//! How far the bytes of a connection came: where it was cut, and which messages it carried.

use tcpshm_protocol::Role;

use super::Connection;
use crate::world::pipe::Pipe;
use crate::world::wire::HEADER;

impl Connection {
    pub(super) fn is_cut(&self) -> bool {
        self.up.is_cut() || self.down.is_cut()
    }

    /// What the cut went through, if that is remarkable.
    pub(super) fn place_of_cut(&self) -> Option<&'static str> {
        let (pipe, stream) =
            if self.up.is_cut() { (&self.up, self.stream[0]) } else { (&self.down, self.stream[1]) };
        match stream {
            None => (pipe.arrived() > 0).then_some("cut: inside a login"),
            Some(from) => place_in_stream(pipe, from),
        }
    }
}

impl Connection {
    /// Whether a side has just learned that more was consumed than this connection carries again so far.
    pub(super) fn is_behind(&self, sender: Role, acked: u64) -> bool {
        self.carried(sender).is_some_and(|carried| acked > carried.upto)
    }

    /// What went out in one direction so far; `None` before the stream began.
    pub(super) fn carried(&self, sender: Role) -> Option<Carried> {
        let (pipe, number) = if sender == Role::Client { (&self.up, 0) } else { (&self.down, 1) };
        let from = usize::try_from(self.stream[number]?).ok()?;
        let mut rest = pipe.record().get(from..)?;
        let mut carried = Carried { upto: self.first[number], messages: 0, controls: 0 };
        while let Some(word) = rest.first_chunk() {
            let word = u64::from_le_bytes(*word);
            let size = usize::try_from((word & 0xffff_ffff).next_multiple_of(8)).ok()?;
            let Some(behind) = rest.get(size..) else { break };
            if word >> 32 & 0xffff == 0 {
                carried.controls += 1;
            } else {
                carried.messages += 1;
                carried.upto += size as u64;
            }
            rest = behind;
        }
        Some(carried)
    }
}

/// What one direction of a connection carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// The end of the last message.
    pub(super) upto: u64,
    pub(super) messages: u64,
    pub(super) controls: u64,
}

/// Walks over the frames that were written.
fn place_in_stream(pipe: &Pipe, from: u64) -> Option<&'static str> {
    let left = usize::try_from(pipe.arrived() - from).expect("memory holds it");
    let mut rest = pipe.record().get(usize::try_from(from).expect("memory holds it")..)?;
    let mut left = left;
    loop {
        let word = u64::from_le_bytes(*rest.first_chunk()?);
        let size = usize::try_from(word & 0xffff_ffff).ok()?.next_multiple_of(8);
        if left >= size {
            rest = rest.get(size..)?;
            left -= size;
            continue;
        }
        let is_control = word >> 32 & 0xffff == 0;
        return match left {
            0 => None,
            _ if is_control => Some("cut: inside a control frame"),
            1..8 => Some("cut: inside word 0"),
            8.. if left < HEADER as usize => Some("cut: inside word 1"),
            _ => Some("cut: inside a payload"),
        };
    }
}
