//! Files that are whole or not there: written beside their name, and renamed.

use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::Error;

/// What stands beside every report and names its files; written last, by whoever knows the evidence.
pub const MANIFEST: &str = "manifest.json";

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it stands.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// How many.
    pub bytes: u64,
}

/// Writes a file of this name, whole or not at all.
///
/// # Errors
/// Why it can't be written; then what stood there before is untouched.
pub fn put_beside(out: &Path, name: &str, content: &[u8]) -> Result<File, Error> {
    let path = out.join(name);
    let written = || {
        let mut file = BufWriter::new(beside(out)?);
        file.write_all(content)?;
        put(file, &path)
    };
    written().map_err(|why| Error::Write(path.display().to_string(), why))
}

/// A nameless-to-be file in the same folder, so that renaming it is one step. Readable as the user's umask has it.
pub(crate) fn beside(out: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(out)
}

/// Renames it, once it is whole on the disk; its hash is of what the disk gives back.
pub(super) fn put(file: BufWriter<NamedTempFile>, path: &Path) -> io::Result<File> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    let mut hasher = Sha256::new();
    file.rewind()?;
    let bytes = io::copy(&mut file, &mut hasher)?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(File { path: path.to_owned(), sha256: format!("{:x}", hasher.finalize()), bytes })
}
