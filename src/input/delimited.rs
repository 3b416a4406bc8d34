//! Tables that a spreadsheet, a script or a person wrote: RFC 4180 with any delimiter and any kind of line end, and strict
//! about quotes, since one that is left open would swallow the rows behind it.

use std::io::{self, BufRead};

/// Rows are held in memory one at a time; a longer one than this is a quote that was left open.
const LONGEST_ROW: usize = 1 << 20;

/// Lines that end with LF, CR LF or CR.
pub(crate) struct Lines<R> {
    input: R,
    number: u64,
    /// The last line ended with CR, so that an LF at the start of the next belongs to it.
    after_cr: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, number: 0, after_cr: false }
    }

    /// The next line without its end, and its number from 1; `None` at the end of the input.
    ///
    /// # Errors
    /// Those of reading, and a line that is longer than any row.
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
        line.clear();
        let mut any = false;
        loop {
            let buffer = self.input.fill_buf()?;
            let Some(first) = buffer.first() else { break };
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                self.input.consume(1);
                continue;
            }
            any = true;
            let end = memchr::memchr2(b'\n', b'\r', buffer);
            line.extend_from_slice(&buffer[..end.unwrap_or(buffer.len())]);
            self.after_cr = end.is_some_and(|at| buffer[at] == b'\r');
            let used = end.map_or(buffer.len(), |at| at + 1);
            self.input.consume(used);
            if line.len() > LONGEST_ROW {
                return Err(io::Error::other(format!("line {} is longer than 1 MiB", self.number + 1)));
            }
            if end.is_some() {
                break;
            }
        }
        self.number += u64::from(any);
        Ok(any.then_some(self.number))
    }
}

/// One row of a table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TableRow {
    /// Where it begins, from 1.
    pub(crate) line: u64,
    pub(crate) cells: Vec<String>,
    /// Where the first cell begins that has a line end in it.
    pub(crate) line_break: Option<u64>,
}

/// What is wrong with a row.
#[derive(Debug)]
pub(crate) struct RowProblem {
    /// Where the row, or the cell that is wrong, begins.
    pub(crate) line: u64,
    pub(crate) why: String,
    /// Whether it is not known where the next row begins.
    pub(crate) is_end: bool,
}

/// The rows of a table; lines without anything are passed over.
pub(crate) struct TableRows<R> {
    lines: Lines<R>,
    delimiter: u8,
}

