//! The leave to reset links, given and not yet used.

use std::collections::VecDeque;

use tcpshm_protocol::{Name, ResetToken};

/// The last token given for each of a bounded number of links. Refusals alone fill it, so the oldest
/// gives way: its client is told that the token is void, logs in without it, and is given another.
#[derive(Debug, Default)]
pub(crate) struct ResetTokens {
    given: VecDeque<(Name, ResetToken)>,
}

impl ResetTokens {
    /// More than resets are ever under way at once: each is used in the next login, milliseconds later.
    const MOST: usize = 1024;

    /// Gives a token for a link; an earlier one is void.
    pub(crate) fn give(&mut self, client: &Name, token: ResetToken) {
        self.void(client);
        self.given.push_back((client.clone(), token));
        if self.given.len() > Self::MOST && !zoo!(TokensUnbounded) {
            self.given.pop_front();
        }
    }

    pub(crate) fn is_valid(&self, client: &Name, token: ResetToken) -> bool {
        self.given.iter().any(|(name, given)| name == client && *given == token)
    }

    pub(crate) fn void(&mut self, client: &Name) {
        self.given.retain(|(name, _)| name != client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(bits: u128) -> ResetToken {
        ResetToken::new(bits).unwrap()
    }

    #[test]
    fn a_token_is_good_for_its_link_until_the_next_one() {
        let mut tokens = ResetTokens::default();
        let [one, other]: [Name; 2] = ["one", "other"].map(|name| name.parse().unwrap());
        tokens.give(&one, token(1));
        assert!(tokens.is_valid(&one, token(1)) && !tokens.is_valid(&other, token(1)));
        tokens.give(&one, token(2));
        assert!(tokens.is_valid(&one, token(2)) && !tokens.is_valid(&one, token(1)));
        tokens.void(&one);
        assert!(!tokens.is_valid(&one, token(2)));
    }

    #[test]
    fn any_number_of_refusals_leaves_a_bounded_number_of_tokens() {
        let mut tokens = ResetTokens::default();
        for number in 1..5000 {
            tokens.give(&format!("name-{number}").parse().unwrap(), token(number));
        }
        assert_eq!(tokens.given.len(), ResetTokens::MOST);
        assert!(tokens.is_valid(&"name-4999".parse().unwrap(), token(4999)));
    }
}
