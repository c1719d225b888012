//! A link file that is being made: killed after any store, or in the middle of the writes between two, it
//! reads as unfinished, which whoever finds it may throw away; after the last store it is whole.

use proof::{Directory, Disk, image};
use tcpshm_protocol::{Geometry, Header, HeaderError, Memory, Nonce, RecoverError, Role, Standing, survey};

#[test]
fn whoever_makes_it() {
    for role in [Role::Client, Role::Server] {
        let header = image::header(role, 7, Geometry::new(64, 40).expect("a geometry"));
        let disk = Disk::new(Directory::default(), 0xf11e);
        let mut file = disk.create_fresh(Header::file_size(header.outgoing).expect("small"));
        disk.record();
        header.format(&mut file, Nonce::new(9));
        let crashes = disk.crashes();
        let found = |crash: &Directory| survey(&Memory::from_image(crash.fresh().expect("it was made")));
        let (last, before) = crashes.split_last().expect("it is recorded");
        assert!(before.len() >= 3, "nothing, half of it, all of it but the last store");
        for crash in before {
            assert_eq!(found(crash).expect_err("not yet"), RecoverError::Header(HeaderError::Unfinished));
        }
        let whole = found(last).expect("whole");
        assert_eq!((whole.header(), whole.standing()), (&header, Standing::START));
        assert_eq!(whole.current(), None, "and unconfirmed");
    }
}
