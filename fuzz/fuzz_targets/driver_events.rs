#![no_main]
//! The body, and what it checks, is `tcpshm_driver::fuzz::driver_events`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let directory = tempfile::tempdir().expect("a directory for link files");
    tcpshm_driver::fuzz::driver_events(directory.path(), bytes);
});
