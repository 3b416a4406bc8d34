//! Settings that several commands share. They stand in keysunset.toml by the same names.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;

use super::values::{
    at_once_of, concurrency, instant, instant_of, one_or_more, rate, rate_of, retries, retries_of, seconds,
    seconds_of,
};
use crate::history::Form;
use crate::model::Product;
use crate::policy::FailOn;
use crate::report::Format;

/// What the memory between runs is shown as.
#[derive(Args, Debug)]
pub struct Shape {
    /// What to show it as, on standard output [default: text]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<Form>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub json: bool,
}

impl Shape {
    /// What was asked for.
    #[must_use]
    pub fn form(&self) -> Form {
        self.format.unwrap_or(if self.json { Form::Json } else { Form::Text })
    }
}

/// Where runs are kept, for the commands that need nothing else of the reports' settings.
#[derive(Args, Debug)]
pub struct StoreArgs {
    /// Where the evidence is kept [default: keysunset.db in --out]
    #[arg(long, value_name = "FILE", env = "KEYSUNSET_STORE", hide_env = true, help_heading = "Output")]
    pub store: Option<PathBuf>,
    /// Where the reports are [default: reports]
    #[arg(long, value_name = "DIR", env = "KEYSUNSET_OUT", hide_env = true, help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// What to ask which deployment for: on the command line, and by the same names in keysunset.toml.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case")]
pub struct AuditArgs {
    /// The deployment: a host's root or a whole base path
    // As text, since clap repeats a value that it can't parse, and people put passwords there.
    #[arg(long, value_name = "URL", env = "KEYSUNSET_URL", hide_env = true, help_heading = "Deployment")]
    pub url: Option<String>,
    /// What the reports call it [default: the URL's origin]
    #[arg(long, value_name = "NAME", env = "KEYSUNSET_NAME", hide_env = true, help_heading = "Deployment")]
    pub name: Option<String>,
    /// Which product answers there [default: guessed from the URL]
    #[arg(long, value_enum, env = "KEYSUNSET_PRODUCT", hide_env = true, help_heading = "Deployment")]
    pub product: Option<Product>,
    /// Certificates (PEM) of a private authority to trust
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSUNSET_CA_CERT",
        hide_env = true,
        help_heading = "Deployment"
    )]
    pub ca_cert: Option<PathBuf>,
    /// Do not verify certificates: whoever is in between can then answer in the deployment's place
    #[arg(long, env = "KEYSUNSET_INSECURE_SKIP_VERIFY", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, help_heading = "Deployment")]
    pub insecure_skip_verify: Option<bool>,

    /// Users and their own credentials: TOML or CSV, readable by nobody else
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSUNSET_CREDENTIALS",
        hide_env = true,
        help_heading = "Credentials"
    )]
    pub credentials: Option<PathBuf>,
    /// A profile of mongocli or of the Atlas CLI: where the deployment is, and its API key
    #[arg(
        long,
        value_name = "NAME",
        env = "KEYSUNSET_PROFILE",
        hide_env = true,
        help_heading = "Credentials"
    )]
    pub profile: Option<String>,

    /// Users from a file: text, CSV or JSON; - is standard input (repeatable, like all of these)
    #[arg(long, value_name = "FILE|-", help_heading = "Whom to audit")]
    #[serde(default, deserialize_with = "one_or_more")]
    pub users: Vec<PathBuf>,
    /// One user, by id or name
    #[arg(long, value_name = "ID", help_heading = "Whom to audit")]
    #[serde(default, deserialize_with = "one_or_more")]
    pub user: Vec<String>,
    /// Everybody of an organization
    #[arg(long, value_name = "ID", help_heading = "Whom to audit")]
    #[serde(default, deserialize_with = "one_or_more")]
    pub org: Vec<String>,
    /// Everybody of a project
    #[arg(long, value_name = "ID", help_heading = "Whom to audit")]
    #[serde(default, deserialize_with = "one_or_more")]
    pub project: Vec<String>,
    /// Everybody of every organization that the credentials see
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, help_heading = "Whom to audit")]
    pub all_orgs: Option<bool>,

    /// Requests in flight [default: 16]
    #[arg(long, value_name = "N", env = "KEYSUNSET_CONCURRENCY", hide_env = true, value_parser = concurrency, help_heading = "Pace")]
    #[serde(default, deserialize_with = "at_once_of")]
    pub concurrency: Option<NonZeroUsize>,
    /// At most so many requests a second [default: no limit]
    #[arg(long, value_name = "PER_SECOND", env = "KEYSUNSET_RATE", hide_env = true, value_parser = rate, help_heading = "Pace")]
    #[serde(default, deserialize_with = "rate_of")]
    pub rate: Option<f64>,
    /// Seconds for one request, from its start to its last byte [default: 30]
    #[arg(long, value_name = "S", env = "KEYSUNSET_TIMEOUT", hide_env = true, value_parser = seconds, help_heading = "Pace")]
    #[serde(default, deserialize_with = "seconds_of")]
    pub timeout: Option<Duration>,
    /// Send a request that failed again, so often at most [default: 4]
    #[arg(long, value_name = "N", env = "KEYSUNSET_RETRIES", hide_env = true, value_parser = retries, help_heading = "Pace")]
    #[serde(default, deserialize_with = "retries_of")]
    pub retries: Option<u32>,
}

