//! Whatever stands in the place of a login is refused or runs into its deadline, and leaves nothing.

mod support;

use std::time::Duration;

use support::name;
use support::process::alone;
use support::raw::{self, Raw};
use support::siege::Siege;
use tcpshm_driver::RefusalCode;
use tcpshm_driver::protocol::Challenge;
use tcpshm_driver::protocol::login::{LoginMessage, Refusal};

const DEADLINE: Duration = Duration::from_secs(5);

/// Says `bytes` on a connection of their own. Returns what the server answers until it closes, and after
/// how long it does.
#[track_caller]
fn answer_to(siege: &mut Siege, bytes: &[u8]) -> (Raw, Duration) {
    let address = siege.stage.client.addresses[0];
    let mut raw = Raw::connect(address);
    let start = siege.world().now;
    raw.say(bytes);
    raw.until(siege.world(), "an end", |raw| raw.ended);
    (raw, siege.world().now - start)
}

#[track_caller]
fn is_refused(siege: &mut Siege, bytes: &[u8], code: RefusalCode) {
    let (raw, lasted) = answer_to(siege, bytes);
    assert_eq!(raw.refusal().map(|refusal| refusal.code), Some(code), "{bytes:?}");
    assert!(lasted < DEADLINE, "at once");
}

#[track_caller]
fn runs_into_the_deadline(siege: &mut Siege, bytes: &[u8]) {
    let (raw, lasted) = answer_to(siege, bytes);
    assert!(raw.refusal().is_none());
    let late = lasted.saturating_sub(DEADLINE);
    assert!(lasted >= DEADLINE && late < Duration::from_millis(100), "{lasted:?} after {bytes:?}");
}

#[test]
fn silence_ends_at_the_deadline() {
    let _alone = alone();
    let mut siege = Siege::new();
    runs_into_the_deadline(&mut siege, b"");
    siege.conclude();
}

#[test]
fn one_byte_at_a_time_does_not_move_the_deadline() {
    let _alone = alone();
    let mut siege = Siege::new();
    let hello = raw::hello("mallory");
    let address = siege.stage.client.addresses[0];
    let mut raw = Raw::connect(address);
    let start = siege.world().now;
    for byte in hello.iter().take(40) {
        raw.say(&[*byte]);
        siege.world().pass(Duration::from_millis(200));
        raw.listen();
        if raw.ended {
            break;
        }
    }
    assert!(raw.ended && raw.heard.is_empty());
    let lasted = siege.world().now - start;
    assert!(lasted >= DEADLINE && lasted < DEADLINE + Duration::from_millis(500), "{lasted:?}");
    drop(raw);
    siege.conclude();
}

#[test]
fn a_login_in_single_bytes_that_is_quick_enough_succeeds() {
    let _alone = alone();
    let mut siege = Siege::new();
    let address = siege.stage.client.addresses[0];
    let mut raw = Raw::connect(address);
    let say = |siege: &mut Siege, raw: &mut Raw, words: &[u8]| {
        for byte in words {
            raw.say(&[*byte]);
            siege.world().turn();
        }
    };
    say(&mut siege, &mut raw, &raw::hello("slow"));
    raw.until(siege.world(), "a welcome", |raw| raw.understood().0.len() == 1);
    let confirm = raw::answer(raw::confirm(5), raw.challenge());
    say(&mut siege, &mut raw, &confirm);
    raw.until(siege.world(), "a ready", |raw| raw.understood().0.len() == 2);
    assert!(matches!(raw.understood().0[1], LoginMessage::Ready(_)));
}

#[test]
fn random_bytes_are_refused_as_malformed() {
    let _alone = alone();
    let mut siege = Siege::new();
    let mut random = fastrand::Rng::with_seed(0x7c95);
    for _ in 0..50 {
        let mut bytes = vec![0; random.usize(1..4000)];
        random.fill(&mut bytes);
        // Not by chance the first letter of the magic, which would have to be waited for.
        bytes[0] = bytes[0].max(b't' + 1);
        is_refused(&mut siege, &bytes, RefusalCode::Malformed);
    }
    siege.conclude();
}

