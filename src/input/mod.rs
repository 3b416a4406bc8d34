//! What the readers of files that people write have in common: places as line numbers, and everything that is wrong with a
//! file reported together.

mod delimited;
mod list_format;
mod problems;
mod toml;

use std::fs::File;
use std::io;
use std::path::Path;

pub(crate) use delimited::{Lines, TableRow, TableRows, delimiter};
pub(crate) use list_format::{ListFormat, column_name};
pub(crate) use problems::Problems;
pub(crate) use toml::{Field, LineIndex, fields_of, parse_toml};

/// Opens a file for reading; a folder is refused here, and not by the first read.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}
