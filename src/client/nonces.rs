//! The nonces of one credential's session, of all the nodes that answer under the deployment's name.
//!
//! It is unknown which node issued a nonce, and which one the next request meets. So a few are kept side by side, and the
//! answers teach which pick is right: the nonce that was accepted last where a connection or a cookie leads to one node, the
//! one that was not used for longest where a balancer takes strict turns. Where it deals by chance, no pick is better.
//!
//! Where nonces are good for one use or a few, one that was accepted is worth nothing. Then each request takes one out of the
//! pool that was never accepted, and puts it back if the node did not know it: another one does.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use digest_auth::WwwAuthenticateHeader;
use zeroize::Zeroizing;

/// Jetty takes the counts of a nonce below 1,024. Renewing at that count costs one exchange; running into it costs one for
/// every request in flight.
pub(super) const NONCE_USES: u32 = 1023;
/// Jetty forgets a nonce after 60 s; a little earlier, for the way there.
const NONCE_AGE: Duration = Duration::from_secs(55);
/// With so many uses left, a request gets the next nonce while the others continue: that takes two answers, in each of which
/// every one of 256 in flight may need a use.
const RENEWED_AHEAD: u32 = 512;
/// A nonce of this age has no uses left that could be counted on.
const AGE_AHEAD: Duration = Duration::from_secs(45);
/// Where nonces that were accepted once are stale so often more than accepted again, each request has one of its own. By
/// chance one of as many as there are nodes is accepted, and when a nonce ends it is stale for all requests in flight.
const STALE_REUSES: i32 = 24;
const ACCEPTED_REUSE: i32 = 6;
const MOST_ACCEPTED_REUSES: i32 = 600;
/// More nodes than that are rarely behind one name, and a nonce that no node knows any more is soon displaced.
const POOL: usize = 8;
/// A nonce that so many answers in a row call stale has ended, or its node is gone.
const STALE_IN_A_ROW: u32 = 3;
/// After so many requests in a row whose first pick was stale, the other order is tried.
const WRONG_FIRST_PICKS: u32 = 2;

/// One nonce of a node.
pub(super) struct Nonce {
    pub(super) challenge: WwwAuthenticateHeader,
    /// The hash of username, realm and password, once it was needed.
    pub(super) secret: OnceLock<Zeroizing<String>>,
    /// The highest count used so far.
    last_count: AtomicU32,
    /// Requests that were accepted with it.
    accepted: AtomicU32,
    /// Stale answers since it was last accepted.
    stale: AtomicU32,
    /// When it came or was last accepted, in the order of such events.
    touched: AtomicU64,
    received: Instant,
}

impl Nonce {
    /// The nonce of a challenge, its first use taken.
    pub(super) fn first_use(challenge: WwwAuthenticateHeader) -> Arc<Self> {
        Arc::new(Self {
            challenge,
            secret: OnceLock::new(),
            last_count: AtomicU32::new(1),
            accepted: AtomicU32::new(0),
            stale: AtomicU32::new(0),
            touched: AtomicU64::new(0),
            received: Instant::now(),
        })
    }

    /// The uses that can be counted on.
    fn uses_left(&self) -> u32 {
        if self.received.elapsed() >= AGE_AHEAD {
            return 0;
        }
        NONCE_USES - self.last_count.load(Ordering::Relaxed)
    }

    /// The count of the next use; `None` once it is used up or too old.
    pub(super) fn next_count(&self) -> Option<u32> {
        if self.received.elapsed() >= NONCE_AGE {
            return None;
        }
        let next = |count| (count < NONCE_USES).then_some(count + 1);
        let before = self.last_count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.ok().map(|before| before + 1)
    }

    /// Whether it was accepted once, and no second time.
    pub(super) fn was_accepted_once(&self) -> bool {
        self.accepted.load(Ordering::Relaxed) == 1
    }
}

/// A nonce to use, with the count of that use.
pub(super) struct Pick {
    pub(super) nonce: Arc<Nonce>,
    pub(super) count: u32,
    /// Whether there were others to pick.
    pub(super) had_choice: bool,
}

/// A few nonces of all nodes.
#[derive(Default)]
pub(super) struct NoncePool {
    nonces: Vec<Arc<Nonce>>,
    /// How many were ever put in.
    added: u64,
    events: u64,
    /// Whether to begin with the nonce that was not used for longest.
    longest_unused_first: bool,
    wrong_first_picks: u32,
    /// How much oftener a nonce that was accepted once was stale than accepted again.
    stale_reuses: i32,
    own_or_older: OwnOrOlder,
}

/// Of nonces for one request, how often that of the answer before is stale, and how often an older one: where a balancer takes
/// strict turns the older one is right, where it keeps to one node its own.
#[derive(Default)]
struct OwnOrOlder {
    stale_own: f64,
    stale_older: f64,
}

impl OwnOrOlder {
    fn record(&mut self, is_own: bool, is_stale: bool) {
        let share = if is_own { &mut self.stale_own } else { &mut self.stale_older };
        *share = (*share * 0.9 + if is_stale { 0.1 } else { 0.0 }).min(0.95);
    }

    /// By chance, as often as each is right.
    fn is_own_next(&self) -> bool {
        let (own, older) = (1.0 - self.stale_own, 1.0 - self.stale_older);
        fastrand::f64() * (own + older) < own
    }
}

impl NoncePool {
    /// How many nonces were ever put in.
    pub(super) fn added(&self) -> u64 {
        self.added
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nonces.is_empty()
    }

    /// Whether each nonce is used for one request.
    pub(super) fn is_one_time(&self) -> bool {
        self.stale_reuses >= STALE_REUSES
    }

