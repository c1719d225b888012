//! A server and a client that have met.

use tcpshm_driver::{Carrier, ClientConfig, ServerConfig, SessionId};

use super::app::{App, Habit};
use super::files::Home;
use super::{World, client, name, server, wish};

/// Both sides with their directories and configurations. The server echoes.
pub(crate) struct Stage {
    pub(crate) world: World<App, App>,
    pub(crate) ours: Home,
    pub(crate) theirs: Home,
    pub(crate) server: ServerConfig,
    pub(crate) client: ClientConfig,
}

impl Stage {
    /// The two have exchanged a message each way, over TCP, and all is acknowledged.
    #[track_caller]
    pub(crate) fn new() -> Self {
        Self::over(Carrier::Tcp)
    }

    /// The same over this carrier.
    #[track_caller]
    pub(crate) fn over(carrier: Carrier) -> Self {
        Self::over_with(carrier, |_, _| {})
    }

    /// Over TCP, with other configurations.
    #[track_caller]
    pub(crate) fn with(configure: impl FnOnce(&mut ServerConfig, &mut ClientConfig)) -> Self {
        Self::over_with(Carrier::Tcp, configure)
    }

    /// Over this carrier, with other configurations.
    #[track_caller]
    pub(crate) fn over_with(
        carrier: Carrier,
        configure: impl FnOnce(&mut ServerConfig, &mut ClientConfig),
    ) -> Self {
        let [ours, theirs] = Home::pair(carrier);
        let mut server = server(theirs.path());
        let mut client = client(ours.path(), server.listen[0]);
        client.carrier = wish(carrier);
        configure(&mut server, &mut client);
        let mut world = World::new();
        let address = world.serve(server.clone(), App::with(Habit::Echo));
        (server.listen, client.addresses) = (vec![address], vec![address]);
        world.connect(client.clone(), App::default());
        let mut stage = Stage { world, ours, theirs, server, client };
        stage.connected();
        let granted = stage.world.clients[0].app.connections().next().map(|login| login.carrier);
        let wished = if stage.client.carrier == wish(Carrier::Tcp) { Carrier::Tcp } else { carrier };
        assert_eq!(granted, Some(wished));
        stage.exchange("first");
        stage
    }

    /// Turns until the first client is connected.
    #[track_caller]
    pub(crate) fn connected(&mut self) {
        self.world.until("a link", |world| world.clients[0].driver.is_connected());
    }

    /// A message and its echo, on the first client's link. Nothing else may arrive in between.
    #[track_caller]
    pub(crate) fn exchange(&mut self, text: &str) {
        let before = self.world.clients[0].app.received.len();
        self.world.send(0, text.as_bytes());
        self.world.until("a reply", |world| world.clients[0].app.received.len() > before);
        assert_eq!(self.world.clients[0].app.texts()[before..], [text]);
        self.world.calm();
    }

    /// Ends the client, and waits until the server knows.
    #[track_caller]
    pub(crate) fn stop_client(&mut self) {
        self.world.clients.clear();
        self.world.until("the server's notice", |world| match &world.server {
            Some(server) => server.driver.connections() == 0,
            None => true,
        });
    }

    /// Ends the server, and waits until the client knows.
    #[track_caller]
    pub(crate) fn stop_server(&mut self) {
        self.world.server = None;
        self.world.until("the client's notice", |world| {
            world.clients.first().is_none_or(|client| !client.driver.is_connected())
        });
    }

    #[track_caller]
    pub(crate) fn start_client(&mut self, app: App) {
        self.world.connect(self.client.clone(), app);
    }

    #[track_caller]
    pub(crate) fn start_server(&mut self, app: App) {
        self.world.serve(self.server.clone(), app);
    }

    /// The session that the server has open.
    #[track_caller]
    pub(crate) fn session_at_server(&mut self) -> SessionId {
        let now = self.world.now;
        self.world.at_server().driver.open_link(now, &name("client")).unwrap().unwrap().session()
    }

    /// The session that the first client has open.
    #[track_caller]
    pub(crate) fn session_at_client(&mut self) -> SessionId {
        let now = self.world.now;
        self.world.clients[0].driver.link(now).unwrap().session()
    }
}
