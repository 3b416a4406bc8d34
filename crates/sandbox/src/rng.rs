//! Numbers that look random and can be computed again: a world of a million users needs no memory.

/// The constant of splitmix64, whose stream has the full period of 2^64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One stream for each kind of thing, so that their numbers are independent of each other. A new kind takes a new
/// number: any other change of these gives another world for the same seed.
pub(crate) mod stream {
    pub(crate) const PUBLIC_KEY: u64 = 0;
    pub(crate) const USER: u64 = 1;
    pub(crate) const USER_ID: u64 = 2;
    pub(crate) const ROLE: u64 = 3;
    pub(crate) const ACCESS_LIST: u64 = 4;
    pub(crate) const PERSONAL_KEY: u64 = 5;
    pub(crate) const PERSONAL_KEY_COUNT: u64 = 6;
    pub(crate) const PROGRAMMATIC_KEY: u64 = 7;
    pub(crate) const PROGRAMMATIC_KEY_ID: u64 = 8;
    pub(crate) const ORGANIZATION: u64 = 9;
    pub(crate) const GROUP: u64 = 10;
    pub(crate) const TEAM: u64 = 11;
    pub(crate) const EVENT: u64 = 12;
    /// What is created over HTTP.
    pub(crate) const CREATED: u64 = 100;
    /// The events of what is done over HTTP.
    pub(crate) const RECORDED: u64 = 101;
    /// The first fault; the next one's is one more.
    pub(crate) const FIRST_FAULT: u64 = 1_000;
}

/// A splitmix64 generator with a sequence of its own for each (seed, stream, index).
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64, stream: u64, index: u64) -> Self {
        Self(mix(mix(seed ^ stream.wrapping_mul(STEP)) ^ index.wrapping_mul(STEP)))
    }

    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Evenly 0 to `limit - 1`; 0 where `limit` is 0. `limit` stays below 2^32.
    pub(crate) const fn below(&mut self, limit: u64) -> u64 {
        ((self.next_u64() >> 32) * limit) >> 32
    }

    /// A second from `from` until before `until`; `from` where there is none.
    pub(crate) fn between(&mut self, from: i64, until: i64) -> i64 {
        let span = u64::try_from(until - from).unwrap_or(0);
        from + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// One of `choices`, which must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let at = self.below(choices.len() as u64);
        choices[usize::try_from(at).unwrap_or(0)]
    }
}

/// Turns a number into another of 64 bits, and back.
pub(crate) struct IdCipher {
    key: u64,
}

impl IdCipher {
    const FIRST: u64 = 0xd6e8_feb8_6659_fd93;
    const SECOND: u64 = 0xa076_1d64_78bd_642f;

    pub(crate) const fn new(seed: u64, stream: u64) -> Self {
        Self { key: Rng::new(seed, stream, 0).next_u64() }
    }

    pub(crate) const fn encrypt(&self, plain: u64) -> u64 {
        let x = (plain ^ self.key).wrapping_mul(Self::FIRST);
        (x ^ (x >> 32)).wrapping_mul(Self::SECOND)
    }

    pub(crate) const fn decrypt(&self, encrypted: u64) -> u64 {
        let x = encrypted.wrapping_mul(inverse(Self::SECOND));
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
pub(crate) fn uuid(bits: u64, node: u64) -> String {
    let (high, middle, low) = (bits >> 32, bits >> 16 & 0xffff, bits & 0xfff);
    let variant = 0x8000 | (bits >> 12 & 0x3fff);
    format!("{high:08x}-{middle:04x}-4{low:03x}-{variant:04x}-{:012x}", node & 0xffff_ffff_ffff)
}

/// An id of 24 hexadecimal digits that begins with a time, as an `ObjectId` does.
pub(crate) fn object_id(seconds: i64, rest: u64) -> String {
    format!("{:08x}{rest:016x}", u32::try_from(seconds).unwrap_or_default())
}

/// How many public keys of 8 lower-case letters there are.
const PUBLIC_KEYS: u128 = 26_u128.pow(8);
/// Coprime to 26, so that multiplying by it gives every public key once.
const STRIDE: u128 = 129_140_163_857;
const INVERSE_STRIDE: u128 = inverse_stride();

/// The public key with this number: 8 lower-case letters.
pub(crate) fn public_key(number: u64, seed: u64) -> String {
    let mut rest = (u128::from(number) + first_public_key(seed)) * STRIDE % PUBLIC_KEYS;
    let mut letters = [b'a'; 8];
    for letter in letters.iter_mut().rev() {
        *letter += u8::try_from(rest % 26).unwrap_or(0);
        rest /= 26;
    }
    letters.iter().copied().map(char::from).collect()
}

/// The number of a public key; `None` for what is not 8 lower-case letters.
pub(crate) fn public_key_number(key: &str, seed: u64) -> Option<u64> {
    if key.len() != 8 || !key.bytes().all(|letter| letter.is_ascii_lowercase()) {
        return None;
    }
    let value = key.bytes().fold(0_u128, |value, letter| value * 26 + u128::from(letter - b'a'));
    u64::try_from((value * INVERSE_STRIDE + PUBLIC_KEYS - first_public_key(seed)) % PUBLIC_KEYS).ok()
}

/// Where a seed begins among the public keys.
fn first_public_key(seed: u64) -> u128 {
    u128::from(Rng::new(seed, stream::PUBLIC_KEY, 0).next_u64()) % PUBLIC_KEYS
}

/// The inverse of [`STRIDE`] modulo [`PUBLIC_KEYS`], whose units number 26^7 * 12.
const fn inverse_stride() -> u128 {
    let (mut result, mut base, mut power) = (1_u128, STRIDE % PUBLIC_KEYS, 26_u128.pow(7) * 12 - 1);
    while power > 0 {
        if power & 1 == 1 {
            result = result * base % PUBLIC_KEYS;
        }
        base = base * base % PUBLIC_KEYS;
        power >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_id_decrypts_to_the_same() {
        let cipher = IdCipher::new(7, 3);
        for plain in [0, 1, 2, 999_999, u64::MAX] {
            assert_eq!(cipher.decrypt(cipher.encrypt(plain)), plain);
        }
    }

    #[test]
    fn a_public_key_gives_its_number() {
        for seed in [0, 1, u64::MAX] {
            for plain in [0, 1, 25, 26, 1_000_000, 100_000_000_000] {
                let key = public_key(plain, seed);
                assert_eq!(public_key_number(&key, seed), Some(plain), "{key}");
            }
        }
        assert_eq!(public_key_number("ABCDEFGH", 1), None);
        assert_eq!(public_key_number("abc", 1), None);
    }
}
