//! An answer that somebody saved to a file, read by the same eyes as one off the wire: what says what it is, whose keys it
//! lists, and which page of them.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use super::classify::{Classification, Response, classify};
use super::wire::{self, Key, Page};
use crate::model::{Outcome, PersonalKey, Product, ReadStatus, object_id};

/// An answer of `GET /users/{id}/keys`, as far as a file has it.
pub struct SavedAnswer<'a> {
    /// Of its headers, where they were saved too.
    pub status: Option<u16>,
    /// Of its headers, such as `4.4.12`.
    pub version: Option<&'a str>,
    /// Which product answered.
    pub product: Product,
    /// What came after the headers.
    pub body: &'a [u8],
}

/// What a saved answer says.
pub enum Told {
    /// Keys, or that there are none.
    Keys(KeyList),
    /// Why there are none: a refusal by the API, or a body that is no answer to this request.
    Unread {
        /// What it means for whom it was asked for.
        outcome: Outcome,
        /// The id of the user that a refusal names.
        about: Option<String>,
    },
}

/// The keys of one saved answer.
pub struct KeyList {
    /// Of the answer: of its headers, or what a list comes with.
    pub status: u16,
    /// In their order.
    pub keys: Vec<SavedKey>,
    /// Which part of the whole they are.
    pub extent: Extent,
    /// Where the list says it is.
    pub link: Option<ListLink>,
    /// What can't be taken as it stands, for the first such row; the other rows are kept.
    pub unreadable: Option<String>,
}

/// A key and its user's id, where the row has one that is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedKey {
    /// 24 hexadecimal digits, in lower case.
    pub owner: Option<String>,
    /// The key. None of them is the credential of this run, which asks nobody.
    pub key: PersonalKey,
}

/// How much of a user's keys an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// A page as the service sends it.
    Page {
        /// Counts up from 1; `None` where nothing says which page it is.
        number: Option<u64>,
        /// The service's own count of the whole list.
        total: Option<u64>,
        /// Whether a link says that another page follows.
        has_next: bool,
        /// Whether there are links at all.
        has_links: bool,
    },
    /// A part, and why nobody knows whether it is the whole.
    Part(&'static str),
}

/// What the link of an answer to itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLink {
    /// The base path of the API, without `/` at its end, and without any credentials.
    pub base: Url,
    /// Whose keys: 24 hexadecimal digits in lower case, or whatever stands in their place.
    pub user: String,
    page: Option<u64>,
}

/// Reads one saved answer.
#[must_use]
pub fn read_saved(answer: &SavedAnswer) -> Told {
    let body = answer.body.trim_ascii();
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let status = answer.status.or_else(|| bare_refusal(&value)).unwrap_or(200);
    if (200..300).contains(&status)
        && let Value::Array(rows) = value
    {
        return bare_rows(status, rows);
    }
    let response = Response {
        status,
        headers: HeaderMap::new(),
        body: body.to_vec(),
        // JSON that says no is the API's own word; a page of a proxy is not.
        authenticated: value.is_object(),
        latency: Duration::ZERO,
    };
    match classify(&response, answer.product, answer.version) {
        Classification::Document => match document(status, body, &value) {
            Told::Unread { outcome, about } => {
                Told::Unread { outcome: Outcome { http_status: answer.status, ..outcome }, about }
            }
            keys @ Told::Keys(_) => keys,
        },
        Classification::Refused(outcome) => {
            let about = user_refused(&value, &outcome);
            Told::Unread { outcome, about }
        }
        Classification::UnexpectedResponse(mut outcome) => {
            if outcome.status == ReadStatus::Malformed {
                // It was taken for a good answer, and is none: then nobody knows what it came with.
                outcome.http_status = answer.status;
            }
            Told::Unread { outcome, about: None }
        }
    }
}

/// The version in what the header `X-MongoDB-Service-Version` says.
#[must_use]
pub fn version_told(header: &str) -> Option<&str> {
    let (_, version) = header.split_once("versionString=")?;
    Some(version.split(';').next().unwrap_or_default().trim())
}

/// Without headers, the digest layer's own refusal has nothing but the number in it.
fn bare_refusal(value: &Value) -> Option<u16> {
    let is_list = value.get("results").is_some() || value.get("content").is_some();
    let said = value.get("error").filter(|_| !is_list)?.as_u64()?;
    u16::try_from(said).ok().filter(|status| (300..600).contains(status))
}

/// Whom a refusal is about, where it says so: a user that does not exist is named by id.
fn user_refused(value: &Value, outcome: &Outcome) -> Option<String> {
    let names_user = matches!(outcome.error_code.as_deref(), Some("USER_NOT_FOUND" | "INVALID_USER_ID"));
    let inner = value.get("content").filter(|content| content.is_object()).unwrap_or(value);
    let said = inner.get("parameters").filter(|_| names_user)?.get(0)?.as_str()?;
    object_id(said)
}

