//! What the seed decides about a world before anything happens.

use fastrand::Rng;
use tcpshm_protocol::{Geometry, Role};

use crate::world::carriers::CARRIERS;
use crate::world::disk::Directory;
use crate::world::endpoint::{Configuration, Policy};
use crate::world::image;
use crate::world::pair::Setup;
use crate::world::pipe::Chunks;

/// How many links there are: most often one.
pub(super) fn links(random: &mut Rng) -> usize {
    [1, 1, 1, 1, 1, 2, 2, 2, 3, 4][random.usize(..10)]
}

/// One link.
pub(super) fn setup(random: &mut Rng) -> Setup {
    let geometry = |random: &mut Rng| {
        let capacity = 64 << random.u32(..4);
        let largest = random.u32(0..=u32::try_from(capacity).expect("small") - 24);
        Geometry::new(capacity, largest).expect("the largest frame fits")
    };
    let common = geometry(random);
    let midway = random.u8(..4) == 0;
    let mut configurations: [Configuration; 2] = std::array::from_fn(|_| {
        let geometry = if midway { common } else { geometry(random) };
        let mut configuration = Configuration::new(geometry.capacity(), geometry.largest());
        configuration.policy = if random.u8(..10) < 3 { Policy::Strict } else { Policy::Fresh };
        configuration
    });
    let directories = if midway { started(common, random) } else { Default::default() };
    let seed = random.u64(..);
    // Out of what is drawn anyway, so that the schedules that were kept are still the same.
    for (bit, configuration) in configurations.iter_mut().enumerate() {
        configuration.sleeps = seed >> bit & 1 == 1;
    }
    Setup {
        configurations,
        directories,
        seed,
        chunks: Chunks::Whole,
        room: random.bool().then(|| random.usize(1..300)),
        carrier: CARRIERS[random.usize(..2)],
    }
}

/// Both sides' files of a session that has come next to the end of a lap, of a word, or of all numbers.
fn started(geometry: Geometry, random: &mut Rng) -> [Directory; 2] {
    let session = random.u128(1..);
    let mut position = || {
        let end = [geometry.capacity() * 3, 1 << 32, 1 << 63, u64::MAX - 15][random.usize(..4)];
        end - 8 * random.u64(..geometry.capacity() / 8)
    };
    let [up, down] = [position(), position()];
    [(Role::Client, [up, down]), (Role::Server, [down, up])].map(|(role, [sent, consumed])| {
        let header = image::header(role, session, geometry);
        Directory::with_main(image::midway(&header, sent, consumed, 0xa77a))
    })
}
