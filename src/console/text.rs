//! Text for a terminal: pieces with a style, in lines that fit the width of a page.

use std::fmt::Write as _;
use std::iter::repeat_n;
use std::ops::Range;

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use crate::printable::{masked, printable};

/// One paragraph. Every piece is made printable when it is added.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
struct Piece {
    /// Where it ends in the text; it starts at the end of the one before.
    end: usize,
    style: Style,
    /// Whether a line may end inside, as it may not in a path.
    can_break: bool,
}

/// The longest command that is not broken, in bytes.
const CODE: usize = 60;
/// The longest number, and the longest name of what it counts, that are not separated, in bytes.
const COUNT: [usize; 2] = [12, 24];

/// One line: the columns that it is indented by, and its bytes of the text.
type Line = (usize, Range<usize>);

impl Text {
    /// Adds a piece without a style.
    pub(crate) fn plain(self, text: &str) -> Self {
        self.styled(Style::new(), text)
    }

    /// Adds a piece with a style.
    pub(crate) fn styled(self, style: Style, text: &str) -> Self {
        self.with(style, text, true)
    }

    /// Adds a piece that is not broken, such as a path.
    pub(crate) fn unbroken(self, text: &str) -> Self {
        self.with(Style::new(), text, false)
    }

    fn with(mut self, style: Style, text: &str, can_break: bool) -> Self {
        self.text.push_str(&masked(&printable(text)));
        self.pieces.push(Piece { end: self.text.len(), style, can_break });
        self
    }

    /// In columns.
    pub(crate) fn width(&self) -> usize {
        self.text.width()
    }

    /// With escape codes for the styles, as it is.
    pub(crate) fn unwrapped(&self) -> String {
        let mut out = String::new();
        self.render(0..self.text.len(), &mut out);
        out
    }

    /// With escape codes for the styles, in lines of at most `width` columns, of which `first` are in use in the first line
    /// and the others are indented by `hanging`. Words are never broken: a long one is indented by less.
    pub(crate) fn wrapped(&self, width: usize, first: usize, hanging: usize) -> String {
        let mut out = String::new();
        for (number, (indent, range)) in self.lines(width, first, hanging).into_iter().enumerate() {
            if number > 0 {
                out.push('\n');
                out.extend(repeat_n(' ', indent));
            }
            self.render(range, &mut out);
        }
        out
    }

    fn lines(&self, width: usize, first: usize, hanging: usize) -> Vec<Line> {
        let mut lines = vec![(first, 0..0)];
        for word in self.words() {
            let Some((indent, line)) = lines.last_mut() else { break };
            let fits = *indent + self.text[line.start..word.end].width() <= width;
            if fits || self.is_command(word.start) {
                line.end = word.end;
            } else {
                let indent = hanging.min(width.saturating_sub(self.text[word.clone()].width()));
                lines.push((indent, word));
            }
        }
        lines
    }

    /// What is between two places where a line may end.
    fn words(&self) -> Vec<Range<usize>> {
        let mut words: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for word in self.text.split(' ') {
            let range = start..start + word.len();
            start = range.end + 1;
            match words.last_mut() {
                Some(last) if !self.can_break_before(range.start) => last.end = range.end,
                Some(_) if word.is_empty() => {}
                Some(_) | None => words.push(range),
            }
        }
        words
    }

    /// Whether a CI server would take a line that begins here for a command.
    fn is_command(&self, at: usize) -> bool {
        ["::", "##"].iter().any(|sign| self.text[at..].starts_with(sign))
    }

    /// Whether a line may begin here, behind a space.
    fn can_break_before(&self, at: usize) -> bool {
        let piece = self.pieces.iter().find(|piece| at <= piece.end);
        let is_whole = self.is_command(at) || self.is_in_code(at) || self.is_count(at);
        !is_whole && piece.is_none_or(|piece| piece.can_break)
    }

