//! What can be typed. Every setting is an `Option`: defaults live in `config`.

mod commands;
mod environment;
mod examples;
mod hints;
mod settings;
mod values;

use std::any::TypeId;
use std::ffi::OsString;

use clap::{Arg, ArgAction, ColorChoice, CommandFactory as _, Parser, Subcommand};

pub(crate) use commands::{
    Audit, Completions, Demo, Diff, Doctor, Explain, Export, History, Import, Locate, Man, Merge, Plan,
    Prune, Report, Sandbox, Verify,
};
pub(crate) use settings::{
    AuditArgs, CredentialArgs, DeploymentArgs, OutputArgs, PaceArgs, PolicyArgs, ReportArgs, ScopeArgs,
    StoreArgs,
};
pub(crate) use values::url;

use self::values::instant;
use keysunset_sandbox as sandbox;

/// Finds all deprecated personal API keys of MongoDB Ops Manager, Cloud Manager and Atlas users, and shows which keys are
/// still in use
///
/// keysunset is read-only: it sends GET requests only. Users that it could not read are never reported as clean.
#[derive(Parser, Debug)]
#[command(name = "keysunset", version, max_term_width = 80, subcommand_value_name = "COMMAND")]
#[command(after_help = examples::SUMMARY, after_long_help = examples::ALL)]
#[command(disable_help_flag = true, disable_version_flag = true, next_help_heading = "Global options")]
#[command(mut_subcommands(|command| command.mut_args(completed)))]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print no progress and no summary
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Log to stderr: -v steps, -vv requests, -vvv everything
    #[arg(long, short, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// When to use colours: auto, always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    #[arg(hide_possible_values = true)]
    pub(crate) color: ColorChoice,

    /// Print help: -h a summary, --help all details
    #[arg(long, short, global = true, action = ArgAction::Help)]
    pub(crate) help: Option<bool>,

    /// Print the version
    #[arg(long, short = 'V', action = ArgAction::Version)]
    pub(crate) version: Option<bool>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Audit a simulated deployment and write sample reports
    ///
    /// No deployment and no credentials are needed.
    #[command(after_long_help = examples::DEMO)]
    Demo(Demo),
    /// Audit the personal API keys of a deployment and write reports
    ///
    /// keysunset reads all personal API keys of the users in the scope and classifies each key by its last use.
    ///
    /// Every result is stored in the run database at once. Stop an audit at any time; run the same command with --resume
    /// to continue.
    #[command(after_long_help = examples::AUDIT)]
    Audit(Box<Audit>),
    /// Check connection, credentials and permissions before an audit
    ///
    /// Takes the same flags as an audit, checks each step, and prints how to fix each problem. It sends a few dozen GET
    /// requests and changes nothing.
    #[command(after_long_help = examples::DOCTOR)]
    Doctor(Box<Doctor>),
    /// Import saved API responses as a run
    ///
    /// The responses were saved with curl or another client. The run is stored and reported like the run of an audit.
    #[command(after_long_help = examples::IMPORT)]
    Import(Box<Import>),
    /// Render a stored run again (no API calls)
    ///
    /// Use it for another policy, other formats or another folder.
    #[command(after_long_help = examples::REPORT, mut_args(policy_of_the_run))]
    Report(Report),
    /// Plan the replacement of each personal API key (no API calls)
    ///
    /// The plan has a decision for each personal API key of a stored run, and the programmatic API keys that replace
    /// those in use, with their roles. keysunset changes nothing: a person carries the plan out.
    #[command(after_long_help = examples::PLAN)]
    Plan(Plan),
    /// Find the files and git histories that contain a key
    ///
    /// Searches folders, files, archives and git histories for the personal API keys of a stored run. It sends no request. Outputs contain
    /// the last 12 digits of a key, and never the key.
    #[command(after_long_help = examples::LOCATE)]
    Locate(Box<Locate>),
    /// Combine the newest runs of several run databases in one report
    ///
    /// The report has the newest run of each deployment. A folder means the keysunset.db in it.
    #[command(after_long_help = examples::MERGE, mut_arg("store", |store| store.hide(true)))]
    #[command(mut_args(policy_of_the_run))]
    Merge(Merge),
    /// Show everything known about one key
    ///
    /// The output has the fields of the key, its classification, its waiver and its history over all runs.
    #[command(after_long_help = examples::EXPLAIN)]
    Explain(Explain),
    /// Show the results of each run and a completion forecast
    #[command(after_long_help = examples::HISTORY)]
    History(History),
    /// Show what changed between two runs
    ///
    /// The output has new keys, removed keys, and keys that were used between the two runs. Default: the newest run
    /// and the last complete run before it. With A only: run A and the newest run of the same deployment.
    #[command(after_long_help = examples::DIFF)]
    Diff(Diff),
    /// Delete old runs and reclaim disk space
    ///
    /// The last complete run of each deployment is always kept.
    #[command(after_long_help = examples::PRUNE)]
    Prune(Prune),
    /// Print a stored run, or write an evidence pack
    ///
    #[command(long_about = examples::ABOUT_EXPORT, after_long_help = examples::EXPORT)]
    #[command(mut_args(policy_of_the_run))]
    Export(Export),
    /// Verify reports and run database with their manifest
    ///
    /// Checks the manifest in a folder of reports, all files that the manifest names, and the run database.
    #[command(after_long_help = examples::VERIFY)]
    Verify(Verify),
    /// Start a simulated deployment that implements the documented API
    ///
    /// The sandbox has random users and keys. It prints its URL and credentials as one line of JSON.
    #[command(after_long_help = format!("{}\n\n{}", sandbox::FAULT_HELP, examples::SANDBOX))]
    #[command(mut_arg("clock", |clock| clock.value_parser(instant)))]
    Sandbox(Sandbox),
    /// Print a shell completion script
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions(Completions),
    /// Write man pages
    ///
    /// The pages are keysunset.1 and keysunset-COMMAND.1 for each command.
    #[command(after_long_help = examples::MAN)]
    Man(Man),
}

