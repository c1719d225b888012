//! Many clients of one server, which is killed and comes back.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::{World, client, name, server, wish};
use tcpshm_driver::Carrier;

carriers! { all_clients_of_a_server_that_comes_back_resume_within_seconds_and_no_login_fails }

const CLIENTS: usize = 40;
/// The longest wait before another try.
const LONGEST: Duration = Duration::from_secs(1);

fn all_clients_of_a_server_that_comes_back_resume_within_seconds_and_no_login_fails(carrier: Carrier) {
    let directory = tempfile::tempdir().unwrap();
    let mut world: World<App, App> = World::new();
    let mut config = server(directory.path());
    config.listen = vec![world.serve(config.clone(), App::with(Habit::Echo))];
    for number in 0..CLIENTS {
        let mut config = client(directory.path(), config.listen[0]);
        (config.link.name, config.carrier) = (name(&format!("client-{number}")), wish(carrier));
        config.back_off.most = LONGEST;
        world.connect(config, App::default());
    }
    let all = |world: &mut World<App, App>| world.clients.iter().all(|client| client.driver.is_connected());
    world.until("all links", all);
    for round in 1..=2 {
        for index in 0..CLIENTS {
            world.send(index, b"are you there?");
        }
        world.server = None;
        world.until("all notices", |world| world.clients.iter().all(|client| !client.driver.is_connected()));
        world.pass(Duration::from_secs(2));
        let start = world.now;
        world.serve(config.clone(), App::with(Habit::Echo));
        world.until("all links", all);
        let took = world.now - start;
        // The clock of a world moves in strides, of which the last wait and the login may each take some.
        assert!(took <= LONGEST + 5 * world.stride, "{took:?} with a back-off of {LONGEST:?} at most");
        world.until("all replies", |world| {
            world.clients.iter().all(|client| client.app.received.len() == round)
        });
    }
    let (server, clients) = (world.server.as_ref().unwrap(), &world.clients);
    assert_eq!(server.driver.connections(), CLIENTS);
    assert!(server.app.refusals().is_empty());
    for client in clients {
        assert!(client.app.refusals().is_empty() && client.app.disputes().is_empty());
        assert_eq!(client.app.outcomes().len(), 3, "a login at the start and one for each return");
    }
}
