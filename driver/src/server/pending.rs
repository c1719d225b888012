//! A server's side of a login in progress.

use std::io;
use std::time::Instant;

use tcpshm_protocol::Name;
use tcpshm_protocol::login::{
    Carrier, Hello, LoginError, Refusal, RefusalCode, ServerLogin, ServerStep, UserData, Welcome,
    limits_agreed,
};

use super::Server;
use crate::hall::{FAREWELL, Keeper};
use crate::handler::{Admission, Handler, LoginAttempt, LoginRefused};
use crate::handshake::Handshake;
use crate::places::{Admitted, Pending, Place};
use crate::random;

/// A connection that has just come.
pub(super) fn place(handshake: Handshake, arrival: u64) -> Place {
    let login = ServerLogin::new();
    Place::Pending(Box::new(Pending { handshake, login, arrival, said: None, admitted: None, waiting: None }))
}

impl Pending {
    /// The name it has said, if it was let in.
    pub(super) fn name(&self) -> Option<&Name> {
        self.admitted.as_ref().map(|admitted| &admitted.hello.client)
    }

    fn next_step(&mut self) -> Result<Option<ServerStep>, LoginError> {
        let login = &mut self.login;
        self.handshake.with_input(|input| login.handle_input(input))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let count = self.handshake.write(self.login.poll_transmit())?;
        self.login.handle_transmitted(count);
        Ok(())
    }
}

impl Server {
    pub(super) fn visit_pending(
        &mut self,
        now: Instant,
        index: usize,
        mut pending: Box<Pending>,
        app: &mut impl Handler,
    ) {
        let mut alive = pending.handshake.fill().is_ok();
        // It has said all until it is answered, which waits for a link that is in a group.
        while alive && pending.waiting.is_none() {
            match pending.next_step() {
                Ok(Some(ServerStep::Hello(hello))) => {
                    pending.said = Some(hello.client.clone());
                    if let Err(refusal) = self.hear_hello(&mut pending, hello, app) {
                        return self.refuse(now, index, pending, refusal, app);
                    }
                }
                Ok(Some(ServerStep::Confirm(confirm))) => {
                    return self.hear_confirm(now, index, pending, confirm, app);
                }
                Ok(Some(ServerStep::Refused(refusal))) => {
                    app.refused(&refused(&pending, false, refusal));
                    alive = false;
                }
                Ok(None) => break,
                Err(fault) => return self.refuse(now, index, pending, fault.refusal(), app),
            }
        }
        alive = alive && pending.flush().is_ok() && !pending.handshake.has_ended();
        self.hall.places.put(index, Place::Pending(pending));
        if !alive {
            self.drop_place(index);
        }
    }

    /// Decides whether the client may go on. Nothing is looked up or stored for it.
    fn hear_hello(
        &mut self,
        pending: &mut Pending,
        hello: Hello,
        app: &mut impl Handler,
    ) -> Result<(), Refusal> {
        let link = &self.config.link;
        if let Some(meant) = hello.server.as_ref().filter(|meant| **meant != link.name) {
            let text = format_args!("you mean {meant}, this is {}", link.name);
            return Err(Refusal::new(RefusalCode::WrongServer, text));
        }
        let offered = self.config.carriers;
        if ![Carrier::Tcp, Carrier::Shm].iter().any(|it| hello.wish.allows(*it) && offered.contains(*it)) {
            let only = if offered.contains(Carrier::Tcp) { "TCP" } else { "shared memory" };
            let text = format_args!("this server carries links over {only} only");
            return Err(Refusal::new(RefusalCode::NoCarrier, text));
        }
        limits_agreed(&hello.limits, &link.limits)
            .map_err(|error| Refusal::new(RefusalCode::LimitsShrunk, error))?;
        let address = pending.handshake.address;
        let attempt =
            LoginAttempt { client: &hello.client, address, wish: hello.wish, user_data: &hello.user_data };
        let admission = app.login(&attempt);
        let user_data = match admission {
            _ if zoo!(DenialIgnored) => UserData::default(),
            Admission::Admit(user_data) => user_data,
            Admission::Deny(text) => return Err(Refusal::new(RefusalCode::Denied, text)),
        };
        let welcome = Welcome {
            server: link.name.clone(),
            limits: link.limits,
            carriers: offered,
            silence: link.silence,
            challenge: random::challenge(),
        };
        pending.login.welcome(&welcome).map_err(|fault| Refusal::new(RefusalCode::Internal, fault))?;
        let order = self.logins.hello(&hello.client);
        pending.admitted = Some(Admitted { hello, order, address, user_data, view: None });
        Ok(())
    }

    /// Sends a refusal and lets the connection end.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        index: usize,
        mut pending: Box<Pending>,
        refusal: Refusal,
        app: &mut impl Handler,
    ) {
        pending.login.refuse(&refusal);
        self.counters.refuse(refusal.code);
        app.refused(&refused(&pending, true, refusal));
        let sent =
            pending.flush().and_then(|()| pending.handshake.stream.shutdown(std::net::Shutdown::Write));
        let pending = *pending;
        self.logins.leave(pending.arrival, pending.name());
        let mut handshake = pending.handshake;
        handshake.discard_input();
        handshake.deadline = now + FAREWELL;
        self.hall.timers.cancel(index);
        if sent.is_ok() {
            self.hall.put_farewell(index, handshake);
        } else {
            self.hall.deregister(&mut handshake.stream);
            self.hall.places.vacate(index);
        }
    }
}

fn refused(pending: &Pending, by_us: bool, refusal: Refusal) -> LoginRefused {
    let said = pending.said.as_ref().filter(|_| !zoo!(NamelessRefusal));
    LoginRefused {
        peer: said.or(pending.name()).cloned(),
        address: pending.handshake.address,
        by_us,
        refusal,
    }
}
