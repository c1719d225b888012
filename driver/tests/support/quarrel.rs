//! Pairs whose histories do not fit.

use tcpshm_driver::{Carrier, RefusalCode};

use super::app::App;
use super::stage::Stage;

/// A pair that is going to quarrel as soon as both run. What either holds for the other: the client's
/// messages, then the server's.
pub(crate) struct Quarrelling {
    pub(crate) stage: Stage,
    pub(crate) code: RefusalCode,
    pub(crate) ours: Option<u64>,
    pub(crate) theirs: Option<u64>,
}

fn client_lost(carrier: Carrier) -> Quarrelling {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    stage.world.answer(b"for nobody");
    stage.world.server = None;
    stage.ours.delete();
    Quarrelling { stage, code: RefusalCode::PeerLostClient, ours: None, theirs: Some(1) }
}

fn server_lost(carrier: Carrier) -> Quarrelling {
    let mut stage = Stage::over(carrier);
    stage.stop_server();
    stage.world.send(0, b"one");
    stage.world.send(0, b"two");
    stage.world.clients.clear();
    stage.theirs.delete();
    Quarrelling { stage, code: RefusalCode::PeerLostServer, ours: Some(2), theirs: None }
}

fn diverged(carrier: Carrier) -> Quarrelling {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    let backup = stage.ours.back_up();
    stage.start_client(App::default());
    stage.connected();
    stage.exchange("after the backup");
    stage.stop_client();
    stage.world.answer(b"for nobody");
    stage.world.server = None;
    stage.ours.restore(&backup);
    Quarrelling { stage, code: RefusalCode::Diverged, ours: Some(0), theirs: Some(1) }
}

pub(crate) const QUARRELS: [fn(Carrier) -> Quarrelling; 3] = [client_lost, server_lost, diverged];
