//! A sheet with a header and rows, and the styles of all cells.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use rust_xlsxwriter::{Color, Format, FormatAlign, IgnoreError, Workbook, Worksheet};

use crate::policy::Severity;
use crate::report::FormatError;
use crate::report::text::{printable, shortened};

/// Excel takes 32,767 UTF-16 units in a cell; a character has at most two.
const LONGEST: usize = 16_000;
/// The largest number that a cell, a 64-bit float, has exactly.
const LARGEST: u64 = 1 << 53;
const SECONDS_OF_DAY: i64 = 86_400;
/// Day 0 of Excel, 1899-12-30, in days before 1970.
const FIRST_DAY: i64 = 25_569;
/// 1900-03-01: Excel has a 29th of February in 1900.
const FIRST_EXACT: i64 = 61;

/// The value of a cell.
pub(super) enum Cell<'a> {
    /// Unknown.
    Empty,
    /// Foreign text, shown as one line without invisible characters.
    Text(Cow<'a, str>),
    /// A whole number.
    Number(i64),
    /// In UTC.
    Time(DateTime<Utc>),
    /// A day.
    Day(NaiveDate),
    /// With its colour.
    Severity(Severity),
}

impl<'a> Cell<'a> {
    pub(super) fn text(text: impl Into<Option<&'a str>>) -> Self {
        text.into()
            .filter(|text| !text.is_empty())
            .map_or(Self::Empty, |text| Self::Text(Cow::Borrowed(text)))
    }

    pub(super) fn word(word: Option<&'static str>) -> Self {
        word.map_or(Self::Empty, |word| Self::Text(Cow::Borrowed(word)))
    }

    /// In words: readers show the truth values of a workbook in different ways.
    pub(super) fn yes_or_no(is: impl Into<Option<bool>>) -> Self {
        Self::word(is.into().map(|is| if is { "yes" } else { "no" }))
    }

    pub(super) fn count(count: impl Into<Option<u64>>) -> Self {
        match count.into() {
            None => Self::Empty,
            Some(count) if count > LARGEST => Self::Text(Cow::Owned(count.to_string())),
            Some(count) => Self::Number(count.cast_signed()),
        }
    }
}

/// The formats of cells.
pub(super) struct Styles {
    pub(super) header: Format,
    pub(super) title: Format,
    pub(super) value: Format,
    pub(super) time: Format,
    pub(super) day: Format,
    severities: [Format; Severity::ALL.len()],
}

impl Default for Styles {
    fn default() -> Self {
        let coloured = |rgb| Format::new().set_background_color(Color::RGB(rgb)).set_font_color(Color::Black);
        let severities = Severity::ALL.iter().map(|severity| match severity {
            Severity::Critical => coloured(0x00F4_B6B6).set_bold(),
            Severity::High => coloured(0x00FB_D5B0),
            Severity::Medium => coloured(0x00FF_F0B3),
            Severity::Low => coloured(0x00CF_E3F7),
            Severity::Info => coloured(0x00E6_E6E6),
        });
        let severities: Vec<_> = severities.collect();
        Self {
            header: Format::new()
                .set_bold()
                .set_background_color(Color::RGB(0x00DD_E3EA))
                .set_font_color(Color::Black),
            title: Format::new().set_bold().set_font_size(14),
            value: Format::new().set_align(FormatAlign::Left),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss").set_align(FormatAlign::Left),
            day: Format::new().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Left),
            severities: std::array::from_fn(|at| severities[at].clone()),
        }
    }
}

