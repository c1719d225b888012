//! `proof disk`.
#![expect(clippy::print_stdout, reason = "a report")]

use super::mounts;
use super::scenes::SCENES;

/// Options of `proof disk`.
#[derive(Debug, clap::Args)]
pub struct Options {}

/// Plays every scene, each on a small disk of its own.
pub fn run(_: &Options) -> Result<(), String> {
    if let Err(error) = mounts::enter_namespace() {
        println!("SKIPPED: a small disk takes a mount namespace, and that is not given: {error}");
        return Ok(());
    }
    let (mut messages, mut refused, mut violations) = (0, 0, 0);
    println!("{:36} {:>6} {:>8} {:>8}", "scene", "pages", "refused", "messages");
    for scene in &SCENES {
        let shown = scene.play().map_err(|error| format!("{}: {error}", scene.name))?;
        println!("{:36} {:6} {:8} {:8}", scene.name, shown.pages, shown.refused, shown.messages);
        let mut found = shown.violations;
        if scene.fills != (shown.pages > 0) {
            found.push(format!("{} pages were taken", shown.pages));
        }
        found.extend((shown.messages == 0).then(|| "nothing was consumed".to_owned()));
        found.iter().for_each(|text| println!("VIOLATION {}: {text}", scene.name));
        (messages, refused) = (messages + shown.messages, refused + shown.refused);
        violations += found.len();
    }
    println!("disk: scenes={} refused={refused} messages={messages} violations={violations}", SCENES.len());
    if violations == 0 { Ok(()) } else { Err(format!("{violations} violations")) }
}
