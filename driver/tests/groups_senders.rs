//! Senders of links that are in groups, or on their way: they work wherever the link is, and keep their order.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[macro_use]
#[path = "support/carriers.rs"]
mod carriers;
mod support;

use std::time::Duration;

use support::app::{App, Habit};
use support::camp::Camp;
use support::{kind, name};
use tcpshm_driver::{
    Carrier, Driver, Ended, GroupId, NotAccepted, SendOutcome, Sender, SenderError, Ticket, TrySendError,
};

carriers! {
    a_sender_that_is_asked_for_while_the_link_is_in_a_group_works,
    a_sender_from_before_goes_with_the_link_through_moves_reconnects_and_resets_of_the_group,
    a_spinning_group_sees_mail_and_orders_without_asking_the_poll,
    mail_for_a_link_that_has_just_left_follows_it,
    a_mailbox_comes_back_with_its_session_and_goes_where_the_next_connection_does,
    what_waits_when_the_server_ends_is_committed_as_far_as_there_is_room_and_told,
}

#[track_caller]
fn sender(camp: &mut Camp) -> Sender {
    camp.stage.world.at_server().driver.sender(&name("client")).unwrap()
}

#[track_caller]
fn send(sender: &Sender, payload: &[u8]) -> Ticket {
    sender.try_send(kind(2), payload).unwrap()
}

#[track_caller]
fn is_committed(ticket: &Ticket) -> bool {
    match ticket.try_outcome() {
        None => false,
        Some(SendOutcome::Committed(_)) => true,
        Some(other) => panic!("{other:?}"),
    }
}

fn a_sender_that_is_asked_for_while_the_link_is_in_a_group_works(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let one = sender(&mut camp);
    let ticket = send(&one, b"one");
    // The same mailbox, before the group has it and after.
    let same = sender(&mut camp);
    let second = send(&same, b"two");
    camp.stage.world.until("both", |world| world.clients[0].app.texts() == ["first", "one", "two"]);
    let again = sender(&mut camp);
    send(&again, b"three");
    camp.stage.world.until("it", |world| world.clients[0].app.texts().ends_with(&["three"]));
    assert!(is_committed(&ticket) && is_committed(&second));
    let largest = one.try_send(kind(2), &[0; 513]).unwrap_err();
    assert_eq!(largest, TrySendError::TooLarge { len: 513, most: 512 });
}

fn a_sender_from_before_goes_with_the_link_through_moves_reconnects_and_resets_of_the_group(
    carrier: Carrier,
) {
    let mut camp = Camp::over(carrier);
    let sender = sender(&mut camp);
    let mut number = 0_u32;
    let mut sent = Vec::new();
    let mut push = |count: u32| {
        for _ in 0..count {
            let text = number.to_string();
            send(&sender, text.as_bytes());
            sent.push(text);
            number += 1;
        }
    };
    let [first, second] = camp.groups;
    for round in 0..20 {
        push(3);
        let now = camp.stage.world.now;
        let to = [second, GroupId::SERVER, first][round % 3];
        let seat = camp.stage.world.at_server();
        let _ = seat.driver.move_link(now, &name("client"), to, &mut seat.app);
        push(2);
        for _ in 0..round % 5 {
            camp.stage.world.turn();
            push(1);
        }
        if round % 4 == 3 {
            camp.stage.world.at_server().app.group = camp.groups[round / 4 % 2];
            let seat = &mut camp.stage.world.clients[0];
            seat.driver.link(now).unwrap().close();
            push(2);
        }
        if round == 10 {
            let third = camp.stage.world.group(App::with(Habit::Echo));
            camp.stage.world.at_server().app.group = third;
            let gone = if camp.whereabouts() == Some(first) { 0 } else { 1 };
            camp.stage.world.groups[gone] = None;
            push(2);
            camp.groups[gone] = third;
        }
    }
    let expected = sent;
    camp.stage.world.until("all", |world| world.clients[0].app.texts().len() == 1 + expected.len());
    assert_eq!(camp.stage.world.clients[0].app.texts()[1..], expected);
}

fn a_spinning_group_sees_mail_and_orders_without_asking_the_poll(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let sender = sender(&mut camp);
    camp.stage.world.calm();
    let now = camp.stage.world.now;
    let group = camp.stage.world.at_group(0);
    assert!(!group.driver.has_work());
    let ticket = send(&sender, b"mail");
    assert!(group.driver.has_work());
    match carrier {
        Carrier::Tcp => {
            group.driver.spin(now, &mut group.app);
        }
        Carrier::Shm => assert!(group.driver.poll(&mut group.app)),
    }
    assert!(is_committed(&ticket));
    // And the server sees what groups say.
    let second = camp.groups[1];
    let server = camp.stage.world.at_server();
    server.driver.move_link(now, &name("client"), second, &mut server.app).unwrap();
    for index in [0, 1] {
        let group = camp.stage.world.at_group(index);
        assert!(group.driver.has_work() && !group.driver.park());
        group.driver.spin(now, &mut group.app);
        let server = camp.stage.world.at_server();
        assert_eq!(server.driver.has_work(), index == 0);
        server.driver.spin(now, &mut server.app);
    }
    assert_eq!(camp.stage.world.at_group(1).driver.connections(), 1);
}