/// What to show of a run, and how to judge it: on the command line, and by the same names in keysunset.toml.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case")]
pub struct ReportArgs {
    /// A use at or after it counts: a day or a time [default: 2021-03-01]
    #[arg(long, value_name = "DATE", env = "KEYSUNSET_CUTOFF", hide_env = true, value_parser = instant, help_heading = "Judgement")]
    #[serde(default, deserialize_with = "instant_of")]
    pub cutoff: Option<DateTime<Utc>>,
    /// A key used in the last so many days is in use now [default: 90]
    #[arg(
        long,
        value_name = "DAYS",
        env = "KEYSUNSET_ACTIVE_WITHIN",
        hide_env = true,
        help_heading = "Judgement"
    )]
    pub active_within: Option<u32>,
    /// Which keys fail the run [default: any]
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        env = "KEYSUNSET_FAIL_ON",
        hide_env = true,
        help_heading = "Judgement"
    )]
    pub fail_on: Option<FailOn>,
    /// Accepted exceptions: keys and users nobody can read, each with a reason, an owner and an end (docs/waivers.md)
    #[arg(long, value_name = "FILE", env = "KEYSUNSET_WAIVERS", hide_env = true, help_heading = "Judgement")]
    pub waivers: Option<PathBuf>,
    /// A waiver that ends within 14 days, or that matches nothing, fails the run too
    #[arg(long, env = "KEYSUNSET_STRICT_WAIVERS", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, help_heading = "Judgement")]
    pub strict_waivers: Option<bool>,
    /// Only what got worse than in the last complete run fails the run: new keys, and keys more severe than they were
    #[arg(long, env = "KEYSUNSET_RATCHET", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, help_heading = "Judgement")]
    pub ratchet: Option<bool>,
    /// The same against a run that `keysunset export` wrote to a file
    #[arg(
        long,
        value_name = "FILE",
        env = "KEYSUNSET_BASELINE",
        hide_env = true,
        help_heading = "Judgement"
    )]
    pub baseline: Option<PathBuf>,
    /// End with 0 whatever was found or not read (errors still count)
    #[arg(long, env = "KEYSUNSET_EXIT_ZERO", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, help_heading = "Judgement")]
    pub exit_zero: Option<bool>,

    /// Where the reports go [default: reports]
    #[arg(long, value_name = "DIR", env = "KEYSUNSET_OUT", hide_env = true, help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Where the evidence is kept [default: keysunset.db in --out]
    #[arg(long, value_name = "FILE", env = "KEYSUNSET_STORE", hide_env = true, help_heading = "Output")]
    pub store: Option<PathBuf>,
    /// What to write, separated by commas [default: csv,markdown]
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "FORMATS",
        env = "KEYSUNSET_FORMAT",
        hide_env = true,
        help_heading = "Output"
    )]
    #[serde(default, deserialize_with = "one_or_more")]
    pub format: Vec<Format>,
    /// Templates of one's own, in place of the built-in ones of the same names
    #[arg(long, value_name = "DIR", env = "KEYSUNSET_TEMPLATES", hide_env = true, help_heading = "Output")]
    pub templates: Option<PathBuf>,
    /// Leave CSV fields as they are, even where a spreadsheet would run them
    #[arg(long, env = "KEYSUNSET_CSV_RAW", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL", hide_possible_values = true, help_heading = "Output")]
    pub csv_raw: Option<bool>,
}
