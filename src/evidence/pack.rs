//! An evidence pack: a folder, or a zip archive of its files, with a run, its reports and all that somebody without keysunset
//! needs to verify them. `SHA256SUMS` has the hash of every other file, and the README says how each number is verified.

mod archive;
mod readme;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

pub use archive::{check as check_archive, extract, is_archive, write as write_zip};
pub use readme::{PackFacts, readme};

use super::manifest;
use super::verify::{Check, CheckResult, is_plain, regular};
use crate::digest::{sha256, sha256_of_file};
use crate::exit::reason;
use crate::report::ReportFile;

/// The hashes of all other files, as `sha256sum --check` reads them.
pub const SUMS: &str = "SHA256SUMS";
/// The canonical form of the run.
pub const EXPORT: &str = "run.ndjson";
/// How to verify the numbers.
pub const README: &str = "README.md";
/// The run in a run database of its own.
pub const DATABASE: &str = "keysunset.db";

/// In bytes, of the file of hashes: some 100 bytes a file.
const LONGEST: u64 = 1 << 20;

/// Whether the folder is a pack, or was one before a file was removed.
#[must_use]
pub fn is_pack(folder: &Path) -> bool {
    [SUMS, EXPORT].iter().any(|name| folder.join(name).exists())
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names = fs::read_dir(folder)?.map(name).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Whether the folder holds nothing but what its own `SHA256SUMS` names, so that a newer pack may replace it.
#[must_use]
pub fn is_only_a_pack(folder: &Path) -> bool {
    let (Ok(names), Ok(sums)) = (names(folder), sums(folder)) else { return false };
    names.iter().all(|name| name == SUMS || sums.iter().any(|(_, named)| named == name))
}

/// Adds the files that the manifest of a pack names besides the reports: all that are there before it. The run database is not
/// one of them, since it has the manifest; its facts and user results are held against it.
///
/// # Errors
/// A file that can't be read.
pub fn add_files(folder: &Path, files: &mut Vec<ReportFile>) -> io::Result<()> {
    for name in names(folder)? {
        let path = folder.join(&name);
        if name != DATABASE && files.iter().all(|file| file.path != path) {
            let (sha256, bytes) = sha256_of_file(&File::open(&path)?)?;
            files.push(ReportFile { path, sha256, bytes });
        }
    }
    Ok(())
}

/// The files of a pack that its manifest does not name, so that nothing but `SHA256SUMS` proves them.
pub(super) fn check_named(folder: &Path, is_named: impl Fn(&str) -> bool) -> Vec<CheckResult> {
    let is_other =
        |name: &String| ![SUMS, DATABASE, manifest::NAME].contains(&name.as_str()) && !is_named(name);
    let names = names(folder).unwrap_or_default().into_iter().filter(is_other);
    names
        .map(|name| {
            Check::File.unknown(format!("{name}: not named in the manifest, which does not prove it"))
        })
        .collect()
}

/// Completes a folder: each file is on disk and write-protected, and `SHA256SUMS` names it. Returns the names, sorted, and the
/// hash of `SHA256SUMS`.
///
/// # Errors
/// A file that can't be read or written.
pub fn seal(folder: &Path) -> io::Result<(Vec<String>, String)> {
    let (mut names, mut lines) = (names(folder)?, Vec::new());
    for name in &names {
        let file = File::open(folder.join(name))?;
        writeln!(lines, "{}  {name}", sha256_of_file(&file)?.0)?;
        protect(&file)?;
    }
    let mut file = File::create_new(folder.join(SUMS))?;
    file.write_all(&lines)?;
    protect(&file)?;
    names.push(SUMS.to_owned());
    names.sort();
    Ok((names, sha256(&lines)))
}

fn protect(file: &File) -> io::Result<()> {
    file.sync_all()?;
    let mut permissions = file.metadata()?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, MODE);
    #[cfg(not(unix))]
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// Of every file: evidence is not edited, and SQLite writes nothing beside a file that it can't write.
const MODE: u32 = 0o444;

/// The lines of `SHA256SUMS`: hash and name.
fn sums(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let mut text = String::new();
    let read = regular(&folder.join(SUMS)).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.map_err(|why| format!("can't be read: {}", reason(&why)))?;
    parse_sums(&text).ok_or_else(|| "not as keysunset writes it".to_owned())
}

fn parse_sums(text: &str) -> Option<Vec<(String, String)>> {
    let line = |line: &str| {
        let parts = line.split_once("  ").filter(|(hash, name)| hash.len() == 64 && is_plain(name));
        parts.map(|(hash, name)| (hash.to_owned(), name.to_owned()))
    };
    text.lines().map(line).collect()
}

/// Every file against `SHA256SUMS`, and files that it does not name.
pub(super) fn check_sums(folder: &Path) -> Vec<CheckResult> {
    let named = match sums(folder) {
        Ok(named) => named,
        Err(why) => return vec![Check::Sums.differs(format!("{SUMS}: {why}"))],
    };
    let mut results = Vec::new();
    for (hash, name) in &named {
        match regular(&folder.join(name)).and_then(|file| sha256_of_file(&file)) {
            Ok((found, _)) if found == *hash => {}
            Ok((found, _)) => {
                results.push(Check::Sums.differs(format!("{name}: SHA-256 {found}, but {SUMS} has {hash}")));
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                results.push(Check::Sums.differs(format!("{name}: missing, but named in {SUMS}")));
            }
            Err(why) => {
                results.push(Check::Sums.unknown(format!("{name}: can't be read: {}", reason(&why))));
            }
        }
    }
    for name in [README, EXPORT, DATABASE, manifest::NAME] {
        if !named.iter().any(|(_, other)| other == name) {
            results.push(Check::Sums.differs(format!("{name}: not named in {SUMS}")));
        }
    }
    let is_known = |name: &&String| *name == SUMS || named.iter().any(|(_, other)| other == *name);
    for name in names(folder).unwrap_or_default().iter().filter(|name| !is_known(name)) {
        results.push(Check::Sums.unknown(format!("{name}: not named in {SUMS}; it was added later")));
    }
    if results.is_empty() {
        results.push(Check::Sums.ok(format!("{} files as named in {SUMS}", named.len())));
    }
    results
}

/// The folder in which a pack gets its name.
#[must_use]
pub fn parent(target: &Path) -> PathBuf {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
