//! The files of a report that no format writes.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::{Error, failed};
use crate::output::{ReportFile, persist, temp_file_in};

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
