//! What a side can hold, and the files that hold it.

use tcpshm_protocol::{Kind, Role, SessionId};

use crate::explore::image::Image;
use crate::explore::rules::Rules;
use crate::world::image::{self, at};
use crate::world::message::Message;
use crate::world::wire::Stream;

/// How far one side has come in a session.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) acked: u64,
    /// Bytes of the frames that are kept.
    frames: &'static [u64],
    /// The file was opened when nothing of these frames was there, and the peer was shown none of them.
    floor: bool,
    pub(super) consumed: u64,
}

impl Shape {
    /// Where the frames that are kept end, after where they start.
    pub(super) fn ends(&self) -> Vec<u64> {
        let mut ends = vec![self.acked];
        for frame in self.frames {
            ends.push(ends[ends.len() - 1] + frame);
        }
        ends
    }

    /// What the peer can have seen.
    pub(super) fn sent(&self) -> u64 {
        if self.floor { self.acked } else { self.ends()[self.frames.len()] }
    }
}

/// Every shape of small positions.
pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for acked in [0, 16] {
        for frames in [&[][..], &[16], &[32], &[16, 16]] {
            for floor in [false, true] {
                for consumed in [0, 16, 32] {
                    if !floor || !frames.is_empty() {
                        shapes.push(Shape { acked, frames, floor, consumed });
                    }
                }
            }
        }
    }
    shapes
}

/// Which session a file is of: the one that both may have, the one that the client may propose, or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Common,
    Proposed,
    Other,
}

impl Which {
    pub(super) fn id(self) -> SessionId {
        Rules::session(1 + self as u64)
    }
}

/// A confirmed link file.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    pub(super) session: Which,
    pub(super) current: u64,
    pub(super) previous: u64,
    pub(super) shape: Shape,
}

/// What one side holds.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    pub(super) main: Option<Confirmed>,
    /// A client's unconfirmed file.
    pub(super) proposed: bool,
}

impl Holding {
    /// Whether a server can have a connection with this: before anything came of it the client showed nothing.
    pub(super) fn can_be_live(&self) -> bool {
        self.main
            .as_ref()
            .is_some_and(|main| main.previous != 0 || main.shape.acked == 0 && main.shape.consumed == 0)
    }
}

const AT_THE_START: Shape = Shape { acked: 0, frames: &[], floor: false, consumed: 0 };

/// Everything that a client can hold.
pub(super) fn clients(shapes: &[Shape]) -> Vec<Holding> {
    let confirmed = |session, current, shape: &Shape| {
        Some(Confirmed { session, current, previous: 0, shape: shape.clone() })
    };
    let mut clients = Vec::new();
    for proposed in [false, true] {
        clients.push(Holding { main: None, proposed });
        clients.push(Holding { main: confirmed(Which::Other, 1, &AT_THE_START), proposed });
        for shape in shapes.iter().take(if proposed { 3 } else { shapes.len() }) {
            for current in [1, 2] {
                clients.push(Holding { main: confirmed(Which::Common, current, shape), proposed });
            }
        }
    }
    clients
}

/// Everything that a server can hold.
pub(super) fn servers(shapes: &[Shape]) -> Vec<Holding> {
    let mut servers = vec![None];
    let other = Confirmed { session: Which::Other, current: 7, previous: 7, shape: AT_THE_START };
    servers.push(Some(other));
    for shape in shapes {
        for (session, attachments) in
            [(Which::Common, &[(1, 0), (1, 1), (2, 1), (2, 2)][..]), (Which::Proposed, &[(1, 0), (1, 1)])]
        {
            for (current, previous) in attachments.iter().copied() {
                servers.push(Some(Confirmed { session, current, previous, shape: shape.clone() }));
            }
        }
    }
    servers.into_iter().map(|main| Holding { main, proposed: false }).collect()
}

impl Confirmed {
    /// The file.
    pub(super) fn image(&self, rules: &Rules, role: Role) -> Image {
        let session = self.session.id();
        let header = rules.header(role, session);
        let mut whole = image::fresh(&header);
        let stream = Stream { session, sender: role };
        let Shape { acked, consumed, floor, .. } = self.shape;
        for (start, frame) in self.shape.ends().iter().zip(self.shape.frames) {
            let payload = vec![0xab; usize::try_from(frame - 16).expect("small")];
            let message = Message { kind: Kind::new(1).expect("not 0"), payload };
            let bytes = stream.message(*start, 0, &message);
            whole[rules.place(*start)..][..bytes.len()].copy_from_slice(&bytes);
        }
        let floor_of = if floor { self.current } else { 0 };
        for (word, value) in [
            (at::ACKED, acked),
            (at::FLOOR, acked),
            (at::CONSUMED, consumed),
            (at::SENT_FLOOR, acked),
            (at::SENT_FLOOR_OF, floor_of),
            (at::CURRENT, self.current),
            (at::PREVIOUS, self.previous),
            (at::PREVIOUS_SENT, self.shape.sent()),
        ] {
            image::set(&mut whole, word, value);
        }
        Image::packed(role as u8, &whole)
    }
}
