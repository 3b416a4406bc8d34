//! `manifest.json`: what was run by whom and how, and the SHA-256 of everything that came of it. It has no clock of its own, so
//! that the same run reported on the same way is the same bytes. `schemas/manifest.schema.json` is its form.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::export::{self, ExportCounts, ExportWriter, Exported};
use crate::digest::{HashWriter, sha256, sha256_of_file};
use crate::model::{OrganizationResult, Product, ReadStatus, UserResult};
use crate::policy::FailOn;
use crate::report::{self, CsvStyle, Format, Output, ReportInput, ResultReader};
use crate::store::{self, Run, Store};
use crate::v1::{ListFingerprint, RunSettings};

/// Its name beside the reports.
pub const NAME: &str = report::MANIFEST;
/// What `format` says.
pub(super) const FORMAT: &str = "keysunset-manifest";
/// Of the form. It goes up with every change that a reader could stumble over.
pub(super) const VERSION: u64 = 2;

/// The document. The file has the fields in this order, and none is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub(super) format: String,
    pub(super) version: u64,
    pub(super) tool: ToolEntry,
    /// By deployment; mostly one.
    pub(super) runs: Vec<RunEntry>,
    gate: Gate,
    output: OutputSettings,
    /// By name.
    pub(super) files: Vec<FileEntry>,
}

/// What made the reports, which need not be what made the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolEntry {
    name: String,
    pub(super) version: String,
    pub(super) binary_sha256: Option<String>,
    /// Why there is no hash.
    binary_not_read: Option<String>,
}

/// A run, and the hashes of its results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunEntry {
    /// Its number in its store.
    pub(super) run: i64,
    pub(super) deployment: String,
    address: String,
    product: Product,
    service_version: Option<String>,
    /// The public part.
    credential: String,
    lists: Vec<UserList>,
    /// Missing in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    organizations: Option<Organizations>,
    pub(super) started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    /// Whether it finished, every list was read to its end, and so was every user.
    complete: bool,
    clock_skew_seconds: Option<i64>,
    /// Of the keysunset that made the run.
    tool_version: String,
    pub(super) settings: RunSettings,
    pub(super) settings_sha256: String,
    totals: ExportCounts,
    /// Of the canonical form.
    pub(super) readings_sha256: String,
    canonical_bytes: u64,
    pub(super) judged_by: AppliedPolicy,
    /// The first manifest of the run before.
    pub(super) previous: Option<PreviousManifest>,
}

/// A list of users that somebody wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserList {
    users: Option<u64>,
    sha256: Option<String>,
    /// Both, as the run kept them.
    #[serde(rename = "told")]
    text: String,
}

/// The organizations of a run by id; `None` where they are unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Organizations(Option<Vec<OrganizationEntry>>);

/// A field that is there is never taken for one that is missing, whatever it says.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Organizations>, D::Error> {
    Organizations::deserialize(deserializer).map(Some)
}

/// An organization of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganizationEntry {
    id: String,
    name: Option<String>,
    is_deleted: Option<bool>,
    /// How the list of its users ended.
    list_status: ReadStatus,
    /// How many users its list has.
    users: u64,
}

/// The rules that were applied, which need not be those of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppliedPolicy {
    cutoff: DateTime<Utc>,
    active_within_days: u32,
    /// The earlier run: only what was worse than there counted.
    compared_with: Option<String>,
}

/// A link of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviousManifest {
    pub(super) run: i64,
    pub(super) sha256: String,
}

/// What decided the exit code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Which keys are findings.
    pub fail_on: FailOn,
    /// Whether waivers that end soon or match nothing are findings.
    pub strict_waivers: bool,
    /// Whether findings and gaps end with 0.
    pub exit_zero: bool,
    /// The accepted exceptions.
    pub waivers: Option<GateInput>,
    /// The earlier run that `--baseline` names.
    pub baseline: Option<GateInput>,
}

/// A file that took part in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateInput {
    /// As it was typed.
    pub path: String,
    /// Of the bytes that were read, in hexadecimal digits.
    pub sha256: String,
}

/// What shaped the files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputSettings {
    formats: Vec<Format>,
    csv_raw: bool,
    /// Left out in the manifests of earlier versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    csv_excel: bool,
    /// As it was typed.
    templates: Option<String>,
}

