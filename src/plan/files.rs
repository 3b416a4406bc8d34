//! The files of a plan, written owner by owner: each has a temporary name until all are complete.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;
use tempfile::NamedTempFile;

use super::inventory::Inventory;
use super::json::{FORMAT, OwnerEntry, SCHEMA, Totals, VERSION};
use super::owner::OwnerPlan;
use super::page::Page;
use super::rows::{Columns, ReplacementTexts};
use super::{Per, Summary};
use crate::report::{Guarded, JsonArray, ReportFile, csv_writer, persist, temp_file_in};

type OutputFile = BufWriter<NamedTempFile>;

/// What the plan is of.
#[derive(Serialize)]
pub(crate) struct PlanHead<'a> {
    pub(crate) deployment: &'a str,
    pub(crate) address: &'a str,
    pub(crate) product: &'static str,
    pub(crate) service_version: Option<&'a str>,
    pub(crate) run: i64,
    pub(crate) started_at: String,
    pub(crate) per: Per,
    /// Lists of users that were not read to their end, and whether the run ended: users may be missing from the plan.
    pub(crate) incomplete: Vec<String>,
}

/// The files under way.
pub(crate) struct PlanFiles<'a> {
    head: &'a PlanHead<'a>,
    inventory: &'a Inventory,
    csv: csv::Writer<OutputFile>,
    json: OutputFile,
    owners: JsonArray,
    page: Page,
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
        Ok(Self { head, inventory, csv, json, owners, page: Page::default(), summary: Summary::default() })
    }

    /// Adds an owner.
    pub(crate) fn add(&mut self, plan: &OwnerPlan) -> io::Result<()> {
        self.summary.add(plan);
        self.page.add(plan);
        self.add_rows(plan)?;
        self.owners.next(&mut self.json)?;
        Ok(serde_json::to_writer(&mut self.json, &OwnerEntry::new(plan, self.inventory))?)
    }

    fn add_rows(&mut self, plan: &OwnerPlan) -> io::Result<()> {
        let deployment = self.head.deployment;
        if let Some(why) = plan.unknown.as_ref().filter(|_| plan.keys.is_empty()) {
            self.csv.serialize(Columns::<Guarded>::of_unknown(deployment, plan, why))?;
        }
        for key in &plan.keys {
            self.csv.serialize(Columns::<Guarded>::of_key(deployment, plan, key))?;
        }
        for replacement in &plan.replacements {
            let texts = ReplacementTexts::new(plan, replacement);
            let row =
                Columns::<Guarded>::of_replacement(deployment, plan, replacement, &texts, self.inventory);
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
        let text = self.page.render(self.head, &self.summary).map_err(io::Error::other)?;
        page.write_all(text.as_bytes())?;
        let csv = self.csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
        let files = [(page, "plan.md"), (csv, "plan.csv"), (self.json, "plan.json")];
        let persisted = files.into_iter().map(|(file, name)| persist(file, &folder.join(name)));
        Ok((self.summary, persisted.collect::<io::Result<_>>()?))
    }
}
