//! One link: its sessions, each with two streams, and the requests that wait for their replies.

use std::collections::VecDeque;

use super::stream::{Fate, Stream, Telling};
use super::wrong;
use crate::kill::record::{Act, Record, class};
use crate::kill::side::Side;
use crate::{Invariant, Violation};

/// What was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Messages that were committed.
    pub committed: u64,
    /// Messages that took effect.
    pub effects: u64,
    /// Of these, once more, because their consumption did not happen.
    pub repeated: u64,
    /// Requests that were answered.
    pub replies: u64,
    /// Commits and consumptions that a kill left open, and that had happened.
    pub happened: u64,
    /// The same, and they had not.
    pub did_not: u64,
    /// Sessions that ended, for a reason that was known.
    pub resets: u64,
    /// Messages that ended with them.
    pub lost: u64,
    /// Messages that were lost with a file before the other side had heard of the session: only the file knew.
    pub unseen: u64,
}

/// One link.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// In the order in which they were first met; the last is the one that goes on.
    sessions: Vec<Session>,
    /// Where each side is.
    at: [Option<u64>; 2],
    /// The session may end.
    bereft: bool,
}

#[derive(Debug)]
struct Session {
    id: u64,
    /// By their senders.
    streams: [Stream; 2],
    /// Requests without a reply, oldest first.
    asked: VecDeque<u64>,
    /// How many messages each side said were not delivered when it ended.
    reported: [Option<u64>; 2],
}

impl Link {
    /// The session of this link may end from here on, for a reason that is known.
    pub(super) fn bereave(&mut self) {
        self.bereft = true;
    }

    /// Whether the session may end.
    pub(super) fn is_bereft(&self) -> bool {
        self.bereft
    }

    /// `side` wrote this down.
    pub(super) fn record(
        &mut self,
        side: Side,
        record: Record,
        judged: &mut Judged,
    ) -> Result<(), Violation> {
        match record.act {
            Act::Found => self.found(side, record, judged),
            Act::Reset => {
                let ended = self.sessions.iter_mut().find(|session| session.id == record.session);
                if let Some(ended) = ended {
                    ended.reported[side as usize] = Some(record.number);
                }
                Ok(())
            }
            _ => {
                let Some(session) = self.present(side, record.session) else {
                    return wrong(Invariant::Decided, format!("the {side} says {record:?} and is elsewhere"));
                };
                session.record(side, record, judged)
            }
        }
    }

    fn present(&mut self, side: Side, id: u64) -> Option<&mut Session> {
        self.at[side as usize].filter(|at| *at == id)?;
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    fn found(&mut self, side: Side, record: Record, judged: &mut Judged) -> Result<(), Violation> {
        let id = record.session;
        let elsewhere = self.at[side as usize].is_some_and(|at| at != id);
        let known = self.sessions.iter().any(|session| session.id == id);
        if !self.bereft && (elsewhere || !known && !self.sessions.is_empty()) {
            return wrong(Invariant::NothingLost, format!("the {side} has left its session for {record:?}"));
        }
        if !known {
            self.sessions.push(Session::new(id));
        } else if self.bereft && self.at[side.other() as usize] != Some(id) && record.start + record.end == 0
        {
            self.begin_again(side, id, judged);
        }
        self.at[side as usize] = Some(id);
        if let Some(session) = self.present(side, id) {
            session.found(side, record, judged)?;
        }
        self.retire(judged)
    }

    /// A server that lost the file of a session that its client had only proposed begins it again when it is
    /// proposed again: nobody else has seen what it had committed.
    fn begin_again(&mut self, side: Side, id: u64, judged: &mut Judged) {
        for session in self.sessions.iter_mut().filter(|session| session.id == id) {
            let lost = session.streams[side as usize].outstanding();
            judged.unseen += lost;
            *session = Session::new(id);
        }
    }

    /// Takes leave of sessions that neither side is in any more.
    fn retire(&mut self, judged: &mut Judged) -> Result<(), Violation> {
        let Some(last) = self.sessions.last().map(|session| session.id) else {
            return Ok(());
        };
        if self.sessions.len() == 1 || self.at != [Some(last); 2] {
            return Ok(());
        }
        let newest = self.sessions.len() - 1;
        for ended in self.sessions.drain(..newest) {
            judged.resets += 1;
            for side in Side::BOTH {
                let stream = &ended.streams[side as usize];
                stream.conclude()?;
                let lost = stream.outstanding();
                judged.lost += lost;
                if ended.reported[side as usize].is_some_and(|reported| reported < lost) {
                    let text = format!("{lost} messages of the {side} were lost in {ended:?}");
                    return wrong(Invariant::NothingLost, text);
                }
            }
        }
        self.bereft = false;
        Ok(())
    }

    /// Whether all that was committed took effect, and all requests were answered.
    pub(super) fn is_settled(&self) -> bool {
        let settled =
            |session: &Session| session.asked.is_empty() && session.streams.iter().all(Stream::is_settled);
        self.sessions.len() <= 1 && self.sessions.iter().all(settled)
    }

    /// When all that there is was read.
    pub(super) fn conclude(&self) -> Result<(), Violation> {
        self.sessions.iter().flat_map(|session| &session.streams).try_for_each(Stream::conclude)
    }
}

impl Session {
    fn new(id: u64) -> Self {
        Self { id, streams: Default::default(), asked: VecDeque::new(), reported: [None; 2] }
    }

