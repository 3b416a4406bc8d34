//! The nonces that were issued: how old each is, and which of its counts were used.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// How many nonces are remembered; the oldest goes first, and is unknown from then on.
const REMEMBERED: usize = 65_536;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How often one nonce may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NonceRule {
    /// Reusable until it expires, each nonce count once
    Shared,
    /// One use; a second use is stale
    Once,
}

/// Whether a nonce count may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NonceUse {
    Accepted,
    /// This nonce count was used before, or is 0.
    Repeated,
    /// The nonce is unknown, too old or used up.
    Stale,
}

/// All nonces that were issued and are still valid.
pub(super) struct Nonces {
    life: Duration,
    uses: u32,
    rule: NonceRule,
    /// Keyed at random for each run, so that a nonce can't be predicted.
    random: RandomState,
    issued: u64,
    valid: HashMap<String, Nonce>,
    by_age: VecDeque<(Instant, String)>,
}

struct Nonce {
    issued_at: Instant,
    answers: u32,
    counts: HashSet<u32>,
}

impl Nonces {
    pub(super) fn new(life: Duration, uses: u32, rule: NonceRule) -> Self {
        Self {
            life,
            uses,
            rule,
            random: RandomState::new(),
            issued: 0,
            valid: HashMap::new(),
            by_age: VecDeque::new(),
        }
    }

    /// A new nonce: 32 characters of base64, as 24 bytes make them.
    pub(super) fn issue(&mut self, now: Instant) -> String {
        self.remove_old(now);
        self.issued += 1;
        let words = [0_u8, 1, 2].map(|part| self.random.hash_one((self.issued, part)));
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_be_bytes).collect();
        let nonce: String = bytes.chunks_exact(3).flat_map(four_characters).collect();
        self.by_age.push_back((now, nonce.clone()));
        self.valid.insert(nonce.clone(), Nonce { issued_at: now, answers: 0, counts: HashSet::new() });
        nonce
    }

    /// Marks a count of a nonce as used; `None` is a header without a count, as of RFC 2069.
    pub(super) fn use_count(&mut self, text: &str, count: Option<u32>, now: Instant) -> NonceUse {
        let (life, uses, rule) = (self.life, self.uses, self.rule);
        let Some(nonce) = self.valid.get_mut(text) else {
            return NonceUse::Stale;
        };
        if now.duration_since(nonce.issued_at) >= life || (rule == NonceRule::Once && nonce.answers > 0) {
            return NonceUse::Stale;
        }
        match count {
            Some(0) => return NonceUse::Repeated,
            Some(count) if count > uses => return NonceUse::Stale,
            None if nonce.answers >= uses => return NonceUse::Stale,
            Some(count) if !nonce.counts.insert(count) => return NonceUse::Repeated,
            Some(_) | None => {}
        }
        nonce.answers = nonce.answers.saturating_add(1);
        NonceUse::Accepted
    }

    fn remove_old(&mut self, now: Instant) {
        while let Some((issued_at, _)) = self.by_age.front() {
            if now.duration_since(*issued_at) < self.life && self.by_age.len() < REMEMBERED {
                break;
            }
            if let Some((_, nonce)) = self.by_age.pop_front() {
                self.valid.remove(&nonce);
            }
        }
    }
}

fn four_characters(three: &[u8]) -> [char; 4] {
    let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
    [18, 12, 6, 0].map(|shift| char::from(BASE64[bits >> shift & 63]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_nonces_is_bounded() {
        let mut nonces = Nonces::new(Duration::from_secs(60), 1024, NonceRule::Shared);
        let now = Instant::now();
        let first = nonces.issue(now);
        assert_eq!(first.len(), 32);
        for _ in 0..REMEMBERED {
            nonces.issue(now);
        }
        assert_eq!(nonces.valid.len(), REMEMBERED);
        assert_eq!(nonces.use_count(&first, Some(1), now), NonceUse::Stale);
    }

    #[test]
    fn a_nonce_is_stale_at_the_end_of_its_life() {
        let mut nonces = Nonces::new(Duration::from_secs(60), 1024, NonceRule::Shared);
        let now = Instant::now();
        let nonce = nonces.issue(now);
        assert_eq!(
            nonces.use_count(&nonce, Some(9), now + Duration::from_millis(59_999)),
            NonceUse::Accepted
        );
        assert_eq!(nonces.use_count(&nonce, Some(10), now + Duration::from_secs(60)), NonceUse::Stale);
        nonces.issue(now + Duration::from_secs(60));
        assert_eq!(nonces.valid.len(), 1);
    }
}
