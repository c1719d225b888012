//! The machine: cores, clock, limits, memory.

use std::fs;
use std::path::Path;

use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CpuSet, sched_getaffinity};
use tcpshm_driver::boot_id;
use tcpshm_support::course::clock_cost;
use tcpshm_support::screen::grouped;
use tcpshm_support::times::readable;

use super::check::Check;
use crate::look::{Holder, Locks};
use crate::units::bytes;

/// A reading of the clock that takes longer costs more than a message over shared memory.
const CLOCK: f64 = 150.0;
/// Descriptors that are few for a server: a link takes two, a connection one.
const FEW_FILES: u64 = 4096;
/// Room that is little for rings: with the default sizes some two hundred files.
const LITTLE: u64 = 64 << 20;

pub(super) fn checks() -> Vec<Check> {
    let mut checks = vec![cores(), clock(), open_files(), boot(), locks()];
    checks.extend(memory());
    checks.extend(swap());
    checks
}

fn cores() -> Check {
    let Ok(allowed) = sched_getaffinity(None) else {
        return Check::note("cores", "the kernel does not say which may be used", "none");
    };
    let usable: Vec<String> =
        (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).map(|core| core.to_string()).collect();
    let isolated = fs::read_to_string("/sys/devices/system/cpu/isolated").unwrap_or_default();
    let isolated = match isolated.trim() {
        "" => "none isolated".to_owned(),
        cores => format!("isolated: {cores}"),
    };
    let text = format!("{} usable ({}), {isolated}", usable.len(), ranges(&usable));
    match usable.len() {
        0 | 1 => Check::note(
            "cores",
            text,
            "with one core use --idle sleep, the default: a side that spins keeps the other from running",
        ),
        _ => Check::ok("cores", text),
    }
}

/// The first few names.
fn ranges(names: &[String]) -> String {
    match names {
        [.., last] if names.len() > 8 => format!("{}, ... {last}", names[..6].join(", ")),
        _ => names.join(", "),
    }
}

fn clock() -> Check {
    let source = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let source = source.map_or_else(|_| "unknown source".to_owned(), |text| text.trim().to_owned());
    let cost = clock_cost();
    let text = format!("{source}, a reading takes {}", readable(cost));
    if cost <= CLOCK {
        return Check::ok("clock", text);
    }
    let advice = "a clock that is not read in user mode slows every measurement and timer: look for tsc or kvm-clock in \
                  /sys/devices/system/clocksource/clocksource0/available_clocksource";
    Check::note("clock", text, advice)
}

fn open_files() -> Check {
    let limit = getrlimit(Resource::Nofile);
    let shown = |value: Option<u64>| value.map_or_else(|| "unlimited".to_owned(), grouped);
    let text = format!("{}, may be raised to {}", shown(limit.current), shown(limit.maximum));
    if limit.current.is_none_or(|current| current >= FEW_FILES) {
        return Check::ok("open files", text);
    }
    let advice = "enough for some hundred links; for more raise it (ulimit -n) before the server starts";
    Check::note("open files", text, advice)
}

fn boot() -> Check {
    match boot_id() {
        Some(_) => Check::ok("boot id", "the kernel tells one boot from another"),
        None => Check::note(
            "boot id",
            "the kernel does not tell one boot from another",
            "a restart of the machine is not told to applications: mount /proc",
        ),
    }
}

fn locks() -> Check {
    match Locks::read().holder((0, 0)) {
        Holder::Unknown => {
            Check::note("locks", "/proc/locks cannot be read", "what is said of open files below is a guess")
        }
        _ => Check::ok("locks", "the kernel tells who holds which"),
    }
}

fn memory() -> Option<Check> {
    let path = Path::new("/dev/shm");
    let found = statvfs(path).ok()?;
    let [free, whole] = [found.f_bavail, found.f_blocks].map(|blocks| blocks * found.f_frsize);
    let text = format!("{} free of {} in /dev/shm", bytes(free), bytes(whole));
    Some(match free < LITTLE {
        true => Check::note(
            "memory",
            text,
            "each side of a link takes its ring; containers often have 64 MiB only",
        ),
        false => Check::ok("memory", text),
    })
}

fn swap() -> Option<Check> {
    let swaps = fs::read_to_string("/proc/swaps").ok()?;
    let areas = swaps.lines().count().saturating_sub(1);
    (areas > 0).then(|| {
        let advice = "files in tmpfs can be swapped out, and the next message then waits for a disk";
        Check::note("swap", format!("{areas} in use"), advice)
    })
}
