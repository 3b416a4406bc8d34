//! The server's spelling. Nothing of this leaves `client`: each document becomes a model type at once.

use chrono::{DateTime, SubsecRound, Utc};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::model::{Origin, PersonalKey, Suffix, User};

/// A page of a list, out of either envelope or none.
#[derive(PartialEq)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    /// The service's own count of the whole list; absent with `includeCount=false`.
    pub(super) total: Option<u64>,
    /// Whether a link says that another page follows. Its address is never used.
    pub(super) has_next: bool,
    /// Whether there are links at all: without them and without a count nothing says where the list ends.
    pub(super) has_links: bool,
    /// Why rows had to be left out, for the first that can't be read.
    pub(super) unreadable_row: Option<String>,
    /// How many rows were left out.
    pub(super) left_out: usize,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct List<T> {
    results: Option<Vec<T>>,
    #[serde(rename = "totalCount")]
    total_count: Option<u64>,
    links: Option<Vec<Link>>,
    /// An envelope of newer texts: the list, or a whole page, in `content`.
    content: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Link {
    rel: Option<String>,
}

impl<T: DeserializeOwned> Page<T> {
    /// Reads a page. A row that can't be read is left out and reported; the others are kept.
    ///
    /// # Errors
    /// What is wrong with the document as a whole.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        match serde_json::from_slice(body).and_then(Self::unwrap_list) {
            Ok(page) => Ok(page),
            Err(strict) => {
                let Ok(loose) = serde_json::from_slice(body).and_then(Page::<serde_json::Value>::unwrap_list)
                else {
                    return Err(strict);
                };
                Ok(loose.row_by_row())
            }
        }
    }

    fn unwrap_list(list: List<T>) -> Result<Self, serde_json::Error> {
        let has_links = list.links.as_ref().is_some_and(|links| !links.is_empty());
        let has_next = list.links.iter().flatten().any(|link| link.rel.as_deref() == Some("next"));
        let (rows, inner) = match (list.results, list.content) {
            (Some(rows), _) => (rows, None),
            (None, Some(content @ serde_json::Value::Array(_))) => (serde_json::from_value(content)?, None),
            (None, Some(content)) => {
                let inner: Self = Self::unwrap_list(serde_json::from_value(content)?)?;
                (inner.rows, Some((inner.total, inner.has_next, inner.has_links)))
            }
            (None, None) => return Err(serde_json::Error::custom("neither `results` nor `content`")),
        };
        let (inner_total, inner_next, inner_links) = inner.unwrap_or((None, false, false));
        Ok(Self {
            rows,
            total: list.total_count.or(inner_total),
            has_next: has_next || inner_next,
            has_links: has_links || inner_links,
            unreadable_row: None,
            left_out: 0,
        })
    }
}

impl<T> Page<T> {
    /// Rows of which nothing is known but themselves.
    pub(super) fn part(rows: Vec<T>) -> Self {
        Self { rows, total: None, has_next: false, has_links: false, unreadable_row: None, left_out: 0 }
    }
}

impl Page<serde_json::Value> {
    pub(super) fn row_by_row<T: DeserializeOwned>(self) -> Page<T> {
        let mut rows = Vec::with_capacity(self.rows.len());
        let (mut unreadable_row, mut left_out) = (None, 0);
        for (index, row) in self.rows.into_iter().enumerate() {
            match serde_json::from_value(row) {
                Ok(row) => rows.push(row),
                Err(why) => {
                    left_out += 1;
                    unreadable_row.get_or_insert_with(|| format!("row {} of a page: {why}", index + 1));
                }
            }
        }
        let Self { total, has_next, has_links, .. } = self;
        Page { rows, total, has_next, has_links, unreadable_row, left_out }
    }
}

/// A single thing, bare or in an envelope's `content`.
///
/// # Errors
/// What is wrong with the document.
pub(super) fn single<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    #[derive(Deserialize)]
    struct Envelope<T> {
        content: T,
    }
    serde_json::from_slice(body)
        .or_else(|bare| serde_json::from_slice::<Envelope<T>>(body).map(|it| it.content).map_err(|_| bare))
}

/// What an error document says; every field may be missing, and so may the document.
#[derive(Default)]
pub(super) struct ErrorDocument {
    pub(super) error_code: Option<String>,
    pub(super) detail: Option<String>,
    /// The status that counts, where the document has one of its own; 500 for one that makes no sense.
    pub(super) status: Option<u16>,
}

