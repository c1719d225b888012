//! Which boot of the machine this is, as the kernel says.

use std::fs;

use tcpshm_protocol::BootId;

/// See `random(4)`: a UUID that is drawn anew at each boot.
const SOURCE: &str = "/proc/sys/kernel/random/boot_id";

/// This boot, as link files note it. `None` where the kernel does not say, as without `/proc`. Both halves of the UUID
/// go into it.
pub fn id() -> Option<BootId> {
    parse(&fs::read_to_string(SOURCE).ok()?)
}

fn parse(uuid: &str) -> Option<BootId> {
    let digits: String = uuid.trim_end().split('-').collect();
    let number = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
    let [high, low] = [number >> 64, number & u128::from(u64::MAX)];
    BootId::new(u64::try_from(high ^ low).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_told_by_all_digits_of_its_uuid() {
        let id = |text| parse(text).map(BootId::get);
        let uuid = "0123456789abcdef-0000-0000-000000000001";
        assert_eq!(id("01234567-89ab-cdef-0000-000000000001\n"), Some(0x0123_4567_89ab_cdee));
        assert_eq!(id(uuid), None, "of 36 digits");
        assert_eq!(id("00000000-0000-0001-0000-000000000001"), None, "halves that cancel out");
        assert_eq!(id("not a uuid"), None);
        assert_eq!(id(""), None);
    }

    #[test]
    fn this_machine_says_which_boot_it_is_and_says_it_again() {
        assert!(id().is_some());
        assert_eq!(id(), id());
    }
}
