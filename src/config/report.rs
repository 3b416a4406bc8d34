//! The settings of a report: how to judge, and what to write.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{STORE, SettingsFile};
use crate::cli::{OutputArgs, PolicyArgs, ReportArgs, StoreArgs};
use crate::context::Env;
use crate::exit::Error;
use crate::policy::FailOn;
use crate::report::{CsvStyle, Format, Output};

const OUT: &str = "reports";
/// As `--out`: standard output.
pub(crate) const STDOUT: &str = "-";

pub(crate) struct ReportSettings {
    /// `None`: the run's own, or the default.
    pub cutoff: Option<DateTime<Utc>>,
    /// In days; `None` likewise.
    pub active_within: Option<u32>,
    /// Which keys fail.
    pub fail_on: FailOn,
    /// A file of accepted exceptions.
    pub waivers: Option<PathBuf>,
    /// Whether waivers that end soon or match nothing are findings.
    pub strict_waivers: bool,
    /// Whether only what got worse than in an earlier run is a finding.
    pub ratchet: bool,
    /// That run, where it is not in the store.
    pub baseline: Option<PathBuf>,
    /// Whether findings and gaps end with 0.
    pub exit_zero: bool,
    /// The file in the working folder from which the audit's URL comes, where no option named it.
    pub url_file: Option<&'static str>,
    pub store: PathBuf,
    pub output: Output,
}

impl ReportSettings {
    /// From what was typed and from the file that it names.
    pub(crate) fn resolve(typed: ReportArgs, env: &Env) -> Result<Self, Error> {
        let file = SettingsFile::read(typed.config.as_deref(), env)?;
        Ok(Self::with_defaults(typed.with_fallback(file.report), env))
    }

    /// The same for the commands that need the store and nothing of the reports.
    pub(crate) fn for_store(typed: StoreArgs, policy: PolicyArgs, env: &Env) -> Result<Self, Error> {
        let StoreArgs { store, out, config } = typed;
        let output = OutputArgs { out, store, ..OutputArgs::default() };
        Self::resolve(ReportArgs { policy, output, config }, env)
    }

    /// Settings that a report can be written with.
    ///
    /// # Errors
    /// Standard output takes one format.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        let Output { stdout, formats, .. } = &self.output;
        if *stdout && formats.len() != 1 {
            let names: Vec<_> = formats.iter().map(|format| format.as_str()).collect();
            let all: Vec<_> = Format::ALL.iter().map(|format| format.as_str()).collect();
            let message = format!("--out {STDOUT} needs one format, not {}", names.join(","));
            return Err(Error::usage(message).help(format!("use --format with one of {}", all.join(", "))));
        }
        Ok(self)
    }

    /// What was set, and the defaults where nothing was.
    pub(crate) fn with_defaults(set: ReportArgs, env: &Env) -> Self {
        let ReportArgs { policy, output, config: _ } = set;
        let PolicyArgs {
            cutoff,
            active_within,
            fail_on,
            waivers,
            strict_waivers,
            ratchet,
            baseline,
            exit_zero,
        } = policy;
        let OutputArgs { out, store, format: mut formats, templates, csv_raw, csv_excel } = output;
        let csv = match (csv_raw, csv_excel) {
            (_, Some(true)) => CsvStyle::Excel,
            (Some(true), _) => CsvStyle::Raw,
            (Some(false) | None, Some(false) | None) => CsvStyle::Guarded,
        };
        let stdout = out.as_deref().is_some_and(|out| out == Path::new(STDOUT));
        let out = out.filter(|_| !stdout).unwrap_or_else(|| PathBuf::from(OUT));
        if formats.is_empty() {
            formats = vec![Format::Csv, Format::Markdown, Format::Html];
        }
        formats.sort_unstable();
        formats.dedup();
        Self {
            cutoff,
            active_within,
            fail_on: fail_on.unwrap_or(FailOn::Any),
            waivers,
            strict_waivers: strict_waivers.unwrap_or(false),
            ratchet: ratchet.unwrap_or(baseline.is_some()),
            baseline: baseline.filter(|_| ratchet != Some(false)),
            exit_zero: exit_zero.unwrap_or(false),
            url_file: None,
            store: store.unwrap_or_else(|| out.join(STORE)),
            output: Output {
                out,
                stdout,
                formats,
                templates,
                step_summary: env("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from),
                csv,
            },
        }
    }
}
