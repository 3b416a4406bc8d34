//! What of a repository's configuration counts: the formats of objects and references, and whether objects are missing.

use gix_hash::Kind as Hash;

use super::files::{self, Problem};
use super::repository::Repository;
use crate::place::NotSearched;

/// The formats of a repository.
pub(super) struct Format {
    /// `None` for an unknown one.
    pub(super) hash: Option<Hash>,
    /// Whether references are files.
    pub(super) has_known_references: bool,
    /// What is missing by intent, or not known.
    pub(super) problems: Vec<(String, NotSearched)>,
}

/// Extensions that change nothing of what is read here.
const KNOWN: [&str; 8] = [
    "noop",
    "noop-v1",
    "preciousobjects",
    "partialclone",
    "objectformat",
    "refstorage",
    "worktreeconfig",
    "relativeworktrees",
];

/// Reads `config`, without what it includes.
pub(super) fn read(repository: &Repository, problems: &mut Vec<Problem>) -> Format {
    let common = &repository.common_dir;
    let config = files::read_up_to(&common.join("config"), 1 << 24, problems).unwrap_or_default();
    let config = String::from_utf8_lossy(&config);
    let mut format = Format { hash: Some(Hash::Sha1), has_known_references: true, problems: Vec::new() };
    // The store says if it cannot be read.
    let mut is_partial = files::names(&common.join("objects/pack"), &mut Vec::new())
        .iter()
        .any(|name| name.to_string_lossy().ends_with(".promisor"));
    for (section, key, value) in settings(&config) {
        match (section.as_str(), key.as_str()) {
            ("extensions", "objectformat") => {
                format.hash = match value.to_ascii_lowercase().as_str() {
                    "sha1" => Some(Hash::Sha1),
                    "sha256" => Some(Hash::Sha256),
                    _ => None,
                }
            }
            ("extensions", "refstorage") => format.has_known_references = value.eq_ignore_ascii_case("files"),
            ("extensions", "partialclone") => is_partial = true,
            ("extensions", key) if !KNOWN.contains(&key) => {
                format.problems.push(("config".to_owned(), NotSearched::UnknownFormat));
            }
            ("remote", "promisor") => is_partial |= !value.eq_ignore_ascii_case("false"),
            _ => {}
        }
    }
    format.has_known_references &= !common.join("reftable").exists();
    if !format.has_known_references {
        format.problems.push(("reftable".to_owned(), NotSearched::UnknownFormat));
    }
    if is_partial {
        format.problems.push((String::new(), NotSearched::Partial));
    }
    if files::read(&common.join("shallow"), problems).is_some_and(|list| !list.is_empty()) {
        format.problems.push((String::new(), NotSearched::Shallow));
    }
    format
}

/// Section, key and value of each setting; of a section with a name in quotes only what is before it.
fn settings(config: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut settings = Vec::new();
    for line in config.lines().map(str::trim) {
        let mut line = line;
        if let Some(rest) = line.strip_prefix('[') {
            let Some((name, rest)) = rest.rsplit_once(']') else { continue };
            section = name.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
            line = rest.trim();
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let value = value.split(['#', ';']).next().unwrap_or_default().trim().trim_matches('"');
        settings.push((section.clone(), key.trim().to_ascii_lowercase(), value.to_owned()));
    }
    settings
}
