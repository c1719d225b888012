//! How a connection ends over shared memory, where a side may see in its peer's file that the peer has left
//! before it hears so.

mod support;

use support::stage::Stage;
use support::{kind, name};
use tcpshm_driver::{Carrier, Driver};

#[test]
fn a_client_that_left_is_told_with_its_reason_even_if_its_memory_shows_it_first() {
    let mut stage = Stage::over(Carrier::Shm);
    let now = stage.world.now;
    let (server, client) = stage.world.both();
    let mut link = client.driver.link(now).expect("a link");
    link.send(kind(1), b"unread").expect("room");
    link.close();
    drop(link);
    client.driver.handle_timeout(now, &mut client.app);
    assert_eq!(client.app.endings(), ["Closed"]);
    // No socket is looked at yet.
    server.driver.poll(&mut server.app);
    server.driver.handle_timeout(now, &mut server.app);
    assert_eq!(server.app.endings(), ["ByPeer(Application)"]);
    assert_eq!(server.app.texts(), ["first"], "what comes after the end is for the next connection");
    stage.world.until("the reply", |world| world.clients[0].app.texts() == ["first", "unread"]);
}

#[test]
fn a_server_that_left_is_told_with_its_reason_even_if_its_memory_shows_it_first() {
    let mut stage = Stage::over(Carrier::Shm);
    stage.world.answer(b"unread");
    let now = stage.world.now;
    let (server, client) = stage.world.both();
    server.driver.link(now, &name("client")).expect("a link").close();
    server.driver.handle_timeout(now, &mut server.app);
    assert_eq!(server.app.endings(), ["Closed"]);
    client.driver.poll(&mut client.app);
    client.driver.handle_timeout(now, &mut client.app);
    assert_eq!(client.app.endings(), ["ByPeer(Application)"]);
    stage.world.until("the message", |world| world.clients[0].app.texts() == ["first", "unread"]);
}
