//! `keys.ndjson`: the rows of `keys.csv`, an object a line, for databases and warehouses. Every field is on every line, so
//! that a reader who guesses the types from some of them finds all.

use std::io::Write as _;

use crate::output::add_json;
use crate::report::record::{MissingUsers, Record};
use crate::report::{FormatError, OutputFile, Rendered, Report, Row, RowContext, RunContext, Writer};

/// The file in progress.
struct Ndjson {
    file: OutputFile,
    line: Vec<u8>,
}

pub(super) fn start(file: OutputFile) -> impl Writer {
    Ndjson { file, line: Vec::new() }
}

impl Ndjson {
    fn write(&mut self, record: &Record) -> Result<(), FormatError> {
        self.line.clear();
        add_json(&mut self.line, record)?;
        self.line.push(b'\n');
        Ok(self.file.write_all(&self.line)?)
    }
}

impl Writer for Ndjson {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        MissingUsers::of_run(context).try_for_each(|missing| self.write(&missing.record()))
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        self.write(&Record::new(context, row))
    }

    fn end(self: Box<Self>, _: &Report) -> Result<Rendered, FormatError> {
        Ok(Rendered::File(self.file))
    }
}
