//! `keysunset export --pack`: a run, its reports, and how somebody without keysunset verifies them, in a folder or a zip archive.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::{baseline, judged_by, locate, manifest, outputs, plan, run_label};
use crate::config::ReportSettings;
use crate::console::{Page, Text, print};
use crate::context::Context;
use crate::digest::{sha256, sha256_of_file};
use crate::evidence::manifest::ManifestParts;
use crate::evidence::{export, pack};
use crate::exit::{Error, Exit, WriteTarget};
use crate::report::{self, Format, GatePolicy, ReportInput};
use crate::signals::Signals;
use crate::store::{self, Run, Store};
use crate::waivers::Waivers;

/// The reports in a pack: those for people, and those from which others count.
const FORMATS: [Format; 5] = [Format::Csv, Format::Markdown, Format::Html, Format::Xlsx, Format::Json];
/// How long a thread is waited for whose folder was removed.
const WAIT: Duration = Duration::from_millis(500);

const TARGET: WriteTarget =
    WriteTarget { elsewhere: "name another place with --pack", next: "nothing was written there" };

/// What was written.
struct Written {
    run: Run,
    names: Vec<String>,
    /// Of the archive, or of `SHA256SUMS`.
    sha256: String,
}

/// Writes a pack beside its name and renames it. A signal leaves nothing of it.
pub(super) async fn run(
    target: PathBuf,
    run: Option<i64>,
    settings: ReportSettings,
    context: &Context<'_>,
) -> Result<Exit, Error> {
    let waivers = super::waivers(&settings, context.clock)?;
    let is_zip = target.extension().is_some_and(|it| it.eq_ignore_ascii_case("zip"));
    outputs::check(&settings.store, [target.clone()])?;
    check_target(&target, is_zip)?;
    let parent = pack::parent(&target);
    let staging = fs::create_dir_all(&parent).and_then(|()| staging(&parent));
    let staging = staging.map_err(|why| not_written(&target, &why))?;
    let mut signals = Signals::listen()?;
    let (folder, name) = (staging.path().to_owned(), target.clone());
    let mut work =
        tokio::task::spawn_blocking(move || write(run, settings, &waivers, &folder, &name, is_zip));
    let written = tokio::select! {
        written = &mut work => {
            written.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?
        }
        signal = signals.next() => {
            let path = staging.keep();
            remove(&path);
            // Without its folder the thread ends with an error soon, and may have made a file meanwhile.
            let _ = tokio::time::timeout(WAIT, work).await;
            remove(&path);
            return Err(Error::interrupted(signal, "interrupted while writing the evidence pack")
                .help("nothing was written; run the same command again"));
        }
    };
    if !context.quiet {
        print(&page(&target, &written, is_zip))?;
    }
    Ok(Exit::Clean)
}

/// A folder beside the target, for its owner alone.
fn staging(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(".keysunset-").suffix(".part").tempdir_in(parent)
}

fn remove(path: &Path) {
    // A file may appear while the folder is emptied.
    for _ in 0..10 {
        if fs::remove_dir_all(path).is_ok() || !path.exists() {
            return;
        }
    }
}

fn not_written(target: &Path, why: &io::Error) -> Error {
    Error::not_written(format!("the evidence pack {}", target.display()), why, TARGET)
}

/// Nothing but a pack is replaced: a zip archive of one, or a folder that holds nothing else. An empty file or folder is no
/// loss.
fn check_target(target: &Path, is_zip: bool) -> Result<(), Error> {
    if is_zip && target.is_dir() {
        return Err(not_written(target, &ErrorKind::IsADirectory.into()));
    }
    if is_zip {
        let is_free =
            !target.exists() || pack::is_archive(target).map_err(|why| not_written(target, &why))?;
        return if is_free {
            Ok(())
        } else {
            Err(Error::input(format!("the file {} is not an evidence pack", target.display()))
                .help("name a new file with --pack; a zip archive is replaced only if it is a pack"))
        };
    }
    if !target.exists() || pack::is_only_a_pack(target) {
        return Ok(());
    }
    let is_empty = fs::read_dir(target).map_err(|why| not_written(target, &why))?.next().is_none();
    if is_empty {
        return Ok(());
    }
    Err(Error::input(format!("the folder {} contains other files than an evidence pack", target.display()))
        .help("name a new folder with --pack; a folder is replaced only if it contains nothing but a pack"))
}

fn write(
    run: Option<i64>,
    mut settings: ReportSettings,
    waivers: &Waivers,
    staging: &Path,
    target: &Path,
    is_zip: bool,
) -> Result<Written, Error> {
    let failed = |why: io::Error| not_written(target, &why);
    let store = Store::open(&settings.store)?;
    let run = store.run(run)?;
    let folder = staging.join("pack");
    fs::create_dir(&folder).map_err(failed)?;
    settings.output.out.clone_from(&folder);
    settings.output.stdout = false;
    settings.output.formats = FORMATS.to_vec();
    settings.output.step_summary = None;
    fill(&store, &run, &settings, waivers, &folder).map_err(|why| match why {
        PackError::Io(why) => failed(why),
        PackError::Other(mut why) => {
            // The file has a name below the target for others.
            why.message = why.message.replace(&folder.display().to_string(), &target.display().to_string());
            why
        }
    })?;
    let (names, of_sums) = pack::seal(&folder).map_err(failed)?;
    let sha256 = if is_zip {
        let path = staging.join("pack.zip");
        let zipped = || {
            pack::write_zip(&folder, &names, run.started_at, File::create_new(&path)?)?;
            let (sha256, _) = sha256_of_file(&File::open(&path)?)?;
            fs::rename(&path, target)?;
            Ok(sha256)
        };
        zipped().map_err(failed)?
    } else {
        exchange(&folder, target, &staging.join("earlier")).map_err(failed)?;
        of_sums
    };
    Ok(Written { run, names, sha256 })
}

