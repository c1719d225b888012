//! Somebody who says another's name and invents the rest.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::raw::{self, Raw};
use support::stage::Stage;
use tcpshm_driver::protocol::login::{Confirm, Holding, LoginMessage, Outcome, Proposal, Streams};
use tcpshm_driver::protocol::{AttachmentId, Nonce, SessionId, Standing};
use tcpshm_driver::{RefusalCode, Silence};

const OWNERS: u128 = 9;

/// A Confirm with a history and a proposal that nobody ever heard of.
fn invented() -> Confirm {
    let geometry = support::limits(4096, 512).send;
    Confirm {
        held: Some(Holding {
            session: SessionId::new(77).unwrap(),
            attachment: AttachmentId::new(77).unwrap(),
            standing: Standing::START,
        }),
        proposed: Some(Proposal {
            session: SessionId::new(78).unwrap(),
            streams: Streams { client: geometry, server: geometry },
        }),
        disputed: false,
        token: None,
        undelivered: None,
        nonce: Nonce::new(7),
    }
}

#[test]
fn an_invented_history_makes_no_login_of_the_owner_stale() {
    let mut stage = Stage::with(|server, _| server.link.silence = Silence::MAX);
    let address = stage.client.addresses[0];
    let mut owner = Raw::connect(address);
    owner.log_in(&mut stage.world, "owner", OWNERS);
    owner.hang_up();
    owner.until(&mut stage.world, "the end", |raw| raw.ended);

    let [mut owner, mut stranger] = [(); 2].map(|()| Raw::connect(address));
    for raw in [&mut owner, &mut stranger] {
        raw.greet(&mut stage.world, &raw::hello("owner"));
    }
    stranger.answer(invented());
    stranger.until(&mut stage.world, "the end", |raw| raw.ended);
    assert_eq!(stranger.refusal().unwrap().code, RefusalCode::ProposalDead);
    owner.answer(raw::confirm(OWNERS));
    owner.until(&mut stage.world, "an answer", |raw| raw.understood().0.len() == 2);
    let LoginMessage::Ready(ready) = &owner.understood().0[1] else { panic!("{:?}", owner.understood()) };
    assert_eq!(ready.outcome, Outcome::Resumed);
}
