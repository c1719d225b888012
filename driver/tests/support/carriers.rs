//! One body, both carriers: what holds of delivery, recovery and identity does not depend on what carries
//! the link.

/// Makes two tests of each fact, a function that takes the carrier: one over TCP, one over shared memory.
macro_rules! carriers {
    ($($fact:ident),+ $(,)?) => {
        mod over_tcp {
            $(#[test] fn $fact() { super::$fact(tcpshm_driver::Carrier::Tcp); })+
        }
        mod over_shared_memory {
            $(#[test] fn $fact() { super::$fact(tcpshm_driver::Carrier::Shm); })+
        }
    };
}
