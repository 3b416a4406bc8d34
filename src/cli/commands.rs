//! What each command takes.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;

use super::settings::{AuditArgs, FormArgs, ReportArgs, StoreArgs};
use super::values::instant;
use crate::model::Product;
use keysunset_sandbox::Options;

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How many users the sandbox has [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub users: Option<u64>,
    /// Where the reports go [default: demo-reports]
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
    /// Go on with the newest run, if it was cut short, and read only what is missing
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub settings: AuditArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// One JSON document in place of lines
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub settings: AuditArgs,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The key's id, as in the column `key_id`
    #[arg(value_name = "KEY_ID")]
    pub key: String,
    /// A use at or after it counts: a day or a time [default: the run's own]
    #[arg(long, value_name = "DATE", env, value_parser = instant, help_heading = "Judgement")]
    pub cutoff: Option<DateTime<Utc>>,
    /// A key used in the last so many days is in use now [default: the run's own]
    #[arg(long, value_name = "DAYS", env, help_heading = "Judgement")]
    pub active_within: Option<u32>,
    /// Accepted exceptions (docs/waivers.md)
    #[arg(long, value_name = "FILE", env, help_heading = "Judgement")]
    pub waivers: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Merge {
    /// The stores of several audits, or their folders
    #[arg(value_name = "STORE", required = true)]
    pub stores: Vec<PathBuf>,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// Files with saved answers, and folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Where the deployment is [default: as the answers' links say]
    #[arg(long, value_name = "URL", env, help_heading = "Deployment")]
    pub url: Option<String>,
    /// What the reports call it [default: the URL's origin]
    #[arg(long, value_name = "NAME", env, help_heading = "Deployment")]
    pub name: Option<String>,
    /// Which product answered [default: guessed from the URL, else atlas]
    #[arg(long, value_enum, env, help_heading = "Deployment")]
    pub product: Option<Product>,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// The run's number [default: the newest]
    #[arg(long, value_name = "ID")]
    pub run: Option<i64>,
    #[command(flatten)]
    pub report: ReportArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Where the pages go; made where it is missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The run's number [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<i64>,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Where the reports and their manifest are [default: reports]
    #[arg(value_name = "DIR", env = "OUT")]
    pub dir: Option<PathBuf>,
    /// The evidence; repeatable, for a report over several [default: keysunset.db in DIR]
    #[arg(long, value_name = "FILE", env)]
    pub store: Vec<PathBuf>,
    /// One JSON document in place of lines
    #[arg(long)]
    pub json: bool,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct History {
    /// Only this one, by the name in its reports [default: every one in the store]
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// A use at or after it counts, in every run [default: each run's own]
    #[arg(long, value_name = "DATE", env, value_parser = instant)]
    pub cutoff: Option<DateTime<Utc>>,
    #[command(flatten, next_help_heading = "Output")]
    pub form: FormArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The earlier run's number [default: the last complete one before B]
    #[arg(value_name = "A")]
    pub before: Option<i64>,
    /// The later run's number [default: the newest]
    #[arg(value_name = "B")]
    pub after: Option<i64>,
    /// The newest runs of this one, by the name in its reports
    #[arg(long, value_name = "NAME", conflicts_with = "before")]
    pub deployment: Option<String>,
    #[command(flatten, next_help_heading = "Output")]
    pub form: FormArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Args, Debug)]
pub(crate) struct Prune {
    /// How many runs of each deployment stay: the newest
    #[arg(long, value_name = "N")]
    pub keep: NonZeroUsize,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub store: StoreArgs,
}
