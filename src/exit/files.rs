//! Errors of files and folders: the path, the system's reason in plain words, and what helps.

use std::fmt::Display;
use std::io::{self, ErrorKind};

use super::Error;

/// What could not be written, and what helps besides removing the reason.
#[derive(Debug, Clone, Copy)]
pub struct WriteTarget<'a> {
    /// How to write somewhere else, such as `choose another folder with --out`.
    pub elsewhere: &'a str,
    /// What to do afterwards.
    pub next: &'a str,
}

const MORE_HANDLES: &str = "raise the limit on open files (ulimit -n)";
/// Where temporary files go.
const TEMPORARY: WriteTarget =
    WriteTarget { elsewhere: "set TMPDIR to another folder", next: "then run the command again" };

impl Error {
    /// A file or folder could not be written. `name` is its path.
    pub fn not_written(name: impl Display, why: &io::Error, target: WriteTarget) -> Self {
        let WriteTarget { elsewhere, next } = target;
        let remedy = write_remedy(why).map_or_else(String::new, |remedy| format!("{remedy}, or "));
        Self::output(format!("can't write {name}: {}", reason(why)))
            .help(format!("{remedy}{elsewhere}; {next}"))
    }

    /// A temporary file could not be written.
    #[must_use]
    pub fn no_temporary_file(why: &io::Error) -> Self {
        Self::not_written(format!("a temporary file in {}", std::env::temp_dir().display()), why, TEMPORARY)
    }

    /// The system did not give what the program needs to start.
    #[must_use]
    pub fn not_started(why: &io::Error) -> Self {
        if is_out_of_handles(why) {
            return Self::input(format!("can't start: {}", reason(why))).help(MORE_HANDLES);
        }
        Self::bug(why)
    }

    /// A file that was named could not be read. `what` is what it is for, such as `the waiver file`.
    pub fn not_read(what: impl Display, name: impl Display, why: &io::Error) -> Self {
        Self::input(format!("can't read {what} {name}: {}", reason(why))).help(read_remedy(why))
    }
}

/// The reason of an error of the system, as a person reads it.
#[must_use]
pub fn reason(why: &io::Error) -> String {
    let why = innermost(why);
    if is_out_of_handles(why) {
        return "too many files are open".to_owned();
    }
    let reason = match why.kind() {
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "the disk quota is exceeded",
        ErrorKind::FileTooLarge => "the limit on file sizes is exceeded",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of the path is a file, not a folder",
        ErrorKind::AlreadyExists => "a file has this name already",
        ErrorKind::NotFound => "no such file or folder",
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => "another program is using it",
        ErrorKind::ConnectionRefused => "connection refused",
        _ => {
            let text = why.to_string();
            return text.split(" (os error ").next().unwrap_or_default().to_owned();
        }
    };
    reason.to_owned()
}

/// Whether the system gives this process no more file handles.
#[must_use]
pub fn is_out_of_handles(why: &io::Error) -> bool {
    #[cfg(unix)]
    let numbers = [libc::EMFILE, libc::ENFILE];
    // ERROR_TOO_MANY_OPEN_FILES
    #[cfg(not(unix))]
    let numbers = [4];
    let why = innermost(why);
    if let Some(number) = why.raw_os_error() {
        return numbers.contains(&number);
    }
    // The tempfile crate wraps the error of the system in one that has its text alone.
    let text = why.to_string();
    numbers.iter().any(|number| text.contains(&io::Error::from_raw_os_error(*number).to_string()))
}

/// The csv crate wraps an error of the system in one of its own, which has neither a kind nor a source.
fn innermost(why: &io::Error) -> &io::Error {
    let csv = why.get_ref().and_then(|inner| inner.downcast_ref::<csv::Error>());
    match csv.map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(inner)) => innermost(inner),
        Some(_) | None => why,
    }
}

fn write_remedy(why: &io::Error) -> Option<&'static str> {
    if is_out_of_handles(why) {
        return Some(MORE_HANDLES);
    }
    match innermost(why).kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some("free disk space there"),
        ErrorKind::FileTooLarge => Some("raise the limit (ulimit -f)"),
        ErrorKind::PermissionDenied => Some("change the permissions of the folder"),
        ErrorKind::IsADirectory => Some("remove the folder of this name"),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Some("remove the file"),
        ErrorKind::NotFound => Some("create its folder"),
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => Some("close the other program"),
        _ => None,
    }
}

fn read_remedy(why: &io::Error) -> &'static str {
    if is_out_of_handles(why) {
        return MORE_HANDLES;
    }
    match innermost(why).kind() {
        ErrorKind::PermissionDenied => "change the permissions of the file, or run keysunset as its owner",
        ErrorKind::IsADirectory => "name a file, not a folder",
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            "check the path; a relative path starts at the working folder"
        }
        _ => "check that the file is whole and readable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_error_has_the_reason_of_the_system() {
        let full = || io::Error::from_raw_os_error(libc::ENOSPC);
        let no_folder = tempfile::tempdir_in("/none").unwrap_err();
        assert_eq!(reason(&no_folder), "no such file or folder", "{no_folder:?}");
        for why in [full(), csv::Error::from(full()).into()] {
            assert_eq!(reason(&why), "the disk is full", "{why:?}");
        }
        assert_eq!(reason(&io::Error::other("line 3 is too long")), "line 3 is too long");
        assert_eq!(reason(&io::Error::from_raw_os_error(libc::EIO)), "Input/output error");
        assert_eq!(reason(&io::Error::from_raw_os_error(libc::EMFILE)), "too many files are open");
    }
}
