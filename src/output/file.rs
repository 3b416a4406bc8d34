//! Files that are written under a temporary name in their folder and renamed when they are complete.

use std::io::{self, BufWriter, Seek as _};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::{NamedTempFile, TempDir};

use super::unfinished;
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
    unfinished::begin(|| builder.tempfile_in(folder), NamedTempFile::path)
}

/// The same for its owner alone.
pub(crate) fn private_temp_file_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    unfinished::begin(|| builder.tempfile_in(folder), NamedTempFile::path)
}

/// The same for a folder.
pub(crate) fn temp_folder_in(folder: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysunset-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    unfinished::begin(|| builder.tempdir_in(folder), TempDir::path)
}

/// A file that is complete on disk, and its hash and size.
pub(crate) struct CompleteFile {
    file: NamedTempFile,
    sha256: String,
    bytes: u64,
}

impl CompleteFile {
    /// The hash is computed from the bytes read back, while the disk writes them.
    pub(crate) fn new(file: OutputFile) -> io::Result<Self> {
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        let sync = || file.as_file().sync_all();
        let (sha256, bytes) = thread::scope(|scope| {
            let synced = thread::Builder::new().spawn_scoped(scope, sync);
            let hashed = sha256_of_file(file.as_file());
            // Without a thread the disk is waited for here.
            synced.map_or_else(
                |_| sync(),
                |synced| synced.join().unwrap_or_else(|panic| resume_unwind(panic)),
            )?;
            hashed
        })?;
        Ok(Self { file, sha256, bytes })
    }

    /// Of its bytes, in hexadecimal digits.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Gives it its name.
    pub(crate) fn persist(self, path: &Path) -> io::Result<ReportFile> {
        let Self { file, sha256, bytes } = self;
        rename(file, path)?;
        Ok(ReportFile { path: path.to_owned(), sha256, bytes })
    }
}

/// Renames it when it is complete on disk.
pub(crate) fn persist(file: OutputFile, path: &Path) -> io::Result<ReportFile> {
    CompleteFile::new(file)?.persist(path)
}

/// Gives a file its name.
pub(crate) fn rename(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let temporary = file.path().to_owned();
    file.persist(path).map_err(|failed| failed.error)?;
    unfinished::end(&temporary);
    Ok(())
}

/// Gives a file its name, which no other has.
pub(crate) fn rename_new(file: NamedTempFile, path: &Path) -> io::Result<()> {
    let temporary = file.path().to_owned();
    file.persist_noclobber(path).map_err(|failed| failed.error)?;
    unfinished::end(&temporary);
    Ok(())
}

/// Gives a folder its name.
pub(crate) fn rename_folder(folder: TempDir, path: &Path) -> io::Result<()> {
    std::fs::rename(folder.path(), path)?;
    // It has another name now, and is not to be removed.
    unfinished::end(&folder.keep());
    Ok(())
}
