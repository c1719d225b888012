//! What an operation stores, step by step, and so what a kill anywhere in it leaves.

use std::cell::RefCell;
use std::ops::Range;

use super::files::Files;
use super::image::Image;

/// One thing that an operation did to its process's files.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Bytes that no store has published yet.
    Write { file: u8, place: usize, bytes: Vec<u8> },
    /// A word.
    Store { file: u8, place: usize, value: u64 },
    /// A fresh file of zeros.
    Create(Image),
    /// The fresh file is removed.
    Remove,
    /// The fresh file takes the place of the main one.
    Switch,
}

#[derive(Debug, Default)]
struct Record {
    steps: Vec<Step>,
    /// What was handed out to be written since the last store.
    claims: Vec<(u8, Range<usize>)>,
}

thread_local! {
    /// A state is explored by one thread, and one operation at a time.
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// From here on this thread's steps are kept.
pub(super) fn record() {
    RECORD.with_borrow_mut(|record| *record = Some(Record::default()));
}

/// What was done since [`record`]. `files` are those of the process, which is where a last write stands that no
/// store followed.
pub(super) fn take(files: &Files) -> Vec<Step> {
    let Some(mut record) = RECORD.take() else { return Vec::new() };
    for (file, range) in std::mem::take(&mut record.claims) {
        if let Some(image) = files.find(file) {
            record.steps.push(write(image, &range));
        }
    }
    record.steps
}

pub(super) fn claimed(file: u8, range: Range<usize>) {
    RECORD.with_borrow_mut(|record| {
        record.iter_mut().for_each(|record| record.claims.push((file, range.clone())))
    });
}

pub(super) fn stored(image: &Image, place: usize, value: u64) {
    RECORD.with_borrow_mut(|record| {
        let Some(Record { steps, claims }) = record else { return };
        steps.extend(claims.drain(..).map(|(_, range)| write(image, &range)));
        steps.push(Step::Store { file: image.file, place, value });
    });
}

/// Something was done to the directory.
pub(super) fn done(step: Step) {
    RECORD.with_borrow_mut(|record| record.iter_mut().for_each(|record| record.steps.push(step.clone())));
}

fn write(image: &Image, range: &Range<usize>) -> Step {
    let bytes = image.kept(range.start, range.len()).to_vec();
    Step::Write { file: image.file, place: range.start, bytes }
}

/// What a kill after each step leaves, in order, beginning with what there was before the first. Of the writes
/// between two stores nothing may be there, or all of them, or, in a torn one, every other word.
pub(super) fn crashes(before: Files, steps: &[Step], torn: bool) -> Vec<Files> {
    let mut files = before;
    let mut crashes = vec![files.clone()];
    let mut steps = steps.iter().peekable();
    while let Some(step) = steps.next() {
        if torn && let Step::Write { file, place, bytes } = step {
            let mut half = files.clone();
            for (word, bytes) in bytes.chunks(8).enumerate().step_by(2) {
                half.apply(&Step::Write { file: *file, place: place + word * 8, bytes: bytes.to_vec() });
            }
            crashes.push(half);
        }
        files.apply(step);
        // Writes that follow each other leave more, and no order between them can be told.
        if !matches!((step, steps.peek()), (Step::Write { .. }, Some(Step::Write { .. }))) {
            crashes.push(files.clone());
        }
    }
    crashes
}
