//! What the dissector has to show of a connection, worked out from the same bytes by our own codec.

use tcpshm_driver::protocol::Standing;
use tcpshm_driver::protocol::login::{
    CarrierWish, Confirm, Hello, LoginMessage, Outcome, Ready, Refusal, UserData, Welcome,
};
use tcpshm_driver::{Carrier, Carriers, Geometry, Limits, Name, Undelivered};

use super::support::cable::Piece;
use super::support::raw::{Frame, frames};
use super::tshark::Shown;

/// Everything that `pieces` carried on a connection of this number, in the order in which it was complete.
pub(crate) fn expected(connection: u16, pieces: &[Piece]) -> Vec<Shown> {
    let mut model = Model { connection, ..Model::default() };
    for piece in pieces {
        model.lanes[usize::from(piece.to_server)].bytes.extend_from_slice(&piece.bytes);
        while model.take(piece.to_server) {}
    }
    for lane in &model.lanes {
        assert_eq!(lane.bytes, [], "whole messages and frames");
    }
    model.shown
}

#[derive(Default)]
struct Model {
    connection: u16,
    confirm: Option<Confirm>,
    ready: Option<Ready>,
    /// Towards the client, towards the server.
    lanes: [Lane; 2],
    shown: Vec<Shown>,
}

#[derive(Default)]
struct Lane {
    bytes: Vec<u8>,
    /// Where its next frame starts.
    position: u64,
    /// How much of the stream was or may have been sent before this connection.
    sent: u64,
}

/// Names and values of fields, in their order.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Model {
    /// Takes one message or frame, if there is a whole one.
    fn take(&mut self, to_server: bool) -> bool {
        let lane = &mut self.lanes[usize::from(to_server)];
        let mut fields = Fields::default();
        let mut remarks = Vec::new();
        let in_login = self.ready.is_none();
        if in_login {
            let mut rest = &lane.bytes[..];
            let Some(message) = LoginMessage::decode(&mut rest).unwrap() else { return false };
            let len = lane.bytes.len() - rest.len();
            lane.bytes.drain(..len);
            fields.login(&message, len - 8);
            if let LoginMessage::Refusal(refusal) = &message {
                remarks.push(("refused".to_owned(), format!("{:?} \"{}\"", refusal.code, refusal.text)));
            }
            self.login(message);
        } else {
            let Some(frame) = frames(&lane.bytes).into_iter().next() else { return false };
            lane.bytes.drain(..frame.size());
            self.frame(to_server, &frame, &mut fields);
        }
        fields.put("sender", if to_server { "client" } else { "server" });
        if let Some(ready) = &self.ready {
            fields.put("session", ready.session);
        }
        let connection = self.connection;
        self.shown.push(Shown { connection, from_client: to_server, fields: fields.0, remarks });
        true
    }

    fn login(&mut self, message: LoginMessage) {
        match message {
            LoginMessage::Confirm(confirm, _) => self.confirm = Some(confirm),
            LoginMessage::Ready(ready) => {
                let held = self.confirm.as_ref().unwrap().held.filter(|held| held.session == ready.session);
                let told = held.map_or(Standing::START, |held| held.standing);
                let [to_client, to_server] = &mut self.lanes;
                (to_client.position, to_client.sent) = (told.consumed.get(), ready.standing.sent.get());
                (to_server.position, to_server.sent) = (ready.standing.consumed.get(), told.sent.get());
                self.ready = Some(ready);
            }
            _ => {}
        }
    }

    fn frame(&mut self, to_server: bool, frame: &Frame, fields: &mut Fields) {
        fields.put("len", 16 + frame.payload.len());
        fields.put("kind", frame.kind);
        if frame.kind == 0 {
            fields.put("code", ["", "Ack", "Heartbeat", "Close"][usize::from(frame.mark)]);
        } else {
            fields.put("mark", format!("{:#06x}", frame.mark));
        }
        fields.put("ack", frame.ack);
        if frame.kind == 0 {
            if let Some(reason) = frame.payload.first() {
                let reasons = ["", "Application", "ShuttingDown", "Replaced", "Fault", "Silence"];
                fields.put("reason", reasons[usize::from(*reason)]);
            }
        } else {
            fields.bytes("payload", &frame.payload);
            fields.bytes("padding", &vec![0; frame.size() - 16 - frame.payload.len()]);
            let lane = &mut self.lanes[usize::from(to_server)];
            fields.put("position", lane.position);
            lane.position += frame.size() as u64;
            fields.put("end", lane.position);
            fields.put("mark.expected", format!("{:#06x}", frame.mark));
            fields.flag("again", lane.position <= lane.sent);
        }
        let shared = self.ready.as_ref().unwrap().carrier == Carrier::Shm;
        let lag = self.lanes[usize::from(!to_server)].position.checked_sub(frame.ack);
        if let Some(lag) = lag.filter(|_| !shared) {
            fields.put("ack.lag", lag);
        }
    }
}

