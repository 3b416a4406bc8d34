//! The server's spelling. Nothing of this leaves `client`: each document becomes a model type at once.

mod error_document;
mod page;
mod records;
#[cfg(test)]
mod tests;

use std::sync::Once;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde_json::value::RawValue;

pub(super) use self::error_document::ErrorDocument;
pub(super) use self::page::Page;
pub(crate) use self::page::{is_relation, page_number};
pub(super) use self::records::{
    AccessEntry, Account, Identified, Key, Organization, ProgrammaticKey, Project, Team, TeamRoles,
};
use super::fields::repeated_field;
use crate::console::warn;

/// Longer texts are cut, in bytes.
const TEXT_LIMIT: usize = 4 << 10;

/// A single thing, bare or in an envelope's `content`.
///
/// # Errors
/// What is wrong with the document.
pub(super) fn single<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    if let Some(why) = repeated_field(body) {
        return Err(why);
    }
    single_in(body, true).map_err(|why| bounded(why.to_string()))
}

/// `may_wrap` is whether it may be in `content`, which it may once.
fn single_in<T: DeserializeOwned>(body: &[u8], may_wrap: bool) -> Result<T, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Single<'a> {
        id: Option<IgnoredAny>,
        #[serde(borrow)]
        content: Option<&'a RawValue>,
        status: Option<u16>,
        error: Option<IgnoredAny>,
        error_code: Option<IgnoredAny>,
    }
    let single: Single<'_> = serde_json::from_slice(body)?;
    let is_error = single.error.is_some() || single.error_code.is_some();
    if is_error || single.status.is_some_and(|status| status != 200) {
        return Err(serde_json::Error::custom("the response contains both a document and an error"));
    }
    match (single.content, single.id) {
        (Some(content), None) if may_wrap => single_in(content.get().as_bytes(), false),
        (Some(_), _) => Err(serde_json::Error::custom("the response contains both a document and `content`")),
        (None, _) => serde_json::from_slice(body),
    }
}

/// A text of the service, cut where it is longer than any that is meant to be read; a mark says so, and once a warning.
pub(super) fn bounded(mut text: String) -> String {
    static WARNED: Once = Once::new();
    if text.len() > TEXT_LIMIT {
        let length = text.len();
        let end = (0..=TEXT_LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        let mark = format!("… [cut: {length} bytes]");
        text.truncate(end);
        text.push_str(&mark);
        let why =
            "a text of the service was longer than 4 KiB and was cut; such texts end with `[cut: N bytes]`";
        WARNED.call_once(|| warn(why, None));
    }
    text
}
