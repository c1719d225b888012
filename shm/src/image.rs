//! Looking into a link file without mapping it.
//!
//! A look reads a copy. Whoever writes the file meanwhile, a session of ours or another process, can make
//! the copy nonsense, which the checks then find; it cannot change bytes that are borrowed here.

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

/// Everything about `file`. Takes memory for a copy, so the header is checked first: what is no link file
/// may be of any size.
pub(crate) fn survey(file: &File) -> Result<Survey, ImageError> {
    let first = FirstPage::read(file)?;
    Header::parse(&first)?;
    let mut image = Vec::new();
    image.try_reserve_exact(first.size).map_err(io::Error::from)?;
    image.resize(first.size, 0);
    file.read_exact_at(&mut image, 0)?;
    tcpshm_protocol::survey(&Memory::from_image(image)).map_err(ImageError::Damaged)
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
