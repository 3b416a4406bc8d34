//! A manifest held against what it names: the files beside it, and the store that it was made from. What could not be looked at
//! is reported as unknown, never as equal.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod stored;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::export;
use super::manifest::{FORMAT, FileEntry, Manifest, NAME, RunEntry, ToolEntry, VERSION, settings_sha256};
use super::pack;
use crate::digest::{sha256, sha256_of_file};
use crate::exit::{Error, reason};
use crate::report::Format;
use crate::report::text::printable;

named! {
    /// What was looked at.
    pub enum Check {
        /// The manifest itself
        Manifest = "manifest",
        /// A file beside it
        File = "file",
        /// The settings of a run
        Settings = "settings",
        /// The store as a whole
        Store = "store",
        /// The facts of a run, as the store has them
        Run = "run",
        /// Its readings
        Readings = "readings",
        /// Whether the store knows this manifest
        Record = "record",
        /// The manifests before
        Chain = "chain",
        /// The files of an evidence pack, against its list of hashes
        Sums = "sums",
        /// An evidence pack as an archive, apart from its files
        Archive = "archive",
        /// The canonical form in an evidence pack
        Export = "export",
        /// The program
        Tool = "tool",
    }
}

named! {
    /// What came of it.
    pub enum CheckStatus {
        /// As the manifest says
        Ok = "ok",
        /// Not as the manifest says
        Differs = "DIFFERS",
        /// It is unknown
        Unknown = "unknown",
        /// Worth knowing, and no fault
        Note = "note",
    }
}

/// What was found.
pub struct CheckResult {
    /// Where.
    pub check: Check,
    /// How it looks.
    pub status: CheckStatus,
    /// In words; nothing in it is unprintable.
    pub found: String,
}

impl Check {
    pub(super) fn ok(self, found: impl AsRef<str>) -> CheckResult {
        self.with(CheckStatus::Ok, found)
    }

    pub(super) fn differs(self, found: impl AsRef<str>) -> CheckResult {
        self.with(CheckStatus::Differs, found)
    }

    pub(super) fn unknown(self, found: impl AsRef<str>) -> CheckResult {
        self.with(CheckStatus::Unknown, found)
    }

    fn with(self, status: CheckStatus, found: impl AsRef<str>) -> CheckResult {
        CheckResult { check: self, status, found: printable(found.as_ref()) }
    }
}

/// In bytes. A manifest is some kilobytes long, and a line more an organization.
const LONGEST: u64 = 64 << 20;

/// Checks the manifest in `dir` and all that it names. Each of its runs is looked for in `stores`.
///
/// # Errors
/// There is nothing to verify: no manifest, another program's file, or a newer version's. Everything else is a line.
pub fn verify(dir: &Path, stores: &[PathBuf]) -> Result<Vec<CheckResult>, Error> {
    let path = dir.join(NAME);
    let text = read(&path)?;
    let manifest = parse(&text, &path.display().to_string())?;
    let sha256 = sha256(text.as_bytes());
    let mut lines = vec![itself(&manifest, &text, &sha256)];
    lines.extend(manifest.files.iter().map(|named| file(dir, named)));
    lines.extend(manifest.runs.iter().map(|run| {
        let found = format!("of {}, SHA-256 {}", run.label(), run.settings_sha256);
        let equal = settings_sha256(&run.settings).is_ok_and(|hash| hash == run.settings_sha256);
        if equal {
            Check::Settings.ok(found)
        } else {
            Check::Settings.differs(format!("{found}, but the settings in the manifest have another hash"))
        }
    }));
    let (is_pack, own) = (pack::is_pack(dir), dir.join(pack::DATABASE));
    if is_pack {
        lines.extend(pack::check_named(dir, |name| manifest.files.iter().any(|file| file.name == name)));
        lines.extend(pack::check_sums(dir));
        lines.extend(manifest.runs.iter().map(|run| export(dir, run)));
    } else {
        lines.extend(not_named(dir, &manifest));
    }
    // A pack has no manifests of earlier runs, since these name what was found in them.
    let has_chain = !is_pack || stores.iter().any(|path| *path != own);
    if is_pack && !stores.contains(&own) {
        // What it can't say of the chain, the others do.
        let lines_of_own = stored::checks(&manifest, &sha256, &[own], false);
        lines.extend(lines_of_own.into_iter().filter(|line| line.status != CheckStatus::Note));
    }
    lines.extend(stored::checks(&manifest, &sha256, stores, has_chain));
    lines.push(tool(&manifest.tool));
    Ok(lines)
}

