//! The client's side of a login, without I/O.

use super::carrier::{CarrierWish, Carriers};
use super::codec::{LoginMessage, MessageType};
use super::error::{LoginError, Misfit, OutOfTurn};
use super::message::{Confirm, Hello, Outcome, Ready, Welcome};
use super::output::Output;
use super::refusal::Refusal;
use crate::id::{Challenge, SessionId};
use crate::name::Name;

/// A login that this side began.
///
/// Bytes go out through [`poll_transmit`](Self::poll_transmit) and
/// [`handle_transmitted`](Self::handle_transmitted) and come in through
/// [`handle_input`](Self::handle_input), cut anywhere. Whatever can be told from the messages alone is
/// checked here: their order, the server's name, whether Ready answers the Confirm. Whether the standing
/// in Ready fits the link file is for the caller, who has the file.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub struct ClientLogin {
    state: State,
    output: Output,
}

/// What the client waits for, and what it must remember until then.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
enum State {
    /// The server's Welcome.
    Greeted { server: Option<Name>, wish: CarrierWish },
    /// The caller's Confirm.
    Welcomed { wish: CarrierWish, offered: Carriers, challenge: Challenge },
    /// The server's Ready.
    Confirmed(Question),
    /// Nothing: the input that is left belongs to the stream, or to nobody.
    Ended,
}

/// What a step of the server brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientStep {
    /// The server said who it is: answer with [`ClientLogin::confirm`] or [`ClientLogin::refuse`].
    Welcome(Welcome),
    /// The login is done. What is left of the input is the beginning of the stream.
    Ready(Ready),
    /// The server said no. Nothing follows.
    Refused(Refusal),
}

impl ClientLogin {
    /// A login whose Hello is ready to be transmitted.
    pub fn new(hello: &Hello) -> Self {
        let mut output = Output::default();
        output.push(&LoginMessage::Hello(hello.clone()));
        Self { state: State::Greeted { server: hello.server.clone(), wish: hello.wish }, output }
    }

    /// Takes at most one message from the front of `input`. `None`: more bytes are needed, or nothing
    /// more is awaited.
    ///
    /// A fault leaves `input` and the login as they were, so that [`refuse`](Self::refuse) can still
    /// tell the server of one found before Confirm. Then close the connection.
    pub fn handle_input(&mut self, input: &mut &[u8]) -> Result<Option<ClientStep>, LoginError> {
        let Some(due) = self.state.due() else { return Ok(None) };
        let mut rest = *input;
        let Some(message) = LoginMessage::decode(&mut rest)? else { return Ok(None) };
        let step = self.step(message, due)?;
        *input = rest;
        Ok(Some(step))
    }

    fn step(&mut self, message: LoginMessage, due: MessageType) -> Result<ClientStep, LoginError> {
        match (&self.state, message) {
            (_, LoginMessage::Refusal(refusal)) => {
                self.state = State::Ended;
                Ok(ClientStep::Refused(refusal))
            }
            (State::Greeted { server, wish }, LoginMessage::Welcome(welcome)) => {
                check_server(server.as_ref(), &welcome.server)?;
                let (offered, challenge) = (welcome.carriers, welcome.challenge);
                self.state = State::Welcomed { wish: *wish, offered, challenge };
                Ok(ClientStep::Welcome(welcome))
            }
            (State::Confirmed(question), LoginMessage::Ready(ready)) => {
                question.check(&ready)?;
                self.state = State::Ended;
                Ok(ClientStep::Ready(ready))
            }
            (_, message) => Err(LoginError::Unexpected { found: message.message_type(), due }),
        }
    }

