//! Servers and clients of tcpshm that live in a mio loop you already have.
//!
//! ```text
//!      your loop                         Server / Client                         link files
//!   poll.poll(timeout()) ── events ──>  handle_event(now, event, app) ─┐
//!                                       handle_timeout(now, app)       ├─> Session ──> one mapped file
//!                        <── bytes ───  (written before it returns)   ─┘      │          per link
//!                                                                            v
//!                                                       app.message(link, received)
//! ```
//!
//! A link is identified by the names of its two processes. What [`Link::send`] accepted is kept until the
//! other side has consumed it, however often either process is killed or the connection is cut: both
//! sides find each other again, and go on where they were. Nothing here reads a clock, starts a thread or
//! prints. Other threads send through a [`Sender`]; where one waits, it is the only thing that looks at the time.
//!
//! An echo, whichever side it runs on:
//!
//! ```
//! use tcpshm_driver::{Handler, Link, Received};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
//!         match link.claim(received.kind(), received.payload().len()) {
//!             Ok(mut slot) => {
//!                 slot.copy_from_slice(received.payload());
//!                 // The reply is there and the request is consumed, or neither, whenever we are killed.
//!                 slot.commit_consuming(received).expect("messages come in order");
//!             }
//!             // Back-pressure. A real application holds the message until `writable`.
//!             Err(full) => panic!("{full}"),
//!         }
//!     }
//! }
//! ```
#![forbid(unsafe_code)]

/// Whether a known defect was put back, see `tcpshm_protocol::zoo`. Never without the feature `zoo`.
#[cfg(not(feature = "zoo"))]
macro_rules! zoo {
    ($($bug:ident)|+) => {
        false
    };
}
#[cfg(feature = "zoo")]
macro_rules! zoo {
    ($($bug:ident)|+) => {
        $(tcpshm_protocol::zoo::is_released(tcpshm_protocol::zoo::Bug::$bug))||+
    };
}

mod attended;
mod back_off;
mod boot;
mod client;
mod config;
mod connection;
mod disconnected;
mod driver;
mod error;
mod event_loop;
mod files;
mod freight;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod group;
mod hall;
mod handler;
mod handover;
#[cfg(test)]
mod handover_tests;
mod handshake;
mod idle;
mod intake;
mod limits;
mod link;
#[cfg(feature = "log")]
mod logged;
mod mailbox;
mod places;
mod post;
mod random;
mod ready;
mod sender;
mod server;
mod socket;
mod sync;
mod timers;
mod wake;
mod watch;

pub use back_off::BackOff;
pub use boot::id as boot_id;
pub use client::Client;
pub use config::{ClientConfig, LinkConfig, ServerConfig, SocketConfig};
pub use disconnected::Disconnected;
pub use driver::Driver;
pub use error::SetupError;
pub use event_loop::EventLoop;
pub use files::Files;
pub use group::Group;
pub use handler::{
    Admission, Connected, Dispute, Handler, LoginAttempt, LoginRefused, Policy, Quarrel, ResetReport,
};
pub use handover::GroupId;
pub use idle::{Idle, IdleStrategy, Pause};
pub use link::Link;
#[cfg(feature = "log")]
pub use logged::Logged;
pub use mailbox::{Ended, NotAccepted, SendOutcome, TrySendError};
pub use post::SenderError;
pub use sender::{SendFailure, Sender, Ticket};
pub use server::{MoveError, Server, ServerCounters};

pub use mio;
pub use tcpshm_protocol as protocol;
pub use tcpshm_protocol::login::{
    Carrier, CarrierWish, Carriers, Outcome, Refusal, RefusalCode, Silence, UserData,
};
pub use tcpshm_protocol::{
    Batch, CloseReason, Committed, Counters, Delivered, Geometry, Held, Kind, Limits, Name, NameError,
    Position, Received, Refused, RefusedReason, SendError, SessionId, Slot, Stalled, Undelivered,
};
pub use tcpshm_shm as shm;
pub use tcpshm_shm::{FileError, Kept, ViewError};

/// The program in the project's README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
