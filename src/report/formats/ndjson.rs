//! `keys.ndjson`: the rows of `keys.csv`, an object a line, for databases and warehouses. Every field stands on every line, so
//! that a reader who guesses the types from some of them finds all.

use std::io::{self, BufWriter, Write as _};

use tempfile::NamedTempFile;

use crate::report::record::{MissingUsers, Record};
use crate::report::{Ended, Error, Report, Row, RunContext, Writer};

/// The file under way.
struct Ndjson {
    file: BufWriter<NamedTempFile>,
}

pub(super) fn start(file: BufWriter<NamedTempFile>) -> impl Writer {
    Ndjson { file }
}

impl Ndjson {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, record)?;
        self.file.write_all(b"\n")
    }
}

impl Writer for Ndjson {
    fn begin(&mut self, facts: &RunContext) -> io::Result<()> {
        MissingUsers::of_run(facts).try_for_each(|missing| self.write(&missing.record()))
    }

    fn row(&mut self, facts: &RunContext, row: &Row) -> io::Result<()> {
        self.write(&Record::new(facts, row))
    }

    fn end(self: Box<Self>, _: &Report) -> Result<Ended, Error> {
        Ok(Ended::File(self.file))
    }
}
