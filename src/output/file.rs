//! Files that are written under a temporary name in their folder and renamed when they are complete.

use std::io::{self, BufWriter, Seek as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::digest::sha256_of_file;

/// A file, before it has its name.
pub(crate) type OutputFile = BufWriter<NamedTempFile>;

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
