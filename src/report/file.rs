//! Files that are written under a temporary name in their folder and renamed when they are complete.

use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Error, OutputFile, failed};
use crate::digest::sha256_of_file;

/// The file that names the others of a report with their hashes. It is written last, by `commands::manifest`.
pub const MANIFEST: &str = "manifest.json";

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Its folder and name.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

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

/// A temporary file in the folder of `path`, so that it can be renamed in one step. Its mode follows the umask.
pub(crate) fn temp_file_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Renames it when it is complete on disk. The hash is computed from the bytes read back.
pub(crate) fn persist(file: OutputFile, path: &Path) -> io::Result<ReportFile> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.rewind()?;
    let (sha256, bytes) = sha256_of_file(file.as_file_mut())?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(ReportFile { path: path.to_owned(), sha256, bytes })
}
