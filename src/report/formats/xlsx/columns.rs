//! The columns of the sheets. Names are those of `keys.csv` and `organizations.csv`; the order is for people: how bad, what to
//! do, whose key, and why come first.

use super::book::Layout;
use super::row::Cell;
use crate::model::{PersonalKey, ReadStatus, Suffix};
use crate::place::Place;
use crate::plan::{Columns, Decision};
use crate::policy::{Action, Judgement, Severity, Verdict};
use crate::report::OrganizationSummary;
use crate::report::record::Record;
use crate::waivers::WaiverStatus;

/// Declares a sheet: its name, how many of its columns fit a page, the headings with the width of each column in characters,
/// and the cells of a row.
macro_rules! columns {
    ($SHEET:ident, $sheet:literal, $printed:literal, $cells:ident, $Row:ty, |$it:ident| {
        $($name:literal $width:literal $cell:expr;)+
    }) => {
        pub(super) static $SHEET: Layout =
            Layout { name: $sheet, headings: &[$(($name, $width)),+], printed: $printed };

        pub(super) fn $cells<'a>($it: &'a $Row) -> impl IntoIterator<Item = Cell<'a>> {
            [$($cell),+]
        }
    };
}

columns!(KEYS, "Keys", 11, of_key, Record<'_>, |it| {
    "severity" 11 it.severity.map_or(Cell::Empty, Cell::Severity);
    "action" 18 Cell::word(it.action.map(Action::as_str));
    "verdict" 22 Cell::word(it.verdict.map(Verdict::as_str));
    "username" 32 Cell::text(it.username);
    "key_suffix" 14 Cell::text(it.key_suffix);
    "description" 32 Cell::text(it.description);
    "enabled" 10 Cell::yes_or_no(it.enabled);
    "last_used" 19 it.last_used.map_or(Cell::Empty, |time| Cell::Time(time.instant()));
    "days_since_last_use" 22 it.days_since_last_use.map_or(Cell::Empty, Cell::Number);
    "used_count" 13 Cell::count(it.used_count);
    "reason" 60 Cell::text(it.reason);
    "created_at" 19 it.created_at.map_or(Cell::Empty, |time| Cell::Time(time.instant()));
    "age_days" 11 it.age_days.map_or(Cell::Empty, Cell::Number);
    "org_names" 32 Cell::text(it.org_names);
    "places" 9 Cell::count(it.places);
    "live_places" 14 Cell::count(it.live_places);
    "waiver" 10 Cell::word(it.waiver.map(WaiverStatus::as_str));
    "waiver_reason" 32 Cell::text(it.waiver_reason);
    "waiver_owner" 20 Cell::text(it.waiver_owner);
    "waiver_expires" 17 it.waiver_expires.map_or(Cell::Empty, Cell::Day);
    "waiver_ticket" 16 Cell::text(it.waiver_ticket);
    "auditing_key" 15 Cell::yes_or_no(it.auditing_key);
    "deployment" 24 Cell::text(it.deployment);
    "key_id" 26 Cell::text(it.key_id);
    "user_id" 26 Cell::text(it.user_id);
    "org_ids" 26 Cell::text(it.org_ids);
    "read_at" 19 it.read_at.map_or(Cell::Empty, |time| Cell::Time(time.instant()));
    "cutoff" 19 Cell::Time(it.cutoff.instant());
});

// Users, and lists from which users may be missing.
columns!(UNREAD, "Users not read", 8, of_unread, Record<'_>, |it| {
    "read_status" 14 Cell::word(it.read_status.map(ReadStatus::as_str));
    "username" 32 Cell::text(it.username);
    "reason" 80 Cell::text(it.reason);
    "http_status" 14 Cell::count(it.http_status.map(u64::from));
    "error_code" 28 Cell::text(it.error_code);
    "attempts" 11 Cell::count(it.attempts.map(u64::from));
    "read_at" 19 it.read_at.map_or(Cell::Empty, |time| Cell::Time(time.instant()));
    "org_names" 32 Cell::text(it.org_names);
    "waiver" 10 Cell::word(it.waiver.map(WaiverStatus::as_str));
    "waiver_reason" 32 Cell::text(it.waiver_reason);
    "waiver_owner" 20 Cell::text(it.waiver_owner);
    "waiver_expires" 17 it.waiver_expires.map_or(Cell::Empty, Cell::Day);
    "waiver_ticket" 16 Cell::text(it.waiver_ticket);
    "deployment" 24 Cell::text(it.deployment);
    "user_id" 26 Cell::text(it.user_id);
    "org_ids" 26 Cell::text(it.org_ids);
});

