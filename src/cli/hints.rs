//! Tips for wrong words: names that other programs use, and flags that keysunset does not have on purpose. The tables are
//! the whole list; [`hint`] adds them to the errors of clap, in its own style.

use std::ffi::OsString;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use strsim::osa_distance;

use super::environment;

/// What to use in place of a wrong word.
enum Hint {
    /// This flag, on the commands that have it.
    Flag(&'static str),
    /// This value of `--format`, on the commands that have it.
    Format(&'static str),
    /// This command.
    Command(&'static str),
    /// Something else.
    Tip(&'static str),
}

use Hint::{Command as Use, Flag, Format, Tip};

const CREDENTIALS: &str = "credentials are never flags; use the environment variables\n\
    KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY, or --credentials <FILE>";
const READ_ONLY: &str = "keysunset is read-only and changes no keys; 'keysunset plan' writes a\n\
    migration plan with a decision for each key";
const CONNECTION: &str = "keysunset is read-only; use 'keysunset doctor' to test the connection";
const CHECK: &str = "use 'keysunset audit --fail-on <WHICH>' to fail on findings, or\n\
    'keysunset doctor' to test the connection";
const LIST: &str = "use 'keysunset report' for all keys, 'keysunset explain <KEY_ID>' for\n\
    one key, or 'keysunset history' for all runs";
const PRUNE: &str = "keysunset is read-only and deletes no keys; 'keysunset prune' deletes\nold runs";
const NO_PROMPT: &str = "set the environment variable CI=true: no prompts, no progress bar";
const FAIL_FAST: &str = "an audit always reads all users; use '--fail-on <WHICH>' to select the\n\
    findings that fail it";
const FORMATS: &str = "separate formats by commas, such as '--format csv,markdown'";
const SCOPE: &str = "use '--url <URL>' for a deployment, and '--all-orgs', '--org <ID>',\n\
    '--users <FILE>' or '--user <ID>' for users";

/// Flags, without their dashes; `_` is a dash.
const FLAGS: &[(&str, Hint)] = &[
    (
        "token password passwd pass secret secret-key private-key public-key api-key apikey access-key key",
        Tip(CREDENTIALS),
    ),
    ("username user-name login auth u p", Tip(CREDENTIALS)),
    ("creds credentials-file", Flag("credentials")),
    ("host hostname server endpoint address base-url api-url uri site", Flag("url")),
    (
        "insecure no-verify skip-verify no-check-certificate skip-tls-verify tls-skip-verify k",
        Flag("insecure-skip-verify"),
    ),
    ("ca cacert ca-file ca-bundle ca-certificate tls-ca-file", Flag("ca-cert")),
    ("cert client-certificate tls-cert client-key", Flag("client-cert")),
    ("proxy http-proxy https-proxy", Tip("proxies come from the environment: set HTTPS_PROXY or HTTP_PROXY")),
    ("all everything all-organizations all-users", Flag("all-orgs")),
    ("organization organisation organizations orgs org-id", Flag("org")),
    ("projects project-id group groups group-id", Flag("project")),
    ("user-id", Flag("user")),
    ("file input list user-list users-file userlist from", Flag("users")),
    ("continue recover", Flag("resume")),
    ("threads jobs parallel workers parallelism j", Flag("concurrency")),
    ("limit rate-limit rps qps throttle", Flag("rate")),
    ("retry max-retries attempts", Flag("retries")),
    ("max-time request-timeout", Flag("timeout")),
    ("wait max-wait", Flag("patience")),
    ("since after date", Flag("cutoff")),
    ("days active active-days", Flag("active-within")),
    ("fail fail-level threshold severity min-severity", Flag("fail-on")),
    ("no-fail soft-fail ignore-errors allow-failure exit-code", Flag("exit-zero")),
    ("ignore ignore-file exceptions exclude suppress suppressions allowlist waiver", Flag("waivers")),
    ("strict", Flag("strict-waivers")),
    (
        "output output-dir output-folder out-dir outdir out-file outfile output-file dir folder directory",
        Flag("out"),
    ),
    ("db database sqlite evidence run-database cache cache-dir cache-file", Flag("store")),
    ("formats output-format type", Flag("format")),
    ("template", Flag("templates")),
    ("raw no-escape", Flag("csv-raw")),
    ("excel", Flag("csv-excel")),
    ("config-file settings conf", Flag("config")),
    ("id run-id", Flag("run")),
    ("older-than keep-last keep-runs max-age", Flag("keep")),
    ("port bind", Flag("listen")),
    ("no-color no-colour no-colors", Tip("use '--color never', or set NO_COLOR=1")),
    ("silent no-progress", Flag("quiet")),
    ("ci non-interactive batch no-input no-prompt no-interactive", Tip(NO_PROMPT)),
    ("fail-fast", Tip(FAIL_FAST)),
    ("debug trace log-level loglevel", Tip("use '-v', '-vv' or '-vvv'")),
    ("version", Tip("use 'keysunset --version'")),
    ("dry-run check test simulate what-if noop read-only readonly", Tip(CONNECTION)),
    ("delete fix disable revoke migrate apply", Tip(READ_ONLY)),
    ("md", Format("markdown")),
    ("jsonl", Format("ndjson")),
    ("xml", Format("junit")),
    ("prom metrics", Format("prometheus")),
    ("annotations github-actions", Format("github")),
    ("codequality code-quality codeclimate code-climate gitlab-ci", Format("gitlab")),
];

/// Commands.
const COMMANDS: &[(&str, Hint)] = &[
    ("grep where places occurrences", Use("locate")),
    ("scan run start read collect fetch discover find search analyze analyse inspect", Use("audit")),
    ("check test gate lint ci", Tip(CHECK)),
    ("ping connect diagnose diag", Use("doctor")),
    ("login logout auth configure config credentials", Tip(CREDENTIALS)),
    ("resume continue", Tip("use 'keysunset audit --resume'")),
    ("list ls show get keys print view", Tip(LIST)),
    ("describe info why", Use("explain")),
    ("render generate html pdf summary", Use("report")),
    ("runs log stats status trend forecast", Use("history")),
    ("compare delta", Use("diff")),
    ("combine join", Use("merge")),
    ("load", Use("import")),
    ("dump backup", Use("export")),
    ("validate checksum hash", Use("verify")),
    ("clean cleanup gc vacuum", Use("prune")),
    ("delete remove rm", Tip(PRUNE)),
    ("migrate migration fix disable revoke rotate replace apply upgrade", Tip(READ_ONLY)),
    ("serve server mock simulate simulator", Use("sandbox")),
    ("example sample quickstart tutorial", Use("demo")),
    ("completion autocomplete", Use("completions")),
    ("manpage manpages manual docs", Use("man")),
    ("version", Tip("use 'keysunset --version'")),
];

/// Adds a tip to the error of a wrong word. A tip never has what was typed as a value.
pub(super) fn hint(mut error: clap::Error, mut program: Command, typed: &[OsString]) -> clap::Error {
    program.build();
    let command = typed.iter().skip(1).find_map(|word| program.find_subcommand(word)).unwrap_or(&program);
    let wrong = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => String::new(),
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = wrong(ContextKind::InvalidArg);
            if let Some(tip) = argument(&word, command) {
                put(&mut error, &tip, command);
            }
            error.insert(ContextKind::InvalidArg, ContextValue::String(without_password(&word)));
        }
        ErrorKind::InvalidSubcommand => {
            let word = wrong(ContextKind::InvalidSubcommand);
            if let Some(tip) = find(COMMANDS, &word, &program) {
                put(&mut error, &tip, &program);
            } else if word.contains("://") {
                put(&mut error, "use 'keysunset audit --url <URL>'", &program);
            }
            error.insert(ContextKind::InvalidSubcommand, ContextValue::String(without_password(&word)));
        }
        ErrorKind::TooManyValues if wrong(ContextKind::InvalidArg).starts_with("--verbose") => {
            put(&mut error, "use '-v', '-vv' or '-vvv'", command);
        }
        _ => {
            // Such as `--fail-on <WHICH>`.
            let flag = wrong(ContextKind::InvalidArg);
            let flag = flag.trim_start_matches('-').split([' ', '[', '=']).next().unwrap_or_default();
            if let Some(variable) = environment::variable(command, flag, typed) {
                let tip = format!("the value is from the environment variable {}", variable.display());
                put(&mut error, &tip, command);
            }
        }
    }
    error
}

fn argument(word: &str, command: &Command) -> Option<String> {
    let Some(name) = word.strip_prefix('-').map(|name| name.trim_start_matches('-')) else {
        if has_format(command, word) {
            return Some(FORMATS.to_owned());
        }
        return has_flag(command, "users").then(|| SCOPE.to_owned());
    };
    if has_flag(command, name) {
        return Some(format!("put '--{name}' after the command '{}'", command.get_name()));
    }
    if let Some(owner) = command.get_subcommands().find(|owner| has_flag(owner, name)) {
        return Some(format!("put '--{name}' after a command, such as 'keysunset {}'", owner.get_name()));
    }
    find(FLAGS, name, command).or_else(|| format(name, command)).or_else(|| similar(name, command))
}

/// The tip that a table has for a word, if it is of use to this command.
fn find(table: &[(&str, Hint)], word: &str, command: &Command) -> Option<String> {
    let word = word.to_lowercase().replace('_', "-");
    let mut hints = table.iter().filter(|(words, _)| words.split(' ').any(|known| known == word));
    hints.find_map(|(_, hint)| tip(hint, command))
}

fn tip(hint: &Hint, command: &Command) -> Option<String> {
    match hint {
        Flag(name) => has_flag(command, name).then(|| flag_exists(name)),
        Format(name) => format(name, command),
        Use(name) => Some(format!("a similar subcommand exists: '{name}'")),
        Tip(text) => Some((*text).to_owned()),
    }
}

/// What `--format` takes, typed as a flag.
fn format(name: &str, command: &Command) -> Option<String> {
    has_format(command, name).then(|| format!("use '--format {name}'"))
}

fn has_format(command: &Command, name: &str) -> bool {
    let mut flags = command.get_arguments().filter(|argument| argument.get_long() == Some("format"));
    flags.any(|flag| flag.get_possible_values().iter().any(|value| value.get_name() == name))
}

fn has_flag(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|argument| argument.get_long() == Some(name))
}

fn flag_exists(name: &str) -> String {
    format!("a similar argument exists: '--{name}'")
}

/// The flag that differs from a word by the fewest typing errors, of which two exchanged letters are one: `--ulr`.
fn similar(word: &str, command: &Command) -> Option<String> {
    let flags = command.get_arguments().filter(|flag| !flag.is_hide_set()).filter_map(|flag| flag.get_long());
    let (errors, flag) = flags.map(|flag| (osa_distance(word, flag), flag)).min()?;
    (errors <= (word.chars().count() / 3).min(3)).then(|| flag_exists(flag))
}

/// In place of clap's own tips, and of a usage that shows the flag which clap took for similar.
fn put(error: &mut clap::Error, tip: &str, command: &Command) {
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedCommand] {
        error.remove(kind);
    }
    let tip = StyledStr::from(tip.replace('\n', "\n       "));
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.clone().render_usage()));
}

