//! The lines of the canonical form: what each holds, in the order in which it is written. The fields are written down here, so
//! that a model's field that is renamed no longer compiles, and changes no hash; those of a key are the model's own.

use std::num::NonZeroU64;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::VERSION;
use crate::model::{
    IncompleteList, ListLine, Origin, Outcome, PersonalKey, Product, ReadStatus, User, UserResult,
};
use crate::store::Run;
use crate::v1::RunSettings;

/// One line. The first field says which kind, in words that `docs/evidence.md` promises, whatever the variants are called.
#[derive(Serialize, Deserialize)]
#[serde(tag = "keysunset")]
pub(super) enum ExportLine {
    #[serde(rename = "run")]
    Run(Box<ExportedRun>),
    #[serde(rename = "gap")]
    IncompleteList(#[serde(with = "IncompleteListFields")] IncompleteList),
    #[serde(rename = "reading")]
    UserResult(#[serde(with = "UserResultFields")] UserResult),
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
    /// Its version, as far as it told.
    pub service_version: Option<String>,
    /// The public part of the credential that asked.
    pub credential: String,
    /// In seconds, how far the deployment's clock was ahead; `None` where nobody looked.
    pub clock_skew: Option<i64>,
    /// What every "ago" counts from.
    pub started_at: DateTime<Utc>,
    /// `None`: it was cut short.
    pub finished_at: Option<DateTime<Utc>>,
    /// Of keysunset.
    pub tool_version: String,
    /// How it was to be done.
    pub settings: RunSettings,
}

/// The last line: how much there is before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportCounts {
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
#[serde(remote = "IncompleteList")]
struct IncompleteListFields {
    source: String,
    #[serde(flatten, with = "OutcomeFields")]
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "UserResult")]
struct UserResultFields {
    #[serde(flatten, serialize_with = "write_user", deserialize_with = "read_user")]
    user: User,
    #[serde(flatten, with = "OutcomeFields")]
    outcome: Outcome,
    attempts: u32,
    read_at: Option<DateTime<Utc>>,
    keys: Vec<PersonalKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Outcome")]
struct OutcomeFields {
    status: ReadStatus,
    http_status: Option<u16>,
    error_code: Option<String>,
    detail: Option<String>,
}

impl From<&Run> for ExportedRun {
    fn from(run: &Run) -> Self {
        // Neither the number nor whether it was reported: the same run elsewhere is the same bytes.
        Self {
            version: VERSION,
            deployment: run.deployment.clone(),
            address: run.address.clone(),
            product: run.product,
            service_version: run.service_version.clone(),
            credential: run.credential.clone(),
            clock_skew: run.clock_skew,
            started_at: run.started_at,
            finished_at: run.finished_at,
            tool_version: run.tool_version.clone(),
            settings: run.settings.clone(),
        }
    }
}

impl ExportCounts {
    pub(super) fn add(&mut self, result: &UserResult) {
        self.users += 1;
        *(if result.outcome.status.is_complete() { &mut self.read } else { &mut self.not_read }) += 1;
        self.keys += result.keys.len() as u64;
    }
}

/// A user, with where he was found in fields of their own.
#[derive(Serialize, Deserialize)]
struct UserFields {
    user_id: String,
    username: Option<String>,
    organization: Option<String>,
    list: Option<String>,
    line: Option<u64>,
}

fn write_user<S: Serializer>(user: &User, serializer: S) -> Result<S::Ok, S::Error> {
    let User { id, username, origin: Origin { organization, line } } = user;
    let fields = UserFields {
        user_id: id.clone(),
        username: username.clone(),
        organization: organization.as_deref().map(str::to_owned),
        list: line.as_ref().map(|line| line.list.to_string()),
        line: line.as_ref().map(|line| line.number.map_or(0, NonZeroU64::get)),
    };
    fields.serialize(serializer)
}

fn read_user<'de, D: Deserializer<'de>>(deserializer: D) -> Result<User, D::Error> {
    let UserFields { user_id, username, organization, list, line } = UserFields::deserialize(deserializer)?;
    // One without the other is not written again, so that the line is refused as not canonical.
    let line =
        list.zip(line).map(|(list, number)| ListLine { list: list.into(), number: NonZeroU64::new(number) });
    let origin = Origin { organization: organization.map(Into::into), line };
    Ok(User { id: user_id, username, origin })
}
