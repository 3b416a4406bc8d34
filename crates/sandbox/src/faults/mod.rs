//! Answers that a well-behaved service never gives: which requests get one, and what it is like.
//!
//! Whom a fault hits follows from the seed and from what is asked for, never from the order or the time of arrival. So a
//! run against a broken deployment can be repeated, and a test knows beforehand what must come of it.
//!
//! ```text
//! spec, kind: what `--fault` takes ── hits: who is hit ── broken: answers of its own
//!                                                      └─ lists: pages that lie
//!                                                      └─ line: connections that end or crawl
//! ```

mod broken;
mod hits;
mod kind;
mod line;
mod lists;
mod spec;

pub use self::kind::{AuthFault, FaultKind, Replacement, StatusDetail, Transport, WrongData, WrongTotal};
pub use self::spec::{Fault, FaultError, Resource};

pub(super) use self::hits::{Asked, Faults, Hit};
pub(super) use self::line::{Lines, Peer};
pub(super) use self::spec::HELP;
