//! One run of a bench, from the first login to the last answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tcpshm_driver::{Carrier, Client, ClientConfig, Driver, EventLoop};
use tcpshm_support::choices::IdleChoice;
use tcpshm_support::cores::Cores;
use tcpshm_support::screen::{REFRESH, Screen, grouped};
use tcpshm_support::stop::Stop;

use super::child::{Killer, Plan, Server};
use super::ledger::Counts;
use super::load::{Load, Pace};
use super::{Options, home};
use crate::failure::Failure;
use crate::meter::Meter;
use crate::turning::turn;

/// Between two looks at the socket while shared memory is polled: what comes there is no message.
const VISIT: Duration = Duration::from_micros(100);
/// How long a run that was stopped waits for what is in flight.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Polls between two looks at the clock in an open loop: some hundred nanoseconds.
const POLLS: u32 = 8;

/// What a run came to.
pub(super) struct Found {
    pub(super) carrier: Carrier,
    pub(super) times: Meter,
    pub(super) counts: Counts,
    /// From the first message to the last answer.
    pub(super) took: Duration,
    pub(super) kills: u64,
    pub(super) recovery: Meter,
    /// A signal ended it early.
    pub(super) stopped: bool,
}

/// Runs, with a server of its own unless another one is named.
pub(super) fn run(options: &Options, pace: Pace, idle: IdleChoice, cores: Cores) -> Result<Found, Failure> {
    // Removed when its server has ended.
    let childs_home;
    let (mut server, mut killer) = (None, None);
    let mut config = match options.connect {
        Some(address) => ClientConfig::new(options.name.clone(), &options.dir, address),
        None => {
            childs_home = home()?;
            let home = childs_home.path();
            let plan = Plan { dir: home.to_owned(), carrier: options.carrier, idle, core: cores.far };
            let listen = SocketAddr::from(([127, 0, 0, 1], 0));
            let child = Server::start(&plan, listen).map_err(Failure::call("starting a server"))?;
            let address = child.address;
            match options.kill_every {
                Some(every) => killer = Some(Killer::start(plan, child, every)),
                None => server = Some(child),
            }
            ClientConfig::new(options.name.clone(), home, address)
        }
    };
    config.carrier = options.carrier.wish();
    let largest = config.link.limits.send.largest();
    if options.size > largest as usize {
        return Err(Failure::TooLarge { size: options.size, largest });
    }
    let address = config.addresses[0];
    let client = EventLoop::new(Client::new(config)?, Instant::now).map_err(Failure::call("epoll"))?;
    let mut run = Run {
        events: client.with_idle(idle.strategy()),
        app: Load::new(pace, options.size, Instant::now()),
        idle,
        address,
        open_loop: matches!(pace, Pace::Rate(_)),
        visited: Instant::now(),
        killer,
    };
    let found = run.go(options);
    run.events.shut_down(&mut run.app);
    drop(server);
    found
}

/// A client at work.
struct Run {
    events: EventLoop<Client>,
    app: Load,
    idle: IdleChoice,
    address: SocketAddr,
    open_loop: bool,
    visited: Instant,
    killer: Option<Killer>,
}

