//! The summary of `locate` on the terminal.

use super::summary::{Counts, KeyWithPlaces, ShownPlace};
use super::{LocateReport, LocatedKey, unsearched_label};
use crate::console::{Page, Text, cell, style};
use crate::output::ReportFile;
use crate::place::State;
use crate::report::text::printable;

/// Keys, and places of one, that are shown.
const KEYS: usize = 10;
const PLACES: usize = 3;
/// Columns of the longest severity, `critical`.
const SEVERITY: usize = 8;

/// The lines. `next` is what to do.
pub(crate) fn summary(report: &LocateReport, files: &[ReportFile], next: Text) -> String {
    let mut page = Page::default();
    page.line("keys", format!("{} of {}", report.keys().len(), printable(report.scope.keys_from)));
    page.line("searched", searched(report));
    for why in &report.scope.unknown_keys {
        page.styled_line(style::WARNING, "incomplete", why.as_str());
    }
    for (unsearched, is_waived) in report.unsearched.iter().take(KEYS) {
        let waived = if *is_waived { " (waived)" } else { "" };
        let name = printable(&unsearched_label(unsearched));
        page.line("unsearched", format!("{name}: {}{waived}", unsearched.why));
    }
    if let Some(more @ 1..) = report.counts.unsearched.checked_sub(KEYS as u64) {
        page.line("", format!("and {more} more in the reports"));
    }
    page.line("found", format!("{} of {} keys", report.counts.found_keys(), report.keys().len()));
    page.line("places", places(&report.counts));
    located(&mut page, report);
    nowhere(&mut page, &report.nowhere());
    for issue in &report.waiver_issues {
        page.styled_line(style::WARNING, "warning", issue.as_str());
    }
    page.lines("written", files.iter().map(|file| Text::default().unbroken(&file.path.to_string_lossy())));
    page.line("next", next);
    page.into_text()
}

fn searched(report: &LocateReport) -> String {
    let scope = &report.scope;
    let files = if scope.files == 1 { "file" } else { "files" };
    let links = match scope.links_outside {
        0 => String::new(),
        1 => ", 1 link out of them not followed".to_owned(),
        links => format!(", {links} links out of them not followed"),
    };
    let roots: Vec<_> = scope.roots.iter().take(PLACES).map(|root| printable(root)).collect();
    let more = scope.roots.len().saturating_sub(PLACES);
    let more = if more > 0 { format!(" and {more} more paths") } else { String::new() };
    let objects = match scope.objects {
        0 => String::new(),
        1 => " and 1 object of git".to_owned(),
        objects => format!(" and {objects} objects of git"),
    };
    format!("{} {files}{objects} in {}{more}{links}", scope.files, roots.join(", "))
}

fn places(counts: &Counts) -> String {
    let states = State::ALL.iter().filter_map(|state| {
        let count = counts.state(*state);
        (count > 0).then(|| format!("{count} {state}"))
    });
    let states: Vec<_> = states.collect();
    let mut text = counts.places().to_string();
    if !states.is_empty() {
        text = format!("{text} = {}", states.join(" + "));
    }
    for (count, what) in [(counts.new_keys, "of programmatic keys"), (counts.strangers, "of other keys")] {
        if count > 0 {
            text = format!("{text}; {count} {what}");
        }
    }
    text
}

/// The worst keys with their first places.
fn located(page: &mut Page, report: &LocateReport) {
    for KeyWithPlaces { key, count, places, .. } in report.located.iter().take(KEYS) {
        page.text(line(key));
        for ShownPlace { place, context, is_waived } in places.iter().take(PLACES) {
            let waived = if *is_waived { ", waived" } else { "" };
            let repository = match &*place.repository {
                "." => String::new(),
                repository if repository == place.path => String::new(),
                repository => format!("{repository}/"),
            };
            let label = printable(&format!("{repository}{}", place.label()));
            page.text(Text::from("    ").unbroken(&label).plain(&format!(" ({}{waived})", place.state)));
            if let Some(context) = context {
                page.text(format!("      {}", printable(context.trim())));
            }
        }
        if let Some(more @ 1..) = count.checked_sub(PLACES as u64) {
            page.text(format!("    and {more} more"));
        }
    }
    if let Some(more @ 1..) = report.counts.found_keys().checked_sub(KEYS) {
        page.text(format!("  and {more} more keys in the reports"));
    }
}

/// In columns, as the findings of an audit.
fn line(key: &LocatedKey) -> Text {
    let severity = key.severity.as_str();
    let text = Text::from("  ").styled(style::severity(key.severity), severity);
    let owner = cell(&key.username, 30);
    let description = cell(&key.description, 24);
    let rest = format!("{}  {owner}  {description}", key.suffix.as_str());
    text.plain(&format!("{:width$}{}", "", rest.trim_end(), width = SEVERITY + 2 - severity.len()))
}

/// Keys whose scripts are somewhere else.
fn nowhere(page: &mut Page, keys: &[&LocatedKey]) {
    if keys.is_empty() {
        return;
    }
    let text = format!("{} in use, and in no place that was searched: ask the owners", keys.len());
    page.styled_line(style::WARNING, "nowhere", text);
    for key in keys.iter().take(KEYS) {
        page.text(line(key));
    }
    if let Some(more @ 1..) = keys.len().checked_sub(KEYS) {
        page.text(format!("  and {more} more in the reports"));
    }
}
