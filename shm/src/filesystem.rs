//! Which file systems are refused: those where a lock or a mapping may mean something else to somebody
//! on another machine.

/// `f_type` of statfs(2), and a name for people. Numbers from linux/magic.h and statfs(2).
const REFUSED: [(u32, &str); 15] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xfe53_4d42, "SMB2"),
    (0xff53_4d42, "CIFS"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x7461_636f, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x0bd0_0bd0, "Lustre"),
    (0x786f_4256, "VirtualBox shared folder"),
    // Its locks and mappings are whatever the program behind it makes of them, often a network.
    (0x6573_5546, "FUSE"),
];

/// The name of the file system with this `f_type`, if link files cannot lie on it.
pub fn refused(f_type: u32) -> Option<&'static str> {
    REFUSED.iter().find(|(magic, _)| *magic == f_type).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_refused_by_name() {
        assert_eq!(refused(0x6969), Some("NFS"));
        assert_eq!(refused(u32::from_be_bytes(*b"\xffSMB").swap_bytes()), None);
        assert_eq!(refused(u32::from_le_bytes(*b"BMS\xff")), Some("CIFS"));
        assert_eq!(refused(u32::from_le_bytes(*b"BMS\xfe")), Some("SMB2"));
    }

    #[test]
    fn local_file_systems_are_not_refused() {
        let (tmpfs, ext4, xfs, btrfs) = (0x0102_1994, 0xef53, 0x5846_5342, 0x9123_683e);
        for local in [tmpfs, ext4, xfs, btrfs] {
            assert_eq!(refused(local), None, "{local:#x}");
        }
    }

    #[test]
    fn no_number_stands_twice() {
        let mut numbers = REFUSED.map(|(magic, _)| magic);
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
