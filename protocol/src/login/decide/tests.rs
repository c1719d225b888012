//! Every cell of the table by name.

use super::super::samples::{at, attachment, proposal, session, standing, streams};
use super::*;
use crate::id::{Nonce, ResetToken};

pub(super) const S: u128 = 0x5;
pub(super) const T: u128 = 0x7;

pub(super) const NOTHING: Confirm = Confirm {
    held: None,
    proposed: None,
    disputed: false,
    token: None,
    undelivered: None,
    nonce: Nonce::new(0),
};

/// A client that holds S since attachment 1.
fn holding() -> Confirm {
    let held = Holding { session: session(S), attachment: attachment(1), standing: standing(16, 64, 32) };
    Confirm { held: Some(held), ..NOTHING }
}

fn proposing(bits: u128) -> Confirm {
    Confirm { proposed: Some(proposal(bits)), ..NOTHING }
}

pub(super) fn with_token(confirm: Confirm) -> Confirm {
    Confirm { token: ResetToken::new(1), ..confirm }
}

/// The server's end of what `holding` holds.
fn record() -> Record {
    Record {
        session: session(S),
        current: Some(attachment(1)),
        previous: Some(attachment(2)),
        standing: standing(24, 40, 48),
        previous_sent: at(40),
        delivered: at(48),
        lands_on_frame: true,
    }
}

/// What the server holds of S when its Ready was lost.
fn unproven() -> Record {
    Record { previous: None, standing: standing(0, 40, 0), delivered: at(0), ..record() }
}

/// A proposal whose file was made when limits were different.
pub(super) fn outdated(bits: u128) -> Proposal {
    let Streams { client, server } = streams();
    Proposal { session: session(bits), streams: Streams { client: server, server: client } }
}

fn quiet(confirm: &Confirm, record: Option<Record>) -> Verdict {
    decide(confirm, record.as_ref(), &streams(), false, false)
}

fn busy(confirm: &Confirm, record: Record) -> Verdict {
    decide(confirm, Some(&record), &streams(), true, false)
}

fn resume(takeover: bool) -> Verdict {
    Verdict::Resume { session: session(S), takeover }
}

#[test]
fn a_live_link_without_a_file_is_an_internal_error_whatever_is_shown() {
    for confirm in [holding(), proposing(S), with_token(proposing(S)), NOTHING] {
        assert_eq!(decide(&confirm, None, &streams(), true, true), Verdict::Internal);
    }
}

#[test]
fn a_confirm_that_shows_nothing_is_an_internal_error() {
    assert_eq!(quiet(&NOTHING, None), Verdict::Internal);
    assert_eq!(quiet(&NOTHING, Some(record())), Verdict::Internal);
    let refusal = Verdict::Internal.refusal().expect("nothing goes on");
    assert_eq!(refusal.code, RefusalCode::Internal);
}

#[test]
fn a_lost_ready_is_resumed_even_over_its_own_half_open_connection() {
    let leftover = Confirm { proposed: Some(proposal(T)), ..holding() };
    for confirm in [proposing(S), with_token(proposing(S))] {
        assert_eq!(quiet(&confirm, Some(unproven())), resume(false));
        assert_eq!(busy(&confirm, unproven()), resume(true));
    }
    let of_reset = Record { session: session(T), ..unproven() };
    let resumed = Verdict::Resume { session: session(T), takeover: false };
    assert_eq!(quiet(&leftover, Some(of_reset)), resumed, "the reset was accepted, its Ready was lost");
}

#[test]
fn an_unconfirmed_file_of_a_session_that_went_on_is_dead() {
    let proven = Record { previous: Some(attachment(2)), ..unproven() };
    let consumed = Record { standing: standing(0, 40, 16), ..unproven() };
    let acked = Record { standing: standing(16, 40, 0), ..unproven() };
    let freed = Record { lands_on_frame: false, ..unproven() };
    for record in [proven, consumed, acked, freed] {
        for confirm in [proposing(S), with_token(proposing(S))] {
            assert_eq!(quiet(&confirm, Some(record)), Verdict::ProposalDead);
            assert_eq!(busy(&confirm, record), Verdict::ProposalDead);
        }
    }
}

#[test]
fn a_valid_token_resets_to_the_proposed_session() {
    for held in [None, holding().held] {
        let confirm = with_token(Confirm { held, ..proposing(T) });
        for record in [None, Some(record())] {
            let verdict = decide(&confirm, record.as_ref(), &streams(), false, true);
            assert_eq!(verdict, Verdict::Reset(session(T)));
        }
    }
}

#[test]
fn a_void_token_resets_nothing_and_ends_the_proposal_beside_a_held_session() {
    for record in [None, Some(record())] {
        assert_eq!(quiet(&with_token(proposing(T)), record), Verdict::TokenVoid);
        let confirm = with_token(Confirm { held: holding().held, ..proposing(T) });
        assert_eq!(quiet(&confirm, record), Verdict::ProposalDead);
    }
}

#[test]
fn a_live_link_is_never_reset_whatever_the_token() {
    let confirm = with_token(Confirm { held: holding().held, ..proposing(T) });
    for token_valid in [false, true] {
        assert_eq!(decide(&confirm, Some(&record()), &streams(), true, token_valid), Verdict::Busy);
    }
}

#[test]
fn two_sides_without_a_past_begin_afresh() {
    assert_eq!(quiet(&proposing(T), None), Verdict::Fresh(session(T)));
}

