//! Pairs whose histories do not fit.

use tcpshm_driver::RefusalCode;

use super::app::App;
use super::files;
use super::stage::Stage;

/// A pair that is going to quarrel as soon as both run. What either holds for the other: the client's
/// messages, then the server's.
pub(crate) struct Quarrelling {
    pub(crate) stage: Stage,
    pub(crate) code: RefusalCode,
    pub(crate) ours: Option<u64>,
    pub(crate) theirs: Option<u64>,
}

fn client_lost() -> Quarrelling {
    let mut stage = Stage::new();
    stage.stop_client();
    stage.world.answer(b"for nobody");
    stage.world.server = None;
    files::delete(stage.ours.path());
    Quarrelling { stage, code: RefusalCode::PeerLostClient, ours: None, theirs: Some(1) }
}

fn server_lost() -> Quarrelling {
    let mut stage = Stage::new();
    stage.stop_server();
    stage.world.send(0, b"one");
    stage.world.send(0, b"two");
    stage.world.clients.clear();
    files::delete(stage.theirs.path());
    Quarrelling { stage, code: RefusalCode::PeerLostServer, ours: Some(2), theirs: None }
}

fn diverged() -> Quarrelling {
    let mut stage = Stage::new();
    stage.stop_client();
    let backup = files::back_up(stage.ours.path());
    stage.start_client(App::default());
    stage.connected();
    stage.exchange("after the backup");
    stage.stop_client();
    stage.world.answer(b"for nobody");
    stage.world.server = None;
    files::restore(stage.ours.path(), &backup);
    Quarrelling { stage, code: RefusalCode::Diverged, ours: Some(0), theirs: Some(1) }
}

pub(crate) const QUARRELS: [fn() -> Quarrelling; 3] = [client_lost, server_lost, diverged];
