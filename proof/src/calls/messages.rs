//! Whether every message was consumed once and in order, by what both sides have written down.

use std::collections::{BTreeMap, BTreeSet};

use tcpshm_protocol::Role;

use super::record::Entry;

/// The numbers of `sender` that were kept aside, undelivered.
pub(super) fn given_up(sender: Role, entries: &[Entry]) -> BTreeSet<u64> {
    let mut kept = Vec::new();
    let mut ends = Vec::new();
    for entry in entries {
        match entry {
            Entry::Kept(of, session, from, upto) if *of == sender => kept.push((session, *from, *upto)),
            Entry::Committed(of, number, session, end) if *of == sender => {
                ends.push((*number, session, *end))
            }
            _ => {}
        }
    }
    let within = |session: &String, end: u64| {
        kept.iter().any(|(of, from, upto)| *of == session && *from < end && end <= *upto)
    };
    ends.iter().filter(|(_, session, end)| within(session, *end)).map(|(number, ..)| *number).collect()
}

/// Everything that `sender` committed was consumed once and in order, or kept aside; and nothing else was.
pub(super) fn once_and_in_order(sender: Role, entries: &[Entry], excused: &[Role]) -> Vec<String> {
    let mut found = Vec::new();
    // Whether it is known that the commit happened.
    let mut committed: BTreeMap<u64, bool> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut open = None;
    for entry in entries {
        match entry {
            Entry::Commits(of, number) if *of == sender => _ = committed.entry(*number).or_insert(false),
            Entry::Committed(of, number, ..) if *of == sender => _ = committed.insert(*number, true),
            Entry::Takes(of, number) if *of != sender => {
                let again = open == Some(*number);
                if !again && taken.last().is_some_and(|last| last >= number) {
                    found.push(format!("{number} of the {sender:?} came after {:?}", taken.last()));
                }
                if !committed.contains_key(number) {
                    found.push(format!("{number} of the {sender:?} came, and was never sent"));
                }
                taken.insert(*number);
                open = Some(*number);
            }
            Entry::Consumed(of, number, ..) if *of != sender && open == Some(*number) => open = None,
            _ => {}
        }
    }
    let kept = given_up(sender, entries);
    let mut lost = committed.iter().filter(|(_, known)| **known).map(|(number, _)| *number);
    if let Some(number) = lost.find(|number| !taken.contains(number) && !kept.contains(number))
        && !excused.contains(&sender)
    {
        found.push(format!("{number} of the {sender:?} is lost"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "5e55";

    fn sent(number: u64) -> [Entry; 2] {
        let end = number * 24;
        [Entry::Commits(Role::Client, number), Entry::Committed(Role::Client, number, SESSION.into(), end)]
    }

    fn got(number: u64) -> [Entry; 2] {
        let end = number * 24;
        [Entry::Takes(Role::Server, number), Entry::Consumed(Role::Server, number, SESSION.into(), end)]
    }

    fn judged(parts: &[[Entry; 2]]) -> Vec<String> {
        once_and_in_order(Role::Client, &parts.concat(), &[])
    }

    #[test]
    fn a_message_that_is_lost_repeated_reordered_or_invented_is_found() {
        assert!(judged(&[sent(1), sent(2), got(1), got(2)]).is_empty());
        assert_eq!(judged(&[sent(1), sent(2), got(1)]), ["2 of the Client is lost"]);
        assert_eq!(judged(&[sent(1), got(1), got(1)]), ["1 of the Client came after Some(1)"]);
        assert_eq!(judged(&[sent(1), sent(2), got(2), got(1)]), ["1 of the Client came after Some(2)"]);
        assert_eq!(judged(&[got(1)]), ["1 of the Client came, and was never sent"]);
    }

    #[test]
    fn what_a_death_leaves_open_may_have_happened_or_not() {
        let [about_to, _] = sent(2);
        for rest in [vec![], got(2).to_vec()] {
            let entries = [&[sent(1), got(1)].concat()[..], std::slice::from_ref(&about_to), &rest].concat();
            assert!(once_and_in_order(Role::Client, &entries, &[]).is_empty());
        }
        let [takes, _] = got(1);
        let twice = [&sent(1)[..], &[takes], &got(1)].concat();
        assert!(once_and_in_order(Role::Client, &twice, &[]).is_empty());
    }

    #[test]
    fn what_is_kept_aside_is_given_up_and_not_lost() {
        let kept = |from, upto| Entry::Kept(Role::Client, SESSION.into(), from, upto);
        let entries = |kept| [&[sent(1), sent(2), got(1)].concat()[..], &[kept]].concat();
        assert!(once_and_in_order(Role::Client, &entries(kept(24, 48)), &[]).is_empty());
        assert_eq!(given_up(Role::Client, &entries(kept(24, 48))), BTreeSet::from([2]));
        assert!(!once_and_in_order(Role::Client, &entries(kept(0, 24)), &[]).is_empty());
    }
}
