//! A process may have both ends of a link, or an old and a fresh session of one: what belongs to one of
//! them is refused by the other, and stores nothing.

use proof::{Pair, Setup, Solo, over_both};
use tcpshm_protocol::login::{Carrier, Confirm, Holding, Outcome, Ready, Silence, UserData};
use tcpshm_protocol::{
    AttachmentId, Geometry, Grant, LoginFault, Nonce, RefusedReason, Role, SessionId, Standing, Timing,
};

#[test]
fn a_position_of_the_other_direction() {
    over_both(|carrier| {
        let mut pair = Pair::connected(Setup::over(carrier));
        pair.server.app = proof::endpoint::App::Hold;
        pair.client.send(8).expect("room");
        pair.client.send(40).expect("room");
        pair.server.send(8).expect("room");
        pair.settle();
        // Where the server's message ends is in the middle of what the client sends, by chance.
        let theirs = pair.client.session().delivered();
        let before = pair.server.disk.content();
        assert_eq!(pair.server.session().consume_through(theirs), Err(RefusedReason::Foreign));
        assert_eq!(pair.server.disk.content(), before);
    });
}

#[test]
fn a_login_of_another_session() {
    let mut solo = Solo::new(Role::Client, Geometry::new(128, 40).expect("a geometry"));
    solo.detach();
    solo.session.show(Nonce::new(1)).expect("a confirmed session");
    let before = solo.image();
    let ready = Ready {
        outcome: Outcome::Resumed,
        session: SessionId::new(solo.session.id().get() ^ 1).expect("not 0"),
        standing: Standing::START,
        attachment: AttachmentId::new(77).expect("not 0"),
        carrier: Carrier::Tcp,
        nonce: Nonce::new(2),
        user_data: UserData::default(),
    };
    let timing = Timing::new(Silence::default(), Silence::default());
    let fault = solo.session.establish(solo.clock.now(), &ready, &timing).expect_err("not ours");
    assert_eq!(fault, LoginFault::OtherSession);
    assert!(!solo.session.is_attached());
    assert_eq!(solo.image(), before);
}

#[test]
fn a_confirm_of_another_session() {
    let mut solo = Solo::new(Role::Server, Geometry::new(128, 40).expect("a geometry"));
    let before = solo.image();
    let other = SessionId::new(solo.session.id().get() ^ 1).expect("not 0");
    let attachment = AttachmentId::new(77).expect("not 0");
    let confirm = Confirm {
        held: Some(Holding { session: other, attachment, standing: Standing::START }),
        proposed: None,
        disputed: false,
        token: None,
        undelivered: None,
        nonce: Nonce::new(1),
    };
    let grant = Grant {
        outcome: Outcome::Resumed,
        attachment,
        nonce: Nonce::new(2),
        carrier: Carrier::Tcp,
        user_data: UserData::default(),
        timing: Timing::new(Silence::default(), Silence::default()),
    };
    let fault = solo.session.accept(solo.clock.now(), &confirm, grant).expect_err("not ours");
    assert_eq!(fault, LoginFault::OtherSession);
    assert!(solo.session.is_attached(), "the connection that was there goes on");
    assert_eq!(solo.image(), before);
}
