//! Under which name each error and each report is counted.

use tcpshm_protocol::login::RefusalCode;
use tcpshm_protocol::{InboundFault, LoginFault, ProtocolError, RecoverError, RefusedReason, SendError};

use crate::sim::counters::Counters;
use crate::world::endpoint::Note;

pub(super) fn of_refusal(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Version => "refused: Version",
        RefusalCode::Malformed => "refused: Malformed",
        RefusalCode::WrongServer => "refused: WrongServer",
        RefusalCode::Denied => "refused: Denied",
        RefusalCode::LimitsShrunk => "refused: LimitsShrunk",
        RefusalCode::StaleConfirm => "refused: StaleConfirm",
        RefusalCode::ProposalDead => "refused: ProposalDead",
        RefusalCode::TokenVoid => "refused: TokenVoid",
        RefusalCode::Busy => "refused: Busy",
        RefusalCode::PeerLostClient => "refused: PeerLostClient",
        RefusalCode::PeerLostServer => "refused: PeerLostServer",
        RefusalCode::Diverged => "refused: Diverged",
        RefusalCode::KeptFull => "refused: KeptFull",
        RefusalCode::Storage => "refused: Storage",
        RefusalCode::Overloaded => "refused: Overloaded",
        RefusalCode::ShuttingDown => "refused: ShuttingDown",
        RefusalCode::NoCarrier => "refused: NoCarrier",
        RefusalCode::Internal => "refused: Internal",
        RefusalCode::Other(_) => "refused: with an unknown code",
    }
}

/// The row of the identity table that asks for a policy, under a strict one on either side or under none.
pub(super) fn of_row(code: RefusalCode, strict: bool) -> Option<&'static str> {
    Some(match (code, strict) {
        (RefusalCode::PeerLostClient, false) => "row: PeerLostClient, fresh",
        (RefusalCode::PeerLostClient, true) => "row: PeerLostClient, strict",
        (RefusalCode::PeerLostServer, false) => "row: PeerLostServer, fresh",
        (RefusalCode::PeerLostServer, true) => "row: PeerLostServer, strict",
        (RefusalCode::Diverged, false) => "row: Diverged, fresh",
        (RefusalCode::Diverged, true) => "row: Diverged, strict",
        _ => return None,
    })
}

pub(super) fn of_send_error(error: &SendError) -> &'static str {
    match error {
        SendError::NotEstablished => "send: NotEstablished",
        SendError::TooLarge { .. } => "send: TooLarge",
        SendError::Full { .. } => "send: Full",
        SendError::BatchTooLarge { .. } => "send: BatchTooLarge",
        SendError::StreamExhausted => "send: StreamExhausted",
    }
}

pub(super) fn of_refused_reason(reason: &RefusedReason) -> &'static str {
    match reason {
        RefusedReason::Waiting { .. } => "consume: Waiting",
        RefusedReason::AlreadyConsumed => "consume: AlreadyConsumed",
        RefusedReason::Foreign => "consume: Foreign",
        RefusedReason::MessagesHeld { .. } => "consume: MessagesHeld",
        RefusedReason::MessageLent { .. } => "consume: MessageLent",
        RefusedReason::NotDelivered { .. } => "consume: NotDelivered",
    }
}

pub(super) fn of_recover_error(error: &RecoverError) -> &'static str {
    match error {
        RecoverError::Header(_) => "recover: Header",
        RecoverError::Word { .. } => "recover: Word",
        RecoverError::Frame { .. } => "recover: Frame",
        RecoverError::FrameAck { .. } => "recover: FrameAck",
        RecoverError::Overfull { .. } => "recover: Overfull",
        RecoverError::BelowFloor { .. } => "recover: BelowFloor",
    }
}

pub(super) fn count_note(note: &Note, counters: &mut Counters) {
    counters.count(match note {
        Note::Fault(ProtocolError::Inbound(InboundFault::Left)) => "fault: Left",
        Note::Fault(ProtocolError::Inbound(InboundFault::Frame { .. })) => "fault: Frame",
        Note::Fault(ProtocolError::Inbound(InboundFault::Control(_))) => "fault: Control",
        Note::Fault(ProtocolError::Inbound(InboundFault::Overlap { .. })) => "fault: Overlap",
        Note::Fault(ProtocolError::Inbound(InboundFault::MessageOnControl)) => "fault: MessageOnControl",
        Note::Fault(ProtocolError::Inbound(InboundFault::Overrun { .. })) => "fault: Overrun",
        Note::Fault(ProtocolError::Consumed { .. }) => "fault: Consumed",
        Note::Fault(ProtocolError::Ack(_)) => "fault: Ack",
        Note::Misfit(LoginFault::Positions { .. }) => "ready: Positions",
        Note::Misfit(LoginFault::Delivered { .. }) => "ready: Delivered",
        Note::Misfit(LoginFault::InsideFrame { .. }) => "ready: InsideFrame",
        Note::Misfit(LoginFault::OtherSession) => "ready: OtherSession",
        Note::Misfit(LoginFault::NoView) => "ready: NoView",
        Note::Stalled(_) => "session: stalled",
        Note::TimedOut(_) => "session: timed out",
        Note::Replaced => "session: taken over",
        Note::Closed(_) => "session: closed by the peer",
        Note::Writable => "session: writable again",
        Note::Disconnected => "session: disconnected",
        Note::NotShared(_) => "session: not shared",
        Note::Reset { .. } => "session: reset reported",
        Note::Refused(RefusalCode::WrongServer) => "refused: WrongServer",
        Note::Refused(RefusalCode::Storage) => "refused: Storage",
        _ => return,
    });
}
