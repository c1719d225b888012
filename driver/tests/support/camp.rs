//! A server whose links live in groups, and a client.

use tcpshm_driver::{Carrier, ClientConfig, GroupId, ServerConfig};

use super::app::{App, Habit};
use super::files::Home;
use super::stage::Stage;
use super::{World, client, name, server, wish};

/// What a stage has, and its groups.
pub(crate) struct Camp {
    pub(crate) stage: Stage,
    pub(crate) groups: [GroupId; 2],
}

impl Camp {
    /// The client's link is in the first of two groups, which echo. The server's own application consumes.
    #[track_caller]
    pub(crate) fn over(carrier: Carrier) -> Self {
        Self::over_with(carrier, |_, _| {})
    }

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
        let address = world.serve(server.clone(), App::default());
        (server.listen, client.addresses) = (vec![address], vec![address]);
        let groups = [(); 2].map(|()| world.group(App::with(Habit::Echo)));
        world.at_server().app.group = groups[0];
        world.connect(client.clone(), App::default());
        let mut camp = Camp { stage: Stage { world, ours, theirs, server, client }, groups };
        camp.stage.connected();
        camp.stage.exchange("first");
        assert_eq!(camp.stage.world.at_server().driver.group_of(&name("client")), Some(groups[0]));
        camp
    }

    /// What group `index` was told.
    pub(crate) fn story(&mut self, index: usize) -> Vec<String> {
        self.stage.world.at_group(index).app.story()
    }

    /// What the server's own application was told.
    pub(crate) fn own_story(&mut self) -> Vec<String> {
        self.stage.world.at_server().app.story()
    }

    /// Where the server says that the link is.
    pub(crate) fn whereabouts(&mut self) -> Option<GroupId> {
        self.stage.world.at_server().driver.group_of(&name("client"))
    }

    /// Has the link moved, and waits until it is there.
    #[track_caller]
    pub(crate) fn move_to(&mut self, group: GroupId) {
        let now = self.stage.world.now;
        let seat = self.stage.world.at_server();
        seat.driver.move_link(now, &name("client"), group, &mut seat.app).unwrap();
        self.stage.world.until("the move", |world| {
            let found = |seat: &mut super::Seat<tcpshm_driver::Group, App>| {
                seat.driver.id() == group && seat.driver.connections() == 1
            };
            let own = group == GroupId::SERVER;
            let here = own && world.at_server().driver.link(now, &name("client")).is_some();
            here || world.groups.iter_mut().flatten().any(found)
        });
    }
}
