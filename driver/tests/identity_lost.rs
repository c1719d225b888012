//! One side lost its directory: both are told what is gone, the rest is kept aside, and traffic goes on.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit};
use support::name;
use support::stage::Stage;
use tcpshm_driver::{Carrier, Outcome, Quarrel};

carriers! {
    a_client_that_lost_its_directory_starts_anew_and_both_are_told,
    a_server_that_lost_its_directory_starts_anew_and_both_are_told,
    when_both_lost_their_directories_the_link_is_simply_new,
    losing_and_losing_again_keeps_every_old_file,
}

fn a_client_that_lost_its_directory_starts_anew_and_both_are_told(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_client();
    let ended = stage.session_at_server();
    for text in ["one", "two", "three"] {
        stage.world.answer(text.as_bytes());
    }
    stage.ours.delete();
    stage.start_client(App::default());
    stage.connected();

    let (server, client) = stage.world.both();
    assert_eq!(client.app.story(), ["reset", "Reset"]);
    assert!(client.app.was_asked(Quarrel::ClientLost, None, Some(3)), "{:?}", client.app.disputes());
    let report = client.app.resets()[0];
    assert_eq!((report.ended, report.undelivered, report.peer_undelivered), (None, None, Some(3)));
    assert!(report.kept.is_none(), "there was nothing to keep");

    assert!(server.app.was_asked(Quarrel::ClientLost, Some(3), None), "{:?}", server.app.disputes());
    assert_eq!(server.app.outcomes(), [Outcome::Fresh, Outcome::Reset]);
    let report = server.app.resets()[0];
    assert_eq!((report.ended, report.undelivered, report.peer_undelivered), (Some(ended), Some(3), None));
    let (path, messages) = report.kept.as_ref().unwrap();
    assert_eq!(*messages, 3);
    let kept = server.driver.files().kept(Some(&name("client"))).unwrap();
    assert_eq!((kept.len(), &kept[0].path, kept[0].session), (1, path, ended));
    assert_eq!(kept[0].undelivered.as_ref().unwrap().messages, 3);
    stage.exchange("on we go");
}

fn a_server_that_lost_its_directory_starts_anew_and_both_are_told(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let ended = stage.session_at_client();
    stage.stop_server();
    for text in ["one", "two"] {
        stage.world.send(0, text.as_bytes());
    }
    stage.theirs.delete();
    stage.start_server(App::with(Habit::Echo));
    stage.connected();

    let (server, client) = stage.world.both();
    assert_eq!(client.app.outcomes(), [Outcome::Fresh, Outcome::Reset]);
    assert!(client.app.was_asked(Quarrel::ServerLost, Some(2), None), "{:?}", client.app.disputes());
    let report = client.app.resets()[0];
    assert_eq!((report.ended, report.undelivered, report.peer_undelivered), (Some(ended), Some(2), None));
    assert_eq!(report.kept.as_ref().unwrap().1, 2);
    let kept = client.driver.files().kept(Some(&name("server"))).unwrap();
    assert_eq!((kept.len(), kept[0].session), (1, ended));

    assert_eq!(server.app.story(), ["reset", "Reset"]);
    assert!(server.app.was_asked(Quarrel::ServerLost, None, Some(2)), "{:?}", server.app.disputes());
    let report = server.app.resets()[0];
    assert_eq!((report.ended, report.undelivered, report.peer_undelivered), (None, None, Some(2)));
    assert!(report.kept.is_none());
    stage.exchange("on we go");
}

fn when_both_lost_their_directories_the_link_is_simply_new(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.world.server = None;
    stage.stop_client();
    stage.ours.delete();
    stage.theirs.delete();
    stage.start_server(App::with(Habit::Echo));
    stage.start_client(App::default());
    stage.connected();
    let (server, client) = stage.world.both();
    assert_eq!((server.app.story(), client.app.story()), (vec!["Fresh".into()], vec!["Fresh".into()]));
    stage.exchange("on we go");
}

fn losing_and_losing_again_keeps_every_old_file(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    for round in 1..=3 {
        stage.stop_client();
        stage.world.answer(b"for nobody");
        stage.ours.delete();
        stage.start_client(App::default());
        stage.connected();
        let kept = stage.world.at_server().driver.files().kept(None).unwrap();
        assert_eq!(kept.len(), round);
        assert!(kept.iter().all(|kept| kept.undelivered.as_ref().unwrap().messages == 1));
    }
    stage.exchange("on we go");
}