fn document(status: u16, body: &[u8], value: &Value) -> Told {
    let links = Links::of(value);
    if let Some(address) = links.own.as_ref().filter(|_| links.list.is_none()) {
        return foreign(&format!("it answers another request: {address}"));
    }
    let page = match Page::<Key>::read(body) {
        Ok(page) => page,
        Err(why) => {
            return single(status, body, value, links).unwrap_or_else(|| foreign(&why.to_string()));
        }
    };
    let extent = if links.list.is_none() {
        // Every list has `results`, and every row an id: only the rows can say that these are keys.
        let rows = Page::<Value>::read(body).map(|page| page.rows).unwrap_or_default();
        if !rows.iter().all(is_key) {
            return foreign("its rows are no personal keys");
        }
        rows.is_empty().then_some(Extent::Part("an empty list that does not say of what"))
    } else {
        None
    };
    let extent = extent.unwrap_or_else(|| Extent::Page {
        number: links.number(),
        total: page.total,
        has_next: page.has_next,
        has_links: page.has_links,
    });
    keys(status, page.rows, extent, links.list, page.unreadable_row)
}

/// One key, as `GET /users/{id}/keys/{key}` answers.
fn single(status: u16, body: &[u8], value: &Value, links: Links) -> Option<Told> {
    let row = value.get("content").unwrap_or(value);
    let key = wire::single::<Key>(body).ok().filter(|_| is_key(row))?;
    Some(keys(status, vec![key], Extent::Part("one key alone"), links.list, None))
}

/// An array without what the service puts around it, such as `jq .results` leaves.
fn bare_rows(status: u16, rows: Vec<Value>) -> Told {
    if !rows.iter().all(is_key) {
        return foreign("its rows are no personal keys");
    }
    let (page, extent) =
        (Page::of_rows(rows), Extent::Part("an array of keys without the list's own count and links"));
    keys(status, page.rows, extent, None, page.unreadable_row)
}

fn keys(
    status: u16,
    rows: Vec<Key>,
    extent: Extent,
    link: Option<ListLink>,
    mut unreadable: Option<String>,
) -> Told {
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let owner = row.user_id.as_deref().and_then(object_id);
        if row.user_id.is_some() && owner.is_none() {
            unreadable.get_or_insert_with(|| "a key's userId is no user's id".to_owned());
        }
        if !row.has_sound_id() {
            unreadable.get_or_insert_with(|| "the list holds a key whose id is none".to_owned());
        }
        keys.push(SavedKey { owner, key: row.into_model(|_| false) });
    }
    Told::Keys(KeyList { status, keys, extent, link, unreadable })
}

/// What only a personal key has. Any field may be missing, but a row with neither of these may be anything.
fn is_key(row: &Value) -> bool {
    row.get("obfuscatedKey").is_some() || row.get("usedCount").is_some()
}

fn foreign(why: &str) -> Told {
    let why = format!("no answer of GET /users/{{id}}/keys: {why}");
    Told::Unread { outcome: Outcome::unread(ReadStatus::Malformed, None, why), about: None }
}

/// The links of a document, out of either envelope.
struct Links {
    /// The address that a document says it has.
    own: Option<String>,
    /// That address, if it is that of a user's keys.
    list: Option<ListLink>,
    has_previous: bool,
}

impl Links {
    fn of(value: &Value) -> Self {
        let inner = value.get("content").and_then(|content| content.get("links"));
        let links = [value.get("links"), inner].into_iter().flatten().filter_map(Value::as_array).flatten();
        let (mut own, mut has_previous) = (None, false);
        for link in links {
            match link.get("rel").and_then(Value::as_str) {
                Some("self") if own.is_none() => own = link.get("href").and_then(Value::as_str),
                Some("previous") => has_previous = true,
                Some(_) | None => {}
            }
        }
        // What is no address says nothing.
        let own = own.filter(|address| Url::parse(address).is_ok());
        Self { own: own.map(without_query), list: own.and_then(ListLink::of), has_previous }
    }

    /// Which page this is: the first is the only one that may go without a number.
    fn number(&self) -> Option<u64> {
        self.list.as_ref().and_then(|link| link.page.or((!self.has_previous).then_some(1)))
    }
}

/// Without its query, where there may be secrets, and without any credentials.
fn without_query(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    match Url::parse(address) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            format!("{}{}", url.origin().ascii_serialization(), url.path())
        }
        Ok(_) | Err(_) => address.to_owned(),
    }
}