    /// Whether it is between a number and what it counts, as in `12 users`.
    fn is_count(&self, at: usize) -> bool {
        let (before, after) = self.text.split_at(at);
        let number = before.trim_end_matches(' ').rsplit([' ', '(', '+']).next().unwrap_or_default();
        let counted = after.split(' ').next().unwrap_or_default();
        let is_number = number.ends_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || ".,".contains(c));
        let is_short = number.len() <= COUNT[0] && counted.len() <= COUNT[1];
        is_number && is_short && counted.starts_with(|c: char| c.is_ascii_alphabetic())
    }

    /// Whether it is inside a short `command`, which is copied as a whole.
    fn is_in_code(&self, at: usize) -> bool {
        let (before, after) = self.text.split_at(at);
        let opens = before.matches('`').count() % 2 == 1;
        let start = before.rfind('`').unwrap_or_default();
        opens && after.find('`').is_some_and(|end| at + end - start <= CODE)
    }

    fn render(&self, range: Range<usize>, out: &mut String) {
        let mut start = 0;
        for Piece { end, style, .. } in &self.pieces {
            let (from, to) = (range.start.max(start), range.end.min(*end));
            start = *end;
            if from < to {
                // Writing to a string can't fail.
                let _ = write!(out, "{style}{}{style:#}", &self.text[from..to]);
            }
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::default().plain(text)
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// Printable, in exactly `width` columns: shortened with `…`, or filled up with spaces.
pub(crate) fn cell(text: &str, width: usize) -> String {
    let mut cell = masked(&printable(text));
    if cell.width() > width {
        while cell.width() >= width && cell.pop().is_some() {}
        cell.push('…');
    }
    cell.extend(repeat_n(' ', width.saturating_sub(cell.width())));
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: impl Into<Text>) -> String {
        text.into().wrapped(20, 6, 4)
    }

    #[test]
    fn lines_fit_and_words_stay_whole() {
        for (text, expected) in [
            ("", ""),
            ("one two three", "one two three"),
            ("one two three four", "one two three\n    four"),
            ("one  two   three    four", "one  two\n    three    four"),
            ("a 1234567890123456 b", "a\n    1234567890123456\n    b"),
            ("12345678901234567 b", "\n   12345678901234567\n    b"),
            ("http://example.com/a/long/path b", "\nhttp://example.com/a/long/path\n    b"),
            ("帳簿帳簿帳簿 帳簿", "帳簿帳簿帳簿\n    帳簿"),
        ] {
            assert_eq!(wrapped(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_with_spaces_is_not_broken() {
        let text = || Text::from("look at ").unbroken("/a b c/d e.md").plain(" then");
        assert_eq!(wrapped(text()), "look at\n    /a b c/d e.md\n    then");
    }

    #[test]
    fn a_command_is_not_broken() {
        assert_eq!(wrapped("see also `a b c` `d e`"), "see also\n    `a b c` `d e`");
        assert_eq!(wrapped("see also an a` b c"), "see also an a`\n    b c");
    }

    #[test]
    fn a_number_is_not_separated_from_what_it_counts() {
        for (text, expected) in [
            ("a word and 12 users", "a word and\n    12 users"),
            ("not read (1 failed, 2 rate-limited)", "not read\n    (1 failed,\n    2 rate-limited)"),
            ("1,000 keys, 4.9 fewer", "1,000 keys,\n    4.9 fewer"),
            ("1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7\n    8 9"),
            ("in run abc 1. Then", "in run abc 1.\n    Then"),
            ("1 zzzzzzzzzzzzzzzzzzzzzzzzz", "1\nzzzzzzzzzzzzzzzzzzzzzzzzz"),
        ] {
            assert_eq!(wrapped(text), expected, "{text}");
        }
    }

    #[test]
    fn no_line_begins_with_a_command_of_a_ci_server() {
        assert_eq!(wrapped("a name and more ::error::b"), "a name and\n    more ::error::b");
        assert_eq!(wrapped("a name to be ##vso[task] b"), "a name to\n    be ##vso[task] b");
        assert_eq!(wrapped("::error::12345678901234567890"), "::error::12345678901234567890");
    }

    #[test]
    fn styles_are_closed_on_every_line() {
        let text = Text::from("one ").styled(Style::new().bold(), "two three four");
        assert_eq!(wrapped(text), "one \u{1b}[1mtwo three\u{1b}[0m\n    \u{1b}[1mfour\u{1b}[0m");
    }

    #[test]
    fn no_piece_has_an_escape_of_its_own() {
        assert_eq!(Text::from("a\u{1b}[1m\nb").wrapped(80, 0, 0), "a\\u{1b}[1m b");
    }

    #[test]
    fn a_cell_has_its_width() {
        assert_eq!([cell("ab", 3), cell("abcd", 3), cell("帳簿帳", 5)], ["ab ", "ab…", "帳簿…"]);
        assert_eq!(cell("帳簿帳", 4), "帳… ");
    }
}
