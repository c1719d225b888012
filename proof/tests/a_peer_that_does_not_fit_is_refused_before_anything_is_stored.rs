//! What `accept` and `establish` themselves refuse, whatever was decided before: standings that
//! contradict each other, and a consumption inside a frame. Nothing is stored, and nothing is attached.

use proof::{Solo, image};
use tcpshm_protocol::login::{Carrier, Outcome, Ready, Silence, UserData};
use tcpshm_protocol::{AttachmentId, Geometry, LoginFault, Nonce, Position, Role, Standing, Timing};

fn at(position: u64) -> Position {
    Position::new(position).expect("a multiple of 8")
}

fn client() -> Solo {
    let mut solo = Solo::new(Role::Client, Geometry::new(128, 40).expect("a geometry"));
    solo.send(8).expect("room");
    solo.send(16).expect("room");
    solo.transmit();
    solo.peer_sends(8, 1);
    solo.peer_sends(0, 1);
    solo.consume();
    solo.detach();
    solo
}

fn establish(standing: Standing) -> Result<(), LoginFault> {
    let mut solo = client();
    solo.session.show(Nonce::new(1)).expect("a confirmed session");
    let before = solo.image();
    let ready = Ready {
        outcome: Outcome::Resumed,
        session: solo.session.id(),
        standing,
        attachment: AttachmentId::new(77).expect("not 0"),
        carrier: Carrier::Tcp,
        nonce: Nonce::new(2),
        user_data: UserData::default(),
    };
    let timing = Timing::new(Silence::default(), Silence::default());
    let result = solo.session.establish(solo.clock.now(), &ready, &timing);
    assert_eq!(solo.session.is_attached(), result.is_ok());
    assert_eq!(solo.image() == before, result.is_err());
    assert_eq!(image::load(&solo.image(), image::at::CURRENT) == 77, result.is_ok());
    result
}

/// What fits: the server has consumed the first of 24 and 32 bytes, and sent 24 and 16.
const FITS: fn() -> Standing = || Standing { acked: at(0), sent: at(40), consumed: at(24) };

#[test]
fn of_a_server() {
    assert_eq!(establish(FITS()), Ok(()));
    assert_eq!(establish(Standing { acked: at(24), consumed: at(56), ..FITS() }), Ok(()));
    let mine = Standing { acked: at(24), sent: at(56), consumed: at(24) };
    for yours in [
        Standing { consumed: at(0), ..FITS() },
        Standing { consumed: at(64), ..FITS() },
        Standing { acked: at(32), ..FITS() },
        Standing { sent: at(16), ..FITS() },
    ] {
        assert_eq!(establish(yours), Err(LoginFault::Positions { mine, yours }));
    }
}

#[test]
fn of_a_server_that_never_sent_what_this_process_was_given() {
    let fault = establish(Standing { sent: at(24), ..FITS() }).expect_err("40 bytes were delivered");
    assert!(matches!(fault, LoginFault::Delivered { sent, .. } if sent == at(24)), "{fault}");
}

#[test]
fn of_a_server_that_consumed_half_a_message() {
    for consumed in [32, 40, 48] {
        let yours = Standing { consumed: at(consumed), ..FITS() };
        assert_eq!(establish(yours), Err(LoginFault::InsideFrame { consumed: at(consumed) }));
    }
}
