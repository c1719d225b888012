//! Schedules that once failed.

/// Seeds, each with what went wrong, in the code under test or in this package. They run in every `cargo test`.
pub const KEPT: &[(u64, &str)] = &[
    (7444, "a server's copy spoke on a connection whose Ready was lost, and passed for the original"),
    (574_882, "a server's copy was killed in a login between two stores, and passed for the original"),
    (176, "the simulated application went on committing after its death"),
    (14600, "the simulated links swapped files of which one side had two"),
    (97_644, "the simulated server was woken to speak while the carrier did not take its Ready"),
    (228_762, "the end of a history was noticed while the peer was hostile"),
    (
        1_869_257,
        "a clone took the client's place while its Confirm was on its way, and was taken for who had said it",
    ),
    (
        3_268_158,
        "the file of a session that was reset, read through a mapping from before, freed messages of the next session",
    ),
    (3_477_369, "the simulated client complained of memory that its server had left right behind its Ready"),
    (389_581, "an image was played with more kept files than a reset may add to"),
];
