//! Making a fresh session's file, and discarding one that was never confirmed.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};
use tcpshm_protocol::{Geometry, Header, Name, Nonce, SessionId};

use crate::access::OpenLink;
use crate::directory::LinkDirectory;
use crate::error::FileError;
use crate::folder::FileIdentity;
use crate::lock::Writer;
use crate::mapping::Mapped;
use crate::names::{LinkName, Place};
use crate::settle::Proposal;

impl LinkDirectory {
    /// Makes the whole file of a fresh session, empty and unconfirmed, beside the link's own file, which
    /// stays as it is until [`switch`](LinkDirectory::switch).
    ///
    /// Its space is reserved and its pages are there before this returns, so that a full disk is an error
    /// here and not a fault later. If anything fails nothing is left behind; what a kill leaves behind,
    /// [`settle`](LinkDirectory::settle) recognises: an unfinished file has no magic yet.
    pub fn create(&self, header: &Header, nonce: Nonce) -> Result<OpenLink, FileError> {
        self.lock.check(&self.folder)?;
        let name = self.name(&header.peer, Place::Proposed(header.session));
        if !name.describes(header) {
            return Err(self.foreign(&name, header));
        }
        let text = name.to_string();
        let file = self.folder.create_file(&text)?;
        self.finish(&name, file, header, nonce).inspect_err(|_| {
            // The error to report is the first one. A file that stays is unfinished, or holds nothing.
            let _ = self.folder.remove(&text);
        })
    }

    /// Removes the prepared file of `session`, finished or not. One whose login was completed is not
    /// removed; one that is not there is harmless.
    pub fn discard_proposed(&self, peer: &Name, session: SessionId) -> Result<(), FileError> {
        self.lock.check(&self.folder)?;
        let name = self.name(peer, Place::Proposed(session)).to_string();
        match self.proposal(peer, session)? {
            None => Ok(()),
            Some(Proposal::Unfinished | Proposal::Unconfirmed(_)) => self.folder.remove(&name),
            Some(Proposal::Confirmed | Proposal::Replaced(_)) => {
                Err(FileError::Confirmed { path: self.folder.path_of(&name) })
            }
        }
    }

    fn finish(
        &self,
        name: &LinkName,
        file: File,
        header: &Header,
        nonce: Nonce,
    ) -> Result<OpenLink, FileError> {
        let (mut mapped, identity) = self.reserve_and_map(&name.to_string(), file, header.outgoing)?;
        header.format(&mut mapped, nonce);
        self.open_session(name, mapped, identity, nonce)
    }

    /// Makes an empty new file ours, gives it its space, and maps it.
    pub(crate) fn reserve_and_map(
        &self,
        name: &str,
        file: File,
        outgoing: Geometry,
    ) -> Result<(Mapped, FileIdentity), FileError> {
        self.folder.make_private(name, &file)?;
        let writer = self.writer(name, file)?;
        self.reserve(name, &writer, outgoing)?;
        self.map(name, writer)
    }

    /// Gives a new file its size and its space.
    fn reserve(&self, name: &str, writer: &Writer, outgoing: Geometry) -> Result<(), FileError> {
        let size = file_size(outgoing);
        let allocated = self.folder.step().map_err(Into::into).and_then(|()| allocate(writer.file(), size));
        if allocated.map_err(|error| self.space_error(name, size, error))? {
            return Ok(());
        }
        let written = self.folder.step().map_err(Into::into).and_then(|()| write_zeros(writer.file(), size));
        written.map_err(|error| self.space_error(name, size, error))
    }

    /// Gives a file that is there the space that it may lack. Where the file system cannot, it is left to
    /// its holes: filling them byte by byte would be writing to a file that holds messages.
    pub(crate) fn fill_holes(
        &self,
        name: &str,
        writer: &Writer,
        outgoing: Geometry,
    ) -> Result<(), FileError> {
        let size = file_size(outgoing);
        if zoo!(HolesNotFilled) {
            return Ok(());
        }
        match self.folder.step().map_err(Into::into).and_then(|()| allocate(writer.file(), size)) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.space_error(name, size, error)),
        }
    }

    fn space_error(&self, name: &str, needed: u64, error: io::Error) -> FileError {
        match error.kind() {
            // A memory limit of a control group is what tmpfs runs out of, too.
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::OutOfMemory => {
                FileError::NoSpace { path: self.folder.path_of(name), needed }
            }
            _ => self.folder.io_error("reserving space for", name, error),
        }
    }
}

fn file_size(outgoing: Geometry) -> u64 {
    let size = Header::file_size(outgoing).expect("the largest geometry is addressable with 64 bits");
    u64::try_from(size).expect("64-bit")
}

/// Reserves `size` bytes; `false` if the file system cannot.
fn allocate(file: &File, size: u64) -> io::Result<bool> {
    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, size)) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reserves `size` bytes by writing them. From front to back: the magic is among the first, and zero.
fn write_zeros(file: &File, size: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut written = 0;
    while written < size {
        let rest = usize::try_from(size - written).expect("64-bit");
        let chunk = &ZEROS[..rest.min(ZEROS.len())];
        file.write_all_at(chunk, written)?;
        written += u64::try_from(chunk.len()).expect("64-bit");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_reservation_gets_zeros_up_to_the_last_byte() {
        for size in [0, 1, 65_536, 65_537, 300_000] {
            let file = tempfile::tempfile().unwrap();
            write_zeros(&file, size).unwrap();
            assert_eq!(file.metadata().unwrap().len(), size);
        }
    }

    #[test]
    fn a_file_that_cannot_be_reserved_is_an_error_and_not_a_fallback() {
        let read_only = File::open("/proc/self/exe").unwrap();
        assert!(allocate(&read_only, 4096).is_err());
    }
}
