//! keysunset.toml: settings by the names of audit's flags.

use std::path::Path;

use clap::CommandFactory as _;
use serde::de::DeserializeOwned;
use strsim::osa_distance;

use super::read;
use crate::cli::{self, AuditArgs, Cli, CredentialArgs, DeploymentArgs, OutputArgs, PolicyArgs, ReportArgs};
use crate::context::{Env, is_ci};
use crate::exit::Error;
use crate::input::{LineIndex, Problems, parse_toml};

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

/// The file that counts without being named.
pub(super) const NAME: &str = "keysunset.toml";

/// Who chose a file of settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FileOrigin {
    /// The caller, with `--config`.
    #[default]
    Named,
    /// It was not named: it is in the working folder.
    WorkingFolder,
}

/// What a file of settings says: the layer below flags and environment, and apart from them until it is merged.
#[derive(Default)]
pub(crate) struct SettingsFile {
    pub audit: AuditArgs,
    pub report: ReportArgs,
    pub origin: FileOrigin,
}

impl SettingsFile {
    /// The file at `path`, or keysunset.toml; nothing where that is not there.
    ///
    /// # Errors
    /// A file that can't be read, is no TOML, or holds what is no setting or no value of one; where `CI` is set, also a file
    /// that was not named and that says where credentials go or what is run.
    pub(crate) fn read(path: Option<&Path>, env: &Env) -> Result<Self, Error> {
        let origin = if path.is_some() { FileOrigin::Named } else { FileOrigin::WorkingFolder };
        let path = path.unwrap_or(Path::new(NAME));
        // A link that leads nowhere is an error: its settings are missing.
        if origin == FileOrigin::WorkingFolder && path.symlink_metadata().is_err() {
            return Ok(Self::default());
        }
        let wrong = |why: String| {
            Error::input(format!("invalid settings file {}: {why}", path.display()))
                .help("docs/configuration.md lists all settings")
        };
        let text = String::from_utf8(read("the settings file", path)?)
            .map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let table: toml::Table = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
        if table.keys().any(|key| !is_setting(key)) {
            return Err(unknown_settings(path, &text));
        }
        let file = Self { origin, ..Self::from_toml(&text).map_err(wrong)? };
        if origin == FileOrigin::WorkingFolder && is_ci(env) {
            refuse(&file.deciding(), &text)?;
        }
        if file.report.output.csv_raw == Some(true) && file.report.output.csv_excel == Some(true) {
            return Err(wrong("csv-raw and csv-excel exclude each other".to_owned()));
        }
        if let Some(Err(why)) = file.audit.deployment.url.as_deref().map(cli::url) {
            return Err(wrong(format!("url: {why}")));
        }
        Ok(file)
    }

    fn from_toml(text: &str) -> Result<Self, String> {
        let audit = AuditArgs {
            deployment: group(text)?,
            credentials: group(text)?,
            scope: group(text)?,
            pace: group(text)?,
        };
        Ok(Self {
            audit,
            report: ReportArgs { policy: group(text)?, output: group(text)?, config: None },
            origin: FileOrigin::default(),
        })
    }

    /// The settings that decide where credentials go, what is run, or what hides a failure. A pull request can change the file,
    /// but must not decide these for the CI job that has the credentials. Every setting by name, so that a new one does not
    /// compile until it is decided whether it is one of them.
    fn deciding(&self) -> Vec<&'static str> {
        let AuditArgs { deployment, credentials, scope: _, pace: _ } = &self.audit;
        let ReportArgs { policy, output, config: _ } = &self.report;
        let DeploymentArgs { url, ca_cert, client_cert, insecure_skip_verify, name: _, product: _ } =
            deployment;
        let CredentialArgs { credentials, profile } = credentials;
        let PolicyArgs {
            exit_zero,
            cutoff: _,
            active_within: _,
            fail_on: _,
            waivers: _,
            strict_waivers: _,
            ratchet: _,
            baseline: _,
        } = policy;
        let OutputArgs { templates, out: _, store: _, format: _, csv_raw: _, csv_excel: _ } = output;
        let all = [
            ("url", url.is_some()),
            ("profile", profile.is_some()),
            ("credentials", credentials.is_some()),
            ("ca-cert", ca_cert.is_some()),
            ("client-cert", client_cert.is_some()),
            ("insecure-skip-verify", insecure_skip_verify.is_some()),
            ("templates", templates.is_some()),
            ("exit-zero", exit_zero.is_some()),
        ];
        all.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
    }
}

/// The settings that are none, each with its line.
fn unknown_settings(path: &Path, text: &str) -> Error {
    let (fields, _) = parse_toml(text, &LineIndex::new(text));
    let mut problems = Problems::new(path.display().to_string());
    for field in fields.iter().filter(|field| !is_setting(&field.name)) {
        problems.push(field.line, with_similar(&field.name));
    }
    problems.into_error(
        &format!("unknown settings in {}", path.display()),
        "settings have the names of the flags of `audit`, without `--`; credentials do not belong here",
    )
}

/// Refuses these settings, each with its line.
fn refuse(names: &[&str], text: &str) -> Result<(), Error> {
    let (fields, _) = parse_toml(text, &LineIndex::new(text));
    let mut problems = Problems::new(NAME);
    for field in fields.iter().filter(|field| names.contains(&field.name.as_ref())) {
        problems.push(field.line, format!("`{}`", field.name));
    }
    problems.into_result(
        &format!("{NAME} contains settings that CI jobs must not take from the working folder"),
        &format!(
            "if only trusted people can change the file, name it with `--config {NAME}`; otherwise use flags or variables, \
             such as --url or KEYSUNSET_URL"
        ),
    )
}

/// Those settings of the text that belong to one group.
fn group<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|why| why.to_string())
}

/// Every flag of `audit` but those that only make sense typed.
fn is_setting(key: &str) -> bool {
    settings().iter().any(|setting| setting == key)
}

fn settings() -> Vec<String> {
    let cli = Cli::command();
    let flags = cli.find_subcommand("audit").into_iter().flat_map(clap::Command::get_arguments);
    let names = flags.filter_map(|flag| flag.get_long()).map(str::to_owned);
    names.filter(|name| !matches!(name.as_str(), "config" | "help" | "resume")).collect()
}

/// An unknown setting, and the known one that differs by the fewest typing errors, if they are few.
fn with_similar(key: &str) -> String {
    let typed = key.to_lowercase().replace('_', "-");
    let settings = settings();
    let similar = settings.iter().map(|setting| (osa_distance(&typed, setting), setting)).min();
    match similar.filter(|(errors, _)| *errors <= (typed.chars().count() / 3).min(3)) {
        Some((_, setting)) => format!("`{key}` (similar: `{setting}`)"),
        None => format!("`{key}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Foreign bytes: any file of settings is taken or refused.
        #[test]
        fn any_file_of_settings_is_taken_or_refused(text in "([a-z-]{1,14} ?= ?[^\n]{0,20}\n){0,4}|\\PC*") {
            let _ = SettingsFile::from_toml(&text);
        }
    }
}
