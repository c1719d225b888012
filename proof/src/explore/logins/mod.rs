//! Every login of two small link files: whatever the two sides hold, whatever their policies, with or without a
//! connection that the server still believes in, cut after any message. Each ends as the table of identities
//! has it, within a few logins.

mod expected;
mod holdings;
mod run;

use std::fmt;

use tcpshm_protocol::login::Carrier;

use super::rules::Rules;
use crate::violation::catch;
use crate::world::host::Policy;
use expected::{End, expected};
use holdings::{Shape, clients, servers, shapes};
use run::{CUTS, run};

/// Logins that it takes at most, when none is cut.
const MOST: u32 = 3;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Pairs of what the two sides hold, with and without a live connection.
    pub combinations: u64,
    /// Logins, each under one pair of policies and with one cut, or none.
    pub logins: u64,
    /// How many went on with a session, began one, reset one, and were refused.
    pub ends: [u64; 4],
    /// The most logins that one took.
    pub most: u32,
    /// What was not as it should be, the first few.
    pub faults: Vec<String>,
}

/// All of them.
pub fn all() -> Found {
    explore(&shapes())
}

/// Those of a few positions.
pub fn few() -> Found {
    explore(&shapes().into_iter().step_by(7).collect::<Vec<_>>())
}

fn explore(shapes: &[Shape]) -> Found {
    let mut found = Found::default();
    let quiet = Rules { sizes: [0, 16], start: None, ..Rules::quiet("logins", Carrier::Tcp) };
    let lenient = [Policy::Fresh, Policy::Strict];
    let policies = lenient.map(|client| lenient.map(|server| [client, server]));
    let rules = policies.as_flattened().iter().map(|policies| Rules { policies: *policies, ..quiet.clone() });
    let rules: Vec<_> = rules.collect();
    for client in clients(shapes) {
        for server in servers(shapes) {
            for live in [false, true] {
                if live && !server.can_be_live() {
                    continue;
                }
                found.combinations += 1;
                for rules in &rules {
                    let expected = expected(&client, &server, live, rules.policies);
                    for cut in CUTS {
                        let outcome = catch(|| run(rules, &client, &server, live, cut));
                        let allowed = MOST + u32::from(cut.is_some());
                        found.count(expected);
                        match outcome {
                            Ok((end, logins)) if end == expected && logins <= allowed => {
                                found.most = found.most.max(logins - u32::from(cut.is_some()));
                            }
                            other => found.fault(format_args!(
                                "{client:?}\n{server:?}\nlive {live}, {:?}, cut {cut:?}: {other:?}, not {expected:?}",
                                rules.policies
                            )),
                        }
                    }
                }
            }
        }
    }
    found
}

impl Found {
    fn count(&mut self, end: End) {
        self.logins += 1;
        self.ends[match end {
            End::Resumed(_) => 0,
            End::Fresh => 1,
            End::Reset => 2,
            End::Refused(_) => 3,
        }] += 1;
    }

    fn fault(&mut self, text: fmt::Arguments<'_>) {
        if self.faults.len() < 5 {
            self.faults.push(text.to_string());
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { combinations, logins, ends: [resumed, fresh, reset, refused], most, .. } = self;
        write!(
            f,
            "logins: {combinations} combinations, {logins} ways: {resumed} resumed, {fresh} begun, {reset} reset, \
             {refused} refused; {most} logins at most"
        )
    }
}