/// Gives the folder its name; an earlier pack goes to `earlier`, and comes back if that fails.
fn exchange(folder: &Path, target: &Path, earlier: &Path) -> io::Result<()> {
    let is_there = target.exists();
    if is_there {
        fs::rename(target, earlier).map_err(|why| match why.kind() {
            ErrorKind::ResourceBusy => {
                io::Error::other("it is the working folder or a mount point, which can't be replaced")
            }
            _ => why,
        })?;
    }
    fs::rename(folder, target).inspect_err(|_| {
        if is_there {
            let _ = fs::rename(earlier, target);
        }
    })
}

enum PackError {
    /// The pack can't be written.
    Io(io::Error),
    Other(Error),
}

impl From<io::Error> for PackError {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

impl From<Error> for PackError {
    fn from(why: Error) -> Self {
        Self::Other(why)
    }
}

impl From<store::Error> for PackError {
    fn from(why: store::Error) -> Self {
        match why {
            store::Error::Copy(why) => Self::Io(why),
            why => Self::Other(why.into()),
        }
    }
}

impl From<report::Error> for PackError {
    fn from(why: report::Error) -> Self {
        match why {
            report::Error::Write(_, why) => Self::Io(why),
            why => Self::Other(why.into()),
        }
    }
}

impl From<plan::WriteError> for PackError {
    fn from(why: plan::WriteError) -> Self {
        match why {
            plan::WriteError::Io(why) => Self::Io(why),
            plan::WriteError::Store(why) => why.into(),
        }
    }
}

impl From<export::Error> for PackError {
    fn from(why: export::Error) -> Self {
        match why {
            export::Error::Write(why) => Self::Io(why),
            export::Error::Store(why) => why.into(),
        }
    }
}

/// All files but `SHA256SUMS`. The evidence and the reports are of one view of the store.
fn fill(
    store: &Store,
    run: &Run,
    settings: &ReportSettings,
    waivers: &Waivers,
    folder: &Path,
) -> Result<(), PackError> {
    let database = folder.join(pack::DATABASE);
    store.copy_run(run, &database)?;
    let mut export = BufWriter::new(File::create_new(folder.join(pack::EXPORT))?);
    export::write(store, run, export::VERSION, &mut export)?;
    export.flush()?;
    let (readings_sha256, _) = sha256_of_file(&File::open(folder.join(pack::EXPORT))?)?;
    let policy = judged_by(run, settings);
    let ratchet = baseline::ratchet(store, run, settings, waivers)?;
    let inputs = [ReportInput { store, run, policy, ratchet: ratchet.as_ref() }];
    let gate = GatePolicy { fail_on: settings.fail_on, waivers };
    let mut parts = ManifestParts::begin().map_err(|why| Error::not_started(&why))?;
    let mut written = report::write(&inputs, gate, &settings.output, &mut parts)?;
    // The folder has its name only when all of it is written.
    written.naming = None;
    let has_plan = written.report.total.keys > 0;
    let has_locations = locate::write_stored::<PackError>(store, run, settings, waivers, folder)?;
    if has_plan {
        plan::write_default(store, run, settings, waivers, folder)?;
        // They are no evidence.
        for folder in plan::FOLDERS.map(|name| folder.join(name)).iter().filter(|folder| folder.exists()) {
            fs::remove_dir_all(folder)?;
        }
    }
    let facts = (has_plan, has_locations);
    let facts = pack::PackFacts::new(run, &policy, &written.report, &readings_sha256, facts);
    let readme = pack::readme(&facts).map_err(|why| PackError::Other(Error::bug(why)))?;
    fs::write(folder.join(pack::README), readme)?;
    pack::add_files(folder, &mut written.files)?;
    let manifest = manifest::write(&inputs, parts, settings, waivers, &written.files)?;
    let manifest = fs::read_to_string(manifest.path)?;
    Ok(store::record_manifest(&database, run.id, &sha256(manifest.as_bytes()), &manifest)?)
}

fn page(target: &Path, written: &Written, is_zip: bool) -> String {
    let Written { run, names, sha256 } = written;
    let target = target.display().to_string();
    let mut page = Page::default();
    page.line("pack", format!("of {}, {}", run.deployment, run_label(run)));
    page.line("written", Text::default().unbroken(&target).plain(&format!(", {} files", names.len())));
    page.line("SHA-256", format!("{sha256} of {}", if is_zip { "the archive" } else { pack::SUMS }));
    page.line("next", "send this hash in another way than the pack, or sign it (docs/evidence.md)");
    page.into_text()
}
