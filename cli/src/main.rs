//! The program `tcpshm`. Everything is in the library, where tests and fuzzing reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tcpshm_cli::main()
}
