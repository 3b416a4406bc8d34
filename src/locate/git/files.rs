//! Files and folders of a repository, read without trust: a fifo or device is never opened. What is not there is empty; what
//! is there and cannot be read is a problem, since it may be all that the repository has.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::place::NotSearched;

/// The most that a file of git other than a pack may have: a list of references with a million lines.
const LIMIT: u64 = 128 << 20;

/// A file or folder that was not read, and why.
pub(super) type Problem = (PathBuf, NotSearched);

/// The content of a regular file, `None` if there is none or it cannot be read.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Option<Vec<u8>> {
    read_up_to(path, LIMIT, problems)
}

/// As [`read`], and a longer file cannot be read.
pub(super) fn read_up_to(path: &Path, limit: u64, problems: &mut Vec<Problem>) -> Option<Vec<u8>> {
    let content = open(path).and_then(|file| {
        let mut content = Vec::new();
        file.take(limit + 1).read_to_end(&mut content).map_err(|_| NotSearched::Unreadable)?;
        if content.len() as u64 > limit { Err(NotSearched::Unreadable) } else { Ok(content) }
    });
    match content {
        Ok(content) => return Some(content),
        Err(NotSearched::Missing) => {}
        Err(why) => problems.push((path.to_owned(), why)),
    }
    None
}

/// The first line of a small file, without white space at its end.
pub(super) fn line(path: &Path, problems: &mut Vec<Problem>) -> Option<String> {
    let Ok(content) = String::from_utf8(read_up_to(path, 1 << 16, problems)?) else {
        problems.push((path.to_owned(), NotSearched::Unreadable));
        return None;
    };
    Some(content.lines().next().unwrap_or_default().trim_end().to_owned())
}

/// Opens a regular file, or what a link to one leads to.
pub(super) fn open(path: &Path) -> Result<File, NotSearched> {
    if !fs::metadata(path).map_err(|error| reason(&error))?.is_file() {
        return Err(NotSearched::Unreadable);
    }
    File::open(path).map_err(|error| reason(&error))
}

/// Why something could not be opened.
pub(super) fn reason(error: &io::Error) -> NotSearched {
    if error.kind() == io::ErrorKind::NotFound { NotSearched::Missing } else { NotSearched::Unreadable }
}

/// Whether this is a regular file, or a link to one.
pub(super) fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file())
}

/// The names in a folder, sorted; none if there is no folder.
pub(super) fn names(folder: &Path, problems: &mut Vec<Problem>) -> Vec<OsString> {
    let mut names = Vec::new();
    let mut read = || {
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name());
        }
        Ok(())
    };
    if let Err(why) = read().map_err(|error| reason(&error))
        && why != NotSearched::Missing
    {
        problems.push((folder.to_owned(), why));
    }
    names.sort_unstable();
    names
}
