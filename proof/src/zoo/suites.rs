//! Tests that must fail while a defect is released, and pass while none is.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tcpshm_protocol::zoo::{Bug, VARIABLE};

use super::catalogue::Test;

/// Every test has a deadline of its own, a minute at most, so one that takes so much longer hangs, whatever else
/// the machine has to do.
const DEADLINE: Duration = Duration::from_secs(240);

/// The programs that tests are in, by package and target.
#[derive(Debug, Default)]
pub(super) struct Suites(BTreeMap<(&'static str, &'static str), PathBuf>);

/// What a test said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Passed,
    Failed,
    /// It did not run to its end, or not at all.
    Nothing,
}

impl Suites {
    /// Builds the programs that these tests are in, with the feature that holds the defects.
    pub(super) fn build(tests: &[Test]) -> Result<Self, String> {
        let mut suites = Self::default();
        for test in tests {
            suites.0.insert((test.package, test.target), PathBuf::new());
        }
        let mut packages: Vec<_> = suites.0.keys().map(|(package, _)| *package).collect();
        packages.dedup();
        for package in packages {
            suites.build_package(package)?;
        }
        match suites.0.iter().find(|(_, program)| program.as_os_str().is_empty()) {
            Some(((package, target), _)) => Err(format!("no program for the tests in {target} of {package}")),
            None => Ok(suites),
        }
    }

    fn build_package(&mut self, package: &str) -> Result<(), String> {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--no-run", "--locked", "--features", "zoo", "--package", package]);
        for (_, target) in self.0.keys().filter(|(of, _)| *of == package) {
            match *target {
                LIBRARY => cargo.arg("--lib"),
                target => cargo.args(["--test", target]),
            };
        }
        let output = cargo.current_dir(root()).output().map_err(|error| format!("cargo: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("the tests of {package} do not build:\n{said}"));
        }
        for ((_, target), program) in self.0.iter_mut().filter(|((of, _), _)| *of == package) {
            let stem = if *target == LIBRARY { package.replace('-', "_") } else { (*target).to_owned() };
            program.extend(said.lines().find_map(|line| executable(line, &stem)));
        }
        Ok(())
    }

    /// Runs one test with this defect, or with none.
    pub(super) fn run(&self, test: &Test, bug: Option<Bug>) -> Result<Said, String> {
        let program = self.0.get(&(test.package, test.target)).ok_or("a test that was not built")?;
        let mut command = Command::new(program);
        // As cargo does.
        command.current_dir(root().join(test.package.trim_start_matches("tcpshm-")));
        command.args(["--exact", test.name]).stdout(Stdio::piped()).stderr(Stdio::null());
        match bug {
            Some(bug) => command.env(VARIABLE, bug.to_string()),
            None => command.env_remove(VARIABLE),
        };
        let output = output_in_time(command)?;
        let says = |end: &str| output.lines().any(|line| line == format!("test {} ... {end}", test.name));
        Ok(match (says("ok"), says("FAILED")) {
            (true, false) => Said::Passed,
            (false, true) => Said::Failed,
            _ => Said::Nothing,
        })
    }
}

/// The unit tests of a package, as a target.
pub(super) const LIBRARY: &str = "lib";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program that a line like `Executable tests/echo.rs (target/debug/deps/echo-0123abc)` names.
fn executable(line: &str, stem: &str) -> Option<PathBuf> {
    let (_, path) = line.trim().strip_prefix("Executable")?.rsplit_once('(')?;
    let path = Path::new(path.strip_suffix(')')?);
    let (name, _hash) = path.file_name()?.to_str()?.rsplit_once('-')?;
    (name == stem).then(|| root().join(path))
}

/// What it printed, as far as it came within the deadline.
fn output_in_time(mut command: Command) -> Result<String, String> {
    let spawned = command.spawn();
    let mut child = spawned.map_err(|error| format!("{command:?}: {error}"))?;
    let mut stdout = child.stdout.take().ok_or("a test without an output")?;
    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let end = stdout.read_to_end(&mut bytes);
        // It is waited for no longer than the deadline.
        let _ = sender.send(());
        end.map(|_| bytes)
    });
    if receiver.recv_timeout(DEADLINE).is_err() {
        child.kill().map_err(|error| format!("a test that hangs: {error}"))?;
    }
    child.wait().map_err(|error| format!("a test: {error}"))?;
    let bytes = reader.join().map_err(|_| "the reader of a test's output")?;
    let bytes = bytes.map_err(|error| format!("a test's output: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
