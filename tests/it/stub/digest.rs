//! Whether an answer to the stub's challenge is right, computed apart from the program's own code.

use digest_auth::Algorithm;

use super::{NONCE, PRIVATE};

/// Whether the request carries a digest that is right for this very target, computed over the bytes of the realm and
/// of the user's name. `head` has one char a byte.
pub(super) fn is_right(head: &str, target: &str, realm: &[u8], name: &str) -> bool {
    let header = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("authorization").then(|| value.trim().strip_prefix("Digest ")).flatten()
    });
    let Some(header) = header else { return false };
    let given = |name: &str| {
        let pairs = header.split(", ").filter_map(|pair| pair.split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).last()
    };
    let hash = |parts: &[&[u8]]| Algorithm::default().hash(&parts.join(&b':')).into_bytes();
    let of = |name| given(name).unwrap_or_default().trim_matches('"').as_bytes();
    let secret = hash(&[name.as_bytes(), realm, PRIVATE.as_bytes()]);
    let request = hash(&[b"GET", target.as_bytes()]);
    let right = hash(&[&secret, of("nonce"), of("nc"), of("cnonce"), of("qop"), &request]);
    let name = one_char_a_byte(name.as_bytes());
    let quoted = [("uri", target), ("username", &name), ("nonce", NONCE), ("realm", &one_char_a_byte(realm))];
    // RFC 7616, section 3.4: these two are never quoted.
    let is_plain = given("qop") == Some("auth") && given("nc").is_some_and(|count| !count.contains('"'));
    let is_given = |(name, value)| given(name) == Some(&*format!("\"{value}\""));
    is_plain && quoted.into_iter().all(is_given) && of("response") == right
}

/// Bytes as ISO-8859-1, so that none is lost.
pub(super) fn one_char_a_byte(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
