//! From what was found to the report, its summary and the exit code.

use std::collections::{BTreeSet, HashMap};

use super::keys::{KeyList, counts};
use crate::console::{Text, print, print_aside, print_file};
use crate::exit::{Error, Exit};
use crate::gate::GateResult;
use crate::locate::Searched;
use crate::model::Suffix;
use crate::place::Place;
use crate::report::places::{
    LocateFailOn, LocateReport, LocatedKey, LocationFormat, LocationOutput, LocationRow, LocationsWritten,
    UnsearchedRow, terminal,
};
use crate::waivers::{Waiver, WaiverStatus, Waivers};

/// What decides about the rows.
pub(super) struct Judged<'a> {
    pub(super) keys: &'a KeyList,
    pub(super) searched: &'a Searched,
    pub(super) waivers: &'a Waivers,
    pub(super) fail_on: LocateFailOn,
}

impl<'a> Judged<'a> {
    /// The report, without the settings of the search.
    pub(super) fn report(&self) -> LocateReport<'a> {
        let mut by_suffix: HashMap<&Suffix, Vec<&LocatedKey>> = HashMap::new();
        for key in &self.keys.keys {
            by_suffix.entry(&key.suffix).or_default().push(key);
        }
        let (mut rows, mut used) = (Vec::new(), BTreeSet::new());
        for located in &self.searched.located {
            let owners =
                by_suffix.get(&located.place.suffix).map(|keys| keys.iter().map(|key| Some(*key)).collect());
            for key in owners.unwrap_or_else(|| vec![None]) {
                let row = self.row(key, &located.place, located.context.as_deref());
                used.extend(row.waiver.map(|(waiver, _)| waiver.line));
                rows.push(row);
            }
        }
        let deployment = self.keys.deployment();
        let unsearched = self.searched.unsearched.iter().map(|unsearched| {
            let waiver = self.waivers.of_place(None, &unsearched.path, deployment);
            UnsearchedRow { unsearched, waiver: self.with_status(waiver) }
        });
        let unsearched: Vec<_> = unsearched.collect();
        used.extend(unsearched.iter().filter_map(|row| row.waiver).map(|(waiver, _)| waiver.line));
        LocateReport {
            deployment,
            keys_from: self.keys.from.clone(),
            roots: Vec::new(),
            excluded: &[],
            history: false,
            archives: false,
            fail_on: self.fail_on,
            rows,
            unsearched,
            keys: &self.keys.keys,
            unknown_keys: self.keys.unknown(),
            waiver_issues: self.waiver_issues(&used),
            files: self.searched.files,
            objects: self.searched.objects,
            bytes: self.searched.bytes,
            links_outside: self.searched.links_outside,
        }
    }

    fn row(
        &self,
        key: Option<&'a LocatedKey>,
        place: &'a Place,
        context: Option<&'a str>,
    ) -> LocationRow<'a> {
        let waiver = key.and_then(|key| self.waivers.of_place(Some(&key.id), &place.path, &key.deployment));
        let is_waived = counts(waiver, self.keys.now);
        let is_finding = self.fail_on.counts(place) && !is_waived;
        LocationRow { key, place, context, waiver: self.with_status(waiver), is_finding }
    }

    fn with_status(&self, waiver: Option<&'a Waiver>) -> Option<(&'a Waiver, WaiverStatus)> {
        waiver.map(|waiver| (waiver, waiver.status(self.keys.now)))
    }

    /// Waivers of paths that no longer count, or that match nothing.
    fn waiver_issues(&self, used: &BTreeSet<u64>) -> Vec<String> {
        let issue = |waiver: &Waiver| {
            let why = match waiver.status(self.keys.now) {
                _ if !used.contains(&waiver.line) => "matches no place".to_owned(),
                WaiverStatus::Expired => format!("expired on {}", waiver.expires),
                WaiverStatus::Ending => format!("ends on {}", waiver.expires),
                WaiverStatus::Active => return None,
            };
            Some(format!("the waiver of {} (line {}) {why}", waiver.label(), waiver.line))
        };
        self.waivers.of_paths().filter_map(issue).collect()
    }
}

/// Prints what goes to standard output, and the summary.
pub(super) fn print_all(
    report: &LocateReport,
    written: LocationsWritten,
    output: &LocationOutput,
    quiet: bool,
) -> Result<Exit, Error> {
    let LocationsWritten { files, stdout, stdout_file } = written;
    let result = GateResult::of_counts(report.findings() > 0, report.is_complete_or_waived());
    print(&stdout)?;
    stdout_file.map_or(Ok(()), print_file)?;
    if quiet {
        report.waiver_issues.iter().for_each(|why| crate::console::warn(why, None));
    } else {
        let summary = terminal::summary(report, &files, next(report, result, output));
        if output.stdout { print_aside(&summary) } else { print(&summary)? }
    }
    Ok(result.exit())
}

fn next(report: &LocateReport, result: GateResult, output: &LocationOutput) -> Text {
    let is_written = output.formats.contains(&LocationFormat::Markdown) && !output.stdout;
    let page = LocationFormat::Markdown.file_name().filter(|_| is_written);
    let page = page.map_or_else(
        || "`keysunset locate --format markdown`".to_owned(),
        |name| output.out.join(name).display().to_string(),
    );
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
