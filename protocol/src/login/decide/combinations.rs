//! Every small combination of what a client shows and a server holds, by property.

use super::super::samples::{attachment, proposal, session, standing, streams};
use super::tests::{NOTHING, S, T, outdated, with_token};
use super::*;
use crate::id::ResetToken;

/// A session that nobody has yet.
const FRESH: u128 = 0xf;

/// One question to the table.
#[derive(Clone, Debug)]
struct Case {
    confirm: Confirm,
    record: Option<Record>,
    live: bool,
    token_valid: bool,
}

impl Case {
    fn verdict(&self) -> Verdict {
        decide(&self.confirm, self.record.as_ref(), &streams(), self.live, self.token_valid)
    }

    /// Whether the client proposes a session that may resume.
    fn may_resume_proposal(&self) -> bool {
        self.confirm.proposed.is_some_and(|proposed| self.may_resume(proposed.session))
    }

    fn proposes(&self, session: SessionId) -> bool {
        self.confirm.proposed.is_some_and(|proposed| proposed.session == session)
    }

    /// Whether the pair may go on with `session`, said without the table's rules and their order.
    fn may_resume(&self, session: SessionId) -> bool {
        let Some(record) = self.record.filter(|record| record.session == session) else { return false };
        let held = self.confirm.held.filter(|held| held.session == session);
        let standing = held.map_or(Standing::START, |held| held.standing);
        let attached = match held {
            Some(held) => [record.current, record.previous].contains(&Some(held.attachment)),
            None => self.proposes(session) && record.previous.is_none(),
        };
        let disputed = held.is_some() && self.confirm.disputed;
        attached && standing.agrees_with(&record.standing) && record.lands_on_frame && !disputed
    }
}

/// Every well-formed confirm over small values.
fn confirms() -> Vec<Confirm> {
    let mut holdings = vec![None];
    for session in [session(S), session(T)] {
        for attachment in [attachment(1), attachment(2)] {
            for standing in [Standing::START, standing(8, 24, 16)] {
                holdings.push(Some(Holding { session, attachment, standing }));
            }
        }
    }
    let mut confirms = Vec::new();
    for held in holdings {
        for proposed in [None, Some(proposal(S)), Some(proposal(T)), Some(outdated(S)), Some(outdated(T))] {
            for disputed in [false, true] {
                for token in [None, ResetToken::new(1)] {
                    confirms.push(Confirm { held, proposed, disputed, token, ..NOTHING });
                }
            }
        }
    }
    confirms.retain(|confirm| confirm.check().is_ok());
    confirms
}

/// No record, and every record over small values.
fn records() -> Vec<Option<Record>> {
    let attachments = [None, Some(attachment(1)), Some(attachment(2))];
    let standings = [Standing::START, standing(0, 16, 0), standing(16, 24, 16), standing(24, 24, 0)];
    let mut records = vec![None];
    for session in [session(S), session(T)] {
        for current in attachments {
            for previous in attachments {
                for standing in standings {
                    for lands_on_frame in [false, true] {
                        records.push(Some(Record {
                            session,
                            current,
                            previous,
                            standing,
                            previous_sent: standing.sent,
                            delivered: standing.consumed,
                            lands_on_frame,
                        }));
                    }
                }
            }
        }
    }
    records
}

fn for_every_case(mut check: impl FnMut(&Case)) {
    for confirm in confirms() {
        for record in records() {
            for (live, token_valid) in [(false, false), (false, true), (true, false), (true, true)] {
                check(&Case { confirm: confirm.clone(), record, live, token_valid });
            }
        }
    }
}

