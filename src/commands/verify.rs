//! `keysunset verify`: the manifest of a folder, held against its files and the store.

use std::path::{Path, PathBuf};

use anstyle::Style;
use serde::Serialize;
use tempfile::TempDir;

use crate::cli::{self, OutputArgs, ReportArgs};
use crate::config::{ReportSettings, STDOUT};
use crate::console::{Page, Text, print, print_json, style};
use crate::context::Context;
use crate::evidence::verify::{Check, CheckResult, CheckStatus};
use crate::evidence::{manifest, pack, verify};
use crate::exit::{Error, Exit};

/// It ends with 0 if everything was checked and matches, with 1 if something differs, and with 3 if nothing differs but not
/// everything could be checked.
pub(crate) fn run(args: cli::Verify, context: &Context) -> Result<Exit, Error> {
    // KEYSUNSET_OUT may say standard output for the commands that write; this one then takes the folder that is the default.
    if let Some(missing) = args.dir.as_ref().filter(|path| path.as_os_str() != STDOUT && !path.exists()) {
        let why = std::io::ErrorKind::NotFound.into();
        return Err(Error::not_read("the folder of reports or evidence pack", missing.display(), &why));
    }
    if let Some(folder) = args.store.iter().find(|path| path.is_dir()) {
        let why = std::io::ErrorKind::IsADirectory.into();
        return Err(Error::not_read("the run database", folder.display(), &why));
    }
    let output = OutputArgs { out: args.dir, ..OutputArgs::default() };
    let report = ReportArgs { output, config: args.config, ..ReportArgs::default() };
    let settings = ReportSettings::resolve(report, context.env)?;
    let lines = if settings.output.out.is_file() {
        verify_archive(&settings.output.out, &args.store)?
    } else {
        let stores = if args.store.is_empty() { vec![settings.store] } else { args.store };
        verify::verify(&settings.output.out, &stores)?
    };
    if args.json {
        print_json(&document(&lines))?;
    } else {
        print(&page(&lines, context.quiet))?;
    }
    Ok(exit(&lines))
}

/// Unpacks an evidence pack into a temporary folder, and names its files as if they were in the archive.
fn verify_archive(path: &Path, stores: &[PathBuf]) -> Result<Vec<CheckResult>, Error> {
    let folder = TempDir::with_prefix("keysunset-").map_err(|why| Error::no_temporary_file(&why))?;
    let mut lines = pack::extract(path, folder.path())?;
    let own = [folder.path().join(pack::DATABASE)];
    let stores = if stores.is_empty() { &own[..] } else { stores };
    if !folder.path().join(manifest::NAME).exists() {
        return Err(Error::input(format!("no {} in {}", manifest::NAME, path.display()))
            .help("name the folder or the zip archive that `keysunset export --pack` wrote"));
    }
    lines.extend(verify::verify_archive(path, folder.path(), stores)?);
    let prefix = format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR);
    for line in &mut lines {
        line.found = line.found.replace(&prefix, "");
    }
    Ok(lines)
}

fn count(lines: &[CheckResult], status: CheckStatus) -> usize {
    lines.iter().filter(|line| line.status == status).count()
}

fn exit(lines: &[CheckResult]) -> Exit {
    match (count(lines, CheckStatus::Differs), count(lines, CheckStatus::Unknown)) {
        (0, 0) => Exit::Clean,
        (0, _) => Exit::Incomplete,
        _ => Exit::Findings,
    }
}

/// The lines for a person; `quiet` leaves out equal files and records.
fn page(lines: &[CheckResult], quiet: bool) -> String {
    let mut page = Page::default();
    let is_worth = |line: &&CheckResult| match line.status {
        CheckStatus::Differs | CheckStatus::Unknown => true,
        CheckStatus::Ok | CheckStatus::Note => !quiet,
    };
    for line in lines.iter().filter(is_worth) {
        let style = match line.status {
            CheckStatus::Ok => style::OK,
            CheckStatus::Differs => style::ERROR,
            CheckStatus::Unknown => style::WARNING,
            CheckStatus::Note => Style::new(),
        };
        let status = Text::from("  ").styled(style, &format!("{:<9}", line.status));
        page.columns(status.plain(line.check.as_str()), 21, line.found.as_str());
    }
    if !quiet {
        let (differs, unknown) = (count(lines, CheckStatus::Differs), count(lines, CheckStatus::Unknown));
        let rest = if unknown == 0 { String::new() } else { format!("; {unknown} could not be checked") };
        page.gap();
        page.text(match differs {
            0 if unknown == 0 => "  everything matches the manifest".to_owned(),
            0 => format!("  no differences{rest}"),
            _ => format!("  {differs} of {} checks differ from the manifest{rest}", lines.len()),
        });
    }
    page.into_text()
}

/// The lines for a program. The names of its fields are promised outward.
#[derive(Serialize)]
struct VerifyDocument<'a> {
    schema: &'static str,
    lines: Vec<VerifyLine<'a>>,
    exit: u8,
}

#[derive(Serialize)]
struct VerifyLine<'a> {
    check: Check,
    /// In lower case, also where the page for a person has capitals.
    status: String,
    found: &'a str,
}

fn document(lines: &[CheckResult]) -> VerifyDocument<'_> {
    let each = lines.iter().map(|CheckResult { check, status, found }| VerifyLine {
        check: *check,
        status: status.as_str().to_ascii_lowercase(),
        found,
    });
    VerifyDocument { schema: "keysunset-verify/1", lines: each.collect(), exit: exit(lines) as u8 }
}
