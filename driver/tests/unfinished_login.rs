//! A login that breaks off changes no byte of a link that holds messages: of the server's files before it
//! has accepted, of the client's before it has heard Ready, but for the nonce and an unconfirmed file.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use support::app::App;
use support::files;
use support::stage::Stage;

/// How far apart the cuts are: each direction of a login has some two hundred places.
const STEP: usize = 5;

/// A side's link files without what is only proposed.
fn settled(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = files::contents(directory);
    contents.retain(|path, _| path.extension().is_none_or(|end| end != "new"));
    contents
}

/// A link with a message waiting on each side, and a cable to the server, which runs. No client does.
fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.world.answer(b"for the client");
    let near = stage.world.lay_cable(stage.server.listen[0]);
    stage.client.addresses = vec![near];
    stage
}

/// What came of one connection that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// The server has not accepted.
    Nothing,
    /// It has, and the client has not heard of it.
    Accepted,
    Connected,
}

/// Turns until the last connection is stopped by the cable, or the client is connected, and compares the
/// files with what they were when `stage` was as it is now.
#[track_caller]
fn stopped(stage: &mut Stage, what: &str) -> Reached {
    let [ours, theirs] = [stage.ours.path().to_owned(), stage.theirs.path().to_owned()];
    let before = [settled(&ours), files::contents(&theirs)];
    let accepted = stage.world.at_server().app.outcomes().len();
    let wires = stage.world.cables[0].wires.len();
    stage.world.until("a stop or a link", |world| {
        let stuck = world.cables[0].wires.get(wires..).into_iter().flatten();
        let mut stuck = stuck.filter(|wire| wire.to_client.allowed == 0 || wire.to_server.allowed == 0);
        stuck.next().is_some() || world.clients[0].driver.is_connected()
    });
    (0..5).for_each(|_| stage.world.turn());
    if stage.world.clients[0].driver.is_connected() {
        return Reached::Connected;
    }
    assert_eq!(settled(&ours), before[0], "{what}: the client's files");
    if stage.world.at_server().app.outcomes().len() > accepted {
        return Reached::Accepted;
    }
    assert_eq!(files::contents(&theirs), before[1], "{what}: the server's files");
    Reached::Nothing
}

/// Cuts after every few bytes of one direction, each in the attempt that `attempt` prepares; returns how
/// often the server had not accepted, and how often it had.
#[track_caller]
fn every_cut(attempt: impl Fn() -> Stage, limit: fn(&mut Stage, usize)) -> (usize, usize) {
    let (mut nothing, mut accepted) = (0, 0);
    for cut in (1..).step_by(STEP) {
        let mut stage = attempt();
        limit(&mut stage, cut);
        match stopped(&mut stage, &format!("cut after {cut} bytes")) {
            Reached::Nothing => nothing += 1,
            Reached::Accepted => accepted += 1,
            Reached::Connected => break,
        }
        limit(&mut stage, usize::MAX);
        stage.world.cables[0].last().cut();
        stage.connected();
        stage.exchange_after("for the client");
    }
    (nothing, accepted)
}

impl Stage {
    /// What was waiting has come, or the server was told that it will not; and messages pass.
    #[track_caller]
    fn exchange_after(&mut self, waiting: &str) {
        self.world.calm();
        let came = self.world.clients[0].app.texts() == [waiting];
        let reported = self.world.at_server().app.resets().iter().any(|reset| reset.undelivered == Some(1));
        assert!(came != reported, "{:?}", self.world.at_server().app.notes);
        let told = !self.world.clients[0].app.resets().is_empty();
        assert_eq!(told, reported, "both sides or neither: {:?}", self.world.clients[0].app.notes);
        self.exchange("on we go");
    }
}

fn up(stage: &mut Stage, bytes: usize) {
    stage.world.cables[0].up = bytes;
}

fn down(stage: &mut Stage, bytes: usize) {
    stage.world.cables[0].down = bytes;
}

fn resuming() -> Stage {
    let mut stage = stage();
    stage.start_client(App::default());
    stage
}

/// The client has lost its files and has heard so: its next login has leave to reset the link.
fn resetting() -> Stage {
    let mut stage = stage();
    stage.ours.delete();
    stage.start_client(App::default());
    stage.world.until("the dispute", |world| !world.clients[0].app.disputes().is_empty());
    stage
}

#[test]
fn cut_while_it_would_resume() {
    let (nothing, accepted) = every_cut(resuming, up);
    assert!(nothing > 10 && accepted == 0, "{nothing} and {accepted}: the Confirm is the client's last word");
    let (nothing, accepted) = every_cut(resuming, down);
    assert!(
        nothing > 3 && accepted > 3,
        "{nothing} before it was accepted, {accepted} before Ready was heard"
    );
}

#[test]
fn cut_while_it_would_reset() {
    let (nothing, accepted) = every_cut(resetting, up);
    assert!(nothing > 10 && accepted == 0, "{nothing} and {accepted}: the Confirm is the client's last word");
    let (nothing, accepted) = every_cut(resetting, down);
    assert!(
        nothing > 3 && accepted > 3,
        "{nothing} before it was accepted, {accepted} before Ready was heard"
    );
}
