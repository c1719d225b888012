//! Draws the latency distributions that benches have written with `--json`.
//!
//! ```text
//! cargo bench --bench rtt -- --json rtt.json
//! cargo run --release -p benches --example plot -- rtt.json --out rtt.svg
//! ```
//!
//! Of several files all are drawn into one picture; `--only` picks rows by a part of their names.
#![expect(clippy::print_stdout, reason = "it says what it wrote")]

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;

use benches::{Curve, curves, draw};
use clap::Parser;

#[derive(Parser)]
struct Arguments {
    /// What benches have written
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The picture
    #[arg(long, default_value = "latency.svg")]
    out: PathBuf,
    /// Only rows whose names contain one of these
    #[arg(long)]
    only: Vec<String>,
    /// What stands above it
    #[arg(long, default_value = "How long it took, by how many of all took no longer")]
    title: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut all: Vec<(String, Curve)> = Vec::new();
    for file in &arguments.files {
        let found = serde_json::from_reader(File::open(file)?)?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        // Which file it is from, where there are several.
        let named = |(name, curve)| match arguments.files.len() {
            1 => (name, curve),
            _ => (format!("{stem}: {name}"), curve),
        };
        all.extend(curves(&found).into_iter().map(named));
    }
    let wanted =
        |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|part| name.contains(part));
    all.retain(|(name, _)| wanted(name));
    let picture = draw(&arguments.title, &all).ok_or("there is no distribution in these files")?;
    fs::write(&arguments.out, picture)?;
    println!("{}: {} distributions", arguments.out.display(), all.len());
    Ok(())
}
