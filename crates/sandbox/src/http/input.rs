//! What a request brings: the query parameters that every resource takes, and a body that is checked attribute by
//! attribute, so that an error can name the one that is wrong.

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::error::ApiError;
use crate::product::ProductRules;

/// The most items of a page; a request for more gets as many.
const LARGEST_PAGE: u64 = 500;

/// What a query asks for, with the defaults of the reference pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) page: u64,
    pub(super) per_page: u64,
    pub(super) include_count: bool,
    pub(super) pretty: bool,
    pub(super) envelope: bool,
    text: String,
}

impl Query {
    /// Parameters that the product does not know are ignored; of one that comes twice, the first counts.
    ///
    /// # Errors
    /// A number that is none or below 1, a boolean that is neither `true` nor `false`.
    pub(super) fn parse(text: &str, rules: &ProductRules) -> Result<Self, ApiError> {
        let mut query = Self {
            page: 1,
            per_page: 100,
            include_count: true,
            pretty: false,
            envelope: false,
            text: text.to_owned(),
        };
        query.pretty = query.flag("pretty", false)?;
        query.envelope = query.flag("envelope", false)?;
        query.page = query.number("pageNum", query.page)?;
        query.per_page = query.number("itemsPerPage", query.per_page)?.min(LARGEST_PAGE);
        if rules.has_include_count() {
            query.include_count = query.flag("includeCount", true)?;
        }
        Ok(query)
    }

    /// A boolean that only some resources take.
    ///
    /// # Errors
    /// It is there, and neither `true` nor `false`.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.get(name) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ApiError::invalid_query_parameter(name)),
        }
    }

    fn number(&self, name: &str, default: u64) -> Result<u64, ApiError> {
        match self.get(name).map(|value| value.parse::<u32>()) {
            None => Ok(default),
            Some(Ok(number)) if number > 0 => Ok(number.into()),
            Some(_) => Err(ApiError::invalid_query_parameter(name)),
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        self.values(name).next()
    }

    /// All values of a parameter, in order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = String> {
        let pairs = form_urlencoded::parse(self.text.as_bytes());
        pairs.filter(move |(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The query of a link to a page: what was sent, but for the page.
    pub(super) fn for_page(&self, page: u64) -> String {
        let others = self.text.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !matches!(name, "" | "pageNum" | "itemsPerPage")
        });
        let page = [format!("pageNum={page}"), format!("itemsPerPage={}", self.per_page)];
        others.chain(page.iter().map(String::as_str)).collect::<Vec<_>>().join("&")
    }
}

/// A JSON object whose attributes are read one at a time; others are ignored.
pub(super) struct Attributes(Map<String, Value>);

impl Attributes {
    /// # Errors
    /// What is not JSON, or not an object.
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(body).map(Self).map_err(|_| ApiError::malformed_json())
    }

    /// # Errors
    /// What is not JSON, or not a list of objects.
    pub(super) fn parse_list(body: &[u8]) -> Result<Vec<Self>, ApiError> {
        let list: Vec<_> = serde_json::from_slice(body).map_err(|_| ApiError::malformed_json())?;
        Ok(list.into_iter().map(Self).collect())
    }

    /// `None` where the attribute is missing or null, as in all of these.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.get(name, |value| value.as_str().map(str::to_owned))
    }

    /// A boolean, which may come as a string.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.get(name, |value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        self.get(name, Value::as_u64)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        self.get(name, |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    fn get<T>(&self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| ApiError::invalid_attribute(name)),
        }
    }
}
