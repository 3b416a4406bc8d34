//! A page of a list, out of either envelope or none.

use std::fmt;
use std::marker::PhantomData;

use percent_encoding::percent_decode_str;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::bounded;
use crate::client::fields::repeated_field;
use crate::model::{Outcome, ReadStatus};

/// More rows than these are no page, of which 500 is the most that is documented.
const MOST_ROWS: usize = 100_000;
/// After so many rows of a page that can't be read the rest is only counted.
pub(super) const MOST_UNREADABLE: usize = 1000;

/// A page of a list, out of either envelope or none.
#[derive(PartialEq)]
pub(in crate::client) struct Page<T> {
    pub(in crate::client) rows: Vec<T>,
    /// The service's own count of the whole list; absent with `includeCount=false`.
    pub(in crate::client) total: Option<u64>,
    /// Whether a link says that another page follows. Its address is never used.
    pub(in crate::client) has_next: bool,
    /// Whether it has a link to itself, so that a link to the next page would be there too: without that and without a
    /// count nothing says where the list ends.
    pub(in crate::client) has_links: bool,
    /// Its links to itself and its neighbours.
    links: Vec<String>,
    /// Its link to itself.
    pub(in crate::client) own_link: Option<String>,
    /// Why rows had to be left out, for the first that can't be read.
    pub(in crate::client) unreadable_row: Option<String>,
    /// How many rows were left out.
    pub(in crate::client) left_out: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: DeserializeOwned"))]
struct List<'a, T, const ALONE: bool> {
    results: Option<Rows<T, ALONE>>,
    total_count: Option<u64>,
    links: Option<Rows<Link, ALONE>>,
    /// An envelope of newer texts: the list, or a whole page, in `content`.
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    /// Of an envelope.
    status: Option<u16>,
    // The fields of an error document.
    detail: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
    error_code: Option<IgnoredAny>,
    parameters: Option<IgnoredAny>,
    reason: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Link {
    rel: Option<String>,
    href: Option<String>,
}

impl Link {
    fn is(&self, relation: &str) -> bool {
        self.rel.as_deref().is_some_and(|rel| is_relation(rel, relation))
    }
}

/// Whether `rel` names this relation: it may name several, in any case (RFC 8288).
pub(crate) fn is_relation(rel: &str, relation: &str) -> bool {
    rel.split_ascii_whitespace().any(|name| name.eq_ignore_ascii_case(relation))
}

/// Rows. Where each is read `ALONE`, one that can't be read, or says something twice, is counted and costs no other.
struct Rows<T, const ALONE: bool> {
    read: Vec<T>,
    unreadable: Option<String>,
    left_out: usize,
}

impl<'de, T: DeserializeOwned, const ALONE: bool> Deserialize<'de> for Rows<T, ALONE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowByRow<T, const ALONE: bool>(PhantomData<T>);
        impl<'de, T: DeserializeOwned, const ALONE: bool> Visitor<'de> for RowByRow<T, ALONE> {
            type Value = Rows<T, ALONE>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut found = Rows { read: Vec::new(), unreadable: None, left_out: 0 };
                if !ALONE {
                    while let Some(row) = elements.next_element()? {
                        found.read.push(row);
                        if found.read.len() > MOST_ROWS {
                            return Err(A::Error::custom("too many rows"));
                        }
                    }
                    return Ok(found);
                }
                while found.left_out < MOST_UNREADABLE {
                    let Some(row) = elements.next_element::<&RawValue>()? else { return Ok(found) };
                    found.add(row.get());
                    if found.read.len() > MOST_ROWS {
                        return Err(A::Error::custom(format!("more than {MOST_ROWS} rows")));
                    }
                }
                while elements.next_element::<IgnoredAny>()?.is_some() {
                    found.left_out += 1;
                }
                Ok(found)
            }
        }
        deserializer.deserialize_seq(RowByRow(PhantomData))
    }
}

