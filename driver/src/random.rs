//! Where ids, challenges, nonces and jitter come from: the kernel.

use tcpshm_protocol::{AttachmentId, Challenge, Nonce, ResetToken, SessionId};

pub(crate) fn bits() -> u64 {
    getrandom::u64().expect("getrandom(2) cannot fail for 8 bytes on any Linux since 3.17")
}

fn wide() -> u128 {
    u128::from(bits()) << 64 | u128::from(bits())
}

/// Draws until the number is one that `make` takes; 0 is the only one it does not.
fn draw<N, T>(number: fn() -> N, make: fn(N) -> Option<T>) -> T {
    loop {
        if let Some(made) = make(number()) {
            return made;
        }
    }
}

pub(crate) fn session() -> SessionId {
    draw(wide, SessionId::new)
}

pub(crate) fn attachment() -> AttachmentId {
    draw(bits, AttachmentId::new)
}

pub(crate) fn reset_token() -> ResetToken {
    draw(wide, ResetToken::new)
}

pub(crate) fn challenge() -> Challenge {
    Challenge::new(bits())
}

pub(crate) fn nonce() -> Nonce {
    Nonce::new(bits())
}
