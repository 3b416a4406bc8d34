//! What can be typed. Every setting is an `Option`: defaults live in `config`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, Parser, Subcommand};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::history::Form;
use crate::model::Product;
use crate::policy::FailOn;
use crate::report::Format;
use crate::sandbox;

/// Finds every deprecated personal API key of a MongoDB Ops Manager, Cloud Manager or Atlas organization, and proves which
/// are still in use after the cutoff.
#[derive(Parser, Debug)]
#[command(name = "keysunset", version, after_help = EXAMPLES, disable_help_flag = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// No progress and no summary: only reports, errors and the exit code
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Tell what is going on, on stderr (-vv: every request, -vvv: all)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Print help
    #[arg(long, short, global = true, action = clap::ArgAction::HelpShort)]
    pub help: Option<bool>,
}

const EXAMPLES: &str = "\
Examples:
  keysunset demo
  keysunset doctor --url https://om.example:8080
  keysunset audit --url https://om.example:8080 --all-orgs
  keysunset report --fail-on used

Exit codes: 0 clean and complete, 1 findings, 2 usage, 3 incomplete, 4 findings and incomplete,
5 bad input or credentials, 6 output not written, 70 a bug, 130 or 143 interrupted.";

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the whole audit against a sandbox started for it, and leave reports to look at
    Demo(Demo),
    /// Serve the API as the vendor documents it, with a made-up world, for trying and testing
    #[command(after_help = sandbox::FAULTS)]
    Sandbox(Sandbox),
    /// Read every personal API key of a list of users, judge it, and write reports
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(Box<Audit>),
    /// Try what an audit needs, step by step, and say what to do about what is wrong
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Box<Doctor>),
    /// Tell everything of one key: its fields, its rule, its waiver, and its history over the runs
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Render the newest runs of several stores, each of a deployment of its own, as one report
    #[command(after_help = MERGE_EXAMPLES, mut_arg("store", |store| store.hide(true)))]
    Merge(Merge),
    /// Take answers that somebody saved, with curl or otherwise, as a run like any other
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Box<Import>),
    /// Render a stored run again, without a request
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Write what a shell needs to complete this program's command line, to standard output
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Write man pages: keysunset.1, and one a command
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
    /// Write a stored run in its canonical form to standard output
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Export),
    /// Check the manifest of a folder of reports, the files that it names, and the store
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// What each stored run came to, and when no key is left if it goes on like this
    #[command(after_help = HISTORY_EXAMPLES)]
    History(History),
    /// What changed from one stored run to a later one: keys that came, went, were used in between
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Diff),
    /// Let old runs go, and give their room back
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(Prune),
}

const AUDIT_EXAMPLES: &str = "\
Credentials are never flags. The first of these that has some:
  1. the environment, as below   2. --credentials FILE, also for users' own
  3. --profile NAME              4. a prompt, on a terminal
  KEYSUNSET_PUBLIC_KEY            KEYSUNSET_PRIVATE_KEY            or else
  MCLI_PUBLIC_API_KEY             MCLI_PRIVATE_API_KEY             or else
  MONGODB_ATLAS_PUBLIC_API_KEY    MONGODB_ATLAS_PRIVATE_API_KEY

Every other setting may also stand in keysunset.toml under the name of its
flag, and those of the groups Deployment, Credentials, Pace, Judgement and Output
in the environment too: KEYSUNSET_FAIL_ON=used. Flags come before the environment,
and the environment before the file.

Examples:
  keysunset audit --url https://om.example:8080 --all-orgs
  keysunset audit --url https://om.example:8080 --users users.csv --fail-on used --out reports
  grep -v '^bot-' names.txt | keysunset audit --url https://om.example:8080 --users - --rate 5
  keysunset audit --url https://om.example:8080 --all-orgs --resume";

const DOCTOR_EXAMPLES: &str = "\
It takes the settings of the audit to come from the same places, asks a few
dozen GET requests, and changes nothing. Ends with 0 if no line says failed,
and otherwise with 5.

Examples:
  keysunset doctor --url https://om.example:8080
  keysunset doctor --url https://om.example:8080 --all-orgs --rate 5
  keysunset doctor --url https://om.example:8080 --json";

