//! What several documents outside share: the canonical export, the manifest, `findings.json`, the template of the report, and
//! the settings that a store keeps of each run. The names are promised outward as version 1, so that a reader of one of
//! them reads all; a field that is renamed, or means something else, takes a version 2.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, Serializer};

use crate::model::rfc3339;

/// The settings that shape a run's result. No secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// What was to be audited, such as `organization 5980…` or `users from list.csv`.
    pub sources: Vec<String>,
    /// What distinguishes the lists among them from others of the same names.
    #[serde(default)]
    pub lists: Vec<String>,
    /// A use at or after it counts.
    pub cutoff: DateTime<Utc>,
    /// In days.
    pub active_within: u32,
    /// How the deployment was asked.
    #[serde(flatten)]
    pub requests: RequestSettings,
}

/// What distinguishes a list of users from another of the same name: one of [`RunSettings::lists`], where it is a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFingerprint {
    /// Repeats included.
    pub users: u64,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
}

impl fmt::Display for ListFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} users, SHA-256 {}", self.users, self.sha256)
    }
}

impl ListFingerprint {
    /// From the text; `None` where it is of something else, such as saved answers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (users, sha256) = text.split_once(" users, SHA-256 ")?;
        Some(Self { users: users.parse().ok()?, sha256: sha256.to_owned() })
    }
}

/// How the requests of a run were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestSettings {
    /// Requests in flight; 0 where none was made.
    pub concurrency: usize,
    /// Requests a second.
    pub rate: Option<f64>,
    /// In seconds.
    pub timeout: u64,
    /// Of one request.
    pub retries: u32,
    /// Whether any certificate was taken, so that somebody else may have answered.
    #[serde(default)]
    pub certificates_not_verified: bool,
    /// Whether it went over plain http to another host.
    #[serde(default)]
    pub in_the_clear: bool,
}

impl RequestSettings {
    /// Of a run that made no request.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }
}

/// [`RunSettings`] as `findings.json` has them: with the units in the names.
#[derive(Serialize)]
#[serde(remote = "RunSettings")]
pub(crate) struct SettingsWithUnits {
    sources: Vec<String>,
    lists: Vec<String>,
    #[serde(serialize_with = "to_the_second")]
    cutoff: DateTime<Utc>,
    #[serde(rename = "active_within_days")]
    active_within: u32,
    #[serde(flatten, with = "RequestsWithUnits")]
    requests: RequestSettings,
}

#[derive(Serialize)]
#[serde(remote = "RequestSettings")]
struct RequestsWithUnits {
    concurrency: usize,
    #[serde(rename = "rate_per_second")]
    rate: Option<f64>,
    #[serde(rename = "timeout_seconds")]
    timeout: u64,
    retries: u32,
    certificates_not_verified: bool,
    in_the_clear: bool,
}

fn to_the_second<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}
