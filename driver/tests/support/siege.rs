//! A server with a good client whose echoes never pause, while somebody else behaves badly.

use std::time::Duration;

use tcpshm_driver::{ClientConfig, ServerConfig};

use super::World;
use super::app::App;
use super::app::Habit;
use super::process::descriptors;
use super::stage::Stage;

/// The stage, and what the process had open before anything bad happened.
pub(crate) struct Siege {
    pub(crate) stage: Stage,
    descriptors: usize,
    names: Vec<String>,
    echoes: usize,
    turns: usize,
}

impl Siege {
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    #[track_caller]
    pub(crate) fn with(configure: impl FnOnce(&mut ServerConfig, &mut ClientConfig)) -> Self {
        let mut stage = Stage::with(configure);
        stage.world.clients[0].app.habit = Habit::Echo;
        // A turn is much longer than it really is, so that deadlines come although nothing is ever quiet.
        stage.world.tick = Duration::from_millis(5);
        stage.world.send(0, b"ball");
        let mut siege = Siege { stage, descriptors: 0, names: Vec::new(), echoes: 0, turns: 0 };
        siege.world().until("a few echoes", |world| world.clients[0].app.received.len() > 10);
        siege.descriptors = descriptors();
        siege.names = siege.stage.theirs.names();
        (siege.echoes, siege.turns) = (siege.echoes(), siege.stage.world.turns);
        siege
    }

    pub(crate) fn world(&mut self) -> &mut World<App, App> {
        &mut self.stage.world
    }

    pub(crate) fn echoes(&self) -> usize {
        self.stage.world.clients[0].app.received.len()
    }

    /// Descriptors that were opened since it began.
    pub(crate) fn more_descriptors(&self) -> usize {
        descriptors().saturating_sub(self.descriptors)
    }

    /// Takes the file of a link that was rightly made out of account.
    #[track_caller]
    pub(crate) fn forget_link(&mut self, client: &str) {
        self.world().pass(Duration::from_secs(2));
        let now = self.stage.world.now;
        assert!(self.stage.world.at_server().driver.link(now, &super::name(client)).is_some());
        self.names.push(format!("s~server~{client}.link"));
        self.names.sort();
    }

    /// Everything is as it was before, and the good client had its echoes all the time.
    #[track_caller]
    pub(crate) fn conclude(mut self) {
        self.world().pass(Duration::from_secs(2));
        assert_eq!(descriptors(), self.descriptors, "descriptors");
        assert_eq!(self.stage.theirs.names(), self.names);
        // A turn for the way there, and one for the way back.
        let (turns, echoes) = (self.stage.world.turns - self.turns, self.echoes() - self.echoes);
        assert!(echoes >= turns / 2 - turns / 20 - 5, "{echoes} echoes in {turns} turns");
        let server = self.stage.world.at_server();
        assert_eq!(server.driver.connections(), 1);
        assert!(server.app.endings().is_empty(), "{:?}", server.app.endings());
    }
}
