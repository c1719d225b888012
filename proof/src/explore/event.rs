//! What can happen, with names that a path is written in.

use std::fmt;
use std::str::FromStr;

use tcpshm_protocol::Role::{self, Client, Server};

use super::side::App;

/// One thing that a side does, or that happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The client dials.
    Dial,
    /// A side takes what arrived on a connection, up to a message.
    Hear(Role, Line, App),
    /// A side writes all that it has to write.
    Say(Role),
    /// A side's carrier takes a part of a frame.
    SayPart(Role),
    /// Over shared memory: a side looks for a message.
    Poll(Role, App),
    /// Over shared memory: a side looks how much the peer has consumed.
    Observe(Role),
    Send(Role, Size),
    /// A message that is held is given to the application again.
    Release(Role, App),
    /// A side notices that the other end of its connection is gone.
    Notice(Role),
    /// The connection breaks, and both sides notice.
    Cut,
    /// A side leaves its connection; the other hears nothing of it.
    Leave(Role),
    Kill(Role),
    Start(Role),
    /// A process is killed, and its files are removed.
    Lose(Role),
    /// A copy of a side's files is made, as they are.
    Copy(Role),
    /// A process is killed, and the copy is put back.
    Restore(Role),
}

/// Which of a server's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Oldest,
    Second,
}

/// What is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    Large,
    /// A small and a large message as one.
    Batch,
}

const SMALL: App = App::Reply { large: false };
const LARGE: App = App::Reply { large: true };

/// Everything that can happen, by name. What is done with a message stands right behind the act that only
/// consumes it.
pub(crate) const ACTS: [(&str, Act); 54] = [
    ("dial", Act::Dial),
    ("c.hear", Act::Hear(Client, Line::Oldest, App::Consume)),
    ("c.hear-hold", Act::Hear(Client, Line::Oldest, App::Hold)),
    ("c.hear-reply", Act::Hear(Client, Line::Oldest, SMALL)),
    ("c.hear-reply-large", Act::Hear(Client, Line::Oldest, LARGE)),
    ("s.hear", Act::Hear(Server, Line::Oldest, App::Consume)),
    ("s.hear-hold", Act::Hear(Server, Line::Oldest, App::Hold)),
    ("s.hear-reply", Act::Hear(Server, Line::Oldest, SMALL)),
    ("s.hear-reply-large", Act::Hear(Server, Line::Oldest, LARGE)),
    ("s.hear2", Act::Hear(Server, Line::Second, App::Consume)),
    ("s.hear2-hold", Act::Hear(Server, Line::Second, App::Hold)),
    ("s.hear2-reply", Act::Hear(Server, Line::Second, SMALL)),
    ("s.hear2-reply-large", Act::Hear(Server, Line::Second, LARGE)),
    ("c.poll", Act::Poll(Client, App::Consume)),
    ("c.poll-hold", Act::Poll(Client, App::Hold)),
    ("c.poll-reply", Act::Poll(Client, SMALL)),
    ("c.poll-reply-large", Act::Poll(Client, LARGE)),
    ("s.poll", Act::Poll(Server, App::Consume)),
    ("s.poll-hold", Act::Poll(Server, App::Hold)),
    ("s.poll-reply", Act::Poll(Server, SMALL)),
    ("s.poll-reply-large", Act::Poll(Server, LARGE)),
    ("c.say", Act::Say(Client)),
    ("s.say", Act::Say(Server)),
    ("c.say-part", Act::SayPart(Client)),
    ("s.say-part", Act::SayPart(Server)),
    ("c.observe", Act::Observe(Client)),
    ("s.observe", Act::Observe(Server)),
    ("c.send", Act::Send(Client, Size::Small)),
    ("c.send-large", Act::Send(Client, Size::Large)),
    ("c.send-batch", Act::Send(Client, Size::Batch)),
    ("s.send", Act::Send(Server, Size::Small)),
    ("s.send-large", Act::Send(Server, Size::Large)),
    ("s.send-batch", Act::Send(Server, Size::Batch)),
    ("c.release", Act::Release(Client, App::Consume)),
    ("c.release-reply", Act::Release(Client, SMALL)),
    ("c.release-reply-large", Act::Release(Client, LARGE)),
    ("s.release", Act::Release(Server, App::Consume)),
    ("s.release-reply", Act::Release(Server, SMALL)),
    ("s.release-reply-large", Act::Release(Server, LARGE)),
    ("c.notice", Act::Notice(Client)),
    ("s.notice", Act::Notice(Server)),
    ("cut", Act::Cut),
    ("c.leave", Act::Leave(Client)),
    ("s.leave", Act::Leave(Server)),
    ("c.kill", Act::Kill(Client)),
    ("s.kill", Act::Kill(Server)),
    ("c.start", Act::Start(Client)),
    ("s.start", Act::Start(Server)),
    ("c.lose", Act::Lose(Client)),
    ("s.lose", Act::Lose(Server)),
    ("c.copy", Act::Copy(Client)),
    ("s.copy", Act::Copy(Server)),
    ("c.restore", Act::Restore(Client)),
    ("s.restore", Act::Restore(Server)),
];

