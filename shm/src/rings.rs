//! The busy-poll driver: a set of links, of which those on shared memory are polled in turn.

use crate::mapped_session::{MappedSession, Polled};

/// Links at places that their host numbers.
///
/// [`Rings::poll`] looks at the memory of those that shared memory carries, and at nothing else, so it can
/// run on a core of its own or once in every turn of somebody's loop. How the links came to be connected,
/// and who watches their connections, is the host's business.
#[derive(Debug, Default)]
pub struct Rings {
    links: Vec<Option<Box<MappedSession>>>,
    /// The places of those on shared memory.
    mapped: Vec<usize>,
    /// Whether one of them may have a frame to wake its peer.
    rousing: bool,
}

impl Rings {
    /// Events of one link before the next has its turn: enough to run through a backlog at full speed, few
    /// enough that the others wait for microseconds only.
    pub const BURST: u32 = 64;

    /// Puts a link in place `at`, as it is attached now. Returns what was there.
    pub fn put(&mut self, at: usize, link: Box<MappedSession>) -> Option<Box<MappedSession>> {
        let is_mapped = link.peer_file().is_some();
        let before = self.put_aside(at, link);
        if is_mapped {
            self.mapped.push(at);
        }
        before
    }

    /// Puts a link in place `at`, to be looked at and not polled. Returns what was there.
    pub fn put_aside(&mut self, at: usize, link: Box<MappedSession>) -> Option<Box<MappedSession>> {
        let before = self.take(at);
        if at >= self.links.len() {
            self.links.resize_with(at + 1, || None);
        }
        self.links[at] = Some(link);
        before
    }

    /// Takes the link out of its place.
    pub fn take(&mut self, at: usize) -> Option<Box<MappedSession>> {
        self.mapped.retain(|mapped| *mapped != at);
        self.links.get_mut(at).and_then(Option::take)
    }

    /// The link at a place.
    pub fn get(&self, at: usize) -> Option<&MappedSession> {
        self.links.get(at)?.as_deref()
    }

    /// The link at a place. To attach or detach it take it out and put it back: what is polled is decided by
    /// [`Rings::put`].
    pub fn get_mut(&mut self, at: usize) -> Option<&mut MappedSession> {
        self.links.get_mut(at)?.as_deref_mut()
    }

    /// Whether there is anything to poll.
    pub fn is_idle(&self) -> bool {
        self.mapped.is_empty()
    }

    /// Goes round once: up to [`Rings::BURST`] events of each link, each handed to `each` with the link's place.
    /// Returns whether there were any.
    ///
    /// No system call, no clock, no allocation.
    #[inline]
    pub fn poll(&mut self, mut each: impl FnMut(usize, Polled<'_>)) -> bool {
        let mut any = false;
        for at in &self.mapped {
            if let Some(link) = &mut self.links[*at] {
                any |= link.poll(Self::BURST, |polled| each(*at, polled));
                self.rousing |= link.is_rousing();
            }
        }
        any
    }

    /// Whether [`Rings::take_rousing`] has anything to tell.
    #[inline]
    pub fn is_rousing(&self) -> bool {
        self.rousing
    }

    /// Tells of each link that has something for a peer that sleeps, so that its connection has to be written
    /// to, once. Costs a comparison if there is none.
    pub fn take_rousing(&mut self, mut each: impl FnMut(usize)) {
        if !std::mem::take(&mut self.rousing) {
            return;
        }
        for at in &self.mapped {
            if self.links[*at].as_mut().is_some_and(|link| link.take_rousing()) {
                each(*at);
            }
        }
    }

    /// The host wants to sleep until its poll has something: see [`MappedSession::park`]. Returns whether it may,
    /// as far as all these links are concerned. The next [`Rings::poll`] ends the sleep.
    pub fn park(&mut self) -> bool {
        for at in &self.mapped {
            let Some(link) = &mut self.links[*at] else { continue };
            if !link.park() {
                self.rousing |= link.is_rousing();
                // Those before it stay as they are until the next poll: at worst they are woken for nothing.
                return false;
            }
        }
        true
    }

    /// Whether the host may go on sleeping, for all that was done since [`Rings::park`].
    pub fn is_parked(&self) -> bool {
        self.mapped.iter().all(|at| self.links[*at].as_ref().is_none_or(|link| link.is_parked()))
    }
}
