//! The lines of the canonical form: what each holds, in the order in which it is written. The fields are written down here, so
//! that a model's field that is renamed no longer compiles, and changes no hash; those of a key are the model's own.

use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{
    IncompleteList, ListLine, Membership, Organization, OrganizationResult, Origin, Outcome, PersonalKey,
    Product, ReadStatus, User, UserResult, serialize_time,
};
use crate::store::Run;
use crate::v1::RunSettings;

/// One line. The first field says which kind, in words that `docs/evidence.md` promises, whatever the variants are called.
#[derive(Serialize, Deserialize)]
#[serde(tag = "keysunset")]
pub(super) enum ExportLine {
    #[serde(rename = "run")]
    Run(Box<ExportedRun>),
    #[serde(rename = "organization")]
    Organization(#[serde(with = "OrganizationResultFields")] OrganizationResult),
    #[serde(rename = "gap")]
    IncompleteList(#[serde(with = "IncompleteListFields")] IncompleteList),
    #[serde(rename = "reading")]
    UserResult(
        #[serde(serialize_with = "write_result", deserialize_with = "UserResultFields::deserialize")]
        UserResult,
    ),
    #[serde(rename = "end")]
    End(ExportCounts),
}

/// The first line: what was asked of which deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedRun {
    pub(super) version: u64,
    /// What the reports call it.
    pub deployment: String,
    /// Where it was, for a person to read.
    pub address: String,
    /// Which product.
    pub product: Product,
    /// Its version; `None` where its answers have none.
    pub service_version: Option<String>,
    /// The public part of the credential that asked.
    pub credential: String,
    /// In seconds, how far the deployment's clock was ahead; `None` where it was not measured.
    pub clock_skew: Option<i64>,
    /// What every "ago" counts from.
    pub started_at: DateTime<Utc>,
    /// `None`: it was cut short.
    pub finished_at: Option<DateTime<Utc>>,
    /// Of keysunset.
    pub tool_version: String,
    /// Whether its organizations were recorded; `None` in version 1, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_organizations: Option<bool>,
    /// How it was to be done.
    pub settings: RunSettings,
}

/// The last line: how much there is before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportCounts {
    /// Organizations that were seen; `None` in version 1, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizations: Option<u64>,
    /// Lists of users that could not be read to their end.
    pub gaps: u64,
    /// Users who were requested: lines.
    pub users: u64,
    /// Those of whom nothing can have been missed.
    pub read: u64,
    /// The others.
    pub not_read: u64,
    /// Their keys.
    pub keys: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OrganizationResult")]
struct OrganizationResultFields {
    #[serde(flatten)]
    organization: Organization,
    #[serde(flatten, with = "OutcomeFields")]
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "IncompleteList")]
struct IncompleteListFields {
    source: String,
    org_id: Option<String>,
    #[serde(flatten, with = "OutcomeFields")]
    outcome: Outcome,
}

/// As they are read; [`ResultFields`] are the same.
#[derive(Deserialize)]
#[serde(remote = "UserResult")]
struct UserResultFields {
    #[serde(flatten, deserialize_with = "read_user")]
    user: User,
    #[serde(flatten, with = "OutcomeFields")]
    outcome: Outcome,
    attempts: u32,
    read_at: Option<DateTime<Utc>>,
    keys: Vec<PersonalKey>,
}

/// The line of a result of which somebody else has the only copy.
#[derive(Serialize)]
#[serde(tag = "keysunset")]
pub(super) enum ResultLine<'a> {
    #[serde(rename = "reading")]
    UserResult(ResultFields<'a>),
}

impl<'a> ResultLine<'a> {
    pub(super) fn new(result: &'a UserResult) -> Self {
        Self::UserResult(ResultFields::new(result))
    }
}

/// The fields of a result in their order. They are all of one struct, since flattened ones take twice as long to write.
#[derive(Serialize)]
pub(super) struct ResultFields<'a> {
    user_id: &'a str,
    username: Option<&'a str>,
    memberships: &'a [Membership],
    list: Option<&'a str>,
    line: Option<u64>,
    status: ReadStatus,
    http_status: Option<u16>,
    error_code: Option<&'a str>,
    detail: Option<&'a str>,
    attempts: u32,
    #[serde(serialize_with = "serialize_time")]
    read_at: Option<DateTime<Utc>>,
    keys: &'a [PersonalKey],
}

impl<'a> ResultFields<'a> {
    fn new(result: &'a UserResult) -> Self {
        let UserResult { user, keys, outcome, attempts, read_at } = result;
        let User { id: _, username, origin: Origin { memberships, line } } = user;
        let Outcome { status, http_status, error_code, detail } = outcome;
        let (list, line) = list_and_number(line.as_ref());
        Self {
            user_id: user.id_or_empty(),
            username: username.as_deref(),
            memberships,
            list,
            line,
            status: *status,
            http_status: *http_status,
            error_code: error_code.as_deref(),
            detail: detail.as_deref(),
            attempts: *attempts,
            read_at: *read_at,
            keys,
        }
    }
}

fn write_result<S: Serializer>(result: &UserResult, serializer: S) -> Result<S::Ok, S::Error> {
    ResultFields::new(result).serialize(serializer)
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Outcome")]
pub(super) struct OutcomeFields {
    status: ReadStatus,
    http_status: Option<u16>,
    error_code: Option<String>,
    detail: Option<String>,
}

impl ExportedRun {
    pub(super) fn new(run: &Run, version: u64) -> Self {
        // Neither the number nor whether it was reported: the same run elsewhere is the same bytes.
        Self {
            version,
            deployment: run.deployment.clone(),
            address: run.address.clone(),
            product: run.product,
            service_version: run.service_version.clone(),
            credential: run.credential.clone(),
            clock_skew: run.clock_skew,
            started_at: run.started_at,
            finished_at: run.finished_at,
            tool_version: run.tool_version.clone(),
            has_organizations: (version > 1).then_some(run.has_organizations),
            settings: run.settings.clone(),
        }
    }
}

impl ExportCounts {
    pub(super) fn new(version: u64) -> Self {
        Self { organizations: (version > 1).then_some(0), ..Self::default() }
    }

    pub(super) fn add(&mut self, result: &UserResult) {
        self.users += 1;
        *(if result.outcome.status.is_complete() { &mut self.read } else { &mut self.not_read }) += 1;
        self.keys += result.keys.len() as u64;
    }
}

/// A user, with where he was found in fields of their own.
#[derive(Deserialize)]
struct UserFields {
    user_id: String,
    username: Option<String>,
    memberships: Vec<Membership>,
    list: Option<String>,
    line: Option<u64>,
}

fn read_user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<User, D::Error> {
    let UserFields { user_id, username, memberships, list, line } = UserFields::deserialize(deserializer)?;
    let origin = Origin { memberships, line: list_line(list, line) };
    Ok(User { id: Some(user_id).filter(|id| !id.is_empty()), username, origin })
}

/// The fields of a line of a list.
pub(super) fn list_and_number(line: Option<&ListLine>) -> (Option<&str>, Option<u64>) {
    line.map(|line| (&*line.list, line.number.map_or(0, NonZeroU64::get))).unzip()
}

/// One field without the other is not written again, so that its line is refused as not canonical.
pub(super) fn list_line(list: Option<String>, number: Option<u64>) -> Option<ListLine> {
    let (list, number) = list.zip(number)?;
    Some(ListLine { list: list.into(), number: NonZeroU64::new(number) })
}
