//! A file taken apart into the answers that stand in it, one after the other, with their headers or without. Holds no more
//! than one answer at a time.

use std::io::{self, Read};

use serde::de::IgnoredAny;

use super::head::Head;
use crate::client::BODY_LIMIT;

/// Headers of one answer; more are none.
const HEAD_LIMIT: usize = 256 << 10;
/// What is kept of a body that is not JSON: enough to see what it looks like.
const SAMPLE: usize = 512;
const STATUS_LINE: &[u8] = b"HTTP/";

/// One answer of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) head: Option<Head>,
    pub(super) body: Body,
}

/// What came after the headers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// One object or array, whole.
    Json(Vec<u8>),
    /// The start of what is neither; empty where nothing came.
    Other(Vec<u8>),
    /// JSON that goes wrong, and how. It goes up to the next headers, since nobody knows where it ends.
    Broken(String),
}

/// The answers of a file, in order.
pub(super) struct Answers<R> {
    file: R,
    /// What was read; up to `taken` it is done with.
    window: Vec<u8>,
    taken: usize,
    /// Headers whose body has yet to come, and those that curl followed up on to get there.
    head: Option<Head>,
    before: Option<Head>,
}

impl<R: Read> Answers<R> {
    pub(super) fn of(file: R) -> Self {
        Self { file, window: Vec::new(), taken: 0, head: None, before: None }
    }

    /// The next answer; `None` at the end of the file.
    ///
    /// # Errors
    /// What reading the file says.
    pub(super) fn next(&mut self) -> io::Result<Option<Answer>> {
        loop {
            self.skip_blank()?;
            let body = match self.ahead().first() {
                None if self.head.is_none() => return Ok(None),
                None => Body::Other(Vec::new()),
                Some(b'{' | b'[') => self.json()?,
                Some(_) => match self.read_head()? {
                    None => self.other()?,
                    Some(next) => match self.begin(next) {
                        None => continue,
                        Some(bodiless) => return Ok(Some(bodiless)),
                    },
                },
            };
            self.before = None;
            return Ok(Some(Answer { head: self.head.take(), body }));
        }
    }

    /// Notes headers. Those right before them were an answer without a body, unless curl went on from there.
    fn begin(&mut self, next: Head) -> Option<Answer> {
        let head = self.head.replace(next)?;
        if head.goes_on(self.before.as_ref()) {
            self.before = Some(head);
            return None;
        }
        self.before = None;
        Some(Answer { head: Some(head), body: Body::Other(Vec::new()) })
    }

    fn ahead(&self) -> &[u8] {
        &self.window[self.taken..]
    }

    /// Reads on, as much again as there is; `false` at the end of the file.
    fn more(&mut self) -> io::Result<bool> {
        self.window.drain(..std::mem::take(&mut self.taken));
        let wanted = self.window.len().max(16 << 10) as u64;
        Ok(Read::by_ref(&mut self.file).take(wanted).read_to_end(&mut self.window)? > 0)
    }

