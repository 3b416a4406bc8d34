//! Settings that several commands share. Those of `AuditArgs` and `ReportArgs` have the same names in keysunset.toml.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;

use super::values::{
    concurrency, concurrency_of, instant, instant_of, one_or_more, patience, patience_of, rate, rate_of,
    retries, retries_of, seconds, seconds_of,
};
use crate::history::PageFormat;
use crate::model::Product;
use crate::policy::FailOn;
use crate::report::Format;

/// How to show what the store remembers of its runs.
#[derive(Args, Debug)]
pub(crate) struct FormArgs {
    /// What to show it as, on standard output [default: text]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<PageFormat>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

impl FormArgs {
    /// The form that was asked for.
    pub(crate) fn form(&self) -> PageFormat {
        self.format.unwrap_or(if self.json { PageFormat::Json } else { PageFormat::Text })
    }
}

/// Where runs are kept, for the commands that need nothing else of the reports' settings.
#[derive(Args, Debug)]
pub(crate) struct StoreArgs {
    /// Where the evidence is kept [default: keysunset.db in --out]
    #[arg(long, value_name = "FILE", env, help_heading = "Output")]
    pub store: Option<PathBuf>,
    /// Where the reports are [default: reports]
    #[arg(short, long, value_name = "DIR", env, help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// Which deployment to audit, whom of it, and how fast.
#[derive(Args, Debug, Default)]
pub(crate) struct AuditArgs {
    #[command(flatten, next_help_heading = "Deployment")]
    pub deployment: DeploymentArgs,
    #[command(flatten, next_help_heading = "Credentials")]
    pub credentials: CredentialArgs,
    #[command(flatten, next_help_heading = "Whom to audit")]
    pub scope: ScopeArgs,
    #[command(flatten, next_help_heading = "Pace")]
    pub pace: PaceArgs,
}

/// How to judge a run, and what to write of it.
#[derive(Args, Debug, Default)]
pub(crate) struct ReportArgs {
    #[command(flatten, next_help_heading = "Judgement")]
    pub policy: PolicyArgs,
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// Where a deployment is, and what to trust on the way.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct DeploymentArgs {
    /// The deployment: a host's root or a whole base path
    // As text, since clap repeats a value that it can't parse, and people put passwords there.
    #[arg(long, value_name = "URL", env)]
    pub url: Option<String>,
    /// What the reports call it [default: the URL's origin]
    #[arg(long, value_name = "NAME", env)]
    pub name: Option<String>,
    /// Which product answers there [default: guessed from the URL]
    #[arg(long, value_enum, env)]
    pub product: Option<Product>,
    /// Certificates (PEM) of a private authority to trust
    #[arg(long, value_name = "FILE", env)]
    pub ca_cert: Option<PathBuf>,
    /// The client's certificate and private key (PEM, one file), for a gateway that requires them
    #[arg(long, value_name = "FILE", env)]
    pub client_cert: Option<PathBuf>,
    /// Do not verify certificates: whoever is in between can then answer in the deployment's place
    #[arg(long, env)]
    pub insecure_skip_verify: Option<bool>,
}

/// Where credentials are, besides the environment.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct CredentialArgs {
    /// Users and their own credentials: TOML or CSV, readable by nobody else
    #[arg(long, value_name = "FILE", env)]
    pub credentials: Option<PathBuf>,
    /// A profile of mongocli or of the Atlas CLI: where the deployment is, and its API key
    #[arg(long, value_name = "NAME", env)]
    pub profile: Option<String>,
}

/// Whose keys to audit.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct ScopeArgs {
    /// Users from a file: text, CSV or JSON; - is standard input (repeatable, like all of these)
    #[arg(long, value_name = "FILE|-")]
    #[serde(deserialize_with = "one_or_more")]
    pub users: Vec<PathBuf>,
    /// One user, by id or name
    #[arg(long, value_name = "ID")]
    #[serde(deserialize_with = "one_or_more")]
    pub user: Vec<String>,
    /// Everybody of an organization
    #[arg(long, value_name = "ID")]
    #[serde(deserialize_with = "one_or_more")]
    pub org: Vec<String>,
    /// Everybody of a project
    #[arg(long, value_name = "ID")]
    #[serde(deserialize_with = "one_or_more")]
    pub project: Vec<String>,
    /// Everybody of every organization that the credentials see
    #[arg(long)]
    pub all_orgs: Option<bool>,
}