    /// Takes a nonce out that was never accepted: it may be known to another node than the one that called it stale.
    pub(super) fn take_unused(&mut self) -> Option<Arc<Nonce>> {
        self.nonces.retain(|nonce| {
            nonce.accepted.load(Ordering::Relaxed) == 0 && nonce.received.elapsed() < NONCE_AGE
        });
        (!self.nonces.is_empty()).then(|| self.nonces.swap_remove(fastrand::usize(..self.nonces.len())))
    }

    /// A node did not know `tried`, a nonce for one request, and sent `received`: whether to try that or an older one next.
    pub(super) fn next_unused(
        &mut self,
        tried: &Arc<Nonce>,
        received: Arc<Nonce>,
        was_own: bool,
    ) -> (Arc<Nonce>, bool) {
        self.own_or_older.record(was_own, true);
        if tried.stale.fetch_add(1, Ordering::Relaxed) + 1 < STALE_IN_A_ROW {
            self.put(tried);
        }
        if self.own_or_older.is_own_next() {
            return (received, true);
        }
        match self.take_unused() {
            Some(older) => {
                self.put(&received);
                (older, false)
            }
            None => (received, true),
        }
    }

    /// Whether all of them together will soon be used up.
    pub(super) fn is_running_out(&self) -> bool {
        self.nonces.iter().map(|nonce| nonce.uses_left()).sum::<u32>() <= RENEWED_AHEAD
    }

    /// Whether there is another that is accepted, and not only once: then there are several nodes, and a balancer that takes
    /// turns would have the answer to this node's challenge meet the next one.
    pub(super) fn has_proven_besides(&self, nonce: &Arc<Nonce>) -> bool {
        let is_proven = |other: &Nonce| {
            other.accepted.load(Ordering::Relaxed) > 1 && other.stale.load(Ordering::Relaxed) == 0
        };
        self.nonces.iter().any(|other| !Arc::ptr_eq(other, nonce) && is_proven(other))
    }

    /// The nonce to begin a request with.
    pub(super) fn first(&mut self) -> Option<Pick> {
        let had_choice = self.nonces.len() > 1;
        while !self.nonces.is_empty() {
            let touched = |nonce: &&Arc<Nonce>| nonce.touched.load(Ordering::Relaxed);
            let best = if self.longest_unused_first {
                self.nonces.iter().min_by_key(touched)
            } else {
                self.nonces.iter().max_by_key(touched)
            };
            let nonce = Arc::clone(best?);
            match nonce.next_count() {
                Some(count) => return Some(Pick { nonce, count, had_choice }),
                None => self.remove(&nonce),
            }
        }
        None
    }

    /// A nonce by chance: any fixed order may be out of step with a balancer's for ever.
    pub(super) fn any(&mut self) -> Option<Pick> {
        while !self.nonces.is_empty() {
            let nonce = Arc::clone(&self.nonces[fastrand::usize(..self.nonces.len())]);
            match nonce.next_count() {
                Some(count) => return Some(Pick { nonce, count, had_choice: false }),
                None => self.remove(&nonce),
            }
        }
        None
    }

    /// Puts a nonce in, unless another one came in since the pool had `seen` ones: when the nonce of a single node ends, each
    /// request in flight gets a new one.
    pub(super) fn add(&mut self, nonce: &Arc<Nonce>, seen: u64) {
        if self.added > seen || self.contains(nonce) {
            return;
        }
        self.put(nonce);
    }

    fn put(&mut self, nonce: &Arc<Nonce>) {
        self.added += 1;
        self.touch(nonce);
        if self.nonces.len() == POOL {
            let oldest = self.nonces.iter().min_by_key(|nonce| nonce.touched.load(Ordering::Relaxed));
            if let Some(oldest) = oldest.cloned() {
                self.remove(&oldest);
            }
        }
        self.nonces.push(Arc::clone(nonce));
    }

    /// A node accepted it, in the request's first exchange or a later one.
    pub(super) fn accepted(&mut self, nonce: &Nonce, is_first_pick: bool, is_own: bool) {
        if nonce.accepted.fetch_add(1, Ordering::Relaxed) > 0 && !self.is_one_time() {
            self.stale_reuses = (self.stale_reuses - ACCEPTED_REUSE).max(-MOST_ACCEPTED_REUSES);
        }
        nonce.stale.store(0, Ordering::Relaxed);
        if self.is_one_time() {
            self.own_or_older.record(is_own, false);
        }
        self.touch(nonce);
        if is_first_pick {
            self.wrong_first_picks = 0;
        }
    }

    /// A node did not know it. `is_wrong_pick` where another one might have been the right one to begin with.
    pub(super) fn stale(&mut self, nonce: &Arc<Nonce>, is_wrong_pick: bool) {
        if nonce.stale.fetch_add(1, Ordering::Relaxed) + 1 >= STALE_IN_A_ROW {
            self.remove(nonce);
        }
        self.stale_reuses += i32::from(nonce.accepted.load(Ordering::Relaxed) > 0);
        if is_wrong_pick {
            self.wrong_first_picks += 1;
            if self.wrong_first_picks >= WRONG_FIRST_PICKS {
                self.wrong_first_picks = 0;
                self.longest_unused_first = !self.longest_unused_first;
            }
        }
    }

    /// Takes a nonce out that the server refused.
    pub(super) fn remove(&mut self, nonce: &Arc<Nonce>) {
        self.nonces.retain(|known| !Arc::ptr_eq(known, nonce));
    }

    fn contains(&self, nonce: &Arc<Nonce>) -> bool {
        self.nonces.iter().any(|known| Arc::ptr_eq(known, nonce))
    }

    fn touch(&mut self, nonce: &Nonce) {
        self.events += 1;
        nonce.touched.store(self.events, Ordering::Relaxed);
    }
}
