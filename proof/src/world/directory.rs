//! One side's files, as a value.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::world::ring;

/// The files of one link as they are found after a kill: a value that can be kept, compared and put
/// back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    pub(super) files: BTreeMap<FileId, Vec<u8>>,
    pub(super) main: Option<FileId>,
    pub(super) fresh: Option<FileId>,
    pub(super) kept: Vec<FileId>,
}

/// A file whatever its name is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(super) u64);

impl Directory {
    /// A directory with this main file and nothing else.
    pub fn with_main(image: Vec<u8>) -> Self {
        let file = FileId(0);
        Self { files: BTreeMap::from([(file, image)]), main: Some(file), fresh: None, kept: Vec::new() }
    }

    /// The main file.
    pub fn main(&self) -> Option<&[u8]> {
        self.image(self.main?)
    }

    /// The file that is being made, or was made and not yet switched to.
    pub fn fresh(&self) -> Option<&[u8]> {
        self.image(self.fresh?)
    }

    /// The files kept aside, oldest first.
    pub fn kept(&self) -> impl Iterator<Item = &[u8]> {
        self.kept.iter().filter_map(|file| self.image(*file))
    }

    /// Whether `other` is what a login may make of this before it is accepted: the main file's nonce is
    /// another, and whether its owner may sleep, and if `fresh`, the file that a client proposes is.
    pub(crate) fn is_untouched(&self, other: &Self, fresh: bool) -> bool {
        let same = |one: Option<&[u8]>, other: Option<&[u8]>| match (one, other) {
            (Some(one), Some(other)) => ring::is_same(one, other),
            (one, other) => one == other,
        };
        self.main == other.main
            && self.kept == other.kept
            && same(self.main(), other.main())
            && (fresh || (self.fresh == other.fresh && same(self.fresh(), other.fresh())))
    }

    /// Changes the main file behind everybody's back.
    pub fn main_mut(&mut self) -> Option<&mut Vec<u8>> {
        self.files.get_mut(&self.main?)
    }

    /// The same content in other files.
    pub(super) fn renumbered(self, first: u64) -> Self {
        let other = |file: FileId| FileId(first + file.0);
        Self {
            files: self.files.into_iter().map(|(file, image)| (other(file), image)).collect(),
            main: self.main.map(other),
            fresh: self.fresh.map(other),
            kept: self.kept.into_iter().map(other).collect(),
        }
    }

    pub(super) fn write<'a>(&mut self, file: FileId, pieces: impl Iterator<Item = (Range<usize>, &'a [u8])>) {
        let Some(image) = self.files.get_mut(&file) else { return };
        // The last piece first: where two overlap, the older bytes are those of the first.
        let pieces: Vec<_> = pieces.collect();
        for (range, bytes) in pieces.into_iter().rev() {
            image[range].copy_from_slice(bytes);
        }
    }

    /// A file, whatever its name is.
    pub fn image(&self, file: FileId) -> Option<&[u8]> {
        self.files.get(&file).map(Vec::as_slice)
    }
}