impl<T: DeserializeOwned, const ALONE: bool> Rows<T, ALONE> {
    fn add(&mut self, row: &str) {
        let read = match repeated_field(row.as_bytes()) {
            None => serde_json::from_str(row).map_err(|why| why.to_string()),
            Some(why) => Err(why),
        };
        match read {
            Ok(row) => self.read.push(row),
            Err(why) => {
                self.left_out += 1;
                let number = self.read.len() + self.left_out;
                self.unreadable.get_or_insert_with(|| bounded(format!("row {number} of a page: {why}")));
            }
        }
    }
}

impl<T: DeserializeOwned> Page<T> {
    /// Reads a page. A row that can't be read is left out and reported; the others are kept.
    ///
    /// # Errors
    /// What is wrong with the document as a whole.
    pub(in crate::client) fn read(body: &[u8]) -> Result<Self, String> {
        let repeated = repeated_field(body);
        // All but a few pages have nothing wrong with them, and that costs half as much to read.
        if repeated.is_none()
            && let Ok(page) = Self::from_body::<false>(body)
        {
            return Ok(page);
        }
        match (Self::from_body::<true>(body).map_err(|why| bounded(why.to_string()))?, repeated) {
            (page, Some(why)) if page.unreadable_row.is_none() => Err(why),
            (page, _) => Ok(page),
        }
    }

    /// Reads a page; `ALONE` as of [`Rows`].
    pub(super) fn from_body<const ALONE: bool>(body: &[u8]) -> Result<Self, serde_json::Error> {
        // All of it is checked to be text at once, or else string by string.
        let list = str::from_utf8(body).map_or_else(|_| serde_json::from_slice(body), serde_json::from_str);
        Self::from_list::<ALONE>(list?, true)
    }

    /// `may_wrap` is whether `content` may hold a whole page, which it may once.
    fn from_list<const ALONE: bool>(
        list: List<'_, T, ALONE>,
        may_wrap: bool,
    ) -> Result<Self, serde_json::Error> {
        let refuse = |why| Err(serde_json::Error::custom(why));
        let error_fields = [&list.detail, &list.error, &list.error_code, &list.parameters, &list.reason];
        if error_fields.into_iter().any(Option::is_some) || list.status.is_some_and(|status| status != 200) {
            return refuse("the response contains both a list and an error");
        }
        let links = list.links.map_or(Ok(Vec::new()), |links| match links.unreadable {
            None => Ok(links.read),
            Some(_) => refuse_links(),
        })?;
        let with_rel = |name| links.iter().filter(move |link| link.is(name));
        let is_of_page = |link: &&Link| ["self", "previous", "next"].into_iter().any(|name| link.is(name));
        let outer = Self {
            rows: Vec::new(),
            total: list.total_count,
            has_next: with_rel("next").next().is_some(),
            has_links: with_rel("self").next().is_some(),
            links: links.iter().filter(is_of_page).filter_map(|link| link.href.clone()).collect(),
            own_link: with_rel("self").find_map(|link| link.href.clone()),
            unreadable_row: None,
            left_out: 0,
        };
        match (list.results, list.content) {
            (Some(rows), None) => Ok(outer.with_rows(rows)),
            (None, Some(content)) if content.get().starts_with('[') => {
                Ok(outer.with_rows::<ALONE>(serde_json::from_str(content.get())?))
            }
            (None, Some(content)) if may_wrap => {
                let mut inner = Self::from_list::<ALONE>(serde_json::from_str(content.get())?, false)?;
                if outer.total.is_some() && inner.total.is_some() && outer.total != inner.total {
                    return refuse("two different counts");
                }
                inner.total = inner.total.or(outer.total);
                inner.has_next |= outer.has_next;
                inner.has_links |= outer.has_links;
                inner.links.extend(outer.links);
                inner.own_link = outer.own_link.or(inner.own_link);
                Ok(inner)
            }
            (Some(_), Some(_)) => refuse("both `results` and `content`"),
            (None, _) => refuse("neither `results` nor `content`"),
        }
    }

