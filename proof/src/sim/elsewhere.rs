//! What is counted and not required: it does not happen in the simulator, or not often enough to be asked for.
//!
//! A name that stands neither here nor among what is [required](super::counters::REQUIRED) fails a test.

/// What some other test shows.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// Under which name it would be counted.
    pub(super) name: &'static str,
    /// Why not here.
    pub(super) because: &'static str,
    /// The file that has the test, and the test.
    pub(super) shown_by: [&'static str; 2],
}

/// What honest peers cannot do, and what hostile bytes, sealed only by luck here, would have to hit.
pub(super) const ELSEWHERE: &[Elsewhere] = &[
    Elsewhere {
        name: "fault: Overlap",
        because: "a message with the mark of its place that reaches over a delivered one",
        shown_by: [
            "proof/tests/hostile_bytes_end_the_connection_and_change_nothing.rs",
            "of_a_message_that_reaches_over_one_that_was_delivered",
        ],
    },
    Elsewhere {
        name: "fault: Overrun",
        because: "sound messages beyond what the sender's own ring can hold",
        shown_by: [
            "proof/tests/hostile_bytes_end_the_connection_and_change_nothing.rs",
            "of_more_than_the_peers_ring_can_hold",
        ],
    },
    Elsewhere {
        name: "fault: Consumed",
        because: "a word in the peer's file that only a scribbler stores",
        shown_by: ["proof/tests/a_scribbling_peer_harms_nobody.rs", "of_a_consumption_that_cannot_be"],
    },
    Elsewhere {
        name: "ready: Positions",
        because: "a server that resumes with a history of its own; an honest one refuses first",
        shown_by: [
            "proof/tests/a_peer_that_does_not_fit_is_refused_before_anything_is_stored.rs",
            "of_a_server",
        ],
    },
    Elsewhere {
        name: "ready: InsideFrame",
        because: "a server that consumed half a message",
        shown_by: [
            "proof/tests/a_peer_that_does_not_fit_is_refused_before_anything_is_stored.rs",
            "of_a_server_that_consumed_half_a_message",
        ],
    },
    Elsewhere {
        name: "ready: OtherSession",
        because: "a server that answers with a session that nobody showed",
        shown_by: ["proof/tests/what_belongs_elsewhere_is_refused.rs", "a_login_of_another_session"],
    },
    Elsewhere {
        name: "ready: NoView",
        because: "a host that was granted shared memory and brings no view of it",
        shown_by: ["shm/tests/view.rs", "a_view_that_was_proved_for_an_earlier_login_is_refused"],
    },
    Elsewhere {
        name: "consume: MessageLent",
        because: "a handler that steps over the message in its hand; here it holds or consumes it first",
        shown_by: [
            "proof/tests/held_messages_stay_where_they_are.rs",
            "a_message_is_not_stepped_over_before_the_host_says_that_it_is_gone",
        ],
    },
    Elsewhere {
        name: "recover: Overfull",
        because: "damage that leaves whole frames all the way round, once in tens of thousands of schedules",
        shown_by: [
            "proof/tests/a_flipped_bit_is_noticed_or_explained.rs",
            "more_frames_than_the_ring_holds_are_too_many",
        ],
    },
    Elsewhere {
        name: "refused: with an unknown code",
        because: "a peer of a later version",
        shown_by: ["protocol/src/login/codec/tests.rs", "every_message_comes_back_as_it_went"],
    },
    Elsewhere {
        name: "session: not shared",
        because: "both sides of a simulated link see each other's files; some three schedules in ten thousand",
        shown_by: [
            "driver/tests/login_carriers.rs",
            "a_client_that_cannot_use_the_servers_file_and_may_not_take_tcp_is_told_and_goes_on_trying",
        ],
    },
];

