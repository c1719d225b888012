//! Our own server and client on a cable that keeps what it carries, and what the two programs know of it.

use std::time::Duration;

use tcpshm_driver::{Admission, Carrier, Driver};

use super::support::app::{App, Habit};
use super::support::cable::Piece;
use super::support::files::Home;
use super::support::quarrel::QUARRELS;
use super::support::stage::Stage;
use super::support::{World, client, kind, name, server, wish};
use super::tshark::Shown;

/// Some connections of one link.
pub(crate) struct Chapter {
    pub(crate) title: &'static str,
    pub(crate) connections: Vec<Vec<Piece>>,
    /// All messages.
    pub(crate) said: Vec<Said>,
    /// Fields that must be shown with these values, in this order.
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// A message that a program committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Which of the chapter's connections carried it.
    connection: u16,
    by_client: bool,
    kind: u16,
    payload: Vec<u8>,
    /// Where it ends, as `send` returned it.
    end: u64,
    /// Whether it was sent before, on another connection.
    again: bool,
}

impl Said {
    /// The message that is shown.
    pub(crate) fn shown(shown: &Shown, first: u16) -> Self {
        let number = |name| shown.get(name).unwrap().parse().unwrap();
        let digits = shown.get("payload").unwrap_or_default();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let payload: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        assert_eq!(number("len"), 16 + payload.len() as u64);
        Said {
            connection: shown.connection - first,
            by_client: shown.get("sender") == Some("client"),
            kind: u16::try_from(number("kind")).unwrap(),
            payload,
            end: number("end"),
            again: shown.get("again") == Some("yes"),
        }
    }
}

pub(crate) fn chapters() -> Vec<Chapter> {
    vec![traffic(), resumed(), reset(), denied(), another_server(), shared()]
}

/// A link that begins on a cable with a record. The server's application has this habit.
fn stage(carrier: Carrier, app: App, meant: Option<&str>) -> Stage {
    let [ours, theirs] = Home::pair(carrier);
    let mut server = server(theirs.path());
    let mut world = World::new();
    let address = world.serve(server.clone(), app);
    server.listen = vec![address];
    let near = world.lay_cable(address);
    world.cables[0].records = true;
    let mut client = client(ours.path(), near);
    client.carrier = wish(carrier);
    client.server = meant.map(name);
    world.connect(client.clone(), App::default());
    Stage { world, ours, theirs, server, client }
}

/// What the cable's wires have carried.
fn records(stage: &mut Stage) -> Vec<Vec<Piece>> {
    stage.world.cables[0].wires.iter_mut().filter_map(|wire| wire.record.take()).collect()
}

fn say(stage: &mut Stage, by_client: bool, number: u16, payload: &[u8]) -> Said {
    let now = stage.world.now;
    let committed = if by_client {
        stage.world.clients[0].driver.link(now).unwrap().send(kind(number), payload)
    } else {
        let server = &mut stage.world.at_server().driver;
        server.link(now, &name("client")).unwrap().send(kind(number), payload)
    };
    let end = committed.unwrap().position().get();
    Said { connection: 0, by_client, kind: number, payload: payload.to_vec(), end, again: false }
}

/// Messages of many lengths both ways, silence, and an end that the application wants.
fn traffic() -> Chapter {
    let mut stage = stage(Carrier::Tcp, App::default(), Some("server"));
    stage.connected();
    let session = stage.session_at_client().to_string();
    let mut said = Vec::new();
    for (number, length) in [0, 1, 7, 8, 9, 100, 511, 512].into_iter().enumerate() {
        let number = u16::try_from(number).unwrap();
        said.push(say(&mut stage, true, 1 + number, &vec![b'a'; length]));
        said.push(say(&mut stage, true, u16::MAX - number, b"one more in the segment"));
        said.push(say(&mut stage, false, 100 + number, &vec![b'z'; length]));
        stage.world.calm();
    }
    stage.world.pass(Duration::from_secs(4));
    let now = stage.world.now;
    stage.world.clients[0].driver.link(now).unwrap().close();
    stage.world.until("the end", |world| !world.at_server().app.endings().is_empty());
    assert_eq!(stage.world.at_server().app.endings(), ["ByPeer(Application)"]);
    assert_eq!(stage.world.at_server().app.received.len(), 16);
    let facts = vec![
        ("client", "client".to_owned()),
        ("server", "server".to_owned()),
        ("proposed.session", session.clone()),
        ("outcome", "fresh".to_owned()),
        ("session", session),
        ("code", "Ack".to_owned()),
        ("code", "Heartbeat".to_owned()),
        ("reason", "Application".to_owned()),
    ];
    let connections = records(&mut stage).into_iter().take(1).collect();
    Chapter { title: "traffic", connections, said, facts }
}