    fn with_rows<const ALONE: bool>(self, rows: Rows<T, ALONE>) -> Self {
        let Rows { read, unreadable, left_out } = rows;
        Self { rows: read, unreadable_row: unreadable, left_out, ..self }
    }
}

fn refuse_links() -> Result<Vec<Link>, serde_json::Error> {
    Err(serde_json::Error::custom("invalid link"))
}

impl<T> Page<T> {
    /// Whether more of it could not be read than any documented page has.
    pub(in crate::client) fn is_rubbish(&self) -> bool {
        self.left_out >= MOST_UNREADABLE
    }

    /// The page that its link to itself names, from 1.
    pub(in crate::client) fn own_number(&self) -> Option<u64> {
        page_number(self.own_link.as_deref().filter(|link| named_resource(link).is_some())?)
    }

    /// Why this is another list than `asked`, by its own links. Links that name no resource of the API say nothing.
    pub(in crate::client) fn other_list(&self, asked: &str) -> Option<Outcome> {
        let is_other = |link: &&String| named_resource(link).is_some_and(|named| !is_same(named, asked));
        let other = self.links.iter().filter(is_other).filter_map(|link| resource(link)).min()?;
        let why = bounded(format!("the response is another list: its link names {other}"));
        Some(Outcome::unread(ReadStatus::Malformed, Some(200), why))
    }

    /// Why this answers another request than that for page `number` of the list `asked`, by its own links.
    pub(in crate::client) fn mismatch(&self, asked: &str, number: u32) -> Option<Outcome> {
        if let Some(other) = self.other_list(asked) {
            return Some(other);
        }
        let own = self.own_number()?;
        (own != u64::from(number)).then(|| {
            let why = format!("the response is page {own} of the list, but page {number} was requested");
            Outcome::unread(ReadStatus::Partial, Some(200), why)
        })
    }
}

/// The page of a list that an address names, from 1.
pub(crate) fn page_number(address: &str) -> Option<u64> {
    let mut rest = address;
    loop {
        let end = memchr::memchr3(b'?', b'&', b'#', rest.as_bytes());
        let pair = &rest[..end.unwrap_or(rest.len())];
        if let Some(number) = pair.strip_prefix("pageNum=").and_then(|number| number.parse().ok()) {
            return (number > 0).then_some(number);
        }
        rest = &rest[end? + 1..];
    }
}

/// The list or other resource of the API that an address names, such as `users/5af9…/keys`, in lower case: an id is the same
/// in both cases. `None` for any other address.
fn resource(address: &str) -> Option<String> {
    Some(named_resource(address)?.split('/').map(normalized).collect::<Vec<_>>().join("/"))
}

/// The same, as it is written.
fn named_resource(address: &str) -> Option<&str> {
    let end = memchr::memchr2(b'?', b'#', address.as_bytes()).unwrap_or(address.len());
    let path = address[..end].trim_end_matches('/');
    let is_list = |first, third| match first {
        "users" => third == "keys",
        "orgs" | "groups" => third == "users",
        _ => false,
    };
    // From the last segment to the first: the two after this one, and where the second of them ends.
    let mut after = [None; 2];
    let (mut end, mut version) = (path.len(), None);
    for start in path.rmatch_indices('/').map(|(slash, _)| slash + 1).chain([0]) {
        let segment = &path[start..end];
        if let [_, Some((third, end))] = after
            && is_list(segment, third)
        {
            return Some(&path[start..end]);
        }
        if segment == "v1.0" && version.is_none() {
            version = Some(path.get(end + 1..).unwrap_or_default());
        }
        after = [Some((segment, end)), after[0]];
        end = start.saturating_sub(1);
    }
    version
}

/// Whether an address names the resource at `path`.
fn is_same(named: &str, path: &str) -> bool {
    let same_segment = |(one, other)| one == other || normalized(one) == normalized(other);
    named == path
        || named.matches('/').count() == path.matches('/').count()
            && named.split('/').zip(path.split('/')).all(same_segment)
}

fn normalized(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().to_lowercase()
}
