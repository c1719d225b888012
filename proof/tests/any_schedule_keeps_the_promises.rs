//! Random schedules over the simulated world.

use proof::sim::{self, Counters};

#[test]
fn in_ten_thousand_schedules() {
    let mut counters = Counters::default();
    for seed in 0..10_000 {
        if let Err(failure) = sim::run(seed, &mut counters) {
            panic!("seed {seed}: {failure}");
        }
    }
    let Counters { deaths, deaths_in_login, cuts, takeovers, timeouts, held, full, .. } = counters;
    let Counters { batches, delivered, stalls, shared, changes, burdened, left, .. } = counters;
    let rare = [
        [deaths, deaths_in_login, cuts, takeovers, timeouts, held, full],
        [batches, delivered, stalls, shared, changes, burdened, left],
    ];
    assert!(
        rare.as_flattened().iter().all(|count| *count > 100),
        "something hardly ever happened: {counters:?}"
    );
}