    /// Answers Welcome with what this side holds or proposes, and with the challenge that came in it.
    pub fn confirm(&mut self, confirm: &Confirm) -> Result<(), OutOfTurn> {
        let State::Welcomed { wish, offered, challenge } = self.state else {
            return Err(OutOfTurn { message: MessageType::Confirm });
        };
        self.output.push(&LoginMessage::Confirm(confirm.clone(), challenge));
        self.state = State::Confirmed(Question {
            held: confirm.held.map(|held| held.session),
            proposed: confirm.proposed.map(|proposal| proposal.session),
            with_token: confirm.token.is_some(),
            wish,
            offered,
        });
        Ok(())
    }

    /// Ends the login with a refusal in place of Confirm. Once Confirm is queued there is no place for
    /// one, and nothing happens: close the connection.
    pub fn refuse(&mut self, refusal: &Refusal) {
        if let State::Greeted { .. } | State::Welcomed { .. } = self.state {
            self.output.push(&LoginMessage::Refusal(refusal.clone()));
            self.state = State::Ended;
        }
    }

    /// Notes that `count` bytes of [`poll_transmit`](Self::poll_transmit) have gone.
    pub fn handle_transmitted(&mut self, count: usize) {
        self.output.transmitted(count);
    }

    /// Bytes for the server, until they are noted as gone.
    pub fn poll_transmit(&self) -> &[u8] {
        self.output.pending()
    }

    /// Whether nothing more is awaited and nothing is left to transmit.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Ended) && self.poll_transmit().is_empty()
    }
}

impl State {
    fn due(&self) -> Option<MessageType> {
        match self {
            State::Greeted { .. } => Some(MessageType::Welcome),
            State::Welcomed { .. } => Some(MessageType::Confirm),
            State::Confirmed(_) => Some(MessageType::Ready),
            State::Ended => None,
        }
    }
}

fn check_server(expected: Option<&Name>, found: &Name) -> Result<(), LoginError> {
    match expected {
        Some(expected) if expected != found => {
            Err(LoginError::WrongServer { expected: expected.clone(), found: found.clone() })
        }
        _ => Ok(()),
    }
}

/// What the client asked, and so what Ready can say.
#[derive(Debug)]
#[cfg_attr(feature = "explore", derive(Clone))]
struct Question {
    held: Option<SessionId>,
    proposed: Option<SessionId>,
    with_token: bool,
    wish: CarrierWish,
    offered: Carriers,
}

impl Question {
    fn check(&self, ready: &Ready) -> Result<(), Misfit> {
        let found = Some(ready.session);
        let asked_for = match ready.outcome {
            Outcome::Resumed => found == self.held || found == self.proposed,
            Outcome::Fresh | Outcome::Reset => found == self.proposed,
        };
        if !asked_for {
            return Err(Misfit::Session { outcome: ready.outcome, found: ready.session });
        }
        match ready.outcome {
            Outcome::Fresh if self.held.is_some() => return Err(Misfit::FreshOverHolding),
            Outcome::Reset if !self.with_token => return Err(Misfit::ResetWithoutToken),
            _ => {}
        }
        let granted = ready.carrier;
        if !self.wish.allows(granted) || !self.offered.contains(granted) {
            return Err(Misfit::Carrier { granted, wish: self.wish, offered: self.offered });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, session};
    use super::*;
    use crate::login::{Carrier, RefusalCode};

    fn receive(login: &mut ClientLogin, message: LoginMessage) -> Result<Option<ClientStep>, LoginError> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let mut input = &bytes[..];
        let result = login.handle_input(&mut input);
        assert_eq!(input.is_empty(), matches!(result, Ok(Some(_))), "only a step takes its bytes");
        result
    }

    /// Everything the client has to say, as messages.
    fn sent(login: &mut ClientLogin) -> Vec<LoginMessage> {
        let mut input = login.poll_transmit();
        let messages = std::iter::from_fn(|| LoginMessage::decode(&mut input).unwrap()).collect();
        assert!(input.is_empty());
        login.handle_transmitted(usize::MAX);
        messages
    }

