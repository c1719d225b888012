//! How bytes of an input become messages.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use serde::Deserialize;
use tcpshm_driver::Kind;

use super::PIECE;
use crate::failure::Failure;
use crate::hex;

/// What an input is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// Each line is a message of this kind, without its newline. What is too long for one message, and a last line
    /// without a newline, becomes pieces: nothing is added or lost, so any bytes can be sent.
    Lines(Kind),
    /// What `tcpshm export` wrote: a document a line.
    Export,
}

/// One message, and the bytes of input that it is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// `None` for a line that says something else.
    pub(crate) message: Option<(Kind, Vec<u8>)>,
    /// How many messages there are to be, where that is what it says.
    pub(crate) promised: Option<u64>,
    pub(crate) took: usize,
}

/// A line of an export that is a message.
#[derive(Deserialize)]
struct Exported {
    kind: u16,
    hex: String,
}

/// A line of an export that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no line of an export")]
pub(crate) struct NotExported;

impl Format {
    /// The message that `input` begins with, `largest` bytes at most; `None` until there is more of it, if
    /// that is to come.
    pub(crate) fn next(
        self,
        input: &[u8],
        largest: usize,
        ended: bool,
    ) -> Result<Option<Piece>, NotExported> {
        let newline = input.iter().position(|byte| *byte == b'\n');
        match self {
            Format::Lines(kind) => Ok(line(kind, input, newline, largest, ended)),
            Format::Export => exported(input, newline, ended),
        }
    }

    /// Whether files are exports, and whole: before anything of them is sent.
    pub(crate) fn check(self, files: &[PathBuf]) -> Result<(), Failure> {
        if let Format::Lines(_) = self {
            return Ok(());
        }
        let (mut byte, mut messages, mut promised, mut line) = (0, 0, None, Vec::new());
        for path in files {
            let mut lines = BufReader::new(File::open(path).map_err(Failure::path(path))?);
            loop {
                line.clear();
                let part = &mut (&mut lines).take(LONGEST as u64 + 1);
                let read = part.read_until(b'\n', &mut line).map_err(Failure::path(path))?;
                if read == 0 {
                    break;
                }
                match self.next(&line, usize::MAX, true) {
                    Ok(Some(piece)) if piece.took == read => {
                        messages += u64::from(piece.message.is_some());
                        promised = sum(promised, piece.promised);
                    }
                    _ => return Err(Failure::NotExported { byte, sent: None }),
                }
                byte += read as u64;
            }
        }
        match promised {
            Some(promised) if promised != messages => Err(Failure::Cut { promised, messages }),
            _ => Ok(()),
        }
    }
}

/// Bytes of the longest line of an export: twice those of the largest message that this tool sends, and more.
const LONGEST: usize = 1 << 20;

/// Exports may stand one behind the other.
pub(super) fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.map_or(other, |one| Some(one.saturating_add(other.unwrap_or(0))))
}

fn line(kind: Kind, input: &[u8], newline: Option<usize>, largest: usize, ended: bool) -> Option<Piece> {
    let piece =
        |kind, len: usize, took| Piece { message: Some((kind, input[..len].to_vec())), promised: None, took };
    match newline {
        Some(at) if at <= largest => Some(piece(kind, at, at + 1)),
        _ if input.len() >= largest && largest > 0 => Some(piece(PIECE, largest, largest)),
        None if ended && !input.is_empty() => Some(piece(PIECE, input.len(), input.len())),
        _ => None,
    }
}

