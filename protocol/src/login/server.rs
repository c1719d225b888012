//! The server's side of a login, without I/O.

use super::codec::{LoginMessage, MessageType};
use super::error::{LoginError, OutOfTurn};
use super::message::{Confirm, Hello, Ready, Welcome};
use super::output::Output;
use super::refusal::Refusal;
use crate::id::Challenge;

/// A login that a client began.
///
/// Bytes come in through [`handle_input`](Self::handle_input), cut anywhere, and go out through
/// [`poll_transmit`](Self::poll_transmit) and [`handle_transmitted`](Self::handle_transmitted). Each step
/// of the client waits for an answer; until then what follows stays in the input, so a client that does
/// not wait gains nothing. A Confirm that was made for another connection is a fault, found here before
/// anybody looks at what it shows.
#[derive(Debug, Default)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub struct ServerLogin {
    state: State,
    output: Output,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The client's, to say Hello.
    #[default]
    Silent,
    /// The caller's, to welcome or refuse.
    Greeted,
    /// The client's, to confirm or refuse.
    Welcomed(Challenge),
    /// The caller's, to be ready or refuse.
    Confirmed,
    /// Nobody's: the input that is left belongs to the stream, or to nobody.
    Ended,
}

/// What a step of the client brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerStep {
    /// The client said who it is: answer with [`ServerLogin::welcome`] or [`ServerLogin::refuse`].
    Hello(Hello),
    /// The client showed what it has: [`decide`](super::decide), then answer with
    /// [`ServerLogin::ready`] or [`ServerLogin::refuse`].
    Confirm(Confirm),
    /// The client said no. Nothing follows.
    Refused(Refusal),
}

impl ServerLogin {
    /// A login that waits for Hello.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes at most one message from the front of `input`. `None`: more bytes are needed, or it is not
    /// the client's turn.
    ///
    /// A fault leaves `input` and the login as they were: [`refuse`](Self::refuse) with
    /// [`LoginError::refusal`], transmit, close.
    pub fn handle_input(&mut self, input: &mut &[u8]) -> Result<Option<ServerStep>, LoginError> {
        let Some(due) = self.state.due() else { return Ok(None) };
        let mut rest = *input;
        let Some(message) = LoginMessage::decode(&mut rest)? else { return Ok(None) };
        let step = self.step(message, due)?;
        *input = rest;
        Ok(Some(step))
    }

    fn step(&mut self, message: LoginMessage, due: MessageType) -> Result<ServerStep, LoginError> {
        match (self.state, message) {
            (State::Silent, LoginMessage::Hello(hello)) => {
                self.state = State::Greeted;
                Ok(ServerStep::Hello(hello))
            }
            (State::Welcomed(challenge), LoginMessage::Confirm(confirm, said)) => {
                if said != challenge && !zoo!(ChallengeNotCompared) {
                    return Err(LoginError::StaleConfirm);
                }
                self.state = State::Confirmed;
                Ok(ServerStep::Confirm(confirm))
            }
            (State::Welcomed(_), LoginMessage::Refusal(refusal)) => {
                self.state = State::Ended;
                Ok(ServerStep::Refused(refusal))
            }
            (_, message) => Err(LoginError::Unexpected { found: message.message_type(), due }),
        }
    }

    /// Answers Hello. The challenge in it has to be drawn for this connection.
    pub fn welcome(&mut self, welcome: &Welcome) -> Result<(), OutOfTurn> {
        if self.state != State::Greeted {
            return Err(OutOfTurn { message: MessageType::Welcome });
        }
        self.output.push(&LoginMessage::Welcome(welcome.clone()));
        self.state = State::Welcomed(welcome.challenge);
        Ok(())
    }

    /// Answers Confirm and ends the login. The stream begins behind it, in both directions.
    pub fn ready(&mut self, ready: &Ready) -> Result<(), OutOfTurn> {
        if self.state != State::Confirmed {
            return Err(OutOfTurn { message: MessageType::Ready });
        }
        self.output.push(&LoginMessage::Ready(ready.clone()));
        self.state = State::Ended;
        Ok(())
    }

