//! The files of a plan, written owner by owner: each has a temporary name until all are complete.

use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::forecast::{ForecastBuilder, Upgrade};
use super::inventory::Inventory;
use super::json::{FORMAT, OwnerEntry, SCHEMA, Totals, VERSION};
use super::letters::{LetterFormat, Letters};
use super::owner::OwnerPlan;
use super::page::Page;
use super::rows::{Columns, ReplacementTexts};
use super::scripts::Scripts;
use super::template::Templates;
use super::{Per, Summary, Tools};
use crate::model::Product;
use crate::output::{CsvRows, CsvStyle, Guarded, OutputFile, ReportFile, persist, temp_file_in};

/// What the plan is of.
#[derive(Serialize)]
pub(crate) struct PlanHead<'a> {
    pub(crate) deployment: &'a str,
    pub(crate) address: &'a str,
    /// Where a script sends its requests, without `/` at the end; a demo and saved responses have no such place.
    #[serde(skip)]
    pub(crate) base_url: Option<String>,
    pub(crate) product: Product,
    pub(crate) service_version: Option<&'a str>,
    pub(crate) run: i64,
    pub(crate) started_at: String,
    pub(crate) per: Per,
    pub(crate) tools: Tools,
    /// Days without a use before a key may be disabled.
    pub(crate) verify_days: u32,
    pub(crate) upgrade_on: Option<NaiveDate>,
    #[serde(skip)]
    pub(crate) letters: LetterFormat,
    /// The date of letters that are mail messages: the start of the run, so that the same run gives the same bytes.
    #[serde(skip)]
    pub(crate) letter_date: DateTime<Utc>,
    /// Lists of users that were not read to their end, and whether the run ended: users may be missing from the plan.
    pub(crate) incomplete: Vec<String>,
    /// Whether the run asked for the users of all organizations: who is not in it is gone.
    #[serde(skip)]
    pub(crate) has_all_organizations: bool,
}

impl PlanHead<'_> {
    /// Whether a server has no programmatic keys, which came with Ops Manager 4.1.2.
    pub(crate) fn lacks_programmatic_keys(&self) -> bool {
        let is_old = |version: &str| {
            let mut numbers = version.trim().split('.').map(|number| number.parse::<u32>().ok());
            let [major, minor] = [0; 2].map(|_| numbers.next().flatten());
            major.zip(minor).is_some_and(|version| version < (4, 2))
        };
        self.product == Product::OpsManager
            && self.service_version.is_some_and(|all| all.split(',').any(is_old))
    }
}

/// Beside the folders of scripts and letters.
pub(crate) const FILES: [&str; 3] = ["plan.md", "plan.csv", "plan.json"];

/// The files under way.
pub(crate) struct PlanFiles<'a> {
    head: &'a PlanHead<'a>,
    inventory: &'a Inventory,
    /// Owners of whom something is not known come first, so the rows of the others wait in files without a name.
    unknown: Rows,
    known: Rows,
    page: Page,
    scripts: Scripts,
    letters: Letters,
    templates: Templates,
    summary: Summary,
    forecast: Option<ForecastBuilder>,
}

impl<'a> PlanFiles<'a> {
    /// Begins them in `folder`.
    pub(crate) fn begin(
        folder: &Path,
        head: &'a PlanHead,
        inventory: &'a Inventory,
        upgrade: Option<Upgrade>,
    ) -> io::Result<Self> {
        let temp_file = || Ok::<_, io::Error>(BufWriter::new(temp_file_in(folder)?));
        let mut json = temp_file()?;
        write!(
            json,
            "{{\n\"$schema\": \"{SCHEMA}\",\n\"format\": \"{FORMAT}\",\n\"version\": {VERSION},\n\"plan\": "
        )?;
        serde_json::to_writer(&mut json, head)?;
        json.write_all(b",\n\"owners\": [")?;
        let templates = Templates::new().map_err(io::Error::other)?;
        let scripts = Scripts::begin(folder)?;
        if head.tools.terraform {
            scripts.begin_terraform(head, &templates)?;
        }
        Ok(Self {
            head,
            inventory,
            unknown: Rows {
                csv: CsvRows::with_header(temp_file()?, CsvStyle::Guarded, &Columns::<&str>::default())?,
                json,
                owners: 0,
            },
            known: Rows { csv: CsvRows::new(temp_file()?, CsvStyle::Guarded), json: temp_file()?, owners: 0 },
            page: Page::default(),
            scripts,
            letters: Letters::begin(folder, head.letters, head.letter_date)?,
            templates,
            summary: Summary::default(),
            forecast: upgrade.map(ForecastBuilder::new),
        })
    }

