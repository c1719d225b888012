//! A client's side of a login in progress: what it says.

use std::io;
use std::time::Instant;

use tcpshm_protocol::login::{
    CarrierWish, ClientLogin, ClientStep, Confirm, Hello, Proposal, Ready, Refusal, RefusalCode, Streams,
    Welcome, limits_agreed,
};
use tcpshm_protocol::{Header, Name, Role};
use tcpshm_shm::{FileError, MappedSession};

use super::{Client, State};
use crate::handler::{Handler, LoginRefused};
use crate::handshake::Handshake;
use crate::random;
use crate::watch;

/// A connection that is logging in.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) handshake: Handshake,
    pub(super) machine: ClientLogin,
    /// Who the server is and what it takes, once it has said so.
    pub(super) welcome: Option<Welcome>,
}

/// Where a conversation has come to.
enum Turn {
    Waiting,
    Ready(Ready),
    Refused(Refusal),
    /// It ended for a reason that the application was told.
    Over,
}

impl Login {
    fn flush(&mut self) -> io::Result<()> {
        let count = self.handshake.write(self.machine.poll_transmit())?;
        self.machine.handle_transmitted(count);
        Ok(())
    }
}

impl Client {
    pub(super) fn begin_login(&mut self, now: Instant, mut handshake: Handshake, app: &mut impl Handler) {
        handshake.deadline = now + self.config.link.login_deadline;
        let machine = ClientLogin::new(&self.hello());
        self.visit_login(now, Box::new(Login { handshake, machine, welcome: None }), app);
    }

    /// What to ask for: memory that was granted and is not shared after all is not asked for again.
    fn wish(&self) -> CarrierWish {
        match self.config.carrier {
            CarrierWish::Auto if self.not_shared => CarrierWish::Tcp,
            wish => wish,
        }
    }

    fn hello(&self) -> Hello {
        let link = &self.config.link;
        Hello {
            client: link.name.clone(),
            server: self.config.server.clone(),
            limits: link.limits,
            wish: self.wish(),
            silence: link.silence,
            user_data: self.config.user_data.clone(),
        }
    }

    pub(super) fn visit_login(&mut self, now: Instant, mut login: Box<Login>, app: &mut impl Handler) {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        match self.converse(&mut login, app) {
            Ok(Turn::Waiting) if !login.handshake.has_ended() => self.state = State::LoggingIn(login),
            Ok(Turn::Ready(ready)) => self.hear_ready(now, *login, &ready, app),
            Ok(Turn::Refused(refusal)) => self.hear_refusal(now, *login, refusal, app),
            Ok(Turn::Over) => {
                self.close(&mut login.handshake.stream);
                self.next_address(now);
            }
            waiting_or_failed => {
                self.close(&mut login.handshake.stream);
                self.give_way(now, waiting_or_failed.err().unwrap_or_else(cut), app);
            }
        }
    }

    /// Reads and answers until it is the server's turn, or the login is over.
    fn converse(&mut self, login: &mut Login, app: &mut impl Handler) -> io::Result<Turn> {
        login.flush()?;
        login.handshake.fill()?;
        loop {
            let machine = &mut login.machine;
            match login.handshake.with_input(|input| machine.handle_input(input)) {
                Ok(Some(ClientStep::Welcome(welcome))) => match self.hear_welcome(&welcome, app) {
                    Ok(confirm) => {
                        login.welcome = Some(welcome);
                        login.machine.confirm(&confirm).map_err(io::Error::other)?;
                        login.flush()?;
                    }
                    Err(refusal) => {
                        login.machine.refuse(&refusal);
                        // The server is told if the socket takes it; our own application is told here.
                        let _ = login.flush();
                        app.refused(&refused(login, Some(welcome.server), true, refusal));
                        return Ok(Turn::Over);
                    }
                },
                Ok(Some(ClientStep::Ready(ready))) => return Ok(Turn::Ready(ready)),
                Ok(Some(ClientStep::Refused(refusal))) => return Ok(Turn::Refused(refusal)),
                Ok(None) => return Ok(Turn::Waiting),
                Err(fault) => {
                    app.refused(&refused(login, None, true, fault.refusal()));
                    return Ok(Turn::Over);
                }
            }
        }
    }

