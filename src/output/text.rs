//! Foreign text made safe to show: text of the service or of a user must not break a terminal, table, page or link.

pub use crate::printable::printable;

/// At most `length` characters; the last one is `…` if some are missing.
#[must_use]
pub fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// A code span of GitHub's Markdown for a table cell, without links, mentions or formatting.
///
/// A `|` is escaped for the table. A `\` before it would undo that, and renderers differ, so it becomes `⧵`. A `\` at the end
/// becomes `⧵` for the same reason.
#[must_use]
pub fn code(text: &str) -> String {
    code_span(text, "\\|")
}

/// As [`code`], outside of tables: there a `|` is not escaped, because the `\` would be shown.
#[must_use]
pub fn code_in_prose(text: &str) -> String {
    code_span(text, "|")
}

/// A code span with `bar` in place of each `|`.
fn code_span(text: &str, bar: &str) -> String {
    let text = printable(text);
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
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("a|b", "`a\\|b`"),
            ("a\\|b", "`a⧵\\|b`"),
            ("a\\\\|b", "`a⧵⧵\\|b`"),
            ("C:\\dir\\", "`C:\\dir⧵`"),
            ("<b>[x](http://e)</b> @all", "`<b>[x](http://e)</b> @all`"),
        ] {
            assert_eq!(code(text), expected);
            assert_eq!(code_in_prose(text), expected.replace("\\|", "|"));
        }
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shortened("ééé", 3), "ééé");
        assert_eq!(shortened("éééé", 3), "éé…");
    }
}
