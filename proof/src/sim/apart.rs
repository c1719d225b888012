//! I11: what happens on one link leaves the others alone.

use tcpshm_protocol::Role;

use crate::sim::counters::Counters;
use crate::sim::event::{Event, Kind};
use crate::sim::schedule::Schedule;
use crate::sim::stage::Stage;
use crate::violation::{Failure, Invariant, catch, ensure};

/// One seed in so many is run again without its first link.
pub(super) const ONE_IN: u64 = 8;

/// Runs the schedule with and without what happens on the first link. The server's process is left alive:
/// its death is felt on all links, and shall be.
pub(super) fn check(schedule: &Schedule, counters: &mut Counters) -> Result<(), Failure> {
    catch(|| {
        let links = Stage::new(schedule.seed).links();
        if links < 2 {
            return;
        }
        let failing = |event: &Event| usize::from(event.link) % links == 0;
        let spared = |event: &&Event| !(failing(event) && kills_server(event)) && event.kind != Kind::Swap;
        let all: Vec<_> = schedule.events.iter().filter(spared).copied().collect();
        let others: Vec<_> = all.iter().filter(|event| !failing(event)).copied().collect();
        let [with, without] = [all, others].map(|events| {
            let mut stage = Stage::new(schedule.seed);
            events.into_iter().for_each(|event| stage.apply(event));
            stage.finish();
            stage.hashes()
        });
        ensure(with[1..] == without[1..], Invariant::Apart, || {
            format!(
                "the other links' traces: {:x?}, without the failing one {:x?}",
                &with[1..],
                &without[1..]
            )
        });
        counters.count("link: apart from a failing one");
    })
}

/// Whether the process of the server ends, or may.
fn kills_server(event: &Event) -> bool {
    let server = event.side == Role::Server;
    match event.kind {
        Kind::Kill
        | Kind::Fuse
        | Kind::Falter
        | Kind::Lose
        | Kind::Restore
        | Kind::Relapse
        | Kind::Limits
        | Kind::Behave => server,
        Kind::Rename => true,
        _ => false,
    }
}
