//! One test over each carrier.

use tcpshm_protocol::login::Carrier;

/// What can carry a link.
pub const CARRIERS: [Carrier; 2] = [Carrier::Tcp, Carrier::Shm];

/// Runs `test` over each carrier; if it fails, says over which.
pub fn over_both(test: impl Fn(Carrier)) {
    for carrier in CARRIERS {
        let over = Over(carrier);
        test(carrier);
        drop(over);
    }
}

struct Over(Carrier);

impl Drop for Over {
    #[expect(clippy::print_stderr, reason = "beside the message of the panic")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was over {:?}", self.0);
        }
    }
}
