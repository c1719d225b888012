//! What goes from one loop to another when a link does.

use tcpshm_protocol::Name;
use tcpshm_shm::MappedSession;

use crate::handler::{Connected, Handler, ResetReport};
use crate::handover::{Cargo, Greeting, Peer};
use crate::link::Link;
use crate::places::Live;
use crate::post::Shelf;

/// The links of servers and groups, see [`Cargo`].
#[derive(Debug)]
pub(crate) struct Freight;

impl Cargo for Freight {
    type Link = Migrant;
    type Session = Parted;
    type Mail = Box<Shelf>;
    type News = News;
}

/// A link with its connection, between two loops and registered with no poll.
#[derive(Debug)]
pub(crate) struct Migrant {
    pub(crate) session: Box<MappedSession>,
    pub(crate) live: Box<Live>,
    pub(crate) mail: Option<Box<Shelf>>,
}

/// A session that has lost its connection, with its mailbox.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) session: Box<MappedSession>,
    pub(crate) mail: Option<Box<Shelf>>,
}

/// A login that was accepted, for the application that is to be told.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) report: Option<ResetReport>,
    pub(crate) connected: Connected,
}

impl Peer for Migrant {
    fn peer(&self) -> &Name {
        self.session.peer()
    }
}

impl Peer for Parted {
    fn peer(&self) -> &Name {
        self.session.peer()
    }
}

/// Tells an application how a link has come.
pub(crate) fn greet(session: &mut MappedSession, greeting: &Greeting<News>, app: &mut impl Handler) {
    let link = &mut Link::new(session.outbox());
    match greeting {
        Greeting::Connected(News { report, connected }) => {
            if let Some(report) = report {
                app.reset(link, report);
            }
            app.connected(link, connected);
        }
        Greeting::Arrived(from) => app.arrived(link, *from),
        Greeting::Back => {}
    }
}
