//! What the environment sets, below what was typed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::{Arg, Command};

/// The program without the variables that don't count: those without a value, as CI systems pass what is not set, and those
/// of flags that exclude a typed one, which replaces them.
pub(super) fn without_replaced(program: Command, typed: &[OsString]) -> Command {
    let mut built = program.clone();
    built.build();
    let Some(command) = typed.iter().skip(1).find_map(|word| built.find_subcommand(word)) else {
        return program;
    };
    let is_replaced = |flag: &Arg| {
        let of_typed = |other: &&Arg| is_typed(other, typed) && excludes(command, flag, other);
        let is_empty = flag.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        is_empty || command.get_arguments().any(|other| of_typed(&other))
    };
    let replaced: BTreeSet<String> = command
        .get_arguments()
        .filter(|flag| flag.get_env().is_some() && is_replaced(flag))
        .map(|flag| flag.get_id().to_string())
        .collect();
    if replaced.is_empty() {
        return program;
    }
    let without = |flag: Arg| {
        if replaced.contains(flag.get_id().as_str()) { flag.env(Resettable::Reset) } else { flag }
    };
    let name = command.get_name().to_owned();
    program.mut_subcommand(name, |command| command.mut_args(without))
}

/// Whether one of both can't be there with the other. `--baseline` includes `--ratchet`.
fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    let names =
        |of: &Arg, it: &Arg| command.get_arg_conflicts_with(of).iter().any(|arg| arg.get_id() == it.get_id());
    names(one, other)
        || names(other, one)
        || (one.get_id(), other.get_id().as_str()) == (&"ratchet".into(), "baseline")
}

/// Whether a flag is on the command line. Those that exclude others have no short form.
fn is_typed(flag: &Arg, typed: &[OsString]) -> bool {
    flag.get_long().is_some_and(|name| {
        let words = typed.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str());
        words.filter_map(|word| word.strip_prefix("--")).any(|word| word.split('=').next() == Some(name))
    })
}

/// The variable that a flag has its value from, if it was not typed.
pub(super) fn variable<'a>(command: &'a Command, flag: &str, typed: &[OsString]) -> Option<&'a OsStr> {
    let flag = command.get_arguments().find(|it| it.get_long() == Some(flag))?;
    let short = flag.get_short().map(|short| format!("-{short}"));
    let has_short = |word: &OsString| {
        short.as_ref().zip(word.to_str()).is_some_and(|(short, word)| word.starts_with(short.as_str()))
    };
    let is_typed = is_typed(flag, typed) || typed.iter().any(has_short);
    flag.get_env().filter(|variable| !is_typed && std::env::var_os(variable).is_some())
}