    fn welcomed(hello: &Hello, welcome: Welcome) -> ClientLogin {
        let mut login = ClientLogin::new(hello);
        assert_eq!(sent(&mut login), [LoginMessage::Hello(hello.clone())]);
        let step = receive(&mut login, LoginMessage::Welcome(welcome.clone()));
        assert_eq!(step, Ok(Some(ClientStep::Welcome(welcome))));
        login
    }

    fn confirmed(confirm: &Confirm) -> ClientLogin {
        let mut login = welcomed(&samples::hello(), samples::welcome());
        login.confirm(confirm).unwrap();
        assert_eq!(sent(&mut login), [LoginMessage::Confirm(confirm.clone(), samples::challenge())]);
        login
    }

    /// What the client makes of a Ready for this outcome and session.
    fn answer(confirm: &Confirm, outcome: Outcome, bits: u128) -> Result<Option<ClientStep>, LoginError> {
        let ready = Ready { outcome, session: session(bits), ..samples::ready() };
        receive(&mut confirmed(confirm), LoginMessage::Ready(ready))
    }

    fn misfit(misfit: Misfit) -> Result<Option<ClientStep>, LoginError> {
        Err(LoginError::ReadyDoesNotFit(misfit))
    }

    #[test]
    fn bytes_after_ready_are_the_stream_and_stay() {
        let mut login = confirmed(&samples::confirm());
        let mut bytes = Vec::new();
        LoginMessage::Ready(samples::ready()).encode(&mut bytes);
        bytes.extend_from_slice(b"tshm frames");
        let mut input = &bytes[..];
        assert_eq!(login.handle_input(&mut input), Ok(Some(ClientStep::Ready(samples::ready()))));
        assert!(login.is_finished());
        assert_eq!(login.handle_input(&mut input), Ok(None));
        assert_eq!(input, b"tshm frames");
    }

    #[test]
    fn a_message_out_of_turn_is_refused_and_stays() {
        let greeted = || ClientLogin::new(&samples::hello());
        let stages: [(&dyn Fn() -> ClientLogin, MessageType); 3] = [
            (&greeted, MessageType::Welcome),
            (&|| welcomed(&samples::hello(), samples::welcome()), MessageType::Confirm),
            (&|| confirmed(&samples::confirm()), MessageType::Ready),
        ];
        for (stage, due) in stages {
            for message in samples::all() {
                let found = message.message_type();
                let in_turn = found == MessageType::Refusal || found == due && due != MessageType::Confirm;
                let result = receive(&mut stage(), message);
                if in_turn {
                    assert!(matches!(result, Ok(Some(_))), "{found} where {due} is due: {result:?}");
                } else {
                    assert_eq!(result, Err(LoginError::Unexpected { found, due }));
                }
            }
        }
    }

    #[test]
    fn another_server_is_noticed_before_anything_is_shown_to_it() {
        let mut login = ClientLogin::new(&samples::hello());
        sent(&mut login);
        let found: Name = "mallory".parse().unwrap();
        let welcome = LoginMessage::Welcome(Welcome { server: found.clone(), ..samples::welcome() });
        let fault = LoginError::WrongServer { expected: "bob".parse().unwrap(), found };
        assert_eq!(receive(&mut login, welcome.clone()), Err(fault.clone()));
        assert_eq!(receive(&mut login, welcome.clone()), Err(fault.clone()), "asking again changes nothing");
        assert_eq!(
            login.confirm(&samples::confirm()),
            Err(OutOfTurn { message: MessageType::Confirm }),
            "no session is shown to a stranger"
        );
        login.refuse(&fault.refusal());
        assert_eq!(sent(&mut login), [LoginMessage::Refusal(fault.refusal())]);
        assert!(login.is_finished());

        let anybody = Hello { server: None, ..samples::hello() };
        assert!(receive(&mut ClientLogin::new(&anybody), welcome).is_ok());
    }

