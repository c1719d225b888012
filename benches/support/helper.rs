//! This program as another process.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use serde::de::DeserializeOwned;

use crate::cores::Cores;

/// This very program, running once more with arguments of its own. It is killed when this value is dropped, and
/// its standard input ends when this process does.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Helper {
    /// Starts it.
    pub fn start(arguments: impl IntoIterator<Item: AsRef<str>>) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments.into_iter().map(|argument| argument.as_ref().to_owned()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Ok(Self { child, input, output })
    }

    /// Starts it on one core, where it stays: a process begins where the thread runs that starts it.
    pub fn start_on(core: usize, arguments: impl IntoIterator<Item: AsRef<str>>) -> io::Result<Self> {
        let arguments: Vec<String> =
            arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let starting = thread::spawn(move || {
            Cores::pin(core)?;
            Self::start(arguments)
        });
        starting.join().expect("starting a process does not panic")
    }

    /// Sends it bytes.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), |input| input.write_all(bytes))
    }

    /// What its next line says.
    pub fn hear<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let mut said = String::new();
        if let Some(output) = &mut self.output {
            output.read_line(&mut said)?;
        }
        Ok(serde_json::from_str(&said)?)
    }

    /// Its lines, to be read elsewhere; there is nothing to [`hear`](Helper::hear) from here on.
    pub fn take_output(&mut self) -> Option<BufReader<ChildStdout>> {
        self.output.take()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL, wherever it is, and waits until it is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        let _ = self.kill();
    }
}

/// What a helper does when it has something to say: one line, at once.
pub fn say_line(value: &impl serde::Serialize) -> io::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, value)?;
    writeln!(output)?;
    output.flush()
}
