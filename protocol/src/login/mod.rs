//! Login: how two named processes find out, in four steps, whether they go on with the session they
//! both remember.
//!
//! ```text
//!   client                                           server
//!     | --- Hello: who I am, what I take --------------> |  changes no byte anywhere
//!     | <-- Welcome: who I am, what I take, a challenge -|  says nothing about any session
//!     | --- Confirm: what I hold and propose, the same > |  decide(confirm, ..)
//!     | <------------- Ready: the session, where I stand |
//!     | <================ frames, both ways ===========> |
//! ```
//!
//! A [`Refusal`] may stand in place of Welcome, Confirm or Ready, from the side whose turn it is.
//!
//! [`ClientLogin`] and [`ServerLogin`] turn bytes into steps and answers into bytes; [`decide`] is what
//! the server makes of a [`Confirm`]. None of them does I/O, looks at a clock or draws a number: files,
//! ids, nonces, challenges, policies and deadlines belong to the caller.

mod carrier;
mod client;
mod codec;
mod decide;
mod error;
mod field;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod message;
mod output;
mod refusal;
#[cfg(test)]
mod samples;
mod server;
mod silence;
mod streams;
mod user_data;
#[cfg(test)]
mod wire_document;

pub use carrier::{Carrier, CarrierWish, Carriers};
pub use client::{ClientLogin, ClientStep};
pub use codec::{LoginMessage, MAX_BODY, MessageType, VERSION};
pub use decide::{Disagreement, Record, Verdict, decide};
pub use error::{LoginError, Malformed, Misfit, OutOfTurn};
pub use message::{Confirm, Hello, Holding, Outcome, Proposal, Ready, Welcome};
pub use refusal::{Refusal, RefusalCode, RefusalText};
pub use server::{ServerLogin, ServerStep};
pub use silence::{Silence, SilenceError};
pub use streams::{Streams, limits_agreed};
pub use user_data::{UserData, UserDataError};

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves one byte from a machine's output to the end of `wire`; false if there is none.
    fn carry(wire: &mut Vec<u8>, pending: &[u8]) -> bool {
        wire.extend(pending.first());
        !pending.is_empty()
    }

    #[test]
    fn a_login_completes_when_every_byte_arrives_alone() {
        let mut client = ClientLogin::new(&samples::hello());
        let mut server = ServerLogin::new();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut steps = Vec::new();
        while !(client.is_finished() && server.is_finished()) {
            let mut moved = carry(&mut to_server, client.poll_transmit());
            client.handle_transmitted(1);
            let mut input = &to_server[..];
            match server.handle_input(&mut input).unwrap() {
                Some(ServerStep::Hello(hello)) => {
                    assert_eq!(hello, samples::hello());
                    server.welcome(&samples::welcome()).unwrap();
                    steps.push("hello");
                }
                Some(ServerStep::Confirm(confirm)) => {
                    assert_eq!(confirm, samples::confirm());
                    server.ready(&samples::ready()).unwrap();
                    steps.push("confirm");
                }
                Some(ServerStep::Refused(refusal)) => panic!("{refusal}"),
                None => {}
            }
            to_server.drain(..to_server.len() - input.len());

            moved |= carry(&mut to_client, server.poll_transmit());
            server.handle_transmitted(1);
            let mut input = &to_client[..];
            match client.handle_input(&mut input).unwrap() {
                Some(ClientStep::Welcome(welcome)) => {
                    assert_eq!(welcome, samples::welcome());
                    client.confirm(&samples::confirm()).unwrap();
                    steps.push("welcome");
                }
                Some(ClientStep::Ready(ready)) => {
                    assert_eq!(ready, samples::ready());
                    steps.push("ready");
                }
                Some(ClientStep::Refused(refusal)) => panic!("{refusal}"),
                None => {}
            }
            to_client.drain(..to_client.len() - input.len());
            assert!(moved, "the login stands still after {steps:?}");
        }
        assert_eq!(steps, ["hello", "welcome", "confirm", "ready"]);
    }
}
