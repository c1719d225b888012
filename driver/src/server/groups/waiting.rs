//! Logins that wait for a link that is in a group.

use std::collections::VecDeque;
use std::time::Instant;

use tcpshm_protocol::login::{Confirm, Record, Refusal, Streams, Verdict, decide};
use tcpshm_protocol::{Name, Position, SessionId, Standing};

use super::super::Server;
use super::{Visit, Waiting};
use crate::freight::Migrant;
use crate::handler::Handler;
use crate::places::{Pending, Place, Places};

impl Server {
    /// Has the link brought that a Confirm is about, if it is in a group. Returns the login if it need not wait: so for one
    /// that shows another session, which is refused whatever the link has come to. A name alone fetches nothing.
    pub(in super::super) fn wait_for_link(
        &mut self,
        index: usize,
        mut pending: Box<Pending>,
        confirm: Confirm,
    ) -> Option<(Box<Pending>, Confirm)> {
        let shows = |session| {
            confirm.held.is_some_and(|held| held.session == session)
                || confirm.proposed.is_some_and(|proposed| proposed.session == session)
                || zoo!(StrangerFetches)
        };
        let client = pending.name().filter(|client| self.session_away(client).is_some_and(shows)).cloned();
        let Some((client, groups)) = client.zip(self.groups.as_mut()) else {
            return Some((pending, confirm));
        };
        pending.waiting = Some(confirm);
        let waiting = Waiting { place: index, arrival: pending.arrival };
        self.hall.places.put(index, Place::Pending(pending));
        let places = &mut self.hall.places;
        groups.roster.wait(&client, waiting, |waiting| still_waits(places, *waiting));
        None
    }

    /// The answer to somebody who says the name of a link that is in a group, and shows another session than its own: the
    /// same as if it were here.
    pub(in super::super) fn refuse_stranger(
        &mut self,
        client: &Name,
        session: SessionId,
        confirm: &Confirm,
        streams: &Streams,
        app: &mut impl Handler,
    ) -> Refusal {
        let record = Record {
            session,
            current: None,
            previous: None,
            previous_sent: Position::ZERO,
            standing: Standing::START,
            delivered: Position::ZERO,
            lands_on_frame: false,
        };
        let verdict = decide(confirm, Some(&record), streams, true, false);
        if verdict == Verdict::ProposalDead
            && let Some(dead) = confirm.proposed
        {
            self.logins.bury(client, dead.session);
        }
        self.refusal(client, &verdict, confirm, None, app)
    }

    /// The link that is here is taken over by this login, once its group has ended the connection.
    pub(in super::super) fn wait_for_end(
        &mut self,
        index: usize,
        mut pending: Box<Pending>,
        confirm: Confirm,
    ) {
        pending.waiting = Some(confirm);
        let waiting = Waiting { place: index, arrival: pending.arrival };
        self.hall.places.put(index, Place::Pending(pending));
        if let Some(visit) = self.groups.as_mut().and_then(|groups| groups.visit.as_mut()) {
            visit.end = true;
            visit.away.waiting.push_front(waiting);
        }
    }

    /// Whether the link at this place is a group's.
    pub(in super::super) fn is_visiting(&self, index: usize) -> bool {
        let visit = self.groups.as_ref().and_then(|groups| groups.visit.as_ref());
        visit.is_some_and(|visit| visit.index == index)
    }

    /// Lets those decide who wait for the link that is here, and gives it back.
    pub(super) fn finish_visit(&mut self, now: Instant, app: &mut impl Handler) {
        loop {
            let Some(visit) = self.groups.as_mut().and_then(|groups| groups.visit.as_mut()) else {
                return;
            };
            let next = if visit.end { None } else { visit.away.waiting.pop_front() };
            let Some(waiting) = next else { break };
            self.decide_one(now, waiting, app);
        }
        if let Some((link, waiting)) = self.return_visit() {
            self.end_gone(now, link, None, app);
            self.decide_all(now, waiting, app);
        }
    }

    /// Gives the link that is here back to its group. Returns it, with who waits for it, if that is gone.
    pub(in super::super) fn return_visit(&mut self) -> Option<(Migrant, VecDeque<Waiting>)> {
        let Visit { index, away, end } = self.groups.as_mut()?.visit.take()?;
        let mut link = self.take_out(index)?;
        self.attach_mail(&mut link);
        self.groups.as_mut()?.roster.give_back(link, away, end).err()
    }

    pub(super) fn decide_all(&mut self, now: Instant, waiting: VecDeque<Waiting>, app: &mut impl Handler) {
        for waiting in waiting {
            self.decide_one(now, waiting, app);
        }
    }

    /// A login need not wait any more, if it still does.
    fn decide_one(&mut self, now: Instant, waiting: Waiting, app: &mut impl Handler) {
        match self.hall.places.take(waiting.place) {
            Some(Place::Pending(mut pending)) if pending.arrival == waiting.arrival => {
                match pending.waiting.take() {
                    Some(confirm) => self.hear_confirm(now, waiting.place, pending, confirm, app),
                    None => self.hall.places.put(waiting.place, Place::Pending(pending)),
                }
            }
            Some(other) => self.hall.places.put(waiting.place, other),
            None => {}
        }
    }
}

fn still_waits(places: &mut Places, waiting: Waiting) -> bool {
    matches!(places.get_mut(waiting.place), Some(Place::Pending(pending)) if pending.arrival == waiting.arrival)
}
