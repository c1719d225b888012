//! The scenario: everything a link goes through in its life, in a few hundred messages' time.

use std::path::Path;

use tcpshm_driver::protocol::login::CarrierWish;
use tcpshm_protocol::Role;

use super::app::App;
use super::record::{Entry, Record};
use super::stage::{Stage, Stuck};

/// Where an earlier run has left off.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Earlier {
    /// Go on after a run that may have been stopped anywhere: take what is there, and say a few words.
    #[arg(long)]
    pub again: bool,
    /// The last number that the client has, or may have, committed.
    #[arg(long, default_value_t = 0)]
    pub client_sent: u64,
    /// The last number that the server has, or may have, committed.
    #[arg(long, default_value_t = 0)]
    pub server_sent: u64,
    /// The run was stopped while one side's state was missing: a reset is to be expected.
    #[arg(long)]
    pub(super) may_reset: bool,
}

/// The act in which a live file is removed: a process that ends before it could make it again has lost it.
pub(super) const SWEPT: &str = "a live file is removed";
/// The acts in which one side loses its state.
pub(super) const CLIENT_LOST: &str = "the client loses its state";
pub(super) const SERVER_LOST: &str = "the server loses its state";
/// How many messages a reset gives up, in each of these.
pub(super) const FOR_NOBODY: usize = 2;

/// Bytes of each ring.
const CAPACITY: u64 = 32 << 10;

/// Plays everything. Returns whether it came to the end.
pub(super) fn play(directory: &Path, earlier: &Earlier) -> bool {
    let app = |side, sent| App::new(side, sent, earlier.may_reset, Record::Printed);
    let at_client = app(Role::Client, earlier.client_sent);
    let mut stage = Stage::new(directory, CAPACITY, at_client, app(Role::Server, earlier.server_sent));
    Record::Printed.write(&Entry::Begin);
    let played = if earlier.again { play_again(&mut stage) } else { play_all(&mut stage) };
    if let Err(stuck) = &played {
        Record::Printed.write(&Entry::Stuck(stuck.to_string()));
    }
    // Whoever gives up still ends as a process should.
    stage.stop_client();
    stage.stop_server();
    if played.is_ok() {
        Record::Printed.write(&Entry::Finished);
    }
    played.is_ok()
}

fn play_all(stage: &mut Stage) -> Result<(), Stuck> {
    act("a first login");
    stage.start_server()?;
    stage.start_client()?;
    stage.connected()?;
    talk(stage)?;

    act("the other carrier");
    stage.change_carrier(CarrierWish::Shm);
    stage.connected()?;
    talk(stage)?;

    act("a connection is closed, and made again");
    stage.with_client("a close", |_, link| _ = link.close())?;
    stage.with_client("a message without a connection", send)?;
    stage.connected()?;
    talk(stage)?;

    act(SWEPT);
    for side in [Role::Client, Role::Server] {
        stage.with_client("a message before the removal", send)?;
        stage.remove_file(side);
        stage.with_server("a message after it", send)?;
        let endings = |stage: &mut Stage| [stage.at_client.endings, stage.at_server.endings];
        let before = endings(stage);
        let both = |stage: &mut Stage| endings(stage).iter().zip(before).all(|(now, before)| *now > before);
        stage.until("the end of the connection", both)?;
        talk(stage)?;
    }

    act("both sides start again");
    stage.with_server("a message before the end", send)?;
    stage.stop_server();
    stage.with_client("a message without a server", send)?;
    stage.stop_client();
    stage.start_client()?;
    stage.start_server()?;
    talk(stage)?;

    lose(stage, Role::Client)?;
    stage.wish = CarrierWish::Tcp;
    lose(stage, Role::Server)?;

    act("the end");
    stage.change_carrier(CarrierWish::Tcp);
    stage.connected()?;
    talk(stage)
}

/// What must work whatever an earlier run has left.
fn play_again(stage: &mut Stage) -> Result<(), Stuck> {
    stage.start_server()?;
    stage.start_client()?;
    stage.drained()?;
    stage.release_kept()?;
    talk(stage)?;
    stage.change_carrier(CarrierWish::Shm);
    stage.connected()?;
    talk(stage)
}

/// One side loses its file while it is away, and the other has messages for it.
fn lose(stage: &mut Stage, side: Role) -> Result<(), Stuck> {
    act(if side == Role::Client { CLIENT_LOST } else { SERVER_LOST });
    stage.drained()?;
    match side {
        Role::Client => stage.stop_client(),
        Role::Server => stage.stop_server(),
    }
    for _ in 0..FOR_NOBODY {
        match side {
            Role::Client => stage.with_server("a message for nobody", send)?,
            Role::Server => stage.with_client("a message for nobody", send)?,
        }
    }
    stage.remove_file(side);
    (stage.at_client.may_reset, stage.at_server.may_reset) = (true, true);
    match side {
        Role::Client => stage.start_client()?,
        Role::Server => stage.start_server()?,
    }
    stage.connected()?;
    stage.drained()?;
    (stage.at_client.may_reset, stage.at_server.may_reset) = (false, false);
    stage.release_kept()?;
    talk(stage)
}

/// Messages both ways, alone and in a batch, until all is answered and everybody knows.
pub(crate) fn talk(stage: &mut Stage) -> Result<(), Stuck> {
    for _ in 0..2 {
        stage.with_client("a request", send)?;
    }
    stage.with_client("a batch", |app, link| {
        app.send_batch(link, 3).expect("there is room");
    })?;
    stage.with_server("a notice", send)?;
    stage.drained()
}

/// The next message.
pub(crate) fn send(app: &mut App, link: &mut tcpshm_driver::Link<'_>) {
    app.send(link).expect("there is room");
}

fn act(name: &str) {
    Record::Printed.write(&Entry::Act(name.into()));
}
