//! What a bench prints and writes.

use std::fs::{self, OpenOptions};

use serde_json::json;
use tcpshm_driver::Carrier;
use tcpshm_support::cores::Cores;
use tcpshm_support::picture::draw;
use tcpshm_support::screen::grouped;
use tcpshm_support::times::Curve;

use super::course::Found;
use super::ledger::Counts;
use super::load::Pace;
use super::{Options, floor, hgrm};
use crate::failure::Failure;
use crate::meter::{HEADING, Meter};
use crate::output::Output;
use crate::units::bytes;

/// The table, or the document.
pub(super) fn print(
    options: &Options,
    pace: Pace,
    cores: Cores,
    floor: &Meter,
    found: &Found,
) -> Result<(), Failure> {
    let mut output = Output::new();
    if options.json {
        output.json(&document(options, pace, cores, floor, found))?;
        return output.flush();
    }
    let manner = match pace {
        Pace::Window(1) => "one at a time".to_owned(),
        Pace::Window(window) => format!("up to {} in flight", grouped(window)),
        Pace::Rate(rate) => format!("{} a second", grouped(rate)),
    };
    let on = match cores.is_one() {
        true => format!("one core ({}): the figures are the scheduler's", cores.near),
        false => format!("cores {} and {}", cores.near, cores.far),
    };
    let size = bytes(options.size as u64);
    output.line(format_args!(
        "{}, messages of {size}, {manner}, {:.1} s, {on}\n\n{HEADING}",
        carrier_name(found.carrier),
        found.took.as_secs_f64(),
    ))?;
    if floor.count() > 0 {
        output.line(floor.row(floor::name(found.carrier)))?;
    }
    let measured = if matches!(pace, Pace::Rate(_)) { "due to answer" } else { "round trip" };
    output.line(found.times.row(measured))?;
    if found.kills > 0 {
        output.line(found.recovery.row("SIGKILL to next answer"))?;
    }
    output.line("")?;
    if let (Pace::Window(1), Some(ratio)) = (pace, ratio(floor, found)) {
        output.line(format_args!("p50 is {ratio:.2} x the floor's"))?;
    }
    let rate = per_second(found);
    let carried = bytes(whole(rate * options.size as f64));
    output.line(format_args!(
        "{} messages a second there and as many back, {carried}/s each way\n",
        grouped(whole(rate))
    ))?;
    let Counts { sent, answered, lost, duplicated, reordered, damaged } = found.counts;
    let counts = [("sent", sent), ("answered", answered), ("lost", lost), ("duplicated", duplicated)];
    let counts = counts.into_iter().chain([("reordered", reordered), ("damaged", damaged)]);
    let counts = counts.chain((found.kills > 0).then_some(("kills", found.kills)));
    let shown: Vec<String> = counts.map(|(name, count)| format!("{name} {}", grouped(count))).collect();
    output.line(shown.join("   "))?;
    output.flush()
}

fn document(options: &Options, pace: Pace, cores: Cores, floor: &Meter, found: &Found) -> serde_json::Value {
    let mut document = json!(found.counts);
    document["carrier"] = json!(format!("{:?}", found.carrier).to_lowercase());
    document["size"] = json!(options.size);
    match pace {
        Pace::Window(window) => document["window"] = json!(window),
        Pace::Rate(rate) => document["rate"] = json!(rate),
    }
    document["seconds"] = json!(found.took.as_secs_f64());
    document["cores"] = json!(cores);
    document["messages_per_second"] = json!(per_second(found));
    document["round_trip"] = found.times.json();
    document["floor"] = floor.json();
    document["floor"]["name"] = json!(floor::name(found.carrier));
    document["kills"] = json!(found.kills);
    document["recovery"] = found.recovery.json();
    document
}

/// Makes the files that are wished, so that what cannot be written is not measured first.
pub(super) fn make_files(options: &Options) -> Result<(), Failure> {
    for path in [&options.hgrm, &options.svg].into_iter().flatten() {
        // One from before stays until there is another.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Failure::path(path))?;
    }
    Ok(())
}

/// The distribution in files, where they are wished.
pub(super) fn write_files(options: &Options, floor: &Meter, found: &Found) -> Result<(), Failure> {
    if let Some(path) = &options.hgrm {
        fs::write(path, hgrm::text(found.times.histogram())).map_err(Failure::path(path))?;
    }
    if let Some(path) = &options.svg {
        let named = [(floor::name(found.carrier), floor), ("round trip", &found.times)];
        let recovery = (found.kills > 0).then_some(("SIGKILL to next answer", &found.recovery));
        let measured = named.into_iter().chain(recovery).filter(|(_, meter)| meter.count() > 0);
        let curves: Vec<(String, Curve)> =
            measured.map(|(name, meter)| (name.to_owned(), Curve::of(meter.histogram()))).collect();
        let title = format!("{}, messages of {}", carrier_name(found.carrier), bytes(options.size as u64));
        let picture = draw(&title, &curves).unwrap_or_default();
        fs::write(path, picture).map_err(Failure::path(path))?;
    }
    Ok(())
}

/// How the medians stand to each other.
fn ratio(floor: &Meter, found: &Found) -> Option<f64> {
    let both = floor.count() > 0 && found.times.count() > 0;
    both.then(|| found.times.spread().p50 / floor.spread().p50)
}

fn per_second(found: &Found) -> f64 {
    let seconds = found.took.as_secs_f64();
    if seconds > 0.0 { found.counts.answered as f64 / seconds } else { 0.0 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, shown rounded")]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

fn carrier_name(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Tcp => "TCP",
        Carrier::Shm => "shared memory",
    }
}
