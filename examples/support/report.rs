//! What the demo says at the end: a table that compares the carriers, and a verdict on each.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitStatus;
use std::time::Duration;

use tcpshm_driver::Carrier;

use crate::choices::CarrierChoice;
use crate::demo::{Plan, Summary, per_second};
use crate::entry::Connections;
use crate::ledger::Counts;
use crate::screen::grouped;

/// Kills from which on it makes sense to speak of one in a hundred.
const MANY: usize = 100;
const LABEL: usize = 22;
const COLUMN: usize = 14;

/// What there is to say about a carrier.
#[derive(Clone, Debug)]
pub struct Column {
    /// The main run.
    pub run: Summary,
    /// What an echo took with one message in flight, if that could be seen.
    pub one_at_a_time: Option<Duration>,
}

/// Writes the table, and last a line for each main run.
pub fn write(output: &mut impl Write, columns: &[Column]) -> io::Result<()> {
    let mut row = |label: &str, text: &dyn Fn(&Column) -> String| {
        let texts: String = columns.iter().map(|column| format!("{:>COLUMN$}", text(column))).collect();
        writeln!(output, "{}", format!("{label:LABEL$}{texts}").trim_end())
    };
    row("", &|column| name(column.run.carrier))?;
    if columns.iter().any(|column| column.one_at_a_time.is_some()) {
        row("one at a time", &|column| column.one_at_a_time.map_or("-".into(), echo_time))?;
    }
    row("echoes", &|Column { run, .. }| grouped(run.counts.received))?;
    row("seconds", &|Column { run, .. }| format!("{:.2}", run.lasted.as_secs_f64()))?;
    row("echoes a second", &|Column { run, .. }| grouped(per_second(run.counts.received, run.lasted)))?;
    row("kills", &|Column { run, .. }| grouped(run.kills.len() as u64))?;
    if columns.iter().any(|column| !column.run.kills.is_empty()) {
        row("kill to next answer", &|_| String::new())?;
        row("  median", &|column| recovered(&column.run, 50))?;
        if columns.iter().all(|column| column.run.kills.len() >= MANY) {
            row("  99 of 100 within", &|column| recovered(&column.run, 99))?;
        }
        row("  longest", &|column| recovered(&column.run, 100))?;
    }
    writeln!(output)?;
    for Column { run: Summary { carrier, counts, kills, .. }, .. } in columns {
        writeln!(output, "echo {}: {counts} kills={}", name(*carrier), kills.len())?;
    }
    output.flush()
}

/// In microseconds, which suit both carriers, with three digits where it has them.
fn echo_time(time: Duration) -> String {
    let microseconds = time.as_secs_f64() * 1e6;
    let decimals = if microseconds < 9.995 {
        2
    } else if microseconds < 99.95 {
        1
    } else {
        0
    };
    format!("{microseconds:.decimals$} µs")
}

fn name(carrier: Carrier) -> String {
    CarrierChoice::only(carrier).to_string()
}

/// Within what time this share of the kills, in percent, was followed by an answer.
fn recovered(summary: &Summary, percent: usize) -> String {
    let mut times: Vec<_> =
        summary.kills.iter().map(|kill| kill.recovered.unwrap_or(Duration::MAX)).collect();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    match times.get(rank - 1) {
        None => "-".into(),
        Some(&Duration::MAX) => "never".into(),
        Some(time) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
    }
}

/// Whatever is not as it should be is an error. A run that was limited in time may have sent less than
/// planned, but something.
pub fn judge(summary: &Summary, plan: &Plan) -> Result<(), Deviation> {
    let Summary { carrier, counts, client, server, connections, .. } = summary;
    let struck = summary.kills.len();
    let count = plan.limit.map_or(plan.count, |_| counts.sent.min(plan.count).max(1));
    let deviation = if counts.sent != count || !counts.are_flawless(count) {
        Fault::Counts { count, counts: *counts }
    } else if !connections.are_all_over(*carrier) && plan.count > 0 {
        Fault::Carrier { connections: *connections }
    } else if struck as u64 != plan.kills {
        Fault::Kills { struck, kills: plan.kills }
    } else if !client.success() || !server.success() {
        Fault::Ends { client: *client, server: *server }
    } else {
        return Ok(());
    };
    Err(Deviation { carrier: CarrierChoice::only(*carrier), fault: deviation })
}

