//! The file and line of a finding, which some services require, and the fingerprint that identifies it between runs.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode_byte, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::RunContext;
use super::record::Record;
use crate::model::User;
use crate::printable::{name_of_bytes, written_byte};
use crate::store;

/// For users of whom no line of a file is known: the file of settings, which may name the users. It need not exist.
const ELSEWHERE: &str = "keysunset.toml";

/// Characters that are percent-encoded in a path (RFC 3986). A colon is one: before the first slash it would end a scheme.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A line of a file below the working folder.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceLocation {
    /// The path segments of the file, none of them empty, `.` or `..`.
    steps: Vec<String>,
    /// From 1.
    pub(super) line: u64,
}

impl SourceLocation {
    /// A line of a file below a repository.
    pub(super) fn new(path: &str, line: u64) -> Self {
        Self {
            steps: path
                .split('/')
                .filter(|step| !matches!(*step, "" | "." | ".."))
                .map(str::to_owned)
                .collect(),
            line,
        }
    }

    /// For users without a line.
    pub(super) fn elsewhere() -> Self {
        Self { steps: vec![ELSEWHERE.to_owned()], line: 1 }
    }

    /// Relative to the working folder, with slashes, without a `./`.
    pub(super) fn path(&self) -> String {
        self.steps.join("/")
    }

    /// The path as a relative URI reference.
    pub(super) fn uri(&self) -> String {
        let steps: Vec<_> = self.steps.iter().map(|step| encoded(step)).collect();
        steps.join("/")
    }
}

/// A path segment of a URI, in which a byte that is not UTF-8 is itself.
fn encoded(step: &str) -> String {
    let mut encoded = String::new();
    let mut rest = step;
    while let Some((at, byte)) =
        rest.match_indices('\\').find_map(|(at, _)| Some((at, written_byte(&rest[at..])?)))
    {
        encoded.extend(utf8_percent_encode(&rest[..at], ENCODED));
        encoded.push_str(percent_encode_byte(byte));
        rest = &rest[at + WRITTEN_BYTE..];
    }
    encoded.extend(utf8_percent_encode(rest, ENCODED));
    encoded
}

/// Finds locations relative to one folder, which in CI is the top of the repository.
pub(super) struct Locator {
    /// Its path segments; `None` if unknown.
    folder: Option<Vec<String>>,
}

impl Locator {
    /// Relative to the working folder.
    pub(super) fn here() -> Self {
        let folder = std::env::current_dir().ok();
        let name = |folder: PathBuf| name_of_bytes(folder.as_os_str().as_encoded_bytes());
        Self { folder: folder.map(|folder| steps(Vec::new(), &name(folder))) }
    }

    /// The line that names a user. `None` for lists outside the folder and for standard input: services accept only paths
    /// inside the repository.
    pub(super) fn find(&self, user: &User) -> Option<SourceLocation> {
        let line = user.origin.line.as_ref()?;
        Some(SourceLocation {
            steps: self.beneath(&line.list)?,
            line: line.number.map_or(1, NonZeroU64::get),
        })
    }

    /// The same, or the location of all users without a line.
    pub(super) fn locate(&self, user: &User) -> SourceLocation {
        self.find(user).unwrap_or_else(SourceLocation::elsewhere)
    }

    /// The path segments from the folder to a file below it.
    fn beneath(&self, path: &str) -> Option<Vec<String>> {
        if path == "standard input" {
            return None;
        }
        let folder = self.folder.as_ref()?;
        let from = if is_absolute(path) { Vec::new() } else { folder.clone() };
        let mut whole = steps(from, path);
        whole.starts_with(folder).then(|| whole.split_off(folder.len())).filter(|rest| !rest.is_empty())
    }
}

/// A Unix or Windows path, because the list may come from another machine: `/a`, `C:\a`, `\\server\a`.
fn is_absolute(path: &str) -> bool {
    let mut characters = path.chars();
    let first = characters.next();
    let drive = first.is_some_and(|c| c.is_ascii_alphabetic()) && characters.next() == Some(':');
    drive || matches!(first, Some('/' | '\\'))
}

/// Of `\xNN`.
const WRITTEN_BYTE: usize = 4;

/// The segments of a path, computed without the file system, so that a list gives the same segments on every machine.
fn steps(mut from: Vec<String>, path: &str) -> Vec<String> {
    // A backslash may be the start of a byte.
    let ends =
        path.char_indices().filter(|(at, c)| *c == '/' || *c == '\\' && written_byte(&path[*at..]).is_none());
    let mut start = 0;
    for end in ends.map(|(at, _)| at).chain([path.len()]) {
        let step = &path[start..end];
        start = end + 1;
        match step {
            "" | "." => {}
            ".." => drop(from.pop()),
            step => from.push(step.to_owned()),
        }
    }
    from
}

/// The fingerprints of the rows of a deployment.
#[derive(Default)]
pub(super) struct Fingerprints {
    /// Ids of keys that several users have, as saved responses may show: the id alone does not identify such a row.
    repeated: BTreeSet<String>,
}

