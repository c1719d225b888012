//! How the links of a server stand, from inside: what their files do not say.

use std::time::Instant;

use serde_json::{Value, json};
use tcpshm_driver::{Carrier, Counters, Server};
use tcpshm_support::screen::grouped;

use super::served::Served;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::aligned;
use crate::units::bytes;

/// One look at every link, as text or as a document.
pub(super) fn print<'s>(
    now: Instant,
    json: bool,
    server: &mut Server,
    links: impl Iterator<Item = &'s Served>,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    for served in links {
        if let Some(link) = server.link(now, &served.peer) {
            found.push((served, link.counters()));
        }
    }
    let counters = server.counters();
    let mut output = Output::new();
    if json {
        let links: Vec<Value> =
            found.iter().map(|(served, counters)| document(now, served, counters)).collect();
        let refused: serde_json::Map<String, Value> =
            counters.refused.iter().map(|(code, count)| (format!("{code:?}"), json!(count))).collect();
        output.json(&json!({
            "event": "report", "connected": counters.connected, "detached": counters.detached,
            "refused": refused, "links": links,
        }))?;
    } else {
        let heading = ["PEER", "CARRIER", "HEARD", "SENT", "CONSUMED", "UNACKED", "RING", "HELD", "LOGINS"];
        let rows = found.iter().map(|(served, counters)| cells(now, served, counters));
        for line in aligned(heading, 2, rows) {
            output.line(line)?;
        }
        let refused: u64 = counters.refused.iter().map(|(_, count)| count).sum();
        if refused > 0 {
            output.line(format_args!("logins refused: {}", grouped(refused)))?;
        }
        output.line("")?;
    }
    output.flush()
}

fn carrier(counters: &Counters) -> Option<&'static str> {
    counters.carrier.map(|carrier| match carrier {
        Carrier::Tcp => "tcp",
        Carrier::Shm => "shm",
    })
}

fn document(now: Instant, served: &Served, counters: &Counters) -> Value {
    let heard = counters.heard.map(|heard| now.saturating_duration_since(heard).as_secs_f64());
    json!({
        "peer": served.peer.as_str(), "carrier": carrier(counters), "heard_seconds_ago": heard,
        "committed": counters.committed.get(), "acked": counters.acked.get(), "unacked_bytes": counters.unacked(),
        "consumed": counters.consumed.get(), "ring": counters.capacity, "space": counters.space,
        "held": counters.held, "logins": counters.logins,
    })
}

fn cells(now: Instant, served: &Served, counters: &Counters) -> [String; 9] {
    let heard = counters.heard.map(|heard| now.saturating_duration_since(heard).as_secs_f64());
    [
        served.peer.to_string(),
        carrier(counters).unwrap_or("-").to_owned(),
        heard.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s ago")),
        bytes(counters.committed.get()),
        bytes(counters.consumed.get()),
        bytes(counters.unacked()),
        format!("{:.0} %", 100.0 * counters.unacked() as f64 / counters.capacity as f64),
        grouped(counters.held),
        grouped(counters.logins),
    ]
}