    fn outgoing(&mut self, side: Side) -> &mut Stream {
        &mut self.streams[side as usize]
    }

    fn incoming(&mut self, side: Side) -> &mut Stream {
        &mut self.streams[side.other() as usize]
    }

    fn record(&mut self, side: Side, record: Record, judged: &mut Judged) -> Result<(), Violation> {
        match record.act {
            Act::Intend => self.outgoing(side).intend(record),
            Act::Answer => {
                let effects = self.incoming(side).effects();
                let requests = effects.filter(|effect| effect.flag == class::REQUEST).count();
                if requests != record.count as usize || requests != self.incoming(side).effects().count() {
                    return wrong(Invariant::ExactlyOnce, format!("{record:?} answers {requests} requests"));
                }
                self.outgoing(side).intend(record)
            }
            Act::Committed => {
                let intent = self.outgoing(side).committed(record.end)?;
                self.committed(intent, judged);
                Ok(())
            }
            Act::Answered => {
                let intent = self.outgoing(side).committed(record.end)?;
                self.committed(intent, judged);
                self.incoming(side).consumed(record.start)
            }
            Act::Consumed => self.incoming(side).consumed(record.end),
            Act::Effect => self.effect(side, record, judged),
            _ => Ok(()),
        }
    }

    fn effect(&mut self, side: Side, effect: Record, judged: &mut Judged) -> Result<(), Violation> {
        judged.effects += 1;
        if self.incoming(side).effect(effect)? == Telling::Again {
            judged.repeated += 1;
        } else if effect.flag == class::REPLY {
            let due = self.asked.pop_front();
            if due != Some(effect.extra) {
                return wrong(
                    Invariant::ExactlyOnce,
                    format!("{effect:?} came where {due:?} is to be answered"),
                );
            }
            judged.replies += 1;
        }
        Ok(())
    }

    fn committed(&mut self, intent: Record, judged: &mut Judged) {
        judged.committed += u64::from(intent.count);
        let requests = (0..intent.count).filter(|index| intent.extra >> index & 1 == 1);
        self.asked.extend(requests.map(|index| intent.number + u64::from(index)));
    }

    /// A new life of `side` looks where its streams stand.
    fn found(&mut self, side: Side, record: Record, judged: &mut Judged) -> Result<(), Violation> {
        let (sent, intent) = self.outgoing(side).found(record.start)?;
        let taken = self.incoming(side).found_consumed(record.end)?;
        if let Some(intent) = intent
            && intent.act == Act::Answer
            && sent != taken
        {
            let text = format!("a reply {sent:?} and the consumption of its request {taken:?}: {intent:?}");
            return wrong(Invariant::CrashAtomic, text);
        }
        if let Some(intent) = intent.filter(|_| sent == Fate::Happened) {
            self.committed(intent, judged);
        }
        for fate in [sent, taken] {
            judged.happened += u64::from(fate == Fate::Happened);
            judged.did_not += u64::from(fate == Fate::DidNot);
        }
        Ok(())
    }
}
