//! `keys.xlsx`, for people who filter and sort in a spreadsheet: typed cells, no formula. Rows are written and compressed as
//! they pass.

mod blocks;
mod book;
mod columns;
mod package;
mod row;
mod summary;

use std::path::Path;

use self::book::Book;
use self::columns::KeyPlace;
use self::summary::Decisions;
use crate::plan::{Columns, OwnerPlan, ReplacementTexts};
use crate::report::record::{MissingUsers, Record};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RowContext, RunContext, Writer};

/// The rows of a sheet that Excel can open, with its header.
const ROWS: u32 = 1_048_576;

/// The file in progress.
struct Xlsx {
    file: OutputFile,
    book: Book,
    decisions: Decisions,
}

/// `folder` has a temporary file with the rows.
pub(super) fn start(file: OutputFile, folder: &Path) -> Result<impl Writer + use<>, FormatError> {
    start_with(file, folder, ROWS)
}

fn start_with(file: OutputFile, folder: &Path, rows: u32) -> Result<Xlsx, FormatError> {
    let mut book = Book::new_in(folder, rows)?;
    for sheet in [&summary::SUMMARY, &columns::KEYS, &columns::ORGANIZATIONS, &columns::UNREAD] {
        book.add_sheet(sheet)?;
    }
    Ok(Xlsx { file, book, decisions: Decisions::new() })
}

impl Xlsx {
    fn add_unread(&mut self, record: &Record) -> Result<(), FormatError> {
        Ok(self.book.add_row(&columns::UNREAD, columns::of_unread(record))?)
    }

    /// The rows of `plan.csv`: the keys of an owner, and what replaces them.
    fn add_plan(&mut self, context: &RowContext, plan: &OwnerPlan) -> Result<(), FormatError> {
        let (deployment, inventory) = (context.run.deployment.as_str(), &context.inventory);
        let mut add = |row: &Columns<&str>| self.book.add_row(&columns::PLAN, columns::of_plan(row));
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
            self.book.add_row(&columns::PLACES, columns::of_place(&place))?;
        }
        Ok(())
    }

    fn add_organizations(&mut self, report: &Report) -> Result<(), FormatError> {
        for deployment in &report.deployments {
            let name = deployment.context.run.deployment.as_str();
            for organization in deployment.organizations.iter().flatten() {
                let row = (name, organization);
                self.book.add_row(&columns::ORGANIZATIONS, columns::of_organization(&row))?;
            }
        }
        Ok(())
    }

    fn add_glossary(&mut self) -> Result<(), FormatError> {
        for (term, meaning) in columns::glossary() {
            let entry = (&*term, &*meaning);
            self.book.add_row(&columns::GLOSSARY, columns::of_term(&entry))?;
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
        Ok(self.book.add_row(&columns::KEYS, columns::of_key(&record))?)
    }

    fn end(mut self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        self.add_organizations(report)?;
        self.add_glossary()?;
        let Self { file, mut book, decisions } = *self;
        summary::write(&mut book, report, &decisions)?;
        Ok(Rendered::File(book.save(file, report.now())?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufWriter, Read as _};

    use chrono::DateTime;
    use zip::ZipArchive;

    use super::*;
    use crate::output::temp_file_in;

    #[test]
    fn rows_beyond_the_limit_of_a_sheet_are_in_a_second_sheet() {
        let folder = tempfile::tempdir().unwrap();
        let file = BufWriter::new(temp_file_in(folder.path()).unwrap());
        let mut xlsx = start_with(file, folder.path(), 3).ok().unwrap();
        for number in 0..5 {
            let record = Record { age_days: Some(number), ..Record::default() };
            xlsx.book.add_row(&columns::KEYS, columns::of_key(&record)).unwrap();
        }
        xlsx.book.add_row(&summary::SUMMARY, []).unwrap();
        let saved = xlsx.book.save(xlsx.file, DateTime::UNIX_EPOCH).ok().unwrap();
        let mut parts = ZipArchive::new(saved.into_inner().unwrap().into_file()).unwrap();
        let mut part = |name: &str| {
            let mut xml = String::new();
            parts.by_name(name).unwrap().read_to_string(&mut xml).unwrap();
            xml
        };
        let book = part("xl/workbook.xml");
        let names: Vec<_> =
            book.split("<sheet name=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
        assert_eq!(names, ["Summary", "Keys", "Organizations", "Users not read", "Keys 2", "Keys 3"]);
        for (sheet, range, expected) in [(2, "A1:AB3", "0 1"), (5, "A1:AB3", "2 3"), (6, "A1:AB2", "4")] {
            let xml = part(&format!("xl/worksheets/sheet{sheet}.xml"));
            assert!(xml.contains(&format!("<dimension ref=\"{range}\"/>")), "{xml}");
            assert!(xml.contains(&format!("<autoFilter ref=\"{range}\"/>")), "{xml}");
            let values = xml.split("<c r=\"M").filter_map(|cell| cell.split_once("\"><v>"));
            let values: Vec<_> = values.map(|(_, value)| value.split('<').next().unwrap()).collect();
            assert_eq!(values.join(" "), expected);
        }
    }
}
