//! The diff for people: the compared runs, then a section a kind of change. For a terminal, and as Markdown, in which text
//! from outside is in code spans.

use std::io::{self, Write};

use anstyle::Style;

use super::Sections;
use crate::commands::run_label;
use crate::console::{Page, Text, style};
use crate::history::diff::{Change, ChangeKind, KeyVersions, RunPair};
use crate::history::{RunStats, RunSummary};
use crate::model::{Suffix, rfc3339};
use crate::plan::{Moves, Progress};
use crate::report::text::{code, printable, shortened};

/// Characters of a description for a terminal.
const SHORT: usize = 60;
/// Characters of a description in a table.
const LONG: usize = 100;

pub(super) fn text_line(out: &mut Vec<u8>, change: &Change) -> io::Result<()> {
    let mut page = Page::default();
    let mut line = change.user.label().to_owned();
    if let Some(key) = change.key.map(KeyVersions::newest) {
        line = [line, key.id.clone(), shortened(&key.description, SHORT)].join("  ");
    }
    // A dash first, so that no name can begin a line: some log readers take lines for commands.
    page.columns(Text::from("  - "), 4, format!("{}: {}", line.trim_end(), change.why));
    out.write_all(page.into_text().as_bytes())
}

pub(super) fn text(
    out: &mut dyn Write,
    pair: &RunPair,
    progress: &Moves,
    sections: &mut Sections,
) -> io::Result<()> {
    let mut page = Page::default();
    page.text(printable(&pair.after.run.deployment));
    for (label, RunSummary { run, stats, .. }) in [("from", &pair.before), ("to", &pair.after)] {
        let RunStats { users, unread, keys, enabled, .. } = stats;
        let run = run_label(run);
        page.line(label, format!("{run}: {users} users, {unread} not read, {keys} keys, {enabled} enabled"));
    }
    page.lines("progress", replacements(pair, progress));
    for caveat in pair.caveats() {
        page.styled_line(style::WARNING, "warning", caveat);
    }
    write!(out, "{}", page.into_text())?;
    write_sections(out, sections, |out, kind, count| {
        let (title, remark) = heading(kind);
        let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
        let mut page = Page::default();
        let title = Text::default().styled(Style::new().bold(), &format!("{title} ({count})"));
        page.text(title.plain(&remark));
        write!(out, "\n{}", page.into_text())
    })
}

pub(super) fn markdown_line(out: &mut Vec<u8>, change: &Change) -> io::Result<()> {
    write!(out, "| {} | ", code(change.user.label()))?;
    match change.key.map(KeyVersions::newest) {
        Some(key) => {
            let suffix = code(key.suffix.as_ref().map_or("", Suffix::as_str));
            let description = code(&shortened(&key.description, LONG));
            write!(out, "{} | {suffix} | {description}", code(&key.id))?;
        }
        None => write!(out, "{}", code(change.user.id_or_empty()))?,
    }
    writeln!(out, " | {} |", change.why)
}

/// The states of the replacements in both runs, and which changed; nothing where neither run has one.
fn replacements(pair: &RunPair, Moves { before, after, counts }: &Moves) -> Vec<String> {
    let has_some = |progress: &Option<Progress>| progress.is_some_and(|progress| progress.total() > 0);
    if !has_some(before) && !has_some(after) {
        return Vec::new();
    }
    let of_run = |summary: &RunSummary, progress: &Option<Progress>| {
        let states = match progress {
            None => "unknown, the run did not read programmatic keys".to_owned(),
            Some(progress) if progress.total() == 0 => "none".to_owned(),
            Some(progress) => progress.to_string(),
        };
        format!("replacements in run {}: {states}", summary.run.id)
    };
    let mut lines = vec![of_run(&pair.before, before), of_run(&pair.after, after)];
    let moves = counts.iter().flatten().map(|(states, count)| match states {
        (Some(from), Some(to)) => format!("{count} moved from {from} to {to}"),
        (None, Some(to)) => format!("{count} in the later run only: {to}"),
        (Some(from), None) => format!("{count} in the earlier run only: {from}"),
        (None, None) => String::new(),
    });
    lines.extend(moves);
    lines
}