#[test]
fn random_bytes_in_a_valid_login_end_in_a_refusal_or_at_the_deadline() {
    let _alone = alone();
    let mut siege = Siege::new();
    let mut random = fastrand::Rng::with_seed(0x1091);
    let good = raw::hello("mallory");
    for _ in 0..60 {
        let mut bytes = good.clone();
        let at = random.usize(..bytes.len());
        bytes[at] ^= 1 << random.u8(..8);
        let (raw, lasted) = answer_to(&mut siege, &bytes);
        assert!(raw.refusal().is_some() || lasted >= DEADLINE, "bit flipped in byte {at}");
    }
    siege.conclude();
}

/// How many bytes there are in a login.
fn whole_login() -> usize {
    raw::hello("mallory").len() + raw::answer(raw::confirm(5), Challenge::new(0)).len()
}

/// Says so many bytes of a login, and hears what it has to.
#[track_caller]
fn begin(siege: &mut Siege, raw: &mut Raw, count: usize) {
    let hello = raw::hello("mallory");
    match count.checked_sub(hello.len()) {
        None => raw.say(&hello[..count]),
        Some(behind) => {
            raw.greet(siege.world(), &hello);
            raw.say(&raw::answer(raw::confirm(5), raw.challenge())[..behind]);
        }
    }
}

#[test]
fn a_login_cut_at_every_byte_leaves_nothing() {
    let _alone = alone();
    let mut siege = Siege::new();
    let address = siege.stage.client.addresses[0];
    for cut in 0..whole_login() {
        let mut raw = Raw::connect(address);
        begin(&mut siege, &mut raw, cut);
        raw.hang_up();
        raw.until(siege.world(), "an end", |raw| raw.ended);
        assert!(raw.refusal().is_none(), "{cut}");
    }
    siege.conclude();
}

#[test]
fn a_login_that_stops_at_any_byte_runs_into_the_deadline() {
    let _alone = alone();
    let mut siege = Siege::new();
    let address = siege.stage.client.addresses[0];
    let start = siege.world().now;
    let mut all: Vec<Raw> = (0..whole_login()).map(|_| Raw::connect(address)).collect();
    for (cut, raw) in all.iter_mut().enumerate() {
        begin(&mut siege, raw, cut);
    }
    siege.world().until("all ends", |_| {
        all.iter_mut().for_each(Raw::listen);
        all.iter().all(|raw| raw.ended)
    });
    let lasted = siege.world().now - start;
    assert!(lasted >= DEADLINE && lasted < DEADLINE + Duration::from_secs(1), "{lasted:?}");
    drop(all);
    siege.conclude();
}

#[test]
fn messages_out_of_turn_versions_and_endless_bodies_are_refused() {
    let _alone = alone();
    let mut siege = Siege::new();
    let confirm = raw::answer(raw::confirm(5), Challenge::new(0));
    is_refused(&mut siege, &confirm, RefusalCode::Malformed);
    let twice = [raw::hello("mallory"), raw::hello("mallory")].concat();
    is_refused(&mut siege, &twice, RefusalCode::Malformed);
    let garbage = [raw::hello("mallory"), vec![0xee; 10_000]].concat();
    is_refused(&mut siege, &garbage, RefusalCode::Malformed);

    let mut version = raw::hello("mallory");
    version[4] = 99;
    is_refused(&mut siege, &version, RefusalCode::Version);
    // A body longer than any there is, known from its first bytes.
    let endless = [b't', b's', b'h', b'm', 1, 1, 0xff, 0xff];
    is_refused(&mut siege, &endless, RefusalCode::Malformed);
    let app = &siege.world().at_server().app;
    assert_eq!(app.refusal(RefusalCode::Version).unwrap().numbers, [99, 1]);
    siege.conclude();
}

#[test]
fn a_client_that_refuses_the_server_is_reported_with_its_name() {
    let _alone = alone();
    let mut siege = Siege::new();
    let refusal = LoginMessage::Refusal(Refusal::new(RefusalCode::Internal, "\x1b[2J"));
    let (_, lasted) = answer_to(&mut siege, &[raw::hello("mallory"), raw::encode(refusal)].concat());
    assert!(lasted < DEADLINE);
    let app = &siege.world().at_server().app;
    let refused = app.refusals().into_iter().find(|refused| !refused.by_us).unwrap();
    assert_eq!(refused.peer, Some(name("mallory")));
    assert!(!refused.refusal.to_string().contains('\x1b'), "a peer's text is escaped");
    siege.conclude();
}
