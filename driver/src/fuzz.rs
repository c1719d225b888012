//! Bodies of the fuzz targets: from any bytes to nothing, or to a panic that is a bug. Compiled for
//! tests and fuzzing only.

mod app;
mod events;

pub use events::driver_events;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::events::{self, Tally};

    #[test]
    fn every_input_of_the_corpus_of_driver_events_is_handled() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/driver_events");
        if !corpus.exists() {
            // The published package does not hold the corpora.
            return;
        }
        let mut count = 0;
        for input in std::fs::read_dir(corpus).expect("readable") {
            run(&std::fs::read(input.expect("readable").path()).expect("readable"));
            count += 1;
        }
        assert!(count > 0, "an empty corpus");
    }

    #[test]
    fn no_wake_up_is_lost_and_no_event_reaches_another_link() {
        let mut all = Tally::default();
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let input: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(401).collect();
            let tally = run(&input);
            all.late += tally.late;
            all.early += tally.early;
            all.again += tally.again;
            all.invented += tally.invented;
            all.renewed += tally.renewed;
            all.strangers += tally.strangers;
            all.received += tally.received;
        }
        // What never happens is not tested.
        let Tally { late, early, again, invented, renewed, strangers, received } = all;
        let least = [late, early, again, invented, renewed, strangers, received].into_iter().min();
        assert!(least >= Some(1_000), "{all:?}");
    }

    fn run(input: &[u8]) -> Tally {
        let directory = tempfile::tempdir().expect("a directory for link files");
        events::run(directory.path(), input)
    }
}
