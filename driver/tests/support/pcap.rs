//! A capture file of TCP connections that were carried elsewhere: Ethernet, IPv4 and TCP headers made by hand.
//!
//! Sequence numbers are right, checksums are 0, which Wireshark does not look at.

use super::support::cable::Piece;

/// The port of every client is this and the number of its connection.
pub(crate) const FIRST_CLIENT: u16 = 40_000;
/// Bytes of a packet before those that were carried.
pub(crate) const HEADERS: usize = 14 + 20 + 20;
const SERVER: u16 = 4000;
const MOST: usize = 60_000;

const FIN: u8 = 1;
const SYN: u8 = 2;
const PUSH: u8 = 8;
const ACK: u8 = 16;

/// How bytes are cut into segments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// As they were written.
    AsTheyCame,
    /// As much as goes into one segment until the other side speaks.
    Together,
    /// One byte each.
    Bytes,
    /// 1 to 37 bytes each, by a seed.
    Odd(u64),
}

/// The bytes of a capture file.
pub(crate) struct Capture {
    pub(crate) bytes: Vec<u8>,
    /// How much of each packet is kept.
    pub(crate) kept: usize,
    /// Whether every connection has the ports of the first.
    pub(crate) reuses_ports: bool,
    connections: u16,
    packets: u32,
}

/// One side of the connection that is being written.
#[derive(Clone, Copy)]
struct Side {
    port: u16,
    address: [u8; 4],
    next: u32,
}

impl Capture {
    pub(crate) fn new() -> Self {
        let mut bytes = Vec::new();
        // Magic, version 2.4, UTC, no accuracy, most bytes of a packet, Ethernet.
        for word in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 0x4_0000, 1_u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        Capture { bytes, kept: usize::MAX, reuses_ports: false, connections: 0, packets: 0 }
    }

    /// Adds one connection, from its first packet to its last.
    pub(crate) fn add(&mut self, pieces: &[Piece], cut: Cut) {
        let port = FIRST_CLIENT + if self.reuses_ports { 0 } else { self.connections };
        let next = 1000 + self.packets * 10_000;
        let client = Side { port, address: [10, 0, 0, 1], next };
        // These wrap soon.
        let server = Side { port: SERVER, address: [10, 0, 0, 2], next: 0_u32.wrapping_sub(next) };
        self.connections += 1;
        let mut sides = [client, server];
        self.packet(&mut sides, 0, SYN, &[]);
        self.packet(&mut sides, 1, SYN | ACK, &[]);
        self.packet(&mut sides, 0, ACK, &[]);
        for piece in segments(pieces, cut) {
            self.packet(&mut sides, usize::from(!piece.to_server), PUSH | ACK, &piece.bytes);
        }
        self.packet(&mut sides, 0, FIN | ACK, &[]);
        self.packet(&mut sides, 1, FIN | ACK, &[]);
        self.packet(&mut sides, 0, ACK, &[]);
    }

    fn packet(&mut self, sides: &mut [Side; 2], from: usize, flags: u8, data: &[u8]) {
        let (source, target) = (sides[from], sides[1 - from]);
        let length = u16::try_from(40 + data.len()).unwrap();
        let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        // IPv4 without options, not fragmented, 64 hops, TCP.
        packet.extend_from_slice(&[0x45, 0]);
        packet.extend_from_slice(&length.to_be_bytes());
        packet.extend_from_slice(&[0, 0, 0x40, 0, 64, 6, 0, 0]);
        packet.extend_from_slice(&source.address);
        packet.extend_from_slice(&target.address);
        packet.extend_from_slice(&source.port.to_be_bytes());
        packet.extend_from_slice(&target.port.to_be_bytes());
        packet.extend_from_slice(&source.next.to_be_bytes());
        let heard = if flags & ACK == 0 { 0 } else { target.next };
        packet.extend_from_slice(&heard.to_be_bytes());
        packet.extend_from_slice(&[5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend_from_slice(data);
        // A millisecond after the one before.
        let length = u32::try_from(packet.len()).unwrap();
        packet.truncate(self.kept);
        let kept = u32::try_from(packet.len()).unwrap();
        for word in [self.packets / 1000, self.packets % 1000 * 1000, kept, length] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        self.bytes.extend_from_slice(&packet);
        self.packets += 1;
        let taken = u32::from(flags & (SYN | FIN) != 0) + u32::try_from(data.len()).unwrap();
        sides[from].next = source.next.wrapping_add(taken);
    }
}

fn segments(pieces: &[Piece], cut: Cut) -> Vec<Piece> {
    let mut together: Vec<Piece> = Vec::new();
    for piece in pieces {
        match together.last_mut() {
            Some(last) if last.to_server == piece.to_server && !matches!(cut, Cut::AsTheyCame) => {
                last.bytes.extend_from_slice(&piece.bytes);
            }
            _ => together.push(piece.clone()),
        }
    }
    let mut random = fastrand::Rng::with_seed(if let Cut::Odd(seed) = cut { seed } else { 0 });
    let mut segments = Vec::new();
    for Piece { to_server, mut bytes } in together {
        while !bytes.is_empty() {
            let count = match cut {
                Cut::AsTheyCame | Cut::Together => MOST,
                Cut::Bytes => 1,
                Cut::Odd(_) => random.usize(1..38),
            };
            let rest = bytes.split_off(count.min(bytes.len()));
            segments.push(Piece { to_server, bytes });
            bytes = rest;
        }
    }
    segments
}
