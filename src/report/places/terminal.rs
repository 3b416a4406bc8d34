//! The summary of `locate` on the terminal.

use super::{LocateReport, LocatedKey, unsearched_label};
use crate::console::{Page, Text, cell, style};
use crate::output::ReportFile;
use crate::place::{Class, State};
use crate::report::text::printable;

/// Keys, and places of one, that are shown.
const KEYS: usize = 10;
const PLACES: usize = 3;
/// Columns of the longest severity, `critical`.
const SEVERITY: usize = 8;

/// The lines. `next` is what to do.
pub(crate) fn summary(report: &LocateReport, files: &[ReportFile], next: Text) -> String {
    let mut page = Page::default();
    page.line("keys", format!("{} of {}", report.keys.len(), printable(&report.keys_from)));
    page.line("searched", searched(report));
    for why in &report.unknown_keys {
        page.styled_line(style::WARNING, "incomplete", why.as_str());
    }
    let unsearched: Vec<_> = report.unsearched.iter().collect();
    for row in unsearched.iter().take(KEYS) {
        let waived = if row.is_waived() { " (waived)" } else { "" };
        let name = printable(&unsearched_label(row.unsearched));
        page.line("unsearched", format!("{name}: {}{waived}", row.unsearched.why));
    }
    if let Some(more @ 1..) = unsearched.len().checked_sub(KEYS) {
        page.line("", format!("and {more} more in the reports"));
    }
    page.line("found", format!("{} of {} keys", report.found(), report.keys.len()));
    page.line("places", places(report));
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
    let files = if report.files == 1 { "file" } else { "files" };
    let links = match report.links_outside {
        0 => String::new(),
        1 => ", 1 link out of them not followed".to_owned(),
        links => format!(", {links} links out of them not followed"),
    };
    let roots: Vec<_> = report.roots.iter().take(PLACES).map(|root| printable(root)).collect();
    let more = report.roots.len().saturating_sub(PLACES);
    let more = if more > 0 { format!(" and {more} more paths") } else { String::new() };
    let objects = match report.objects {
        0 => String::new(),
        1 => " and 1 object of git".to_owned(),
        objects => format!(" and {objects} objects of git"),
    };
    format!("{} {files}{objects} in {}{more}{links}", report.files, roots.join(", "))
}

fn places(report: &LocateReport) -> String {
    let of = |class| report.rows.iter().filter(|row| row.place.class == class).count();
    let states = State::ALL.iter().filter_map(|state| {
        let count = report.key_rows().filter(|row| row.place.state == *state).count();
        (count > 0).then(|| format!("{count} {state}"))
    });
    let states: Vec<_> = states.collect();
    let mut text = of(Class::Key).to_string();
    if !states.is_empty() {
        text = format!("{text} = {}", states.join(" + "));
    }
    for (class, what) in [(Class::NewKey, "of programmatic keys"), (Class::Stranger, "of other keys")] {
        let count = of(class);
        if count > 0 {
            text = format!("{text}; {count} {what}");
        }
    }
    text
}

/// The worst keys with their first places.
fn located(page: &mut Page, report: &LocateReport) {
    let keys = report.with_places();
    for (key, rows) in keys.iter().take(KEYS) {
        page.text(line(key));
        for row in rows.iter().take(PLACES) {
            let waived = if row.is_waived() { ", waived" } else { "" };
            let repository = match &*row.place.repository {
                "." => String::new(),
                repository if repository == row.place.path => String::new(),
                repository => format!("{repository}/"),
            };
            let place = printable(&format!("{repository}{}", row.place.label()));
            page.text(Text::from("    ").unbroken(&place).plain(&format!(" ({}{waived})", row.place.state)));
            if let Some(context) = row.context {
                page.text(format!("      {}", printable(context.trim())));
            }
        }
        if let Some(more @ 1..) = rows.len().checked_sub(PLACES) {
            page.text(format!("    and {more} more"));
        }
    }
    if let Some(more @ 1..) = keys.len().checked_sub(KEYS) {
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
