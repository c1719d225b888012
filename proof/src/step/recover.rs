//! Starting both sides again from what a kill left, with the real code, and looking at what they find.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tcpshm_protocol::login::{Carrier, Verdict};
use tcpshm_protocol::{Memory, Name, Nonce, Role, survey};
use tcpshm_shm::LinkDirectory;
use tempfile::TempDir;

use crate::step::act::{Act, Who};
use crate::step::case::Setting;
use crate::step::plan::Plan;
use crate::step::stage::Stage;
use crate::step::state::{FileState, LinkState, SideState};
use crate::step::watch::Snapshot;
use crate::violation::{Invariant, ensure, violate};
use crate::world::image::{self, Contents, at};
use crate::world::message::Message;
use crate::world::wire::frame_size;

/// A directory of our own, in memory where there is such a place: links belong there.
pub fn private_directory() -> std::io::Result<TempDir> {
    const IN_MEMORY: &str = "/dev/shm";
    if Path::new(IN_MEMORY).is_dir() { tempfile::tempdir_in(IN_MEMORY) } else { tempfile::tempdir() }
}

/// What both sides find if they are started from `left`. Raises a violation if they find nonsense, or if
/// starting once more finds anything else.
pub fn recover(left: &Snapshot, plan: &Plan) -> LinkState {
    let place = private_directory().expect("a directory");
    put(place.path(), left);
    let once = find(place.path(), plan);
    let bytes = files(place.path());
    let twice = find(place.path(), plan);
    ensure(once == twice, Invariant::Idempotent, || format!("once {once:?}\ntwice {twice:?}"));
    let again = files(place.path());
    ensure(frames(&bytes) == frames(&again), Invariant::Idempotent, || "frames were changed".into());
    for (name, bytes) in &bytes {
        let kept = left.values().any(|before| before.get(at::FRAMES..) == bytes.get(at::FRAMES..));
        ensure(kept, Invariant::Idempotent, || format!("the frames of {name} were changed"));
    }
    once
}

/// Starts both sides from `left`, lets them log in, and lets everything that is owed arrive. Returns whether
/// they hold the two ends of one session.
pub fn resume(left: &Snapshot, state: &LinkState, plan: &Plan, setting: Setting) -> bool {
    let expected = verdict(state);
    if expected == Expected::Policy {
        return false;
    }
    let place = private_directory().expect("a directory");
    put(place.path(), left);
    // Whatever carried it before, and now by the other way.
    let carrier = if setting.carrier == Carrier::Tcp { Carrier::Shm } else { Carrier::Tcp };
    let setting = Setting { carrier, ..setting };
    let mut stage = Stage::again(place.path(), setting);
    let both = [Role::Client, Role::Server];
    both.iter().for_each(|role| stage.side(*role).open());
    let found = match stage.log_in() {
        Verdict::Resume { .. } => Expected::Resume,
        Verdict::Fresh(_) => Expected::Fresh,
        other => violate(Invariant::Decided, format!("{other:?} of {state:?}")),
    };
    ensure(found == expected, Invariant::Decided, || format!("{found:?} of {state:?}"));
    if found == Expected::Fresh {
        return true;
    }
    let mut transmitted = [Who::Subject, Who::Peer].map(|who| (who, Act::Transmit)).to_vec();
    transmitted.extend([Who::Subject, Who::Peer].map(|who| (who, Act::Take)));
    transmitted.iter().for_each(|(who, act)| stage.act(*who, act));
    for role in both {
        let session = stage.side(role).session_id();
        let file = |role| {
            let side = if role == Role::Client { &state.client } else { &state.server };
            side.main.as_ref().filter(|main| main.session == session)
        };
        let consumed = file(role).map_or(0, |file| file.consumed);
        let kept = file(role.other()).map_or(0, |file| file.freed + file.pending.len());
        let owed = &plan.committed(role.other(), session)[consumed..kept];
        let given = &stage.side(role).given;
        ensure(given == owed, Invariant::ExactlyOnce, || {
            format!("{role:?} was given {given:?}, not {owed:?}")
        });
    }
    true
}

/// How a login must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Resume,
    Fresh,
    /// One side has lost what the other holds.
    Policy,
}

fn verdict(state: &LinkState) -> Expected {
    let session = |side: &SideState| side.main.as_ref().map(|main| main.session);
    match (session(&state.client), state.client.proposed, session(&state.server)) {
        (Some(client), _, Some(server)) if client == server => Expected::Resume,
        (_, Some(proposed), Some(server)) if proposed == server => Expected::Resume,
        (None, _, None) => Expected::Fresh,
        _ => Expected::Policy,
    }
}

