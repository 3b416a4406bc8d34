//! The cells of a sheet as XML, and their styles.

use std::borrow::Cow;
use std::io::Write as _;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use memchr::memchr_iter;
use rust_xlsxwriter::{Color, Format, FormatAlign};

use crate::bytes::{CONTROL, MARKUP, WIDE, kinds};
use crate::policy::Severity;
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
    /// Of a column.
    Heading(&'static str),
    /// Of a section.
    Title(&'static str),
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

/// The style of a cell. The number of the first one, that of all other cells, is 0.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Plain,
    Heading,
    Title,
    Value,
    Time,
    Day,
    Severity(Severity),
}

impl Style {
    /// All, in the order of their numbers.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Self::Plain, Self::Heading, Self::Title, Self::Value, Self::Time, Self::Day]
            .into_iter()
            .chain(Severity::ALL.iter().copied().map(Self::Severity))
    }

    const fn number(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Heading => 1,
            Self::Title => 2,
            Self::Value => 3,
            Self::Time => 4,
            Self::Day => 5,
            Self::Severity(severity) => 6 + severity as usize,
        }
    }

    pub(super) fn format(self) -> Format {
        let coloured = |rgb| Format::new().set_background_color(Color::RGB(rgb)).set_font_color(Color::Black);
        match self {
            Self::Plain => Format::new(),
            Self::Heading => coloured(0x00DD_E3EA).set_bold(),
            Self::Title => Format::new().set_bold().set_font_size(14),
            Self::Value => Format::new().set_align(FormatAlign::Left),
            Self::Time => Format::new().set_num_format("yyyy-mm-dd hh:mm:ss").set_align(FormatAlign::Left),
            Self::Day => Format::new().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Left),
            Self::Severity(Severity::Critical) => coloured(0x00F4_B6B6).set_bold(),
            Self::Severity(Severity::High) => coloured(0x00FB_D5B0),
            Self::Severity(Severity::Medium) => coloured(0x00FF_F0B3),
            Self::Severity(Severity::Low) => coloured(0x00CF_E3F7),
            Self::Severity(Severity::Info) => coloured(0x00E6_E6E6),
        }
    }
}

/// Adds a row to the XML of a sheet. Rows are counted from 1, and those without a cell are left out; `plain` is the style of a
/// cell that has none, by its column, counted from 0.
pub(super) fn write_row<'a>(
    xml: &mut Vec<u8>,
    row: u32,
    plain: impl Fn(u8) -> Style,
    cells: impl IntoIterator<Item = Cell<'a>>,
) {
    let (start, row) = (xml.len(), row.to_string());
    xml.extend(b"<row r=\"");
    xml.extend(row.as_bytes());
    xml.extend(b"\">");
    let first = xml.len();
    for (column, cell) in (0..).zip(cells) {
        Place { xml, row: &row, column }.write(cell, plain(column));
    }
    if xml.len() == first {
        xml.truncate(start);
    } else {
        xml.extend(b"</row>");
    }
}

/// Where a cell is. Each has its reference: some programs do not read cells that have none.
struct Place<'a> {
    xml: &'a mut Vec<u8>,
    row: &'a str,
    column: u8,
}

// To write to memory can't fail.
#[expect(clippy::cast_precision_loss, reason = "no time comes near the largest exact number")]
impl Place<'_> {
    /// An empty cell is left out.
    fn write(self, cell: Cell, plain: Style) {
        match cell {
            Cell::Empty => {}
            Cell::Text(text) => self.text(&text, plain),
            Cell::Number(number) => self.number(number, plain),
            Cell::Time(time) => {
                let seconds = time.timestamp() + FIRST_DAY * SECONDS_OF_DAY;
                if seconds < FIRST_EXACT * SECONDS_OF_DAY {
                    self.text(&crate::model::rfc3339(time), plain);
                } else {
                    self.number(seconds as f64 / SECONDS_OF_DAY as f64, Style::Time);
                }
            }
            Cell::Day(day) => {
                let days = day.and_time(NaiveTime::MIN).and_utc().timestamp() / SECONDS_OF_DAY + FIRST_DAY;
                self.number(days, Style::Day);
            }
            Cell::Severity(severity) => self.text(severity.as_str(), Style::Severity(severity)),
            Cell::Heading(text) => self.text(text, Style::Heading),
            Cell::Title(text) => self.text(text, Style::Title),
        }
    }

    /// Begins the cell.
    fn begin(&mut self, style: Style) {
        self.xml.extend(b"<c r=\"");
        if let Some(first) = (self.column / 26).checked_sub(1) {
            self.xml.push(b'A' + first);
        }
        self.xml.push(b'A' + self.column % 26);
        self.xml.extend(self.row.as_bytes());
        self.xml.push(b'"');
        let style = style.number();
        if style > 0 {
            let _ = write!(self.xml, " s=\"{style}\"");
        }
    }

    fn number(mut self, number: impl std::fmt::Display, style: Style) {
        self.begin(style);
        let _ = write!(self.xml, "><v>{number}</v></c>");
    }

    fn text(mut self, text: &str, style: Style) {
        self.begin(style);
        // Most texts need no change.
        let is_plain = text.len() <= LONGEST
            && kinds(text) & (CONTROL | WIDE | MARKUP) == 0
            && !memchr_iter(b'_', text.as_bytes()).any(|at| is_character(&text.as_bytes()[at..]));
        let changed;
        let text = if is_plain {
            text
        } else {
            changed = escaped(&shortened(&printable(text), LONGEST));
            &changed
        };
        let is_padded = text.starts_with(' ') || text.ends_with(' ');
        self.xml.extend(b" t=\"inlineStr\"><is><t");
        self.xml.extend(if is_padded { &b" xml:space=\"preserve\">"[..] } else { b">" });
        self.xml.extend(text.as_bytes());
        self.xml.extend(b"</t></is></c>");
    }
}

