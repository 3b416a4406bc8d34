//! What the audit talks about: users, their personal API keys, and what became of reading them. No I/O, no clock.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use serde::{Deserialize, Serialize, Serializer};

use crate::printable::masked;

named! {
    /// The three products that speak the API v1.0.
    pub enum Product {
        /// MongoDB Ops Manager
        OpsManager = "ops-manager",
        /// MongoDB Cloud Manager
        CloudManager = "cloud-manager",
        /// MongoDB Atlas
        Atlas = "atlas",
    }
}

impl Product {
    /// The name as its vendor writes it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::OpsManager => "Ops Manager",
            Self::CloudManager => "Cloud Manager",
            Self::Atlas => "Atlas",
        }
    }
}

/// An account of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// 24 hexadecimal digits; `None` where a name could not be resolved to an id.
    pub id: Option<String>,
    /// Mostly an e-mail address; `None` where only the id was given.
    pub username: Option<String>,
    /// Who named this user.
    pub origin: Origin,
}

impl User {
    /// The id as the run database and documents have it: empty where there is none.
    #[must_use]
    pub fn id_or_empty(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// As a person calls the user: by name, or where that is blank by id.
    #[must_use]
    pub fn label(&self) -> &str {
        let name = self.username.as_deref().filter(|name| !name.trim().is_empty());
        name.unwrap_or_else(|| self.id_or_empty())
    }
}

/// Where a user was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Every list of the service that shows the user, sorted, each once.
    pub memberships: Vec<Membership>,
    /// The line of a list that somebody wrote; of several the smallest, so that the order of their coming changes nothing.
    pub line: Option<ListLine>,
}

impl Origin {
    /// The ids of the organizations in whose lists the user is, sorted.
    pub fn organizations(&self) -> impl Iterator<Item = &str> {
        let of_organizations = |it: &&Membership| it.scope == ListScope::Organization;
        self.memberships.iter().filter(of_organizations).map(|membership| &*membership.id)
    }

    /// The first of them.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.organizations().next()
    }
}

named! {
    /// Whose list of users it is.
    pub enum ListScope {
        /// One user, looked up by name
        Account = "account",
        /// The users of an organization
        Organization = "organization",
        /// The users of a project, those of its teams and of its organization included
        Project = "project",
    }
}

/// A user as one list of the service shows him, with the rights that it shows: they differ from list to list.
///
/// The canonical export has it with these names, in this order: a name that changes, changes every hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// Whose list.
    pub scope: ListScope,
    /// The id of that organization, project or account.
    pub id: String,
    /// Sorted, each once; `None` where the list does not say, which is not "none".
    pub roles: Option<Vec<Role>>,
    /// The ids of the user's teams, sorted, each once; `None` where the list does not say.
    pub team_ids: Option<Vec<String>>,
}

/// A role of a user: in an organization, in a project, or where it has neither in the whole deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The id of the organization.
    pub org_id: Option<String>,
    /// The id of the project.
    pub project_id: Option<String>,
    /// Such as `ORG_MEMBER`.
    pub name: String,
}

/// An organization of the deployment.
///
/// The canonical export has it with these names, in this order: a name that changes, changes every hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// 24 hexadecimal digits.
    pub id: String,
    /// `None` where the deployment was not asked for its organizations.
    pub name: Option<String>,
    /// `None` where the service does not say, as for an organization that was named on the command line.
    pub is_deleted: Option<bool>,
}

/// A line of a list of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLine {
    /// The list's path, as it was typed.
    pub list: Arc<str>,
    /// `None` where the list has no lines of its own, as in JSON.
    pub number: Option<NonZeroU64>,
}

/// An id of the service, of a user or a key for example, in lower case: it has 24 hexadecimal digits.
#[must_use]
pub fn object_id(text: &str) -> Option<String> {
    let is_id = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| text.to_ascii_lowercase())
}

/// The last 12 hexadecimal digits of a key, in lower case: all that the service shows of it, and enough to identify it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Suffix(String);

impl Suffix {
    const DIGITS: usize = 12;

