//! The link files of one process.

use tcpshm_protocol::Session;

use super::image::Image;
use super::journal::Step;

/// What a kill leaves of a process: the files of one link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) main: Option<Image>,
    /// The file that is being made, or was made and not yet switched to.
    pub(crate) fresh: Option<Image>,
}

impl Files {
    /// The file with this number.
    pub(crate) fn find(&self, file: u8) -> Option<&Image> {
        [&self.main, &self.fresh].into_iter().flatten().find(|image| image.file == file)
    }

    fn find_mut(&mut self, file: u8) -> Option<&mut Image> {
        [&mut self.main, &mut self.fresh].into_iter().flatten().find(|image| image.file == file)
    }

    /// Does again what was recorded.
    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Write { file, place, bytes } => {
                self.find_mut(*file).into_iter().for_each(|image| image.put(*place, bytes));
            }
            Step::Store { file, place, value } => {
                self.find_mut(*file).into_iter().for_each(|image| image.put(*place, &value.to_le_bytes()));
            }
            Step::Create(image) => self.fresh = Some(image.clone()),
            Step::Remove => self.fresh = None,
            Step::Switch => self.main = self.fresh.take(),
        }
    }
}

/// A file as its process has it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Slot {
    #[default]
    Empty,
    Closed(Image),
    Open(Box<Session<Image>>),
}

impl Slot {
    pub(crate) fn image(&self) -> Option<&Image> {
        match self {
            Slot::Empty => None,
            Slot::Closed(image) => Some(image),
            Slot::Open(session) => Some(session.storage()),
        }
    }

    pub(crate) fn session(&self) -> Option<&Session<Image>> {
        if let Slot::Open(session) = self { Some(session) } else { None }
    }

    pub(crate) fn session_mut(&mut self) -> Option<&mut Session<Image>> {
        if let Slot::Open(session) = self { Some(session) } else { None }
    }

    /// Its process is gone; the file stays.
    pub(crate) fn close(&mut self) {
        if let Slot::Open(session) = self {
            *self = Slot::Closed(session.storage().clone());
        }
    }
}

impl From<Session<Image>> for Slot {
    fn from(session: Session<Image>) -> Self {
        Slot::Open(Box::new(session))
    }
}

impl From<Option<Image>> for Slot {
    fn from(image: Option<Image>) -> Self {
        image.map_or(Slot::Empty, Slot::Closed)
    }
}