const IMPORT_EXAMPLES: &str = "\
A file holds answers of GET /users/{id}/keys: pages, in either envelope, with
the headers of curl's --include or without; refusals too. Whose they are is told
by their own userId and links, or by the file's name: an id, or an e-mail address.
What can't be understood makes the run incomplete (docs/import.md).

Examples:
  keysunset import answers/
  keysunset import ann@example.com.json bob@example.com.json --name production";

const REPORT_EXAMPLES: &str = "\
Examples:
  keysunset report
  keysunset report --run 3 --cutoff 2023-01-01 --format csv --out /tmp/2023";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  keysunset completions bash > ~/.local/share/bash-completion/completions/keysunset
  keysunset completions zsh > ~/.zfunc/_keysunset
  keysunset completions fish > ~/.config/fish/completions/keysunset.fish
  keysunset completions powershell >> $PROFILE
  keysunset completions elvish >> ~/.config/elvish/rc.elv";

const MAN_EXAMPLES: &str = "\
The pages bear the date of SOURCE_DATE_EPOCH where it is set, and none otherwise.

Examples:
  keysunset man ~/.local/share/man/man1
  man keysunset-audit";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  keysunset explain 5af9a1d29cc0cdb6acdca6d5
  keysunset explain 5af9a1d29cc0cdb6acdca6d5 --waivers waivers.toml --store reports/keysunset.db";

const MERGE_EXAMPLES: &str = "\
Takes the newest run of each deployment. A folder stands for the keysunset.db in it.