/// A URL at the wrong place, without what people put in front of its host.
fn without_password(word: &str) -> String {
    match (word.split_once("://"), word.rfind('@')) {
        (Some((scheme, _)), Some(at)) if at > scheme.len() => format!("{scheme}://***{}", &word[at..]),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_hint_names_what_exists_and_no_word_that_is_right() {
        let mut program = super::super::command();
        program.build();
        let commands: Vec<_> = program.get_subcommands().collect();
        let some = |hint: &Hint| commands.iter().any(|command| tip(hint, command).is_some());
        for (words, hint) in FLAGS.iter().chain(COMMANDS) {
            match hint {
                Use(name) => assert!(program.find_subcommand(name).is_some(), "{name}"),
                hint => assert!(some(hint), "{words}"),
            }
        }
        for word in COMMANDS.iter().flat_map(|(words, _)| words.split(' ')) {
            assert!(program.find_subcommand(word).is_none(), "{word} is a command");
        }
        for (table, name) in [(FLAGS, "flags"), (COMMANDS, "commands")] {
            let words: Vec<_> = table.iter().flat_map(|(words, _)| words.split(' ')).collect();
            assert_eq!(words.len(), words.iter().collect::<BTreeSet<_>>().len(), "a word twice: {name}");
        }
    }

    #[test]
    fn no_tip_is_wider_than_80_columns() {
        for (_, hint) in FLAGS.iter().chain(COMMANDS) {
            let lines = if let Tip(text) = hint { text.lines() } else { SCOPE.lines() };
            lines.for_each(|line| assert!(line.len() <= 80 - "  tip: ".len(), "{line}"));
        }
    }
}
