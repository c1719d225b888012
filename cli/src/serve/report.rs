//! How the links of a server stand, from inside: what their files do not say.

use std::time::Duration;

use serde_json::{Value, json};
use tcpshm_driver::{Carrier, Counters, EventLoop, Name, ServerCounters};
use tcpshm_support::screen::grouped;

use super::Options;
use super::host::Host;
use super::voice::Voice;
use crate::table::aligned;
use crate::units::bytes;

/// How a link stands.
#[derive(Clone, Debug)]
pub(super) struct Row {
    peer: Name,
    /// The group that carries it, counted from 1.
    group: Option<usize>,
    counters: Counters,
    /// How long ago the peer was heard.
    heard: Option<Duration>,
}

/// One look at those of these links that are here.
pub(super) fn rows<'n, H: Host>(
    events: &mut EventLoop<H>,
    peers: impl Iterator<Item = &'n Name>,
    group: Option<usize>,
) -> Vec<Row> {
    let now = events.now();
    let look = |peer: &Name| {
        let counters = events.driver().link(now, peer)?.counters();
        let heard = counters.heard.map(|heard| now.saturating_duration_since(heard));
        Some(Row { peer: peer.clone(), group, counters, heard })
    };
    peers.filter_map(look).collect()
}

/// Says them, as text or as a document. If a link is there twice, because it moved meanwhile, the first counts.
pub(super) fn tell(options: &Options, server: &ServerCounters, mut rows: Vec<Row>, voice: &Voice) {
    rows.sort_by(|one, other| one.peer.as_str().cmp(other.peer.as_str()));
    rows.dedup_by(|later, first| later.peer == first.peer);
    if options.json {
        let links: Vec<Value> = rows.iter().map(document).collect();
        let refused: serde_json::Map<String, Value> =
            server.refused.iter().map(|(code, count)| (format!("{code:?}"), json!(count))).collect();
        return voice.document(&json!({
            "event": "report", "connected": server.connected, "detached": server.detached,
            "refused": refused, "links": links,
        }));
    }
    let heading =
        ["PEER", "GROUP", "CARRIER", "HEARD", "SENT", "CONSUMED", "UNACKED", "RING", "HELD", "LOGINS"];
    let mut lines = aligned(heading, 3, rows.iter().map(cells));
    let refused: u64 = server.refused.iter().map(|(_, count)| count).sum();
    if refused > 0 {
        lines.push(format!("logins refused: {}", grouped(refused)));
    }
    lines.push("\n".to_owned());
    voice.lines(lines.join("\n"));
}

fn carrier(counters: &Counters) -> Option<&'static str> {
    counters.carrier.map(|carrier| match carrier {
        Carrier::Tcp => "tcp",
        Carrier::Shm => "shm",
    })
}

fn document(row: &Row) -> Value {
    let Row { peer, group, counters, heard } = row;
    let heard = heard.map(|heard| heard.as_secs_f64());
    json!({
        "peer": peer.as_str(), "group": group, "carrier": carrier(counters), "heard_seconds_ago": heard,
        "committed": counters.committed.get(), "acked": counters.acked.get(), "unacked_bytes": counters.unacked(),
        "consumed": counters.consumed.get(), "ring": counters.capacity, "space": counters.space,
        "held": counters.held, "logins": counters.logins,
    })
}

fn cells(row: &Row) -> [String; 10] {
    let Row { peer, group, counters, heard } = row;
    [
        peer.to_string(),
        group.map_or_else(|| "-".to_owned(), |group| group.to_string()),
        carrier(counters).unwrap_or("-").to_owned(),
        heard.map_or_else(|| "-".to_owned(), |heard| format!("{:.1} s ago", heard.as_secs_f64())),
        bytes(counters.committed.get()),
        bytes(counters.consumed.get()),
        bytes(counters.unacked()),
        format!("{:.0} %", 100.0 * counters.unacked() as f64 / counters.capacity as f64),
        grouped(counters.held),
        grouped(counters.logins),
    ]
}
