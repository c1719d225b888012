#![no_main]
//! The body, and what it checks, is `tcpshm_cli::fuzz::any_file`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tcpshm_cli::fuzz::any_file(bytes));
