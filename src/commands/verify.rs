//! `keysunset verify`: the manifest of a folder, held against its files and the store.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::{self, OutputArgs, ReportArgs};
use crate::config::ReportSettings;
use crate::console::print;
use crate::context::Context;
use crate::evidence::verify::{CheckResult, CheckStatus, verify};
use crate::exit::{Error, Exit};

/// Runs the command. It ends with 0 if all was looked at and is equal, with 1 if something differs, and with 3 if nothing does
/// but not all could be looked at.
///
/// # Errors
/// No manifest, or a standard output that can't be written.
pub(crate) fn run(args: cli::Verify, context: &Context) -> Result<Exit, Error> {
    let output = OutputArgs { out: args.dir, ..OutputArgs::default() };
    let report = ReportArgs { output, config: args.config, ..ReportArgs::default() };
    let settings = ReportSettings::resolve(report, context.env)?;
    let stores = if args.store.is_empty() { vec![settings.store] } else { args.store };
    let lines = verify(&settings.output.out, &stores)?;
    print(&if args.json { json(&lines)? } else { page(&lines, context.quiet) })?;
    Ok(exit(&lines))
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

/// The lines for a person; `quiet` leaves out what is well.
fn page(lines: &[CheckResult], quiet: bool) -> String {
    let mut page = String::new();
    let is_worth = |line: &&CheckResult| match line.status {
        CheckStatus::Differs | CheckStatus::Unknown => true,
        CheckStatus::Ok | CheckStatus::Note => !quiet,
    };
    for line in lines.iter().filter(is_worth) {
        // Writing to a string can't fail.
        let _ = writeln!(page, "  {:<9}{:<10}{}", line.status, line.check, line.found);
    }
    if !quiet {
        let (differs, unknown) = (count(lines, CheckStatus::Differs), count(lines, CheckStatus::Unknown));
        let rest = if unknown == 0 { String::new() } else { format!("; {unknown} could not be checked") };
        let verdict = match differs {
            0 if unknown == 0 => "all is as the manifest says".to_owned(),
            0 => format!("nothing differs{rest}"),
            _ => format!("{differs} of {} differ from the manifest{rest}", lines.len()),
        };
        let _ = writeln!(page, "\n  {verdict}");
    }
    page
}

/// The lines for a program: a contract of its own, whatever they are inside.
fn json(lines: &[CheckResult]) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        lines: Vec<Row<'a>>,
        exit: u8,
    }
    #[derive(Serialize)]
    struct Row<'a> {
        check: &'static str,
        status: &'static str,
        found: &'a str,
    }
    let rows = lines.iter().map(|line| Row {
        check: line.check.as_str(),
        status: match line.status {
            CheckStatus::Ok => "ok",
            CheckStatus::Differs => "differs",
            CheckStatus::Unknown => "unknown",
            CheckStatus::Note => "note",
        },
        found: &line.found,
    });
    let document = Document { schema: "keysunset-verify/1", lines: rows.collect(), exit: exit(lines) as u8 };
    let text = serde_json::to_string_pretty(&document).map_err(Error::bug)?;
    Ok(text + "\n")
}