    /// From a UUID or its mask. The mask has four groups where a UUID has five, so only the end counts, never the shape.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let start = key.len().checked_sub(Self::DIGITS)?;
        let end = key.get(start..)?;
        end.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| Self(end.to_ascii_lowercase()))
    }

    /// The 12 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Suffix {
    type Error = &'static str;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        Self::from_key(&key).ok_or("a key's suffix is 12 hexadecimal digits")
    }
}

/// A personal API key, as far as the service shows it. Any field but the id may be missing on an old server.
///
/// The canonical export has it with these names, in this order: a name that changes, changes every hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonalKey {
    /// 24 hexadecimal digits.
    pub id: String,
    /// `None` where the service shows no mask, or one that does not end in 12 hexadecimal digits.
    pub suffix: Option<Suffix>,
    /// Free text of its owner, hostile until escaped; empty where missing.
    pub description: String,
    /// `None` where the service does not say, which is to be taken as enabled.
    pub enabled: Option<bool>,
    /// To the second.
    #[serde(serialize_with = "serialize_time")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last used as the service has it, to the second; `None` where the service does not say, which is not
    /// "never". Evidence alone: [`PersonalKey::last_use`] is what to judge and to show.
    #[serde(serialize_with = "serialize_time")]
    pub last_used: Option<DateTime<Utc>>,
    /// How often it was used; `None` where the service does not say.
    pub used_count: Option<u64>,
    /// Whether this is the credential that the audit itself used, and whose use it thereby moved.
    pub auditing: bool,
}

impl PersonalKey {
    /// Whether it may still be in force: unknown counts as yes.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled != Some(false)
    }

    /// When it was last used; `None` where the service does not say, or gives a time that cannot be a use: before the key
    /// was made, or 1970-01-01 and earlier, which some servers write for "not known".
    #[must_use]
    pub fn last_use(&self) -> Option<DateTime<Utc>> {
        self.last_used.filter(|last| {
            *last > DateTime::UNIX_EPOCH && self.created_at.is_none_or(|created| *last >= created)
        })
    }
}

named! {
    /// How the reading of one user ended.
    pub enum ReadStatus {
        /// All pages were read and add up
        Read = "read",
        /// 401 or 403: these credentials may not read this user
        Forbidden = "forbidden",
        /// 404: no such user
        NotFound = "not-found",
        /// The service's rate limit
        RateLimited = "rate-limited",
        /// The rows do not add up to the service's own count
        Partial = "partial",
        /// An answer that is not what the API documents
        Malformed = "malformed",
        /// A server error, a timeout, a broken connection, or never asked because the run ended
        Error = "error",
        /// The deployment no longer has personal keys
        Removed = "removed",
    }
}

impl ReadStatus {
    /// Whether nothing of this user can have been missed.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        match self {
            Self::Read | Self::Removed => true,
            Self::Forbidden
            | Self::NotFound
            | Self::RateLimited
            | Self::Partial
            | Self::Malformed
            | Self::Error => false,
        }
    }

    /// Whether it may end otherwise when the same is asked again at another time.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::RateLimited | Self::Error => true,
            Self::Read
            | Self::Forbidden
            | Self::NotFound
            | Self::Partial
            | Self::Malformed
            | Self::Removed => false,
        }
    }
}

/// How a request, or all the requests for one user, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What it means for the audit.
    pub status: ReadStatus,
    /// Of the last answer; `None` where none came.
    pub http_status: Option<u16>,
    /// The service's own word, such as `NOT_SELF`.
    pub error_code: Option<String>,
    /// A sentence for a person; `None` where there is nothing to explain. May quote the service.
    pub detail: Option<String>,
}

impl Outcome {
    /// All was read.
    #[must_use]
    pub const fn read(http_status: u16) -> Self {
        Self { status: ReadStatus::Read, http_status: Some(http_status), error_code: None, detail: None }
    }

    /// Not all was read, and this is why. The text may quote a value of the service, and that a key: it is masked.
    pub fn unread(status: ReadStatus, http_status: Option<u16>, detail: impl AsRef<str>) -> Self {
        Self { status, http_status, error_code: None, detail: Some(masked(detail.as_ref())) }
    }
}

