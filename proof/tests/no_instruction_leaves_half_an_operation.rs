//! A process is stepped through each operation on its link file, instruction after instruction, and what a kill
//! would leave after each is the state before or after. `proof step` does it for operations on whole files too,
//! and in the builds that users run.

use std::path::Path;

use proof::step::{CANNOT_BE_TRACED, Selection, step_through};

/// Instructions: all operations on messages, on both sides and both carriers in turn.
const INSTRUCTIONS: u64 = 20_000;

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see it")]
fn of_messages_and_logins() {
    let selection = Selection {
        seed: 1,
        instructions: INSTRUCTIONS,
        operation: None,
        role: None,
        carrier: None,
        files: false,
    };
    match step_through(Path::new(env!("CARGO_BIN_EXE_proof")), &selection) {
        Err(text) if text.contains(CANNOT_BE_TRACED) => eprintln!("SKIPPED: {text}"),
        Err(text) => panic!("{text}"),
        Ok(report) => {
            assert!(report.instructions() >= INSTRUCTIONS, "{report}");
            assert!(report.images() >= 100 && report.resumed() == report.images(), "{report}");
        }
    }
}
