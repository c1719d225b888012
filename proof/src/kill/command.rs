//! `proof kill`: all settings, one after the other.

use std::time::Instant;

use super::arena::Setting;
use super::carrier::Carriage;
use super::tally::Tally;

/// Kills real processes with SIGKILL, and judges what they did.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Processes to kill, shared among the settings.
    #[arg(long, default_value_t = 1000)]
    pub kills: u64,
    /// What all decisions follow from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// What shall carry the links; may be given several times [default: all]
    #[arg(long)]
    pub carrier: Vec<Carriage>,
    /// How many links; may be given several times [default: 1, 8 and 64]
    #[arg(long)]
    pub links: Vec<u16>,
    /// Whether the chaos proxy is between the two.
    #[arg(long, value_enum, default_value_t = Between::Both)]
    pub proxy: Between,
    /// Remove link files at random while both run.
    #[arg(long)]
    pub sweep: bool,
}

/// What is between clients and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Between {
    /// The loopback interface only.
    Without,
    /// The chaos proxy.
    With,
    /// Each in turn.
    Both,
}

/// From this many kills on, whatever is to happen must have happened.
const MANY: u64 = 900;

impl Options {
    /// The settings, each with its share of the kills and a seed of its own that does not depend on the others.
    fn settings(&self) -> Result<Vec<Setting>, String> {
        let program = std::env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
        let carriers = if self.carrier.is_empty() { &Carriage::ALL[..] } else { &self.carrier };
        let links = if self.links.is_empty() { &[1, 8, 64][..] } else { &self.links };
        let proxies = match self.proxy {
            Between::Without => &[false][..],
            Between::With => &[true],
            Between::Both => &[false, true],
        };
        let count = (carriers.len() * links.len() * proxies.len()) as u64;
        let mut settings = Vec::new();
        for carriage in carriers.iter().copied() {
            for links in links.iter().copied().filter(|links| *links > 0) {
                for proxy in proxies.iter().copied() {
                    let own = carriage as u64 | u64::from(proxy) << 8 | u64::from(links) << 16;
                    settings.push(Setting {
                        program: program.clone(),
                        carriage,
                        links,
                        proxy,
                        sweep: self.sweep,
                        kills: self.kills.div_ceil(count),
                        seed: self.seed ^ own.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    });
                }
            }
        }
        Ok(settings)
    }

    /// The line that repeats one setting.
    fn repeat(&self, setting: &Setting) -> String {
        let Setting { carriage, links, kills, .. } = setting;
        let proxy = if setting.proxy { "with" } else { "without" };
        let sweep = if self.sweep { " --sweep" } else { "" };
        let seed = self.seed;
        format!(
            "proof kill --seed {seed} --carrier {carriage} --links {links} --proxy {proxy} --kills {kills}{sweep}"
        )
    }

    /// What must have happened in a long run with these settings.
    fn required(&self) -> Vec<&'static str> {
        let mut required = vec![
            "kills of the server",
            "kills of the client",
            "both killed",
            "stops",
            "killed before any link",
            "killed in a commit",
            "killed in an answer",
            "killed in a consumption",
            "effects repeated",
            "requests answered",
            "open at a kill, happened",
            "open at a kill, did not",
            "ends by silence",
        ];
        if self.carrier.is_empty() {
            required.extend(["connections over tcp", "connections over shm", "ends on purpose"]);
        }
        if self.proxy != Between::Without {
            required.extend([
                "takeovers",
                "proxy split",
                "proxy joined",
                "proxy stalled",
                "proxy cut",
                "proxy reset",
                "proxy deaf",
                "proxy half-open",
                "proxy replayed",
                "proxy astray",
            ]);
        }
        if self.sweep {
            required.extend(["files removed", "files replaced", "ends by a missing file"]);
        }
        required
    }
}

/// Runs all settings, and prints what was counted.
#[expect(clippy::print_stdout, reason = "the report")]
pub fn run(options: &Options) -> Result<(), String> {
    let start = Instant::now();
    let mut total = Tally::default();
    let settings = options.settings()?;
    for setting in &settings {
        let began = Instant::now();
        let result = setting.run();
        let mut tally =
            result.map_err(|text| format!("{text}\nto repeat it: {}", options.repeat(setting)))?;
        println!(
            "carrier={:<8} links={:<3} proxy={:<5} kills={} committed={} effects_repeated={} resumed_p50_us={} p99_us={} max_us={} seconds={:.1}",
            setting.carriage,
            setting.links,
            setting.proxy,
            tally.count("kills"),
            tally.count("committed"),
            tally.count("effects repeated"),
            tally.resumed_within(50),
            tally.resumed_within(99),
            tally.resumed_within(100),
            began.elapsed().as_secs_f64()
        );
        total.merge(tally);
    }
    print!("{total}");
    let missing: Vec<&str> = options.required().into_iter().filter(|what| total.count(what) == 0).collect();
    if total.count("kills") >= MANY && !missing.is_empty() {
        return Err(format!("a run in which these never happened proves too little: {}", missing.join(", ")));
    }
    let links: u64 = settings.iter().map(|setting| u64::from(setting.links)).sum();
    println!(
        "kill: kills={} links={links} inside={} stops={} takeovers={} committed={} effects={} resumed_p50_us={} resumed_p99_us={} resumed_max_us={} violations=0 seed={} seconds={}",
        total.count("kills"),
        total.inside(),
        total.count("stops"),
        total.count("takeovers"),
        total.count("committed"),
        total.count("effects"),
        total.resumed_within(50),
        total.resumed_within(99),
        total.resumed_within(100),
        options.seed,
        start.elapsed().as_secs()
    );
    Ok(())
}