    /// Ends the login with a refusal, at any time before Ready; a reason need not wait for the client.
    /// Once the login has ended nothing happens.
    pub fn refuse(&mut self, refusal: &Refusal) {
        if self.state != State::Ended {
            self.output.push(&LoginMessage::Refusal(refusal.clone()));
            self.state = State::Ended;
        }
    }

    /// Notes that `count` bytes of [`poll_transmit`](Self::poll_transmit) have gone.
    pub fn handle_transmitted(&mut self, count: usize) {
        self.output.transmitted(count);
    }

    /// Bytes for the client, until they are noted as gone.
    pub fn poll_transmit(&self) -> &[u8] {
        self.output.pending()
    }

    /// Whether nothing more is awaited and nothing is left to transmit.
    pub fn is_finished(&self) -> bool {
        self.state == State::Ended && self.poll_transmit().is_empty()
    }
}

impl State {
    /// What the client says next, if it is the client's turn.
    fn due(self) -> Option<MessageType> {
        match self {
            State::Silent => Some(MessageType::Hello),
            State::Welcomed(_) => Some(MessageType::Confirm),
            State::Greeted | State::Confirmed | State::Ended => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::login::RefusalCode;

    fn encoded(messages: &[LoginMessage]) -> Vec<u8> {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.encode(&mut bytes));
        bytes
    }

    fn hello() -> LoginMessage {
        LoginMessage::Hello(samples::hello())
    }

    fn confirm() -> LoginMessage {
        LoginMessage::Confirm(samples::confirm(), samples::challenge())
    }

    fn greeted() -> ServerLogin {
        let mut login = ServerLogin::new();
        let step = login.handle_input(&mut &encoded(&[hello()])[..]);
        assert_eq!(step, Ok(Some(ServerStep::Hello(samples::hello()))));
        login
    }

    fn welcomed() -> ServerLogin {
        let mut login = greeted();
        login.welcome(&samples::welcome()).unwrap();
        login
    }

    fn confirmed() -> ServerLogin {
        let mut login = welcomed();
        let step = login.handle_input(&mut &encoded(&[confirm()])[..]);
        assert_eq!(step, Ok(Some(ServerStep::Confirm(samples::confirm()))));
        login
    }

    fn ended() -> ServerLogin {
        let mut login = confirmed();
        login.ready(&samples::ready()).unwrap();
        login
    }

    #[test]
    fn what_a_client_says_before_it_was_answered_stays_in_the_input() {
        let mut bytes = encoded(&[hello(), confirm()]);
        bytes.extend_from_slice(b"frames");
        let mut input = &bytes[..];
        let mut login = ServerLogin::new();
        assert!(matches!(login.handle_input(&mut input), Ok(Some(ServerStep::Hello(_)))));
        let left = input;
        assert_eq!(login.handle_input(&mut input), Ok(None));
        assert_eq!(input, left);
        login.welcome(&samples::welcome()).unwrap();
        assert!(matches!(login.handle_input(&mut input), Ok(Some(ServerStep::Confirm(_)))));
        assert_eq!(login.handle_input(&mut input), Ok(None));
        login.ready(&samples::ready()).unwrap();
        assert_eq!(login.handle_input(&mut input), Ok(None));
        assert_eq!(input, b"frames", "they belong to the stream");
    }

    #[test]
    fn a_message_out_of_turn_is_refused_and_stays() {
        for (stage, due) in
            [(ServerLogin::new as fn() -> ServerLogin, MessageType::Hello), (welcomed, MessageType::Confirm)]
        {
            for message in samples::all() {
                let found = message.message_type();
                let in_turn = found == due || due == MessageType::Confirm && found == MessageType::Refusal;
                let bytes = encoded(&[message]);
                let mut input = &bytes[..];
                let result = stage().handle_input(&mut input);
                assert_eq!(input.is_empty(), in_turn);
                if in_turn {
                    assert!(matches!(result, Ok(Some(_))), "{found} where {due} is due: {result:?}");
                } else {
                    assert_eq!(result, Err(LoginError::Unexpected { found, due }));
                }
            }
        }
    }

    #[test]
    fn an_answer_out_of_turn_changes_nothing() {
        for stage in [ServerLogin::new as fn() -> ServerLogin, welcomed, confirmed, ended] {
            let mut login = stage();
            let out_of_turn = OutOfTurn { message: MessageType::Welcome };
            assert_eq!(login.welcome(&samples::welcome()), Err(out_of_turn));
            assert_eq!(login.poll_transmit(), stage().poll_transmit());
        }
        for stage in [ServerLogin::new as fn() -> ServerLogin, greeted, welcomed, ended] {
            let mut login = stage();
            assert_eq!(login.ready(&samples::ready()), Err(OutOfTurn { message: MessageType::Ready }));
            assert_eq!(login.poll_transmit(), stage().poll_transmit());
        }
    }

    #[test]
    fn a_refusal_goes_out_at_any_step_before_ready_and_never_after() {
        let refusal = Refusal::new(RefusalCode::ShuttingDown, "back soon");
        let message = encoded(&[LoginMessage::Refusal(refusal.clone())]);
        for stage in [ServerLogin::new as fn() -> ServerLogin, greeted, welcomed, confirmed] {
            let mut login = stage();
            login.handle_transmitted(usize::MAX);
            login.refuse(&refusal);
            login.refuse(&refusal);
            assert_eq!(login.poll_transmit(), message, "once");
            assert!(!login.is_finished());
            login.handle_transmitted(message.len());
            assert!(login.is_finished());
        }
        let mut late = ended();
        late.refuse(&refusal);
        assert_eq!(late.poll_transmit(), ended().poll_transmit(), "it would stand among the frames");
    }

    #[test]
    fn a_fault_can_be_answered_with_its_refusal() {
        let mut login = ServerLogin::new();
        let fault = login.handle_input(&mut &b"GET / HTTP/1.1"[..]).unwrap_err();
        assert_eq!(fault, LoginError::Magic { at: 0, found: b'G' });
        login.refuse(&fault.refusal());
        let sent = LoginMessage::decode(&mut login.poll_transmit()).unwrap();
        assert_eq!(sent, Some(LoginMessage::Refusal(fault.refusal())));
    }

    #[test]
    fn a_confirm_that_was_made_for_another_connection_is_stale() {
        let mut login = welcomed();
        login.handle_transmitted(usize::MAX);
        let bytes = encoded(&[LoginMessage::Confirm(samples::confirm(), Challenge::new(0x29))]);
        let mut input = &bytes[..];
        for _ in 0..2 {
            assert_eq!(login.handle_input(&mut input), Err(LoginError::StaleConfirm));
            assert_eq!(input, bytes, "it stays where it is");
        }
        assert_eq!(login.ready(&samples::ready()), Err(OutOfTurn { message: MessageType::Ready }));
        let refusal = LoginError::StaleConfirm.refusal();
        assert_eq!(refusal.code, RefusalCode::StaleConfirm);
        login.refuse(&refusal);
        assert_eq!(login.poll_transmit(), encoded(&[LoginMessage::Refusal(refusal)]));
        login.handle_transmitted(usize::MAX);
        assert!(login.is_finished());
    }

    #[test]
    fn a_refusal_of_the_client_ends_the_login() {
        let mut login = welcomed();
        login.handle_transmitted(usize::MAX);
        let bytes = encoded(&[LoginMessage::Refusal(samples::refusal())]);
        assert_eq!(login.handle_input(&mut &bytes[..]), Ok(Some(ServerStep::Refused(samples::refusal()))));
        assert!(login.is_finished());
    }
}
