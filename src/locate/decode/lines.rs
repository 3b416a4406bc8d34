//! Keys that the end of a line splits: behind the `=` of quoted-printable text, as mail programs write it, or the `\` of a
//! shell.

use std::ops::Range;

use memchr::memmem;

use super::Encoding;

/// Digits of a key and its dashes, on each side of the end of a line.
const AROUND: usize = 36;
/// White space at the start of the next line.
const LONGEST_INDENTATION: usize = 64;

/// Text around the end of a line without it, and where that was.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) text: Vec<u8>,
    pub(crate) encoding: Encoding,
    /// Where the text begins in the bytes, and how much of it is before the end of the line.
    start: usize,
    before: usize,
    /// Where the key continues on the next line.
    next: usize,
}

impl Split {
    /// Where a range of the text is in the bytes, if the end of the line is in it.
    pub(crate) fn source(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let is_split = range.start < self.before && range.end > self.before;
        is_split.then(|| self.start + range.start..self.next + range.end - self.before)
    }
}

/// Calls for the text around each end of a line that does not end the text.
pub(crate) fn each(bytes: &[u8], mut split: impl FnMut(&Split)) {
    // Messages with lines of both kinds are common: HTTP, mailboxes.
    let ends: [(&[u8], _); 4] = [
        (b"=\n", Encoding::QuotedPrintable),
        (b"=\r\n", Encoding::QuotedPrintable),
        (b"\\\n", Encoding::LineContinuation),
        (b"\\\r\n", Encoding::LineContinuation),
    ];
    for (end, encoding) in ends {
        for at in memmem::find_iter(bytes, end) {
            let next = at + end.len();
            let is_shell = encoding == Encoding::LineContinuation;
            let spaces = |byte: &&u8| is_shell && matches!(**byte, b' ' | b'\t');
            let next = next + bytes[next..].iter().take(LONGEST_INDENTATION).take_while(spaces).count();
            let is_part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b'-';
            // One more on each side decides whether it is a key.
            let before = bytes[..at].iter().rev().take(AROUND).take_while(is_part).count();
            let after = bytes[next..].iter().take(AROUND).take_while(is_part).count();
            if before == 0 || after == 0 || before + after < 32 {
                continue;
            }
            let start = at - before - usize::from(at > before);
            let end = bytes.len().min(next + after + 1);
            let text = [&bytes[start..at], &bytes[next..end]].concat();
            split(&Split { text, encoding, start, before: at - start, next });
        }
    }
}
