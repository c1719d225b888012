//! A disk that is full: what is there goes on, what is new is told so, and works when there is room again.
//!
//! Each scene has a file system of its own, of 64 KiB of memory, in a mount namespace that nobody else sees.
//! A filler takes its last byte, before or in the middle of the scene. The two sides are
//! those of [`calls`](crate::calls), which write down whatever they do, and are judged as they are there.

pub mod command;
mod filler;
mod mounts;
mod scenes;
