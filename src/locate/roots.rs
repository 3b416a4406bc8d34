//! What is searched: each path that was named, and the repository that it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::names;

/// As a path: standard input.
pub(crate) const STDIN: &str = "-";
/// What the outputs call it: a text that is no formula for a spreadsheet.
const STANDARD_INPUT: &str = "standard input";

/// A path that was named.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// As it was typed, without what changes nothing.
    pub(super) path: PathBuf,
    absolute: PathBuf,
    pub(super) kind: RootKind,
    /// The folder of the repository that it is in, or the folder itself; for a file its own folder.
    pub(super) repository: PathBuf,
    /// From there to the path; empty for the same.
    pub(super) below: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RootKind {
    Folder,
    File,
    StandardInput,
}

impl Root {
    /// What is at this path.
    ///
    /// # Errors
    /// There is nothing, or it is not accessible.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == STDIN {
            if Path::new(STDIN).symlink_metadata().is_ok() {
                let why = "it is standard input, and a file of this name is here, too: give ./- for the file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            let [path, absolute, repository, below] = [(); 4].map(|()| PathBuf::from(STANDARD_INPUT));
            return Ok(Self { path, absolute, kind: RootKind::StandardInput, repository, below });
        }
        let kind = if std::fs::metadata(path)?.is_dir() { RootKind::Folder } else { RootKind::File };
        let path = names::lexical(path);
        let here = std::env::current_dir()?;
        let absolute = names::lexical(&here.join(&path));
        let folder = match kind {
            RootKind::File => absolute.parent().unwrap_or(&absolute),
            RootKind::Folder | RootKind::StandardInput => &absolute,
        };
        let repository = folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder);
        let below = absolute.strip_prefix(repository).unwrap_or(&absolute).to_owned();
        let is_absolute = path.is_absolute();
        let repository = if is_absolute { repository.to_owned() } else { names::relative(&here, repository) };
        Ok(Self { path, absolute, kind, repository, below })
    }

    /// For a person, as it was typed.
    pub(crate) fn text(&self) -> String {
        names::text(&self.path)
    }
}

/// Each path once, and none that is searched with a folder. `explicit_files`: a named file may be one that its folder leaves
/// out.
pub(crate) fn distinct(roots: Vec<Root>, explicit_files: bool) -> Vec<Root> {
    let folders: BTreeSet<_> =
        roots.iter().filter(|root| root.kind == RootKind::Folder).map(|root| root.absolute.clone()).collect();
    let is_searched = |root: &Root| match root.kind {
        RootKind::StandardInput => false,
        RootKind::File if explicit_files => false,
        RootKind::File | RootKind::Folder => root.absolute.ancestors().skip(1).any(|it| folders.contains(it)),
    };
    let roots: BTreeMap<_, _> = roots
        .into_iter()
        .filter(|root| !is_searched(root))
        .map(|root| (root.absolute.clone(), root))
        .collect();
    roots.into_values().collect()
}