/// Writes a cell; an empty one is left out.
#[expect(
    clippy::cast_precision_loss,
    reason = "`Cell::count` has no larger number, and no time comes near it"
)]
pub(super) fn write(
    sheet: &mut Worksheet,
    styles: &Styles,
    row: u32,
    column: u16,
    cell: Cell,
) -> Result<(), FormatError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            sheet.write_string(row, column, shortened(&printable(&text), LONGEST))?;
        }
        Cell::Number(number) => {
            sheet.write_number(row, column, number as f64)?;
        }
        Cell::Time(time) => {
            let seconds = time.timestamp() + FIRST_DAY * SECONDS_OF_DAY;
            if seconds < FIRST_EXACT * SECONDS_OF_DAY {
                sheet.write_string(row, column, crate::model::rfc3339(time))?;
            } else {
                let days = seconds as f64 / SECONDS_OF_DAY as f64;
                sheet.write_number_with_format(row, column, days, &styles.time)?;
            }
        }
        Cell::Day(day) => {
            let days =
                day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() / SECONDS_OF_DAY + FIRST_DAY;
            sheet.write_number_with_format(row, column, days as f64, &styles.day)?;
        }
        Cell::Severity(severity) => {
            let style = &styles.severities[severity as usize];
            sheet.write_string_with_format(row, column, severity.as_str(), style)?;
        }
    }
    Ok(())
}

/// The heading of each column, and its width in characters.
pub(super) type Headings = &'static [(&'static str, u16)];

/// A sheet of rows; rows beyond Excel's limit are in further sheets.
pub(super) struct Sheet {
    name: &'static str,
    headings: Headings,
    /// The first columns, which fit a page.
    printed: u16,
    /// Rows a sheet, without the header.
    limit: u32,
    /// The place of each in the workbook, and its rows.
    parts: Vec<(usize, u32)>,
}

impl Sheet {
    /// Without a row it is not in the workbook, unless [`Self::add_part`] is called.
    pub(super) const fn new(name: &'static str, headings: Headings, printed: u16, limit: u32) -> Self {
        Self { name, headings, printed, limit, parts: Vec::new() }
    }

    pub(super) fn add_part(&mut self, workbook: &mut Workbook, styles: &Styles) -> Result<(), FormatError> {
        let place = workbook.worksheets().len();
        let name = match self.parts.len() {
            0 => self.name.to_owned(),
            parts => format!("{} {}", self.name, parts + 1),
        };
        let sheet = workbook.add_worksheet_with_constant_memory()?.set_name(name)?;
        // Printed on wide paper, with the header on each page.
        sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
        sheet.set_print_gridlines(true);
        sheet.set_freeze_panes(1, 0)?;
        for (column, (heading, width)) in (0..).zip(self.headings) {
            sheet.set_column_width(column, *width)?;
            sheet.write_string_with_format(0, column, *heading, &styles.header)?;
        }
        self.parts.push((place, 0));
        Ok(())
    }

    /// Adds a row.
    pub(super) fn add<'a>(
        &mut self,
        workbook: &mut Workbook,
        styles: &Styles,
        cells: impl IntoIterator<Item = Cell<'a>>,
    ) -> Result<(), FormatError> {
        if self.parts.last().is_none_or(|(_, rows)| *rows == self.limit) {
            self.add_part(workbook, styles)?;
        }
        let Some((place, rows)) = self.parts.last_mut() else { return Ok(()) };
        *rows += 1;
        let sheet = workbook.worksheet_from_index(*place)?;
        (0..).zip(cells).try_for_each(|(column, cell)| write(sheet, styles, *rows, column, cell))
    }

    /// Adds what needs the number of rows.
    pub(super) fn end(&self, workbook: &mut Workbook) -> Result<(), FormatError> {
        let last = u16::try_from(self.headings.len() - 1).unwrap_or(u16::MAX);
        for (place, rows) in &self.parts {
            let sheet = workbook.worksheet_from_index(*place)?;
            sheet.autofilter(0, 0, *rows, last)?;
            sheet.set_print_area(0, 0, *rows, self.printed - 1)?;
            // The last 12 digits of a key may be digits only, and are text all the same.
            sheet.ignore_error_range(0, 0, *rows, last, IgnoreError::NumberStoredAsText)?;
        }
        Ok(())
    }

    /// In how many sheets of the workbook it is.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }
}
