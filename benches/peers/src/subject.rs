//! A row: something that makes batches of round trips to another process.

use std::io;

use benches::{CacheLine, Course, Plan};

/// The near side of a peer, or of a floor. The far one sleeps between batches.
pub(crate) trait Subject {
    /// Makes one batch.
    fn run(&mut self, plan: Plan) -> io::Result<&Course>;

    /// What was measured.
    fn course(&self) -> &Course;
}

impl Subject for CacheLine {
    fn run(&mut self, plan: Plan) -> io::Result<&Course> {
        Ok(CacheLine::run(self, plan))
    }

    fn course(&self) -> &Course {
        CacheLine::course(self)
    }
}