/// Checks a pack that was unpacked from `archive` into `dir`.
///
/// # Errors
/// As [`verify`].
pub fn verify_archive(archive: &Path, dir: &Path, stores: &[PathBuf]) -> Result<Vec<CheckResult>, Error> {
    let mut lines = verify(dir, stores)?;
    let path = dir.join(NAME);
    let manifest = parse(&read(&path)?, &path.display().to_string())?;
    lines.extend(manifest.runs.first().map(|run| pack::check_archive(archive, dir, run.started_at)));
    Ok(lines)
}

fn read(path: &Path) -> Result<String, Error> {
    let name = path.display();
    let text = regular(path).and_then(|file| {
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    });
    match text {
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            Err(Error::input(format!("no manifest at {name}"))
                .help("name the folder of the reports (--out of the run): `keysunset verify DIR`"))
        }
        Err(why) => Err(Error::not_read("the manifest", name, &why)),
        Ok(text) if text.len() as u64 == LONGEST => {
            Err(wrong(&name.to_string(), &format!("larger than {} MiB", LONGEST >> 20)))
        }
        Ok(text) => Ok(text),
    }
}

/// Opens what is a file; a pipe would wait for ever.
pub(super) fn regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

fn wrong(name: &str, why: &dyn Display) -> Error {
    Error::input(format!("{name} is not a manifest of keysunset: {why}"))
        .help("name the folder of the reports: `keysunset verify DIR`")
}

/// Reads a manifest of this version or an earlier one. `name` is what an error calls it.
pub(super) fn parse(text: &str, name: &str) -> Result<Manifest, Error> {
    #[derive(Deserialize)]
    struct Probe {
        format: String,
        version: u64,
    }
    let wrong = |why: &dyn Display| wrong(name, why);
    match serde_json::from_str(text) {
        Ok(Probe { format, version }) if format == FORMAT && version > VERSION => {
            let why = format!(
                "was written by a newer keysunset (version {version}; this version supports up to {VERSION})"
            );
            return Err(Error::input(format!("{name} {why}")).help("use the newer version"));
        }
        Ok(Probe { format, version: 1..=VERSION }) if format == FORMAT => {}
        Ok(_) => return Err(wrong(&"it has another `format`")),
        Err(why) => return Err(wrong(&why)),
    }
    let manifest: Manifest = serde_json::from_str(text).map_err(|why| wrong(&why))?;
    if manifest.runs.is_empty() {
        return Err(wrong(&"it contains no run"));
    }
    match manifest.files.iter().find(|file| !is_name(&file.name)) {
        None => Ok(manifest),
        Some(file) => {
            let why = format!("it names {:?}, which keysunset never writes", file.name);
            Err(Error::input(format!("{name} is not safe: {why}"))
                .help("get the manifest from a trusted source; no file outside its folder was read"))
        }
    }
}

/// Whether it is the name of a file beside the manifest, and no way to another place.
fn is_name(name: &str) -> bool {
    is_plain(name) && name != NAME
}

/// Whether it is the name of a file, and no way to another place.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

