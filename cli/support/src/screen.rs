//! What a person sees while a program runs: lines, and on a terminal a line of progress below them.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Often enough to look alive.
pub const REFRESH: Duration = Duration::from_millis(100);
const ERASE_LINE: &str = "\r\x1b[K";

/// Standard error, which belongs to people; results go to standard output.
#[derive(Debug)]
pub struct Screen {
    terminal: bool,
    /// Whether the cursor stands behind a line of progress.
    shown: bool,
    /// When the progress is due again.
    next: Option<Instant>,
}

impl Screen {
    /// Finds out whether anybody is watching.
    pub fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: false, next: None }
    }

    /// Whether progress is shown at all.
    pub fn is_live(&self) -> bool {
        self.terminal
    }

    /// Writes one line. Whatever is in `text`, also from a peer, it stays one line of plain characters.
    pub fn line(&mut self, text: impl fmt::Display) {
        self.clear();
        put(&format!("{}\n", escaped(&text.to_string())));
    }

    /// Shows `text` in place of the last progress, at most every [`REFRESH`].
    pub fn progress(&mut self, now: Instant, text: impl FnOnce() -> String) {
        if self.terminal && self.next.is_none_or(|next| next <= now) {
            put(&format!("{ERASE_LINE}{}", escaped(&text())));
            self.shown = true;
            self.next = Some(now + REFRESH);
        }
    }

    /// Takes the progress away.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            put(ERASE_LINE);
            self.next = None;
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// One write, so that lines of several processes do not mix. If nobody can read it, nobody misses it.
fn put(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// `text` with everything but plain ASCII written as an escape.
fn escaped(text: &str) -> String {
    let plain = |character: char| character.is_ascii_graphic() || character == ' ';
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            character if plain(character) => line.push(character),
            other => line.extend(other.escape_default()),
        }
    }
    line
}

/// A count as people read it.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_from_a_peer_stays_one_plain_line() {
        assert_eq!(escaped("no\r\n\x1b[2Jroot # \u{202e}"), r"no\r\n\u{1b}[2Jroot # \u{202e}");
        assert_eq!(escaped("server 127.0.0.1:80, \"quoted\""), "server 127.0.0.1:80, \"quoted\"");
    }

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 999, 1000, 123_456, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "123,456", "1,000,000"]);
    }
}
