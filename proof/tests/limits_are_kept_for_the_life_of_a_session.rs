//! A session keeps the sizes it began with. A side that now takes less refuses at login, loses nothing,
//! and goes on when it takes as much again; a message the other side could never take is refused at once.

use proof::endpoint::{App, Configuration, Note};
use proof::{Pair, Setup, over_both};
use tcpshm_protocol::SendError;
use tcpshm_protocol::login::{Carrier, RefusalCode};

fn shrunk(note: &Note) -> bool {
    *note == Note::Refused(RefusalCode::LimitsShrunk)
}

fn pair(carrier: Carrier, client: Configuration, server: Configuration) -> Pair {
    Pair::connected(Setup { configurations: [client, server], ..Setup::over(carrier) })
}

#[test]
fn what_each_side_sends_is_limited_by_what_the_other_takes() {
    over_both(|carrier| {
        for (client, server, largest, capacity) in [
            ((1024, 500), (256, 64), 64, 256),
            ((256, 64), (1024, 500), 64, 256),
            ((1024, 30), (256, 64), 30, 256),
            ((64, 40), (1 << 16, 1 << 15), 40, 64),
        ] {
            let configuration = |(capacity, largest)| Configuration::new(capacity, largest);
            let mut pair = pair(carrier, configuration(client), configuration(server));
            let too_large =
                SendError::TooLarge { len: largest + 1, most: u32::try_from(largest).expect("small") };
            assert_eq!(pair.client.send(largest + 1), Err(too_large));
            assert_eq!(pair.server.send(largest + 1), Err(too_large));
            pair.server.app = App::Hold;
            pair.client.app = App::Hold;
            for endpoint in [&mut *pair.client, &mut *pair.server] {
                endpoint.send(largest).expect("room");
                endpoint.fill(0);
                assert_eq!(endpoint.session().header().outgoing.capacity(), capacity);
            }
            pair.settle();
            (pair.client.app, pair.server.app) = (App::Consume, App::Consume);
            pair.client.release();
            pair.server.release();
            pair.elapse(std::time::Duration::from_secs(1));
            pair.check_complete();
        }
    });
}

#[test]
fn a_side_that_takes_less_is_refused_until_it_takes_as_much_again() {
    over_both(|carrier| {
        for smaller in [Configuration::new(128, 64), Configuration::new(256, 63)] {
            for server in [false, true] {
                let mut pair = pair(carrier, Configuration::new(256, 64), Configuration::new(256, 64));
                pair.cut();
                pair.client.send(64).expect("room");
                pair.server.send(64).expect("room");
                let normal = pair.client.configuration.clone();
                let configuration =
                    if server { &mut pair.server.configuration } else { &mut pair.client.configuration };
                *configuration = smaller.clone();
                for attempt in 1..=3 {
                    pair.connect();
                    pair.settle();
                    assert_eq!((pair.client.count(shrunk), pair.server.count(shrunk)), (attempt, attempt));
                }
                pair.client.configuration = normal.clone();
                pair.server.configuration = normal;
                assert_eq!(pair.login(), 1);
                pair.elapse(std::time::Duration::from_secs(1));
                pair.check_complete();
            }
        }
    });
}

#[test]
fn a_side_that_takes_more_goes_on_with_what_was_agreed() {
    over_both(|carrier| {
        let mut pair = pair(carrier, Configuration::new(256, 64), Configuration::new(256, 64));
        pair.restart_client();
        pair.client.configuration = Configuration::new(4096, 1024);
        assert_eq!(pair.login(), 1);
        assert_eq!(pair.client.send(65), Err(SendError::TooLarge { len: 65, most: 64 }));
        pair.client.send(64).expect("room");
        pair.elapse(std::time::Duration::from_secs(1));
        pair.check_complete();
    });
}
