//! What can be typed. Every setting is an `Option`: defaults live in `config`.

mod commands;
mod examples;
mod settings;
mod values;

use std::any::TypeId;

use clap::{Arg, ArgAction, Parser, Subcommand};

pub(crate) use commands::{
    Audit, Completions, Demo, Diff, Doctor, Explain, Export, History, Import, Man, Merge, Prune, Report,
    Sandbox, Verify,
};
pub(crate) use settings::{
    AuditArgs, CredentialArgs, DeploymentArgs, OutputArgs, PaceArgs, PolicyArgs, ReportArgs, ScopeArgs,
    StoreArgs,
};
pub(crate) use values::url;

use self::values::instant;
use keysunset_sandbox as sandbox;

/// Finds every deprecated personal API key of a MongoDB Ops Manager, Cloud Manager or Atlas organization, and proves which
/// are still in use after the cutoff.
#[derive(Parser, Debug)]
#[command(name = "keysunset", version, after_help = examples::ALL, disable_help_flag = true)]
#[command(mut_subcommands(|command| command.mut_args(completed)))]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// No progress and no summary: only reports, errors and the exit code
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// Tell what is going on, on stderr (-vv: every request, -vvv: all)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Print help
    #[arg(long, short, global = true, action = clap::ArgAction::HelpShort)]
    pub(crate) help: Option<bool>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the whole audit against a sandbox started for it, and leave reports to look at
    Demo(Demo),
    /// Read every personal API key of a list of users, judge it, and write reports
    #[command(after_help = examples::AUDIT)]
    Audit(Box<Audit>),
    /// Try what an audit needs, step by step, and say what to do about what is wrong
    #[command(after_help = examples::DOCTOR)]
    Doctor(Box<Doctor>),
    /// Take answers that somebody saved, with curl or otherwise, as a run like any other
    #[command(after_help = examples::IMPORT)]
    Import(Box<Import>),
    /// Render a stored run again, without a request
    #[command(after_help = examples::REPORT)]
    Report(Report),
    /// Render the newest runs of several stores, each of a deployment of its own, as one report
    #[command(after_help = examples::MERGE, mut_arg("store", |store| store.hide(true)))]
    Merge(Merge),
    /// Tell everything of one key: its fields, its rule, its waiver, and its history over the runs
    #[command(after_help = examples::EXPLAIN)]
    Explain(Explain),
    /// What each stored run came to, and when no key is left if it goes on like this
    #[command(after_help = examples::HISTORY)]
    History(History),
    /// What changed from one stored run to a later one: keys that came, went, were used in between
    #[command(after_help = examples::DIFF)]
    Diff(Diff),
    /// Let old runs go, and give their room back
    #[command(after_help = examples::PRUNE)]
    Prune(Prune),
    /// Write a stored run in its canonical form to standard output
    #[command(after_help = examples::EXPORT)]
    Export(Export),
    /// Check the manifest of a folder of reports, the files that it names, and the store
    #[command(after_help = examples::VERIFY)]
    Verify(Verify),
    /// Serve the API as the vendor documents it, with a made-up world, for trying and testing
    #[command(after_help = sandbox::FAULT_HELP, mut_arg("clock", |clock| clock.value_parser(instant)))]
    Sandbox(Sandbox),
    /// Write what a shell needs to complete this program's command line, to standard output
    #[command(after_help = examples::COMPLETIONS)]
    Completions(Completions),
    /// Write man pages: keysunset.1, and one a command
    #[command(after_help = examples::MAN)]
    Man(Man),
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
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