    #[test]
    fn a_resumed_session_is_the_held_or_the_proposed_one() {
        let confirm = samples::confirm();
        assert!(answer(&confirm, Outcome::Resumed, 0xa1).is_ok());
        assert!(answer(&confirm, Outcome::Resumed, 0xc3).is_ok());
        let other = Misfit::Session { outcome: Outcome::Resumed, found: session(0xbad) };
        assert_eq!(answer(&confirm, Outcome::Resumed, 0xbad), misfit(other));
    }

    #[test]
    fn a_reset_needs_a_token_and_ends_in_the_proposed_session() {
        let confirm = samples::confirm();
        assert!(answer(&confirm, Outcome::Reset, 0xc3).is_ok());
        let held = Misfit::Session { outcome: Outcome::Reset, found: session(0xa1) };
        assert_eq!(answer(&confirm, Outcome::Reset, 0xa1), misfit(held));
        let strict = Confirm { token: None, ..confirm };
        assert_eq!(answer(&strict, Outcome::Reset, 0xc3), misfit(Misfit::ResetWithoutToken));
    }

    #[test]
    fn a_fresh_session_never_takes_the_place_of_a_held_one() {
        let holding = samples::confirm();
        let nothing =
            Confirm { held: None, disputed: false, undelivered: None, token: None, ..holding.clone() };
        assert!(answer(&nothing, Outcome::Fresh, 0xc3).is_ok());
        let other = Misfit::Session { outcome: Outcome::Fresh, found: session(0xa1) };
        assert_eq!(answer(&nothing, Outcome::Fresh, 0xa1), misfit(other));
        assert_eq!(answer(&holding, Outcome::Fresh, 0xc3), misfit(Misfit::FreshOverHolding));
    }

    #[test]
    fn a_carrier_is_granted_only_if_wished_and_offered() {
        let granted = |wish, offered, carrier| {
            let hello = Hello { wish, ..samples::hello() };
            let mut login = welcomed(&hello, Welcome { carriers: offered, ..samples::welcome() });
            login.confirm(&samples::confirm()).unwrap();
            let ready = Ready { carrier, ..samples::ready() };
            receive(&mut login, LoginMessage::Ready(ready)).map(|_| ())
        };
        for wish in [CarrierWish::Tcp, CarrierWish::Shm, CarrierWish::Auto] {
            for offered in [Carriers::TCP, Carriers::SHM, Carriers::BOTH] {
                for carrier in [Carrier::Tcp, Carrier::Shm] {
                    let fits = wish.allows(carrier) && offered.contains(carrier);
                    let refused =
                        LoginError::ReadyDoesNotFit(Misfit::Carrier { granted: carrier, wish, offered });
                    assert_eq!(granted(wish, offered, carrier), if fits { Ok(()) } else { Err(refused) });
                }
            }
        }
    }

    #[test]
    fn a_refusal_of_the_server_ends_the_login_at_any_step() {
        for mut login in [
            ClientLogin::new(&samples::hello()),
            welcomed(&samples::hello(), samples::welcome()),
            confirmed(&samples::confirm()),
        ] {
            sent(&mut login);
            let step = receive(&mut login, LoginMessage::Refusal(samples::refusal()));
            assert_eq!(step, Ok(Some(ClientStep::Refused(samples::refusal()))));
            assert!(login.is_finished());
            assert!(login.confirm(&samples::confirm()).is_err());
        }
    }

    #[test]
    fn a_refusal_stands_in_place_of_confirm_and_never_after_it() {
        let refusal = Refusal::new(RefusalCode::NoCarrier, "");
        let mut login = welcomed(&samples::hello(), samples::welcome());
        login.refuse(&refusal);
        assert!(!login.is_finished(), "the refusal has not gone yet");
        login.refuse(&refusal);
        assert_eq!(sent(&mut login), [LoginMessage::Refusal(refusal.clone())]);
        assert!(login.is_finished());

        let mut late = confirmed(&samples::confirm());
        late.refuse(&refusal);
        assert_eq!(late.poll_transmit(), b"", "the server would read it as frames");
        assert!(late.confirm(&samples::confirm()).is_err(), "one confirm per login");
    }
}