/// Text as XML. The form `_x0041_` is a character in a cell, so that its first `_` is written in this form.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for (at, c) in text.char_indices() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '_' if is_character(&text.as_bytes()[at..]) => escaped.push_str("_x005F_"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Whether it begins with a character in the form `_x0041_`.
fn is_character(text: &[u8]) -> bool {
    matches!(text, [b'_', b'x', a, b, c, d, b'_', ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml<'a>(cells: impl IntoIterator<Item = Cell<'a>>) -> String {
        let mut xml = Vec::new();
        write_row(&mut xml, 7, |column| if column == 1 { Style::Value } else { Style::Plain }, cells);
        let xml = String::from_utf8(xml).unwrap();
        let cells = xml.strip_prefix("<row r=\"7\">").and_then(|xml| xml.strip_suffix("</row>"));
        cells.unwrap_or(&xml).to_owned()
    }

    #[test]
    fn a_cell_has_its_place_its_style_and_its_type() {
        let text = |at: &str, text: &str| format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>");
        let time = DateTime::from_timestamp(1_617_926_401, 0).unwrap();
        for (cell, expected) in [
            (Cell::Empty, String::new()),
            (Cell::text("a'b\"c"), text("A7", "a'b\"c")),
            (Cell::text("=1+1"), text("A7", "=1+1")),
            (Cell::text("<a & b>"), text("A7", "&lt;a &amp; b&gt;")),
            (Cell::text("a\r\nb\tc\u{0}\u{ffff}é"), text("A7", "a b c\\u{0}\\u{ffff}é")),
            (Cell::text(" a"), text("A7", " a").replace("<t>", "<t xml:space=\"preserve\">")),
            (Cell::text("a\n"), text("A7", "a ").replace("<t>", "<t xml:space=\"preserve\">")),
            // A spreadsheet would read `_x0041_` as `A`.
            (Cell::text("_x0041_x004A_y"), text("A7", "_x005F_x0041_x005F_x004A_y")),
            (Cell::text("_x004_ _x00g1_ _X0041_ _x0041"), text("A7", "_x004_ _x00g1_ _X0041_ _x0041")),
            (Cell::Number(-5), "<c r=\"A7\"><v>-5</v></c>".to_owned()),
            (Cell::count(1 << 53), "<c r=\"A7\"><v>9007199254740992</v></c>".to_owned()),
            (Cell::count(u64::MAX), text("A7", "18446744073709551615")),
            (Cell::Time(time), "<c r=\"A7\" s=\"4\"><v>44295.00001157408</v></c>".to_owned()),
            (
                Cell::Time(DateTime::from_timestamp(-3_000_000_000, 0).unwrap()),
                text("A7", "1874-12-07T18:40:00Z"),
            ),
            (Cell::Day(time.date_naive()), "<c r=\"A7\" s=\"5\"><v>44295</v></c>".to_owned()),
            (Cell::Severity(Severity::Critical), text("A7", "critical").replace(" t=", " s=\"6\" t=")),
        ] {
            assert_eq!(xml([cell]), expected);
        }
        let long = xml([Cell::text("é".repeat(20_000).as_str())]);
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), LONGEST - 1);
        let last = xml((0..28).map(|_| Cell::Empty).chain([Cell::Number(1)]));
        assert_eq!(last, "<c r=\"AC7\"><v>1</v></c>");
        assert_eq!(xml([Cell::Empty, Cell::Number(1)]), "<c r=\"B7\" s=\"3\"><v>1</v></c>");
    }

    #[test]
    fn the_number_of_a_style_is_its_place() {
        assert!(Style::all().map(Style::number).eq(0..11));
    }
}