/// Faults that the simulator does not inject, since what they meet is the driver's and the directory's code, which
/// it does not run.
pub(super) const FAULTS: &[Elsewhere] = &[
    Elsewhere {
        name: "a handler panics",
        because: "it is called by a driver",
        shown_by: [
            "driver/tests/panics.rs",
            "a_panic_ends_one_connection_and_leaves_the_message_to_be_stepped_over",
        ],
    },
    Elsewhere {
        name: "a handler panics over a panic, or over a timer",
        because: "it is called by a driver",
        shown_by: ["driver/tests/panics_again.rs", "a_panic_in_the_handler_of_a_timer_loses_no_timer"],
    },
    Elsewhere {
        name: "a host is cloned, and both run",
        because: "a link has one client here; of a clone, original and copy take turns",
        shown_by: [
            "driver/tests/identity_busy.rs",
            "a_cloned_client_takes_the_link_at_most_once_and_the_two_are_not_served_by_turns",
        ],
    },
    Elsewhere {
        name: "a host is cloned, and both run, over shared memory",
        because: "a link has one client here; of a clone, original and copy take turns",
        shown_by: [
            "driver/tests/identity_busy.rs",
            "a_cloned_client_is_refused_while_the_original_is_on_shared_memory",
        ],
    },
    Elsewhere {
        name: "opening, renaming, removing or listing fails",
        because: "the directory is a double whose host would be tested, not the real one",
        shown_by: [
            "proof/tests/a_failing_call_costs_nothing_but_time.rs",
            "whichever_of_the_first_calls_fails_nothing_is_lost_and_the_next_try_succeeds",
        ],
    },
    Elsewhere {
        name: "a switch fails half way",
        because: "a switch is one step here",
        shown_by: ["shm/src/interrupted.rs", "a_switch_that_failed_half_way_is_finished_by_calling_it_again"],
    },
    Elsewhere {
        name: "a kill between keeping aside and renaming",
        because: "a switch is one step here",
        shown_by: [
            "shm/src/interrupted.rs",
            "a_switch_killed_anywhere_is_finished_and_what_it_replaces_is_kept",
        ],
    },
];

/// What means nothing if it never happens: that a process died elsewhere than in a place that is asked for, and
/// that a damaged file was noticed by what came of it only.
pub(super) const OPTIONAL: &[&str] = &["crash: inside something else", "damage: broke a promise"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::sim::counters::REQUIRED;

    fn known() -> impl Iterator<Item = &'static str> {
        let elsewhere = ELSEWHERE.iter().map(|elsewhere| elsewhere.name);
        REQUIRED.iter().chain(OPTIONAL).copied().chain(elsewhere)
    }

    /// The sources of the simulator and of its world.
    fn sources() -> Vec<String> {
        let mut paths: Vec<PathBuf> = ["src/sim", "src/world", "src/world/pair"].map(PathBuf::from).into();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        paths.iter_mut().for_each(|path| *path = root.join(&path));
        let files = paths
            .iter()
            .flat_map(|path| fs::read_dir(path).expect("sources"))
            .map(|entry| entry.expect("an entry").path());
        files
            .filter(|path| path.extension().is_some())
            .map(|path| fs::read_to_string(path).expect("a source"))
            .collect()
    }

    /// Texts that look like the name of something that is counted: `what: which`.
    fn counted(source: &str) -> impl Iterator<Item = &str> {
        let prefixes: BTreeSet<_> = known().filter_map(|name| Some(name.split_once(": ")?.0)).collect();
        let texts = source.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
        texts.filter(move |text| {
            text.split_once(": ").is_some_and(|(prefix, _)| prefixes.contains(prefix)) && !text.contains('{')
        })
    }

    #[test]
    fn whatever_is_counted_is_required_or_said_to_be_shown_elsewhere() {
        let known: BTreeSet<_> = known().collect();
        let sources = sources();
        let counted: BTreeSet<_> = sources.iter().flat_map(|source| counted(source)).collect();
        let strange: Vec<_> = counted.difference(&known).collect();
        assert!(strange.is_empty(), "{strange:?}");
        assert!(counted.len() > 100, "{} names", counted.len());
    }

    #[test]
    fn a_name_stands_in_one_list_only() {
        let mut seen = BTreeSet::new();
        known().for_each(|name| assert!(seen.insert(name), "{name}"));
    }

    #[test]
    fn each_test_that_shows_something_instead_is_there() {
        for Elsewhere { name, because, shown_by: [file, test] } in ELSEWHERE.iter().chain(FAULTS) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
            let alone =
                ["", "    "].iter().any(|indent| text.contains(&format!("#[test]\n{indent}fn {test}()")));
            // Some run over each carrier.
            let listed = text.split_once("carriers! {").and_then(|(_, rest)| rest.split_once('}'));
            let listed =
                listed.is_some_and(|(list, _)| list.lines().any(|line| line.trim() == format!("{test},")));
            let is_test = alone || listed;
            assert!(is_test && !because.is_empty(), "{name}: no test {test} in {file}");
        }
    }
}