/// A file beside the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Manifest {
    /// Of a report that was written.
    ///
    /// # Errors
    /// Evidence that can't be read.
    pub fn new(
        inputs: &[ReportInput],
        parts: ManifestParts,
        gate: Gate,
        output: &Output,
        files: &[report::ReportFile],
    ) -> Result<Self, export::Error> {
        let runs = inputs.iter().map(|input| run_entry(input, &parts.forms));
        let mut runs = runs.collect::<Result<Vec<_>, _>>()?;
        runs.sort_by(|one, other| one.deployment.cmp(&other.deployment));
        let mut files: Vec<_> = files.iter().map(FileEntry::from).collect();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let Output { out: _, stdout: _, formats, templates, step_summary: _, csv } = output;
        let templates = templates.as_ref().map(|path| path.display().to_string());
        let (csv_raw, csv_excel) = (*csv == CsvStyle::Raw, *csv == CsvStyle::Excel);
        let output = OutputSettings { formats: formats.clone(), csv_raw, csv_excel, templates };
        let tool = parts.tool.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Self { format: FORMAT.to_owned(), version: VERSION, tool, runs, gate, output, files })
    }

    /// The same without the other runs.
    #[must_use]
    pub fn of_run(&self, run: &Run) -> Self {
        let is_it = |entry: &&RunEntry| entry.run == run.id && entry.deployment == run.deployment;
        let runs = self.runs.iter().filter(is_it).cloned().collect();
        let (format, tool, gate) = (self.format.clone(), self.tool.clone(), self.gate.clone());
        let (output, files) = (self.output.clone(), self.files.clone());
        Self { format, version: self.version, tool, runs, gate, output, files }
    }

    /// Its text, as it is in the file.
    ///
    /// # Errors
    /// None that is known: nothing in it has no form in JSON.
    pub fn text(&self) -> Result<String, export::Error> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        text.push('\n');
        Ok(text)
    }
}

fn run_entry(
    input: &ReportInput,
    forms: &BTreeMap<String, CanonicalForm>,
) -> Result<RunEntry, export::Error> {
    let ReportInput { store, run, policy, ratchet } = input;
    let _awake = store.awake()?;
    let judged_by = AppliedPolicy {
        cutoff: policy.cutoff,
        active_within_days: policy.active_within,
        compared_with: ratchet.map(|ratchet| ratchet.run.name.clone()),
    };
    let form = match forms.get(&run.deployment) {
        Some(form) => form.clone(),
        None => CanonicalForm::of_run(store, run, VERSION)?,
    };
    RunEntry::new(store, run, judged_by, form, VERSION)
}

impl RunEntry {
    /// Whether both are of a run that had come to the same end.
    pub(super) fn is_ended_as(&self, other: &Self) -> bool {
        self.finished_at.is_some()
            && self.finished_at == other.finished_at
            && self.deployment == other.deployment
    }

    /// As a message names it.
    pub(super) fn label(&self) -> String {
        format!("run {} of {}", self.run, self.deployment)
    }

    /// Of a run as the store has it now, for a manifest of this version.
    pub(super) fn new(
        store: &Store,
        run: &Run,
        judged_by: AppliedPolicy,
        form: CanonicalForm,
        version: u64,
    ) -> Result<Self, export::Error> {
        let CanonicalForm { totals, users_by_organization, sha256, bytes: canonical_bytes } = form;
        let organizations = || Organizations::new(store, run, &users_by_organization);
        let settings = &run.settings;
        Ok(Self {
            run: run.id,
            deployment: run.deployment.clone(),
            address: run.address.clone(),
            product: run.product,
            service_version: run.service_version.clone(),
            credential: run.credential.clone(),
            lists: settings.lists.iter().map(|text| UserList::new(text)).collect(),
            organizations: (version > 1).then(organizations).transpose()?,
            started_at: run.started_at,
            finished_at: run.finished_at,
            complete: run.finished_at.is_some() && totals.gaps + totals.not_read == 0,
            clock_skew_seconds: run.clock_skew,
            tool_version: run.tool_version.clone(),
            settings_sha256: settings_sha256(settings)?,
            settings: settings.clone(),
            totals,
            readings_sha256: sha256,
            canonical_bytes,
            judged_by,
            previous: PreviousManifest::from_store(store, run.id)?,
        })
    }
}

/// What the canonical form of a run holds, its SHA-256 and its length.
#[derive(Clone)]
pub(super) struct CanonicalForm {
    totals: ExportCounts,
    users_by_organization: BTreeMap<String, u64>,
    pub(super) sha256: String,
    bytes: u64,
}