/// In what a run was not flawless.
#[derive(Debug, thiserror::Error)]
#[error("over {carrier}: {fault}")]
pub struct Deviation {
    carrier: CarrierChoice,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Counts { count: u64, counts: Counts },
    Carrier { connections: Connections },
    Kills { struck: usize, kills: u64 },
    Ends { client: ExitStatus, server: ExitStatus },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Counts { count, counts } => {
                write!(f, "of {count} messages: {counts}, damaged={}", counts.damaged)
            }
            Fault::Carrier { connections: Connections { tcp, shm } } => {
                write!(f, "the client was connected {tcp} times over TCP and {shm} times over shared memory")
            }
            Fault::Kills { struck, kills } => write!(f, "the run was over after {struck} of {kills} kills"),
            Fault::Ends { client, server } => {
                write!(f, "the client ended with {client}, the server with {server}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::PathBuf;

    use super::*;
    use crate::demo::Kill;
    use crate::processes::Side;

    fn plan(carrier: Carrier) -> Plan {
        Plan { carrier, home: PathBuf::new(), count: 1000, kills: 2, window: 1, limit: None, seed: 1 }
    }

    fn counts(count: u64) -> Counts {
        Counts { sent: count, received: count, lost: 0, duplicated: 0, reordered: 0, damaged: 0 }
    }

    fn summary(carrier: Carrier) -> Summary {
        let kill = |side, milliseconds| Kill::new(side, 300, Some(Duration::from_millis(milliseconds)));
        Summary {
            carrier,
            counts: counts(1000),
            connections: match carrier {
                Carrier::Tcp => Connections { tcp: 3, shm: 0 },
                Carrier::Shm => Connections { tcp: 0, shm: 3 },
            },
            lasted: Duration::from_millis(500),
            between: None,
            kills: vec![kill(Side::Client, 7), kill(Side::Server, 5)],
            client: ExitStatus::default(),
            server: ExitStatus::default(),
        }
    }

    #[test]
    fn the_carriers_stand_side_by_side_and_the_verdicts_last() {
        let mut shm = summary(Carrier::Shm);
        shm.lasted = Duration::from_millis(250);
        shm.kills[1] = Kill::new(Side::Server, 600, None);
        let mut text = Vec::new();
        let columns = [
            Column { run: summary(Carrier::Tcp), one_at_a_time: Some(Duration::from_nanos(38_249)) },
            Column { run: shm, one_at_a_time: Some(Duration::from_nanos(1_118)) },
        ];
        write(&mut text, &columns).unwrap();
        let expected = "
                                 tcp           shm
one at a time                38.2 µs       1.12 µs
echoes                         1,000         1,000
seconds                         0.50          0.25
echoes a second                2,000         4,000
kills                              2             2
kill to next answer
  median                      5.0 ms        7.0 ms
  longest                     7.0 ms         never

echo tcp: sent=1000 received=1000 lost=0 duplicated=0 reordered=0 kills=2
echo shm: sent=1000 received=1000 lost=0 duplicated=0 reordered=0 kills=2
";
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, expected.trim_start_matches('\n'), "\n{text}");
    }

    #[test]
    fn an_echo_that_was_not_timed_is_left_out() {
        let table = |times: &[Option<u64>]| {
            let columns = times.iter().map(|time| Column {
                run: summary(Carrier::Tcp),
                one_at_a_time: time.map(Duration::from_nanos),
            });
            let mut text = Vec::new();
            write(&mut text, &columns.collect::<Vec<_>>()).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert!(!table(&[None, None]).contains("one at a time"));
        assert!(
            table(&[Some(38_249), None]).contains("\none at a time                38.2 µs             -\n")
        );
    }

    #[test]
    fn the_time_of_an_echo_has_three_digits() {
        for (nanoseconds, text) in [
            (118, "0.12 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (99_940, "99.9 µs"),
            (99_960, "100 µs"),
            (1_250_400, "1250 µs"),
        ] {
            assert_eq!(echo_time(Duration::from_nanos(nanoseconds)), text);
        }
    }

    #[test]
    fn a_limited_run_may_send_less_and_not_nothing() {
        let limited = Plan { kills: 0, limit: Some(Duration::from_millis(300)), ..plan(Carrier::Shm) };
        let judged =
            |counts| judge(&Summary { counts, kills: Vec::new(), ..summary(Carrier::Shm) }, &limited);
        assert!(judged(counts(1)).is_ok() && judged(counts(1000)).is_ok());
        assert!(judged(counts(0)).is_err() && judged(counts(1001)).is_err());
        assert!(judged(Counts { received: 999, lost: 1, ..counts(1000) }).is_err());
        assert!(judged(Counts { received: 999, ..counts(1000) }).is_err());
        assert!(judged(Counts { duplicated: 1, ..counts(999) }).is_err());
    }

    #[test]
    fn a_run_over_the_other_carrier_is_no_success() {
        for carrier in [Carrier::Tcp, Carrier::Shm] {
            let plan = plan(carrier);
            assert!(judge(&summary(carrier), &plan).is_ok());
            for (tcp, shm) in [(1, 1), (0, 0), if carrier == Carrier::Tcp { (0, 3) } else { (3, 0) }] {
                let connections = Connections { tcp, shm };
                assert!(judge(&Summary { connections, ..summary(carrier) }, &plan).is_err());
            }
        }
    }

    #[test]
    fn whatever_else_is_wrong_is_no_success() {
        let plan = plan(Carrier::Shm);
        let deviates = |change: &dyn Fn(&mut Summary)| {
            let mut summary = summary(Carrier::Shm);
            change(&mut summary);
            judge(&summary, &plan).is_err()
        };
        assert!(!deviates(&|_| {}));
        assert!(deviates(&|summary| summary.counts = counts(999)));
        assert!(deviates(&|summary| summary.counts = counts(1001)));
        assert!(deviates(&|summary| summary.counts.reordered = 1));
        assert!(deviates(&|summary| summary.kills.truncate(1)));
        assert!(deviates(&|summary| summary.client = ExitStatus::from_raw(9)));
        assert!(deviates(&|summary| summary.server = ExitStatus::from_raw(9)));
    }
}
