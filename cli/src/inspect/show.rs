//! A finding as text, and as a document.

use serde_json::{Value, json};
use tcpshm_driver::protocol::FramePlace;
use tcpshm_support::screen::grouped;

use super::finding::{Boot, Finding, Seen};
use crate::hex;
use crate::look::Holder;
use crate::units::{bytes, counted};

/// Bytes of a payload that are shown without --hex.
const GLIMPSE: usize = 40;

/// How much of the messages is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) messages: usize,
    pub(crate) hex: bool,
}

pub(crate) fn text(finding: &Finding, extent: Extent) -> Vec<String> {
    let mut lines = vec![finding.path.display().to_string()];
    let mut fact = |name: &str, value: String| lines.push(format!("  {name:<12} {value}"));
    match &finding.reason {
        Some(reason) => fact("verdict", format!("{}: {reason}", finding.verdict.name())),
        None => fact("verdict", finding.verdict.name().to_owned()),
    }
    fact("open", open(finding.holder));
    let Some(seen) = &finding.seen else { return lines };
    let (header, words) = (&seen.snapshot.header, &seen.snapshot.words);
    fact("link", seen.link());
    fact("session", header.session.to_string());
    let size = |geometry: tcpshm_driver::Geometry| {
        let (ring, largest) = (bytes(geometry.capacity()), grouped(geometry.largest().into()));
        format!("{ring} ring, messages up to {largest} B")
    };
    fact("sends", size(header.outgoing));
    fact("takes", size(header.incoming));
    fact("machine", boot(seen.boot()).to_owned());
    fact("connected", if words.current == 0 { "never".to_owned() } else { "at least once".to_owned() });
    fact("sent", seen.progress());
    fact("consumed", format!("{} bytes of the other side's frames", grouped(seen.consumed())));
    let (messages, waiting) = (seen.snapshot.frames.len() as u64, seen.undelivered_bytes());
    fact("undelivered", format!("{}, {} bytes of frames", counted(messages, "message"), grouped(waiting)));
    lines.extend([String::new(), "  word              offset               value".to_owned()]);
    for (name, offset, value) in words.named() {
        lines.push(format!("  {name:<16} {offset:>7} {:>19}", word(name, value)));
    }
    lines.extend(frames(seen, extent));
    lines
}

fn frames(seen: &Seen, extent: Extent) -> Vec<String> {
    let all = &seen.snapshot.frames;
    let shown = extent.messages.min(all.len());
    let mut lines = Vec::new();
    if shown > 0 {
        lines.extend([String::new(), "            position   kind       bytes  payload".to_owned()]);
    }
    for frame in &all[..shown] {
        let payload = seen.payload(frame);
        let glimpse = hex::shown(&payload[..payload.len().min(GLIMPSE)]);
        let more = if payload.len() > GLIMPSE { " ..." } else { "" };
        let (position, kind) = (grouped(frame.position.get()), frame.kind.get());
        let len = grouped(payload.len() as u64);
        if extent.hex {
            lines.push(format!("{position:>20} {kind:>6} {len:>11}"));
            lines.extend(hex::dump(payload).into_iter().map(|line| format!("  {line}")));
        } else {
            let line = format!("{position:>20} {kind:>6} {len:>11}  {glimpse}{more}");
            lines.push(line.trim_end().to_owned());
        }
    }
    if all.len() > shown {
        lines.push(format!("  and {} more: --all shows them", grouped((all.len() - shown) as u64)));
    }
    lines
}

/// Positions in decimal, ids in hexadecimal.
fn word(name: &str, value: u64) -> String {
    match name {
        "acked" | "floor" | "sent_floor" | "consumed" | "previous_sent" => grouped(value),
        _ => format!("{value:#x}"),
    }
}

pub(super) fn open(holder: Holder) -> String {
    match holder {
        Holder::Process(process) if process > 0 => format!("by process {process}"),
        Holder::Process(_) => "by a process of another namespace".to_owned(),
        Holder::Nobody => "by nobody".to_owned(),
        Holder::Unknown => "not known: there is no /proc/locks".to_owned(),
    }
}

fn boot(boot: Boot) -> &'static str {
    match boot {
        Boot::This => "attached since this machine was started",
        Boot::Other => "attached before this machine was started, or on another one",
        Boot::Unknown => "not known",
    }
}

pub(crate) fn document(finding: &Finding, extent: Extent) -> Value {
    let mut document = brief(finding);
    let Some(seen) = &finding.seen else { return document };
    let named = seen.snapshot.words.named().into_iter();
    let words: serde_json::Map<String, Value> =
        named.map(|(name, _, value)| (name.to_owned(), json!(value))).collect();
    document["words"] = Value::Object(words);
    let messages = seen.snapshot.frames.iter().take(extent.messages);
    document["messages"] = messages.map(|frame| message(seen, frame, extent.hex)).collect();
    document
}

/// One message, as an export has it too.
pub(crate) fn message(seen: &Seen, frame: &FramePlace, with_payload: bool) -> Value {
    let mut message = json!({
        "position": frame.position.get(), "kind": frame.kind.get(), "bytes": frame.payload.len(), "ack": frame.ack,
    });
    if with_payload {
        message["hex"] = json!(hex::text(seen.payload(frame)));
    }
    message
}

/// Everything but words and messages.
pub(super) fn brief(finding: &Finding) -> Value {
    let mut document = json!({
        "path": finding.path.to_string_lossy(),
        "verdict": finding.verdict.name(),
        "reason": finding.reason,
        "open_by": finding.holder.process(),
    });
    let Some(seen) = &finding.seen else { return document };
    let header = &seen.snapshot.header;
    document["role"] = json!(format!("{:?}", header.role).to_lowercase());
    document["owner"] = json!(header.owner.as_str());
    document["peer"] = json!(header.peer.as_str());
    document["session"] = json!(header.session.to_string());
    document["ring"] = json!(header.outgoing.capacity());
    document["largest"] = json!(header.outgoing.largest());
    document["peer_ring"] = json!(header.incoming.capacity());
    document["peer_largest"] = json!(header.incoming.largest());
    document["boot"] = json!(format!("{:?}", seen.boot()).to_lowercase());
    document["committed"] = json!(seen.committed());
    document["acked"] = json!(seen.snapshot.words.acked);
    document["consumed"] = json!(seen.consumed());
    document["undelivered"] = json!(seen.snapshot.frames.len());
    document["undelivered_bytes"] = json!(seen.undelivered_bytes());
    document
}
