//! From places in a text to line numbers.

/// Where the lines of a text end.
pub(crate) struct LineIndex(Vec<usize>);

impl LineIndex {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of this byte, from 1; a line break belongs to the line that it ends.
    pub(crate) fn at(&self, byte: usize) -> u64 {
        self.0.partition_point(|end| *end < byte) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_belongs_to_the_line_that_it_ends() {
        let lines = LineIndex::new("a\n\nb\r\n");
        assert_eq!([0, 1, 2, 3, 5, 6, 99].map(|byte| lines.at(byte)), [1, 1, 2, 3, 3, 4, 4]);
        assert_eq!(LineIndex::new("").at(0), 1);
    }
}