/// A connection that is cut while both applications hold messages, and the one after it.
fn resumed() -> Chapter {
    let mut stage = stage(Carrier::Tcp, App::with(Habit::Hold), None);
    stage.world.clients[0].app.habit = Habit::Hold;
    stage.connected();
    let mut said: Vec<Said> =
        (0..3).map(|number| say(&mut stage, true, 7, &vec![number; 11 * usize::from(number)])).collect();
    said.push(say(&mut stage, false, 8, b"held as well"));
    stage.world.calm();
    stage.world.cables[0].last().cut();
    stage.world.until("both notices", |world| {
        !world.clients[0].driver.is_connected() && world.at_server().driver.connections() == 0
    });
    let unsent = say(&mut stage, true, 9, b"while there is no connection");
    stage.connected();
    stage.world.calm();
    assert_eq!(stage.world.at_server().app.received.len(), 4, "nothing is delivered twice");
    let again = |said: &Said| Said { connection: 1, again: true, ..said.clone() };
    said.extend(said[..4].iter().map(again).collect::<Vec<_>>());
    said.push(Said { connection: 1, ..unsent });
    let facts = [("outcome", "fresh"), ("held", "yes"), ("outcome", "resumed"), ("again", "yes")];
    let facts = facts.map(|(name, value)| (name, value.to_owned())).to_vec();
    let connections = records(&mut stage);
    assert_eq!(connections.len(), 2);
    Chapter { title: "resumed", connections, said, facts }
}

/// A link whose histories do not fit: a refusal with a token, and the login with it.
fn reset() -> Chapter {
    let mut stage = QUARRELS[2](Carrier::Tcp).stage;
    stage.start_server(App::with(Habit::Echo));
    let near = stage.world.lay_cable(stage.server.listen[0]);
    stage.world.cables[0].records = true;
    stage.client.addresses = vec![near];
    stage.start_client(App::default());
    stage.connected();
    let session = stage.session_at_server().to_string();
    stage.world.calm();
    let client = &stage.world.clients[0].app;
    assert_eq!(client.resets().len(), 1);
    let undelivered = client.disputes()[0].peer_undelivered.unwrap().messages.to_string();
    let facts = vec![
        ("undelivered.messages", undelivered),
        ("with_token", "yes".to_owned()),
        ("outcome", "reset".to_owned()),
        ("session", session),
    ];
    let connections = records(&mut stage);
    assert_eq!(connections.len(), 2);
    Chapter { title: "reset", connections, said: Vec::new(), facts }
}

/// An application that lets nobody in, for a reason with signs in it that no terminal should see.
fn denied() -> Chapter {
    let app = App { admission: Admission::Deny("not \\ \x1b[2J \"today\"".to_owned()), ..App::default() };
    let mut stage = stage(Carrier::Tcp, app, None);
    stage.world.until("a refusal", |world| !world.clients[0].app.refusals().is_empty());
    let text = stage.world.clients[0].app.refusals()[0].refusal.text.to_string();
    let facts = vec![("client", "client".to_owned()), ("refusal.text", text)];
    Chapter { title: "denied", connections: records(&mut stage), said: Vec::new(), facts }
}

/// A client that means another server.
fn another_server() -> Chapter {
    let mut stage = stage(Carrier::Tcp, App::default(), Some("elsewhere"));
    stage.world.until("a refusal", |world| !world.clients[0].app.refusals().is_empty());
    let facts = vec![("server", "elsewhere".to_owned()), ("refusal", "WrongServer".to_owned())];
    Chapter { title: "another server", connections: records(&mut stage), said: Vec::new(), facts }
}

/// A link on shared memory, of which the wire sees only signs of life, until the server shuts down.
fn shared() -> Chapter {
    let mut stage = stage(Carrier::Shm, App::with(Habit::Echo), None);
    stage.connected();
    stage.exchange("over memory");
    stage.world.pass(Duration::from_secs(4));
    let now = stage.world.now;
    let server = stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    stage.world.until("the client's notice", |world| !world.clients[0].app.endings().is_empty());
    assert_eq!(stage.world.clients[0].app.endings(), ["ByPeer(ShuttingDown)"]);
    let facts = [("wish", "shm"), ("carrier", "shm"), ("code", "Heartbeat"), ("reason", "ShuttingDown")];
    let facts = facts.map(|(name, value)| (name, value.to_owned())).to_vec();
    let connections = records(&mut stage).into_iter().take(1).collect();
    Chapter { title: "shared memory", connections, said: Vec::new(), facts }
}
