//! The diff as a page: a table a kind of change. What anybody else wrote stands in code spans.

use std::io::{self, Write};

use super::{Sections, heading};
use crate::exit::Error;
use crate::history::diff::{Change, Entry, Frame, Sides};
use crate::model::{Suffix, User, rfc3339};
use crate::report::text::{code, shortened};

/// Characters of a description.
const DESCRIPTION: usize = 100;

#[expect(clippy::unnecessary_wraps, reason = "every form has a line, and JSON's may fail")]
pub(super) fn line(entry: &Entry) -> Result<String, Error> {
    let who = who(entry.user);
    let Some(key) = entry.key.as_ref().and_then(Sides::newest) else {
        return Ok(format!("| {who} | {} | {} |\n", code(&entry.user.id), entry.why));
    };
    let ends_in = code(key.suffix.as_ref().map_or("", Suffix::as_str));
    let description = code(&shortened(&key.description, DESCRIPTION));
    Ok(format!("| {who} | {} | {ends_in} | {description} | {} |\n", code(&key.id), entry.why))
}

fn who(user: &User) -> String {
    match user.username.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => code(name),
        None => code(&user.id),
    }
}

pub(super) fn page(out: &mut dyn Write, frame: &Frame, sections: &mut Sections) -> io::Result<()> {
    let Frame { before, after } = frame;
    writeln!(out, "## What changed in {}\n", code(&after.run.deployment))?;
    writeln!(out, "| | Run | Started | Users | Not read | Keys | Enabled |")?;
    writeln!(out, "|---|--:|---|--:|--:|--:|--:|")?;
    for (side, summary) in [("from", before), ("to", after)] {
        let (run, stats) = (&summary.run, &summary.stats);
        let started = rfc3339(run.started_at);
        let (users, unread, keys, enabled) = (stats.users, stats.unread, stats.keys, stats.enabled);
        writeln!(out, "| {side} | {} | {started} | {users} | {unread} | {keys} | {enabled} |", run.id)?;
    }
    let caveats = frame.caveats();
    if !caveats.is_empty() {
        writeln!(out, "\n> [!WARNING]")?;
    }
    for caveat in caveats {
        writeln!(out, "> - {}", code(&caveat))?;
    }
    if sections.is_empty() {
        writeln!(out, "\nNothing changed in what was read.")?;
    }
    for change in Change::ALL {
        let count = sections.count(*change);
        if count == 0 {
            continue;
        }
        let (title, remark) = heading(*change);
        writeln!(out, "\n### {title} ({count})\n")?;
        if !remark.is_empty() {
            writeln!(out, "Note: {remark}.\n")?;
        }
        if is_of_users(*change) {
            writeln!(out, "| User | User id | Why |\n|---|---|---|")?;
        } else {
            writeln!(out, "| User | Key | Ends in | Description | What |\n|---|---|---|---|---|")?;
        }
        io::copy(&mut sections.read(*change)?, out)?;
    }
    Ok(())
}

fn is_of_users(change: Change) -> bool {
    match change {
        Change::BecameUnreadable
        | Change::BecameReadable
        | Change::UserCame
        | Change::UserFirstSeen
        | Change::UserWent
        | Change::UserUnknown => true,
        Change::Used
        | Change::UseUnknown
        | Change::Came
        | Change::FirstSeen
        | Change::Went
        | Change::LeftWithUser
        | Change::Unknown
        | Change::Disabled
        | Change::Enabled => false,
    }
}
