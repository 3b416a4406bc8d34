//! What each command takes.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;

use super::settings::{AuditArgs, FormArgs, PolicyArgs, ReportArgs, StoreArgs};
use super::values::{Trimmed, day, instant, name, run_number};
use crate::model::Product;
use crate::plan::{LetterFormat, Per, Tool};
use crate::report::places::{LocateFailOn, LocationFormat};
use keysunset_sandbox::Options;

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Number of simulated users [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub users: Option<u64>,
    /// Folder for reports [default: demo-reports]
    #[arg(short, long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Sandbox {
    #[command(flatten)]
    pub options: Options,
}

#[derive(Args, Debug)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub settings: AuditArgs,
    /// Continue the newest run if it was interrupted
    ///
    /// Only users without a result are read. Deployment, credentials, scope, cutoff and --active-within must be the same
    /// as before.
    #[arg(long, help_heading = "Scope")]
    pub resume: bool,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub settings: AuditArgs,
    /// Print one JSON document instead of text
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Settings file [default: keysunset.toml if it exists]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// ID of the key (column `key_id`), or its last 12 digits
    #[arg(value_name = "KEY_ID")]
    pub key: String,
    /// Cutoff date of key use [default: as in the run]
    #[arg(long, value_name = "DATE", env, value_parser = instant, help_heading = "Policy")]
    pub cutoff: Option<DateTime<Utc>>,
    /// Days of recent use [default: as in the run]
    #[arg(long, value_name = "DAYS", env, help_heading = "Policy")]
    pub active_within: Option<u32>,
    /// File with temporary exceptions (docs/waivers.md)
    #[arg(long, value_name = "FILE", env, help_heading = "Policy")]
    pub waivers: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// Run databases, or the folders that contain them
    #[arg(value_name = "STORE", required = true)]
    pub stores: Vec<PathBuf>,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// Files or folders with saved API responses
    #[arg(value_name = "FILE|DIR", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Base URL [default: from the responses]
    #[arg(long, value_name = "URL", env, help_heading = "Deployment")]
    pub url: Option<String>,
    /// Name in reports [default: URL's origin]
    #[arg(long, value_name = "NAME", env, value_parser = name, help_heading = "Deployment")]
    pub name: Option<String>,
    /// Product [default: from the URL, or atlas]
    #[arg(long, value_enum, env, help_heading = "Deployment")]
    pub product: Option<Product>,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Number of the run [default: newest]
    #[arg(long, value_name = "ID", value_parser = run_number, help_heading = "Scope")]
    pub run: Option<i64>,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Plan {
    /// Number of the run [default: newest]
    #[arg(long, value_name = "ID", value_parser = run_number, help_heading = "Scope")]
    pub run: Option<i64>,
    /// What one programmatic key replaces [default: owner]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Plan")]
    pub per: Option<Per>,
    /// CSV or JSON with addresses of owners
    ///
    /// For the access lists of the new keys. Columns or fields: `user_id` or `username`, and `addresses`. The file replaces
    /// the owner's own list (docs/migration.md).
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    pub addresses: Option<PathBuf>,
    /// Comma-separated tools [default: curl]
    ///
    /// They create the replacements. mongocli and atlas use curl for requests that the tool cannot send. On Atlas,
    /// replacements are service accounts, and API keys with atlas. With terraform alone, the scripts create none.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TOOLS", help_heading = "Plan")]
    pub tool: Vec<Tool>,
    /// Unused days before disabling a key [default: 14]
    ///
    /// The stages verify and disable of a script need an old key to be unused for so many days. 0: unchanged since the run.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(..=9999), help_heading = "Plan")]
    pub verify_days: Option<u32>,
    /// Format of the letters [default: md]
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Plan")]
    pub letters: Option<LetterFormat>,
    /// Day of the upgrade to Ops Manager 5.0
    ///
    /// Adds a forecast: the calls that fail from this day on, and the last safe day to start.
    #[arg(long, value_name = "DATE", value_parser = day, help_heading = "Plan")]
    pub upgrade_on: Option<NaiveDate>,
    /// File with temporary exceptions (docs/waivers.md)
    #[arg(long, value_name = "FILE", env, help_heading = "Policy")]
    pub waivers: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Locate {
    /// Folders and files to search (- for stdin)
    #[arg(value_name = "PATH", required_unless_present = "paths_from")]
    pub paths: Vec<PathBuf>,
    /// More paths from a file, one per line (- for stdin)
    #[arg(long, value_name = "FILE|-", help_heading = "Scope")]
    pub paths_from: Option<PathBuf>,
    /// Number of the run [default: newest]
    #[arg(long, value_name = "ID", value_parser = run_number, help_heading = "Keys")]
    pub run: Option<i64>,
    /// Run database [default: keysunset.db in --out]
    #[arg(long, value_name = "FILE", env, help_heading = "Keys")]
    pub store: Option<PathBuf>,
    /// Keys from a keys.csv, without a run database
    ///
    /// The file is the keys.csv of an audit. The result is not stored in a run database.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "run"], help_heading = "Keys")]
    pub keys: Option<PathBuf>,
    /// Leave out paths, as a line of .gitignore
    ///
    /// The glob is relative to each PATH, and to each repository. Repeat the flag for several globs.
    #[arg(long, value_name = "GLOB", help_heading = "Scope")]
    pub exclude: Vec<String>,
    /// Leave out files that git ignores
    ///
    /// Default: ignored files are searched, because files with secrets are often ignored.
    #[arg(long, help_heading = "Scope")]
    pub gitignore: bool,
    /// Do not search git histories
    #[arg(long, help_heading = "Scope")]
    pub no_history: bool,
    /// Do not search archives and compressed files
    #[arg(long, help_heading = "Scope")]
    pub no_archives: bool,
    /// Maximum size of a file in MiB [default: 4096]
    ///
    /// A larger file, or a larger file in an archive, is not searched and makes the result incomplete.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 30), help_heading = "Scope")]
    pub max_size: Option<u64>,
    /// Also count keys that the run does not have
    ///
    /// A key counts if it is near a username of the run or a sign of the API. It is never a finding.
    #[arg(long, help_heading = "Output")]
    pub unknown: bool,
    /// Also print the line of each place, masked
    #[arg(long, help_heading = "Output")]
    pub context: bool,
    /// Places that count as findings [default: any]
    #[arg(long, value_enum, value_name = "WHICH", help_heading = "Policy")]
    pub fail_on: Option<LocateFailOn>,
    /// File with temporary exceptions (docs/waivers.md)
    #[arg(long, value_name = "FILE", env, help_heading = "Policy")]
    pub waivers: Option<PathBuf>,
    /// Comma-separated formats [default: csv,markdown]
    #[arg(short, long, value_parser = Trimmed::<LocationFormat>::new(), value_delimiter = ',', value_name = "FORMATS")]
    #[arg(help_heading = "Output")]
    pub format: Vec<LocationFormat>,
    /// Folder of results, or - for stdout [default: reports]
    #[arg(short, long, value_name = "DIR|-", env, help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Settings file [default: keysunset.toml if it exists]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// One of bash, elvish, fish, powershell, zsh
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Folder for the man pages, created if missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Number of the run [default: newest]
    #[arg(value_name = "RUN", value_parser = run_number)]
    pub run: Option<i64>,
    /// Write an evidence pack for an auditor
    ///
    /// A folder, or a zip archive if the name ends in .zip: reports, manifest, the run in canonical form and in a run
    /// database of its own, hashes, and how to check each number without keysunset. The flags of the group Policy apply
    /// to its reports.
    #[arg(long, value_name = "DIR|FILE.zip", help_heading = "Output")]
    pub pack: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Policy")]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Folder of reports, or evidence pack [default: reports]
    #[arg(value_name = "DIR|FILE.zip", env = "OUT")]
    pub dir: Option<PathBuf>,
    /// Run database [default: keysunset.db in DIR]
    ///
    /// Repeat the flag for a report of several run databases.
    #[arg(long, value_name = "FILE", env, help_heading = "Output")]
    pub store: Vec<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Settings file [default: keysunset.toml if it exists]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct History {
    /// Name of a deployment in reports [default: all]
    #[arg(long, value_name = "NAME", help_heading = "Scope")]
    pub deployment: Option<String>,
    /// Cutoff date of key use [default: as in each run]
    #[arg(long, value_name = "DATE", env, value_parser = instant, help_heading = "Policy")]
    pub cutoff: Option<DateTime<Utc>>,
    #[command(flatten, next_help_heading = "Output")]
    pub form: FormArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// Number of the earlier run [default: last complete run before B]
    #[arg(value_name = "A", value_parser = run_number)]
    pub before: Option<i64>,
    /// Number of the later run [default: newest]
    #[arg(value_name = "B", value_parser = run_number)]
    pub after: Option<i64>,
    /// Compare the newest runs of one deployment
    ///
    /// The name is the one in its reports.
    #[arg(long, value_name = "NAME", conflicts_with = "before", help_heading = "Scope")]
    pub deployment: Option<String>,
    #[command(flatten, next_help_heading = "Output")]
    pub form: FormArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// Number of newest runs to keep, per deployment
    #[arg(long, value_name = "N", help_heading = "Retention")]
    pub keep: NonZeroUsize,
    /// Show what would be deleted, and delete nothing
    #[arg(long, help_heading = "Retention")]
    pub dry_run: bool,
    #[command(flatten)]
    pub store: StoreArgs,
}
