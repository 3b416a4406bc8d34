//! Settings that several commands share. Those of `AuditArgs` and `ReportArgs` have the same names in keysunset.toml.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Deserialize;

use super::values::{
    Trimmed, comma_separated, concurrency, concurrency_of, instant, instant_of, name, name_of, one_or_more,
    patience, patience_of, rate, rate_of, retries, retries_of, seconds, seconds_of,
};
use crate::history::PageFormat;
use crate::model::Product;
use crate::policy::FailOn;
use crate::report::Format;

/// How to show what the store remembers of its runs.
#[derive(Args, Debug)]
pub(crate) struct FormArgs {
    /// Output format [default: text]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub format: Option<PageFormat>,
    /// Same as --format json
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
    /// Run database [default: keysunset.db in --out]
    #[arg(long, value_name = "FILE", env, help_heading = "Output")]
    pub store: Option<PathBuf>,
    /// Folder of the reports [default: reports]
    #[arg(short, long, value_name = "DIR", env, help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Settings file [default: keysunset.toml if it exists]
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
    #[command(flatten, next_help_heading = "Scope")]
    pub scope: ScopeArgs,
    #[command(flatten, next_help_heading = "Rate limiting")]
    pub pace: PaceArgs,
}

/// How to judge a run, and what to write of it.
#[derive(Args, Debug, Default)]
pub(crate) struct ReportArgs {
    #[command(flatten, next_help_heading = "Policy")]
    pub policy: PolicyArgs,
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
    /// Settings file [default: keysunset.toml if it exists]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// Where a deployment is, and what to trust on the way.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct DeploymentArgs {
    /// Base URL of the deployment
    ///
    /// Either the root of a host, such as `https://om.example:8080`, or a complete base path, such as
    /// `https://proxy.example/om/api/public/v1.0`. keysunset adds the path of the product to a root.
    // As text, since clap repeats a value that it can't parse, and people put passwords there.
    #[arg(long, value_name = "URL", env)]
    pub url: Option<String>,
    /// Name in reports [default: URL's origin]
    #[arg(long, value_name = "NAME", env, value_parser = name)]
    #[serde(deserialize_with = "name_of")]
    pub name: Option<String>,
    /// Product [default: from the URL]
    #[arg(long, value_enum, env)]
    pub product: Option<Product>,
    /// Additional trusted CA certificates (PEM)
    #[arg(long, value_name = "FILE", env)]
    pub ca_cert: Option<PathBuf>,
    /// Client certificate and private key (PEM)
    ///
    /// One file with the certificate and its private key, for a gateway that requires mutual TLS. A private key with a
    /// password is not supported.
    #[arg(long, value_name = "FILE", env)]
    pub client_cert: Option<PathBuf>,
    /// Do not verify TLS certificates (unsafe)
    ///
    /// Without verification, any server on the network path can answer instead of the deployment. The reports show
    /// that certificates were not verified. Use --ca-cert for a private CA.
    #[arg(long, env)]
    pub insecure_skip_verify: Option<bool>,
}

/// Where credentials are, besides the environment.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct CredentialArgs {
    /// File with credentials, also for single users
    ///
    /// TOML or CSV with default credentials, credentials of single users, or both. The file must be readable only by
    /// its owner (chmod 600). See docs/configuration.md.
    #[arg(long, value_name = "FILE", env)]
    pub credentials: Option<PathBuf>,
    /// mongocli or Atlas CLI profile with URL and API key
    #[arg(long, value_name = "NAME", env)]
    pub profile: Option<String>,
}

/// Whose keys to audit.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct ScopeArgs {
    /// Users from a file: text, CSV or JSON (- for stdin)
    ///
    /// Text: one user ID or username per line. CSV: a column `user_id` or `username`. JSON: an array of users, or a list
    /// response of the API. All flags of this group can be combined and repeated; each user is read once.
    #[arg(long, value_name = "FILE|-")]
    #[serde(deserialize_with = "one_or_more")]
    pub users: Vec<PathBuf>,
    /// One user, by ID or username
    #[arg(long, value_name = "ID")]
    #[serde(deserialize_with = "one_or_more")]
    pub user: Vec<String>,
    /// All users of an organization
    #[arg(long, value_name = "ID")]
    #[serde(deserialize_with = "one_or_more")]
    pub org: Vec<String>,
    /// All users of a project
    #[arg(long, value_name = "ID")]
    #[serde(deserialize_with = "one_or_more")]
    pub project: Vec<String>,
    /// All users of all organizations the API key can see
    #[arg(long)]
    pub all_orgs: Option<bool>,
}

