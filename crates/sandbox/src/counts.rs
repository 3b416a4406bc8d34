//! What a sandbox counts, for whoever wants to know what a client cost it.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What came in and went out since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that were answered, but for those that asked for these counts.
    pub exchanges: u64,
    /// 401 of the digest layer to a request that attempted no answer.
    pub challenged: u64,
    /// 401 of the digest layer to an answer, stale ones among them.
    pub refused: u64,
    /// Those of the refused that said `stale=true`.
    pub stale: u64,
    /// TCP connections that were accepted.
    pub connections: u64,
    /// Answers that a fault has hit.
    pub faulty: u64,
}

/// The server's side of [`Counts`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) exchanges: AtomicU64,
    pub(super) challenged: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) faulty: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            exchanges: read(&self.exchanges),
            challenged: read(&self.challenged),
            refused: read(&self.refused),
            stale: read(&self.stale),
            connections: read(&self.connections),
            faulty: read(&self.faulty),
        }
    }
}