fn exported(input: &[u8], newline: Option<usize>, ended: bool) -> Result<Option<Piece>, NotExported> {
    if input.first().is_some_and(|first| *first != b'{') || newline.unwrap_or(input.len()) > LONGEST {
        return Err(NotExported);
    }
    let (line, took) = match newline {
        Some(at) => (&input[..at], at + 1),
        None if ended && !input.is_empty() => (input, input.len()),
        None => return Ok(None),
    };
    let document: serde_json::Value = serde_json::from_slice(line).map_err(|_| NotExported)?;
    // The first line says what was exported.
    if document.get("export").is_some() {
        let promised = document.get("messages").and_then(serde_json::Value::as_u64);
        return Ok(Some(Piece { message: None, promised, took }));
    }
    let Exported { kind, hex } = serde_json::from_value(document).map_err(|_| NotExported)?;
    let message = (Kind::new(kind).ok_or(NotExported)?, hex::read(&hex).ok_or(NotExported)?);
    Ok(Some(Piece { message: Some(message), promised: None, took }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Kind = Kind::new(1).unwrap();

    /// All messages of an input that comes in pieces of `step` bytes.
    fn messages(format: Format, input: &[u8], largest: usize, step: usize) -> Vec<(Kind, Vec<u8>)> {
        let (mut from, mut upto) = (0, 0);
        let mut found = Vec::new();
        loop {
            match format.next(&input[from..upto], largest, upto == input.len()).unwrap() {
                Some(Piece { message, took, .. }) => {
                    found.extend(message);
                    from += took;
                }
                None if upto == input.len() => break,
                None => upto = (upto + step).min(input.len()),
            }
        }
        assert_eq!(from, input.len());
        found
    }

    fn joined(messages: &[(Kind, Vec<u8>)]) -> Vec<u8> {
        let newline = |kind: &Kind| if *kind == PIECE { &b""[..] } else { b"\n" };
        messages.iter().flat_map(|(kind, bytes)| [&bytes[..], newline(kind)].concat()).collect()
    }

    #[test]
    fn lines_are_messages_and_any_bytes_come_out_as_they_went_in() {
        let lines = Format::Lines(LINE);
        let two = messages(lines, b"one\ntwo\n", 100, 1);
        assert_eq!(two, [(LINE, b"one".to_vec()), (LINE, b"two".to_vec())]);
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let input: Vec<u8> =
                (0..random.usize(0..60)).map(|_| *random.choice(b"ab\n\0").unwrap()).collect();
            for (largest, step) in [(1, 1), (3, 2), (7, 60), (100, 5)] {
                let found = messages(lines, &input, largest, step);
                assert!(found.iter().all(|(_, bytes)| bytes.len() <= largest));
                assert_eq!(joined(&found), input, "largest {largest}, step {step}");
            }
        }
    }

    #[test]
    fn the_same_input_makes_the_same_messages_however_it_comes() {
        let input = b"a line\n\nand one that is longer\nno newline";
        let found = messages(Format::Lines(LINE), input, 10, 1);
        for step in 2..input.len() {
            assert_eq!(messages(Format::Lines(LINE), input, 10, step), found, "step {step}");
        }
    }

    #[test]
    fn an_export_is_read_line_by_line_and_what_is_none_is_refused() {
        let input =
            b"{\"export\":1}\n{\"position\":0,\"kind\":7,\"hex\":\"00ff\"}\n{\"kind\":8,\"hex\":\"\"}";
        let found = messages(Format::Export, input, 100, 3);
        assert_eq!(found, [(Kind::new(7).unwrap(), vec![0, 255]), (Kind::new(8).unwrap(), vec![])]);
        let promised =
            |line: &str| Format::Export.next(line.as_bytes(), 100, true).unwrap().unwrap().promised;
        assert_eq!(promised("{\"export\":1,\"messages\":2}\n"), Some(2));
        assert_eq!(promised("{\"export\":1}\n"), None);
        for wrong in
            ["\n", "[]\n", "{\"kind\":0,\"hex\":\"\"}\n", "{\"kind\":1,\"hex\":\"0\"}\n", "{\"kind\":1}\n"]
        {
            assert_eq!(Format::Export.next(wrong.as_bytes(), 100, true), Err(NotExported), "{wrong}");
        }
    }
}
