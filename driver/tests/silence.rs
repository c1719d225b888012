//! A peer that says nothing is given up, wherever in its stream it fell silent.
//!
//! Over TCP only: over shared memory the connection carries no message to fall silent in.

mod support;

use std::time::Duration;

use support::app::App;
use support::raw::{self, Raw};
use support::{World, server};

const ID: u128 = 0x1234_5678;

/// Connections left a minute after a client has logged in and sent this much of a message.
fn left_after(bytes: usize) -> usize {
    let directory = tempfile::tempdir().expect("a directory");
    let mut world: World<App, App> = World::new();
    let address = world.serve(server(directory.path()), App::default());
    let mut client = Raw::connect(address);
    client.log_in(&mut world, "client", ID);
    client.say(&raw::message(ID, 0, &[7; 100])[..bytes]);
    world.pass(Duration::from_secs(60));
    world.at_server().driver.connections()
}

#[test]
fn a_peer_that_falls_silent_between_frames_is_given_up() {
    assert_eq!(left_after(0), 0);
}

#[test]
fn a_peer_that_falls_silent_inside_a_frame_is_given_up() {
    assert_eq!([1, 8, 50, 115].map(left_after), [0; 4]);
}
