//! The files that were named, and those in the folders that were named.

use std::collections::VecDeque;
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use walkdir::WalkDir;

use super::SORTED;
use crate::disk_sort::{DiskSorter, Sorted};
use crate::exit::{Error, reason};
use crate::packed::{Packed, pack_bytes};

/// A file with answers.
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    /// The file beside it into which curl wrote the headers.
    pub(super) headers: Option<PathBuf>,
}

/// The files below the inputs, by path, none of them twice. `NAME.headers` is joined to the one file beside it whose name is
/// the same but for its ending; what belongs to no one file is a file like any other.
pub(super) struct InputFiles {
    /// By name without ending, then by path.
    paths: Sorted,
    /// The next paths, as many as it takes to see which have the same name.
    window: VecDeque<PathBuf>,
    /// Of the path before, without its ending.
    last: Option<PathBuf>,
}

/// Looks for files; `unreadable` takes what can't be read, and why. Memory does not grow with their number.
///
/// # Errors
/// Every input that isn't there, and every folder that holds no file; or the folder for temporary files can't be used.
pub(super) fn find(
    inputs: &[PathBuf],
    mut unreadable: impl FnMut(&Path, &str) -> io::Result<()>,
) -> Result<InputFiles, Error> {
    let no_file = |why: io::Error| Error::no_temporary_file(&why);
    let (mut found, mut missing) = (DiskSorter::new(SORTED), Vec::new());
    for input in inputs {
        let mut is_empty = true;
        let entries = WalkDir::new(input).follow_links(true).into_iter();
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_clutter(entry.path())) {
            let is_folder = entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir());
            is_empty &= is_folder;
            match entry {
                Ok(_) if is_folder => {}
                Ok(entry) if entry.file_type().is_file() || entry.depth() == 0 => {
                    // What has no true name, such as a pipe of the shell, is known by the one it was given.
                    let path = entry.path();
                    let true_name = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                    let true_name = rank(&true_name);
                    let mut record = Vec::new();
                    pack_bytes(&mut record, Some(&true_name));
                    pack_bytes(&mut record, Some(&bytes(path)));
                    found.add(&[true_name, rank(path)].concat(), &record).map_err(no_file)?;
                }
                // Reading a pipe that somebody left in a folder may never end.
                Ok(entry) => unreadable(entry.path(), "neither a file nor a folder").map_err(no_file)?,
                Err(why) if why.loop_ancestor().is_some() => {}
                Err(why) => {
                    let path = why.path().unwrap_or(input);
                    let detail = why.io_error().map_or_else(|| why.to_string(), reason);
                    match why.depth() {
                        0 => missing.push((path.to_owned(), detail)),
                        _ => unreadable(path, &detail).map_err(no_file)?,
                    }
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
    without_repeats(found).map_err(no_file)
}

/// Each true name once, with the first of its paths.
fn without_repeats(found: DiskSorter) -> io::Result<InputFiles> {
    let (mut by_true_name, mut files) = (found.sort()?, DiskSorter::new(SORTED));
    let mut last = Vec::new();
    while let Some((_, record)) = by_true_name.next()? {
        let mut record = Packed(record);
        let (true_name, path) = (record.bytes()?.unwrap_or_default(), record.bytes()?.unwrap_or_default());
        if last != true_name {
            true_name.clone_into(&mut last);
            let name = path_from(path)?;
            files.add(&[rank(&name.with_extension("")), rank(&name)].concat(), path)?;
        }
    }
    Ok(InputFiles { paths: files.sort()?, window: VecDeque::new(), last: None })
}

/// What systems and version control leave in folders.
fn is_clutter(path: &Path) -> bool {
    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    let prefixes = ["._", ".git"];
    let names =
        ".DS_Store .directory .hg .localized .svn .Trashes Thumbs.db desktop.ini __MACOSX $RECYCLE.BIN";
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.split(' ').any(|known| name == known)
}

impl InputFiles {
    /// The next file; `None` after the last.
    ///
    /// # Errors
    /// The temporary file can't be read.
    pub(super) fn next(&mut self) -> io::Result<Option<InputFile>> {
        // Three paths show whether the first two are all that have their name.
        while self.window.len() < 3
            && let Some((_, value)) = self.paths.next()?
        {
            self.window.push_back(path_from(value)?);
        }
        let Some(path) = self.window.pop_front() else { return Ok(None) };
        let name = path.with_extension("");
        let is_same = |path: Option<&PathBuf>| path.is_some_and(|path| path.with_extension("") == name);
        let are_two =
            self.last.as_ref() != Some(&name) && is_same(self.window.front()) && !is_same(self.window.get(1));
        self.last = Some(name);
        let is_headers = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "headers");
        let [path, headers] = match self.window.front() {
            Some(_) if are_two && is_headers(&path) => [self.window.pop_front(), Some(path)],
            Some(second) if are_two && is_headers(second) => [Some(path), self.window.pop_front()],
            Some(_) | None => [Some(path), None],
        };
        Ok(path.map(|path| InputFile { path, headers }))
    }
}

/// Bytes in whose order paths are as they are compared: one part after the other.
fn rank(path: &Path) -> Vec<u8> {
    let mut rank = Vec::new();
    for part in path.components() {
        rank.push(match part {
            Component::Prefix(_) => 1,
            Component::RootDir => 2,
            Component::CurDir => 3,
            Component::ParentDir => 4,
            Component::Normal(_) => 5,
        });
        // No name contains a 0, and it comes before all that may follow in a longer name.
        rank.extend_from_slice(part.as_os_str().as_encoded_bytes());
        rank.push(0);
    }
    rank.push(0);
    rank
}

#[cfg(unix)]
fn bytes(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_owned()
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it is a text")]
fn path_from(bytes: &[u8]) -> io::Result<PathBuf> {
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(bytes);
    Ok(name.into())
}

/// A name that is no Unicode becomes one that can't be opened, which is reported.
#[cfg(not(unix))]
fn bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(not(unix))]
fn path_from(bytes: &[u8]) -> io::Result<PathBuf> {
    str::from_utf8(bytes).map(PathBuf::from).map_err(|_| crate::packed::damaged())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_rank_of_a_path_is_its_place(one in "[a./\u{1}-]{0,8}", other in "[a./\u{1}-]{0,8}", more in "[a./]{0,3}") {
            let [one, other] = [Path::new(&one), Path::new(&other)];
            prop_assert_eq!(rank(one).cmp(&rank(other)), one.cmp(other));
            if one != other {
                let behind = [rank(one), rank(Path::new(&more))].concat();
                prop_assert_eq!(behind.cmp(&rank(other)), one.cmp(other));
            }
        }
    }

    #[test]
    fn headers_belong_to_the_one_file_of_their_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a.headers",
            "a.json",
            "b.headers",
            "b.http",
            "b.json",
            "c.headers",
            "d",
            "d.headers",
            "e.1",
            "e.2",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let link = folder.path().join("f.json");
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("d"), &link).unwrap();
        let mut files =
            find(&[folder.path().to_owned(), folder.path().join("d")], |_, _| Ok(())).ok().unwrap();
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut found = Vec::new();
        while let Some(InputFile { path, headers }) = files.next().unwrap() {
            found.push(
                headers.map_or_else(|| name(&path), |headers| format!("{} {}", name(&path), name(&headers))),
            );
        }
        let expected =
            ["a.json a.headers", "b.headers", "b.http", "b.json", "c.headers", "d d.headers", "e.1", "e.2"];
        assert_eq!(found, expected);
    }
}