/// How many requests at once, how fast, and how patiently.
#[derive(Args, Deserialize, Debug, Clone, Copy, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct PaceArgs {
    /// Maximum concurrent requests [default: 16]
    #[arg(long, value_name = "N", env, value_parser = concurrency)]
    #[serde(deserialize_with = "concurrency_of")]
    pub concurrency: Option<NonZeroUsize>,
    /// Maximum requests per second [default: no limit]
    #[arg(long, value_name = "PER_SECOND", env, value_parser = rate)]
    #[serde(deserialize_with = "rate_of")]
    pub rate: Option<f64>,
    /// Timeout of a request in seconds [default: 30]
    ///
    /// Measured from the start of the request to the last byte of its response.
    #[arg(long, value_name = "S", env, value_parser = seconds)]
    #[serde(deserialize_with = "seconds_of")]
    pub timeout: Option<Duration>,
    /// Maximum retries of a failed request [default: 4]
    #[arg(long, value_name = "N", env, value_parser = retries)]
    #[serde(deserialize_with = "retries_of")]
    pub retries: Option<u32>,
    /// Seconds to wait during an outage [default: 300]
    ///
    /// Maximum wait if the deployment becomes unavailable during a run. 0 does not wait.
    #[arg(long, value_name = "S", env, value_parser = patience)]
    #[serde(deserialize_with = "patience_of")]
    pub patience: Option<Duration>,
}

/// What a key is worth, and what fails a run.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct PolicyArgs {
    /// Cutoff date of key use [default: 2021-03-01]
    ///
    /// A key used at or after the cutoff counts as used. A date (00:00 UTC) or a time such as 2021-03-01T12:00:00Z.
    #[arg(long, value_name = "DATE", env, value_parser = instant)]
    #[serde(deserialize_with = "instant_of")]
    pub cutoff: Option<DateTime<Utc>>,
    /// Days that count as recent use [default: 90]
    ///
    /// An enabled key used within the last DAYS days has severity critical.
    #[arg(long, value_name = "DAYS", env)]
    pub active_within: Option<u32>,
    /// Keys that count as findings [default: any]
    #[arg(long, value_enum, value_name = "WHICH", env)]
    pub fail_on: Option<FailOn>,
    /// File with temporary exceptions
    ///
    /// TOML file with exceptions for keys and for users that cannot be read. Each exception has a reason, an owner and
    /// an end date. See docs/waivers.md.
    #[arg(long, value_name = "FILE", env)]
    pub waivers: Option<PathBuf>,
    /// Also fail on expiring or unused waivers
    ///
    /// A waiver that expires within 14 days or that matches nothing also fails the run.
    #[arg(long, env)]
    pub strict_waivers: Option<bool>,
    /// Fail only on regressions since the last run
    ///
    /// Compares with the last complete run. Findings are new keys and keys with a higher severity than before.
    #[arg(long, env)]
    pub ratchet: Option<bool>,
    /// Fail only on regressions since an exported run
    ///
    /// Compares with a file that `keysunset export` wrote.
    #[arg(long, value_name = "FILE", env)]
    pub baseline: Option<PathBuf>,
    /// Exit with 0 on findings or an incomplete run
    ///
    /// The exit codes 1, 3 and 4 become 0. Errors still exit with 2, 5, 6 or 70.
    #[arg(long, env)]
    pub exit_zero: Option<bool>,
}

/// Which files to write, and where.
#[derive(Args, Deserialize, Debug, Default)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct OutputArgs {
    /// Folder for reports, - for stdout [default: reports]
    ///
    /// With -, the report is written to standard output and the summary to standard error. This needs --format with one
    /// format; of csv, keys.csv is written. No other file is written, except the run database.
    #[arg(short, long, value_name = "DIR|-", env)]
    pub out: Option<PathBuf>,
    /// Run database [default: keysunset.db in --out]
    ///
    /// With --out -, the default is reports/keysunset.db.
    #[arg(long, value_name = "FILE", env)]
    pub store: Option<PathBuf>,
    /// Comma-separated formats [default: csv,markdown,html]
    #[arg(short, long, value_parser = Trimmed::<Format>::new(), value_delimiter = ',', value_name = "FORMATS", env)]
    #[serde(deserialize_with = "comma_separated")]
    pub format: Vec<Format>,
    /// Folder with your own report templates
    ///
    /// Each file replaces the built-in template of the same name. See docs/reports.md.
    #[arg(long, value_name = "DIR", env)]
    pub templates: Option<PathBuf>,
    /// Do not neutralise spreadsheet formulas in CSV
    ///
    /// Without this flag, a text that a spreadsheet would run as a formula gets a leading apostrophe.
    #[arg(long, env)]
    pub csv_raw: Option<bool>,
    /// Write CSV for a double click in Excel
    ///
    /// keys.csv and organizations.csv have a byte order mark and semicolons, ids and key suffixes stay text, and times
    /// are dates. See docs/reports.md.
    #[arg(long, env, conflicts_with = "csv_raw")]
    pub csv_excel: Option<bool>,
}