    /// Adds an owner.
    pub(crate) fn add(&mut self, plan: &OwnerPlan) -> io::Result<()> {
        self.page.add(plan, self.inventory);
        if let Some(forecast) = &mut self.forecast {
            forecast.add(plan, self.inventory);
        }
        let script = self.scripts.add(plan, self.head, self.inventory, &self.templates)?;
        if let Some(script) = &script {
            self.letters.add(plan, self.head, self.inventory, &self.templates, script)?;
            if self.head.tools.terraform {
                self.scripts.add_terraform(plan, self.inventory, &self.templates, script)?;
            }
        }
        self.summary.add(plan, script.is_some());
        let rows = if plan.unknown.is_some() { &mut self.unknown } else { &mut self.known };
        rows.add(plan, self.head.deployment, self.inventory, script.as_deref())
    }

    /// Ends them, and gives them their names in `folder`.
    pub(crate) fn end(mut self, folder: &Path) -> io::Result<(Summary, Vec<ReportFile>)> {
        let is_empty = self.unknown.owners + self.known.owners == 0;
        let (csv, mut json) = self.unknown.append(self.known)?;
        json.write_all(if is_empty { b"],\n" } else { b"\n],\n" })?;
        json.write_all(b"\"totals\": ")?;
        serde_json::to_writer(&mut json, &Totals::new(&self.summary))?;
        let forecast = self.forecast.map(ForecastBuilder::end);
        json.write_all(b",\n\"upgrade\": ")?;
        serde_json::to_writer(&mut json, &forecast)?;
        json.write_all(b"\n}\n")?;
        let mut page = BufWriter::new(temp_file_in(folder)?);
        let text = self
            .page
            .render(&self.templates, self.head, &self.summary, forecast.as_ref())
            .map_err(io::Error::other)?;
        page.write_all(text.as_bytes())?;
        for script in self.scripts.withdraw(self.head)? {
            self.letters.withdraw(&script)?;
            self.summary.withdrawn += 1;
        }
        self.scripts.end()?;
        self.letters.end()?;
        let files = [page, csv, json].into_iter().zip(FILES);
        let persisted = files.map(|(file, name)| persist(file, &folder.join(name)));
        Ok((self.summary, persisted.collect::<io::Result<_>>()?))
    }
}

/// The rows of some owners in both files.
struct Rows {
    csv: CsvRows,
    json: OutputFile,
    owners: u64,
}

impl Rows {
    fn add(
        &mut self,
        plan: &OwnerPlan,
        deployment: &str,
        inventory: &Inventory,
        script: Option<&str>,
    ) -> io::Result<()> {
        let in_csv = script.unwrap_or_default();
        if let Some(why) = plan.unknown.as_ref().filter(|_| plan.keys.is_empty()) {
            self.csv.serialize(&Columns::<Guarded>::of_unknown(deployment, plan, why))?;
        }
        for key in &plan.keys {
            self.csv.serialize(&Columns::<Guarded>::of_key(deployment, plan, key, in_csv))?;
        }
        for replacement in &plan.replacements {
            let texts = ReplacementTexts::new(plan, replacement);
            let row =
                Columns::<Guarded>::of_replacement(deployment, plan, replacement, &texts, inventory, in_csv);
            self.csv.serialize(&row)?;
        }
        self.json.write_all(if self.owners == 0 { b"\n" } else { b",\n" })?;
        self.owners += 1;
        Ok(serde_json::to_writer(&mut self.json, &OwnerEntry::new(plan, inventory, script))?)
    }

    /// Both files, with the rows of others after these.
    fn append(mut self, others: Self) -> io::Result<(OutputFile, OutputFile)> {
        let mut csv = self.csv.into_file();
        copy(others.csv.into_file(), &mut csv)?;
        if self.owners > 0 && others.owners > 0 {
            self.json.write_all(b",")?;
        }
        copy(others.json, &mut self.json)?;
        Ok((csv, self.json))
    }
}

/// The whole text of a file that was written.
fn copy(from: OutputFile, to: &mut OutputFile) -> io::Result<()> {
    let mut from = from.into_inner().map_err(io::IntoInnerError::into_error)?;
    from.rewind()?;
    io::copy(&mut from, to).map(drop)
}
