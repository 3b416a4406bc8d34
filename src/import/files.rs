//! The files that were named, and those in the folders that were named.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::exit::{Error, reason};

/// A file with answers.
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    /// The file beside it into which curl wrote the headers.
    pub(super) headers: Option<PathBuf>,
}

/// What is below the inputs.
pub(super) struct InputFiles {
    /// By path, none of them twice.
    pub(super) files: Vec<InputFile>,
    /// What can't be read, and why.
    pub(super) unreadable: Vec<(PathBuf, String)>,
}

/// Looks for files.
///
/// # Errors
/// Every input that isn't there, and every folder that holds no file.
pub(super) fn find(inputs: &[PathBuf]) -> Result<InputFiles, Error> {
    let (mut paths, mut unreadable, mut missing) = (BTreeSet::new(), Vec::new(), Vec::new());
    for input in inputs {
        let mut is_empty = true;
        let entries = WalkDir::new(input).follow_links(true).into_iter();
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_clutter(entry.path())) {
            let is_folder = entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir());
            is_empty &= is_folder;
            match entry {
                Ok(_) if is_folder => {}
                Ok(entry) if entry.file_type().is_file() || entry.depth() == 0 => {
                    paths.insert(entry.into_path());
                }
                // Reading a pipe that somebody left in a folder may never end.
                Ok(entry) => {
                    unreadable.push((entry.into_path(), "neither a file nor a folder".to_owned()));
                }
                Err(why) if why.loop_ancestor().is_some() => {}
                Err(why) => {
                    let path = why.path().unwrap_or(input).to_owned();
                    let detail = why.io_error().map_or_else(|| why.to_string(), reason);
                    let list = if why.depth() == 0 { &mut missing } else { &mut unreadable };
                    list.push((path, detail));
                }
            }
        }
        if is_empty {
            missing.push((input.clone(), "the folder contains no files".to_owned()));
        }
    }
    if !missing.is_empty() {
        let lines = missing.iter().map(|(path, why)| format!("{}: {why}", path.display()));
        return Err(Error::input("no saved responses to import")
            .details(lines)
            .help("name files with saved responses of GET /users/{id}/keys, or folders of such files"));
    }
    let mut known = HashSet::new();
    // What has no true name, such as a pipe of the shell, is known by the one it was given.
    paths.retain(|path| known.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    Ok(InputFiles { files: with_headers(paths), unreadable })
}

/// What systems and version control leave in folders.
fn is_clutter(path: &Path) -> bool {
    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    let prefixes = ["._", ".git"];
    let names =
        ".DS_Store .directory .hg .localized .svn .Trashes Thumbs.db desktop.ini __MACOSX $RECYCLE.BIN";
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.split(' ').any(|known| name == known)
}

/// Joins `NAME.headers` to the one file beside it whose name is the same but for its ending. What belongs to no one file is a
/// file like any other.
fn with_headers(paths: BTreeSet<PathBuf>) -> Vec<InputFile> {
    let mut by_name: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        by_name.entry(path.with_extension("")).or_default().push(path);
    }
    let is_headers = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "headers");
    let mut files = Vec::new();
    for mut paths in by_name.into_values() {
        let headers =
            paths.iter().position(is_headers).filter(|_| paths.len() == 2).map(|at| paths.remove(at));
        files.extend(paths.into_iter().map(|path| InputFile { path, headers: headers.clone() }));
    }
    files
}