impl ListLink {
    /// Of an address whose path ends in `/users/{id}/keys` or goes on with a key's id.
    fn of(address: &str) -> Option<Self> {
        let mut base = Url::parse(address).ok().filter(Url::has_host)?;
        let segments: Vec<_> = base.path().trim_end_matches('/').split('/').map(str::to_owned).collect();
        let at = segments.windows(3).rposition(|three| three[0] == "users" && three[2] == "keys")?;
        let [_, user, _, rest @ ..] = &segments[at..] else { return None };
        if user.is_empty() || rest.len() > 1 {
            return None;
        }
        let page = base.query_pairs().find(|(name, _)| name == "pageNum");
        let page = page.and_then(|(_, number)| number.parse().ok()).filter(|number| *number > 0);
        base.set_query(None);
        base.set_fragment(None);
        base.set_username("").ok()?;
        base.set_password(None).ok()?;
        base.set_path(&segments[..at].join("/"));
        let user = object_id(user).unwrap_or_else(|| user.clone());
        Some(Self { base, user, page })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";

    fn told(status: Option<u16>, body: &str) -> Told {
        read_saved(&SavedAnswer {
            status,
            version: None,
            product: Product::OpsManager,
            body: body.as_bytes(),
        })
    }

    fn list(body: &str) -> KeyList {
        match told(None, body) {
            Told::Keys(list) => list,
            Told::Unread { outcome, .. } => panic!("{body}: {outcome:?}"),
        }
    }

    fn unread(status: Option<u16>, body: &str) -> (ReadStatus, Option<u16>, Option<String>) {
        match told(status, body) {
            Told::Keys(_) => panic!("{body} is no list of keys"),
            Told::Unread { outcome, about } => (outcome.status, outcome.http_status, about),
        }
    }

    fn linked(address: &str) -> String {
        format!(
            r#"{{"links":[{{"rel":"self","href":"{address}"}}],"results":[{{"id":"a","userId":"{ANN}"}}],"totalCount":1}}"#
        )
    }

    #[test]
    fn the_link_says_whose_keys_they_are_where_and_which_page() {
        for (address, base, page) in [
            (
                "https://om.example:8080/api/public/v1.0/users/U/keys?itemsPerPage=2&pageNum=3",
                "https://om.example:8080/api/public/v1.0",
                Some(3),
            ),
            (
                "https://om.example/api/public/v1.0/users/U/keys/",
                "https://om.example/api/public/v1.0",
                Some(1),
            ),
            (
                "https://me:secret@x.example/om/users/users/U/keys?pageNum=0#f",
                "https://x.example/om/users",
                Some(1),
            ),
        ] {
            let list = list(&linked(&address.replace('U', &ANN.to_uppercase())));
            let Extent::Page { number, total, .. } = list.extent else { panic!("{address}") };
            let link = list.link.unwrap();
            assert_eq!(
                (link.base.as_str(), link.user.as_str(), number, total),
                (base, ANN, page, Some(1)),
                "{address}"
            );
        }
    }

    #[test]
    fn a_list_of_anything_else_is_no_list_of_keys() {
        for address in [
            "https://om.example/api/public/v1.0/orgs/5980cfdf0b6d97029d82f86e/users",
            "https://om.example/api/public/v1.0/orgs/5980cfdf0b6d97029d82f86e/apiKeys",
            "https://om.example/api/public/v1.0/users/U/whitelist",
            "https://om.example/users//keys",
            "https://om.example/users/U/keys/K/more",
        ] {
            assert_eq!(unread(None, &linked(address)), (ReadStatus::Malformed, None, None), "{address}");
        }
        // What is no address says nothing, and the rows then have to say it.
        assert_eq!(unread(None, &linked("?pageNum=1")).0, ReadStatus::Malformed);
        let key = r#"{"results":[{"id":"a","usedCount":null}],"links":[{"rel":"self","href":"?"}]}"#;
        assert_eq!(list(key).keys.len(), 1);
    }

    #[test]
    fn a_refusal_needs_no_headers() {
        use ReadStatus::{Error, Forbidden, Malformed, NotFound};
        let unknown = format!(r#"{{"error":404,"errorCode":"USER_NOT_FOUND","parameters":["{ANN}"]}}"#);
        let wrapped = format!(r#"{{"status":404,"content":{unknown}}}"#);
        let ann = Some(ANN.to_owned());
        for (status, body, expected) in [
            (None, unknown.as_str(), (NotFound, Some(404), ann.clone())),
            (Some(404), unknown.as_str(), (NotFound, Some(404), ann.clone())),
            (None, wrapped.as_str(), (NotFound, Some(404), ann)),
            (None, r#"{"error":401,"reason":"Unauthorized"}"#, (Forbidden, Some(401), None)),
            (Some(401), r#"{"error":401,"reason":"Unauthorized"}"#, (Forbidden, Some(401), None)),
            (Some(502), "<html>", (Error, Some(502), None)),
            (Some(401), "[]", (Forbidden, Some(401), None)),
            (None, r#"{"error":"none"}"#, (Malformed, None, None)),
            (Some(200), "", (Malformed, Some(200), None)),
        ] {
            assert_eq!(unread(status, body), expected, "{status:?} {body}");
        }
    }

    #[test]
    fn an_owner_that_is_no_id_is_told_and_the_key_kept() {
        let list = list(r#"{"results":[{"id":"a","obfuscatedKey":"x","userId":"ann"}],"totalCount":1}"#);
        assert_eq!((list.keys.len(), list.keys[0].owner.as_deref()), (1, None));
        assert_eq!(list.unreadable.as_deref(), Some("a key's userId is no user's id"));
    }

    proptest::proptest! {
        /// Any body says something.
        #[test]
        fn any_body_says_something(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), status: Option<u16>) {
            let _ = read_saved(&SavedAnswer { status, version: Some("4.4"), product: Product::OpsManager, body: &bytes });
        }

        #[test]
        fn any_json_says_something(text in "[\\[{]\\PC{0,60}") {
            let _ = told(None, &text);
        }
    }
}
