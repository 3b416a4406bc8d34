//! JSON arrays that are written item by item, so that nothing holds all of them.

use std::io::{self, Write};

/// An array in progress, with one item per line.
pub(crate) struct JsonArray {
    items: u64,
}

impl JsonArray {
    /// Writes the opening bracket.
    pub(crate) fn open(out: &mut (impl Write + ?Sized)) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self { items: 0 })
    }

    /// Writes what comes before the next item, which the caller writes.
    pub(crate) fn next(&mut self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        self.items += 1;
        out.write_all(if self.items == 1 { b"\n" } else { b",\n" })
    }

    /// Writes `end` with the closing bracket; `end_of_empty` if there was no item.
    pub(crate) fn close(
        self,
        out: &mut (impl Write + ?Sized),
        end: &str,
        end_of_empty: &str,
    ) -> io::Result<()> {
        out.write_all(if self.items == 0 { end_of_empty } else { end }.as_bytes())
    }
}
