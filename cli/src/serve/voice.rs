//! What a server says, written by a thread of its own: whoever reads a pipe may stop to read, and links must not wait for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tcpshm_support::screen::Screen;

use crate::units::counted;

/// Lines that may wait. One that finds no place is dropped, and counted.
const WAITING: usize = 1024;
/// How long the last of them may take.
const LAST: Duration = Duration::from_secs(1);

/// One thing to say.
enum Said {
    /// On standard output: lines, or a document.
    Output(Vec<u8>),
    /// On standard error.
    Note(String),
}

/// Says things; there may be several.
#[derive(Clone)]
pub(super) struct Voice {
    lines: SyncSender<Said>,
    lost: Arc<AtomicU64>,
    is_closed: Arc<AtomicBool>,
}

/// Its thread.
pub(super) struct Writer {
    done: Receiver<()>,
}

impl Voice {
    /// Losses are told as documents or as text.
    pub(super) fn start(json: bool) -> (Self, Writer) {
        let (lines, given) = mpsc::sync_channel(WAITING);
        let (told, done) = mpsc::sync_channel(1);
        let voice = Self { lines, lost: Arc::default(), is_closed: Arc::default() };
        let (lost, is_closed) = (Arc::clone(&voice.lost), Arc::clone(&voice.is_closed));
        thread::spawn(move || {
            for said in given {
                write(said, &is_closed);
                match lost.swap(0, Ordering::Relaxed) {
                    0 => {}
                    lost if json => write(document(&json!({"event": "unread", "lines": lost})), &is_closed),
                    lost => {
                        write(Said::Note(format!("{} not read in time", counted(lost, "line"))), &is_closed)
                    }
                }
            }
            let _ = told.send(());
        });
        (voice, Writer { done })
    }

    /// A document.
    pub(super) fn document(&self, value: &Value) {
        self.say(document(value));
    }

    /// Whole lines for standard output.
    pub(super) fn lines(&self, lines: String) {
        self.say(Said::Output(lines.into_bytes()));
    }

    /// A line for standard error.
    pub(super) fn note(&self, text: String) {
        self.say(Said::Note(text));
    }

    fn say(&self, said: Said) {
        if self.lines.try_send(said).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether nobody reads standard output any more.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }
}

impl Writer {
    /// Waits until what was said is written, but not for a reader that does not read. There must be no voice left.
    pub(super) fn finish(self) {
        let _ = self.done.recv_timeout(LAST);
    }
}

fn document(value: &Value) -> Said {
    Said::Output(format!("{value}\n").into_bytes())
}

fn write(said: Said, is_closed: &AtomicBool) {
    match said {
        Said::Output(bytes) => {
            let mut output = io::stdout().lock();
            if output.write_all(&bytes).and_then(|()| output.flush()).is_err() {
                is_closed.store(true, Ordering::Relaxed);
            }
        }
        Said::Note(text) => Screen::new().line(text),
    }
}
