//! Real processes, killed at random moments: `proof kill`, in small.

use std::path::PathBuf;

use proof::kill::arena::Setting;
use proof::kill::carrier::Carriage;
use proof::kill::tally::Tally;

#[track_caller]
fn run(carriage: Carriage, links: u16, proxy: bool, sweep: bool) -> Tally {
    // On a busy machine both may be killed before they come to anything: then some others are.
    let mut last = None;
    for seed in 17..27 {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_proof"));
        let setting = Setting { program, carriage, links, proxy, sweep, kills: 10, seed };
        let tally = setting.run().unwrap_or_else(|text| panic!("seed {seed}: {text}"));
        assert!(tally.count("kills") >= 10);
        if tally.count("committed") > 100 && tally.count("requests answered") > 10 {
            return tally;
        }
        last = Some(tally);
    }
    panic!("none of them came to anything, the last: {}", last.expect("there were some"))
}

#[test]
fn over_tcp_each_commit_takes_effect_once_and_in_order() {
    let tally = run(Carriage::Tcp, 2, false, false);
    assert!(tally.count("connections over tcp") > 0 && tally.count("connections over shm") == 0, "{tally}");
}

#[test]
fn over_shared_memory_each_commit_takes_effect_once_and_in_order() {
    let tally = run(Carriage::Shm, 2, false, false);
    assert!(tally.count("connections over shm") > 0 && tally.count("connections over tcp") == 0, "{tally}");
}

#[test]
fn through_the_chaos_proxy_and_on_changing_carriers_too() {
    let tally = run(Carriage::Changing, 8, true, false);
    assert!(tally.count("connections over shm") > 0 && tally.count("connections over tcp") > 0, "{tally}");
}

#[test]
fn a_directory_that_is_swept_meanwhile_costs_what_is_told_and_no_more() {
    let tally = run(Carriage::Shm, 8, false, true);
    assert!(tally.count("files removed") > 0, "{tally}");
}
