//! `keys.xlsx`, for people who filter and sort in a spreadsheet: typed cells, no formula. Rows are written as they pass, to a
//! temporary file for each sheet.

mod columns;
mod sheet;
mod summary;

use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook};

use self::sheet::{Sheet, Styles};
use crate::report::record::{MissingUsers, Record};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RunContext, Writer};

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
    glossary: Sheet,
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
    let mut sheet =
        |name, headings, printed| Sheet::new(&mut workbook, &styles, name, headings, printed, rows);
    Ok(Xlsx {
        keys: sheet("Keys", columns::KEYS, 11)?,
        organizations: sheet("Organizations", columns::ORGANIZATIONS, 11)?,
        unread: sheet("Users not read", columns::UNREAD, 8)?,
        glossary: sheet("Glossary", columns::GLOSSARY, 2)?,
        file,
        workbook,
        styles,
    })
}

impl Xlsx {
    fn add_unread(&mut self, record: &Record) -> Result<(), FormatError> {
        self.unread.add(&mut self.workbook, &self.styles, columns::of_unread(record))
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

    fn row(&mut self, context: &RunContext, row: &Row) -> Result<(), FormatError> {
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
        summary::write(sheet, &self.styles, report, self.keys.parts())?;
        for sheet in [&self.keys, &self.organizations, &self.unread, &self.glossary] {
            sheet.end(&mut self.workbook)?;
        }
        // The same run gives the same bytes: the file is as old as the newest run in it.
        let started = report.deployments.iter().map(|it| it.context.run.started_at).max().unwrap_or_default();
        let created = ExcelDateTime::from_timestamp(started.timestamp())?;
        let properties = DocProperties::new().set_title("Personal API keys").set_creation_datetime(&created);
        self.workbook.set_properties(&properties);
        let Self { mut file, mut workbook, .. } = *self;
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
        let expected = ["Summary", "Keys", "Organizations", "Users not read", "Glossary", "Keys 2", "Keys 3"];
        assert_eq!(names, expected);
    }
}
