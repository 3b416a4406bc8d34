//! The summary of a search, and the exit code.

use crate::console::{Text, print, print_aside, print_file};
use crate::exit::{Error, Exit};
use crate::gate::GateResult;
use crate::report::places::{LocateReport, LocationFormat, LocationOutput, LocationsWritten, terminal};

/// Prints what goes to standard output, and the summary. `again` gives the page that a person reads.
pub(super) fn print_all(
    report: &LocateReport,
    written: LocationsWritten,
    output: &LocationOutput,
    again: &str,
    quiet: bool,
) -> Result<Exit, Error> {
    let LocationsWritten { files, stdout, stdout_file } = written;
    let result = GateResult::of_counts(report.findings() > 0, report.is_complete_or_waived());
    print(&stdout)?;
    stdout_file.map_or(Ok(()), print_file)?;
    if quiet {
        report.waiver_issues.iter().for_each(|why| crate::console::warn(why, None));
    } else {
        let summary = terminal::summary(report, &files, next(report, result, output, again));
        if output.stdout { print_aside(&summary) } else { print(&summary)? }
    }
    Ok(result.exit())
}

fn next(report: &LocateReport, result: GateResult, output: &LocationOutput, again: &str) -> Text {
    let is_written = output.formats.contains(&LocationFormat::Markdown) && !output.stdout;
    let page = LocationFormat::Markdown.file_name().filter(|_| is_written);
    let page = page.map_or_else(|| again.to_owned(), |name| output.out.join(name).display().to_string());
    let see = |what: &str| Text::from(what).plain(": ").unbroken(&page);
    match result {
        // The script that uses such a key is somewhere else.
        GateResult::Clean if !report.nowhere().is_empty() => {
            see("ask the owners of the keys in use that were not found")
        }
        GateResult::Clean => "nothing: no findings, and everything was searched".into(),
        GateResult::Findings => see("change the scripts, then run `keysunset plan`"),
        GateResult::Incomplete => see("search what is missing"),
        GateResult::FindingsIncomplete => see("change the scripts, and search what is missing"),
    }
}