/// What came of asking for one user's keys: the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserResult {
    /// Whose keys.
    pub user: User,
    /// Those that were read, whatever the outcome: a key once seen is never lost.
    pub keys: Vec<PersonalKey>,
    /// Whether that is all of them.
    pub outcome: Outcome,
    /// How often the user was asked for; 0 where never.
    pub attempts: u32,
    /// When the last answer came; `None` where never asked.
    pub read_at: Option<DateTime<Utc>>,
}

/// An organization of a run, and how the list of its users ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationResult {
    /// Which.
    pub organization: Organization,
    /// Whether all of its users are known.
    pub outcome: Outcome,
}

/// A list of users that could not be read to its end, so that it is unknown who is missing from the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteList {
    /// What was to be listed, such as `organization 5980…`.
    pub source: String,
    /// The id of the organization whose users it lists; `None` where it is another list.
    pub org_id: Option<String>,
    /// Why it was not.
    pub outcome: Outcome,
}

/// A time as every report writes it: RFC 3339, UTC, to the second. By hand, since chrono's patterns cost ten times as much.
#[derive(Debug, Clone)]
pub struct Rfc3339(TimeText);

#[derive(Debug, Clone)]
enum TimeText {
    /// Of a year with four digits, as all that a deployment says are.
    Usual([u8; 20]),
    Other(String),
}

impl Rfc3339 {
    /// The text of a time.
    #[must_use]
    pub fn new(time: DateTime<Utc>) -> Self {
        let (date, clock) = (time.date_naive(), time.time());
        let (hour, minute, second) = (clock.hour(), clock.minute(), clock.second());
        let (year, month, day) = (date.year(), date.month(), date.day());
        let Some(year) = u32::try_from(year).ok().filter(|year| *year <= 9999) else {
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
            return Self(TimeText::Other(text));
        };
        let mut text = *b"0000-00-00T00:00:00Z";
        let numbers =
            [(0, year / 100), (2, year % 100), (5, month), (8, day), (11, hour), (14, minute), (17, second)];
        for (at, number) in numbers {
            // Less than 100, so that both are digits.
            text[at] += (number / 10).to_le_bytes()[0];
            text[at + 1] += (number % 10).to_le_bytes()[0];
        }
        Self(TimeText::Usual(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            TimeText::Usual(text) => str::from_utf8(text).unwrap_or_default(),
            TimeText::Other(text) => text,
        }
    }

    /// The day alone.
    #[must_use]
    pub fn day(&self) -> &str {
        self.as_str().split('T').next().unwrap_or_default()
    }
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// As chrono writes it, in a fifth of the time for all that a service says.
#[expect(clippy::ref_option, reason = "serde asks for it")]
pub(crate) fn serialize_time<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) if time.nanosecond() == 0 && (0..=9999).contains(&time.year()) => {
            serializer.serialize_some(Rfc3339::new(*time).as_str())
        }
        time => time.serialize(serializer),
    }
}

/// As [`Rfc3339`].
#[must_use]
pub fn rfc3339(time: DateTime<Utc>) -> String {
    Rfc3339::new(time).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_time_is_written_as_chrono_writes_it(seconds in -100_000_000_000_i64..300_000_000_000) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            let expected = match time.year() {
                0..=9999 => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                year => format!("{year:04}{}", time.format("-%m-%dT%H:%M:%SZ")),
            };
            proptest::prop_assert_eq!(rfc3339(time), expected);
        }
    }

    #[test]
    fn a_key_and_its_mask_have_the_same_suffix() {
        let uuid = Suffix::from_key("b5e7b0c4-3a1d-4e0e-8f55-92732876EEAE");
        assert_eq!(uuid, Suffix::from_key("********-****-****-92732876eeae"));
        assert_eq!(uuid.unwrap().as_str(), "92732876eeae");
    }

    #[test]
    fn what_does_not_end_in_twelve_digits_has_no_suffix() {
        for mask in ["", "92732876eea", "********-****-****-************", "x2732876eeaé", "ééééééé"]
        {
            assert_eq!(Suffix::from_key(mask), None, "{mask}");
        }
    }

    #[test]
    fn a_key_that_does_not_say_counts_as_enabled() {
        let key = PersonalKey { ..PersonalKey::default() };
        assert!(key.is_enabled());
        assert!(!PersonalKey { enabled: Some(false), ..key }.is_enabled());
    }
}
