//! The diff for a terminal: what was compared, then a section a kind of change.

use std::io::{self, Write};

use super::{Sections, heading};
use crate::exit::Error;
use crate::history::RunSummary;
use crate::history::diff::{Change, Entry, Frame};
use crate::model::{User, rfc3339};
use crate::report::text::{printable, shortened};

/// Characters of a description.
const DESCRIPTION: usize = 60;

#[expect(clippy::unnecessary_wraps, reason = "every form has a line, and JSON's may fail")]
pub(super) fn line(entry: &Entry) -> Result<String, Error> {
    // A dash first, so that no name can begin a line: some log readers take lines for commands.
    let mut line = format!("  - {}", who(entry.user));
    if let Some(key) = entry.key.and_then(|sides| sides.newest()) {
        line.push_str("  ");
        line.push_str(&printable(&key.id));
        if !key.description.is_empty() {
            line.push_str("  ");
            line.push_str(&printable(&shortened(&key.description, DESCRIPTION)));
        }
    }
    Ok(format!("{line}: {}\n", entry.why))
}

fn who(user: &User) -> String {
    printable(user.username.as_deref().unwrap_or(&user.id))
}

pub(super) fn page(out: &mut dyn Write, frame: &Frame, sections: &mut Sections) -> io::Result<()> {
    let Frame { before, after } = frame;
    writeln!(out, "{}", printable(&after.run.deployment))?;
    for (label, summary) in [("from", before), ("to", after)] {
        writeln!(out, "  {label:<12}{}", run(summary))?;
    }
    for (at, caveat) in frame.caveats().iter().enumerate() {
        writeln!(out, "  {:<12}{}", if at == 0 { "but" } else { "" }, printable(caveat))?;
    }
    if sections.is_empty() {
        writeln!(out, "\nNothing changed in what was read.")?;
    }
    for change in Change::ALL {
        let count = sections.count(*change);
        if count > 0 {
            let (title, remark) = heading(*change);
            let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
            writeln!(out, "\n{title} ({count}){remark}")?;
            io::copy(&mut sections.read(*change)?, out)?;
        }
    }
    Ok(())
}

fn run(summary: &RunSummary) -> String {
    let stats = &summary.stats;
    format!(
        "run {} of {}: {} users, {} not read, {} keys, {} of them enabled",
        summary.run.id,
        rfc3339(summary.run.started_at),
        stats.users,
        stats.unread,
        stats.keys,
        stats.enabled
    )
}
