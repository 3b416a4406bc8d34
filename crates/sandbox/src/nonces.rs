//! The nonces that were handed out: how old each is, and which of its counts were used.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

/// How many nonces are remembered; the oldest goes first, and counts as unknown from then on.
const REMEMBERED: usize = 65_536;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// How often one nonce may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NonceRule {
    /// Until it is too old or used up, each nonce count once
    Shared,
    /// A single time: a second answer to it is stale
    Once,
}

/// What came of spending a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    Fresh,
    /// This nonce count was used before, or is 0.
    Repeated,
    /// The nonce is unknown, too old or used up.
    Stale,
}

/// All that were handed out and still live.
pub(super) struct Nonces {
    life: Duration,
    uses: u32,
    rule: NonceRule,
    /// Keyed at random for each run, so that nobody can foretell a nonce.
    random: RandomState,
    issued: u64,
    alive: HashMap<String, Nonce>,
    by_age: VecDeque<(Instant, String)>,
}

struct Nonce {
    born: Instant,
    answers: u32,
    /// One bit a count; grows with the highest count seen, which is at most `uses`.
    counts: Vec<u64>,
}

impl Nonces {
    pub(super) fn new(life: Duration, uses: u32, rule: NonceRule) -> Self {
        Self {
            life,
            uses,
            rule,
            random: RandomState::new(),
            issued: 0,
            alive: HashMap::new(),
            by_age: VecDeque::new(),
        }
    }

    /// A new nonce: 32 characters of base64, as 24 bytes make them.
    pub(super) fn issue(&mut self, now: Instant) -> String {
        self.forget(now);
        self.issued += 1;
        let words = [0_u8, 1, 2].map(|part| self.random.hash_one((self.issued, part)));
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_be_bytes).collect();
        let nonce: String = bytes.chunks_exact(3).flat_map(four_characters).collect();
        self.by_age.push_back((now, nonce.clone()));
        self.alive.insert(nonce.clone(), Nonce { born: now, answers: 0, counts: Vec::new() });
        nonce
    }

    /// Marks a count of a nonce as used; `None` is an answer without a count, as of RFC 2069.
    pub(super) fn spend(&mut self, text: &str, count: Option<u32>, now: Instant) -> Spent {
        let (life, uses, rule) = (self.life, self.uses, self.rule);
        let Some(nonce) = self.alive.get_mut(text) else {
            return Spent::Stale;
        };
        if now.duration_since(nonce.born) >= life || (rule == NonceRule::Once && nonce.answers > 0) {
            return Spent::Stale;
        }
        match count {
            Some(0) => return Spent::Repeated,
            Some(count) if count > uses => return Spent::Stale,
            None if nonce.answers >= uses => return Spent::Stale,
            Some(count) if !nonce.mark(count) => return Spent::Repeated,
            Some(_) | None => {}
        }
        nonce.answers = nonce.answers.saturating_add(1);
        Spent::Fresh
    }

    fn forget(&mut self, now: Instant) {
        while let Some((born, _)) = self.by_age.front() {
            if now.duration_since(*born) < self.life && self.by_age.len() < REMEMBERED {
                break;
            }
            if let Some((_, nonce)) = self.by_age.pop_front() {
                self.alive.remove(&nonce);
            }
        }
    }
}

impl Nonce {
    /// Whether the count was new.
    fn mark(&mut self, count: u32) -> bool {
        let word = usize::try_from(count / 64).unwrap_or(usize::MAX);
        let bit = 1_u64 << (count % 64);
        if self.counts.len() <= word {
            self.counts.resize(word + 1, 0);
        }
        let new = self.counts[word] & bit == 0;
        self.counts[word] |= bit;
        new
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
    fn what_is_remembered_is_bounded() {
        let mut nonces = Nonces::new(Duration::from_secs(60), 1024, NonceRule::Shared);
        let now = Instant::now();
        let first = nonces.issue(now);
        assert_eq!(first.len(), 32);
        for _ in 0..REMEMBERED {
            nonces.issue(now);
        }
        assert_eq!(nonces.alive.len(), REMEMBERED);
        assert_eq!(nonces.spend(&first, Some(1), now), Spent::Stale);
    }

    #[test]
    fn a_nonce_dies_at_the_end_of_its_life() {
        let mut nonces = Nonces::new(Duration::from_secs(60), 1024, NonceRule::Shared);
        let now = Instant::now();
        let nonce = nonces.issue(now);
        assert_eq!(nonces.spend(&nonce, Some(9), now + Duration::from_millis(59_999)), Spent::Fresh);
        assert_eq!(nonces.spend(&nonce, Some(10), now + Duration::from_secs(60)), Spent::Stale);
        nonces.issue(now + Duration::from_secs(60));
        assert_eq!(nonces.alive.len(), 1);
    }
}
