//! Puts messages of an input into a batch.

use tcpshm_driver::shm::Mapped;
use tcpshm_driver::{Batch, SendError};

use super::END;
use super::format::{Piece, sum};
use super::input::Input;
use super::sending::Task;
use crate::failure::Failure;

/// How much of an input is committed.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    pub(super) messages: u64,
}

/// What a batch holds.
#[derive(Default)]
pub(super) struct Laid {
    /// Bytes of input.
    pub(super) took: usize,
    pub(super) messages: u64,
    /// Bytes of frames.
    pub(super) filled: u64,
    /// Messages that the input says it has.
    pub(super) promised: Option<u64>,
    /// There was more, and no room.
    pub(super) full: bool,
    /// Nothing comes behind it.
    pub(super) end: bool,
}

/// Puts into a batch what there is and fits `room` bytes of frames, one message at least if the ring takes it.
pub(super) fn lay_out(
    task: &Task,
    input: &mut Input,
    batch: &mut Batch<'_, Mapped>,
    sent: Sent,
    room: u64,
    largest: &mut usize,
) -> Result<Laid, Failure> {
    let mut laid = Laid::default();
    while !laid.end {
        let (there, ended) = input.look()?;
        let byte = sent.bytes + laid.took as u64;
        let whole = task.count.is_some_and(|count| sent.messages + laid.messages >= count);
        let next = task.format.next(&there[laid.took..], *largest, ended);
        let next = match next {
            // What stands before it goes first.
            Err(_) if laid.messages > 0 => break,
            Err(_) => return Err(Failure::NotExported { byte, sent: Some(sent.messages) }),
            Ok(next) => next.filter(|_| !whole),
        };
        let ends = next.is_none() && (whole || ended);
        let (message, took) = match next {
            Some(Piece { message, promised, took }) => {
                laid.promised = sum(laid.promised, promised);
                (message, took)
            }
            None if ends => (task.says_end.then(|| (END, Vec::new())), 0),
            None if input.look_further()? => continue,
            None => break,
        };
        if let Some((kind, payload)) = message {
            let frame = (payload.len() as u64 + 16).next_multiple_of(8);
            if laid.filled > 0 && laid.filled + frame > room {
                break;
            }
            match batch.send(kind, &payload) {
                Ok(()) => laid.filled += frame,
                Err(SendError::Full { .. } | SendError::NotEstablished) => {
                    laid.full = true;
                    break;
                }
                // The other side takes less than the usual.
                Err(SendError::TooLarge { most, .. }) if (most as usize) < *largest => {
                    *largest = most as usize;
                    continue;
                }
                Err(error) => return Err(Failure::Send(error)),
            }
            laid.messages += u64::from(!ends);
        }
        laid.took += took;
        laid.end = ends;
    }
    Ok(laid)
}
