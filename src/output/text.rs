//! Foreign text made safe to show: text of the service or of a user must not break a terminal, table, page or link.

use crate::bytes::{BACKSLASH, CONTROL, SEPARATOR, TICK, WIDE, kinds};
pub use crate::printable::printable;

/// At most `length` characters; the last one is `…` if some are missing.
#[must_use]
pub fn shortened(text: &str, length: usize) -> String {
    // There are no more characters than bytes.
    if text.len() <= length || text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// The longest word of a table cell that is not broken: a browser breaks no word in a cell, but makes the table wider than
/// the page.
const WORD: usize = 32;

/// A code span of GitHub's Markdown for a table cell, without links, mentions or formatting.
///
/// A `|` is escaped for the table. A `\` before it would undo that, and renderers differ, so it becomes `⧵`. A `\` at the end
/// becomes `⧵` for the same reason.
#[must_use]
pub fn code(text: &str) -> String {
    code_span(&printable(text), "\\|")
}

/// As [`code`], for a table that has to fit into the width of a page: a word of more than 32 characters is several spans,
/// between which a line may break.
#[must_use]
pub fn breakable_code(text: &str) -> String {
    if let Some(plain) = plain(text).filter(|plain| plain.len() <= WORD) {
        return format!("`{plain}`");
    }
    let text = printable(text);
    let spans: Vec<_> = breakable(&text).into_iter().map(|part| code_span(part, "\\|")).collect();
    spans.join("<wbr>")
}

/// The bytes of [`breakable_code`].
pub(crate) fn breakable_code_len(text: &str) -> usize {
    match plain(text) {
        Some(plain) if plain.len() <= WORD => plain.len() + 2,
        _ => breakable_code(text).len(),
    }
}

/// What a code span has of a text that is in it as it is.
fn plain(text: &str) -> Option<&str> {
    let is_plain = kinds(text) & (CONTROL | WIDE | BACKSLASH | SEPARATOR | TICK) == 0;
    Some(text.trim_ascii()).filter(|text| is_plain && !text.is_empty())
}

/// The parts of a text between which a line may break, besides white space: inside of long words, at punctuation if there is
/// some.
fn breakable(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut length, mut after_punctuation) = (Vec::new(), 0, 0, None);
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            (length, after_punctuation) = (0, None);
            continue;
        }
        if length == WORD {
            let end = after_punctuation.take().unwrap_or(at);
            parts.push(&text[start..end]);
            start = end;
            length = text[end..at].chars().count();
        }
        length += 1;
        if matches!(c, '/' | '@' | '.' | ',' | ';' | ':' | '-' | '_' | '+' | '=' | '&' | '?') {
            after_punctuation = Some(at + c.len_utf8());
        }
    }
    parts.push(&text[start..]);
    parts
}

/// As [`code`], outside of tables: there a `|` is not escaped, because the `\` would be shown.
#[must_use]
pub fn code_in_prose(text: &str) -> String {
    plain(text).map_or_else(|| code_span(&printable(text), "|"), |plain| format!("`{plain}`"))
}

/// A code span with `bar` in place of each `|`.
fn code_span(text: &str, bar: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    let mut inner = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '|' => inner.push_str(bar),
            '\\' if backslashes_end_at_bar(&characters) => inner.push('⧵'),
            c => inner.push(c),
        }
    }
    format!("{fence}{pad}{inner}{pad}{fence}")
}

/// Whether the rest begins with any number of backslashes and then a bar, a backtick or the end.
fn backslashes_end_at_bar(rest: &std::iter::Peekable<std::str::Chars>) -> bool {
    matches!(rest.clone().find(|&c| c != '\\'), None | Some('|' | '`'))
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(|run| run.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_closes_where_it_should() {
        for (text, expected) in [
            ("ci", "`ci`"),
            ("", ""),
            (" \n ", ""),
            (" ", ""),
            (" ci ", "`ci`"),
            ("\u{2028}ci", "`\\u{2028}ci`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("a|b", "`a\\|b`"),
            ("a\\|b", "`a⧵\\|b`"),
            ("a\\\\|b", "`a⧵⧵\\|b`"),
            ("C:\\dir\\", "`C:\\dir⧵`"),
            ("<b>[x](http://e)</b> @all", "`<b>[x](http://e)</b> @all`"),
        ] {
            assert_eq!(code(text), expected);
            assert_eq!(breakable_code(text), expected);
            assert_eq!(breakable_code_len(text), expected.len());
            assert_eq!(code_in_prose(text), expected.replace("\\|", "|"));
        }
    }

    #[test]
    fn a_long_word_in_a_cell_can_be_broken() {
        let word = "x".repeat(33);
        for (text, expected) in [
            (word[1..].to_owned(), format!("`{}`", &word[1..])),
            (word.clone(), format!("`{}`<wbr>`x`", &word[1..])),
            (format!("a b {word} c"), format!("`a b {}`<wbr>`x c`", &word[1..])),
            (format!("ann@{word}"), format!("`ann@`<wbr>`{}`<wbr>`x`", &word[1..])),
            (format!("{}|`", &word[1..]), format!("`{}`<wbr>`` \\|` ``", &word[1..])),
            ("é".repeat(32), format!("`{}`", "é".repeat(32))),
        ] {
            assert_eq!(breakable_code(&text), expected);
            assert_eq!(breakable_code_len(&text), expected.len());
        }
        let address = format!("{}@{}.example", "a.b-".repeat(40), "c".repeat(80));
        let parts = breakable(&address);
        assert_eq!(parts.concat(), address);
        assert!(parts.iter().all(|part| part.len() <= WORD), "{parts:?}");
        assert_eq!(code_in_prose(&word), format!("`{word}`"));
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shortened("ééé", 3), "ééé");
        assert_eq!(shortened("éééé", 3), "éé…");
    }
}