    /// White space, marks at the start of what was a file of its own, and the separators of RFC 7464.
    fn skip_blank(&mut self) -> io::Result<()> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        loop {
            let blank = |byte: &&u8| byte.is_ascii_whitespace() || **byte == 0x1e;
            self.taken += self.ahead().iter().take_while(blank).count();
            if self.ahead().starts_with(MARK) {
                self.taken += MARK.len();
            } else if self.ahead().len() >= STATUS_LINE.len() || !self.more()? {
                return Ok(());
            }
        }
    }

    /// A block of headers, if it is one.
    fn read_head(&mut self) -> io::Result<Option<Head>> {
        if !self.ahead().starts_with(STATUS_LINE) {
            return Ok(None);
        }
        let end = loop {
            if let Some(end) = end_of_head(self.ahead()) {
                break end;
            }
            if self.ahead().len() > HEAD_LIMIT {
                return Ok(None);
            }
            if !self.more()? {
                break self.ahead().len();
            }
        };
        let head = Head::read(&self.ahead()[..end]);
        if head.is_some() {
            self.taken += end;
        }
        Ok(head)
    }

    fn json(&mut self) -> io::Result<Body> {
        let why = loop {
            let mut documents = serde_json::Deserializer::from_slice(self.ahead()).into_iter::<IgnoredAny>();
            match documents.next() {
                Some(Ok(IgnoredAny)) if documents.byte_offset() <= BODY_LIMIT => {
                    let body = self.ahead()[..documents.byte_offset()].to_vec();
                    self.taken += body.len();
                    return Ok(Body::Json(body));
                }
                Some(Err(why)) if !why.is_eof() => break format!("it is no JSON: {why}"),
                Some(_) | None if self.ahead().len() > BODY_LIMIT => {
                    break format!("the answer is longer than {} MiB", BODY_LIMIT >> 20);
                }
                Some(_) | None => {}
            }
            if !self.more()? {
                break "it is cut short".to_owned();
            }
        };
        self.skip_to_head()?;
        Ok(Body::Broken(why))
    }

    fn other(&mut self) -> io::Result<Body> {
        while self.ahead().len() < SAMPLE && self.more()? {}
        let ahead = self.ahead();
        let end = next_head(ahead).unwrap_or(ahead.len()).min(SAMPLE);
        let sample = ahead[..end].to_vec();
        self.skip_to_head()?;
        Ok(Body::Other(sample))
    }

    /// To the next line that begins like headers, or to the end.
    fn skip_to_head(&mut self) -> io::Result<()> {
        loop {
            if let Some(at) = next_head(self.ahead()) {
                self.taken += at;
                return Ok(());
            }
            // The line break may be here, and what it begins in the next chunk.
            self.taken = self.window.len().saturating_sub(STATUS_LINE.len()).max(self.taken);
            if !self.more()? {
                self.taken = self.window.len();
                return Ok(());
            }
        }
    }
}