/// The command line as it is parsed: its summaries (`-h`) have one line a flag, without the values that it takes.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command().mut_subcommands(|command| command.mut_args(with_values_in_long_help))
}

/// The same for a command line: what is typed replaces what the environment sets.
#[must_use]
pub fn command_for(typed: &[OsString]) -> clap::Command {
    environment::without_replaced(command(), typed)
}

/// A wrong command line, with a tip where the wrong word is a known one.
#[must_use]
pub fn hint(error: clap::Error) -> clap::Error {
    hints::hint(error, command(), &std::env::args_os().collect::<Vec<_>>())
}

/// Moves the values that a flag takes from both helps to the long one. clap would list them in the summary, too.
fn with_values_in_long_help(flag: Arg) -> Arg {
    let values = flag.get_possible_values();
    if flag.is_hide_possible_values_set() || !flag.get_action().takes_values() || values.is_empty() {
        return flag;
    }
    let widest = values.iter().map(|value| value.get_name().len()).max().unwrap_or_default();
    let mut help = flag.get_long_help().or(flag.get_help()).map(ToString::to_string).unwrap_or_default();
    help += "\n\nPossible values:";
    for value in &values {
        let (name, about) = (value.get_name(), value.get_help().map(ToString::to_string).unwrap_or_default());
        help += format!("\n- {name:widest$}  {about}").trim_end();
    }
    flag.long_help(help).hide_possible_values(true)
}

/// A stored run has a policy of its own, which is the default.
fn policy_of_the_run(flag: Arg) -> Arg {
    let own = match flag.get_id().as_str() {
        "cutoff" => "Cutoff date of key use [default: as in the run]",
        "active_within" => "Days of recent use [default: as in the run]",
        _ => return flag,
    };
    let long = flag.get_long_help().map(ToString::to_string).unwrap_or_default();
    let details = long.split_once("\n\n").map(|(_, details)| format!("{own}\n\n{details}"));
    flag.help(own).long_help(details.unwrap_or_else(|| own.to_owned()))
}

/// What flags have in common: the environment variable of a setting has the name of its flag, and a switch may be
/// given a value, so that what the environment or keysunset.toml turns on can be turned off again.
fn completed(flag: Arg) -> Arg {
    let variable = flag.get_env().map(|name| format!("KEYSUNSET_{}", name.display()));
    let flag = match variable {
        Some(variable) => flag.env(variable).hide_env(true),
        None => flag,
    };
    let takes_bool = flag.get_value_parser().type_id() == TypeId::of::<bool>();
    if !takes_bool || !matches!(flag.get_action(), ArgAction::Set) {
        return flag;
    }
    flag.num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("BOOL")
        .hide_possible_values(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
