//! The bytes a login machine has queued and not yet seen go.

use super::codec::LoginMessage;

/// At most two messages, since each is an answer to the peer's last one or a refusal after it.
#[derive(Debug, Default)]
#[cfg_attr(feature = "explore", derive(Clone))]
pub(super) struct Output {
    /// Whole messages, from the first one that has not gone altogether.
    bytes: Vec<u8>,
    /// How many of them have gone. Not beyond their number.
    gone: usize,
}

impl Output {
    pub(super) fn push(&mut self, message: &LoginMessage) {
        message.encode(&mut self.bytes);
    }

    /// Notes that `count` more bytes have gone; a count beyond what was pending is taken as all of it.
    pub(super) fn transmitted(&mut self, count: usize) {
        self.gone = self.gone.saturating_add(count).min(self.bytes.len());
        if self.gone == self.bytes.len() {
            self.bytes.clear();
            self.gone = 0;
        }
    }

    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn bytes_leave_in_order_whatever_the_cuts_and_claims() {
        let mut output = Output::default();
        let messages = samples::all();
        let mut expected = Vec::new();
        for message in &messages[..2] {
            output.push(message);
            message.encode(&mut expected);
        }
        output.transmitted(3);
        output.transmitted(0);
        assert_eq!(output.pending(), &expected[3..]);
        output.push(&messages[2]);
        messages[2].encode(&mut expected);
        assert_eq!(output.pending(), &expected[3..]);
        output.transmitted(usize::MAX);
        assert_eq!(output.pending(), b"");
        output.transmitted(1);
        assert_eq!(output.pending(), b"");
    }
}
