//! A client that behaves: it sends a message, waits for its echo, and times it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tcpshm_driver::{
    BackOff, Client, ClientConfig, Connected, Disconnected, EventLoop, Handler, Kind, Link, Received,
};

const KIND: Kind = Kind::new(1).expect("not 0");
/// Between two echoes: often enough to notice a gap, seldom enough to leave the processor to the others.
const PAUSE: Duration = Duration::from_millis(1);

/// A good client in a thread of its own, until it is dropped.
#[derive(Debug)]
pub(super) struct Good {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    news: Mutex<News>,
}

/// What happened since it was last asked.
#[derive(Debug, Default)]
pub(super) struct News {
    /// How long each echo took, in microseconds.
    pub(super) echoes: Vec<u64>,
    /// Links that came and that went.
    pub(super) connected: u64,
    pub(super) disconnected: u64,
    /// Since when an echo is owed.
    owed: Option<Instant>,
    /// The program itself failed.
    pub(super) trouble: Option<String>,
}

struct App {
    shared: Arc<Shared>,
    connected: bool,
    due: Option<Instant>,
}

impl Handler for App {
    fn message(&mut self, link: &mut Link<'_>, received: Received<'_>) {
        link.consume(received).expect("messages come in order");
        let mut news = self.shared.news();
        if let Some(since) = news.owed.take() {
            news.echoes.push(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        self.due = Some(Instant::now() + PAUSE);
    }

    fn connected(&mut self, _: &mut Link<'_>, _: &Connected) {
        self.connected = true;
        self.shared.news().connected += 1;
    }

    fn disconnected(&mut self, _: &mut Link<'_>, _: &Disconnected) {
        self.connected = false;
        self.shared.news().disconnected += 1;
    }
}

impl Shared {
    fn news(&self) -> MutexGuard<'_, News> {
        // Whoever panicked while it had it, left it whole.
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Good {
    /// Starts one with this name.
    pub(super) fn start(name: &str, directory: &Path, server: SocketAddr) -> Result<Self, String> {
        let name = name.parse().map_err(|error| format!("{name}: {error}"))?;
        let mut config = ClientConfig::new(name, directory, server);
        config.back_off = BackOff { first: PAUSE, most: Duration::from_millis(50) };
        let client = Client::new(config).map_err(|error| error.to_string())?;
        let events = EventLoop::new(client, Instant::now).map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared::default());
        let app = App { shared: Arc::clone(&shared), connected: false, due: None };
        let thread = thread::spawn(move || {
            let shared = Arc::clone(&app.shared);
            if let Err(error) = run(events, app) {
                shared.news().trouble = Some(error.to_string());
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What happened since this was last asked. An echo that is owed for long counts with the time it took so far.
    pub(super) fn news(&self) -> News {
        let mut news = self.shared.news();
        let owed = news.owed;
        let mut taken = std::mem::take(&mut *news);
        news.owed = owed;
        if let Some(since) = owed {
            taken.echoes.push(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        taken
    }

    /// Waits until an echo has come. False if none does in time.
    pub(super) fn is_served_within(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            if !self.shared.news().echoes.is_empty() {
                return true;
            }
            thread::sleep(PAUSE);
        }
        false
    }
}

impl Drop for Good {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of it has been printed.
            let _ = thread.join();
        }
    }
}

fn run(mut events: EventLoop<Client>, mut app: App) -> std::io::Result<()> {
    while !app.shared.stop.load(Ordering::Relaxed) {
        events.turn(&mut app, Some(PAUSE))?;
        let now = events.now();
        let waiting = app.shared.news().owed.is_some();
        if app.connected && !waiting && app.due.is_none_or(|due| due <= now) {
            app.shared.news().owed = Some(now);
            if let Some(mut link) = events.driver().link(now)
                && link.send(KIND, &[0; 64]).is_err()
            {
                app.shared.news().owed = None;
            }
        }
    }
    events.shut_down(&mut app);
    Ok(())
}
