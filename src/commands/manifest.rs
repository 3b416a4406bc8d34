//! What every report ends with: the manifest beside the files, recorded in the store of each run.

use std::fs::File;
use std::path::Path;

use crate::config::ReportSettings;
use crate::console::warn;
use crate::digest::{sha256, sha256_of_file};
use crate::evidence::export;
use crate::evidence::manifest::{self, Gate, GateInput, Manifest, ManifestParts};
use crate::exit::Error;
use crate::report::{ReportFile, ReportInput, write_atomic};
use crate::waivers::Waivers;

/// Writes the manifest of a report that was written. One that can't be recorded is a warning.
pub(super) fn write(
    inputs: &[ReportInput],
    parts: ManifestParts,
    settings: &ReportSettings,
    waivers: &Waivers,
    files: &[ReportFile],
) -> Result<ReportFile, Error> {
    let waivers = settings.waivers.as_ref().zip(waivers.sha256());
    let waivers = waivers
        .map(|(path, sha256)| GateInput { path: path.display().to_string(), sha256: sha256.to_owned() });
    let baseline = settings.baseline.as_deref().map(baseline).transpose()?;
    let ReportSettings { fail_on, strict_waivers, exit_zero, .. } = *settings;
    let gate = Gate { fail_on, strict_waivers, exit_zero, waivers, baseline };
    let manifest = Manifest::new(inputs, parts, gate, &settings.output, files)?;
    let text = manifest.text()?;
    let sha256 = sha256(text.as_bytes());
    // Before it has its name, so that the store knows every manifest that there is, whenever this ends.
    for ReportInput { store, run, .. } in inputs {
        let record = || {
            let _awake = store.awake()?;
            // The first of a run is a link of the chain, and whole. Others need not bring hundreds of runs into each store.
            let is_first = inputs.len() == 1 || store.manifests(run.id)?.is_empty();
            let own = if is_first { None } else { Some(manifest.of_run(run).text()?) };
            Ok(store.record_manifest(run.id, &sha256, own.as_ref().unwrap_or(&text))?)
        };
        if let Err(why) = record() {
            unrecorded(&why);
        }
    }
    Ok(write_atomic(&settings.output.out, manifest::NAME, text.as_bytes())?)
}

fn baseline(path: &Path) -> Result<GateInput, Error> {
    let name = path.display().to_string();
    match File::open(path).and_then(|file| sha256_of_file(&file)) {
        Ok((sha256, _)) => Ok(GateInput { path: name, sha256 }),
        Err(why) => Err(Error::not_read("the baseline", name, &why)),
    }
}

/// The reports are whole all the same.
fn unrecorded(why: &export::Error) {
    warn(
        &format!("{} could not be recorded in the run database: {why}", manifest::NAME),
        Some(
            "`keysunset verify` can't confirm this manifest; when the run database is writable, run `keysunset report` \
             to record it",
        ),
    );
}
