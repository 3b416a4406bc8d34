//! `findings.sarif`: TO BE WRITTEN.

use std::io::{self, BufWriter};

use tempfile::NamedTempFile;

use super::{Ended, Error, Facts, Report, Row, Writer};

struct Sarif {
    file: BufWriter<NamedTempFile>,
}

pub(super) fn start(file: BufWriter<NamedTempFile>) -> impl Writer {
    Sarif { file }
}

impl Writer for Sarif {
    fn begin(&mut self, _: &Facts) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, _: &Facts, _: &Row) -> io::Result<()> {
        Ok(())
    }

    fn end(self: Box<Self>, _: &Report) -> Result<Ended, Error> {
        Ok(Ended::File(self.file))
    }
}
