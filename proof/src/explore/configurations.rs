//! The searches there are.

use tcpshm_protocol::login::Carrier::{self, Shm, Tcp};

use super::rules::{Budget, Rules};

const NOTHING: Budget =
    Budget { sends: [0; 2], cuts: 0, crashes: 0, takeovers: 0, losses: 0, splits: 0, holds: 0 };

/// Searches that close in a second or a few, and together meet everything that can happen.
pub fn small() -> Vec<Rules> {
    let of = |budget, rules: Rules| Rules { budget, ..rules };
    let mut all = Vec::new();
    for (carrier, [first, kill, batch, full, cut, takeover, loss]) in [
        (Tcp, ["tcp-first", "tcp-kill", "tcp-batch", "tcp-full", "tcp-cut", "tcp-takeover", "tcp-loss"]),
        (Shm, ["shm-first", "shm-kill", "shm-batch", "shm-full", "shm-cut", "shm-takeover", "shm-loss"]),
    ] {
        let quiet = |name| Rules::quiet(name, carrier);
        // The first login of all, cut and killed.
        let budget = Budget { sends: [1, 0], crashes: 1, cuts: 1, ..NOTHING };
        all.push(of(budget, Rules { start: None, ..quiet(first) }));
        // Either side killed after any store, with messages and replies on their way.
        let budget = Budget { sends: [1, 1], crashes: 1, ..NOTHING };
        all.push(of(budget, Rules { replies: true, ..quiet(kill) }));
        // A batch over the end of the ring, killed, and killed in recovery.
        let budget = Budget { sends: [2, 0], crashes: 2, ..NOTHING };
        all.push(of(budget, Rules { batches: true, ..quiet(batch) }));
        // A ring that is full, and free again.
        let budget = Budget { sends: [3, 1], ..NOTHING };
        all.push(of(budget, quiet(full)));
        // A connection that ends anywhere, for both sides or for one, with frames half written.
        let holds = u8::from(carrier == Tcp);
        let budget = Budget { sends: [1, 1], cuts: 1, splits: 1, holds, ..NOTHING };
        all.push(of(budget, quiet(cut)));
        // A login while the server still believes in the connection before.
        let budget = Budget { sends: [1, u8::from(carrier == Tcp)], cuts: 1, takeovers: 1, ..NOTHING };
        all.push(of(budget, quiet(takeover)));
        // Files lost, or an earlier copy put back.
        let budget = Budget { sends: [1, u8::from(carrier == Tcp)], losses: 1, ..NOTHING };
        all.push(of(budget, quiet(loss)));
    }
    all
}

/// Searches of millions of states: two or three things that go wrong on one path.
pub fn large() -> Vec<Rules> {
    let mut all = Vec::new();
    for (carrier, [messages, kills, cuts, copies, base]) in [
        (Tcp, ["tcp-messages", "tcp-kills", "tcp-cuts", "tcp-copies", "tcp-base"]),
        (Shm, ["shm-messages", "shm-kills", "shm-cuts", "shm-copies", "shm-base"]),
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
        // A copy goes on, and then the original does.
        all.push(with(copies, Budget { sends: [2, 1], losses: 2, crashes: 1, ..NOTHING }));
        all.push(base_of(base, carrier));
    }
    all
}

/// Everything at once.
fn base_of(name: &'static str, carrier: Carrier) -> Rules {
    let budget = Budget { sends: [3, 3], cuts: 2, crashes: 2, takeovers: 1, losses: 1, splits: 1, holds: 1 };
    Rules { budget, replies: true, batches: true, ..Rules::quiet(name, carrier) }
}
