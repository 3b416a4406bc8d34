//! The files of a report that no format writes, and the one that goes to standard output.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::Path;

use super::Error;
use super::error::failed;
use crate::output::{OutputFile, ReportFile, persist, temp_file_in};

/// The file that names the others of a report with their hashes. It is written last, by `commands::manifest`.
pub const MANIFEST: &str = "manifest.json";

/// Writes a file of this name, completely or not at all.
///
/// # Errors
/// Why it can't be written; then a file of that name is as it was.
pub fn write_atomic(folder: &Path, name: &str, content: &[u8]) -> Result<ReportFile, Error> {
    let path = folder.join(name);
    let written = || {
        let mut file = BufWriter::new(temp_file_in(folder)?);
        file.write_all(content)?;
        persist(file, &path)
    };
    written().map_err(|why| failed(&path, why))
}

/// A complete file, to be read from its beginning; its name is gone.
pub(super) fn reopened(file: OutputFile) -> io::Result<File> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?.into_file();
    file.rewind()?;
    Ok(file)
}
