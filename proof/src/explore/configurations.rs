//! The searches there are.

use tcpshm_protocol::login::Carrier::{self, Shm, Tcp};

use super::rules::{Budget, Rules};

const NOTHING: Budget =
    Budget { sends: [0; 2], cuts: 0, crashes: 0, takeovers: 0, losses: 0, splits: 0, holds: 0 };

/// Searches that close in a second or a few, and together meet everything that can happen.
pub fn small() -> Vec<Rules> {
    let mut all = Vec::new();
    for (carrier, [first, origin, kill, batch, full, cut, takeover, loss, clone]) in [(Tcp, TCP), (Shm, SHM)]
    {
        // Over shared memory there is more to do in each state: a look at the other's file, at any moment.
        let over_tcp = u8::from(carrier == Tcp);
        let with = |name, budget| Rules { budget, ..Rules::quiet(name, carrier) };
        // The first login of all, cut and killed.
        let budget = Budget { sends: [1, 0], crashes: 1, cuts: 1, ..NOTHING };
        all.push(Rules { start: None, ..with(first, budget) });
        // Files of it that are lost, or found again later.
        let budget = Budget { sends: [1, over_tcp], losses: 1, ..NOTHING };
        all.push(Rules { start: None, ..with(origin, budget) });
        // Either side killed after any store, with messages and replies on their way.
        let budget = Budget { sends: [1, 1], crashes: 1, ..NOTHING };
        all.push(Rules { replies: true, ..with(kill, budget) });
        // A batch over the end of the ring, killed, and killed in recovery.
        let budget = Budget { sends: [2, 0], crashes: 1 + over_tcp, ..NOTHING };
        all.push(Rules { batches: true, ..with(batch, budget) });
        // A ring that is full, and free again.
        all.push(with(full, Budget { sends: [3, over_tcp], ..NOTHING }));
        // A connection that ends anywhere, for both sides or for one, with frames half written and messages held.
        let budget = Budget { sends: [1, over_tcp], cuts: 1, splits: 1, holds: 1, ..NOTHING };
        all.push(with(cut, budget));
        // A login while the server still believes in the connection before, and messages of its are held.
        let budget = Budget { sends: [over_tcp, 1], cuts: 1, takeovers: 1, holds: 1, ..NOTHING };
        all.push(with(takeover, budget));
        // Files lost, or an earlier copy put back, while messages are held.
        let budget = Budget { sends: [1 + over_tcp, 0], losses: 1, holds: 1, ..NOTHING };
        all.push(with(loss, budget));
        // A copy goes on, and then the original does.
        all.push(with(clone, Budget { sends: [2, 0], losses: 2, ..NOTHING }));
    }
    all
}

const TCP: [&str; 9] = [
    "tcp-first",
    "tcp-origin",
    "tcp-kill",
    "tcp-batch",
    "tcp-full",
    "tcp-cut",
    "tcp-takeover",
    "tcp-loss",
    "tcp-clone",
];
const SHM: [&str; 9] = [
    "shm-first",
    "shm-origin",
    "shm-kill",
    "shm-batch",
    "shm-full",
    "shm-cut",
    "shm-takeover",
    "shm-loss",
    "shm-clone",
];

/// Searches of millions of states: two or three things that go wrong on one path.
pub fn large() -> Vec<Rules> {
    let mut all = Vec::new();
    for (carrier, [messages, kills, cuts, resend, copies, base]) in [
        (Tcp, ["tcp-messages", "tcp-kills", "tcp-cuts", "tcp-resend", "tcp-copies", "tcp-base"]),
        (Shm, ["shm-messages", "shm-kills", "shm-cuts", "shm-resend", "shm-copies", "shm-base"]),
    ] {
        let with = |name, budget| Rules { budget, ..Rules::quiet(name, carrier) };
        all.push(Rules {
            replies: true,
            batches: true,
            ..with(messages, Budget { sends: [3, 3], holds: 1, ..NOTHING })
        });
        all.push(Rules {
            replies: true,
            batches: true,
            ..with(kills, Budget { sends: [2, 2], crashes: 2, ..NOTHING })
        });
        let budget = Budget { sends: [2, 2], cuts: 2, takeovers: 1, splits: 1, holds: 1, ..NOTHING };
        all.push(with(cuts, budget));
        // A full ring that is sent again, while what stands in it is consumed.
        all.push(with(resend, Budget { sends: [3, 0], cuts: 1, splits: 1, holds: 1, ..NOTHING }));
        all.push(with(copies, Budget { sends: [2, 1], losses: 2, crashes: 1, holds: 1, ..NOTHING }));
        all.push(base_of(base, carrier));
    }
    all
}

/// Everything at once.
fn base_of(name: &'static str, carrier: Carrier) -> Rules {
    let budget = Budget { sends: [3, 3], cuts: 2, crashes: 2, takeovers: 1, losses: 1, splits: 1, holds: 1 };
    Rules { budget, replies: true, batches: true, ..Rules::quiet(name, carrier) }
}
