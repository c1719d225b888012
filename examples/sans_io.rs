//! Two sessions in one thread: a login, three messages, a cut in the middle of one, and the resume. There
//! are no sockets and no files in it, and the only clock is the argument: whatever moves bytes can carry a
//! link.
//!
//! ```text
//! cargo run --example sans_io
//! ```

#![expect(clippy::print_stdout, reason = "it shows what happens")]

use std::error::Error;
use std::time::Instant;

use tcpshm_driver::protocol::login::{
    Carrier, CarrierWish, Carriers, ClientLogin, ClientStep, Confirm, Hello, Outcome, Proposal, ServerLogin,
    ServerStep, Streams, Verdict, Welcome, decide, limits_agreed,
};
use tcpshm_driver::protocol::{
    AttachmentId, Challenge, Event, Grant, Header, Memory, Nonce, Role, Session, Timing,
};
use tcpshm_driver::{Geometry, Kind, Limits, Name, Position, SessionId, Silence, UserData};

const ORDER: Kind = Kind::new(1).expect("not 0");

/// One end of the link, and its session once there is one.
struct End {
    role: Role,
    name: Name,
    session: Option<Session<Memory>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = Instant::now();
    let mut alice = End { role: Role::Client, name: "alice".parse()?, session: None };
    let mut bob = End { role: Role::Server, name: "bob".parse()?, session: None };

    println!("login: {:?}", log_in(now, &mut alice, &mut bob)?);
    for order in ["buy 100", "sell 50", "buy 7"] {
        alice.session()?.send(ORDER, order.as_bytes())?;
    }

    // An ack, the first order, and a part of the second; then the line goes dead.
    carry(now, &mut alice, &mut bob, 16 + 24 + 10)?;
    for end in [&mut alice, &mut bob] {
        end.session()?.detach(nonce());
        println!("cut: {}", end.owes()?);
    }

    println!("login: {:?}", log_in(now, &mut alice, &mut bob)?);
    carry(now, &mut alice, &mut bob, usize::MAX)?;
    carry(now, &mut bob, &mut alice, usize::MAX)?;
    // An acknowledgement waits a little for a message that could carry it; the session says how long.
    carry(now, &mut alice, &mut bob, usize::MAX)?;
    let due = alice.session()?.poll_timeout().unwrap_or(now);
    carry(due, &mut alice, &mut bob, usize::MAX)?;
    for end in [&mut alice, &mut bob] {
        println!("done: {}", end.owes()?);
    }
    Ok(())
}

/// Moves up to `most` bytes from one end to the other. Bob answers what he gets; the answer and the
/// consumption of the order are one store, so no crash could come between them.
fn carry(now: Instant, from: &mut End, to: &mut End, most: usize) -> Result<(), Box<dyn Error>> {
    let mut wire = Vec::new();
    while wire.len() < most {
        let bytes = from.session()?.poll_transmit(now);
        let count = bytes.len().min(most - wire.len());
        if count == 0 {
            break;
        }
        wire.extend_from_slice(&bytes[..count]);
        from.session()?.handle_transmitted(now, count);
    }
    let (name, role) = (to.name.clone(), to.role);
    let session = to.session()?;
    let mut input = &wire[..];
    while let Some(event) = session.handle_input(now, &mut input)? {
        let Event::Message(received) = event else { continue };
        println!("{name} gets \"{}\"", received.payload().escape_ascii());
        match role {
            Role::Client => session.consume(received).map(|_| ()).map_err(|refused| refused.reason)?,
            Role::Server => {
                let answer = [received.payload(), b", done"].concat();
                let mut slot = session.claim(received.kind(), answer.len())?;
                slot.copy_from_slice(&answer);
                slot.commit_consuming(received).map(|_| ()).map_err(|refused| refused.reason)?;
            }
        }
    }
    Ok(())
}

