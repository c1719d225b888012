//! Looking into a link file without mapping it.
//!
//! A look reads a copy, piece by piece. Whoever writes the file meanwhile, a session of ours or another process, can
//! make the copy nonsense, which the checks then find; it cannot change bytes that are borrowed here.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use tcpshm_protocol::{Header, HeaderError, Memory, Published, RecoverError, Survey};

/// Bytes that hold every header.
const PAGE: usize = 4096;

/// Why a look failed.
#[derive(Debug)]
pub(crate) enum ImageError {
    Io(io::Error),
    Damaged(RecoverError),
}

impl ImageError {
    /// Whether the file is one whose making was interrupted.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(
            self,
            Self::Damaged(RecoverError::Header(HeaderError::Unfinished | HeaderError::TooShort { .. }))
        ) && !zoo!(UnfinishedIsDamage)
    }
}

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<HeaderError> for ImageError {
    fn from(error: HeaderError) -> Self {
        Self::Damaged(error.into())
    }
}

/// The header of `file`.
pub(crate) fn header(file: &File) -> Result<Header, ImageError> {
    Ok(Header::parse(&FirstPage::read(file)?)?)
}

/// Everything about `file`. Takes the time of reading what is not consumed, and memory that does not depend on
/// the file's size: what is no link file may be of any.
pub(crate) fn survey(file: &File) -> Result<Survey, ImageError> {
    let image = Image::new(file, FirstPage::read(file)?);
    let survey = tcpshm_protocol::survey(&image);
    // What could not be read looked like nothing.
    match image.failed.take() {
        Some(error) => Err(error.into()),
        None => survey.map_err(ImageError::Damaged),
    }
}

/// A file that is read piece by piece, as it is asked for.
struct Image<'f> {
    first: FirstPage,
    file: &'f File,
    piece: RefCell<Piece>,
    /// The first error of a read.
    failed: Cell<Option<io::Error>>,
}

/// Bytes at once: a walk goes forward, and this much stays in the processor's cache.
const PIECE: usize = 64 * 1024;

#[derive(Default)]
struct Piece {
    start: usize,
    bytes: Vec<u8>,
}

impl<'f> Image<'f> {
    fn new(file: &'f File, first: FirstPage) -> Self {
        Self { first, file, piece: RefCell::default(), failed: Cell::new(None) }
    }

    /// Reads the piece that `at` lies in.
    fn read(&self, piece: &mut Piece, at: usize) -> io::Result<()> {
        let start = at / PIECE * PIECE;
        piece.bytes.resize(PIECE.min(self.first.size.saturating_sub(start)), 0);
        piece.start = start;
        let read = self.file.read_exact_at(&mut piece.bytes, start as u64);
        // A piece that was read by half is none.
        read.inspect_err(|_| piece.bytes.clear())
    }
}

impl Published for Image<'_> {
    fn size(&self) -> usize {
        self.first.size
    }

    fn load(&self, at: usize) -> u64 {
        if at < PAGE {
            return self.first.load(at);
        }
        let piece = &mut *self.piece.borrow_mut();
        if !(piece.start..piece.start + piece.bytes.len()).contains(&at)
            && let Err(error) = self.read(piece, at)
        {
            let first = self.failed.take().unwrap_or(error);
            self.failed.set(Some(first));
            return 0;
        }
        // Words are aligned, and pieces whole numbers of them but for the end of a file that is none of ours.
        let word = piece.bytes.get(at - piece.start..).and_then(|rest| rest.first_chunk());
        word.map_or(0, |word| u64::from_le_bytes(*word))
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.first.bytes(at, len)
    }
}

/// The first page of a file that is `size` bytes long.
struct FirstPage {
    page: Memory,
    size: usize,
}

impl FirstPage {
    fn read(file: &File) -> io::Result<Self> {
        let size = usize::try_from(file.metadata()?.len()).expect("64-bit");
        let mut page = vec![0; PAGE];
        file.read_exact_at(&mut page[..size.min(PAGE)], 0)?;
        Ok(Self { page: Memory::from_image(page), size })
    }
}

impl Published for FirstPage {
    fn size(&self) -> usize {
        self.size
    }

    fn load(&self, at: usize) -> u64 {
        self.page.load(at)
    }

    fn bytes(&self, at: usize, len: usize) -> &[u8] {
        self.page.bytes(at, len)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tcpshm_protocol::{Geometry, Kind, Role};

    use super::*;
    use crate::testing::{NONCE, confirm, header as small, name, open, proposed_name, session};

    /// A link file with `messages` frames, and a ring of several pieces.
    fn laid_out(directory: &Path, messages: u64) -> File {
        let directory = open(directory, Role::Client);
        let geometry = Geometry::new(1 << 18, 1000).unwrap();
        directory.create(&Header { outgoing: geometry, ..small(Role::Client, 7) }, NONCE).unwrap();
        let path = directory.path().join(proposed_name(&directory, 7));
        confirm(&path);
        let mut link = directory.open_proposed(&name("p"), session(7), NONCE).unwrap().unwrap();
        let mut random = fastrand::Rng::with_seed(messages);
        for _ in 0..messages {
            let len = random.usize(..=1000);
            link.session.send(Kind::new(1).unwrap(), &[0xab; 1000][..len]).unwrap();
        }
        File::open(path).unwrap()
    }

    #[test]
    fn read_in_pieces_a_file_holds_what_it_does_as_a_whole() {
        for messages in [0, 1, 130, 400] {
            let home = tempfile::tempdir().unwrap();
            let file = laid_out(home.path(), messages);
            let mut whole = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
            file.read_exact_at(&mut whole, 0).unwrap();
            let whole = tcpshm_protocol::survey(&Memory::from_image(whole)).unwrap();
            let survey = survey(&file).unwrap();
            assert_eq!(survey.undelivered().messages, messages);
            assert_eq!(format!("{survey:?}"), format!("{whole:?}"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_the_end_of_the_frames() {
        let home = tempfile::tempdir().unwrap();
        let file = laid_out(home.path(), 130);
        let first = FirstPage::read(&file).unwrap();
        // Its size is that of before it was cut, as if that had happened in the middle of the look.
        let link = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
        let path = link.into_iter().find(|path| path.extension().is_some_and(|it| it == "new")).unwrap();
        File::options().write(true).open(path).unwrap().set_len(70_000).unwrap();
        let image = Image::new(&file, first);
        assert_ne!(image.load(PAGE), 0);
        assert_eq!(image.load(2 * PIECE), 0);
        assert_eq!(image.failed.take().map(|error| error.kind()), Some(io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_of_the_system() {
        let directory = File::open("/").unwrap();
        for looked in [survey(&directory).map(drop), header(&directory).map(drop)] {
            assert!(matches!(looked, Err(ImageError::Io(_))), "{looked:?}");
        }
    }
}
