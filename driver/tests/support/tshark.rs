//! tshark with our dissector, and what it says of a capture.

use std::path::Path;
use std::process::Command;

use super::pcap::{Capture, FIRST_CLIENT};
use super::support::process::skipped;

/// If it is set, a test without tshark fails.
const REQUIRE: &str = "TCPSHM_REQUIRE_TSHARK";
/// How long it may take.
const SECONDS: &str = "120";
/// What `timeout` says of a program that is not there.
const NOT_FOUND: i32 = 127;

/// A login message, a frame, or bytes that are neither, as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Which connection of the capture.
    pub(crate) connection: u16,
    pub(crate) from_client: bool,
    /// Names without the protocol's, and values: as names where numbers have names, bytes in hexadecimal digits.
    pub(crate) fields: Vec<(String, String)>,
    /// What is remarkable: the sort, and the text.
    pub(crate) remarks: Vec<(String, String)>,
}

impl Shown {
    /// The value of the first field of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }
}

/// What the dissector shows of a capture. `None`: there is no tshark, and that was said.
#[track_caller]
pub(crate) fn dissect(capture: &Capture, more: &[&str]) -> Option<Vec<Shown>> {
    // All layers: an error of the script may stand in any.
    let xml = run(capture, &[&["-T", "pdml"], more].concat())?;
    assert!(!xml.contains("Lua Error"), "{}", around(&xml, "Lua Error"));
    // What Wireshark says of a dissector that read where nothing is.
    assert!(!xml.contains("[Malformed Packet"), "{}", around(&xml, "[Malformed Packet"));
    Some(shown(&xml))
}

/// The info column of every packet.
#[track_caller]
pub(crate) fn infos(capture: &Capture) -> Option<Vec<String>> {
    let text = run(capture, &["-T", "fields", "-e", "_ws.col.Info", "-Y", "tcpshm"])?;
    Some(text.lines().map(str::to_owned).collect())
}

#[track_caller]
fn run(capture: &Capture, arguments: &[&str]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("capture.pcap");
    std::fs::write(&file, &capture.bytes).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/wireshark/tcpshm.lua");
    // A script that does not end must not hold up whoever runs the tests.
    let mut command = Command::new("timeout");
    command.args([SECONDS, "tshark", "-n", "-X", &format!("lua_script:{}", script.display())]);
    // Not with what whoever runs this has configured.
    command.env("HOME", directory.path()).env("XDG_CONFIG_HOME", directory.path());
    let output = command.arg("-r").arg(&file).args(arguments).output().unwrap();
    if output.status.code() == Some(NOT_FOUND) {
        assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and there is no tshark");
        skipped("there is no tshark");
        return None;
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !complaint.contains("Lua"), "{}: {complaint}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

fn around<'t>(text: &'t str, word: &str) -> &'t str {
    let at = text.find(word).unwrap();
    text[at..].lines().next().unwrap()
}

/// PDML has one element in a line.
fn shown(xml: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let (mut connection, mut from_client, mut ours) = (0, false, false);
    for line in xml.lines().map(str::trim) {
        let name = attribute(line, "name").unwrap_or_default();
        if line.starts_with("<proto ") {
            ours = name == "tcpshm";
            if ours {
                all.push(Shown { connection, from_client, ..Shown::default() });
            }
        }
        let port = || attribute(line, "show").unwrap().parse::<u16>().unwrap();
        match name.as_str() {
            "tcp.srcport" => from_client = port() >= FIRST_CLIENT,
            "tcp.port" if port() >= FIRST_CLIENT => connection = port() - FIRST_CLIENT,
            _ => {}
        }
        let Some(last) = all.last_mut().filter(|_| ours && line.starts_with("<field ")) else { continue };
        let show = || attribute(line, "show").unwrap();
        match (name.as_str(), name.strip_prefix("tcpshm.")) {
            ("_ws.expert", _) => last.remarks.push(Default::default()),
            ("_ws.expert.message", _) => last.remarks.last_mut().unwrap().1 = show(),
            (_, Some(name)) => match last.remarks.last_mut().filter(|remark| remark.0.is_empty()) {
                Some(remark) => name.clone_into(&mut remark.0),
                None => last.fields.push((name.to_owned(), value(line, name, show()))),
            },
            _ => {}
        }
    }
    all
}

fn value(line: &str, name: &str, show: String) -> String {
    if ["user_data", "payload", "padding", "rest"].contains(&name) {
        return attribute(line, "value").unwrap();
    }
    let label = attribute(line, "showname").unwrap_or_default();
    let named = label.strip_suffix(&format!(" ({show})")).and_then(|label| label.rsplit_once(": "));
    named.filter(|(_, name)| *name != "Unknown").map_or(show, |(_, name)| name.to_owned())
}

fn attribute(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    let (raw, _) = rest.split_once('"')?;
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&amp;", "&")];
    Some(marks.iter().fold(raw.to_owned(), |text, (mark, meant)| text.replace(mark, meant)))
}
