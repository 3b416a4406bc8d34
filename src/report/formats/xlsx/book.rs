//! The workbook. `rust_xlsxwriter` makes all of it but the rows, of an empty workbook with the same sheets: it would keep the XML
//! of all rows on disk and compress it at the end, on one core.

use std::io::{self, Cursor, Read as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, IgnoreError, Workbook, Worksheet, utility};
use zip::ZipArchive;

use super::blocks::Blocks;
use super::package::Package;
use super::row::{Cell, Style, write_row};
use super::summary;
use crate::report::{FormatError, OutputFile};

/// A kind of sheet.
pub(super) struct Layout {
    pub(super) name: &'static str,
    /// The heading of each column, and its width in characters; none in the summary.
    pub(super) headings: &'static [(&'static str, u16)],
    /// The first columns, which fit a page.
    pub(super) printed: u16,
}

impl Layout {
    fn last_column(&self) -> u16 {
        u16::try_from(self.headings.len().max(summary::COLUMNS) - 1).unwrap_or(u16::MAX)
    }

    /// Sets up everything but the rows. `rows` includes the header.
    fn set_up(&self, sheet: &mut Worksheet, rows: u32) -> Result<(), FormatError> {
        let (last_row, last_column) = (rows - 1, self.last_column());
        // Printed on wide paper, with the header on each page.
        sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
        sheet.set_print_gridlines(true);
        sheet.set_freeze_panes(1, 0)?;
        for (column, (_, width)) in (0..).zip(self.headings) {
            sheet.set_column_width(column, *width)?;
        }
        sheet.autofilter(0, 0, last_row, last_column)?;
        sheet.set_print_area(0, 0, last_row, self.printed - 1)?;
        // The last 12 digits of a key may be digits only, and are text all the same.
        sheet.ignore_error_range(0, 0, last_row, last_column, IgnoreError::NumberStoredAsText)?;
        Ok(())
    }
}

/// A workbook in progress. Rows beyond Excel's limit are in further sheets.
pub(super) struct Book {
    /// Rows of a sheet, with the header.
    limit: u32,
    sheets: Vec<Sheet>,
    blocks: Blocks,
}

struct Sheet {
    layout: &'static Layout,
    /// How many sheets of this kind come before it.
    number: usize,
    /// With the header.
    rows: u32,
}

impl Sheet {
    fn name(&self) -> String {
        match self.number {
            0 => self.layout.name.to_owned(),
            number => format!("{} {}", self.layout.name, number + 1),
        }
    }
}

impl Book {
    pub(super) fn new_in(folder: &Path, limit: u32) -> io::Result<Self> {
        Ok(Self { limit, sheets: Vec::new(), blocks: Blocks::new_in(folder)? })
    }

    /// Adds a sheet with its header.
    pub(super) fn add_sheet(&mut self, layout: &'static Layout) -> io::Result<()> {
        self.sheets.push(Sheet { layout, number: self.count(layout), rows: 0 });
        self.blocks.add_sheet();
        if layout.headings.is_empty() {
            return Ok(());
        }
        self.add_row(layout, layout.headings.iter().map(|(heading, _)| Cell::Heading(heading)))
    }

    /// How many sheets of this kind there are.
    pub(super) fn count(&self, layout: &'static Layout) -> usize {
        self.sheets.iter().filter(|sheet| sheet.layout.name == layout.name).count()
    }

    /// Adds a row, in a new sheet if there is none with space.
    pub(super) fn add_row<'a>(
        &mut self,
        layout: &'static Layout,
        cells: impl IntoIterator<Item = Cell<'a>>,
    ) -> io::Result<()> {
        self.add_styled_row(layout, |_| Style::Plain, cells)
    }

    /// The same with the style of cells that have none, by their column.
    pub(super) fn add_styled_row<'a>(
        &mut self,
        layout: &'static Layout,
        plain: impl Fn(u8) -> Style,
        cells: impl IntoIterator<Item = Cell<'a>>,
    ) -> io::Result<()> {
        loop {
            let last = self.sheets.iter().rposition(|sheet| sheet.layout.name == layout.name);
            if let Some(last) = last.filter(|last| self.sheets[*last].rows < self.limit) {
                let sheet = &mut self.sheets[last];
                sheet.rows += 1;
                write_row(self.blocks.row(last)?, sheet.rows, plain, cells);
                return Ok(());
            }
            self.add_sheet(layout)?;
        }
    }

    /// Writes the file.
    pub(super) fn save(
        mut self,
        file: OutputFile,
        created: DateTime<Utc>,
    ) -> Result<OutputFile, FormatError> {
        let mut parts = ZipArchive::new(Cursor::new(self.without_rows(created)?)).map_err(io::Error::from)?;
        let mut package = Package::new(file);
        for number in 0..parts.len() {
            let mut part = parts.by_index(number).map_err(io::Error::from)?;
            let name = part.name().map_err(io::Error::from)?.into_owned();
            let mut xml = String::new();
            part.read_to_string(&mut xml)?;
            let number = (0..self.sheets.len()).find(|number| name == path(*number));
            let Some(number) = number else {
                package.add_whole(&name, xml.as_bytes())?;
                continue;
            };
            let Sheet { layout, rows, .. } = &self.sheets[number];
            let range = utility::cell_range(0, 0, rows - 1, layout.last_column());
            let (head, tail) = around_rows(&xml, &range).ok_or_else(|| io::Error::other("no sheet"))?;
            self.blocks.end(number, [head.as_bytes(), tail.as_bytes()], |stream, data| {
                package.add(&name, stream, data)
            })?;
        }
        Ok(package.finish()?)
    }

    /// The workbook with all sheets, and no row.
    fn without_rows(&self, created: DateTime<Utc>) -> Result<Vec<u8>, FormatError> {
        let mut workbook = Workbook::new();
        for sheet in &self.sheets {
            let empty = workbook.add_worksheet().set_name(sheet.name())?;
            if sheet.layout.headings.is_empty() {
                // A style gets its number when it is used first. These cells are no part of the workbook that is saved.
                for (column, style) in (0..).zip(Style::all()).skip(1) {
                    empty.write_blank(0, column, &style.format())?;
                }
                summary::set_up(empty)?;
            } else {
                sheet.layout.set_up(empty, sheet.rows)?;
            }
        }
        // The same run gives the same bytes: the file is as old as the newest run in it.
        let created = ExcelDateTime::from_timestamp(created.timestamp())?;
        let properties = DocProperties::new().set_title("Personal API keys").set_creation_datetime(&created);
        workbook.set_properties(&properties);
        Ok(workbook.save_to_buffer()?)
    }
}

/// Of a sheet in the package.
fn path(number: usize) -> String {
    format!("xl/worksheets/sheet{}.xml", number + 1)
}

/// The XML before and behind the rows, with the range of all cells in place of its own.
fn around_rows(xml: &str, range: &str) -> Option<(String, String)> {
    let (start, rest) = xml.split_once("<dimension ref=\"")?;
    let (_, rest) = rest.split_once('"')?;
    let (middle, rest) = rest.split_once("<sheetData")?;
    let end = rest.strip_prefix("/>").or_else(|| Some(rest.split_once("</sheetData>")?.1))?;
    Some((format!("{start}<dimension ref=\"{range}\"{middle}<sheetData>"), format!("</sheetData>{end}")))
}
