//! What is said in a log, where one is wished.

mod support;

use std::sync::Mutex;

use log::{Level, Log, Metadata, Record};
use support::app::App;
use support::{World, client, server};
use tcpshm_driver::{Driver, Logged};

/// Keeps what is said.
struct Kept(Mutex<Vec<(Level, String)>>);

impl Log for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tcpshm"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().expect("nothing panics with it").push((record.level(), record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

static LOG: Kept = Kept(Mutex::new(Vec::new()));

#[test]
fn a_link_says_when_it_comes_and_goes_and_the_application_hears_it_all_the_same() {
    log::set_logger(&LOG).expect("the only one of this process");
    log::set_max_level(log::LevelFilter::Debug);
    let directories = [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
    let mut world: World<Logged<App>, Logged<App>> = World::new();
    let address = world.serve(server(directories[0].path()), Logged(App::default()));
    world.connect(client(directories[1].path(), address), Logged(App::default()));
    world.until("a connection", |world| world.clients[0].driver.is_connected());
    world.until("the greeting", |world| !world.at_server().app.0.outcomes().is_empty());
    assert_eq!(world.clients[0].app.0.outcomes().len(), 1);
    let now = world.now;
    let server = world.at_server();
    server.driver.shut_down(now, &mut server.app);
    world.until("the end", |world| !world.clients[0].app.0.endings().is_empty());
    let said = LOG.0.lock().expect("nothing panics with it");
    for (level, start) in [
        (Level::Info, "client: connected with 127.0.0.1:"),
        (Level::Info, "server: connected with 127.0.0.1:"),
        (Level::Info, "client: disconnected: "),
        (Level::Info, "server: disconnected: ended by the peer: ShuttingDown"),
    ] {
        let found = said.iter().any(|(of, text)| *of == level && text.starts_with(start));
        assert!(found, "{start} is not among {said:?}");
    }
}
