//! Who must catch what.

use tcpshm_protocol::zoo::Bug;

use super::suites::LIBRARY;

/// Who must catch a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catcher {
    /// The simulator, within so many schedules: some twenty times what it takes on average, so that fresh
    /// seeds raise no false alarm.
    Schedules(u64),
    /// A test that must fail.
    Test(Test),
}

/// A test by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its package.
    pub package: &'static str,
    /// The program it is in: a file of `tests/` without its ending, or `lib` for the unit tests.
    pub target: &'static str,
    /// Its name, with its modules.
    pub name: &'static str,
}

use Bug::*;
use Catcher::Schedules;

/// Who must catch it. A defect that nobody must catch does not compile.
pub fn catcher(bug: Bug) -> Catcher {
    match bug {
        // The queue and recovery.
        AckInTwoStores => Schedules(4_000),
        ConsumeBeforeReply => proof("a_kill_leaves_the_state_before_or_after", "of_commit_consuming"),
        MagicFirst => proof("a_file_is_unfinished_until_its_last_store", "whoever_makes_it"),
        ConsumeByPlace | ConsumedOverHeld => Schedules(1_000),
        NextPlaceNotZeroed | LapTag | ClaimKeepsZeroed => Schedules(500),
        AckedBeforeConsumed | ConsumedNotRaised => Schedules(10_000),
        OlderAckInBatch => proof("a_kill_leaves_the_state_before_or_after", "of_a_batch_that_consumes"),
        HeadersAscending | CursorMasked => Schedules(500),
        AckFreesBytesBeingWritten => {
            proof("bytes_that_are_being_written_stay", "at_every_byte_and_every_place_of_the_ring")
        }
        AdditionWraps => {
            proof("positions_are_sound_up_to_the_last", "a_stream_ends_at_the_last_position_and_says_so")
        }
        RecoveryWritesFirst => proof(
            "a_login_killed_anywhere_ends_as_the_first_would",
            "while_a_starting_process_opens_its_files",
        ),
        FloorNotChecked => proof(
            "a_flipped_bit_is_noticed_or_explained",
            "frames_that_are_missing_below_the_floor_are_missed",
        ),
        WalkWithoutBound => proof("a_flipped_bit_is_noticed_or_explained", "in_a_word_of_positions"),
        MarkNotChecked => proof("a_flipped_bit_is_noticed_or_explained", "in_the_word_of_a_frame"),
        LimitNotEnforced | FitOffByEight | PaddingNotZeroed => Schedules(500),

        // Login.
        StoredBeforeChecked => {
            proof("a_peer_that_does_not_fit_is_refused_before_anything_is_stored", "of_a_server")
        }
        SessionNotCompared => proof(
            "lost_state_ends_by_policy",
            "different_histories_are_diverged_and_begin_anew_where_both_allow_it",
        ),
        AttachmentNotCompared => {
            proof("an_older_copy_never_passes_for_the_original", "two_owners_of_one_history_are_told_apart")
        }
        SentFloorNotUsed => proof(
            "an_older_copy_never_passes_for_the_original",
            "a_copy_of_this_login_whose_messages_of_equal_size_end_where_the_peer_is",
        ),
        TailForSent | DeliveredNotCompared | ReadyTellsTheFuture | DisputeIgnored => proof(
            "an_older_copy_never_passes_for_the_original",
            "any_copy_at_any_moment_is_diverged_or_loses_nothing",
        ),
        SentFloorClearedLate => proof(
            "nothing_counts_before_the_client_is_attached",
            "and_what_is_taken_since_was_sent_although_the_client_was_killed_right_behind_its_attachment",
        ),
        AttachmentsInWrongOrder => Schedules(60_000),
        PreviousFromOldCurrent => Schedules(5_000),
        PreviousClearedBeforeReady => Schedules(2_000),
        UnconfirmedUnchecked => proof(
            "an_older_copy_never_passes_for_the_original",
            "a_copy_from_before_the_first_ready_once_the_original_was_heard",
        ),
        NonceNotCompared => driver(
            "login_carriers",
            "copies_of_the_files_in_another_directory_are_not_taken_for_shared_memory",
        ),
        ResetWithoutToken => proof(
            "lost_state_ends_by_policy",
            "a_token_is_void_once_any_confirm_was_accepted_or_another_was_given",
        ),
        StrangerFences => proof(
            "a_later_login_takes_over_and_a_stranger_does_not",
            "a_stranger_is_refused_as_busy_whatever_the_policy_and_the_live_link_is_unharmed",
        ),
        OtherSessionAttached => proof("what_belongs_elsewhere_is_refused", "a_login_of_another_session"),
        VersionNotCompared => {
            driver("hostile_login", "messages_out_of_turn_versions_and_endless_bodies_are_refused")
        }
        NamesNotChecked => protocol("fuzz::tests::every_input_of_the_corpora_is_handled"),

        // The stream.
        ResentFramesDelivered => proof("held_messages_stay_where_they_are", "over_a_reconnect"),
        AckJudgedByCursor => Schedules(5_000),
        LengthZeroTaken => driver("hostile_frames", "a_length_that_cannot_be_is_a_fault"),
        AckBeyondTail => driver("hostile_frames", "an_acknowledgement_of_what_was_never_sent_is_a_fault"),
        AckInsideFrame => driver("hostile_frames", "an_acknowledgement_inside_a_frame_is_a_fault"),
        ControlLengthNotChecked => {
            driver("hostile_frames", "control_frames_of_unknown_kind_or_wrong_length_are_faults")
        }
        WindowNotChecked => {
            driver("backpressure", "a_peer_that_sends_more_than_its_ring_holds_is_at_fault")
        }
        AcksNotReadWhenFull => proof(
            "timers_run_whatever_the_application_does",
            "heartbeats_and_silence_run_while_messages_are_held_and_both_rings_are_full",
        ),
        AcksOnlyRide | ControlInsideFrame => Schedules(500),
        PartialFrameIsLife => driver("silence", "a_peer_that_falls_silent_inside_a_frame_is_given_up"),
        EarlierTimeLengthensSilence => timers("a_jump_back_ends_nothing_and_does_not_lengthen_the_silence"),
        TransmittedTwice => timers("what_the_host_says_twice_or_too_much_of_is_ignored"),
        NotWokenToSpeak => timers("a_host_that_wrote_everything_is_woken_for_the_heartbeat"),
        WokenBehindClose => {
            timers("a_host_that_waits_for_the_end_of_a_closed_connection_is_not_woken_to_speak")
        }
        OtherDirection => proof("what_belongs_elsewhere_is_refused", "a_position_of_the_other_direction"),
        UndeliveredConsumed => proof(
            "held_messages_stay_where_they_are",
            "a_position_of_another_session_or_one_that_was_not_delivered_is_refused",
        ),
        DroppedBatchConsumes => proof("an_abandoned_batch_consumes_nothing", "and_says_so"),
        BatchMiscounted => proof(
            "back_pressure_has_numbers",
            "a_batch_that_found_no_room_is_told_when_the_whole_of_it_fits",
        ),
        StalledWhileConsuming => proof("a_blocked_carrier_is_no_stall", "while_messages_are_consumed"),
        BehindSinceStale => {
            shm("progress", "a_peer_is_behind_since_the_last_progress_that_was_seen")
        }

        // Shared memory.
        WordReadTwice => proof("a_scribbling_peer_harms_nobody", "whatever_it_stores_and_whenever"),
        OldMappingRead => Schedules(500),
        ConsumptionPastConfirm => proof(
            "what_is_consumed_after_a_confirm_does_not_contradict_it",
            "when_the_server_looks_for_room_or_at_a_timer",
        ),
        ControlAckFreesMemory => proof(
            "over_shared_memory_the_connection_is_for_control",
            "what_is_acknowledged_on_it_frees_nothing",
        ),
        ReaderStartsAtTold => {
            proof("held_messages_stay_where_they_are", "over_a_change_of_carrier_to_and_fro")
        }
        _ => Schedules(1),
    }
}

fn timers(name: &'static str) -> Catcher {
    proof("timers_run_whatever_the_application_does", name)
}

fn proof(target: &'static str, name: &'static str) -> Catcher {
    Catcher::Test(Test { package: "proof", target, name })
}

fn driver(target: &'static str, name: &'static str) -> Catcher {
    Catcher::Test(Test { package: "tcpshm-driver", target, name })
}

fn shm(target: &'static str, name: &'static str) -> Catcher {
    Catcher::Test(Test { package: "tcpshm-shm", target, name })
}

fn protocol(name: &'static str) -> Catcher {
    Catcher::Test(Test { package: "tcpshm-protocol", target: LIBRARY, name })
}