    /// What to show a server of this name.
    fn hear_welcome(&mut self, welcome: &Welcome, app: &mut impl Handler) -> Result<Confirm, Refusal> {
        let server = &welcome.server;
        let storage = |error: FileError, app: &mut _| storage_refusal(server, &error, app);
        self.meet(server, app).map_err(|error| storage(error, app))?;
        let limits = self.config.link.limits;
        let streams = limits_agreed(&limits, &welcome.limits)
            .map_err(|error| Refusal::new(RefusalCode::LimitsShrunk, error))?;
        // One nonce for whatever is shown: the server finds it in the file of the session that goes on.
        let nonce = random::nonce();
        self.session.iter_mut().for_each(|session| session.set_may_sleep(self.may_sleep));
        let held = self.session.as_mut().and_then(|session| session.show(nonce));
        let token = self.reset_token.take().filter(|(from, _)| from == server).map(|(_, token)| token);
        let token = token.filter(|_| held.is_some() || !zoo!(TokenThrownAway));
        if self.proposed.is_none() && (held.is_none() || token.is_some()) {
            let created = self.directory.create(&self.fresh_header(server, &streams), random::nonce());
            let created = created.map_err(|error| storage(error, app))?;
            self.proposed = Some(Box::new(MappedSession::new(created)));
        }
        let proposed = self.proposed.as_mut().map(|session| {
            session.set_may_sleep(self.may_sleep);
            session.show(if zoo!(ProposedNonceDiffers) { random::nonce() } else { nonce });
            Proposal { session: session.id(), streams: streams_of(session) }
        });
        Ok(Confirm {
            held,
            proposed,
            disputed: held.is_some() && self.disputed,
            token: token.filter(|_| proposed.is_some()),
            undelivered: held.and(self.session.as_ref()).map(|session| session.undelivered()),
            nonce,
        })
    }

    /// Opens the link with the server that is there. What links with others still hold is reported.
    fn meet(&mut self, server: &Name, app: &mut impl Handler) -> Result<(), FileError> {
        if self.session.as_ref().is_none_or(|session| session.peer() != server && !zoo!(ShownToAnotherServer))
        {
            self.open_link(server)?;
            self.disputed = false;
        } else if let Some(session) = &mut self.session {
            watch::restore(&self.directory, session)?;
        }
        if self.met.as_ref() == Some(server) {
            return Ok(());
        }
        self.met = Some(server.clone());
        for peer in self.directory.links()? {
            if peer == *server {
                continue;
            }
            match self.directory.look(&peer) {
                Ok(survey) => {
                    let survey = survey.filter(|_| !zoo!(LeftBehindUntold));
                    let left = survey.map(|survey| survey.undelivered()).filter(|left| left.messages > 0);
                    left.inspect(|left| app.left_behind(&peer, left));
                }
                // Another link's fault is no reason not to serve this one.
                Err(error) => app.failed(&peer, &error),
            }
        }
        Ok(())
    }

    fn fresh_header(&self, server: &Name, streams: &Streams) -> Header {
        Header {
            role: Role::Client,
            session: random::session(),
            owner: self.config.link.name.clone(),
            peer: server.clone(),
            outgoing: streams.client,
            incoming: streams.server,
            asked: self.config.link.limits.send,
        }
    }
}

/// The sizes that a client's file was made with.
fn streams_of(session: &MappedSession) -> Streams {
    Streams { client: session.header().outgoing, server: session.header().incoming }
}

pub(super) fn refused(login: &Login, peer: Option<Name>, by_us: bool, refusal: Refusal) -> LoginRefused {
    let known = || login.welcome.as_ref().map(|welcome| welcome.server.clone());
    LoginRefused { peer: peer.or_else(known), address: super::address_of(login), by_us, refusal }
}

fn storage_refusal(server: &Name, error: &FileError, app: &mut impl Handler) -> Refusal {
    app.failed(server, error);
    // The peer learns that there is a fault, not where our files lie.
    Refusal::new(RefusalCode::Storage, "see the client's own report")
}