impl Run {
    fn go(&mut self, options: &Options) -> Result<Found, Failure> {
        let stop = Stop::register(self.events.registry(), false).map_err(Failure::call("signals"))?;
        let mut screen = Screen::new();
        self.connect(&stop, options.timeout)?;
        let mut stopped = false;
        let began = Instant::now();
        self.app.begin(began, options.warm_up, options.duration);
        let mut ending = false;
        let mut patience = None;
        loop {
            let now = self.step()?;
            if stop.asked(self.events.foreign()).is_some() {
                // The second time it is not waited for what is in flight.
                if std::mem::replace(&mut stopped, true) {
                    break;
                }
                self.app.end(now);
                patience = Some(now + LAST_ANSWERS);
            }
            if patience.is_some_and(|until| now >= until) {
                break;
            }
            self.take_kills()?;
            if self.app.is_over(now)
                && !std::mem::replace(&mut ending, true)
                && let Some(killer) = &mut self.killer
            {
                killer.stop();
            }
            if self.app.is_done(now) {
                break;
            }
            if self.app.ledger.in_flight() > 0
                && now.saturating_duration_since(self.app.heard) > options.timeout
            {
                // It was waited for long enough: that is the answer.
                break;
            }
            self.check(now, options.timeout)?;
            screen.progress(now, || self.progress(now, began, options));
        }
        screen.clear();
        if !stopped {
            if self.app.strange && self.app.ledger.counts().answered == 0 {
                let why = "it sends other messages: is it an echo?".to_owned();
                return Err(Failure::NoAnswer { address: self.address, waited: options.timeout, why });
            }
            self.app.ledger.give_up();
        }
        let carrier = self.app.carrier.ok_or(Failure::Stopped)?;
        let Load { times, recovery, kills, ledger, heard, .. } = &self.app;
        Ok(Found {
            carrier,
            times: times.clone(),
            counts: ledger.counts(),
            took: heard.saturating_duration_since(began),
            kills: *kills,
            recovery: recovery.clone(),
            stopped,
        })
    }

    fn connect(&mut self, stop: &Stop, timeout: Duration) -> Result<(), Failure> {
        while self.app.carrier.is_none() {
            turn(&mut self.events, &mut self.app, self.idle, Some(REFRESH))
                .map_err(Failure::call("connecting"))?;
            if stop.asked(self.events.foreign()).is_some() {
                return Err(Failure::Stopped);
            }
            self.check(Instant::now(), timeout)?;
        }
        Ok(())
    }

    /// Sends what is due, and takes what has come. Returns the time.
    fn step(&mut self) -> Result<Instant, Failure> {
        let mut now = Instant::now();
        if self.app.can_send(now)
            && let Some(mut link) = self.events.driver().link(now)
        {
            self.app.send(now, &mut link);
            drop(link);
            now = Instant::now();
        }
        let driver = self.events.driver();
        if self.open_loop && self.idle == IdleChoice::Spin && driver.is_polling() {
            // A whole turn of the loop would be longer than it is from one message to the next.
            for _ in 0..POLLS {
                driver.poll(&mut self.app);
            }
            if driver.has_work() || now.saturating_duration_since(self.visited) >= VISIT {
                self.visited = now;
                self.events.spin_turn(&mut self.app).map_err(Failure::call("running"))?;
            }
        } else {
            let wait = self.app.wait(now);
            turn(&mut self.events, &mut self.app, self.idle, Some(wait)).map_err(Failure::call("running"))?;
        }
        Ok(now)
    }

    fn take_kills(&mut self) -> Result<(), Failure> {
        let Some(killer) = &self.killer else { return Ok(()) };
        for killed in killer.kills.try_iter() {
            self.app.killed(killed.map_err(Failure::call("starting the server again"))?);
        }
        Ok(())
    }

    /// Whether it makes sense to go on.
    fn check(&self, now: Instant, timeout: Duration) -> Result<(), Failure> {
        if let Some(error) = self.app.refused {
            return Err(Failure::Send(error));
        }
        let waited = now.saturating_duration_since(self.app.heard);
        if self.app.carrier.is_none() && waited > timeout {
            let why = self.app.trouble.clone().unwrap_or_else(|| "nothing was heard".to_owned());
            return Err(Failure::NoAnswer { address: self.address, waited, why });
        }
        Ok(())
    }

    fn progress(&self, now: Instant, began: Instant, options: &Options) -> String {
        let ran = now.saturating_duration_since(began).as_secs_f64();
        let whole = (options.warm_up + options.duration).as_secs_f64();
        let kills = match self.app.kills {
            0 => String::new(),
            kills => format!(", {kills} kills"),
        };
        let answered = grouped(self.app.ledger.counts().answered);
        format!("{:.1} s of {whole:.1} s, {answered} answered{kills}", ran.min(whole))
    }
}