// A deployment and one of its organizations.
columns!(ORGANIZATIONS, "Organizations", 11, of_organization, (&str, &OrganizationSummary), |it| {
    "org_name" 32 Cell::text(it.1.organization.name.as_deref());
    "list_status" 14 Cell::word(Some(it.1.list_status.as_str()));
    "users" 10 Cell::count(it.1.users);
    "users_read" 13 Cell::count(it.1.users_read);
    "keys" 10 Cell::count(it.1.keys);
    "enabled" 10 Cell::count(it.1.enabled);
    "critical" 11 Cell::count(it.1.severity(Severity::Critical));
    "high" 10 Cell::count(it.1.severity(Severity::High));
    "medium" 10 Cell::count(it.1.severity(Severity::Medium));
    "low" 10 Cell::count(it.1.severity(Severity::Low));
    "info" 10 Cell::count(it.1.severity(Severity::Info));
    "deleted" 10 Cell::yes_or_no(it.1.organization.is_deleted);
    "deployment" 24 Cell::text(it.0);
    "org_id" 26 Cell::text(it.1.organization.id.as_str());
});

// A personal key, or one that replaces some.
columns!(PLAN, "Plan", 10, of_plan, Columns<&str>, |it| {
    "decision" 13 Cell::word(it.decision.map(Decision::as_str));
    "severity" 11 it.severity.map_or(Cell::Empty, Cell::Severity);
    "verdict" 22 Cell::word(it.verdict.map(Verdict::as_str));
    "owner" 32 Cell::text(it.owner);
    "key_suffix" 14 Cell::text(it.key_suffix);
    "description" 32 Cell::text(it.description);
    "reason" 60 Cell::text(it.reason);
    "org_name" 28 Cell::text(it.org_name);
    "scope" 13 Cell::text(it.scope);
    "roles" 44 Cell::text(it.roles);
    "roles_from" 16 Cell::text(it.roles_from);
    "review" 44 Cell::text(it.review);
    "addresses" 20 Cell::text(it.addresses);
    "deployment" 24 Cell::text(it.deployment);
    "key_id" 26 Cell::text(it.key_id);
    "owner_id" 26 Cell::text(it.owner_id);
    "org_id" 26 Cell::text(it.org_id);
});

/// A place of a key.
pub(super) struct KeyPlace<'a> {
    pub(super) deployment: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) key: &'a PersonalKey,
    pub(super) judged: &'a Judgement,
    pub(super) place: &'a Place,
}

columns!(PLACES, "Places", 10, of_place, KeyPlace<'_>, |it| {
    "severity" 11 Cell::Severity(it.judged.severity);
    "state" 12 Cell::word(Some(it.place.state.as_str()));
    "live" 8 Cell::yes_or_no(it.place.state.is_live());
    "username" 32 Cell::text(it.username);
    "key_suffix" 14 Cell::text(it.key.suffix.as_ref().map(Suffix::as_str));
    "description" 32 Cell::text(it.key.description.as_str());
    "repository" 28 Cell::text(it.place.repository.as_str());
    "path" 48 Cell::text(it.place.path.as_str());
    "member" 24 Cell::text(it.place.member.as_str());
    "line" 8 Cell::count(it.place.line);
    "column" 9 Cell::count(it.place.column);
    "encoding" 16 Cell::text(it.place.encoding.as_str());
    "first_author" 28 Cell::text(it.place.first.as_ref().map(|commit| commit.author.as_str()));
    "first_date" 19 it.place.first.as_ref().map_or(Cell::Empty, |commit| Cell::Time(commit.date));
    "first_commit" 42 Cell::text(it.place.first.as_ref().map(|commit| commit.id.as_str()));
    "last_commit" 42 Cell::text(it.place.last_commit.as_deref());
    "versions" 11 Cell::count(it.place.versions);
    "action" 18 Cell::word(Some(it.judged.action.as_str()));
    "deployment" 24 Cell::text(it.deployment);
    "key_id" 26 Cell::text(it.key.id.as_str());
});

columns!(GLOSSARY, "Glossary", 2, of_term, (&str, &str), |it| {
    "term" 24 Cell::text(it.0);
    "meaning" 110 Cell::text(it.1);
});

/// The table of `docs/glossary.md`, term and meaning, without the marks of Markdown.
pub(super) fn glossary() -> impl Iterator<Item = (String, String)> {
    let rows = include_str!("../../../../docs/glossary.md").lines().filter_map(|line| {
        let (term, meaning) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        Some((without_marks(term), without_marks(meaning)))
    });
    rows.skip(1)
}

/// A link is its text alone.
fn without_marks(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    plain.replace(['`', '*', '['], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sign of the filter takes three characters.
    #[test]
    fn every_heading_fits_its_column() {
        let layouts = [&KEYS, &UNREAD, &ORGANIZATIONS, &PLAN, &PLACES, &GLOSSARY];
        for (heading, width) in layouts.iter().flat_map(|layout| layout.headings) {
            assert!(usize::from(*width) >= heading.len() + 3, "{heading}: {width}");
        }
    }

    #[test]
    fn the_glossary_has_no_marks() {
        let entries: Vec<_> = glossary().collect();
        assert!(entries.iter().any(|(term, _)| term == "read status"), "{entries:?}");
        assert!(
            entries.iter().all(|(term, meaning)| !term.is_empty() && !meaning.contains(['`', '[', ']', '*']))
        );
    }
}