impl ErrorDocument {
    /// Field by field, so that a strange one does not hide another.
    pub(super) fn read(body: &[u8]) -> Self {
        let outer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let inner = outer.get("content").filter(|content| content.is_object());
        let field = |name: &str| inner.and_then(|inner| inner.get(name)).or_else(|| outer.get(name));
        let text = |name: &str| field(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let error_code = text("errorCode");
        let said = outer.get("status").or_else(|| field("error").filter(|_| error_code.is_some()));
        let status = said
            .filter(|said| !said.is_null())
            .map(|said| said.as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500));
        Self { error_code, detail: text("detail"), status }
    }

    /// Whether it says that something went wrong, whatever the status of the answer.
    pub(super) fn is_error(&self) -> bool {
        self.error_code.is_some() || self.status.is_some_and(|status| !(200..300).contains(&status))
    }
}

/// A personal key; only `id` is always there.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    #[serde(deserialize_with = "identity")]
    pub(super) id: String,
    #[serde(default, deserialize_with = "timestamp")]
    created_at: Option<DateTime<Utc>>,
    description: Option<String>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "timestamp")]
    last_used: Option<DateTime<Utc>>,
    #[serde(rename = "obfuscatedKey")]
    mask: Option<String>,
    used_count: Option<u64>,
    pub(super) user_id: Option<String>,
}

impl Key {
    /// Whether its id can be one, whatever its length.
    pub(super) fn has_sound_id(&self) -> bool {
        self.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }

    /// Whether it has what only a personal key has: any field may be missing, but a row without these may be anything.
    pub(super) fn is_personal(&self) -> bool {
        self.mask.is_some() || self.used_count.is_some()
    }

    /// `is_own` says of a suffix whether it is that of a credential in use.
    pub(super) fn into_model(self, is_own: impl Fn(Option<&Suffix>) -> bool) -> PersonalKey {
        let suffix = self.mask.as_deref().and_then(Suffix::from_key);
        let auditing = is_own(suffix.as_ref());
        PersonalKey {
            id: self.id,
            suffix,
            description: self.description.unwrap_or_default(),
            enabled: self.enabled,
            created_at: self.created_at,
            last_used: self.last_used,
            used_count: self.used_count,
            auditing,
        }
    }
}

/// ISO 8601 as the service writes it, and with an offset without a colon; below the second it is cut off.
fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    DateTime::parse_from_rfc3339(&text)
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .map(|time| Some(time.to_utc().trunc_subsecs(0)))
        .map_err(|_| D::Error::custom(format!("{text:?} is no ISO 8601 time")))
}

/// An account.
#[derive(Deserialize)]
pub(super) struct Account {
    #[serde(deserialize_with = "identity")]
    id: String,
    username: Option<String>,
}

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            id: hexadecimal_in_lower_case(account.id),
            username: account.username,
            origin: Origin::default(),
        }
    }
}

/// Ids are hexadecimal: one in upper and lower case is one.
fn hexadecimal_in_lower_case(id: String) -> String {
    if id.bytes().all(|byte| byte.is_ascii_hexdigit()) { id.to_ascii_lowercase() } else { id }
}

/// The roles of an account.
#[derive(Deserialize)]
pub(super) struct Roles {
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    #[serde(rename = "roleName")]
    name: Option<String>,
}

