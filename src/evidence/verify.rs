//! A manifest held against what it names: the files beside it, and the store that it was made from. What could not be looked at
//! is told as unknown, never as well.

mod kept;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::digest;
use super::manifest::{FORMAT, Manifest, NAME, Named, Tool, VERSION, settings_sha256};
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
        /// The program
        Tool = "tool",
    }
}

named! {
    /// What came of it.
    pub enum Status {
        /// As the manifest says
        Ok = "ok",
        /// Not as the manifest says
        Differs = "DIFFERS",
        /// Nobody can say
        Unknown = "unknown",
        /// Told, and no fault
        Note = "note",
    }
}

/// What was found.
pub struct Line {
    /// Where.
    pub check: Check,
    /// How it looks.
    pub status: Status,
    /// In words; nothing in it is unprintable.
    pub found: String,
}

impl Line {
    fn new(check: Check, status: Status, found: impl AsRef<str>) -> Self {
        Self { check, status, found: printable(found.as_ref()) }
    }
}

/// There is nothing to verify: no manifest, another program's file, or a newer version's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnusableManifest(String);

/// In bytes. A manifest is some kilobytes long.
const LONGEST: u64 = 16 << 20;

/// Checks the manifest in `dir` and all that it names. Each of its runs is looked for in `stores`.
///
/// # Errors
/// A manifest that can't be used. Everything else is a line.
pub fn verify(dir: &Path, stores: &[PathBuf]) -> Result<Vec<Line>, UnusableManifest> {
    let path = dir.join(NAME);
    let text = read(&path)?;
    let manifest = parse(&text).map_err(|why| UnusableManifest(format!("{} {why}", path.display())))?;
    let sha256 = super::manifest::sha256(&text);
    let mut lines = vec![itself(&manifest, &text, &sha256)];
    lines.extend(manifest.files.iter().map(|file| beside(dir, file)));
    lines.extend(not_named(dir, &manifest));
    lines.extend(manifest.runs.iter().map(|run| {
        let found = format!("of {}, SHA-256 {}", run.told(), run.settings_sha256);
        let equal = settings_sha256(&run.settings).is_ok_and(|hash| hash == run.settings_sha256);
        if equal {
            Line::new(Check::Settings, Status::Ok, found)
        } else {
            let found = format!("{found}, which is not that of the settings in the manifest");
            Line::new(Check::Settings, Status::Differs, found)
        }
    }));
    lines.extend(kept::lines(&manifest, &sha256, stores));
    lines.push(tool(&manifest.tool));
    Ok(lines)
}

fn read(path: &Path) -> Result<String, UnusableManifest> {
    let name = path.display();
    let text = regular(path).and_then(|file| {
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    });
    match text {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Err(UnusableManifest(format!(
            "there is no {name}\nhelp: every run writes one into --out; name that folder: `keysunset verify DIR`"
        ))),
        Err(why) => Err(UnusableManifest(format!("{name} can't be read: {why}"))),
        Ok(text) if text.len() as u64 == LONGEST => {
            Err(UnusableManifest(format!("{name} is no manifest: it is longer than {} MiB", LONGEST >> 20)))
        }
        Ok(text) => Ok(text),
    }
}

/// Opens what is a file; a pipe would wait for ever.
fn regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(path)
}

/// Reads a manifest of this version or an earlier one. What is wrong with another goes on from its name.
pub(super) fn parse(text: &str) -> Result<Manifest, String> {
    #[derive(Deserialize)]
    struct Probe {
        format: String,
        version: u64,
    }
    match serde_json::from_str(text) {
        Ok(Probe { format, version }) if format == FORMAT && version > VERSION => {
            return Err(format!(
                "was written by a newer keysunset (version {version}; this one knows {VERSION})\nhelp: use that version"
            ));
        }
        Ok(Probe { format, version: VERSION }) if format == FORMAT => {}
        Ok(_) => return Err("is not a manifest of keysunset: its `format` is another".to_owned()),
        Err(why) => return Err(format!("is not a manifest of keysunset: {why}")),
    }
    let manifest: Manifest =
        serde_json::from_str(text).map_err(|why| format!("is not a manifest of keysunset: {why}"))?;
    if manifest.runs.is_empty() {
        return Err("is not a manifest of keysunset: it is of no run".to_owned());
    }
    match manifest.files.iter().find(|file| !is_name(&file.name)) {
        None => Ok(manifest),
        Some(file) => Err(format!(
            "can't be trusted: it names {:?}, and keysunset writes no such file\nhelp: nothing was read outside its folder",
            file.name
        )),
    }
}

/// Whether it is the name of a file beside the manifest, and no way to another place.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) && name != NAME
}

fn itself(manifest: &Manifest, text: &str, sha256: &str) -> Line {
    let plural =
        |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    let (runs, files) = (plural(manifest.runs.len(), "run"), plural(manifest.files.len(), "file"));
    let found = format!("version {} of {runs} and {files}, SHA-256 {sha256}", manifest.version);
    if manifest.text().is_ok_and(|written| written == text) {
        Line::new(Check::Manifest, Status::Ok, found)
    } else {
        let found = format!(
            "{found}; keysunset writes the same content in other bytes, so somebody has written to it"
        );
        Line::new(Check::Manifest, Status::Differs, found)
    }
}

fn beside(dir: &Path, named: &Named) -> Line {
    let line = |status, found: String| Line::new(Check::File, status, format!("{}: {found}", named.name));
    match regular(&dir.join(&named.name)).and_then(digest::of_file) {
        Ok((sha256, bytes)) if (&sha256, bytes) == (&named.sha256, named.bytes) => {
            line(Status::Ok, format!("{bytes} bytes, SHA-256 {sha256}"))
        }
        Ok((_, bytes)) if bytes != named.bytes => {
            line(Status::Differs, format!("{bytes} bytes, where the manifest has {}", named.bytes))
        }
        Ok((sha256, _)) => {
            line(Status::Differs, format!("SHA-256 {sha256}, where the manifest has {}", named.sha256))
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            line(Status::Differs, "missing, and the manifest names it".to_owned())
        }
        // It may be as it was; nobody knows.
        Err(why) => line(Status::Unknown, format!("can't be read: {why}")),
    }
}

/// What looks like one of ours, left by another run or put there by somebody.
fn not_named<'a>(dir: &'a Path, manifest: &'a Manifest) -> impl Iterator<Item = Line> + 'a {
    let ours = Format::ALL.iter().filter_map(|format| format.file_name());
    let named = |name: &str| manifest.files.iter().any(|file| file.name == name);
    ours.filter(move |name| !named(name) && dir.join(name).exists()).map(|name| {
        let found = format!("{name}: the manifest does not name it, so it is of another run, or somebody's");
        Line::new(Check::File, Status::Unknown, found)
    })
}

/// Another program may verify as well; that is worth knowing, and no fault.
fn tool(made: &Tool) -> Line {
    let this = Tool::this();
    let binary = made.binary_sha256.as_deref().unwrap_or("not known");
    let found = format!("keysunset {}, binary SHA-256 {binary}", made.version);
    if made.binary_sha256.is_some() && made.binary_sha256 == this.binary_sha256 {
        Line::new(Check::Tool, Status::Ok, format!("{found}: this one"))
    } else {
        let other = this.binary_sha256.as_deref().unwrap_or("not known");
        let found = format!("{found}; this one is {}, {other}", this.version);
        Line::new(Check::Tool, Status::Note, found)
    }
}
