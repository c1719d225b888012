//! A link belongs to both names: a server under another name is another link, and nothing of the old one
//! is forgotten.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use support::app::{App, Habit};
use support::stage::Stage;
use support::{World, files};
use tcpshm_driver::Carrier;

carriers! {
    a_server_under_another_name_is_a_fresh_link_and_what_the_old_one_holds_is_told,
    what_is_left_behind_is_told_once_for_each_server_that_is_met,
    a_visit_to_a_wrong_server_that_never_ended_its_login_changes_nothing_of_the_link,
    a_client_that_goes_back_and_forth_between_two_servers_goes_on_with_each_where_it_was,
}

fn a_server_under_another_name_is_a_fresh_link_and_what_the_old_one_holds_is_told(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let old = stage.session_at_client();
    stage.stop_server();
    for text in ["one", "two", "three"] {
        stage.world.send(0, text.as_bytes());
    }
    let old_name = std::mem::replace(&mut stage.server.link.name, "server-tomorrow".parse().unwrap());
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    let app = &stage.world.clients[0].app;
    assert_eq!(app.story(), ["Fresh", "Cut", "Fresh"]);
    assert_eq!(app.left_behind(), [("server", 3)]);
    assert!(app.disputes().is_empty());
    assert_ne!(stage.session_at_client(), old);
    stage.exchange("to the new one");
    assert_eq!(stage.ours.names(), ["c~client~server-tomorrow.link", "c~client~server.link"],);

    stage.stop_server();
    stage.server.link.name = old_name;
    stage.start_server(App::with(Habit::Echo));
    stage.connected();
    assert_eq!(stage.session_at_client(), old);
    stage.world.until("the old messages", |world| world.clients[0].app.texts().ends_with(&["three"]));
    let app = &stage.world.clients[0].app;
    assert_eq!(app.story(), ["Fresh", "Cut", "Fresh", "Cut", "Resumed"]);
    assert_eq!(app.texts()[2..], ["one", "two", "three"]);
    assert_eq!(app.left_behind(), [("server", 3)], "the other link holds nothing");
    stage.exchange("on we go");
}

fn what_is_left_behind_is_told_once_for_each_server_that_is_met(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_server();
    stage.world.send(0, b"stranded");
    stage.server.link.name = "server-tomorrow".parse().unwrap();
    for _ in 0..3 {
        stage.start_server(App::with(Habit::Echo));
        stage.connected();
        stage.stop_server();
    }
    assert_eq!(stage.world.clients[0].app.left_behind(), [("server", 1)]);
}

fn a_visit_to_a_wrong_server_that_never_ended_its_login_changes_nothing_of_the_link(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    stage.stop_server();
    stage.world.send(0, b"kept");
    let file = files::client_file(stage.ours.path());
    let mut other = stage.server.clone();
    other.link.name = "staging".parse().unwrap();
    let denies = App { admission: tcpshm_driver::Admission::Deny("not here".into()), ..App::default() };
    let before = files::content(&file);
    stage.world.serve(other, denies);
    stage.world.until("refusals", |world| world.clients[0].app.refusals().len() > 3);
    assert_eq!(files::content(&file), before);
    stage.stop_server();
    stage.start_server(App::with(Habit::Echo));
    stage.world.until("the reply", |world| world.clients[0].app.texts().ends_with(&["kept"]));
    assert_eq!(stage.world.clients[0].app.story(), ["Fresh", "Cut", "Resumed"]);
}

fn a_client_that_goes_back_and_forth_between_two_servers_goes_on_with_each_where_it_was(carrier: Carrier) {
    let mut stage = Stage::over(carrier);
    let mut config = support::server(stage.theirs.path());
    config.link.name = "standby".parse().unwrap();
    let mut beside: World<App, App> = World::new();
    let standby = beside.serve(config, App::with(Habit::Echo));
    stage.stop_client();
    stage.client.addresses.push(standby);
    stage.start_client(App::default());
    for round in 0..3 {
        stage.connected();
        // For the first server, which is away by the time that it is committed.
        stage.world.server = None;
        stage.world.send(0, format!("to the first {round}").as_bytes());
        stage.world.until("the standby", |world| {
            beside.now = world.now;
            beside.turn();
            world.clients[0].app.connections().last().is_some_and(|login| login.address == standby)
        });
        stage.world.send(0, format!("to the standby {round}").as_bytes());
        stage.world.until("its reply", |_| {
            beside.turn();
            beside.at_server().app.received.len() > round
        });
        stage.start_server(App::with(Habit::Echo));
        let (now, server) = (beside.now, beside.at_server());
        server.driver.link(now, &support::name("client")).unwrap().close();
        stage.world.until("the first", |world| {
            beside.turn();
            world.clients[0].app.texts().iter().filter(|text| text.starts_with("to the first")).count()
                == round + 1
        });
    }
    let app = &stage.world.clients[0].app;
    assert!(app.disputes().is_empty() && app.resets().is_empty());
    // Over shared memory the standby's last acknowledgement was not looked up before it closed, and counts too.
    let firsts = app.left_behind().iter().filter(|(peer, _)| *peer == "server").count();
    assert_eq!(firsts, 3, "the first server's, each time: {:?}", app.left_behind());
    assert_eq!(beside.at_server().app.texts(), ["to the standby 0", "to the standby 1", "to the standby 2"]);
}
