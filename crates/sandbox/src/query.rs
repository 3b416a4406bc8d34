//! The query parameters that every resource takes.

use url::form_urlencoded;

use super::product::Served;
use super::refusal::Refusal;

/// How many items a page has at most; who asks for more gets as many.
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
    pub(super) fn parse(text: &str, served: &Served) -> Result<Self, Refusal> {
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
        if served.has_include_count() {
            query.include_count = query.flag("includeCount", true)?;
        }
        Ok(query)
    }

    /// A boolean that only some resources take.
    ///
    /// # Errors
    /// It is there, and neither `true` nor `false`.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        match self.get(name) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Refusal::InvalidQueryParameter(name.to_owned())),
        }
    }

    fn number(&self, name: &str, default: u64) -> Result<u64, Refusal> {
        match self.get(name).map(|value| value.parse::<u32>()) {
            None => Ok(default),
            Some(Ok(number)) if number > 0 => Ok(number.into()),
            Some(_) => Err(Refusal::InvalidQueryParameter(name.to_owned())),
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.text.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The same, for another page.
    pub(super) fn on(self, page: u64) -> Self {
        Self { page, ..self }
    }

    /// The query of a link to a page: what was sent, but for the page.
    pub(super) fn at(&self, page: u64) -> String {
        let kept = self.text.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !matches!(name, "" | "pageNum" | "itemsPerPage")
        });
        let page = [format!("pageNum={page}"), format!("itemsPerPage={}", self.per_page)];
        kept.chain(page.iter().map(String::as_str)).collect::<Vec<_>>().join("&")
    }
}
