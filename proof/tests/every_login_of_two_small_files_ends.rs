//! Whatever the two sides hold, whatever their policies, with or without a connection that the server still
//! believes in, and cut after any message: the logins end as the table of identities has it, after a few.

use proof::explore::logins;

#[test]
fn as_the_table_has_it() {
    let found = logins::few();
    assert!(found.faults.is_empty(), "{found}\n{}", found.faults.join("\n\n"));
    assert!(found.combinations > 1_000 && found.logins > 20_000, "{found}");
    assert!(found.ends.iter().all(|count| *count > 10), "{found}: every end is reached");
    assert!(found.most <= 3, "{found}");
}
