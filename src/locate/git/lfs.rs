//! Files of Git LFS: the repository has a pointer to the content, which may be in a folder beside the objects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::{self, Problem};
use super::findings::{Findings, Results};
use crate::locate::names;
use crate::locate::scan::{Hit, Scanner};
use crate::place::NotSearched;

/// What is in a file that no pointer leads to.
pub(super) struct Stray {
    /// Below the folder of the repository.
    pub(super) path: String,
    pub(super) found: Results,
}

/// Searches all contents; what is in one counts as in all objects with a pointer to it.
pub(super) fn search(
    common: &Path,
    scanner: &mut Scanner<'_>,
    findings: &mut Findings,
    read: &AtomicU64,
    problems: &mut Vec<Problem>,
) -> Vec<Stray> {
    let folder = common.join("lfs/objects");
    let mut present = BTreeSet::new();
    for first in files::names(&folder, problems) {
        for second in files::names(&folder.join(&first), problems) {
            let names = files::names(&folder.join(&first).join(&second), problems);
            present.extend(names.into_iter().map(|name| PathBuf::from(&first).join(&second).join(name)));
        }
    }
    let names: BTreeSet<_> = present.iter().filter_map(|path| name(path)).map(str::to_owned).collect();
    let mut strays = Vec::new();
    for path in present {
        let pointers = name(&path).and_then(|name| findings.pointers.remove(name));
        let mut found = search_file(&folder.join(&path), scanner, read);
        // Pointers in an archive.
        found.pointers.retain(|(_, content)| !names.contains(content));
        let Some(pointers) = pointers else {
            found.report_pointers();
            strays.push(Stray { path: format!("lfs/objects/{}", names::text(&path)), found });
            continue;
        };
        for (number, member) in pointers {
            let within = |inner: &str| match (member.as_str(), inner) {
                ("", inner) => inner.to_owned(),
                (outer, "") => outer.to_owned(),
                (outer, inner) => format!("{outer}!{inner}"),
            };
            if !found.hits.is_empty() {
                let hits = found.hits.values().map(|hit| Hit { member: within(&hit.member), ..hit.clone() });
                findings.hits.entry(number).or_default().extend(hits);
            }
            let rows = found.unsearched.iter().map(|(member, why)| (within(member), *why));
            let rows: Vec<_> = rows
                .chain(found.pointers.iter().map(|(member, _)| (within(member), NotSearched::LfsPointer)))
                .collect();
            if !rows.is_empty() {
                findings.unsearched.entry(number).or_default().extend(rows);
            }
        }
    }
    for (number, member) in std::mem::take(&mut findings.pointers).into_values().flatten() {
        findings.unsearched.entry(number).or_default().insert((member, NotSearched::LfsPointer));
    }
    findings.contents = names;
    strays
}

fn name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

fn search_file(path: &Path, scanner: &mut Scanner<'_>, read: &AtomicU64) -> Results {
    let mut found = Results::default();
    match files::open(path) {
        Ok(mut file) => {
            read.fetch_add(file.metadata().map_or(0, |meta| meta.len()), Ordering::Relaxed);
            scanner.file("", &mut file, &mut found);
        }
        Err(_) => _ = found.unsearched.insert((String::new(), NotSearched::Unreadable)),
    }
    found
}
