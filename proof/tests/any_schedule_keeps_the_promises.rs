//! The first ten thousand schedules of the simulator, those that once failed, and that the same seed is the
//! same schedule.

use std::fs;
use std::path::Path;

use proof::sim::{self, Counters, Schedule, command, kept};

const SCHEDULES: u64 = 10_000;
const IMAGES: u64 = 200_000;

#[test]
fn in_ten_thousand_schedules_and_the_images_of_every_kill() {
    let mut counters = Counters::default();
    for seed in 0..SCHEDULES {
        if let Err(failure) = sim::run(seed, &mut counters) {
            panic!("{}", command::explain(&Schedule::of(seed), &failure));
        }
    }
    let missing = counters.missing(1);
    assert!(missing.is_empty(), "never happened: {missing:?}");
    let images = counters.get("images: recovered and judged");
    assert!(images >= IMAGES, "{images} images");
}

#[test]
fn in_those_that_once_failed() {
    for (seed, reason) in kept::KEPT {
        if let Err(failure) = sim::run(*seed, &mut Counters::default()) {
            panic!("once {reason}: {}", command::explain(&Schedule::of(*seed), &failure));
        }
    }
}

#[test]
fn in_those_that_a_fuzzer_keeps() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/pair");
    let mut count = 0;
    for file in fs::read_dir(corpus).expect("the corpus of `pair`") {
        sim::fuzz(&fs::read(file.expect("an entry").path()).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "an empty corpus");
}

#[test]
fn the_same_seed_is_the_same_schedule() {
    let all = || {
        let run = |seed| sim::run(seed, &mut Counters::default()).expect("a sound schedule").of_seed(seed);
        (0..200).map(run).fold(0, |all, trace| all ^ trace)
    };
    let once = all();
    assert_eq!(once, all());
    assert_eq!(
        once, TRACES,
        "{once:#x}: if what happens in a schedule was changed on purpose, put this here"
    );
}

/// What `proof sim --seeds 0..200` says in a release build, too.
const TRACES: u64 = 0x3aca_aab6_99d1_a8fe;