#[test]
fn every_combination_keeps_what_must_hold() {
    let mut seen = [0; 10];
    for_every_case(|case| {
        let Case { confirm, record, live, token_valid } = case;
        let verdict = case.verdict();
        let count = match verdict {
            Verdict::Resume { session, takeover } => {
                assert!(case.may_resume(session), "{case:?}");
                assert_eq!(takeover, *live, "{case:?}");
                0
            }
            Verdict::Fresh(session) => {
                assert!(!live && record.is_none() && confirm.held.is_none(), "{case:?}");
                assert_eq!(confirm.proposed, Some(proposal(session.get())), "{case:?}");
                1
            }
            Verdict::Reset(session) => {
                assert!(!live && *token_valid && confirm.token.is_some(), "{case:?}");
                assert_eq!(confirm.proposed, Some(proposal(session.get())), "{case:?}");
                assert_ne!(record.map(|record| record.session), Some(session), "{case:?}");
                2
            }
            Verdict::ProposalDead => {
                assert!(confirm.proposed.is_some() && !case.may_resume_proposal(), "{case:?}");
                3
            }
            Verdict::TokenVoid => {
                let void = confirm.token.is_some() && !token_valid && confirm.held.is_none();
                assert!(void && !live, "{case:?}");
                4
            }
            Verdict::Busy => {
                assert!(*live && !case.may_resume_proposal(), "{case:?}");
                5
            }
            Verdict::PeerLostClient => {
                assert!(!live && record.is_some() && confirm.held.is_none(), "{case:?}");
                6
            }
            Verdict::PeerLostServer => {
                assert!(!live && record.is_none() && confirm.held.is_some(), "{case:?}");
                7
            }
            Verdict::Diverged(_) => {
                assert!(!live && record.is_some(), "{case:?}");
                assert!(confirm.held.is_some_and(|held| !case.may_resume(held.session)), "{case:?}");
                8
            }
            Verdict::Internal => {
                assert!(*live && record.is_none(), "{case:?}");
                9
            }
        };
        seen[count] += 1;
    });
    assert!(seen.iter().all(|times| *times > 0), "{seen:?}: every row is reached");
}

#[test]
fn a_live_link_meets_resume_busy_a_dead_proposal_or_an_internal_error() {
    for_every_case(|case| {
        let verdict = case.verdict();
        let allowed = matches!(
            verdict,
            Verdict::Resume { takeover: true, .. }
                | Verdict::Busy
                | Verdict::ProposalDead
                | Verdict::Internal
        );
        assert!(!case.live || allowed, "{case:?}: {verdict:?}");
    });
}

#[test]
fn two_ends_of_one_history_always_resume_at_once_or_after_a_dead_proposal() {
    for_every_case(|case| {
        let Some(held) = case.confirm.held else { return };
        if !case.may_resume(held.session) || case.confirm.token.is_some() {
            return;
        }
        let session = held.session;
        let resumed = Verdict::Resume { session, takeover: case.live };
        match case.verdict() {
            Verdict::ProposalDead => {
                let confirm = Confirm { proposed: None, ..case.confirm.clone() };
                assert_eq!(Case { confirm, ..case.clone() }.verdict(), resumed, "{case:?}");
            }
            verdict => assert_eq!(verdict, resumed, "{case:?}"),
        }
    });
}

#[test]
fn every_login_that_may_reset_ends_within_three_tries() {
    for_every_case(|case| {
        let mut case = Case { live: false, ..case.clone() };
        for _ in 0..3 {
            match case.verdict() {
                Verdict::Resume { .. } | Verdict::Fresh(_) | Verdict::Reset(_) => return,
                Verdict::ProposalDead => {
                    let proposed = if case.confirm.held.is_some() { None } else { Some(proposal(FRESH)) };
                    case.confirm = Confirm { proposed, token: None, ..case.confirm };
                }
                Verdict::TokenVoid => case.confirm.token = None,
                Verdict::PeerLostClient | Verdict::PeerLostServer | Verdict::Diverged(_) => {
                    case.confirm = with_token(Confirm { proposed: Some(proposal(FRESH)), ..case.confirm });
                    case.token_valid = true;
                }
                verdict @ (Verdict::Busy | Verdict::Internal) => panic!("{case:?}: {verdict:?}"),
            }
        }
        panic!("no end: {case:?}");
    });
}
