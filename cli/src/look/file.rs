//! One link file, opened for reading.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};

use rustix::fs::OFlags;
use tcpshm_driver::protocol::{Header, HeaderError, Memory, Published, RecoverError, Snapshot, snapshot};

use crate::failure::Failure;

/// Bytes of the header page.
const PAGE: usize = 4096;
/// Looks until damage is taken for damage: each of them may have met the owner in the middle of something, one of
/// a hundred does where it works as fast as it can.
const LOOKS: usize = 8;

/// A file that may be a link file, and may be in use. Nothing is written to it, and nobody's lock is taken.
#[derive(Debug)]
pub(crate) struct LinkFile {
    path: PathBuf,
    file: File,
}

/// Why a file shows nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookError {
    /// The system failed.
    #[error(transparent)]
    Failed(#[from] io::Error),
    /// Its header is not one.
    #[error(transparent)]
    Header(RecoverError),
}

impl LookError {
    /// Whether it is one whose making was interrupted, or goes on. A prepared file may still be short.
    pub(crate) fn is_unfinished(&self, prepared: bool) -> bool {
        let LookError::Header(RecoverError::Header(error)) = self else { return false };
        matches!(error, HeaderError::Unfinished)
            || (prepared && matches!(error, HeaderError::TooShort { .. }))
    }
}

impl LinkFile {
    /// Opens it with `O_RDONLY`, whatever it is; a pipe or a terminal is not waited for.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        let file = options.open(path).map_err(Failure::path(path))?;
        if !file.metadata().map_err(Failure::path(path))?.is_file() {
            return Err(Failure::NotRegular { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), file })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode.
    pub(crate) fn identity(&self) -> io::Result<(u64, u64)> {
        self.file.metadata().map(|found| (found.dev(), found.ino()))
    }

    /// What it holds, with the copy that the payloads stand in.
    pub(crate) fn look(&self) -> Result<(Snapshot, Memory), LookError> {
        let mut left = LOOKS;
        loop {
            left -= 1;
            let (found, copy) = self.look_once()?;
            if found.survey.is_ok() || left == 0 {
                return Ok((found, copy));
            }
        }
    }

    fn look_once(&self) -> Result<(Snapshot, Memory), LookError> {
        let size = self.check_header()?;
        let first = self.copy(size)?;
        let second = self.copy(size)?;
        let found = snapshot(&first, &second).map_err(LookError::Header)?;
        Ok((found, second))
    }

    /// Before memory is taken for copies: what is no link file may be of any size.
    fn check_header(&self) -> Result<usize, LookError> {
        let size = usize::try_from(self.file.metadata()?.len()).expect("64-bit");
        let mut page = vec![0; PAGE];
        self.file.read_exact_at(&mut page[..size.min(PAGE)], 0)?;
        let page = Page { page: Memory::from_image(page), size };
        Header::parse(&page).map_err(|error| LookError::Header(error.into()))?;
        Ok(size)
    }

    /// The frames first, the header page last.
    fn copy(&self, size: usize) -> io::Result<Memory> {
        let mut image = Vec::new();
        image.try_reserve_exact(size)?;
        image.resize(size, 0);
        let (page, frames) = image.split_at_mut(PAGE);
        self.file.read_exact_at(frames, PAGE as u64)?;
        // The kernel copies by loads of this processor: none of the page is to come before one of the frames.
        fence(Ordering::SeqCst);
        self.file.read_exact_at(page, 0)?;
        fence(Ordering::SeqCst);
        Ok(Memory::from_image(image))
    }
}

/// The first page of a file that is `size` bytes long.
struct Page {
    page: Memory,
    size: usize,
}

impl Published for Page {
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
