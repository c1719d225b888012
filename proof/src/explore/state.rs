//! Two processes, the connections between them, and what may still happen to them.

use tcpshm_protocol::Role;
use tcpshm_protocol::login::ClientLogin;

use super::ids::Ids;
use super::image::Image;
use super::rules::{ROLES, Rules};
use super::server::Visit;
use super::side::Side;
use super::truth::Truth;
use crate::world::image;

/// Everything there is.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The client and the server.
    pub(crate) sides: [Side; 2],
    /// The connection, and before it one that its client has left.
    pub(crate) links: Vec<Link>,
    pub(crate) ids: Ids,
    pub(crate) left: Left,
    pub(crate) copy: Option<Copied>,
    pub(crate) history: History,
}

/// Whether the two sides' files are the ends of one history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum History {
    One,
    /// They may not be, by what was done to one of them.
    Broken,
    /// The server has begun a new one since; the client has not heard of it.
    Mending,
}

impl History {
    /// A side has gone over to a session that nothing was done to.
    pub(crate) fn begin(&mut self, side: Role) {
        *self = match (*self, side) {
            (History::Broken, Role::Server) => History::Mending,
            (History::Mending, Role::Client) => History::One,
            (history, _) => history,
        };
    }
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(crate) cuts: u8,
    pub(crate) crashes: u8,
    pub(crate) takeovers: u8,
    pub(crate) losses: u8,
    pub(crate) splits: u8,
}

/// A connection, or what is left of one.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// What is on its way to the server.
    pub(crate) up: Vec<u8>,
    /// What is on its way to the client.
    pub(crate) down: Vec<u8>,
    pub(crate) client: ClientEnd,
    pub(crate) server: ServerEnd,
}

#[derive(Clone, Debug)]
pub(crate) enum ClientEnd {
    /// And whether it has said its Confirm.
    Login(ClientLogin, bool),
    Stream,
    Gone,
}

#[derive(Clone, Debug)]
pub(crate) enum ServerEnd {
    Login(Visit),
    Stream,
    Gone,
}

/// An earlier copy of a side's files.
#[derive(Clone, Debug)]
pub(crate) struct Copied {
    pub(crate) role: Role,
    pub(crate) main: Option<Image>,
    pub(crate) fresh: Option<Image>,
    pub(crate) truth: Truth,
}

impl State {
    /// Both processes run, and there is no connection.
    pub(crate) fn first(rules: &Rules) -> Self {
        let mut state = Self {
            sides: ROLES.map(|role| {
                let header = rules.header(role, Rules::session(1));
                let file = rules.start.map(|at| image::midway(&header, at, at, 0x1d00));
                Side::new(rules, role, file.map(|file| Image::packed(role as u8, &file)))
            }),
            links: Vec::new(),
            ids: Ids::new(),
            left: Left {
                cuts: rules.budget.cuts,
                crashes: rules.budget.crashes,
                takeovers: rules.budget.takeovers,
                losses: rules.budget.losses,
                splits: rules.budget.splits,
            },
            copy: None,
            history: History::One,
        };
        ROLES.into_iter().for_each(|role| state.start(role));
        state
    }

    pub(crate) fn side(&self, role: Role) -> &Side {
        &self.sides[role as usize]
    }

    pub(crate) fn start(&mut self, role: Role) {
        let before = self.side(role).truth.session;
        match role {
            Role::Client => self.sides[0].start_client(&mut self.ids),
            Role::Server => self.sides[1].start_server(),
        }
        // It may have finished a switch.
        if self.side(role).truth.session != before {
            self.history.begin(role);
        }
    }

    /// The link that carries a side's session.
    pub(crate) fn carrier_of(&self, role: Role) -> Option<usize> {
        self.links.iter().position(|link| match role {
            Role::Client => matches!(link.client, ClientEnd::Stream),
            Role::Server => matches!(link.server, ServerEnd::Stream),
        })
    }

    /// The link that the client has an end of.
    pub(crate) fn dialled(&self) -> Option<usize> {
        self.links.iter().position(|link| !matches!(link.client, ClientEnd::Gone))
    }

    /// A side's end of a link is gone, and it notices.
    pub(crate) fn leave(&mut self, role: Role, link: usize) {
        let link = &mut self.links[link];
        let streamed = match role {
            Role::Client => {
                let end = std::mem::replace(&mut link.client, ClientEnd::Gone);
                link.down.clear();
                matches!(end, ClientEnd::Stream)
            }
            Role::Server => {
                let end = std::mem::replace(&mut link.server, ServerEnd::Gone);
                link.up.clear();
                matches!(end, ServerEnd::Stream)
            }
        };
        if streamed {
            let nonce = self.ids.nonce();
            self.sides[role as usize].detach(nonce);
        }
    }

    /// A process is gone, and with it its ends of all links.
    pub(crate) fn bury(&mut self, role: Role) {
        self.sides[role as usize].kill();
        for link in &mut self.links {
            match role {
                Role::Client => {
                    link.client = ClientEnd::Gone;
                    link.down.clear();
                }
                Role::Server => {
                    link.server = ServerEnd::Gone;
                    link.up.clear();
                }
            }
        }
        self.sweep();
    }

    /// Links of which nothing is left.
    pub(crate) fn sweep(&mut self) {
        self.links.retain(|link| !link.is_over());
    }
}

impl Link {
    /// A connection on which the client has said Hello.
    pub(crate) fn dialled(rules: &Rules) -> Self {
        let mut login = ClientLogin::new(&rules.hello());
        let up = login.poll_transmit().to_vec();
        login.handle_transmitted(up.len());
        let server = ServerEnd::Login(Visit::default());
        Self { up, down: Vec::new(), client: ClientEnd::Login(login, false), server }
    }

    /// When the Hello of a login on it was read.
    pub(crate) fn order(&self) -> Option<u8> {
        if let ServerEnd::Login(visit) = &self.server { visit.order } else { None }
    }

    /// Whether this side's end is gone.
    pub(crate) fn is_left_by(&self, role: Role) -> bool {
        match role {
            Role::Client => matches!(self.client, ClientEnd::Gone),
            Role::Server => matches!(self.server, ServerEnd::Gone),
        }
    }

    fn is_over(&self) -> bool {
        self.is_left_by(Role::Client) && self.is_left_by(Role::Server)
    }
}
