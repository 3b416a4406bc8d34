//! The files of a plan, written owner by owner: each has a temporary name until all are complete.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;
use tempfile::NamedTempFile;

use super::inventory::Inventory;
use super::json::{FORMAT, OwnerEntry, SCHEMA, Totals, VERSION};
use super::letters::Letters;
use super::owner::OwnerPlan;
use super::page::Page;
use super::rows::{Columns, ReplacementTexts};
use super::scripts::Scripts;
use super::template::Templates;
use super::{Per, Summary};
use crate::model::Product;
use crate::output::{Guarded, JsonArray, ReportFile, csv_writer, persist, temp_file_in};

type OutputFile = BufWriter<NamedTempFile>;

/// What the plan is of.
#[derive(Serialize)]
pub(crate) struct PlanHead<'a> {
    pub(crate) deployment: &'a str,
    pub(crate) address: &'a str,
    pub(crate) product: Product,
    pub(crate) service_version: Option<&'a str>,
    pub(crate) run: i64,
    pub(crate) started_at: String,
    pub(crate) per: Per,
    /// Days without a use before a key may be disabled.
    pub(crate) verify_days: u32,
    /// Lists of users that were not read to their end, and whether the run ended: users may be missing from the plan.
    pub(crate) incomplete: Vec<String>,
}

impl PlanHead<'_> {
    /// Whether the address is one that a script can call; a demo and saved responses have none.
    pub(super) fn has_address(&self) -> bool {
        self.address.starts_with("https://") || self.address.starts_with("http://")
    }
}

/// The files under way.
pub(crate) struct PlanFiles<'a> {
    head: &'a PlanHead<'a>,
    inventory: &'a Inventory,
    csv: csv::Writer<OutputFile>,
    json: OutputFile,
    owners: JsonArray,
    page: Page,
    scripts: Scripts,
    letters: Letters,
    templates: Templates,
    summary: Summary,
}

impl<'a> PlanFiles<'a> {
    /// Begins them in `folder`.
    pub(crate) fn begin(folder: &Path, head: &'a PlanHead, inventory: &'a Inventory) -> io::Result<Self> {
        let csv = csv_writer(BufWriter::new(temp_file_in(folder)?), &Columns::<&str>::default())?;
        let mut json = BufWriter::new(temp_file_in(folder)?);
        write!(
            json,
            "{{\n\"$schema\": \"{SCHEMA}\",\n\"format\": \"{FORMAT}\",\n\"version\": {VERSION},\n\"plan\": "
        )?;
        serde_json::to_writer(&mut json, head)?;
        json.write_all(b",\n\"owners\": ")?;
        let owners = JsonArray::open(&mut json)?;
        Ok(Self {
            head,
            inventory,
            csv,
            json,
            owners,
            page: Page::default(),
            scripts: Scripts::begin(folder)?,
            letters: Letters::begin(folder)?,
            templates: Templates::new().map_err(io::Error::other)?,
            summary: Summary::default(),
        })
    }

    /// Adds an owner.
    pub(crate) fn add(&mut self, plan: &OwnerPlan) -> io::Result<()> {
        self.page.add(plan);
        let script = self.scripts.add(plan, self.head, self.inventory, &self.templates)?;
        if let Some(script) = &script {
            self.letters.add(plan, self.head, self.inventory, &self.templates, script)?;
        }
        self.summary.add(plan, script.is_some());
        self.add_rows(plan, script.as_deref().unwrap_or_default())?;
        self.owners.next(&mut self.json)?;
        let entry = OwnerEntry::new(plan, self.inventory, script.as_deref());
        Ok(serde_json::to_writer(&mut self.json, &entry)?)
    }

    fn add_rows(&mut self, plan: &OwnerPlan, script: &str) -> io::Result<()> {
        let deployment = self.head.deployment;
        if let Some(why) = plan.unknown.as_ref().filter(|_| plan.keys.is_empty()) {
            self.csv.serialize(Columns::<Guarded>::of_unknown(deployment, plan, why))?;
        }
        for key in &plan.keys {
            self.csv.serialize(Columns::<Guarded>::of_key(deployment, plan, key, script))?;
        }
        for replacement in &plan.replacements {
            let texts = ReplacementTexts::new(plan, replacement);
            let inventory = self.inventory;
            let row =
                Columns::<Guarded>::of_replacement(deployment, plan, replacement, &texts, inventory, script);
            self.csv.serialize(row)?;
        }
        Ok(())
    }

    /// Ends them, and gives them their names in `folder`.
    pub(crate) fn end(mut self, folder: &Path) -> io::Result<(Summary, Vec<ReportFile>)> {
        self.owners.close(&mut self.json, "\n],\n", "],\n")?;
        self.json.write_all(b"\"totals\": ")?;
        serde_json::to_writer(&mut self.json, &Totals::new(&self.summary))?;
        self.json.write_all(b"\n}\n")?;
        let mut page = BufWriter::new(temp_file_in(folder)?);
        let text = self.page.render(&self.templates, self.head, &self.summary).map_err(io::Error::other)?;
        page.write_all(text.as_bytes())?;
        let csv = self.csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
        let files = [(page, "plan.md"), (csv, "plan.csv"), (self.json, "plan.json")];
        let persisted = files.into_iter().map(|(file, name)| persist(file, &folder.join(name)));
        Ok((self.summary, persisted.collect::<io::Result<_>>()?))
    }
}
