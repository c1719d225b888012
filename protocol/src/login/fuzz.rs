//! Bodies of the fuzz targets, and their seeded runs.

use super::{
    Carrier, CarrierWish, Carriers, ClientLogin, ClientStep, Confirm, Hello, LoginError, LoginMessage,
    Outcome, Proposal, Ready, ServerLogin, ServerStep, Silence, Streams, UserData, Welcome,
};
use crate::geometry::{Geometry, Limits};
use crate::id::{AttachmentId, Challenge, Nonce, ResetToken, SessionId};
use crate::name::Name;
use crate::position::Standing;

/// Decodes what the bytes begin with; whatever decodes has exactly these bytes.
pub fn login(bytes: &[u8]) {
    let mut input = bytes;
    while let Ok(Some(message)) = LoginMessage::decode(&mut input) {
        let mut encoded = Vec::new();
        message.encode(&mut encoded);
        let taken = &bytes[..bytes.len() - input.len()];
        assert!(taken.ends_with(&encoded), "a message has one encoding");
        assert_eq!(LoginMessage::decode(&mut &encoded[..]), Ok(Some(message)));
    }
}

/// Feeds the bytes to both machines, in pieces of a size that the first byte says, and answers whatever
/// they make of them.
pub fn machines(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else { return };
    let size = usize::from(size) + 1;
    let mut server = ServerLogin::new();
    feed(bytes, size, |input| converse(&mut server, input));
    let mut client = ClientLogin::new(&hello());
    feed(bytes, size, |input| question(&mut client, input));
}

/// Calls `take` as a driver would, with what it left before and one more piece.
fn feed(bytes: &[u8], size: usize, mut take: impl FnMut(&mut &[u8]) -> bool) {
    let mut kept = Vec::new();
    for piece in bytes.chunks(size) {
        kept.extend_from_slice(piece);
        let mut input = &kept[..];
        while take(&mut input) {}
        kept.drain(..kept.len() - input.len());
    }
}

/// One call of the server's machine; true if it took a step.
fn converse(server: &mut ServerLogin, input: &mut &[u8]) -> bool {
    let before = *input;
    match server.handle_input(input) {
        Ok(Some(ServerStep::Hello(_))) => server.welcome(&welcome()).expect("Hello asks for Welcome"),
        Ok(Some(ServerStep::Confirm(confirm))) => {
            confirm.check().expect("a decoded confirm is well-formed");
            server.ready(&ready()).expect("Confirm asks for Ready");
        }
        Ok(Some(ServerStep::Refused(refusal))) => assert!(refusal.to_string().is_ascii()),
        Ok(None) => assert_eq!(*input, before),
        Err(fault) => {
            assert_eq!((*input, server.handle_input(input)), (before, Err(fault.clone())));
            server.refuse(&checked_refusal(&fault));
        }
    }
    server.handle_transmitted(1);
    input.len() < before.len()
}

/// One call of the client's machine; true if it took a step.
fn question(client: &mut ClientLogin, input: &mut &[u8]) -> bool {
    let before = *input;
    match client.handle_input(input) {
        Ok(Some(ClientStep::Welcome(_))) => client.confirm(&confirm()).expect("Welcome asks for Confirm"),
        Ok(Some(ClientStep::Ready(ready))) => assert_eq!(ready.session, proposed()),
        Ok(Some(ClientStep::Refused(refusal))) => assert!(refusal.to_string().is_ascii()),
        Ok(None) => assert_eq!(*input, before),
        Err(fault) => {
            assert_eq!((*input, client.handle_input(input)), (before, Err(fault.clone())));
            client.refuse(&checked_refusal(&fault));
        }
    }
    client.handle_transmitted(1);
    input.len() < before.len()
}

/// The refusal for a fault, which must itself be a login message.
fn checked_refusal(fault: &LoginError) -> super::Refusal {
    let refusal = fault.refusal();
    let mut encoded = Vec::new();
    LoginMessage::Refusal(refusal.clone()).encode(&mut encoded);
    assert_eq!(LoginMessage::decode(&mut &encoded[..]), Ok(Some(LoginMessage::Refusal(refusal.clone()))));
    refusal
}

fn name(text: &str) -> Name {
    text.parse().expect("a valid name")
}

fn proposed() -> SessionId {
    SessionId::new(0xc3).expect("not 0")
}

fn hello() -> Hello {
    Hello {
        client: name("alice"),
        server: None,
        limits: Limits::default(),
        wish: CarrierWish::Auto,
        silence: Silence::default(),
        user_data: UserData::default(),
    }
}

fn welcome() -> Welcome {
    Welcome {
        server: name("bob"),
        limits: Limits::default(),
        carriers: Carriers::BOTH,
        silence: Silence::default(),
        // That of the samples and the corpora, or no Confirm of theirs would get anywhere.
        challenge: Challenge::new(0x28),
    }
}

fn confirm() -> Confirm {
    Confirm {
        held: None,
        proposed: Some(Proposal {
            session: proposed(),
            streams: Streams { client: Geometry::default(), server: Geometry::default() },
        }),
        disputed: false,
        token: ResetToken::new(1),
        undelivered: None,
        nonce: Nonce::new(2),
    }
}

fn ready() -> Ready {
    Ready {
        outcome: Outcome::Fresh,
        session: proposed(),
        standing: Standing::START,
        attachment: AttachmentId::new(3).expect("not 0"),
        carrier: Carrier::Tcp,
        nonce: Nonce::new(4),
        user_data: UserData::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn run(bytes: &[u8]) {
        login(bytes);
        machines(bytes);
        login(bytes.get(1..).unwrap_or_default());
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let mut bytes = vec![0; random.usize(..256)];
            random.fill(&mut bytes);
            // Past the magic and the version, or no random input would get anywhere.
            if random.bool() && bytes.len() > 8 {
                bytes[1..7].copy_from_slice(&[b't', b's', b'h', b'm', 1, random.u8(1..=5)]);
                bytes[8] = 0;
            }
            run(&bytes);
        }
    }

    #[test]
    fn mutated_logins_never_panic() {
        let mut random = fastrand::Rng::with_seed(2);
        let samples = samples::all();
        for _ in 0..50_000 {
            let mut bytes = vec![random.u8(..)];
            for _ in 0..random.usize(1..4) {
                samples[random.usize(..samples.len())].encode(&mut bytes);
            }
            for _ in 0..random.usize(..4) {
                let at = random.usize(..bytes.len());
                match random.u8(..4) {
                    0 => bytes[at] ^= 1 << random.u8(..8),
                    1 => bytes[at] = random.u8(..),
                    2 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, random.u8(..)),
                }
            }
            run(&bytes);
        }
    }
}
