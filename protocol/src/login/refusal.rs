//! How a side says no: a code for programs, two numbers, and a text for people.

use std::fmt::{self, Write};

use crate::id::ResetToken;
use crate::position::Undelivered;

/// A login that ends here, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What a program acts on.
    pub code: RefusalCode,
    /// Leave to reset the link once, where the client's policy may end the matter that way.
    pub token: Option<ResetToken>,
    /// What the refusing side's own stream still owes and a reset would give up.
    pub undelivered: Option<Undelivered>,
    /// The two numbers the code talks about, as its documentation says; 0 where it talks of none.
    pub numbers: [u64; 2],
    /// What a person reads.
    pub text: RefusalText,
}

impl Refusal {
    /// A refusal without token, counts and numbers.
    pub fn new(code: RefusalCode, text: impl fmt::Display) -> Self {
        Self { code, token: None, undelivered: None, numbers: [0; 2], text: RefusalText::new(text) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if let Some([first, second]) = self.code.names_of_numbers() {
            write!(f, " ({} {first}, {} {second})", self.numbers[0], self.numbers[1])?;
        }
        if !self.text.as_bytes().is_empty() {
            write!(f, ": {}", self.text)?;
        }
        Ok(())
    }
}

/// Why a login was refused. `Display` gives a sentence that is true on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RefusalCode {
    /// The two speak different versions. Numbers: the version received, the version spoken.
    #[error("the two sides speak different versions of the login")]
    Version,
    /// Bytes that are no login message, or one that has no place here.
    #[error("the login was malformed")]
    Malformed,
    /// The client means another server.
    #[error("this is not the server the client means to reach")]
    WrongServer,
    /// The application's `login` hook said no.
    #[error("the application denied the login")]
    Denied,
    /// A side takes less than it promised when the session began, so that stored messages might never
    /// fit. Numbers: bytes promised, bytes taken now.
    #[error("a side takes less than it promised this session: restore its limits")]
    LimitsShrunk,
    /// A connection under the name that said Hello after this one was accepted, or was told to forget its
    /// proposal; or the Confirm was said on another connection before. It decides nothing any more.
    #[error("a later login under this name went first, or this is an earlier one said again")]
    StaleConfirm,
    /// The proposed session can never begin. The only code that makes a client delete its unconfirmed
    /// link file.
    #[error("the proposed session cannot begin: log in again without it")]
    ProposalDead,
    /// The reset token was used, replaced, or never given.
    #[error("the reset token is void: log in again without it")]
    TokenVoid,
    /// A live connection under the name has another history, and is never fenced by this one.
    #[error("another connection under this name is live")]
    Busy,
    /// The server holds a session and the client shows none.
    #[error("the client lost the session that the server holds")]
    PeerLostClient,
    /// The client holds a session and the server has none.
    #[error("the server lost the session that the client holds")]
    PeerLostServer,
    /// Both hold a session, and they are not two ends of one history.
    #[error("the two sides hold different histories")]
    Diverged,
    /// A reset would put one more link file aside than is allowed. Numbers: files kept, files allowed.
    #[error(
        "too many link files are kept aside: release one, or remove a `.kept` file that nobody needs, before a reset"
    )]
    KeptFull,
    /// A link file could not be made, read or written.
    #[error("the refusing side could not use its link file")]
    Storage,
    /// There is no place for another login or link now.
    #[error("too many logins or links: try again later")]
    Overloaded,
    /// The process is about to end.
    #[error("the refusing side is shutting down")]
    ShuttingDown,
    /// The carrier wished for is not possible here.
    #[error("the carrier the client wishes is not possible")]
    NoCarrier,
    /// A fault in the refusing program.
    #[error("an internal error of the refusing side")]
    Internal,
    /// A code that this version does not know, as received.
    #[error("refused with the unknown code {0}")]
    Other(u16),
}

impl RefusalCode {
    pub(super) const KNOWN: [RefusalCode; 18] = [
        RefusalCode::Version,
        RefusalCode::Malformed,
        RefusalCode::WrongServer,
        RefusalCode::Denied,
        RefusalCode::LimitsShrunk,
        RefusalCode::StaleConfirm,
        RefusalCode::ProposalDead,
        RefusalCode::TokenVoid,
        RefusalCode::Busy,
        RefusalCode::PeerLostClient,
        RefusalCode::PeerLostServer,
        RefusalCode::Diverged,
        RefusalCode::KeptFull,
        RefusalCode::Storage,
        RefusalCode::Overloaded,
        RefusalCode::ShuttingDown,
        RefusalCode::NoCarrier,
        RefusalCode::Internal,
    ];

    pub(super) fn from_number(number: u16) -> Self {
        let known = Self::KNOWN.into_iter().find(|code| code.number() == number);
        known.unwrap_or(RefusalCode::Other(number))
    }

