//! Which system calls fail, how, and which are left alone and why.

use std::str::FromStr;

/// A system call, and the errors that it is made to give.
///
/// Not among them are answers that are lies rather than failures, such as ENOENT for a file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) call: &'static str,
    /// The first one stands for all where not every error is tried.
    pub(super) errors: &'static [&'static str],
}

const fn failing(call: &'static str, errors: &'static [&'static str]) -> Failing {
    Failing { call, errors }
}

/// Every call that the scenario makes on the project's behalf.
pub(super) const FAILING: [Failing; 32] = [
    // Files.
    failing("openat", &["EMFILE", "EACCES", "EIO", "ENOSPC", "ENFILE", "EINTR"]),
    failing("fallocate", &["ENOSPC", "EIO", "EINTR", "EOPNOTSUPP"]),
    failing("mmap", &["ENOMEM", "EAGAIN"]),
    failing("flock", &["EAGAIN", "ENOLCK", "EINTR"]),
    failing("fstat", &["EIO", "ENOMEM"]),
    failing("newfstatat", &["EIO", "EACCES"]),
    failing("statx", &["EIO"]),
    failing("fstatfs", &["EIO", "EINTR"]),
    // Which boot of the machine it is; without an answer nobody is told of another one.
    failing("read", &["EIO", "EINTR"]),
    failing("pread64", &["EIO", "EINTR"]),
    failing("renameat2", &["EIO", "ENOSPC", "EINVAL", "EACCES"]),
    failing("unlinkat", &["EIO", "EACCES"]),
    failing("mkdirat", &["ENOSPC", "EACCES"]),
    failing("getdents64", &["EIO", "ENOMEM"]),
    failing("fchmod", &["EIO", "EPERM"]),
    failing("fchmodat", &["EIO", "EPERM"]),
    // Sockets.
    failing("socket", &["EMFILE", "ENOBUFS", "ENFILE"]),
    failing("setsockopt", &["ENOBUFS"]),
    failing("getsockopt", &["ENOBUFS"]),
    failing("bind", &["EADDRINUSE", "EACCES"]),
    failing("listen", &["EADDRINUSE"]),
    failing("getsockname", &["ENOBUFS"]),
    failing("getpeername", &["ENOBUFS"]),
    failing("connect", &["ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "EINTR"]),
    failing("accept4", &["EMFILE", "ECONNABORTED", "ENOMEM", "EINTR", "EAGAIN"]),
    failing("recvfrom", &["ECONNRESET", "EINTR", "ENOMEM", "EIO", "EAGAIN"]),
    failing("sendto", &["EPIPE", "EINTR", "ECONNRESET", "ENOBUFS", "EAGAIN"]),
    failing("shutdown", &["ENOTCONN"]),
    // The loop.
    failing("epoll_create1", &["EMFILE", "ENOMEM"]),
    failing("epoll_ctl", &["ENOSPC", "ENOMEM"]),
    failing("epoll_wait", &["EINTR", "EINVAL"]),
    failing("fcntl", &["EMFILE"]),
];

/// In the place of an error: the process is killed in place of the call.
pub(super) const KILL: &str = "SIGKILL";

/// A call that only happens when another one has failed in its way: the second line of defence.
pub(super) const BEHIND: [(Failing, &str); 1] =
    [(failing("pwrite64", &["ENOSPC", "EIO", "EINTR"]), "fallocate:error=EOPNOTSUPP")];

/// Calls that are made and do not fail here, each with its reason.
pub(super) const SPARED: [(&str, &str); 15] = [
    ("brk", "memory of the allocator, which asks mmap next"),
    ("munmap", "fails for a wrong argument only; what is injected would leave the mapping"),
    ("mremap", "memory of the allocator"),
    ("madvise", "memory of the allocator, advice"),
    ("close", "the kernel closes whatever it answers; what is injected would leave it open"),
    ("write", "the record of the application; links write with sendto"),
    ("unlink", "the scenario, which plays the cleaner; the project removes with unlinkat"),
    ("sched_yield", "the scenario; cannot fail"),
    ("getpid", "cannot fail"),
    ("geteuid", "cannot fail"),
    ("getrandom", "cannot fail for so few bytes, but for EINTR, which the standard library repeats"),
    ("clock_gettime", "cannot fail; not a system call where there is a vDSO"),
    ("futex", "locks of the standard library"),
    ("sigaltstack", "the end of the process"),
    ("exit_group", "the end of the process"),
];

/// Whether this error is a lie that the kernel does not tell: nothing to read or to write, although epoll has
/// said that there is, and will not say so again. Silence ends such a connection.
pub(super) fn may_fall_silent(fault: &Fault) -> bool {
    fault.error == "EAGAIN" && ["accept4", "recvfrom", "sendto"].contains(&fault.call)
}

/// The row of a call.
pub(super) fn of(call: &str) -> Option<Failing> {
    let behind = BEHIND.iter().map(|(failing, _)| failing);
    FAILING.iter().chain(behind).find(|failing| failing.call == call).copied()
}

/// Whether it is known what to do about a call.
pub(super) fn is_covered(call: &str) -> bool {
    of(call).is_some() || SPARED.iter().any(|(spared, _)| *spared == call)
}

/// When it fails, counted from the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// The call of this number.
    Once(u32),
    /// So many from this one on.
    For(u32, u32),
    /// Every one from this one on.
    From(u32),
}

/// One failure of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) call: &'static str,
    pub(super) error: &'static str,
    pub(super) when: When,
    /// What else fails, so that the call is made at all.
    pub(super) behind: Option<&'static str>,
}

impl FromStr for Fault {
    type Err = String;

    /// Reads what [`Fault::expression`] has written.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("no fault: {text}");
        let (call, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (how, when) = rest.split_once(":when=").ok_or_else(wrong)?;
        let failing = of(call).ok_or_else(wrong)?;
        let mut errors = failing.errors.iter().copied().chain([KILL]);
        let error = errors.find(|error| how.split_once('=').is_some_and(|(_, said)| said == *error));
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let when = match (when.split_once(".."), when.strip_suffix('+')) {
            (Some((first, last)), _) => When::For(number(first)?, number(last)? + 1 - number(first)?),
            (_, Some(first)) => When::From(number(first)?),
            _ => When::Once(number(when)?),
        };
        let behind = BEHIND.iter().find(|(failing, _)| failing.call == call).map(|(_, behind)| *behind);
        Ok(Fault { call: failing.call, error: error.ok_or_else(wrong)?, when, behind })
    }
}

impl Fault {
    /// As strace(1) takes it.
    pub(super) fn expression(&self) -> String {
        let when = match self.when {
            When::Once(number) => number.to_string(),
            When::For(number, count) => format!("{number}..{}", number + count - 1),
            When::From(number) => format!("{number}+"),
        };
        let how = if self.kills() { "signal" } else { "error" };
        format!("{}:{how}={}:when={when}", self.call, self.error)
    }

    /// Whether it is the end of the process, which dies when it is about to make the call.
    pub(super) fn kills(&self) -> bool {
        self.error == KILL
    }

    /// Whether the call is simply made again, and nobody is told: a signal came in between, or somebody who
    /// was about to connect has gone.
    pub(super) fn must_go_unnoticed(&self) -> bool {
        let passes = match self.error {
            // What an interrupted connect has begun goes on without the caller.
            "EINTR" => self.call != "connect",
            "ECONNABORTED" => true,
            _ => false,
        };
        passes && !self.lasts()
    }

    /// Whether only one call fails.
    pub(super) fn happens_once(&self) -> bool {
        matches!(self.when, When::Once(_))
    }

    /// Whether it may last as long as the process does.
    pub(super) fn lasts(&self) -> bool {
        matches!(self.when, When::From(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_stands_twice_and_none_without_an_error() {
        let behind = BEHIND.iter().map(|(failing, _)| failing.call);
        let spared = SPARED.iter().map(|(call, _)| *call);
        let mut all: Vec<&str> =
            FAILING.iter().map(|failing| failing.call).chain(behind).chain(spared).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(FAILING.iter().all(|failing| !failing.errors.is_empty()));
        assert!(is_covered("openat") && is_covered("brk") && !is_covered("ptrace"));
    }

    #[test]
    fn a_fault_is_said_as_strace_takes_it() {
        let fault = |when| Fault { call: "openat", error: "EIO", when, behind: None }.expression();
        assert_eq!(fault(When::Once(7)), "openat:error=EIO:when=7");
        assert_eq!(fault(When::For(7, 3)), "openat:error=EIO:when=7..9");
        assert_eq!(fault(When::From(7)), "openat:error=EIO:when=7+");
        let killed = Fault { call: "openat", error: KILL, when: When::Once(7), behind: None };
        assert_eq!(killed.expression(), "openat:signal=SIGKILL:when=7");
        for when in [When::Once(7), When::For(7, 3), When::From(7)] {
            let fault = Fault { when, ..killed };
            assert_eq!(fault.expression().parse(), Ok(fault));
        }
        for wrong in
            ["openat", "openat:error=EPERM:when=1", "openat:error=EIO:when=", "ptrace:error=EIO:when=1"]
        {
            assert!(wrong.parse::<Fault>().is_err());
        }
    }
}
