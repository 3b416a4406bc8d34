//! What an error says, in the documented form or another one.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::bounded;
use crate::printable::without_digests;

/// What an error document says; every field may be missing, and so may the document.
#[derive(Default)]
pub(in crate::client) struct ErrorDocument {
    pub(in crate::client) error_code: Option<String>,
    pub(in crate::client) detail: Option<String>,
    /// The status that counts, where the document has one of its own that makes sense.
    pub(in crate::client) status: Option<u16>,
    /// Whether its own status is none of a success, or makes no sense.
    has_error_status: bool,
    /// Of the envelope, where there is one.
    pub(in crate::client) envelope_status: Option<u16>,
    /// All statuses that it names; `None` for one that makes no sense.
    statuses: Vec<Option<u16>>,
    /// Whether it is an error document and nothing else, as far as its fields go.
    is_alone: bool,
}

/// The fields of an error document, each to be read alone, so that a strange one does not hide another.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorFields<'a> {
    #[serde(borrow)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    // Of a document that is no error.
    id: Option<IgnoredAny>,
    links: Option<IgnoredAny>,
    results: Option<IgnoredAny>,
    total_count: Option<IgnoredAny>,
}

impl<'a> ErrorFields<'a> {
    /// Of an object. An array would be taken for the fields in their order.
    fn read(json: &'a [u8]) -> Self {
        let is_object = json.trim_ascii_start().starts_with(b"{");
        is_object.then(|| serde_json::from_slice(json).ok()).flatten().unwrap_or_default()
    }

    fn is_also_something_else(&self) -> bool {
        [&self.id, &self.links, &self.results, &self.total_count].into_iter().any(Option::is_some)
    }
}

impl ErrorDocument {
    pub(in crate::client) fn read(body: &[u8]) -> Self {
        let outer = ErrorFields::read(body);
        let inner = outer.content.map(|content| ErrorFields::read(content.get().as_bytes()));
        let inner = inner.unwrap_or_default();
        // A server or proxy may repeat the headers of the request, with the digest of the credential.
        let text = |field: Option<&RawValue>| {
            let text: String = serde_json::from_str(field?.get()).ok()?;
            Some(bounded(without_digests(&text)))
        };
        let error_code = text(inner.error_code.or(outer.error_code));
        let error = inner.error.or(outer.error).filter(|_| error_code.is_some());
        let number = |status: &RawValue| serde_json::from_str(status.get()).ok();
        let own_status = outer.status.or(error).map(number);
        let is_success = |status: Option<u16>| status.is_some_and(|status| (200..300).contains(&status));
        let statuses = [outer.status, outer.error, inner.status, inner.error];
        let is_bare = outer.content.is_none();
        // In an envelope everything but its status is in `content`.
        let is_alone = inner.content.is_none()
            && (is_bare || outer.error_code.is_none() && inner.error_code.is_some())
            && !outer.is_also_something_else()
            && !inner.is_also_something_else();
        Self {
            error_code,
            detail: text(inner.detail.or(outer.detail)),
            status: own_status.flatten(),
            has_error_status: own_status.is_some_and(|status| !is_success(status)),
            envelope_status: outer.status.filter(|_| !is_bare).and_then(number),
            statuses: statuses.into_iter().flatten().map(number).collect(),
            is_alone,
        }
    }

    /// Whether it is an error document of this status alone, as documented.
    pub(in crate::client) fn says_only(&self, status: u16) -> bool {
        self.is_alone && self.statuses.iter().all(|it| *it == Some(status))
    }

    /// Whether it says that something went wrong, whatever the status of the answer.
    pub(in crate::client) fn is_error(&self) -> bool {
        self.error_code.is_some() || self.has_error_status
    }
}
