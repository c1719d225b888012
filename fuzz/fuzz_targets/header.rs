#![no_main]
//! The body, and what it checks, is `tcpshm_protocol::fuzz::header`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tcpshm_protocol::fuzz::header(bytes);
});