impl Fingerprints {
    pub(super) fn new(context: &RunContext) -> Result<Self, store::Error> {
        Ok(Self { repeated: context.store.repeated_keys(context.run)?.into_iter().collect() })
    }

    /// Of a row under a rule: of a key by deployment and key id, and by the user where several have it; of an unread user by
    /// deployment and user id, or by name if there is no id.
    pub(super) fn of(&self, record: &Record, rule: &str) -> String {
        match (record.key_id, record.user_id) {
            (Some(key), user) if self.repeated.contains(key) => {
                let user = user.or(record.username).unwrap_or_default();
                fingerprint(&[record.deployment, key, user, rule])
            }
            _ => identity(record, rule),
        }
    }
}

fn identity(record: &Record, rule: &str) -> String {
    match (record.key_id, record.user_id) {
        (Some(key), _) => fingerprint(&[record.deployment, key, rule]),
        (None, None) => fingerprint(&[record.deployment, "", record.username.unwrap_or_default(), rule]),
        (None, Some(user)) => fingerprint(&[record.deployment, user, "", rule]),
    }
}

/// The SHA-256 of the parts in hexadecimal digits. Each part is hashed after its length, so that two lists of parts never give
/// the same bytes.
pub(super) fn fingerprint(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    format!("{:x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{ListLine, Origin};

    fn seen_from(folder: &str, list: &str, number: u64) -> SourceLocation {
        let line = ListLine { list: Arc::from(list), number: NonZeroU64::new(number) };
        let origin = Origin { memberships: Vec::new(), line: Some(line) };
        let user = User { id: None, username: None, origin };
        Locator { folder: Some(steps(Vec::new(), folder)) }.locate(&user)
    }

    #[test]
    fn a_list_below_the_folder_is_a_relative_path() {
        for (list, path, uri) in [
            ("users.txt", "users.txt", "users.txt"),
            ("./lists/users.txt", "lists/users.txt", "lists/users.txt"),
            ("lists/../users.txt", "users.txt", "users.txt"),
            ("../repo/users.txt", "users.txt", "users.txt"),
            ("lists\\users.txt", "lists/users.txt", "lists/users.txt"),
            ("/checkout/repo/lists//users.txt", "lists/users.txt", "lists/users.txt"),
            ("my users#1?.txt", "my users#1?.txt", "my%20users%231%3F.txt"),
            ("é:100%.txt", "é:100%.txt", "%C3%A9%3A100%25.txt"),
            ("lists/b\\xFFd\\xE9.txt", "lists/b\\xFFd\\xE9.txt", "lists/b%FFd%E9.txt"),
            ("lists\\x41\\xff", "lists/x41/xff", "lists/x41/xff"),
        ] {
            let location = seen_from("/checkout/repo", list, 7);
            assert_eq!((&location.path()[..], &location.uri()[..], location.line), (path, uri, 7), "{list}");
        }
        assert_eq!(seen_from("C:\\ci\\repo", "C:\\ci\\repo\\lists\\users.txt", 7).path(), "lists/users.txt");
    }

    #[test]
    fn a_list_outside_the_folder_has_no_place_of_its_own() {
        for list in
            ["standard input", "../users.txt", "/etc/users.txt", "/checkout/repository/u", ".", "C:\\u"]
        {
            assert_eq!(seen_from("/checkout/repo", list, 7), SourceLocation::elsewhere(), "{list}");
        }
    }

    #[test]
    fn a_list_without_lines_is_at_its_first() {
        assert_eq!(seen_from("/", "users.json", 0).line, 1);
    }

    #[test]
    fn a_fingerprint_is_of_its_parts_and_never_of_where_one_ends() {
        // As sha256sum has it of the bytes 0000000000000001 61 0000000000000001 62.
        let known = "3c9d591045bc8876f9d0399bbfb05c6a412096e906f73278f98406cd5dca86df";
        assert_eq!(fingerprint(&["a", "b"]), known);
        assert_ne!(fingerprint(&["a", "b"]), fingerprint(&["ab", ""]));
        assert_ne!(fingerprint(&["a", "b"]), fingerprint(&["b", "a"]));
        assert_ne!(fingerprint(&["a", "b"]), fingerprint(&["a", "b", ""]));
    }

    proptest! {
        #[test]
        fn every_location_is_below_the_folder(list in "[a-c./\\\\: %é-]{0,12}") {
            let location = seen_from("/a/b", &list, 1);
            let path = location.path();
            prop_assert!(!path.is_empty() && !path.starts_with('/'));
            prop_assert!(path.split('/').all(|step| !["", ".", ".."].contains(&step)), "{}", path);
            let base = url::Url::parse("http://host/a/b/").unwrap();
            let joined = base.join(&location.uri()).unwrap();
            prop_assert!(joined.path().starts_with("/a/b/") && joined.query().is_none(), "{}", joined);
        }
    }
}