fn itself(manifest: &Manifest, text: &str, sha256: &str) -> CheckResult {
    let plural =
        |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    let (runs, files) = (plural(manifest.runs.len(), "run"), plural(manifest.files.len(), "file"));
    let found = format!("version {} of {runs} and {files}, SHA-256 {sha256}", manifest.version);
    if manifest.text().is_ok_and(|written| written == text) {
        Check::Manifest.ok(found)
    } else {
        Check::Manifest.differs(format!(
            "{found}; the file was modified: keysunset would write other bytes for this content"
        ))
    }
}

fn file(dir: &Path, named: &FileEntry) -> CheckResult {
    let line = |status, found: String| Check::File.with(status, format!("{}: {found}", named.name));
    match regular(&dir.join(&named.name)).and_then(|file| sha256_of_file(&file)) {
        Ok((sha256, bytes)) if (&sha256, bytes) == (&named.sha256, named.bytes) => {
            line(CheckStatus::Ok, format!("{bytes} bytes, SHA-256 {sha256}"))
        }
        Ok((_, bytes)) if bytes != named.bytes => {
            line(CheckStatus::Differs, format!("{bytes} bytes, but the manifest has {}", named.bytes))
        }
        Ok((sha256, _)) => {
            line(CheckStatus::Differs, format!("SHA-256 {sha256}, but the manifest has {}", named.sha256))
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            line(CheckStatus::Differs, "missing, but named in the manifest".to_owned())
        }
        // It may be as it was.
        Err(why) => line(CheckStatus::Unknown, format!("can't be read: {}", reason(&why))),
    }
}

/// The canonical form in a pack: that it is the one of the manifest, and a whole one.
fn export(dir: &Path, run: &RunEntry) -> CheckResult {
    let name = pack::EXPORT;
    let path = dir.join(name);
    let (sha256, bytes) = match regular(&path).and_then(|file| sha256_of_file(&file)) {
        Ok(found) => found,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            return Check::Export.differs(format!("{name}: missing"));
        }
        Err(why) => return Check::Export.unknown(format!("{name}: can't be read: {}", reason(&why))),
    };
    if sha256 != run.readings_sha256 {
        let expected = &run.readings_sha256;
        return Check::Export.differs(format!("{name}: SHA-256 {sha256}, but the manifest has {expected}"));
    }
    let wrong = |why: export::ReadError| format!("{name}:{}: {}", why.line, why.why);
    let read = || {
        let file = regular(&path).map_err(|why| reason(&why))?;
        let (_, mut entries) = export::read(io::BufReader::new(file)).map_err(wrong)?;
        entries.try_for_each(|entry| entry.map(drop)).map_err(wrong)
    };
    match read() {
        Ok(()) => Check::Export.ok(format!("{name}: {bytes} bytes, SHA-256 {sha256}, whole")),
        Err(why) => Check::Export.differs(why),
    }
}

/// What looks like one of ours, left by another run or put there by somebody.
fn not_named<'a>(dir: &'a Path, manifest: &'a Manifest) -> impl Iterator<Item = CheckResult> + 'a {
    let ours = Format::ALL.iter().flat_map(|format| format.file_names());
    let named = |name: &str| manifest.files.iter().any(|file| file.name == name);
    ours.filter(move |name| !named(name) && dir.join(name).exists()).map(|name| {
        Check::File.unknown(format!(
            "{name}: not named in the manifest; it is left from another report or was added: remove it, or render all \
             formats of this folder in one report"
        ))
    })
}

/// Another program may verify as well; that is worth knowing, and no fault.
fn tool(made: &ToolEntry) -> CheckResult {
    let this = ToolEntry::this();
    let binary = made.binary_sha256.as_deref().unwrap_or("unknown");
    let found = format!("keysunset {}, binary SHA-256 {binary}", made.version);
    if made.binary_sha256.is_some() && made.binary_sha256 == this.binary_sha256 {
        Check::Tool.ok(format!("{found}: this program"))
    } else {
        let other = this.binary_sha256.as_deref().unwrap_or("unknown");
        Check::Tool.with(CheckStatus::Note, format!("{found}; this program is {}, {other}", this.version))
    }
}
