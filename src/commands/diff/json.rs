//! The diff for programs: one array a kind of change. The names are promised outward (docs/history.md),
//! whatever the model calls its fields.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Write};

use serde::Serialize;

use super::Sections;
use crate::commands::history::json::{RunFacts, VERSION};
use crate::history::Usage;
use crate::history::diff::{Change, ChangeKind, KeyVersions, RunPair};
use crate::model::{PersonalKey, ReadStatus, Suffix, rfc3339};
use crate::output::JsonArray;
use crate::plan::{Moves, ReplacementState};

#[derive(Serialize)]
struct ChangeFields<'a> {
    user_id: &'a str,
    username: Option<&'a str>,
    /// Absent from a run: `None`.
    read_status_before: Option<ReadStatus>,
    read_status_after: Option<ReadStatus>,
    #[serde(flatten)]
    key: Option<ChangedKey<'a>>,
    why: &'a str,
}

#[derive(Serialize)]
struct ChangedKey<'a> {
    key_id: &'a str,
    key_suffix: Option<&'a str>,
    description: &'a str,
    created_at: Option<String>,
    enabled_before: Option<bool>,
    enabled_after: Option<bool>,
    last_used_before: Option<String>,
    last_used_after: Option<String>,
    used_count_before: Option<u64>,
    used_count_after: Option<u64>,
    /// Calls between the runs; `None` if the number is unknown, which is not 0.
    calls: Option<u64>,
    /// Between the two readings.
    seconds: Option<i64>,
    calls_a_day: Option<f64>,
    auditing_key: bool,
}

impl<'a> ChangedKey<'a> {
    fn new(versions: KeyVersions<'a>, usage: Option<&Usage>) -> Self {
        let (before, after, newest) = (versions.before(), versions.after(), versions.newest());
        let last = |key: Option<&PersonalKey>| key.and_then(PersonalKey::last_use).map(rfc3339);
        Self {
            key_id: &newest.id,
            key_suffix: newest.suffix.as_ref().map(Suffix::as_str),
            description: &newest.description,
            created_at: newest.created_at.map(rfc3339),
            enabled_before: before.and_then(|key| key.enabled),
            enabled_after: after.and_then(|key| key.enabled),
            last_used_before: last(before),
            last_used_after: last(after),
            used_count_before: before.and_then(|key| key.used_count),
            used_count_after: after.and_then(|key| key.used_count),
            calls: usage.and_then(Usage::calls),
            seconds: usage.and_then(|usage| match usage {
                Usage::Used { seconds, .. } => Some(*seconds),
                Usage::Unused | Usage::Unknown(_) => None,
            }),
            calls_a_day: usage.and_then(Usage::calls_a_day),
            auditing_key: versions.is_auditing(),
        }
    }
}

pub(super) fn line(out: &mut Vec<u8>, change: &Change) -> io::Result<()> {
    let fields = ChangeFields {
        user_id: change.user.id_or_empty(),
        username: change.user.username.as_deref(),
        read_status_before: change.status_before,
        read_status_after: change.status_after,
        key: change.key.map(|versions| ChangedKey::new(versions, change.usage.as_ref())),
        why: &change.why,
    };
    out.extend_from_slice(b"    ");
    serde_json::to_writer(&mut *out, &fields)?;
    out.push(b'\n');
    Ok(())
}

#[derive(Serialize)]
struct DiffHead<'a> {
    version: u32,
    before: RunFacts<'a>,
    after: RunFacts<'a>,
    caveats: Vec<String>,
    /// Changes by kind.
    counts: BTreeMap<ChangeKind, u64>,
    /// Replacements that changed their state; `None` where one of the runs does not show states.
    replacement_moves: Option<Vec<MoveFields>>,
}

#[derive(Serialize)]
struct MoveFields {
    /// `None` where the run does not have the replacement.
    from: Option<ReplacementState>,
    to: Option<ReplacementState>,
    replacements: u64,
}

fn moves(moves: &Moves) -> Option<Vec<MoveFields>> {
    let moves = moves.counts.as_ref()?.iter();
    Some(moves.map(|((from, to), count)| MoveFields { from: *from, to: *to, replacements: *count }).collect())
}

pub(super) fn page(
    out: &mut dyn Write,
    pair: &RunPair,
    progress: &Moves,
    sections: &mut Sections,
) -> io::Result<()> {
    let head = DiffHead {
        version: VERSION,
        before: RunFacts::new(&pair.before, progress.before.as_ref()),
        after: RunFacts::new(&pair.after, progress.after.as_ref()),
        caveats: pair.caveats(),
        counts: ChangeKind::ALL.iter().map(|kind| (*kind, sections.count(*kind))).collect(),
        replacement_moves: moves(progress),
    };
    let head = serde_json::to_string_pretty(&head).map_err(io::Error::other)?;
    // The arrays, one a kind of change, follow; none is held as a whole.
    write!(out, "{}", head.strip_suffix("\n}").unwrap_or(&head))?;
    for kind in ChangeKind::ALL {
        write!(out, ",\n  \"{kind}\": ")?;
        let mut items = JsonArray::open(out)?;
        for item in sections.read(*kind)?.lines() {
            items.next(out)?;
            write!(out, "{}", item?)?;
        }
        items.close(out, "\n  ]", "]")?;
    }
    writeln!(out, "\n}}")
}
