//! The searches there are.

use tcpshm_protocol::login::Carrier::{Shm, Tcp};

use super::rules::{Budget, Rules};

const NOTHING: Budget =
    Budget { sends: [0; 2], cuts: 0, crashes: 0, takeovers: 0, losses: 0, splits: 0, holds: 0 };

/// Every search, the small ones first.
pub fn all() -> Vec<Rules> {
    let mut all = Vec::new();
    for (carrier, names) in [(Tcp, ["tcp-first", "tcp-kill", "tcp-cut", "tcp-takeover", "tcp-loss", "tcp-base"]), (Shm, ["shm-first", "shm-kill", "shm-cut", "shm-takeover", "shm-loss", "shm-base"])] {
        let [first, kill, cut, takeover, loss, base] = names.map(|name| Rules::quiet(name, carrier));
        let budget = Budget { sends: [1, 0], crashes: 1, cuts: 1, ..NOTHING };
        all.push(Rules { start: None, budget, ..first });
        let budget = Budget { sends: [1, 1], crashes: 1, ..NOTHING };
        all.push(Rules { budget, replies: true, batches: true, ..kill });
        let budget = Budget { sends: [1, 1], cuts: 1, splits: 1, holds: 1, ..NOTHING };
        all.push(Rules { budget, ..cut });
        let budget = Budget { sends: [1, 1], cuts: 1, takeovers: 1, ..NOTHING };
        all.push(Rules { budget, ..takeover });
        let budget = Budget { sends: [1, 1], losses: 1, ..NOTHING };
        all.push(Rules { budget, ..loss });
        let budget =
            Budget { sends: [3, 3], cuts: 2, crashes: 2, takeovers: 1, losses: 1, splits: 1, holds: 1 };
        all.push(Rules { budget, replies: true, batches: true, ..base });
    }
    all
}