impl<R: BufRead> TableRows<R> {
    pub(crate) fn new(lines: Lines<R>, delimiter: u8) -> Self {
        Self { lines, delimiter }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn next(&mut self) -> Option<Result<TableRow, RowProblem>> {
        let mut line = Vec::new();
        loop {
            let begin = self.lines.number + 1;
            let lost = |why: String| RowProblem { line: begin, why, is_end: true };
            match self.lines.next(&mut line) {
                Err(why) => return Some(Err(lost(why.to_string()))),
                Ok(None) => return None,
                Ok(Some(_)) if line.trim_ascii().is_empty() => {}
                Ok(Some(number)) => return Some(self.row(number, line)),
            }
        }
    }

    fn row(&mut self, begin: u64, mut line: Vec<u8>) -> Result<TableRow, RowProblem> {
        let (mut cells, mut line_break, mut at) = (Vec::new(), None, 0);
        loop {
            let rest = &line[at..];
            let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
            let mut cell = Vec::new();
            if rest.get(blanks) == Some(&b'"') {
                at += blanks + 1;
                let opened = self.lines.number;
                self.quoted(&mut line, &mut at, &mut cell)?;
                if self.lines.number > opened {
                    line_break.get_or_insert(opened);
                }
            } else {
                let end = rest.iter().position(|byte| *byte == self.delimiter).unwrap_or(rest.len());
                cell.extend_from_slice(&rest[..end]);
                at += end;
            }
            let not_utf8 = |_| RowProblem {
                line: begin,
                why: "not UTF-8; save the file as UTF-8".to_owned(),
                is_end: false,
            };
            cells.push(String::from_utf8(cell).map_err(not_utf8)?);
            if at >= line.len() {
                return Ok(TableRow { line: begin, cells, line_break });
            }
            at += 1;
        }
    }

    /// Takes a cell from behind its opening quote to the delimiter or line end behind the closing one, over as many lines as
    /// it takes.
    fn quoted(&mut self, line: &mut Vec<u8>, at: &mut usize, cell: &mut Vec<u8>) -> Result<(), RowProblem> {
        let opened = self.lines.number;
        let wrong = |why: String| RowProblem { line: opened, why, is_end: true };
        loop {
            let Some(quote) = memchr::memchr(b'"', &line[*at..]) else {
                cell.extend_from_slice(&line[*at..]);
                cell.push(b'\n');
                if cell.len() > LONGEST_ROW {
                    return Err(wrong(
                        "a quoted field is longer than 1 MiB; the closing quote is missing".to_owned(),
                    ));
                }
                *at = 0;
                match self.lines.next(line) {
                    Ok(Some(_)) => continue,
                    Ok(None) => {
                        return Err(wrong(
                            "the closing quote of a field that begins here is missing".to_owned(),
                        ));
                    }
                    Err(why) => return Err(wrong(why.to_string())),
                }
            };
            cell.extend_from_slice(&line[*at..*at + quote]);
            *at += quote + 1;
            match line.get(*at) {
                None => return Ok(()),
                Some(byte) if *byte == self.delimiter => return Ok(()),
                Some(b'"') => {
                    cell.push(b'"');
                    *at += 1;
                }
                Some(_) => {
                    let behind = String::from_utf8_lossy(&line[*at..]).chars().take(10).collect::<String>();
                    return Err(wrong(format!(
                        "a quoted field that begins here is followed by {behind:?}; a closing quote is missing, or a quote is not doubled"
                    )));
                }
            }
        }
    }
}

/// Of these signs the one that parts the first row into most cells; the first, where they are equal. Spreadsheets of half the
/// world write `;`, and some write tabs.
pub(crate) fn delimiter(header: &[u8], signs: &[u8]) -> u8 {
    let cells = |sign: u8| match TableRows::new(Lines::new(header), sign).next() {
        Some(Ok(row)) => row.cells.len(),
        Some(Err(_)) | None => 0,
    };
    // Of several equals `max_by_key` takes the last.
    signs.iter().rev().copied().max_by_key(|sign| cells(*sign)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows, or the first problem.
    fn rows(table: &str) -> Result<Vec<TableRow>, RowProblem> {
        let mut rows = TableRows::new(Lines::new(table.as_bytes()), b',');
        std::iter::from_fn(|| rows.next()).collect()
    }

    #[test]
    fn the_most_frequent_sign_wins_and_the_first_of_equals() {
        let signs = b",;\t";
        for (header, sign) in [
            ("a", b','),
            ("a;b,c", b','),
            ("a;b;c,d", b';'),
            ("a\tb", b'\t'),
            ("", b','),
            ("\"a,b,c\";d", b';'),
            ("\"a\n,,,\";\"b\"", b';'),
        ] {
            assert_eq!(delimiter(header.as_bytes(), signs), sign, "{header}");
        }
    }

    #[test]
    fn a_quoted_cell_holds_anything_and_an_open_one_is_refused_where_it_began() {
        let row = |line, cells: &[&str], line_break| TableRow {
            line,
            cells: cells.iter().map(ToString::to_string).collect(),
            line_break,
        };
        let table = "\n\"a\"\"b\",\"c,d\"\nx, \"y\nz\",\n\n\"\"";
        let expected =
            [row(2, &["a\"b", "c,d"], None), row(3, &["x", "y\nz", ""], Some(3)), row(6, &[""], None)];
        assert_eq!(rows(table).unwrap(), expected);
        for (table, line, why) in [
            ("a,b\nc,\"d\ne,f\n", 2, "closing quote"),
            ("a,b\nc,\"d\ne,\"f\n", 2, "followed by \"f\""),
            ("a,\"b\" ,c\n", 1, "followed by \" ,c\""),
        ] {
            let problem = rows(table).unwrap_err();
            assert!(problem.line == line && problem.why.contains(why), "{table:?}: {problem:?}");
        }
    }

    proptest::proptest! {
        /// As the csv crate writes them, with every kind of line end.
        #[test]
        fn what_was_written_is_read_back(
            table in proptest::collection::vec(proptest::collection::vec("[a\", \u{e9}]{0,4}", 3), 1..5),
            end in proptest::sample::select(vec!["\n", "\r\n", "\r"]),
        ) {
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            for cells in &table {
                writer.write_record(cells).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap().replace('\n', end);
            let read: Vec<_> = rows(&text).unwrap().into_iter().map(|row| row.cells).collect();
            proptest::prop_assert_eq!(read, table);
        }
    }
}
