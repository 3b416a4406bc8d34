//! Numbers that look random and can be found again: what lets a world of a million users need no memory.

/// The constant of splitmix64, whose stream has the full period of 2^64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

const fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A splitmix64 stream of its own for each (seed, salt, index).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64, salt: u64, index: u64) -> Self {
        Self(finish(finish(seed ^ salt.wrapping_mul(STEP)) ^ index.wrapping_mul(STEP)))
    }

    pub(super) const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        finish(self.0)
    }

    /// Evenly 0 to `limit - 1`; 0 where `limit` is 0. `limit` stays below 2^32.
    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        ((self.roll() >> 32) * limit) >> 32
    }

    /// A second from `from` until before `until`; `from` where there is none.
    pub(super) fn between(&mut self, from: i64, until: i64) -> i64 {
        let span = u64::try_from(until - from).unwrap_or(0);
        from + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// One of `choices`, which must not be empty.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let at = self.below(choices.len() as u64);
        choices[usize::try_from(at).unwrap_or(0)]
    }
}

/// Turns a number into another of 64 bits, and back.
pub(super) struct Cipher {
    key: u64,
}

impl Cipher {
    const FIRST: u64 = 0xd6e8_feb8_6659_fd93;
    const SECOND: u64 = 0xa076_1d64_78bd_642f;

    pub(super) const fn new(seed: u64, salt: u64) -> Self {
        Self { key: Dice::new(seed, salt, 0).roll() }
    }

    pub(super) const fn hide(&self, plain: u64) -> u64 {
        let x = (plain ^ self.key).wrapping_mul(Self::FIRST);
        (x ^ (x >> 32)).wrapping_mul(Self::SECOND)
    }

    pub(super) const fn find(&self, hidden: u64) -> u64 {
        let x = hidden.wrapping_mul(inverse(Self::SECOND));
        (x ^ (x >> 32)).wrapping_mul(inverse(Self::FIRST)) ^ self.key
    }
}

/// The inverse of an odd number modulo 2^64: each of Newton's steps doubles the bits that are right, from 3 on.
const fn inverse(odd: u64) -> u64 {
    let mut x = odd;
    let mut step = 0;
    while step < 5 {
        x = x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x)));
        step += 1;
    }
    x
}

/// A UUID of version 4 whose last 12 digits are `node`, of which 48 bits count.
pub(super) fn uuid(bits: u64, node: u64) -> String {
    let (high, middle, low) = (bits >> 32, bits >> 16 & 0xffff, bits & 0xfff);
    let variant = 0x8000 | (bits >> 12 & 0x3fff);
    format!("{high:08x}-{middle:04x}-4{low:03x}-{variant:04x}-{:012x}", node & 0xffff_ffff_ffff)
}

/// An id of 24 hexadecimal digits that begins with a time, as an `ObjectId` does.
pub(super) fn id(seconds: i64, rest: u64) -> String {
    format!("{:08x}{rest:016x}", u32::try_from(seconds).unwrap_or_default())
}

/// How many public keys of 8 lower-case letters there are.
const WORDS: u128 = 26_u128.pow(8);
/// Coprime to 26, so that multiplying by it visits every word once.
const STRIDE: u128 = 129_140_163_857;

/// The public key with this number: 8 lower-case letters.
pub(super) fn word(number: u64, seed: u64) -> String {
    let mut rest = (u128::from(number) + shift(seed)) * STRIDE % WORDS;
    let mut letters = [b'a'; 8];
    for letter in letters.iter_mut().rev() {
        *letter += u8::try_from(rest % 26).unwrap_or(0);
        rest /= 26;
    }
    letters.iter().copied().map(char::from).collect()
}

/// The number of a public key; `None` for what is not 8 lower-case letters.
pub(super) fn number(word: &str, seed: u64) -> Option<u64> {
    if word.len() != 8 || !word.bytes().all(|letter| letter.is_ascii_lowercase()) {
        return None;
    }
    let value = word.bytes().fold(0_u128, |value, letter| value * 26 + u128::from(letter - b'a'));
    u64::try_from((value * BACK + WORDS - shift(seed)) % WORDS).ok()
}

/// Where a seed begins among the words.
fn shift(seed: u64) -> u128 {
    u128::from(Dice::new(seed, 0, 0).roll()) % WORDS
}

const BACK: u128 = back();

/// The inverse of [`STRIDE`] modulo [`WORDS`], whose units number 26^7 * 12.
const fn back() -> u128 {
    let (mut result, mut base, mut power) = (1_u128, STRIDE % WORDS, 26_u128.pow(7) * 12 - 1);
    while power > 0 {
        if power & 1 == 1 {
            result = result * base % WORDS;
        }
        base = base * base % WORDS;
        power >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_hidden_is_found() {
        let cipher = Cipher::new(7, 3);
        for plain in [0, 1, 2, 999_999, u64::MAX] {
            assert_eq!(cipher.find(cipher.hide(plain)), plain);
        }
    }

    #[test]
    fn a_public_key_tells_its_number() {
        for seed in [0, 1, u64::MAX] {
            for plain in [0, 1, 25, 26, 1_000_000, 100_000_000_000] {
                let word = word(plain, seed);
                assert_eq!(number(&word, seed), Some(plain), "{word}");
            }
        }
        assert_eq!(number("ABCDEFGH", 1), None);
        assert_eq!(number("abc", 1), None);
    }
}
