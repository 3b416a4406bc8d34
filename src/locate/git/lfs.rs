//! Files of Git LFS: the repository has a pointer to the content, which may be in a folder beside the objects.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::{self, Problem};
use super::findings::{Findings, Hits};
use crate::locate::names;
use crate::locate::scan::Scanner;
use crate::place::NotSearched;

/// A pointer is smaller.
const LONGEST: usize = 1024;

/// The name of the file with the content that a pointer is to.
pub(super) fn content_of(pointer: &[u8]) -> Option<String> {
    if pointer.len() >= LONGEST || !pointer.starts_with(b"version https://") {
        return None;
    }
    let mut lines = std::str::from_utf8(pointer).ok()?.lines();
    lines.next().filter(|line| line.contains("git-lfs") || line.contains("hawser"))?;
    let id = lines.find_map(|line| line.strip_prefix("oid sha256:"))?;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_ascii_lowercase())
}

/// What is in a file that no pointer leads to.
pub(super) struct Stray {
    /// Below the folder of the repository.
    pub(super) path: String,
    pub(super) found: Hits,
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
    let mut strays = Vec::new();
    for path in present {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let numbers = findings.pointers.remove(name);
        let found = search_file(&folder.join(&path), scanner, read);
        for number in numbers.iter().flatten() {
            if !found.hits.is_empty() {
                findings.hits.entry(*number).or_default().extend(found.hits.values().cloned());
            }
            if !found.unsearched.is_empty() {
                findings.unsearched.entry(*number).or_default().extend(found.unsearched.iter().cloned());
            }
        }
        if numbers.is_none() {
            strays.push(Stray { path: format!("lfs/objects/{}", names::text(&path)), found });
        }
    }
    for number in findings.pointers.values().flatten() {
        let why = (String::new(), NotSearched::LfsPointer);
        findings.unsearched.entry(*number).or_default().insert(why);
    }
    strays
}

fn search_file(path: &Path, scanner: &mut Scanner<'_>, read: &AtomicU64) -> Hits {
    let mut found = Hits::default();
    match files::open(path) {
        Ok(mut file) => {
            read.fetch_add(file.metadata().map_or(0, |meta| meta.len()), Ordering::Relaxed);
            scanner.file("", &mut file, &mut found);
        }
        Err(_) => _ = found.unsearched.insert((String::new(), NotSearched::Unreadable)),
    }
    found
}
