#![no_main]
//! The body, and what it checks, is `proof::sim::fuzz`: the bytes are a schedule of the simulator.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    proof::sim::fuzz(bytes);
});
