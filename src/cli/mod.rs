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

use self::examples::{
    AUDIT_EXAMPLES, COMPLETIONS_EXAMPLES, DIFF_EXAMPLES, DOCTOR_EXAMPLES, EXAMPLES, EXPLAIN_EXAMPLES,
    EXPORT_EXAMPLES, HISTORY_EXAMPLES, IMPORT_EXAMPLES, MAN_EXAMPLES, MERGE_EXAMPLES, PRUNE_EXAMPLES,
    REPORT_EXAMPLES, VERIFY_EXAMPLES,
};
use self::values::instant;
use keysunset_sandbox as sandbox;

/// Finds every deprecated personal API key of a MongoDB Ops Manager, Cloud Manager or Atlas organization, and proves which
/// are still in use after the cutoff.
#[derive(Parser, Debug)]
#[command(name = "keysunset", version, after_help = EXAMPLES, disable_help_flag = true)]
#[command(mut_subcommands(|command| command.mut_args(completed)))]
pub struct Cli {
    /// What to do.
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

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run the whole audit against a sandbox started for it, and leave reports to look at
    Demo(Demo),
    /// Read every personal API key of a list of users, judge it, and write reports
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(Box<Audit>),
    /// Try what an audit needs, step by step, and say what to do about what is wrong
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Box<Doctor>),
    /// Take answers that somebody saved, with curl or otherwise, as a run like any other
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Box<Import>),
    /// Render a stored run again, without a request
    #[command(after_help = REPORT_EXAMPLES)]
    Report(Report),
    /// Render the newest runs of several stores, each of a deployment of its own, as one report
    #[command(after_help = MERGE_EXAMPLES, mut_arg("store", |store| store.hide(true)))]
    Merge(Merge),
    /// Tell everything of one key: its fields, its rule, its waiver, and its history over the runs
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// What each stored run came to, and when no key is left if it goes on like this
    #[command(after_help = HISTORY_EXAMPLES)]
    History(History),
    /// What changed from one stored run to a later one: keys that came, went, were used in between
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Diff),
    /// Let old runs go, and give their room back
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(Prune),
    /// Write a stored run in its canonical form to standard output
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Export),
    /// Check the manifest of a folder of reports, the files that it names, and the store
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
    /// Serve the API as the vendor documents it, with a made-up world, for trying and testing
    #[command(after_help = sandbox::FAULT_HELP, mut_arg("clock", |clock| clock.value_parser(instant)))]
    Sandbox(Sandbox),
    /// Write what a shell needs to complete this program's command line, to standard output
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(Completions),
    /// Write man pages: keysunset.1, and one a command
    #[command(after_help = MAN_EXAMPLES)]
    Man(Man),
}

/// What flags have in common: the variable of the environment of a setting bears the name of its flag, and a switch may be
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
