//! The server's spelling. Nothing of this leaves `client`: each document becomes a model type at once.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Once;

use chrono::{DateTime, SubsecRound, Utc};
use percent_encoding::percent_decode_str;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::fields::repeated_field;
use crate::console::warn;
use crate::inventory;
use crate::model::{self, ListScope, Membership, Origin, Outcome, PersonalKey, ReadStatus, Suffix, User};
use crate::network::Network;
use crate::printable::{masked, without_digests};

/// More rows than these are no page, of which 500 is the most that is documented.
const MOST_ROWS: usize = 100_000;
/// After so many rows of a page that can't be read the rest is only counted.
const MOST_UNREADABLE: usize = 1000;
/// Longer texts are cut, in bytes.
const TEXT_LIMIT: usize = 4 << 10;

/// A page of a list, out of either envelope or none.
#[derive(PartialEq)]
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    /// The service's own count of the whole list; absent with `includeCount=false`.
    pub(super) total: Option<u64>,
    /// Whether a link says that another page follows. Its address is never used.
    pub(super) has_next: bool,
    /// Whether it has a link to itself, so that a link to the next page would be there too: without that and without a
    /// count nothing says where the list ends.
    pub(super) has_links: bool,
    /// Its links to itself and its neighbours.
    links: Vec<String>,
    /// Its link to itself.
    pub(super) own_link: Option<String>,
    /// Why rows had to be left out, for the first that can't be read.
    pub(super) unreadable_row: Option<String>,
    /// How many rows were left out.
    pub(super) left_out: usize,
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
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
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
    fn from_body<const ALONE: bool>(body: &[u8]) -> Result<Self, serde_json::Error> {
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
    pub(super) fn is_rubbish(&self) -> bool {
        self.left_out >= MOST_UNREADABLE
    }

    /// The page that its link to itself names, from 1.
    pub(super) fn own_number(&self) -> Option<u64> {
        page_number(self.own_link.as_deref().filter(|link| named_resource(link).is_some())?)
    }

    /// Why this is another list than `asked`, by its own links. Links that name no resource of the API say nothing.
    pub(super) fn other_list(&self, asked: &str) -> Option<Outcome> {
        let is_other = |link: &&String| named_resource(link).is_some_and(|named| !is_same(named, asked));
        let other = self.links.iter().filter(is_other).filter_map(|link| resource(link)).min()?;
        let why = bounded(format!("the response is another list: its link names {other}"));
        Some(Outcome::unread(ReadStatus::Malformed, Some(200), why))
    }

    /// Why this answers another request than that for page `number` of the list `asked`, by its own links.
    pub(super) fn mismatch(&self, asked: &str, number: u32) -> Option<Outcome> {
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
pub(super) fn resource(address: &str) -> Option<String> {
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

/// What an error document says; every field may be missing, and so may the document.
#[derive(Default)]
pub(super) struct ErrorDocument {
    pub(super) error_code: Option<String>,
    pub(super) detail: Option<String>,
    /// The status that counts, where the document has one of its own that makes sense.
    pub(super) status: Option<u16>,
    /// Whether its own status is none of a success, or makes no sense.
    has_error_status: bool,
    /// Of the envelope, where there is one.
    pub(super) envelope_status: Option<u16>,
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
    pub(super) fn read(body: &[u8]) -> Self {
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
    pub(super) fn says_only(&self, status: u16) -> bool {
        self.is_alone && self.statuses.iter().all(|it| *it == Some(status))
    }

    /// Whether it says that something went wrong, whatever the status of the answer.
    pub(super) fn is_error(&self) -> bool {
        self.error_code.is_some() || self.has_error_status
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

/// The name of a user or a thing; `None` for one that can't be seen.
fn name(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).map(bounded)
}

/// A text that a person wrote, as [`bounded`] has it: people put keys into descriptions, and none of them is stored.
fn description(text: Option<String>) -> String {
    text.map(|text| bounded(masked(&text))).unwrap_or_default()
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
        is_sound(&self.id)
    }

    /// `is_own` says of a suffix whether it is that of a credential in use.
    pub(super) fn into_model(self, is_own: impl Fn(Option<&Suffix>) -> bool) -> PersonalKey {
        let suffix = self.mask.as_deref().and_then(Suffix::from_key);
        let auditing = is_own(suffix.as_ref());
        PersonalKey {
            id: self.id,
            suffix,
            description: description(self.description),
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
        .map_err(|_| D::Error::custom(format!("{text:?} is not an ISO 8601 time")))
}

/// An account.
#[derive(Deserialize)]
pub(super) struct Account {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    username: Option<String>,
    #[serde(default, deserialize_with = "if_documented")]
    roles: Option<Vec<Role>>,
    #[serde(default, rename = "teamIds", deserialize_with = "if_documented")]
    team_ids: Option<Vec<String>>,
}

impl Account {
    /// The user, as a list of this scope shows him. `id` is that of the organization or project.
    pub(super) fn into_user(self, scope: ListScope, id: &str) -> User {
        let roles = self.roles.map(|roles| sorted(roles.into_iter().map(model::Role::from)));
        let team_ids = self.team_ids.map(|ids| sorted(ids.into_iter().map(bounded)));
        let membership = Membership { scope, id: id.to_owned(), roles, team_ids };
        User {
            id: Some(hexadecimal_in_lower_case(self.id)),
            username: name(self.username),
            origin: Origin { memberships: vec![membership], line: None },
        }
    }

    /// The user, looked up by name.
    pub(super) fn into_account(self) -> User {
        let id = hexadecimal_in_lower_case(self.id.clone());
        self.into_user(ListScope::Account, &id)
    }
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<_> = items.collect();
    items.sort_unstable();
    items.dedup();
    items
}

/// `None` for anything but the documented form: rights that can't be read are unknown, and cost no user.
fn if_documented<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let json = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(json.get()).ok())
}

/// Ids are hexadecimal: one in upper and lower case is one.
fn hexadecimal_in_lower_case(mut id: String) -> String {
    if id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        id.make_ascii_lowercase();
    }
    id
}

/// A role of an account.
#[derive(Deserialize)]
struct Role {
    #[serde(rename = "orgId")]
    org_id: Option<String>,
    #[serde(rename = "groupId")]
    project_id: Option<String>,
    #[serde(rename = "roleName")]
    name: String,
}

impl From<Role> for model::Role {
    fn from(role: Role) -> Self {
        let id = |id: String| bounded(hexadecimal_in_lower_case(id));
        Self { org_id: role.org_id.map(id), project_id: role.project_id.map(id), name: bounded(role.name) }
    }
}

/// An organization. Its items may carry secrets of agents: add no field that is not wanted.
#[derive(Deserialize)]
pub(super) struct Organization {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    name: Option<String>,
    #[serde(default = "not_deleted", rename = "isDeleted", deserialize_with = "if_documented")]
    is_deleted: Option<bool>,
}

impl From<Organization> for model::Organization {
    fn from(organization: Organization) -> Self {
        Self {
            id: hexadecimal_in_lower_case(organization.id),
            name: name(organization.name),
            is_deleted: organization.is_deleted,
        }
    }
}

/// A project. Its items have `agentApiKey`, a secret: add no field that is not wanted.
#[derive(Deserialize)]
pub(super) struct Project {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    name: Option<String>,
    #[serde(rename = "orgId")]
    org_id: Option<String>,
}

impl From<Project> for inventory::Project {
    fn from(Project { id, name, org_id }: Project) -> Self {
        let org_id = org_id.map(|id| bounded(hexadecimal_in_lower_case(id)));
        Self { id: hexadecimal_in_lower_case(id), name: self::name(name), org_id }
    }
}

/// A team of an organization.
#[derive(Deserialize)]
pub(super) struct Team {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    name: Option<String>,
}

impl From<Team> for inventory::Team {
    fn from(Team { id, name }: Team) -> Self {
        Self { id: hexadecimal_in_lower_case(id), name: self::name(name) }
    }
}

/// A team of a project.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamRoles {
    #[serde(deserialize_with = "sound_identity")]
    team_id: String,
    role_names: Vec<String>,
}

impl From<TeamRoles> for inventory::TeamRoles {
    fn from(TeamRoles { team_id, role_names }: TeamRoles) -> Self {
        let roles = sorted(role_names.into_iter().map(bounded));
        Self { team_id: hexadecimal_in_lower_case(team_id), roles }
    }
}

/// An entry of a list of addresses. An entry of one address has it twice, and one of more as a block alone.
#[derive(Deserialize)]
#[serde(try_from = "AccessFields")]
pub(super) struct AccessEntry {
    block: Network,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessFields {
    cidr_block: Option<String>,
    ip_address: Option<String>,
}

impl TryFrom<AccessFields> for AccessEntry {
    type Error = String;

    fn try_from(fields: AccessFields) -> Result<Self, String> {
        let text = fields.cidr_block.or(fields.ip_address).ok_or("neither `cidrBlock` nor `ipAddress`")?;
        let block = Network::from_service(&text)?;
        Ok(Self { block, text: block.to_string() })
    }
}

impl From<AccessEntry> for inventory::AccessEntry {
    fn from(entry: AccessEntry) -> Self {
        Self { block: entry.block }
    }
}

/// A programmatic key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProgrammaticKey {
    #[serde(deserialize_with = "sound_identity")]
    id: String,
    desc: Option<String>,
    public_key: Option<String>,
    /// Masked by the service. Only the suffix is taken, so that a key that is not masked is not kept.
    #[serde(default, rename = "privateKey", deserialize_with = "suffix")]
    pub(super) suffix: Option<Suffix>,
    /// Read for those that are kept.
    roles: Option<Box<RawValue>>,
}

impl ProgrammaticKey {
    /// Whether it was made by a plan.
    pub(super) fn is_replacement(&self) -> bool {
        self.desc.as_deref().is_some_and(inventory::is_replacement)
    }
}

impl From<ProgrammaticKey> for inventory::ProgrammaticKey {
    fn from(key: ProgrammaticKey) -> Self {
        let roles = key.roles.and_then(|roles| serde_json::from_str::<Vec<Role>>(roles.get()).ok());
        Self {
            id: hexadecimal_in_lower_case(key.id),
            public_key: key.public_key.map(bounded),
            suffix: key.suffix,
            description: description(key.desc),
            roles: roles.map(|roles| sorted(roles.into_iter().map(model::Role::from))),
        }
    }
}

fn suffix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Suffix>, D::Error> {
    let mask = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
    Ok(mask.and_then(|mask| Suffix::from_key(&mask)))
}

/// Only deleted organizations are marked.
#[expect(clippy::unnecessary_wraps, reason = "the default of a field that is an Option")]
const fn not_deleted() -> Option<bool> {
    Some(false)
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

impl Identified for Project {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Team {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for TeamRoles {
    fn id(&self) -> &str {
        &self.team_id
    }
}

impl Identified for AccessEntry {
    fn id(&self) -> &str {
        &self.text
    }
}

impl Identified for ProgrammaticKey {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Rows without an id can't be distinguished.
fn identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = String::deserialize(deserializer)?;
    match id.len() {
        0 => Err(D::Error::custom("empty ID")),
        length if length > TEXT_LIMIT => Err(D::Error::custom(format!("ID of {length} bytes"))),
        _ => Ok(id),
    }
}

/// The same, where it becomes a part of the next path.
fn sound_identity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = identity(deserializer)?;
    if is_sound(&id) { Ok(id) } else { Err(D::Error::custom("invalid ID")) }
}

fn is_sound(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests;
