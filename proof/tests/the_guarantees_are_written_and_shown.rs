//! `docs/guarantees.md` says all that it should, of each promise and of each fault; every test, command and file that
//! it names exists; and the shorter table in the README says the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What a fault may do.
const WORDS: [&str; 10] = [
    "safe",
    "detected",
    "partly detected",
    "own",
    "as killed",
    "kept out",
    "cannot happen",
    "not prevented",
    "not covered",
    "not built",
];
/// What a promise says, in this order.
const PARTS: [&str; 6] =
    ["**Claim.**", "* *Scope.*", "* *Mechanism.*", "* *Check.*", "* *Evidence.*", "* *Not promised.*"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the table whose first heading is "fault", as cells.
fn faults(document: &str) -> Vec<Vec<String>> {
    let table = document.lines().skip_while(|line| !line.starts_with("| fault |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

/// What stands between backquotes.
fn quoted(document: &str) -> impl Iterator<Item = &str> {
    document.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The word after `option` in a command.
fn after<'a>(command: &'a str, option: &str) -> Option<&'a str> {
    command.split_once(option)?.1.split_whitespace().next()
}

/// Whether a command can be run: its script, part, example, test or bench is there.
fn can_be_run(command: &str) -> bool {
    let is_file = |path: String| root().join(path).exists();
    if command.starts_with(".ci/") {
        return is_file(command.split_whitespace().next().unwrap_or_default().to_owned());
    }
    if let Some(part) = after(command, " -p proof -- ") {
        let program = read("proof/src/main.rs");
        let parts = program.split_once("enum Part {").expect("a list of parts").1;
        let parts = parts.split_once('}').expect("an end of it").0;
        return parts.lines().any(|line| {
            let name = line.trim().split(|char: char| !char.is_alphanumeric()).next();
            name.is_some_and(|name| name.eq_ignore_ascii_case(part))
        });
    }
    if let Some(example) = after(command, "--example ") {
        let package = after(command, " -p ").unwrap_or("examples");
        return is_file(format!("{package}/{example}.rs"));
    }
    if let Some(bench) = after(command, "--bench ") {
        return is_file(format!("benches/{bench}.rs"));
    }
    let package = after(command, " -p ").unwrap_or_default().trim_start_matches("tcpshm-");
    match after(command, "--test ") {
        Some(test) => {
            is_file(format!("{package}/tests/{test}.rs"))
                || is_file(format!("{package}/tests/{test}/main.rs"))
        }
        None => is_file(format!("{package}/Cargo.toml")),
    }
}

#[test]
fn every_test_that_is_linked_is_in_its_file() {
    let document = read("docs/guarantees.md");
    let mut links = 0;
    for link in document.split("[`").skip(1) {
        let (name, rest) = link.split_once("`](").expect("a link");
        let path = rest.split_once(')').expect("an end of it").0.trim_start_matches("../");
        assert!(read(path).contains(&format!("fn {name}(")), "no test {name} in {path}");
        links += 1;
    }
    assert!(links >= 60, "only {links} links");
    // A name that is no link is not checked, so there is none.
    let linked = |name: &str| document.contains(&format!("[`{name}`](")) || name.len() < 20;
    let stray: Vec<_> = quoted(&document).filter(|text| is_name(text) && !linked(text)).collect();
    assert!(stray.is_empty(), "{stray:?}");
}

#[test]
fn every_command_can_be_run() {
    let mut commands = 0;
    for path in ["docs/guarantees.md", "README.md"] {
        let document = read(path);
        let is_command =
            |text: &&str| text.starts_with("cargo ") && text.contains("-p ") || text.starts_with(".ci/");
        for command in quoted(&document).filter(is_command) {
            assert!(can_be_run(command), "{path}: {command}");
            commands += 1;
        }
    }
    assert!(commands >= 20, "only {commands} commands");
}

#[test]
fn every_promise_says_all_that_a_promise_says() {
    let document = read("docs/guarantees.md");
    let promises: Vec<&str> = document.split("\n### ").skip(1).collect();
    assert!(promises.len() >= 8, "only {}", promises.len());
    for promise in promises {
        let promise = promise.split("\n## ").next().unwrap_or_default();
        let places: Vec<_> = PARTS.map(|part| promise.find(part)).into_iter().collect();
        let title = promise.lines().next().unwrap_or_default();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{title}: {places:?}");
        assert!(promise.contains(".rs)"), "{title}: no evidence");
        for word in [" never ", " always ", " automatic"] {
            assert!(!promise.contains(word), "{title}: '{word}' is no scope");
        }
    }
}

#[test]
fn every_cell_is_one_of_the_words_and_every_fault_is_shown() {
    let document = read("docs/guarantees.md");
    let rows = faults(&document);
    assert!(rows.len() >= 20, "only {} faults", rows.len());
    for row in &rows {
        let [fault, tcp, shm, durable, memfd, note, tests] = &row[..] else { panic!("{row:?}") };
        for cell in [tcp, shm, durable, memfd] {
            assert!(WORDS.contains(&cell.as_str()), "{fault}: '{cell}'");
        }
        assert!(!note.is_empty() && tests.contains(".rs)"), "{fault}");
    }
    // Each word is explained before it is used.
    let explained = document.split_once("| fault |").expect("a table").0;
    for word in WORDS {
        assert!(explained.contains(&format!("**{word}**")), "{word}");
    }
}

#[test]
fn the_table_in_the_readme_says_the_same() {
    let said = |row: &[String]| match (&row[1], &row[2]) {
        (tcp, shm) if tcp == shm => format!("**{tcp}**"),
        (tcp, shm) => format!("TCP **{tcp}**, shared memory **{shm}**"),
    };
    let rows = faults(&read("docs/guarantees.md"));
    let long: BTreeMap<String, String> = rows.iter().map(|row| (row[0].clone(), said(row))).collect();
    let short = faults(&read("README.md"));
    assert_eq!(
        short.iter().map(|row| &row[0]).collect::<Vec<_>>(),
        rows.iter().map(|row| &row[0]).collect::<Vec<_>>()
    );
    for row in short {
        let said = &long[&row[0]];
        assert!(
            row[1].starts_with(said.as_str()),
            "{}: the README should begin with {said}: {}",
            row[0],
            row[1]
        );
    }
}