Examples:
  keysunset merge east/keysunset.db west/keysunset.db --out both
  keysunset merge reports/* --out all --format csv,markdown,json";

const EXPORT_EXAMPLES: &str = "\
The same evidence gives the same bytes, one JSON document a line; their SHA-256
is what the manifest has as readings_sha256 (docs/evidence.md).

Examples:
  keysunset export | sha256sum
  keysunset export 3 --store reports/keysunset.db > run-3.ndjson";

const VERIFY_EXAMPLES: &str = "\
Ends with 0 if all is as the manifest says, 1 if something differs, 3 if nothing
does but not all could be checked, and 5 if there is no manifest that can be used.

Examples:
  keysunset verify
  keysunset verify reports-2023 --store reports/keysunset.db
  keysunset verify --json";

const HISTORY_EXAMPLES: &str = "\
Examples:
  keysunset history
  keysunset history --deployment prod --format markdown
  keysunset history --json --cutoff 2023-01-01 --store /var/lib/keysunset.db";

const DIFF_EXAMPLES: &str = "\
Without numbers it compares the newest run with the last complete one before it;
with one, that run with the newest of its deployment.

Examples:
  keysunset diff
  keysunset diff 3
  keysunset diff 3 7 --format markdown";

const PRUNE_EXAMPLES: &str = "\
The last complete run of a deployment stays in any case.

Examples:
  keysunset prune --keep 12 --dry-run
  keysunset prune --keep 12";

/// `keysunset demo`
#[derive(Args, Debug)]
pub struct Demo {
    /// How many users the sandbox has [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub users: Option<u64>,
    /// Where the reports go [default: reports]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `keysunset sandbox`
#[derive(Args, Debug)]
pub struct Sandbox {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Which product to be [default: ops-manager]
    #[arg(long, value_enum)]
    pub product: Option<sandbox::Product>,
    /// Which version to be [default: 4.4.12]
    #[arg(long, value_name = "VERSION")]
    pub service_version: Option<String>,
    /// How many users the world has [default: 100]
    #[arg(long, value_name = "N", conflicts_with = "world")]
    pub users: Option<u64>,
    /// Which world of that size [default: 1]
    #[arg(long, value_name = "S", conflicts_with = "world")]
    pub seed: Option<u64>,
    /// A world of one's own, in JSON (docs/sandbox.md)
    #[arg(long, value_name = "FILE")]
    pub world: Option<PathBuf>,
    /// Which digest challenge to send [default: jetty]
    #[arg(long, value_enum)]
    pub challenge: Option<sandbox::Challenge>,
    /// Whether a nonce may be used again [default: shared]
    #[arg(long, value_enum)]
    pub nonce: Option<sandbox::NonceRule>,
    /// Seconds that a nonce lives [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub nonce_life: Option<Duration>,
    /// Uses that a nonce lives [default: 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub nonce_uses: Option<u32>,
    /// The service's now, such as 2021-02-28T12:00:00Z [default: `SOURCE_DATE_EPOCH`, else the system's]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub clock: Option<DateTime<Utc>>,
    /// What goes wrong, such as 503x2@5%:keys; repeatable, and the first that hits wins
    #[arg(long, value_name = "SPEC")]
    pub fault: Vec<sandbox::Fault>,
}

/// `keysunset audit`
#[derive(Args, Debug)]
pub struct Audit {
    /// Go on with the newest run, if it was cut short, and read only what is missing
    #[arg(long)]
    pub resume: bool,
    /// What to ask.
    #[command(flatten)]
    pub asked: Asked,
    /// What to show.
    #[command(flatten)]
    pub shown: Shown,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// `keysunset doctor`
#[derive(Args, Debug)]
pub struct Doctor {
    /// One JSON document in place of lines
    #[arg(long)]
    pub json: bool,
    /// What the audit is to ask.
    #[command(flatten)]
    pub asked: Asked,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// `keysunset explain`
#[derive(Args, Debug)]
pub struct Explain {
    /// The key's id, as in the column `key_id`
    #[arg(value_name = "KEY_ID")]
    pub key: String,
    /// A use at or after it counts: a day or a time [default: the run's own]
    #[arg(long, value_name = "DATE", env = "KEYSUNSET_CUTOFF", hide_env = true, value_parser = instant, help_heading = "Judgement")]
    pub cutoff: Option<DateTime<Utc>>,
    /// A key used in the last so many days is in use now [default: the run's own]
    #[arg(
        long,
        value_name = "DAYS",
        env = "KEYSUNSET_ACTIVE_WITHIN",
        hide_env = true,
        help_heading = "Judgement"
    )]
    pub active_within: Option<u32>,
    /// Accepted exceptions (docs/waivers.md)
    #[arg(long, value_name = "FILE", env = "KEYSUNSET_WAIVERS", hide_env = true, help_heading = "Judgement")]
    pub waivers: Option<PathBuf>,
    /// Where the runs are.
    #[command(flatten)]
    pub kept: Kept,
}

/// `keysunset merge`
#[derive(Args, Debug)]
pub struct Merge {
    /// The stores of several audits, or their folders
    #[arg(value_name = "STORE", required = true)]
    pub stores: Vec<PathBuf>,
    /// What to show.
    #[command(flatten)]
    pub shown: Shown,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// `keysunset import`
#[derive(Args, Debug)]
pub struct Import {
    /// Files with saved answers, and folders of them
    #[arg(value_name = "FILE|DIR", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Where the deployment is [default: as the answers' links say]
    #[arg(long, value_name = "URL", env = "KEYSUNSET_URL", hide_env = true, help_heading = "Deployment")]
    pub url: Option<String>,
    /// What the reports call it [default: the URL's origin]
    #[arg(long, value_name = "NAME", env = "KEYSUNSET_NAME", hide_env = true, help_heading = "Deployment")]
    pub name: Option<String>,
    /// Which product answered [default: guessed from the URL, else atlas]
    #[arg(long, value_enum, env = "KEYSUNSET_PRODUCT", hide_env = true, help_heading = "Deployment")]
    pub product: Option<Product>,
    /// What to show.
    #[command(flatten)]
    pub shown: Shown,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// `keysunset report`
#[derive(Args, Debug)]
pub struct Report {
    /// The run's number [default: the newest]
    #[arg(long, value_name = "ID")]
    pub run: Option<i64>,
    /// What to show.
    #[command(flatten)]
    pub shown: Shown,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,
}

/// `keysunset completions`
#[derive(Args, Debug)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `keysunset man`
#[derive(Args, Debug)]
pub struct Man {
    /// Where the pages go; made where it is missing
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// `keysunset export`
#[derive(Args, Debug)]
pub struct Export {
    /// The run's number [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<i64>,
    /// Where the runs are.
    #[command(flatten)]
    pub kept: Kept,
}

/// `keysunset verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// Where the reports and their manifest are [default: reports]
    #[arg(value_name = "DIR", env = "KEYSUNSET_OUT", hide_env = true)]
    pub dir: Option<PathBuf>,
    /// The evidence; repeatable, for a report over several [default: keysunset.db in DIR]
    #[arg(long, value_name = "FILE", env = "KEYSUNSET_STORE", hide_env = true)]
    pub store: Vec<PathBuf>,
    /// One JSON document in place of lines
    #[arg(long)]
    pub json: bool,
    /// A file of settings [default: keysunset.toml, where it is]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `keysunset history`
#[derive(Args, Debug)]
pub struct History {
    /// Only this one, by the name in its reports [default: every one in the store]
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,
    /// A use at or after it counts, in every run [default: each run's own]
    #[arg(long, value_name = "DATE", env = "KEYSUNSET_CUTOFF", hide_env = true, value_parser = instant)]
    pub cutoff: Option<DateTime<Utc>>,
    /// How to show it.
    #[command(flatten)]
    pub shape: Shape,
    /// Where the runs are.
    #[command(flatten)]
    pub kept: Kept,
}

/// `keysunset diff`
#[derive(Args, Debug)]
pub struct Diff {
    /// The earlier run's number [default: the last complete one before B]
    #[arg(value_name = "A")]
    pub before: Option<i64>,
    /// The later run's number [default: the newest]
    #[arg(value_name = "B")]
    pub after: Option<i64>,
    /// The newest runs of this one, by the name in its reports
    #[arg(long, value_name = "NAME", conflicts_with = "before")]
    pub deployment: Option<String>,
    /// How to show it.
    #[command(flatten)]
    pub shape: Shape,
    /// Where the runs are.
    #[command(flatten)]
    pub kept: Kept,
}

/// `keysunset prune`
#[derive(Args, Debug)]
pub struct Prune {
    /// How many runs of each deployment stay: the newest
    #[arg(long, value_name = "N")]
    pub keep: NonZeroUsize,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where the runs are.
    #[command(flatten)]
    pub kept: Kept,
}

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
pub struct Kept {
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
pub struct Asked {
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
    #[arg(long, value_name = "N", env = "KEYSUNSET_CONCURRENCY", hide_env = true, value_parser = at_once, help_heading = "Pace")]
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
pub struct Shown {
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

/// A day (its first instant, UTC) or a time.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()))
        .map_err(|_| "a day such as 2021-03-01, or a time such as 2021-03-01T00:00:00Z".to_owned())
}

/// The address of a deployment.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| format!("{why}; write it like https://om.example:8080"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("write it like https://om.example:8080".to_owned());
    }
    Ok(url)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=86_400).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "a number of seconds from 1 to 86400".to_owned())
}

fn at_once(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse::<NonZeroUsize>().ok().filter(|number| number.get() <= 1024);
    number.ok_or_else(|| "a number from 1 to 1024".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1e6).contains(rate));
    rate.ok_or_else(|| "requests a second, from 0.001 to 1000000".to_owned())
}

fn retries(text: &str) -> Result<u32, String> {
    let retries = text.parse::<u32>().ok().filter(|retries| *retries <= 100);
    retries.ok_or_else(|| "a number from 0 to 100".to_owned())
}

/// A TOML value in the same words as on the command line.
fn typed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        other => other.to_string(),
    };
    parse(&text)
        .map(Some)
        .map_err(|expected| serde::de::Error::custom(format!("{text}: expected {expected}")))
}

fn at_once_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroUsize>, D::Error> {
    typed(deserializer, at_once)
}

fn rate_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    typed(deserializer, rate)
}

fn retries_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    typed(deserializer, retries)
}

fn instant_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    typed(deserializer, instant)
}

fn seconds_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    typed(deserializer, seconds)
}

/// One thing, or an array of them.
fn one_or_more<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let all = match toml::Value::deserialize(deserializer)? {
        toml::Value::Array(all) => all,
        one => vec![one],
    };
    let each = all.into_iter().map(|one| one.try_into::<T>().map_err(serde::de::Error::custom));
    each.collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cutoff_is_a_day_or_a_time() {
        for (text, expected) in [
            ("2021-03-01", Some("2021-03-01T00:00:00Z")),
            ("2021-03-01T02:00:00+02:00", Some("2021-03-01T00:00:00Z")),
            ("2021-02-30", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(instant(text).ok().map(crate::model::rfc3339).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_url_has_a_host() {
        assert!(url("https://om.example:8080").is_ok());
        for text in ["om.example", "om.example:8080", "ftp://om.example", "http://", ""] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
