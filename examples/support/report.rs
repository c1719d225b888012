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

/// Writes the table, and last a line for each run.
pub fn write(output: &mut impl Write, summaries: &[Summary]) -> io::Result<()> {
    let mut row = |label: &str, text: &dyn Fn(&Summary) -> String| {
        let texts: String = summaries.iter().map(|summary| format!("{:>COLUMN$}", text(summary))).collect();
        writeln!(output, "{}", format!("{label:LABEL$}{texts}").trim_end())
    };
    row("", &|summary| name(summary.carrier))?;
    row("echoes", &|summary| grouped(summary.counts.received))?;
    row("seconds", &|summary| format!("{:.2}", summary.lasted.as_secs_f64()))?;
    row("echoes a second", &|summary| grouped(per_second(summary.counts.received, summary.lasted)))?;
    row("kills", &|summary| grouped(summary.kills.len() as u64))?;
    if summaries.iter().any(|summary| !summary.kills.is_empty()) {
        row("kill to next answer", &|_| String::new())?;
        row("  median", &|summary| recovered(summary, 50))?;
        if summaries.iter().all(|summary| summary.kills.len() >= MANY) {
            row("  99 of 100 within", &|summary| recovered(summary, 99))?;
        }
        row("  longest", &|summary| recovered(summary, 100))?;
    }
    writeln!(output)?;
    for summary in summaries {
        let Summary { carrier, counts, kills, .. } = summary;
        writeln!(output, "echo {}: {counts} kills={}", name(*carrier), kills.len())?;
    }
    output.flush()
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

/// Whatever is not as it should be is an error.
pub fn judge(summary: &Summary, plan: &Plan) -> Result<(), Deviation> {
    let Summary { carrier, counts, client, server, connections, .. } = summary;
    let struck = summary.kills.len();
    let deviation = if counts.sent != plan.count || !counts.are_flawless(plan.count) {
        Fault::Counts { count: plan.count, counts: *counts }
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
        Plan { carrier, home: PathBuf::new(), count: 1000, kills: 2, window: 1, seed: 1 }
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
        write(&mut text, &[summary(Carrier::Tcp), shm]).unwrap();
        let expected = "
                                 tcp           shm
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