pub(super) fn markdown(
    out: &mut dyn Write,
    pair: &RunPair,
    progress: &Moves,
    sections: &mut Sections,
) -> io::Result<()> {
    writeln!(out, "## Changes in {}\n", code(&pair.after.run.deployment))?;
    writeln!(out, "| | Run | Started | Users | Not read | Keys | Enabled |")?;
    writeln!(out, "|---|--:|---|--:|--:|--:|--:|")?;
    for (side, RunSummary { run, stats, .. }) in [("from", &pair.before), ("to", &pair.after)] {
        let RunStats { users, unread, keys, enabled, .. } = stats;
        let started = rfc3339(run.started_at);
        writeln!(out, "| {side} | {} | {started} | {users} | {unread} | {keys} | {enabled} |", run.id)?;
    }
    let replacements = replacements(pair, progress);
    if !replacements.is_empty() {
        writeln!(out)?;
    }
    for line in replacements {
        writeln!(out, "- {line}")?;
    }
    let caveats = pair.caveats();
    if !caveats.is_empty() {
        writeln!(out, "\n> [!WARNING]")?;
    }
    for caveat in caveats {
        writeln!(out, "> - {}", code(&caveat))?;
    }
    write_sections(out, sections, |out, kind, count| {
        let (title, remark) = heading(kind);
        writeln!(out, "\n### {title} ({count})\n")?;
        if !remark.is_empty() {
            writeln!(out, "Note: {remark}.\n")?;
        }
        if kind.is_of_user() {
            writeln!(out, "| User | User ID | Details |\n|---|---|---|")
        } else {
            writeln!(out, "| User | Key | Ends in | Description | Details |\n|---|---|---|---|---|")
        }
    })
}

/// The sections that are not empty, each below what `head` writes of it.
fn write_sections(
    out: &mut dyn Write,
    sections: &mut Sections,
    head: impl Fn(&mut dyn Write, ChangeKind, u64) -> io::Result<()>,
) -> io::Result<()> {
    if sections.is_empty() {
        writeln!(out, "\nNo changes.")?;
    }
    for kind in ChangeKind::ALL {
        let count = sections.count(*kind);
        if count > 0 {
            head(out, *kind, count)?;
            io::copy(&mut sections.read(*kind)?, out)?;
        }
    }
    Ok(())
}

/// The title of a section, and a remark on its content.
fn heading(kind: ChangeKind) -> (&'static str, &'static str) {
    match kind {
        ChangeKind::BecameUnreadable => ("Users no longer readable", "the state of their keys is unknown"),
        ChangeKind::BecameReadable => ("Users now readable", ""),
        ChangeKind::UserCame => ("New users", ""),
        ChangeKind::UserFirstSeen => ("Users seen for the first time", "they may have existed before"),
        ChangeKind::UserWent => ("Users no longer listed", "their accounts may still exist"),
        ChangeKind::UserUnknown => ("Users missing from the later run", "they may still exist"),
        ChangeKind::Used => ("Keys used between the runs", "programs probably still use them"),
        ChangeKind::UseUnknown => ("Keys with unknown use between the runs", "treat them as used"),
        ChangeKind::Came => ("New keys", "the earlier run read all keys of their users"),
        ChangeKind::FirstSeen => ("Keys seen for the first time", "they may have existed before"),
        ChangeKind::Went => ("Removed keys", ""),
        ChangeKind::LeftWithUser => {
            ("Keys of users no longer listed", "not checked; the accounts and keys may still exist")
        }
        ChangeKind::Unknown => ("Keys that could not be checked", "treat them as existing"),
        ChangeKind::Disabled => ("Keys that were disabled", ""),
        ChangeKind::Enabled => ("Keys that were enabled again", ""),
    }
}