impl Act {
    /// Whose files it may change, if a kill in the middle of it, or a look at it, is worth anything.
    pub(crate) fn owner(self) -> Option<Role> {
        match self {
            Act::Hear(role, ..)
            | Act::Poll(role, _)
            | Act::Observe(role)
            | Act::Send(role, _)
            | Act::Release(role, _)
            | Act::Start(role) => Some(role),
            _ => None,
        }
    }

    /// Whether it is there only for messages, and an act before it has said whether there is one.
    pub(crate) fn is_choice(self) -> bool {
        matches!(self, Act::Hear(_, _, app) | Act::Poll(_, app) if app != App::Consume)
    }
}

/// An act, and how it ends. Packed, since there is one for each state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its place in [`ACTS`].
    act: u8,
    /// What the peer does meanwhile.
    peer: u8,
    /// After which step of the act its process is killed, or the peer looks.
    step: u8,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Whole,
    Killed,
    Seen,
}

/// How an act ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Whole,
    /// Its process is killed after so many steps.
    Killed(usize),
    /// It is whole in the end; after so many steps the peer does this.
    Seen(usize, Act),
}

impl Event {
    pub(crate) fn whole(act: usize) -> Self {
        Self { act: small(act), peer: 0, step: 0, how: How::Whole }
    }

    pub(crate) fn killed(act: usize, step: usize) -> Self {
        Self { act: small(act), peer: 0, step: small(step), how: How::Killed }
    }

    pub(crate) fn seen(act: usize, step: usize, peer: usize) -> Self {
        Self { act: small(act), peer: small(peer), step: small(step), how: How::Seen }
    }

    pub(crate) fn number(self) -> usize {
        self.act.into()
    }

    pub(crate) fn act(self) -> Act {
        ACTS[usize::from(self.act)].1
    }

    pub(crate) fn fate(self) -> Fate {
        match self.how {
            How::Whole => Fate::Whole,
            How::Killed => Fate::Killed(self.step.into()),
            How::Seen => Fate::Seen(self.step.into(), ACTS[usize::from(self.peer)].1),
        }
    }
}

fn small(number: usize) -> u8 {
    u8::try_from(number).expect("there are few acts, and few steps in one")
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ACTS[usize::from(self.act)].0)?;
        match self.how {
            How::Whole => Ok(()),
            How::Killed => write!(f, "!{}", self.step),
            How::Seen => write!(f, "@{}:{}", self.step, ACTS[usize::from(self.peer)].0),
        }
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |step: &str| step.parse::<u8>().map(usize::from).map_err(|_| format!("{step}: no step"));
        if let Some((act, step)) = text.split_once('!') {
            return Ok(Self::killed(find(act)?, number(step)?));
        }
        let Some((act, rest)) = text.split_once('@') else { return Ok(Self::whole(find(text)?)) };
        let (step, peer) = rest.split_once(':').ok_or_else(|| format!("{text}: who looks?"))?;
        Ok(Self::seen(find(act)?, number(step)?, find(peer)?))
    }
}

fn find(name: &str) -> Result<usize, String> {
    ACTS.iter().position(|(known, _)| *known == name).ok_or_else(|| format!("{name}: nothing is called so"))
}
