//! `keys.xlsx`, for people who filter and sort in a spreadsheet: typed cells, no formula. Rows are written as they pass, to a
//! temporary file for each sheet.

mod columns;
mod sheet;
mod summary;

use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook};

use self::columns::KeyPlace;
use self::sheet::{Sheet, Styles};
use self::summary::Decisions;
use crate::plan::{Columns, OwnerPlan, ReplacementTexts};
use crate::report::record::{MissingUsers, Record};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RowContext, RunContext, Writer};

/// The rows of a sheet that Excel can open, without its header.
const ROWS: u32 = 1_048_575;

/// The file in progress.
struct Xlsx {
    file: OutputFile,
    workbook: Workbook,
    styles: Styles,
    keys: Sheet,
    organizations: Sheet,
    unread: Sheet,
    plan: Sheet,
    places: Sheet,
    glossary: Sheet,
    decisions: Decisions,
}

/// `folder` has the temporary files of the sheets.
pub(super) fn start(file: OutputFile, folder: &Path) -> Result<impl Writer + use<>, FormatError> {
    start_with(file, folder, ROWS)
}

fn start_with(file: OutputFile, folder: &Path, rows: u32) -> Result<Xlsx, FormatError> {
    let mut workbook = Workbook::new();
    workbook.set_tempdir(folder)?;
    let styles = Styles::default();
    workbook.add_worksheet_with_constant_memory()?.set_name(summary::NAME)?;
    let mut keys = Sheet::new("Keys", columns::KEYS, 11, rows);
    let mut organizations = Sheet::new("Organizations", columns::ORGANIZATIONS, 11, rows);
    let mut unread = Sheet::new("Users not read", columns::UNREAD, 8, rows);
    for sheet in [&mut keys, &mut organizations, &mut unread] {
        sheet.add_part(&mut workbook, &styles)?;
    }
    Ok(Xlsx {
        keys,
        organizations,
        unread,
        plan: Sheet::new("Plan", columns::PLAN, 10, rows),
        places: Sheet::new("Places", columns::PLACES, 10, rows),
        glossary: Sheet::new("Glossary", columns::GLOSSARY, 2, rows),
        decisions: Decisions::new(),
        file,
        workbook,
        styles,
    })
}

impl Xlsx {
    fn add_unread(&mut self, record: &Record) -> Result<(), FormatError> {
        self.unread.add(&mut self.workbook, &self.styles, columns::of_unread(record))
    }

    /// The rows of `plan.csv`: the keys of an owner, and what replaces them.
    fn add_plan(&mut self, context: &RowContext, plan: &OwnerPlan) -> Result<(), FormatError> {
        let (deployment, inventory) = (context.run.deployment.as_str(), &context.inventory);
        let Self { plan: sheet, workbook, styles, .. } = self;
        let mut add = |row: &Columns<&str>| sheet.add(workbook, styles, columns::of_plan(row));
        if let Some(why) = plan.unknown.as_ref().filter(|_| plan.keys.is_empty()) {
            add(&Columns::of_unknown(deployment, plan, why))?;
        }
        for key in &plan.keys {
            add(&Columns::of_key(deployment, plan, key, ""))?;
            *self.decisions.entry(key.decided.decision).or_default() += 1;
        }
        for replacement in &plan.replacements {
            let texts = ReplacementTexts::new(plan, replacement);
            add(&Columns::of_replacement(deployment, plan, replacement, &texts, inventory, ""))?;
        }
        Ok(())
    }

    fn add_places(&mut self, context: &RunContext, row: &Row) -> Result<(), FormatError> {
        let (Some(search), Some((key, judged))) = (&context.search, &row.key) else { return Ok(()) };
        let Some(suffix) = &key.suffix else { return Ok(()) };
        if search.counts(Some(suffix)).is_none_or(|counts| counts.all == 0) {
            return Ok(());
        }
        let (deployment, username) = (context.run.deployment.as_str(), row.result.user.username.as_deref());
        for place in &context.store.places(search, suffix)? {
            let place = KeyPlace { deployment, username, key, judged, place };
            self.places.add(&mut self.workbook, &self.styles, columns::of_place(&place))?;
        }
        Ok(())
    }

    fn add_organizations(&mut self, report: &Report) -> Result<(), FormatError> {
        for deployment in &report.deployments {
            let name = deployment.context.run.deployment.as_str();
            for organization in deployment.organizations.iter().flatten() {
                let cells = (name, organization);
                let cells = columns::of_organization(&cells);
                self.organizations.add(&mut self.workbook, &self.styles, cells)?;
            }
        }
        Ok(())
    }

    fn add_glossary(&mut self) -> Result<(), FormatError> {
        for (term, meaning) in columns::glossary() {
            let entry = (&*term, &*meaning);
            self.glossary.add(&mut self.workbook, &self.styles, columns::of_term(&entry))?;
        }
        Ok(())
    }
}

impl Writer for Xlsx {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        MissingUsers::of_run(context).try_for_each(|missing| self.add_unread(&missing.record()))
    }

    fn places(&mut self, context: &RunContext, rows: &[Row]) -> Result<(), FormatError> {
        rows.iter().try_for_each(|row| self.add_places(context, row))
    }

    fn rows(&mut self, context: &RowContext, rows: &[Row]) -> Result<(), FormatError> {
        if let Some(plan) = rows.first().and_then(|row| row.plan(context)) {
            self.add_plan(context, plan)?;
        }
        rows.iter().try_for_each(|row| self.row(context, row))
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        let record = Record::new(context, row);
        if row.is_unread() {
            return self.add_unread(&record);
        }
        if row.key.is_none() {
            return Ok(());
        }
        self.keys.add(&mut self.workbook, &self.styles, columns::of_key(&record))
    }

    fn end(mut self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        self.add_organizations(report)?;
        self.add_glossary()?;
        let sheet = self.workbook.worksheet_from_name(summary::NAME)?;
        summary::write(sheet, &self.styles, report, self.keys.parts(), &self.decisions)?;
        let Self { mut file, mut workbook, keys, organizations, unread, plan, places, glossary, .. } = *self;
        for sheet in [keys, organizations, unread, plan, places, glossary] {
            sheet.end(&mut workbook)?;
        }
        // The same run gives the same bytes: the file is as old as the newest run in it.
        let created = ExcelDateTime::from_timestamp(report.now().timestamp())?;
        let properties = DocProperties::new().set_title("Personal API keys").set_creation_datetime(&created);
        workbook.set_properties(&properties);
        workbook.save_to_writer(&mut file)?;
        Ok(Rendered::File(file))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufWriter;

    use rust_xlsxwriter::Worksheet;

    use super::*;
    use crate::output::temp_file_in;

    #[test]
    fn rows_beyond_the_limit_of_a_sheet_are_in_a_second_sheet() {
        let folder = tempfile::tempdir().unwrap();
        let file = BufWriter::new(temp_file_in(folder.path()).unwrap());
        let mut xlsx = start_with(file, folder.path(), 2).ok().unwrap();
        for _ in 0..5 {
            let record = Record::default();
            xlsx.keys.add(&mut xlsx.workbook, &xlsx.styles, columns::of_key(&record)).ok().unwrap();
        }
        let names: Vec<_> = xlsx.workbook.worksheets().iter().map(Worksheet::name).collect();
        let expected = ["Summary", "Keys", "Organizations", "Users not read", "Keys 2", "Keys 3"];
        assert_eq!(names, expected);
    }
}