impl Fields {
    fn put(&mut self, name: &str, value: impl ToString) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.put(name, if value { "yes" } else { "no" });
    }

    fn id(&mut self, name: &str, bits: u64) {
        self.put(name, format!("{bits:#018x}"));
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.put(name, bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }

    fn login(&mut self, message: &LoginMessage, body: usize) {
        self.put("magic", "tshm");
        self.put("version", 1);
        let name = format!("{message:?}");
        self.put("type", &name[..name.find('(').unwrap()]);
        self.put("body", body);
        match message {
            LoginMessage::Hello(hello) => self.hello(hello),
            LoginMessage::Welcome(welcome) => self.welcome(welcome),
            LoginMessage::Confirm(confirm, challenge) => {
                self.confirm(confirm);
                self.id("challenge", challenge.get());
            }
            LoginMessage::Ready(ready) => self.ready(ready),
            LoginMessage::Refusal(refusal) => self.refusal(refusal),
        }
    }

    fn hello(&mut self, hello: &Hello) {
        self.name("client", &hello.client);
        self.flag("server_meant", hello.server.is_some());
        if let Some(server) = &hello.server {
            self.name("server", server);
        }
        self.limits(&hello.limits);
        self.put(
            "wish",
            match hello.wish {
                CarrierWish::Tcp => "tcp",
                CarrierWish::Shm => "shm",
                CarrierWish::Auto => "either",
            },
        );
        self.put("silence", hello.silence.duration().as_millis());
        self.user_data(&hello.user_data);
    }

    fn welcome(&mut self, welcome: &Welcome) {
        self.name("server", &welcome.server);
        self.limits(&welcome.limits);
        let sets = [(Carriers::TCP, "tcp"), (Carriers::SHM, "shm"), (Carriers::BOTH, "tcp+shm")];
        self.put("carriers", sets.iter().find(|set| set.0 == welcome.carriers).unwrap().1);
        self.put("silence", welcome.silence.duration().as_millis());
        self.id("challenge", welcome.challenge.get());
    }

    fn confirm(&mut self, confirm: &Confirm) {
        self.flag("held", confirm.held.is_some());
        if let Some(held) = &confirm.held {
            self.put("held.session", held.session);
            self.id("held.attachment", held.attachment.get());
            self.standing(&held.standing);
        }
        self.flag("proposed", confirm.proposed.is_some());
        if let Some(proposed) = &confirm.proposed {
            self.put("proposed.session", proposed.session);
            self.geometry("client_stream", proposed.streams.client);
            self.geometry("server_stream", proposed.streams.server);
        }
        self.flag("disputed", confirm.disputed);
        self.token(confirm.token.map(|token| token.get()));
        self.undelivered(confirm.undelivered.as_ref());
        self.id("nonce", confirm.nonce.get());
    }

    fn ready(&mut self, ready: &Ready) {
        self.put(
            "outcome",
            match ready.outcome {
                Outcome::Resumed => "resumed",
                Outcome::Fresh => "fresh",
                Outcome::Reset => "reset",
            },
        );
        self.put("session", ready.session);
        self.standing(&ready.standing);
        self.id("attachment", ready.attachment.get());
        self.put("carrier", if ready.carrier == Carrier::Tcp { "tcp" } else { "shm" });
        self.id("nonce", ready.nonce.get());
        self.user_data(&ready.user_data);
    }

    fn refusal(&mut self, refusal: &Refusal) {
        self.put("refusal", format!("{:?}", refusal.code));
        self.token(refusal.token.map(|token| token.get()));
        self.undelivered(refusal.undelivered.as_ref());
        self.put("refusal.first", refusal.numbers[0]);
        self.put("refusal.second", refusal.numbers[1]);
        self.put("refusal.text.length", refusal.text.as_bytes().len());
        if !refusal.text.as_bytes().is_empty() {
            self.put("refusal.text", &refusal.text);
        }
    }

    fn name(&mut self, key: &str, name: &Name) {
        self.put("name.length", name.as_str().len());
        self.put(key, name);
    }

    fn limits(&mut self, limits: &Limits) {
        self.geometry("send", limits.send);
        self.geometry("accept", limits.accept);
    }

    fn geometry(&mut self, key: &str, geometry: Geometry) {
        self.put(key, "");
        self.put(&format!("{key}.capacity"), geometry.capacity());
        self.put(&format!("{key}.largest"), geometry.largest());
    }

    fn standing(&mut self, standing: &Standing) {
        self.put("standing", "");
        self.put("standing.acked", standing.acked);
        self.put("standing.sent", standing.sent);
        self.put("standing.consumed", standing.consumed);
    }

    fn token(&mut self, token: Option<u128>) {
        self.flag("with_token", token.is_some());
        if let Some(token) = token {
            self.put("token", format!("{token:032x}"));
        }
    }

    fn undelivered(&mut self, undelivered: Option<&Undelivered>) {
        self.flag("undelivered", undelivered.is_some());
        if let Some(undelivered) = undelivered {
            self.put("undelivered.messages", undelivered.messages);
            self.put("undelivered.from", undelivered.from);
            self.put("undelivered.upto", undelivered.upto);
        }
    }

    fn user_data(&mut self, data: &UserData) {
        self.put("user_data.length", data.as_bytes().len());
        self.bytes("user_data", data.as_bytes());
    }
}
