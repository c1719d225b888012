#![no_main]
//! The bodies, and what they check, are `tcpshm_protocol::fuzz::names` and `tcpshm_shm::fuzz::names`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tcpshm_protocol::fuzz::names(bytes);
    tcpshm_shm::fuzz::names(bytes);
});
