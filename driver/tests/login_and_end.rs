//! A peer that confirms, says something and is gone, all before anybody looks.
//!
//! Over TCP only: such a peer has no memory to share.

mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::raw::{self, Raw};
use support::stage::Stage;

#[test]
fn is_heard_out_and_its_end_is_noticed_at_once() {
    for count in [0, 1, 5, 30] {
        let mut stage = Stage::new();
        stage.world.at_server().app.habit = Habit::Hold;
        let mut raw = Raw::connect(stage.client.addresses[0]);
        let messages = (0..count).flat_map(|number| raw::message(9, number * 120, &[b'x'; 100]));
        raw.greet(&mut stage.world, &raw::hello("guest"));
        let start = stage.world.now;
        raw.say(&[raw::answer(raw::confirm(9), raw.challenge()), messages.collect()].concat());
        raw.hang_up();
        stage.world.until("the end", |world| !world.at_server().app.endings().is_empty());
        let app = &stage.world.at_server().app;
        assert_eq!(app.endings(), ["Cut"], "{count} messages");
        assert_eq!(app.received.len() as u64, 1 + count);
        assert!(stage.world.now - start < Duration::from_millis(500), "not at the end of a silence");
    }
}

#[test]
fn is_heard_out_by_a_client_too() {
    for count in [0, 1, 5, 30] {
        let mut stage = Stage::new();
        stage.stop_client();
        for _ in 0..count {
            stage.world.answer(&[b'x'; 100]);
        }
        stage.start_client(App::default());
        stage.world.until("the server's word", |world| world.at_server().app.outcomes().len() == 2);
        let start = stage.world.now;
        // Its Ready and what follows are on their way, and so is its end.
        stage.world.server = None;
        stage.world.until("the end", |world| !world.clients[0].app.endings().is_empty());
        let app = &stage.world.clients[0].app;
        assert_eq!((app.story(), app.received.len()), (vec!["Resumed".into(), "Cut".into()], count));
        assert!(stage.world.now - start < Duration::from_millis(500), "not at the end of a silence");
    }
}