    /// The number on the wire. Never reused: an old program must not misread a new one.
    pub(super) const fn number(self) -> u16 {
        match self {
            RefusalCode::Version => 1,
            RefusalCode::Malformed => 2,
            RefusalCode::WrongServer => 3,
            RefusalCode::Denied => 4,
            RefusalCode::LimitsShrunk => 5,
            RefusalCode::StaleConfirm => 6,
            RefusalCode::ProposalDead => 7,
            RefusalCode::TokenVoid => 8,
            RefusalCode::Busy => 9,
            RefusalCode::PeerLostClient => 10,
            RefusalCode::PeerLostServer => 11,
            RefusalCode::Diverged => 12,
            RefusalCode::KeptFull => 13,
            RefusalCode::Storage => 14,
            RefusalCode::Overloaded => 15,
            RefusalCode::ShuttingDown => 16,
            RefusalCode::NoCarrier => 17,
            RefusalCode::Internal => 18,
            RefusalCode::Other(number) => number,
        }
    }

    const fn names_of_numbers(self) -> Option<[&'static str; 2]> {
        match self {
            RefusalCode::Version => Some(["received", "spoken"]),
            RefusalCode::LimitsShrunk => Some(["promised", "taken now"]),
            RefusalCode::KeptFull => Some(["kept", "allowed"]),
            _ => None,
        }
    }
}

/// Up to 200 bytes for people, kept as they were received and escaped when shown: a peer's text must not
/// reach a terminal or a log as control characters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RefusalText(Box<[u8]>);

impl RefusalText {
    /// The most bytes there can be: a sentence or two.
    pub const MAX: usize = 200;

    /// What `text` displays, cut at the last whole character that fits.
    pub fn new(text: impl fmt::Display) -> Self {
        let mut start = Start(String::new());
        // An error means that the text was cut, or that its own formatting gave up: what there is counts.
        let _ = write!(start, "{text}");
        Self(start.0.into_bytes().into())
    }

    /// The text that these received bytes are, or `None` if they are too many.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX).then(|| Self(bytes.into()))
    }

    /// The bytes as they were received: anything at all.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for RefusalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0 {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                b' '..=b'~' => f.write_char(char::from(*byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RefusalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The first [`RefusalText::MAX`] bytes of what is written to it, so that a long text costs no memory.
struct Start(String);

impl Write for Start {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = RefusalText::MAX - self.0.len();
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_number_and_unknown_ones_survive() {
        for number in 0..=u16::MAX {
            let code = RefusalCode::from_number(number);
            assert_eq!(code.number(), number);
            assert_eq!(matches!(code, RefusalCode::Other(_)), !(1..=18).contains(&number), "{number}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(RefusalText::new("x".repeat(200)).as_bytes(), [b'x'; 200]);
        assert_eq!(RefusalText::new("x".repeat(5000)).as_bytes(), [b'x'; 200]);
        let cut = RefusalText::new(format_args!("{}{}{}", "x".repeat(199), 'é', '!'));
        assert_eq!(cut.as_bytes(), [b'x'; 199], "nothing follows a character that was left out");
        assert_eq!(RefusalText::new(format_args!("{}{}", 12, "é")).as_bytes(), "12é".as_bytes());
    }

    #[test]
    fn a_received_text_is_bounded_and_escaped_when_shown() {
        assert_eq!(RefusalText::from_bytes(&[b'x'; 201]), None);
        let text = RefusalText::from_bytes(b"it's \\ \x1b[2J\n\xc3\x7f").unwrap();
        assert_eq!(text.to_string(), "it's \\\\ \\x1b[2J\\x0a\\xc3\\x7f");
        assert_eq!(text.as_bytes(), b"it's \\ \x1b[2J\n\xc3\x7f");
        assert_eq!(format!("{text:?}"), format!("\"{text}\""), "in a log, too");
    }

    #[test]
    fn a_refusal_shows_its_sentence_numbers_and_text() {
        let plain = Refusal::new(RefusalCode::Busy, "");
        assert_eq!(plain.to_string(), "another connection under this name is live");
        let full = Refusal { numbers: [8, 4], ..Refusal::new(RefusalCode::KeptFull, "see \"kept\"\n") };
        assert_eq!(
            full.to_string(),
            "too many link files are kept aside: release one, or remove a `.kept` file that nobody needs, before a reset \
             (8 kept, 4 allowed): see \"kept\"\\x0a"
        );
        for (code, named) in [
            (RefusalCode::Version, "(8 received, 4 spoken)"),
            (RefusalCode::LimitsShrunk, "(8 promised, 4 taken now)"),
        ] {
            let refusal = Refusal { numbers: [8, 4], ..Refusal::new(code, "") };
            assert!(refusal.to_string().ends_with(named), "{refusal}");
        }
        assert_eq!(
            Refusal::new(RefusalCode::Other(99), "x").to_string(),
            "refused with the unknown code 99: x"
        );
    }
}
