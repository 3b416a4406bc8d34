//! Why there is no report, and why a format can't continue.

use std::io;
use std::path::Path;

use crate::exit::{WriteTarget, reason};
use crate::store;

/// Why a format can't continue.
pub(super) enum FormatError {
    Io(io::Error),
    StepSummary(io::Error),
    Store(store::Error),
    Template(String),
}

impl From<rust_xlsxwriter::XlsxError> for FormatError {
    fn from(why: rust_xlsxwriter::XlsxError) -> Self {
        Self::Io(match why {
            rust_xlsxwriter::XlsxError::IoError(why) => why,
            why => io::Error::other(why),
        })
    }
}

/// Also from the error of the crate that writes JSON.
macro_rules! from_error {
    ($($Error:ty),+) => {$(
        impl From<$Error> for FormatError {
            fn from(why: $Error) -> Self {
                Self::Io(why.into())
            }
        }
    )+};
}
from_error!(io::Error, serde_json::Error);

impl From<store::Error> for FormatError {
    fn from(why: store::Error) -> Self {
        Self::Store(why)
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The evidence can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file can't be written.
    #[error("can't write {0}: {why}", why = reason(.1))]
    Write(String, #[source] io::Error),
    /// The summary of a GitHub step can't be added to its file.
    #[error("can't write {0}: {why}", why = reason(.1))]
    StepSummary(String, #[source] io::Error),
    /// A template is wrong.
    #[error("invalid template: {0}")]
    Template(String),
    /// The totals contradict each other.
    #[error("the numbers do not add up: {0}")]
    DoesNotAddUp(String),
}

const REPORTS: WriteTarget = WriteTarget {
    elsewhere: "choose another folder with --out",
    next: "existing files were not changed, and `keysunset report` writes the reports of a stored run",
};
const STEP_SUMMARY: WriteTarget = WriteTarget {
    elsewhere: "set GITHUB_STEP_SUMMARY to another file",
    next: "existing files were not changed, and `keysunset report` writes the reports of a stored run",
};

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Write(path, why) => Self::not_written(path, &why, REPORTS),
            Error::StepSummary(path, why) => Self::not_written(path, &why, STEP_SUMMARY),
            Error::Template(_) => {
                Self::input(error).help("correct the template, or leave --templates out for the built-in one")
            }
            Error::DoesNotAddUp(_) => Self::bug(error),
        }
    }
}

pub(super) fn failed(path: &Path, why: impl Into<FormatError>) -> Error {
    match why.into() {
        FormatError::Io(why) => Error::Write(path.display().to_string(), why),
        FormatError::StepSummary(why) => Error::StepSummary(path.display().to_string(), why),
        FormatError::Store(why) => Error::Store(why),
        FormatError::Template(why) => Error::Template(why),
    }
}
