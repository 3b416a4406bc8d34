//! No output of a command replaces the run database that it uses.

use std::path::{Path, PathBuf};

use crate::config::ReportSettings;
use crate::exit::Error;
use crate::store;

/// Looks before anything is written whether a report would replace the run database.
///
/// # Errors
/// As [`check`].
pub(super) fn check_reports(store: &Path, settings: &ReportSettings) -> Result<(), Error> {
    check(store, settings.output.targets())
}

/// Looks whether an output, or a folder of outputs, would replace the run database or what SQLite keeps beside it.
///
/// # Errors
/// The first that would.
pub(super) fn check(store: &Path, outputs: impl IntoIterator<Item = PathBuf>) -> Result<(), Error> {
    let files: Vec<_> = store::files(store).iter().map(|path| resolved(path)).collect();
    for output in outputs {
        let linked = output.canonicalize().ok();
        let is_in = |place: &PathBuf| files.iter().any(|file| file.starts_with(place));
        if [Some(resolved(&output)), linked].iter().flatten().any(is_in) {
            let (output, store) = (output.display(), store.display());
            return Err(Error::input(format!("the output {output} would replace the run database {store}"))
                .help("name another place for the output, or another run database with --store"));
        }
    }
    Ok(())
}

/// The path without links in its folders. What does not exist yet stays as it is named.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return path };
    folder.canonicalize().unwrap_or_else(|_| resolved(folder)).join(name)
}