impl CanonicalForm {
    /// Manifests of a version have the form of that version.
    pub(super) fn of_run(store: &Store, run: &Run, version: u64) -> Result<Self, export::Error> {
        export::write(store, run, version, HashWriter::default()).map(Self::new)
    }

    fn new(Exported { counts, users_by_organization, out }: Exported<HashWriter>) -> Self {
        let (sha256, bytes) = out.end();
        Self { totals: counts, users_by_organization, sha256, bytes }
    }
}

/// What a manifest needs of a report while that is written: the canonical forms of its runs, so that no run is read twice, and
/// the hash of the program.
pub struct ManifestParts {
    tool: JoinHandle<ToolEntry>,
    /// By deployment.
    forms: BTreeMap<String, CanonicalForm>,
    /// The run under way, and its deployment.
    current: Option<(String, ExportWriter<HashWriter>)>,
}

impl ManifestParts {
    /// Begins with the hash, on a thread of its own.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn begin() -> io::Result<Self> {
        let tool = std::thread::Builder::new().spawn(ToolEntry::this)?;
        Ok(Self { tool, forms: BTreeMap::new(), current: None })
    }
}

impl ResultReader for ManifestParts {
    fn begin(&mut self, store: &Store, run: &Run) -> Result<(), report::Error> {
        let form =
            ExportWriter::begin(store, run, VERSION, HashWriter::default()).map_err(|why| match why {
                export::Error::Store(why) => why.into(),
                export::Error::Write(why) => not_written(why),
            })?;
        self.current = Some((run.deployment.clone(), form));
        Ok(())
    }

    fn read(&mut self, results: &[&UserResult]) -> Result<(), report::Error> {
        let Some((_, form)) = &mut self.current else { return Ok(()) };
        results.iter().try_for_each(|result| form.add(result)).map_err(not_written)
    }

    fn end(&mut self) -> Result<(), report::Error> {
        let Some((deployment, form)) = self.current.take() else { return Ok(()) };
        let exported = form.end().map_err(not_written)?;
        self.forms.insert(deployment, CanonicalForm::new(exported));
        Ok(())
    }
}

fn not_written(why: io::Error) -> report::Error {
    report::Error::Write(NAME.to_owned(), why)
}

impl Organizations {
    fn new(store: &Store, run: &Run, users: &BTreeMap<String, u64>) -> Result<Self, store::Error> {
        let Some(organizations) = store.organizations(run)? else { return Ok(Self(None)) };
        let entry = |OrganizationResult { organization, outcome }| OrganizationEntry {
            users: users.get(&organization.id).copied().unwrap_or_default(),
            id: organization.id,
            name: organization.name,
            is_deleted: organization.is_deleted,
            list_status: outcome.status,
        };
        Ok(Self(Some(organizations.into_iter().map(entry).collect())))
    }
}

/// Of the settings on one line, as the canonical form has them.
pub(super) fn settings_sha256(settings: &RunSettings) -> io::Result<String> {
    Ok(sha256(&serde_json::to_vec(settings)?))
}

impl PreviousManifest {
    /// What the store says that a manifest of this run has to name.
    pub(super) fn from_store(store: &Store, run: i64) -> Result<Option<Self>, store::Error> {
        let before = store.manifest_before(run)?;
        Ok(before.map(|(run, sha256)| Self { run, sha256 }))
    }
}

impl UserList {
    fn new(text: &str) -> Self {
        let list = ListFingerprint::parse(text);
        let (users, sha256) = list.map(|list| (list.users, list.sha256)).unzip();
        Self { users, sha256, text: text.to_owned() }
    }
}

impl ToolEntry {
    /// This program, by the file that it was started from.
    pub(super) fn this() -> Self {
        // What runs, even if somebody has installed another version meanwhile; elsewhere than on Linux the file of that name now.
        let binary = File::open("/proc/self/exe").or_else(|_| std::env::current_exe().and_then(File::open));
        let (binary_sha256, binary_not_read) = match binary.and_then(|file| sha256_of_file(&file)) {
            Ok((sha256, _)) => (Some(sha256), None),
            Err(why) => (None, Some(why.to_string())),
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { name: "keysunset".to_owned(), version, binary_sha256, binary_not_read }
    }
}

impl From<&report::ReportFile> for FileEntry {
    fn from(file: &report::ReportFile) -> Self {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, bytes: file.bytes, sha256: file.sha256.clone() }
    }
}