/// How many requests at once, how fast, and how patiently.
#[derive(Args, Deserialize, Debug, Clone, Copy, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct PaceArgs {
    /// Requests in flight [default: 16]
    #[arg(long, value_name = "N", env, value_parser = concurrency)]
    #[serde(deserialize_with = "concurrency_of")]
    pub concurrency: Option<NonZeroUsize>,
    /// At most so many requests a second [default: no limit]
    #[arg(long, value_name = "PER_SECOND", env, value_parser = rate)]
    #[serde(deserialize_with = "rate_of")]
    pub rate: Option<f64>,
    /// Seconds for one request, from its start to its last byte [default: 30]
    #[arg(long, value_name = "S", env, value_parser = seconds)]
    #[serde(deserialize_with = "seconds_of")]
    pub timeout: Option<Duration>,
    /// Send a request that failed again, so often at most [default: 4]
    #[arg(long, value_name = "N", env, value_parser = retries)]
    #[serde(deserialize_with = "retries_of")]
    pub retries: Option<u32>,
    /// Seconds to wait for a deployment that is down in mid-run; 0 for not at all [default: 300]
    #[arg(long, value_name = "S", env, value_parser = patience)]
    #[serde(deserialize_with = "patience_of")]
    pub patience: Option<Duration>,
}

/// What a key is worth, and what fails a run.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct PolicyArgs {
    /// A use at or after it counts: a day or a time [default: 2021-03-01]
    #[arg(long, value_name = "DATE", env, value_parser = instant)]
    #[serde(deserialize_with = "instant_of")]
    pub cutoff: Option<DateTime<Utc>>,
    /// A key used in the last so many days is in use now [default: 90]
    #[arg(long, value_name = "DAYS", env)]
    pub active_within: Option<u32>,
    /// Which keys fail the run [default: any]
    #[arg(long, value_enum, value_name = "WHICH", env)]
    pub fail_on: Option<FailOn>,
    /// Accepted exceptions: keys and users nobody can read, each with a reason, an owner and an end (docs/waivers.md)
    #[arg(long, value_name = "FILE", env)]
    pub waivers: Option<PathBuf>,
    /// A waiver that ends within 14 days, or that matches nothing, fails the run too
    #[arg(long, env)]
    pub strict_waivers: Option<bool>,
    /// Only what got worse than in the last complete run fails the run: new keys, and keys more severe than they were
    #[arg(long, env)]
    pub ratchet: Option<bool>,
    /// The same against a run that `keysunset export` wrote to a file
    #[arg(long, value_name = "FILE", env)]
    pub baseline: Option<PathBuf>,
    /// End with 0 whatever was found or not read (errors still count)
    #[arg(long, env)]
    pub exit_zero: Option<bool>,
}

/// Which files to write, and where.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct OutputArgs {
    /// Where the reports go [default: reports]
    #[arg(short, long, value_name = "DIR", env)]
    pub out: Option<PathBuf>,
    /// Where the evidence is kept [default: keysunset.db in --out]
    #[arg(long, value_name = "FILE", env)]
    pub store: Option<PathBuf>,
    /// What to write, separated by commas [default: csv,markdown]
    #[arg(short, long, value_enum, value_delimiter = ',', value_name = "FORMATS", env)]
    #[serde(deserialize_with = "one_or_more")]
    pub format: Vec<Format>,
    /// Templates of one's own, in place of the built-in ones of the same names
    #[arg(long, value_name = "DIR", env)]
    pub templates: Option<PathBuf>,
    /// Leave CSV fields as they are, even where a spreadsheet would run them
    #[arg(long, env)]
    pub csv_raw: Option<bool>,
}