fn mail_for_a_link_that_has_just_left_follows_it(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    let second = camp.groups[1];
    let now = camp.stage.world.now;
    // The link has departed, and the server does not know yet when it sends the new mailbox behind it.
    let server = camp.stage.world.at_server();
    server.driver.move_link(now, &name("client"), second, &mut server.app).unwrap();
    let group = camp.stage.world.at_group(0);
    group.driver.handle_timeout(now, &mut group.app);
    assert_eq!(group.driver.connections(), 0);
    let sender = sender(&mut camp);
    let ticket = send(&sender, b"it follows");
    let group = camp.stage.world.at_group(0);
    group.driver.handle_timeout(now, &mut group.app);
    camp.stage.world.until("it", |world| world.clients[0].app.texts().ends_with(&["it follows"]));
    assert!(is_committed(&ticket));
    assert_eq!(camp.whereabouts(), Some(second));
    // The same with a link that has lost its connection.
    let mut camp = Camp::over(carrier);
    let now = camp.stage.world.now;
    let group = camp.stage.world.at_group(0);
    group.driver.link(now, &name("client")).unwrap().close();
    group.driver.handle_timeout(now, &mut group.app);
    assert_eq!(group.driver.connections(), 0);
    let sender = self::sender(&mut camp);
    send(&sender, b"to the file");
    camp.stage.world.until("it", |world| world.clients[0].app.texts().ends_with(&["to the file"]));
}

fn a_mailbox_comes_back_with_its_session_and_goes_where_the_next_connection_does(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.clients[0].app.habit = Habit::Hold;
    let sender = sender(&mut camp);
    // More than the ring takes, so that some waits in the mailbox.
    let mut tickets: Vec<_> = (0..60_u8).map(|number| send(&sender, &[number; 100])).collect();
    camp.stage.world.calm();
    let committed = tickets.iter().filter(|ticket| is_committed(ticket)).count();
    assert!((30..40).contains(&committed), "{committed} fit the ring");
    camp.stage.stop_client();
    camp.stage.world.at_server().app.group = camp.groups[1];
    camp.stage.start_client(App::default());
    camp.stage.world.until("all", |world| world.clients[0].app.received.len() == 60);
    assert_eq!(camp.whereabouts(), Some(camp.groups[1]));
    // With room for it, what is sent while nobody is there goes into the file.
    camp.stage.stop_client();
    tickets.push(send(&sender, &[60; 100]));
    camp.stage.world.until("the commit", |_| is_committed(&tickets[60]));
    assert!(tickets.iter().all(is_committed));
    camp.stage.start_client(App::default());
    camp.stage.world.until("it", |world| world.clients[0].app.received == [vec![60; 100]]);
}

fn what_waits_when_the_server_ends_is_committed_as_far_as_there_is_room_and_told(carrier: Carrier) {
    let mut camp = Camp::over(carrier);
    camp.stage.world.clients[0].app.habit = Habit::Hold;
    let sender = sender(&mut camp);
    camp.stage.world.calm();
    let tickets: Vec<_> = (0..60_u8).map(|number| send(&sender, &[number; 100])).collect();
    let now = camp.stage.world.now;
    let server = camp.stage.world.at_server();
    server.driver.shut_down(now, &mut server.app);
    assert_eq!(server.driver.sender(&name("client")).unwrap_err().to_string(), Ended::ShutDown.to_string());
    camp.stage.world.until("the end", |world| world.at_group(0).driver.is_stopped());
    let ended = SendOutcome::NotAccepted(NotAccepted::Ended(Ended::ShutDown));
    let committed = tickets.iter().position(|ticket| ticket.try_outcome() == Some(ended)).unwrap();
    assert!((30..40).contains(&committed), "{committed} fit the ring");
    assert!(tickets[..committed].iter().all(is_committed));
    assert!(tickets[committed..].iter().all(|ticket| ticket.try_outcome() == Some(ended)));
    let refused = sender.try_send(kind(2), &[]).unwrap_err();
    assert_eq!(refused, TrySendError::Ended(Ended::ShutDown));
}

#[test]
fn there_is_no_sender_for_a_link_that_never_was_while_there_are_groups() {
    let mut camp = Camp::over(Carrier::Tcp);
    let nobody = camp.stage.world.at_server().driver.sender(&name("nobody"));
    assert!(matches!(nobody, Err(SenderError::NoLink)), "{nobody:?}");
    camp.stage.world.pass(Duration::from_secs(1));
    camp.stage.exchange("second");
}
