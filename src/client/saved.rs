//! An answer of `GET /users/{id}/keys` that somebody saved, judged as one off the wire is: what it says, which page it is,
//! and whose keys are on it.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::charset;
use super::classify::{Classification, Response, VERSION_HEADER, classify};
use super::error::BODY_LIMIT;
use super::list::UserKeys;
use super::wire::{Key, Page};
use crate::model::{Outcome, Product, ReadStatus, object_id};

/// The keys of one saved answer.
pub(crate) struct SavedPage {
    /// From 1, by its link to itself; 1 where that says nothing, as the service has it.
    pub number: u64,
    /// Where the list says it is.
    pub link: Option<ListLink>,
    /// Of its headers; 200 without.
    pub status: u16,
    page: Page<Key>,
}

/// What the link of a list to itself says.
#[derive(Clone)]
pub(crate) struct ListLink {
    /// The base path of the API, without `/` at its end, and without any credentials.
    pub base: Url,
    /// Whose keys: 24 hexadecimal digits in lower case.
    pub user: String,
}

/// Reads a saved answer: `status`, `version` (such as `4.4.12`) and `content_type` of its headers, where they were saved too,
/// the product that answered, and what came after the headers.
///
/// # Errors
/// A refusal by the API, or what the body is instead of an answer to this request.
pub(crate) fn parse_saved(
    status: Option<u16>,
    version: Option<&str>,
    content_type: Option<&str>,
    product: Product,
    body: &[u8],
) -> Result<SavedPage, Outcome> {
    let malformed = |why| Outcome::unread(ReadStatus::Malformed, None, why);
    if body.len() > BODY_LIMIT {
        return Err(malformed(format!("the response is larger than {} MiB", BODY_LIMIT >> 20)));
    }
    let body = charset::decoded(body.to_vec(), content_type.unwrap_or_default());
    let assumed = status.or_else(|| refusal_status(&body)).unwrap_or(200);
    let version = version.and_then(|it| HeaderValue::from_str(&format!("versionString={it}")).ok());
    let headers = version.map(|version| (VERSION_HEADER.clone(), version));
    let response = Response {
        status: assumed,
        headers: headers.into_iter().collect::<HeaderMap>(),
        // JSON that says no is the API's own word; a page of a proxy is not.
        authenticated: body.trim_ascii_start().starts_with(b"{"),
        redirected_to: None,
        latency: Duration::ZERO,
        body,
    };
    let parsed = match classify(&response, product) {
        Classification::Refused(outcome) | Classification::UnexpectedResponse(outcome, _) => Err(outcome),
        Classification::Unauthenticated | Classification::Document => {
            SavedPage::read(assumed, &response.body)
                .map_err(|why| malformed(format!("not a response of GET /users/{{id}}/keys: {why}")))
        }
    };
    // What was taken for a good answer, and is none, came with any status.
    let is_malformed = |outcome: &Outcome| outcome.status == ReadStatus::Malformed;
    parsed.map_err(|it| if is_malformed(&it) { Outcome { http_status: status, ..it } } else { it })
}

impl SavedPage {
    fn read(status: u16, body: &[u8]) -> Result<Self, String> {
        let mut page = Page::<Key>::read(body)?;
        let number = page.own_number().unwrap_or(1);
        // Its spelling is no difference between two pages.
        let link = page.own_link.take().and_then(|link| ListLink::parse(&Url::parse(&link).ok()?));
        Ok(Self { number, link, status, page })
    }

    /// All users whom its link and its rows name, the one whose list it is first.
    pub(crate) fn owners(&self) -> Vec<String> {
        let own = self.link.as_ref().map(|link| link.user.clone());
        let rows: BTreeSet<_> =
            self.page.rows.iter().filter_map(|row| object_id(row.user_id.as_deref()?)).collect();
        let others: Vec<_> = rows.into_iter().filter(|owner| Some(owner) != own.as_ref()).collect();
        own.into_iter().chain(others).collect()
    }

    /// Whether both say the same of the same page, in whatever spelling.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        (self.number, &self.page) == (other.number, &other.page)
    }
}

impl UserKeys {
    /// Takes the next page of the list.
    ///
    /// # Errors
    /// The end of a list that is not to be read on.
    pub(crate) fn take_saved(&mut self, page: SavedPage) -> Result<(), Outcome> {
        self.take(page.status, page.page, |_| false)
    }

    /// Takes keys from outside the sequence of pages. Whether they say nothing that the pages don't.
    ///
    /// # Errors
    /// Another list, of which no key is taken, as [`Self::take_saved`] takes none; or more keys than a user can have.
    pub(crate) fn add_saved(&mut self, SavedPage { status, page, .. }: SavedPage) -> Result<bool, Outcome> {
        if let Some(other) = page.other_list(&self.path()) {
            return Err(other);
        }
        let (known, total) = (self.count(), self.total());
        self.add_part(status, page.unreadable_row);
        self.add(page.rows, |_| false)?;
        Ok(self.count() == known && (page.total.is_none() || page.total == total) && !page.has_next)
    }
}

/// Without headers, the digest layer's own refusal has nothing but the number in it.
fn refusal_status(body: &[u8]) -> Option<u16> {
    #[derive(Deserialize)]
    struct Refusal {
        error: u16,
        results: Option<IgnoredAny>,
        content: Option<IgnoredAny>,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let is_list = refusal.results.is_some() || refusal.content.is_some();
    Some(refusal.error).filter(|status| !is_list && (300..600).contains(status))
}

impl ListLink {
    /// Of an address whose path ends in `/users/{id}/keys` or continues with a key's id.
    fn parse(address: &Url) -> Option<Self> {
        let segments: Vec<_> = address.path().trim_end_matches('/').split('/').collect();
        let at = segments.windows(3).rposition(|three| three[0] == "users" && three[2] == "keys")?;
        let user = object_id(segments[at + 1])?;
        let base = format!("{}{}", address.origin().ascii_serialization(), segments[..at].join("/"));
        Some(Self { base: Url::parse(&base).ok()?, user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";

    fn parse(status: Option<u16>, body: &str) -> Result<SavedPage, Outcome> {
        parse_saved(status, None, None, Product::OpsManager, body.as_bytes())
    }

    fn linked(address: &str) -> String {
        let address = address.replace('U', &ANN.to_uppercase());
        format!(
            r#"{{"links":[{{"rel":"self","href":"{address}"}}],"results":[{{"id":"a"}}],"totalCount":1}}"#
        )
    }

    #[test]
    fn the_link_says_whose_keys_they_are_where_and_which_page() {
        let base = "https://om.example/v1.0";
        for (address, expected, number) in [
            (
                "https://om.example:8080/v1.0/users/U/keys?a=2&pageNum=3",
                Some("https://om.example:8080/v1.0"),
                3,
            ),
            ("https://om.example/v1.0/users/U/keys/?pageNum=2#f", Some(base), 2),
            ("https://om.example/v1.0/users/U/keys", Some(base), 1),
            (
                "https://me:secret@x.example/users/users/U/keys?pageNum=0#f",
                Some("https://x.example/users"),
                1,
            ),
            ("https://om.example/v1.0/users/ann/keys", None, 1),
            ("https://om.example/v1.0/orgs/U/users", None, 1),
            ("https://om.example", None, 1),
            ("?pageNum=2", None, 1),
        ] {
            let parsed = parse(None, &linked(address)).unwrap_or_else(|outcome| panic!("{outcome:?}"));
            let link = parsed.link.filter(|link| link.user == ANN).map(|link| link.base.to_string());
            assert_eq!((link.as_deref(), parsed.number), (expected, number), "{address}");
        }
    }
}
