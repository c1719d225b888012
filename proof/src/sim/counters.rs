//! How often the rare things happened.

/// How often the rare things happened. A schedule that never does them proves nothing.
#[derive(Debug, Default)]
pub struct Counters {
    /// A process died.
    pub deaths: usize,
    /// A process died while not both were attached.
    pub deaths_in_login: usize,
    /// A client noticed the end of its connection.
    pub cuts: usize,
    /// A newer login took over.
    pub takeovers: usize,
    /// A side gave the other up.
    pub timeouts: usize,
    /// Messages were held.
    pub held: usize,
    /// A ring was full.
    pub full: usize,
    /// Batches were committed.
    pub batches: usize,
    /// Messages were consumed.
    pub delivered: usize,
    /// Both sides waited for each other.
    pub stalls: usize,
    /// Steps after which shared memory carried the link.
    pub shared: usize,
    /// The client wished for another carrier than before.
    pub changes: usize,
    /// The same, with messages that were held or not known to be consumed.
    pub burdened: usize,
    /// A side that read on found that the other had left the memory.
    pub left: usize,
}