impl Roles {
    /// The names of the roles, each once, sorted.
    pub(super) fn names(self) -> Vec<String> {
        let mut names: Vec<_> = self.roles.into_iter().filter_map(|role| role.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// An organization, of which only the id is wanted. Its items also carry `agentApiKey`, a live secret: never add it here.
#[derive(Deserialize)]
pub(super) struct Organization {
    #[serde(deserialize_with = "identity")]
    pub(super) id: String,
}

/// A row of a list, which has an id.
pub(super) trait Identified {
    /// Never empty.
    fn id(&self) -> &str;
}

impl Identified for Key {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Account {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Organization {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Rows without an id can't be told from one another.
fn identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    if id.is_empty() { Err(D::Error::custom("an empty id")) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = r#"{"createdAt":"2018-05-14T14:45:22Z","description":"ci","enabled":true,
        "id":"5af9a1d29cc0cdb6acdca6d5","lastUsed":"2018-05-14T14:45:23Z",
        "obfuscatedKey":"********-****-****-92732876eeae","usedCount":7,"userId":"5af9a1d29cc0cdb6ac0bf3f8"}"#;

    fn keys(body: &str) -> Page<Key> {
        Page::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_page_is_read_out_of_every_envelope() {
        for body in [
            format!(r#"{{"links":[{{"href":"x","rel":"next"}}],"results":[{KEY}],"totalCount":3}}"#),
            format!(r#"{{"totalCount":3,"status":200,"results":[{KEY}],"links":[{{"rel":"next"}}]}}"#),
            format!(r#"{{"status":200,"content":[{KEY}],"totalCount":3,"links":[{{"rel":"next"}}]}}"#),
            format!(
                r#"{{"status":200,"content":{{"results":[{KEY}],"totalCount":3,"links":[{{"rel":"next"}}]}}}}"#
            ),
        ] {
            let page = keys(&body);
            assert_eq!((page.rows.len(), page.total, page.has_next), (1, Some(3), true), "{body}");
            assert!(page.unreadable_row.is_none());
        }
    }

    #[test]
    fn a_key_with_nothing_but_an_id_is_a_key_of_unknown_use() {
        for key in [
            r#"{"id":"a"}"#,
            r#"{"id":"a","lastUsed":null,"usedCount":null,"enabled":null,"createdAt":null}"#,
        ] {
            let page = keys(&format!(r#"{{"results":[{key}]}}"#));
            let key = page.rows.into_iter().next().unwrap().into_model(|_| false);
            assert_eq!(
                (key.last_used, key.used_count, key.enabled, key.created_at),
                (None, None, None, None)
            );
        }
    }

    #[test]
    fn times_are_cut_to_the_second_in_utc() {
        let read = |time: &str| {
            let page = keys(&format!(r#"{{"results":[{{"id":"a","lastUsed":"{time}"}}]}}"#));
            page.rows.into_iter().next().and_then(|key| key.last_used).map(|time| time.to_rfc3339())
        };
        for time in ["2021-02-28T23:59:59.999Z", "2021-03-01T01:59:59+02:00", "2021-03-01T01:59:59.5+0200"] {
            assert_eq!(read(time).as_deref(), Some("2021-02-28T23:59:59+00:00"), "{time}");
        }
    }

    #[test]
    fn an_unreadable_row_is_reported_and_the_others_are_kept() {
        let page = keys(&format!(
            r#"{{"results":[{KEY},{{"id":"b","lastUsed":"yesterday"}},{KEY}],"totalCount":3}}"#
        ));
        assert_eq!(page.rows.len(), 2);
        let why = page.unreadable_row.unwrap();
        assert!(why.starts_with("row 2 of a page: ") && why.contains("\"yesterday\""), "{why}");
    }

    #[test]
    fn a_body_that_is_no_page_is_refused() {
        for body in [
            "",
            "<html>",
            "[]",
            "{}",
            "null",
            r#"{"results":null}"#,
            r#"{"results":{}}"#,
            r#"{"results":[],"totalCount":-1}"#,
        ] {
            assert!(Page::<Key>::read(body.as_bytes()).is_err(), "{body}");
        }
        let deep = "[".repeat(100_000);
        assert!(Page::<Key>::read(deep.as_bytes()).is_err());
    }

    #[test]
    fn an_error_document_is_read_bare_wrapped_or_not_at_all() {
        let bare = ErrorDocument::read(br#"{"detail":"d","error":404,"errorCode":"USER_NOT_FOUND"}"#);
        assert_eq!(bare.error_code.as_deref(), Some("USER_NOT_FOUND"));
        let wrapped = ErrorDocument::read(br#"{"status":404,"content":{"errorCode":"USER_NOT_FOUND"}}"#);
        assert_eq!((wrapped.error_code.as_deref(), wrapped.status), (Some("USER_NOT_FOUND"), Some(404)));
        assert!(ErrorDocument::read(b"<html>").error_code.is_none());
    }

    proptest::proptest! {
        /// Any body is a page or is refused.
        #[test]
        fn any_body_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = (Page::<Key>::read(&bytes), single::<Account>(&bytes), ErrorDocument::read(&bytes));
        }

        /// A true page, cut at any byte, is never taken for a whole one.
        #[test]
        fn a_page_cut_short_is_refused(at in 0_usize..280) {
            let body = format!(r#"{{"links":[],"results":[{KEY}],"totalCount":1}}"#);
            proptest::prop_assume!(at < body.len());
            proptest::prop_assert!(Page::<Key>::read(&body.as_bytes()[..at]).is_err());
        }

        /// One byte of a page replaced: still read or refused, and never more keys than there were.
        #[test]
        fn a_page_with_a_wrong_byte_is_read_or_refused(at in 0_usize..280, byte: u8) {
            let mut body = format!(r#"{{"links":[],"results":[{KEY}],"totalCount":1}}"#).into_bytes();
            proptest::prop_assume!(at < body.len());
            body[at] = byte;
            if let Ok(page) = Page::<Key>::read(&body) {
                proptest::prop_assert!(page.rows.len() <= 1);
            }
        }
    }
}