fn find(path: &Path, plan: &Plan) -> LinkState {
    let [client, server] = [Role::Client, Role::Server].map(|role| find_side(path, role, plan));
    LinkState { client, server }
}

/// One side starts as its driver would start it, opens what it has, and ends.
fn find_side(path: &Path, role: Role, plan: &Plan) -> SideState {
    let header = image::header(role, 1, tcpshm_protocol::Geometry::default());
    let (owner, peer): (Name, Name) = (header.owner, header.peer);
    let typed = |error: &dyn std::fmt::Display| -> ! { violate(Invariant::CrashAtomic, error) };
    let directory = LinkDirectory::open(path, role, &owner).unwrap_or_else(|error| typed(&error));
    directory.settle(&peer).unwrap_or_else(|error| typed(&error));
    let opened = directory.open_link(&peer, None, Nonce::new(0x0be4)).unwrap_or_else(|error| typed(&error));
    let main = opened.map(|link| {
        let bytes = fs::read(directory.path_of_link(&peer)).expect("the file that was just opened");
        let survey = survey(&Memory::from_image(bytes.as_slice())).unwrap_or_else(|error| typed(&error));
        ensure(survey.standing() == link.session.standing(), Invariant::Idempotent, || format!("{survey:?}"));
        let attachment = survey.current().map_or(0, |current| current.get());
        file_state(&bytes, role, survey.header().session.get(), attachment, plan)
    });
    let proposed = directory.look_proposed(&peer).unwrap_or_else(|error| typed(&error));
    ensure(proposed.len() <= 1, Invariant::CrashAtomic, || format!("{} proposals", proposed.len()));
    let kept = directory.kept(Some(&peer)).unwrap_or_else(|error| typed(&error));
    let kept = kept.into_iter().map(|kept| {
        let undelivered = kept.undelivered.unwrap_or_else(|error| typed(&error));
        (kept.session.get(), undelivered.messages)
    });
    SideState {
        main,
        proposed: proposed.first().map(|survey| survey.header().session.get()),
        kept: kept.collect(),
    }
}

/// What a file holds, in messages.
fn file_state(bytes: &[u8], role: Role, session: u128, attachment: u64, plan: &Plan) -> FileState {
    let typed = |error: &dyn std::fmt::Display| -> ! { violate(Invariant::CrashAtomic, error) };
    let Contents { acked, pending, consumed } = image::read(bytes).unwrap_or_else(|error| typed(&error));
    let ours = ends(plan.committed(role, session));
    let freed = count(&ours, acked);
    for (number, (end, _)) in pending.iter().enumerate() {
        let expected = ours.get(freed + 1 + number);
        ensure(expected == Some(end), Invariant::CrashAtomic, || {
            format!("message {} ends at {end}, not at {expected:?}", freed + number)
        });
    }
    let consumed = count(&ends(plan.committed(role.other(), session)), consumed);
    let pending = pending.into_iter().map(|(_, message)| message).collect();
    FileState { session, attachment, freed, pending, consumed }
}

/// Where each message ends, after where the first starts.
fn ends(messages: &[Message]) -> Vec<u64> {
    let sizes = messages.iter().map(|message| frame_size(message.payload.len()));
    let mut ends = vec![0];
    ends.extend(sizes.scan(0, |end, size| {
        *end += size;
        Some(*end)
    }));
    ends
}

/// How many messages end at or before `position`, where one must.
fn count(ends: &[u64], position: u64) -> usize {
    ends.binary_search(&position)
        .unwrap_or_else(|_| violate(Invariant::CrashAtomic, format!("no message ends at {position}")))
}

fn put(path: &Path, left: &Snapshot) {
    for (name, bytes) in left {
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(path.join(name)).expect("an empty directory");
        file.write_all(bytes).expect("room for a small file");
    }
}

fn files(path: &Path) -> Snapshot {
    let mut watch = crate::step::watch::Watch::new(path);
    watch.look().expect("a directory of our own");
    watch.snapshot()
}

/// Everything but the nonce, which each opening stores anew.
fn frames(files: &Snapshot) -> Snapshot {
    let mut files = files.clone();
    for bytes in files.values_mut().filter(|bytes| bytes.len() > at::NONCE + 8) {
        image::set(bytes, at::NONCE, 0);
    }
    files
}
