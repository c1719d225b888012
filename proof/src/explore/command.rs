//! `proof explore`.

use std::time::Instant;

use super::{Report, Rules, Tally, large, logins, replay, search, small};

/// Goes through every state of small links, and every login of two small files.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Searches to run, by name, or `logins`; all of them by default
    names: Vec<String>,
    /// States that one search looks at, at most; a search that is cut short says so
    #[arg(long, default_value_t = 450_000)]
    states: usize,
    /// Threads; how many changes nothing but the time
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Instead of a search, the events of one path, as a violation tells them; name the search too
    #[arg(long)]
    path: Option<String>,
    /// Lists the searches
    #[arg(long)]
    list: bool,
}

/// What the search over all logins is called.
const LOGINS: &str = "logins";

/// Runs the searches and tells what they found.
#[expect(clippy::print_stdout, reason = "a report")]
pub fn run(options: &Options) -> Result<(), String> {
    let small = small();
    // These are small enough to be gone through to the end: one that is cut short is a failure.
    let must_close = |rules: &Rules| small.iter().any(|small| small.name == rules.name);
    let all: Vec<Rules> = small.iter().cloned().chain(large()).collect();
    if options.list {
        all.iter().for_each(|rules| println!("{:<14} {:?} {:?}", rules.name, rules.carrier, rules.budget));
        return Ok(());
    }
    let known = |name: &String| name == LOGINS || all.iter().any(|rules| rules.name == *name);
    if let Some(unknown) = options.names.iter().find(|name| !known(name)) {
        return Err(format!("there is no search {unknown}; --list names them"));
    }
    let chosen = |name: &str| options.names.is_empty() || options.names.iter().any(|chosen| chosen == name);
    if let Some(path) = &options.path {
        let [name] = &options.names[..] else { return Err("a path belongs to one search: name it".into()) };
        let rules = all.iter().find(|rules| rules.name == name).ok_or("no such search")?;
        replay(rules, path, |line| println!("{line}"))?;
        println!("explore: path replayed, violations=0");
        return Ok(());
    }
    let mut sum = Sum::default();
    for rules in all.iter().filter(|rules| chosen(rules.name)) {
        let start = Instant::now();
        let report = search(rules, options.states, options.threads.max(1));
        println!("{report}, {:.1} s", start.elapsed().as_secs_f64());
        sum.add(rules, &report, must_close(rules));
    }
    if chosen(LOGINS) {
        let found = logins::all();
        println!("{found}");
        sum.logins = found.logins;
        sum.faults.extend(found.faults);
    }
    sum.tell()
}

/// What all searches found.
#[derive(Debug, Default)]
struct Sum {
    searches: usize,
    closed: usize,
    states: usize,
    transitions: u64,
    logins: u64,
    tally: Tally,
    faults: Vec<String>,
}

impl Sum {
    fn add(&mut self, rules: &Rules, report: &Report, must_close: bool) {
        self.searches += 1;
        self.closed += usize::from(report.is_closed());
        self.states += report.states;
        self.transitions += report.transitions;
        self.tally.add(&report.tally);
        if let Some(found) = &report.violation {
            let Rules { name, .. } = rules;
            self.faults.push(format!("{}\n  proof explore {name} --path \"{}\"", found.failure, found.path));
        } else if must_close && !report.is_closed() {
            self.faults
                .push(format!("{} was cut short, and its states are few enough to see them all", rules.name));
        } else if report.is_closed() {
            // What never happened was never examined.
            let missing = report.tally.missing(rules);
            let never = |name| format!("{}: `{name}` never happened", rules.name);
            self.faults.extend(missing.into_iter().map(never));
        }
    }

    #[expect(clippy::print_stdout, reason = "a report")]
    fn tell(self) -> Result<(), String> {
        println!("\nevents, by name:");
        let rows: Vec<_> = self.tally.rows().filter(|(_, count)| *count > 0).collect();
        for row in rows.chunks(3) {
            let cells = row.iter().map(|(name, count)| format!("{name:<30}{count:>11}"));
            println!("  {}", cells.collect::<Vec<_>>().join("   "));
        }
        println!();
        let Self { searches, closed, states, transitions, logins, faults, .. } = self;
        let violations = faults.len();
        println!(
            "explore: states={states} transitions={transitions} searches={searches} closed={closed} \
             logins={logins} violations={violations}"
        );
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }
}