#[test]
fn no_session_begins_with_streams_that_the_limits_no_longer_lead_to() {
    let alone = Confirm { proposed: Some(outdated(T)), ..NOTHING };
    assert_eq!(quiet(&alone, None), Verdict::ProposalDead);
    for held in [None, holding().held] {
        let confirm = with_token(Confirm { held, ..alone.clone() });
        for record in [None, Some(record())] {
            let verdict = |token_valid| decide(&confirm, record.as_ref(), &streams(), false, token_valid);
            assert_eq!(verdict(true), Verdict::ProposalDead);
            let without_token = if held.is_some() { Verdict::ProposalDead } else { Verdict::TokenVoid };
            assert_eq!(verdict(false), without_token, "the token is judged first");
        }
        assert_eq!(busy(&confirm, record()), Verdict::Busy);
    }
}

#[test]
fn each_stream_of_a_proposal_counts_alone() {
    let Streams { client, server } = streams();
    for streams in [Streams { client: server, server }, Streams { client, server: client }] {
        let proposed = Some(Proposal { session: session(T), streams });
        assert_eq!(quiet(&Confirm { proposed, ..NOTHING }, None), Verdict::ProposalDead);
    }
}

#[test]
fn a_session_that_the_server_already_began_keeps_the_streams_it_began_with() {
    let confirm = Confirm { proposed: Some(outdated(S)), ..NOTHING };
    assert_eq!(quiet(&confirm, Some(unproven())), resume(false));
    assert_eq!(busy(&confirm, unproven()), resume(true));
    assert_eq!(
        quiet(&Confirm { proposed: Some(outdated(T)), ..NOTHING }, Some(record())),
        Verdict::PeerLostClient
    );
}

#[test]
fn a_client_that_lost_its_state_meets_a_policy_or_a_live_link() {
    assert_eq!(quiet(&proposing(T), Some(record())), Verdict::PeerLostClient);
    assert_eq!(busy(&proposing(T), record()), Verdict::Busy);
}

#[test]
fn a_proposal_left_over_beside_a_held_session_is_dead() {
    let confirm = Confirm { proposed: Some(proposal(T)), ..holding() };
    assert_eq!(quiet(&confirm, None), Verdict::ProposalDead);
    assert_eq!(quiet(&confirm, Some(record())), Verdict::ProposalDead);
    assert_eq!(busy(&confirm, record()), Verdict::ProposalDead);
}

#[test]
fn a_server_that_lost_its_state_is_a_matter_of_policy() {
    assert_eq!(quiet(&holding(), None), Verdict::PeerLostServer);
}

#[test]
fn two_ends_of_one_history_resume_and_take_over() {
    assert_eq!(quiet(&holding(), Some(record())), resume(false));
    assert_eq!(busy(&holding(), record()), resume(true));
}

#[test]
fn the_attachment_before_the_last_is_as_good_as_the_last() {
    let cut = Record { current: Some(attachment(3)), previous: Some(attachment(1)), ..record() };
    assert_eq!(quiet(&holding(), Some(cut)), resume(false));
}

#[test]
fn whatever_disagrees_is_diverged_and_busy_while_the_link_is_live() {
    let client = standing(16, 64, 32);
    let behind = standing(24, 40, 8);
    let cases = [
        (Record { session: session(T), ..record() }, Disagreement::Session),
        (Record { current: Some(attachment(3)), ..record() }, Disagreement::Attachment),
        (Record { current: None, previous: None, ..record() }, Disagreement::Attachment),
        (Record { standing: behind, ..record() }, Disagreement::Positions { client, server: behind }),
        (
            Record { delivered: at(72), ..record() },
            Disagreement::Delivered { delivered: at(72), sent: at(64) },
        ),
        (Record { lands_on_frame: false, ..record() }, Disagreement::Frame { consumed: at(32) }),
    ];
    for (record, disagreement) in cases {
        assert_eq!(quiet(&holding(), Some(record)), Verdict::Diverged(disagreement));
        assert_eq!(busy(&holding(), record), Verdict::Busy);
    }
}

#[test]
fn a_disputed_session_never_resumes() {
    let confirm = Confirm { disputed: true, ..holding() };
    assert_eq!(quiet(&confirm, Some(record())), Verdict::Diverged(Disagreement::Disputed));
    assert_eq!(busy(&confirm, record()), Verdict::Busy);
}

#[test]
fn a_refusal_carries_the_code_of_its_row_and_no_id_of_the_servers() {
    assert_eq!(Verdict::Fresh(session(S)).refusal(), None);
    assert_eq!(Verdict::Busy.refusal().map(|refusal| refusal.code), Some(RefusalCode::Busy));
    let diverged = Verdict::Diverged(Disagreement::Frame { consumed: at(32) }).refusal().unwrap();
    assert_eq!(
        diverged.to_string(),
        "the two sides hold different histories: \
         the client consumed up to 32, where no frame of the server's ends"
    );
}

#[test]
fn what_went_out_on_a_connection_that_the_client_never_had_is_no_proof_of_what_it_consumed() {
    let cut = Record {
        current: Some(attachment(3)),
        previous: Some(attachment(1)),
        standing: standing(24, 80, 48),
        ..record()
    };
    let beyond = |attachment| {
        let held = Holding { session: session(S), attachment, standing: standing(48, 64, 64) };
        quiet(&Confirm { held: Some(held), ..NOTHING }, Some(cut))
    };
    assert!(matches!(
        beyond(attachment(1)),
        Verdict::Diverged(Disagreement::Positions { server, .. }) if server.sent == at(40)
    ));
    assert!(matches!(beyond(attachment(3)), Verdict::Resume { .. }));
}
