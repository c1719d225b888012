//! Where a connection was cut.

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