/// The four steps of a login. A driver does the same, with files, deadlines and policies.
fn log_in(now: Instant, client: &mut End, server: &mut End) -> Result<Outcome, Box<dyn Error>> {
    let (limits, silence) = (Limits::default(), Silence::default());
    let streams = limits_agreed(&limits, &limits)?;
    let wish = CarrierWish::Tcp;
    let (name, user_data) = (client.name.clone(), UserData::default());
    let hello = Hello { client: name, server: None, limits, wish, silence, user_data };
    let (mut asking, mut answering) = (ClientLogin::new(&hello), ServerLogin::new());

    let ServerStep::Hello(_) = to_server(&mut asking, &mut answering)? else { return Err("no Hello".into()) };
    let (server_name, challenge) = (server.name.clone(), Challenge::new(fastrand::u64(..)));
    let carriers = Carriers::TCP;
    answering.welcome(&Welcome { server: server_name, limits, carriers, silence, challenge })?;

    let ClientStep::Welcome(_) = to_client(&mut answering, &mut asking)? else {
        return Err("no Welcome".into());
    };
    asking.confirm(&client.confirm(&server.name, streams)?)?;

    let ServerStep::Confirm(confirm) = to_server(&mut asking, &mut answering)? else {
        return Err("no Confirm".into());
    };
    let shown = confirm.held.map_or(Position::ZERO, |held| held.standing.consumed);
    let record = server.session.as_ref().map(|session| session.record(shown));
    let outcome = match decide(&confirm, record.as_ref(), &streams, false, false) {
        Verdict::Resume { .. } => Outcome::Resumed,
        Verdict::Fresh(id) => {
            server.begin(id, &client.name, streams.server)?;
            Outcome::Fresh
        }
        verdict => return Err(format!("not in this example: {verdict:?}").into()),
    };
    let timing = Timing::new(silence, silence);
    let attachment = AttachmentId::new(fastrand::u64(1..)).ok_or("not 0")?;
    let (carrier, user_data) = (Carrier::Tcp, UserData::default());
    let grant = Grant { outcome, attachment, nonce: nonce(), carrier, user_data, timing };
    answering.ready(&server.session()?.accept(now, &confirm, grant)?)?;

    let ClientStep::Ready(ready) = to_client(&mut answering, &mut asking)? else {
        return Err("no Ready".into());
    };
    client.session()?.establish(now, &ready, &timing)?;
    Ok(ready.outcome)
}

impl End {
    fn session(&mut self) -> Result<&mut Session<Memory>, &'static str> {
        self.session.as_mut().ok_or("no session before the first login")
    }

    fn owes(&mut self) -> Result<String, &'static str> {
        Ok(format!("{1} has {0}", self.session()?.undelivered(), self.name))
    }

    /// What the client shows: the session it has, or one that it proposes.
    fn confirm(&mut self, server: &Name, streams: Streams) -> Result<Confirm, Box<dyn Error>> {
        let held = self.session.as_mut().and_then(|session| session.show(nonce()));
        let undelivered = held.and(self.session.as_ref()).map(Session::undelivered);
        let fresh = SessionId::new(fastrand::u128(1..)).filter(|_| held.is_none());
        let proposed = fresh.map(|session| Proposal { session, streams });
        if let Some(session) = fresh {
            self.begin(session, server, streams.client)?;
        }
        Ok(Confirm { held, proposed, disputed: false, token: None, undelivered, nonce: nonce() })
    }

    /// A link file in memory; `shm` makes real ones. The two streams are equally large here.
    fn begin(&mut self, session: SessionId, peer: &Name, stream: Geometry) -> Result<(), Box<dyn Error>> {
        let (role, owner, peer) = (self.role, self.name.clone(), peer.clone());
        let header = Header { role, session, owner, peer, outgoing: stream, incoming: stream, asked: stream };
        let mut memory = Memory::zeroed(Header::file_size(stream).ok_or("too large")?);
        header.format(&mut memory, nonce());
        self.session = Some(Session::open(memory, nonce())?);
        Ok(())
    }
}

fn to_server(from: &mut ClientLogin, to: &mut ServerLogin) -> Result<ServerStep, Box<dyn Error>> {
    let mut bytes = from.poll_transmit();
    let count = bytes.len();
    let step = to.handle_input(&mut bytes)?.ok_or("nothing to answer")?;
    from.handle_transmitted(count);
    Ok(step)
}

fn to_client(from: &mut ServerLogin, to: &mut ClientLogin) -> Result<ClientStep, Box<dyn Error>> {
    let mut bytes = from.poll_transmit();
    let count = bytes.len();
    let step = to.handle_input(&mut bytes)?.ok_or("nothing to answer")?;
    from.handle_transmitted(count);
    Ok(step)
}

fn nonce() -> Nonce {
    Nonce::new(fastrand::u64(..))
}
