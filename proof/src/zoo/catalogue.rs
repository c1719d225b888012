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
#[expect(clippy::too_many_lines, reason = "a table, and one that the compiler sees to be whole")]
pub fn catcher(bug: Bug) -> Catcher {
    match bug {
        // The queue and recovery.
        AckInTwoStores => Schedules(500),
        ConsumeBeforeReply => Schedules(1_000),
        MagicFirst => Schedules(500),
        ConsumeByPlace | ConsumedOverHeld => Schedules(500),
        NextPlaceNotZeroed | LapTag => Schedules(500),
        ClaimKeepsZeroed => Schedules(5_000),
        AckedBeforeConsumed => Schedules(1_000),
        ConsumedNotRaised => proof("a_login_killed_anywhere_ends_as_the_first_would", "twice_in_a_row"),
        OlderAckInBatch => proof("a_kill_leaves_the_state_before_or_after", "of_a_batch_that_consumes"),
        HeadersAscending => proof("a_kill_leaves_the_state_before_or_after", "of_a_batch"),
        CursorMasked => Schedules(500),
        AckFreesBytesBeingWritten => {
            proof("bytes_that_are_being_written_stay", "at_every_byte_and_every_place_of_the_ring")
        }
        AdditionWraps => Schedules(1_000),
        RecoveryWritesFirst => Schedules(500),
        FloorNotChecked => proof(
            "a_flipped_bit_is_noticed_or_explained",
            "frames_that_are_missing_below_the_floor_are_missed",
        ),
        WalkWithoutBound => proof("a_flipped_bit_is_noticed_or_explained", "in_a_word_of_positions"),
        MarkNotChecked => proof("a_flipped_bit_is_noticed_or_explained", "in_the_word_of_a_frame"),
        LimitNotEnforced | FitOffByEight | PaddingNotZeroed => Schedules(500),

        // Login.
        StoredBeforeChecked => Schedules(15_000),
        SessionNotCompared => Schedules(500),
        AttachmentNotCompared => {
            proof("an_older_copy_never_passes_for_the_original", "two_owners_of_one_history_are_told_apart")
        }
        SentFloorNotUsed | SentFloorOutlives => Schedules(4_000),
        TailForSent => Schedules(500),
        DeliveredNotCompared | ReadyTellsTheFuture | DisputeIgnored => Schedules(15_000),
        SentFloorClearedEarly => {
            proof("an_older_copy_never_passes_for_the_original", "a_copy_that_is_killed_anywhere_in_a_login")
        }
        UnheardCountsAsSent => proof(
            "an_older_copy_never_passes_for_the_original",
            "a_copy_that_spoke_on_a_connection_whose_ready_was_lost",
        ),
        AttachmentsInWrongOrder => proof("a_login_killed_anywhere_ends_as_the_first_would", "twice_in_a_row"),
        PreviousFromOldCurrent => Schedules(2_000),
        PreviousClearedBeforeReady => Schedules(500),
        UnconfirmedUnchecked => proof(
            "an_older_copy_never_passes_for_the_original",
            "a_copy_from_before_the_first_ready_once_the_original_was_heard",
        ),
        NonceNotCompared => driver(
            "login_carriers",
            "copies_of_the_files_in_another_directory_are_not_taken_for_shared_memory",
        ),
        ResetWithoutToken => Schedules(3_000),
        ChallengeNotCompared => proof(
            "a_login_said_again_decides_nothing",
            "before_the_first_frame_of_the_connection_that_it_was_said_on",
        ),
        StrangerFences => Schedules(6_000),
        OtherSessionAttached => proof("what_belongs_elsewhere_is_refused", "a_login_of_another_session"),
        VersionNotCompared => {
            driver("hostile_login", "messages_out_of_turn_versions_and_endless_bodies_are_refused")
        }
        NamesNotChecked => protocol("fuzz::tests::every_input_of_the_corpora_is_handled"),

        // The stream.
        ResentFramesDelivered => Schedules(500),
        AckJudgedByCursor => {
            proof("bytes_that_are_being_written_stay", "at_every_byte_and_every_place_of_the_ring")
        }
        LengthZeroTaken => {
            proof("hostile_bytes_end_the_connection_and_change_nothing", "of_a_length_of_0_without_a_hang")
        }
        AckBeyondTail => driver("hostile_frames", "an_acknowledgement_of_what_was_never_sent_is_a_fault"),
        AckInsideFrame => driver("hostile_frames", "an_acknowledgement_inside_a_frame_is_a_fault"),
        ControlLengthNotChecked => {
            driver("hostile_frames", "control_frames_of_unknown_kind_or_wrong_length_are_faults")
        }
        WindowNotChecked => driver("backpressure", "a_peer_that_sends_more_than_its_ring_holds_is_at_fault"),
        AcksNotReadWhenFull => proof(
            "timers_run_whatever_the_application_does",
            "heartbeats_and_silence_run_while_messages_are_held_and_both_rings_are_full",
        ),
        AcksOnlyRide | ControlInsideFrame => Schedules(500),
        PartialFrameIsLife => timers("half_a_frame_that_stays_half_is_heard_once"),
        EarlierTimeLengthensSilence => timers("a_jump_back_ends_nothing_and_does_not_lengthen_the_silence"),
        TransmittedTwice => timers("what_the_host_says_twice_or_too_much_of_is_ignored"),
        NotWokenToSpeak => timers("a_host_that_wrote_everything_is_woken_for_the_heartbeat"),
        WokenBehindClose => {
            timers("a_host_that_waits_for_the_end_of_a_closed_connection_is_not_woken_to_speak")
        }
        OtherDirection => Schedules(500),
        UndeliveredConsumed => proof(
            "held_messages_stay_where_they_are",
            "a_position_of_another_session_or_one_that_was_not_delivered_is_refused",
        ),
        DroppedBatchConsumes => proof("an_abandoned_batch_consumes_nothing", "and_says_so"),
        BatchMiscounted => {
            proof("back_pressure_has_numbers", "a_batch_that_found_no_room_is_told_when_the_whole_of_it_fits")
        }
        StalledWhileConsuming => proof("a_blocked_carrier_is_no_stall", "while_messages_are_consumed"),
        BehindSinceStale => shm("progress", "a_peer_is_behind_since_the_last_progress_that_was_seen"),

        // Shared memory.
        WordReadTwice => proof("a_scribbling_peer_harms_nobody", "whatever_it_stores_and_whenever"),
        OldMappingRead => Schedules(1_000),
        ConsumptionPastConfirm => proof(
            "what_is_consumed_after_a_confirm_does_not_contradict_it",
            "when_the_server_looks_for_room_or_at_a_timer",
        ),
        ControlAckFreesMemory => proof(
            "over_shared_memory_the_connection_is_for_control",
            "what_is_acknowledged_on_it_frees_nothing",
        ),
        ReaderStartsAtTold => Schedules(500),
        ParkedNotFenced | PublishedNotFenced | LookAgainForgotten => {
            proof("the_shared_ring_under_every_interleaving", "asleep::a_message_wakes_whoever_sleeps")
        }
        RoomWakeForgotten => {
            proof("the_shared_ring_under_every_interleaving", "asleep::room_wakes_a_writer_that_sleeps")
        }
        SleptThroughWake => Schedules(500),
        WokenAgainAndAgain => proof("whoever_sleeps_is_woken", "once_for_each_sleep"),
        RelaxedPublish => {
            proof("the_shared_ring_under_every_interleaving", "messages_arrive_whole_once_and_in_order")
        }
        LastWordsUnheard => driver(
            "shared_endings",
            "a_client_that_left_is_told_with_its_reason_even_if_its_memory_shows_it_first",
        ),
        RemainderUnread => driver(
            "endings",
            "over_shared_memory::a_client_notices_at_once_that_its_server_ended_with_its_last_bytes",
        ),

        // Link files.
        GeometryNotCompared => {
            shm("damaged", "a_file_made_for_other_sizes_is_an_error_with_both_and_opens_without_wishes")
        }
        LockAfterReading => shm("lock", "a_file_that_is_being_written_is_in_use_whatever_can_be_read_of_it"),
        LockLossUnnoticed => {
            shm("lock", "a_removed_or_renamed_lock_file_stops_its_holder_before_it_does_harm")
        }
        NamesJoinedByUnderscore => {
            shm("open_link", "two_links_never_have_one_file_however_their_names_are_cut")
        }
        HolesNotFilled => shm("full_disk", "a_copy_with_holes_is_not_opened_on_a_full_disk"),
        UnfinishedIsDamage => {
            shm(LIBRARY, "interrupted::a_file_killed_in_the_middle_of_its_header_is_unfinished")
        }
        ModeFromUmask => shm("umask", "everything_is_private_whatever_the_umask"),
        KeptFileOverwritten => {
            shm(LIBRARY, "interrupted::an_exchanged_file_does_not_overwrite_one_kept_earlier")
        }
        SwitchLeftUnfinished => {
            shm(LIBRARY, "interrupted::a_switch_killed_anywhere_is_finished_and_what_it_replaces_is_kept")
        }
        LookingLocks => shm("open_link", "a_file_is_open_once_at_a_time_and_can_be_looked_at_meanwhile"),
        RestoreOverReplaced => shm(
            LIBRARY,
            "interrupted::a_file_made_again_spares_the_old_one_that_an_unfinished_switch_left_under_its_prepared_name",
        ),
        FailedCopyStays => shm(
            LIBRARY,
            "interrupted::whichever_call_fails_while_a_file_is_made_again_no_copy_is_left_that_the_session_outlives",
        ),

        // The driver: logins.
        ShownToAnotherServer => driver(
            "identity_names",
            "over_tcp::a_client_that_goes_back_and_forth_between_two_servers_goes_on_with_each_where_it_was",
        ),
        OpenedBeforeDecided => {
            driver("identity_policy", "over_tcp::a_strict_server_refuses_with_counts_and_changes_no_file")
        }
        DenialIgnored => driver("places", "somebody_who_is_denied_takes_over_no_link_even_with_its_files"),
        SlotTakenEarly => driver("hostile_flood", "a_flood_of_links_stops_at_the_most_there_may_be"),
        OldestKeepsItsPlace => driver(
            "hostile_flood",
            "half_open_connections_take_a_bounded_number_of_places_and_the_oldest_give_way",
        ),
        CarrierUnasked => driver(
            "login_carriers",
            "a_link_is_carried_as_wish_offer_and_memory_allow_or_refused_with_a_reason",
        ),
        OlderLoginWins => driver("login", "a_delayed_confirm_of_an_abandoned_connection_is_stale"),
        DelayedConfirmAccepted => {
            driver("login", "a_delayed_confirm_is_stale_although_what_overtook_it_has_ended")
        }
        LeftBehindUntold => {
            driver("identity_names", "over_tcp::what_is_left_behind_is_told_once_for_each_server_that_is_met")
        }
        ProposalComesBack => {
            driver("login", "a_delayed_confirm_does_not_bring_back_a_proposal_that_was_refused_for_good")
        }
        BurialMakesStale => driver("strangers", "an_invented_history_makes_no_login_of_the_owner_stale"),
        CopyNotNoticed => {
            driver("identity_busy", "a_cloned_client_is_refused_while_the_original_is_on_shared_memory")
        }
        NothingKeptCounts => driver(
            "identity_policy",
            "over_tcp::a_server_that_has_nothing_to_keep_is_not_kept_from_a_reset_by_what_it_kept_before",
        ),
        TokenThrownAway => driver(
            "identity_lost",
            "over_tcp::a_client_that_lost_its_directory_starts_anew_and_both_are_told",
        ),
        ProposedNonceDiffers => driver(
            "login_carriers",
            "two_clients_share_a_directory_with_their_server_and_each_has_a_link_of_its_own",
        ),
        TokensUnbounded => Catcher::Test(Test {
            package: "tcpshm-driver",
            target: LIBRARY,
            name: "server::tokens::tests::any_number_of_refusals_leaves_a_bounded_number_of_tokens",
        }),
        FarewellsUnbounded => {
            driver("hostile_flood", "refused_connections_that_stay_take_a_bounded_number_of_places")
        }
        NamelessRefusal => driver("login", "a_denied_client_is_told_why_and_leaves_nothing"),

        // The driver: connections.
        FilesNotWatched => driver(
            "removed_files",
            "a_peers_file_that_was_removed_under_shared_memory_is_noticed_by_its_reader",
        ),
        BudgetNotKept | ReadinessForgotten => {
            driver("budgets", "a_spent_budget_is_continued_without_a_new_event")
        }
        EndWithLastBytesMissed => {
            driver("endings", "an_end_that_comes_together_with_the_last_bytes_is_noticed_at_once")
        }
        InterruptedCallsFail => {
            driver("interrupted_calls", "reading_writing_and_accepting_go_on_after_a_signal")
        }
        AcceptSpins => {
            driver("descriptors", "a_server_without_descriptors_serves_its_links_and_does_not_spin")
        }
        PanicForgotten => driver("panics", "over_tcp::a_client_survives_its_handler_too"),
        PlaceLostInPanic => {
            driver("panics_at_the_edges", "as_many_clients_are_welcome_after_a_panic_as_before")
        }
        TimerLostInPanic => {
            driver("panics_again", "over_tcp::a_panic_in_the_handler_of_a_timer_loses_no_timer")
        }
        RetryWithoutProgress => {
            driver("endings", "over_tcp::a_close_right_behind_the_login_is_told_with_its_reason")
        }
        NoJitter => driver("reconnect", "two_clients_that_lost_the_same_server_do_not_come_back_in_step"),
        NewestClosedFirst => {
            driver("detached", "over_tcp::a_link_that_has_a_file_is_opened_however_many_others_hold_messages")
        }
        DetachedUnbounded => {
            driver("detached", "links_left_with_held_messages_are_bounded_and_what_was_held_comes_again")
        }
        SenderDoesNotWake => driver("senders", "an_owner_that_sleeps_is_woken_for_every_message"),
        MailForgottenAfterBudget => {
            driver("senders", "over_tcp::a_burst_beyond_the_budget_needs_nobody_to_ring_again")
        }
        RoomNotShared => driver(
            "senders_under_pressure",
            "over_tcp::with_ring_and_mailbox_full_nothing_spins_and_everything_arrives_in_order",
        ),
        LargeMailStarves => driver(
            "senders_under_pressure",
            "over_tcp::a_large_message_gets_its_room_although_an_application_takes_every_bit_of_it",
        ),
        TicketsForgottenAtEnd => driver(
            "senders_ends",
            "over_tcp::a_driver_that_is_dropped_commits_what_there_is_room_for_and_refuses_the_rest",
        ),
        OldFileFrees => proof("any_schedule_keeps_the_promises", "in_those_that_once_failed"),
        BackUntold => driver(
            "groups_ends",
            "over_tcp::a_link_that_leaves_as_its_server_ends_is_told_to_be_back_before_its_end",
        ),
        LeftWithoutFile => driver(
            "groups_ends",
            "over_tcp::a_group_that_is_dropped_when_its_server_has_ended_leaves_the_files_whole",
        ),
        LentAmongOwn => driver(
            "groups_logins",
            "over_shared_memory::a_server_whose_handler_panics_while_it_decides_gives_the_link_back_untouched",
        ),
        StrangerFetches => {
            driver("groups_logins", "over_tcp::who_shows_another_session_is_refused_without_the_group")
        }
        MoveOnForgotten => driver(
            "groups",
            "over_tcp::a_move_on_from_the_server_that_is_asked_for_before_it_is_there_is_made",
        ),
        MailStaysBehind => driver(
            "groups_senders",
            "over_tcp::a_sender_from_before_goes_with_the_link_through_moves_reconnects_and_resets_of_the_group",
        ),
        LostFileNotMadeAgain => driver(
            "removed_files",
            "over_tcp::a_process_that_shuts_down_leaves_the_file_that_was_removed_under_it",
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defect_list_names_every_entry_in_its_row() {
        let list = include_str!("../../../docs/defects.md");
        for bug in Bug::ALL {
            let row = match bug.row() {
                "bug" => "(bugs.md) |".to_owned(),
                number => format!("| {number} |"),
            };
            let name = format!("`{bug}`");
            let named = |line: &str| line.contains(&name) && line.ends_with(&row);
            assert!(list.lines().any(named), "{name} in the row that ends in {row}");
        }
    }
}
