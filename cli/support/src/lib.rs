//! What the programs around tcpshm share: the tool, the examples and the benches.
//!
//! ```text
//!     for people         screen   events   times   spread   picture
//!     to be told         choices  ends  stop
//!     to compare with    cache_line   socket   ── course, mix, cores
//! ```
//!
//! Nothing here is part of the library, and nothing of it has to be kept stable.
#![forbid(unsafe_code)]

pub mod cache_line;
pub mod choices;
pub mod cores;
pub mod course;
pub mod ends;
pub mod events;
pub mod mix;
pub mod picture;
pub mod screen;
pub mod socket;
pub mod spread;
pub mod stop;
pub mod times;