/// Past the empty line, whose line ends may be of either kind.
fn end_of_head(text: &[u8]) -> Option<usize> {
    let breaks = memchr::memchr_iter(b'\n', text);
    breaks.map(|at| at + 1).find_map(|at| match &text[at..] {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

/// Where a later line begins like headers.
fn next_head(text: &[u8]) -> Option<usize> {
    let breaks = memchr::memchr_iter(b'\n', text);
    breaks.map(|at| at + 1).find(|at| text[*at..].starts_with(STATUS_LINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statuses (0 without headers) and bodies, as far as they are JSON; other bodies in angle brackets, broken ones in
    /// question marks.
    fn split(text: &[u8]) -> Vec<(u16, String)> {
        let mut answers = Answers::of(text);
        let mut found = Vec::new();
        while let Some(answer) = answers.next().unwrap() {
            let body = match answer.body {
                Body::Json(body) => String::from_utf8(body).unwrap(),
                Body::Other(start) => format!("<{}>", String::from_utf8_lossy(&start).trim()),
                Body::Broken(why) => format!("?{why}?"),
            };
            found.push((answer.head.map_or(0, |head| head.status), body));
        }
        found
    }

    fn found(expected: &[(u16, &str)]) -> Vec<(u16, String)> {
        expected.iter().map(|(status, body)| (*status, (*body).to_owned())).collect()
    }

    const CHALLENGE: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest nonce=\"n\"\r\n\r\n";

    #[test]
    fn answers_stand_one_after_the_other_with_and_without_headers() {
        let fine = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"a\":1}";
        for (text, expected) in [
            ("{\"a\":1}{\"a\":2}\n[3]".to_owned(), vec![(0, "{\"a\":1}"), (0, "{\"a\":2}"), (0, "[3]")]),
            (format!("\u{feff}{fine}\r\n\u{feff}{{}}"), vec![(200, "{\"a\":1}"), (0, "{}")]),
            (format!("{CHALLENGE}{fine}{CHALLENGE}{fine}"), vec![(200, "{\"a\":1}"), (200, "{\"a\":1}")]),
            (fine.replace('\r', ""), vec![(200, "{\"a\":1}")]),
            (
                format!("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n{fine}"),
                vec![(200, "{\"a\":1}")],
            ),
            (
                format!("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>\n</html>\n{fine}"),
                vec![(502, "<<html>\n</html>>"), (200, "{\"a\":1}")],
            ),
            (format!("HTTP/1.1 204 No Content\r\n\r\n{fine}"), vec![(204, "<>"), (200, "{\"a\":1}")]),
            (format!("{CHALLENGE}{CHALLENGE}{CHALLENGE}{fine}"), vec![(401, "<>"), (200, "{\"a\":1}")]),
            (format!("{CHALLENGE}HTTP/1.1 200 OK"), vec![(200, "<>")]),
            (String::new(), vec![]),
            (" \r\n".to_owned(), vec![]),
        ] {
            assert_eq!(split(text.as_bytes()), found(&expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_json_goes_up_to_the_next_headers() {
        for (text, expected) in [
            ("{\"a\":", vec![(0, "?it is cut short?")]),
            (
                "{\"a\":\nHTTP/1.1 200 OK\n\n{}",
                vec![(0, "?it is no JSON: expected value at line 2 column 1?"), (200, "{}")],
            ),
            ("<html>", vec![(0, "<<html>>")]),
            ("keys of ann: {\"a\":1}", vec![(0, "<keys of ann: {\"a\":1}>")]),
            ("HTTP is a protocol", vec![(0, "<HTTP is a protocol>")]),
            ("HTTP/1.1 OK\n\n{}", vec![(0, "<HTTP/1.1 OK\n\n{}>")]),
        ] {
            assert_eq!(split(text.as_bytes()), found(&expected), "{text}");
        }
    }

    #[test]
    fn an_answer_past_the_limit_is_told_and_the_next_is_read() {
        let long = format!("{{\"a\":\"{}\"}}\nHTTP/1.1 200 OK\r\n\r\n{{}}", "x".repeat(BODY_LIMIT));
        assert_eq!(split(long.as_bytes()), found(&[(0, "?the answer is longer than 16 MiB?"), (200, "{}")]));
        let limit = format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_LIMIT - 8));
        assert_eq!(split(limit.as_bytes())[0].1.len(), BODY_LIMIT);
    }

    /// A reader that gives one byte at a time.
    struct Drop<'a>(&'a [u8]);

    impl Read for Drop<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(into.len()).min(1);
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    proptest::proptest! {
        /// Foreign bytes: any file comes apart, to its end, and in the same way whatever its chunks.
        #[test]
        fn any_file_comes_apart(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let mut answers = Answers::of(Drop(&bytes));
            let whole = split(&bytes);
            let mut count = 0;
            while answers.next().unwrap().is_some() {
                count += 1;
            }
            proptest::prop_assert_eq!(count, whole.len());
            let blank = bytes.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0x1e);
            proptest::prop_assert!(blank || count > 0);
        }

        /// Pieces of what files are made of, in any order: what has something in it gives at least one answer.
        #[test]
        fn any_order_of_pieces_comes_apart(pieces in proptest::collection::vec(proptest::sample::select(vec![
            "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 401 No\nWWW-Authenticate: Digest\n\n", "{}", "{\"a\":[1]}", "[", "<html>", "\n", "\u{feff}",
        ]), 1..12)) {
            let text = pieces.concat();
            let json = pieces.iter().filter(|piece| piece.starts_with('{')).count();
            let found = split(text.as_bytes());
            let read = found.iter().filter(|(_, body)| body.starts_with('{')).count();
            proptest::prop_assert!(read <= json);
            if !pieces.iter().any(|piece| ["[", "<html>"].contains(piece)) {
                proptest::prop_assert_eq!(read, json, "{:?}", found);
            }
        }
    }
}
