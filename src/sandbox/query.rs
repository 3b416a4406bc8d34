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
    pub(super) flatten_teams: bool,
    pub(super) include_org_users: bool,
    /// All but the page, as it was sent: what a link to another page repeats.
    pub(super) rest: String,
}

impl Query {
    /// Parameters that the product does not know are ignored; of one that comes twice, the first counts.
    ///
    /// # Errors
    /// A number that is none or below 1, a boolean that is neither `true` nor `false`.
    pub(super) fn parse(query: &str, served: &Served) -> Result<Self, Refusal> {
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let text = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        let wrong = |name: &str| Refusal::InvalidQueryParameter(name.to_owned());
        let number = |name: &str, default: u32| match text(name).map(str::parse::<u32>) {
            None => Ok(u64::from(default)),
            Some(Ok(number)) if number > 0 => Ok(u64::from(number)),
            Some(_) => Err(wrong(name)),
        };
        let flag = |name: &str, default: bool| match text(name) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(wrong(name)),
        };
        let rest = query.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !matches!(name, "" | "pageNum" | "itemsPerPage")
        });
        Ok(Self {
            page: number("pageNum", 1)?,
            per_page: number("itemsPerPage", 100)?.min(LARGEST_PAGE),
            include_count: !served.has_include_count() || flag("includeCount", true)?,
            pretty: flag("pretty", false)?,
            envelope: flag("envelope", false)?,
            flatten_teams: flag("flattenTeams", false)?,
            include_org_users: flag("includeOrgUsers", false)?,
            rest: rest.map(|pair| format!("{pair}&")).collect(),
        })
    }
}
