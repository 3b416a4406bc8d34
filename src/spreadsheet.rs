//! Text in a CSV that a person opens with a spreadsheet: what would run as a formula is neutralised with a `'`, what would
//! become a number in Excel is a formula of that text, and the same rules undo both when such a file is read back.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use crate::bytes::{CONTROL, SEPARATOR, WIDE, kinds};

/// Signs at which a spreadsheet may part a line into cells, whatever its locale: text behind one may become a cell.
const SEPARATORS: [char; 6] = [',', ';', '\t', '|', '\n', '\r'];

/// Puts a `'` before every part of the text that a spreadsheet would run.
pub(crate) fn guard(text: &str) -> Cow<'_, str> {
    if is_harmless(text) {
        return Cow::Borrowed(text);
    }
    rewrite(text, |part, is_first| is_guarded(part, is_first).then(|| format!("'{part}")))
}

/// Whether it is one of the texts of which this is seen at once, as it is of most: printable ASCII that begins with a letter
/// or a digit, and no sign or `'` behind a separator.
fn is_harmless(text: &str) -> bool {
    let kinds = kinds(text);
    if kinds & (CONTROL | WIDE) != 0 || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return false;
    }
    let is_skipped = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'"';
    let has_sign = |part: &[u8]| {
        let first = part.iter().find(|byte| !is_skipped(byte));
        first.is_some_and(|byte| matches!(byte, b'=' | b'+' | b'-' | b'@' | b'\''))
    };
    kinds & SEPARATOR == 0 || !text.as_bytes().split(|byte| matches!(byte, b',' | b';' | b'|')).any(has_sign)
}

/// The longest text in a formula of Excel.
const LONGEST_IN_FORMULA: usize = 255;

/// As [`guard`]; but a text that Excel may convert to a number, a date or a truth value is `="…"`, a formula that is this text.
///
/// A text with a quote, the separator `;` or a character that is not shown is none of these, and is never in a formula.
pub(crate) fn excel_text(text: &str) -> Cow<'_, str> {
    let guarded = guard(text);
    // The words for truth values differ by language.
    let is_value = text.contains(char::is_numeric) || text.chars().all(char::is_alphabetic);
    let is_plain = guarded == text && !text.contains(|c| matches!(c, '"' | ';') || is_not_shown(c));
    if is_value && is_plain && !text.is_empty() && text.len() <= LONGEST_IN_FORMULA {
        return Cow::Owned(format!("=\"{text}\""));
    }
    guarded
}

/// Undoes [`guard`] and [`excel_text`].
pub(crate) fn unguard(text: &str) -> Cow<'_, str> {
    let in_formula = text.strip_prefix("=\"").and_then(|text| text.strip_suffix('"'));
    if let Some(text) = in_formula.filter(|text| !text.contains('"')) {
        return Cow::Borrowed(text);
    }
    rewrite(text, |part, is_first| {
        part.strip_prefix('\'').filter(|rest| is_guarded(rest, is_first)).map(str::to_owned)
    })
}

/// The text with every part between two separators replaced by what `change` makes of it, where it makes anything. It gets the
/// part and whether it is the first.
fn rewrite(text: &str, change: impl Fn(&str, bool) -> Option<String>) -> Cow<'_, str> {
    let parts = || parts(text).enumerate().map(|(number, part)| (part, number == 0));
    if parts().all(|(part, is_first)| change(part, is_first).is_none()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        parts().map(|(part, is_first)| change(part, is_first).unwrap_or_else(|| part.to_owned())).collect(),
    )
}

/// What may become a cell of its own, each part with the separator behind it. White space at the start belongs to the first:
/// a spreadsheet skips it.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let shown =
        text.trim_start_matches('\'').trim_start_matches(|c: char| c.is_whitespace() || is_not_shown(c));
    let start = text.len() - shown.len();
    let first = start + shown.find(SEPARATORS).map_or(shown.len(), |at| at + 1);
    let (first, others) = text.split_at(first);
    std::iter::once(first).chain(others.split_inclusive(SEPARATORS))
}

/// Whether it gets a `'`. So does what begins with one itself, or it would lose that one when it is read back.
fn is_guarded(part: &str, is_first: bool) -> bool {
    is_formula(part.trim_start_matches('\''), is_first)
}

/// Whether a spreadsheet would run it, also behind white space and marks that are not shown. Behind a separator also behind
/// quotes: a CSV doubles them, and two quotes at the start of a cell are an empty text, with the rest behind it.
fn is_formula(part: &str, is_first: bool) -> bool {
    let is_skipped = |c: char| c.is_whitespace() || is_not_shown(c) || c == '"' && !is_first;
    let first = part.chars().find(|c| !is_skipped(*c));
    part.starts_with(['\t', '\r'])
        || first.is_some_and(|c| {
            matches!(c, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
        })
}

/// Controls, the marks and formats of Unicode (categories M and Cf), and the letters and signs that are blank.
fn is_not_shown(c: char) -> bool {
    c.is_control()
        || is_combining_mark(c)
        || matches!(
            c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
        )
        || matches!(c, '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}')
        || matches!(c, '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(c, '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
        || matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_a_spreadsheet_would_run_gets_an_apostrophe() {
        for (text, guarded) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            (" =1", "' =1"),
            ("\u{a0}=1", "'\u{a0}=1"),
            ("\u{feff}=1", "'\u{feff}=1"),
            ("\u{200b}\u{202e}=1", "'\u{200b}\u{202e}=1"),
            ("\u{301}=1", "'\u{301}=1"),
            ("\u{fe0f}\u{903}=1", "'\u{fe0f}\u{903}=1"),
            ("\u{605}=1", "'\u{605}=1"),
            ("\u{3164}\u{2800}=1", "'\u{3164}\u{2800}=1"),
            ("a;\u{301}=1", "a;'\u{301}=1"),
            ("a;\"=1;b", "a;'\"=1;b"),
            ("a,\" \"=1\"", "a,'\" \"=1\""),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{ff20}x", "'\u{ff20}x"),
            ("\tx", "'\tx"),
            ("a;=1", "a;'=1"),
            ("a,b| =1", "a,b|' =1"),
            ("a\n=1\r\n-2", "a\n'=1\r\n'-2"),
            ("\n=1", "'\n=1"),
        ] {
            assert_eq!(guard(text), guarded, "{text:?}");
        }
        for text in ["", "ci", "a=1", " a", "\nx", "5-3", "a - b", "a, b", "a, \"b=1\"", "\"=1\""] {
            assert_eq!(guard(text), text, "{text:?}");
            assert_eq!(unguard(text), text, "{text:?}");
        }
        for (text, guarded) in [("'=1", "''=1"), ("a;'-1", "a;''-1"), ("' @x", "'' @x"), ("'a", "'a")] {
            assert_eq!(guard(text), guarded, "no two texts are written alike");
        }
    }

    #[test]
    fn a_text_that_excel_would_convert_is_a_formula_of_that_text() {
        for text in [
            "000000000005",
            "1e308",
            "58e012",
            "1-2",
            "1/2",
            "2021-03",
            "TRUE",
            "wahr",
            "1,5",
            "50 %",
            "\u{ff11}",
        ] {
            assert_eq!(excel_text(text), format!("=\"{text}\""));
            assert_eq!(unguard(&excel_text(text)), text);
        }
        let long = "1".repeat(256);
        for text in ["", "a b", "a\"1", "1;2", "1\n", "1\u{202e}", &long] {
            assert_eq!(excel_text(text), text, "{text:?}");
        }
        for text in ["=1", "-1", "+1", "@a1", "1;=2", "1,=2", "=\"1\"", "\u{ff1d}1"] {
            assert_eq!(excel_text(text), guard(text));
            assert_ne!(guard(text), text, "{text:?}");
            assert_eq!(unguard(&excel_text(text)), text);
        }
    }

    proptest::proptest! {
        /// No sign of a formula is in one of ours, and no text ends it.
        #[test]
        fn no_text_leaves_its_formula(text in "[=+@,;\"'\\t\\r\\n a1\u{200b}\u{ff1d}-]{0,12}|\\PC{0,12}") {
            let written = excel_text(&text);
            if let Some(inner) = written.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
                proptest::prop_assert!(inner == text && !inner.contains('"') && !parts(inner).any(|part| is_formula(part, false)));
            } else {
                proptest::prop_assert_eq!(&written, &guard(&text));
            }
            proptest::prop_assert_eq!(unguard(&written), text.as_str());
        }

        #[test]
        fn undone_it_is_what_it_was(text in "[=+@,;\"\\t\\r\\n a\u{200b}\u{ff1d}-]{0,12}|[^']{0,12}") {
            let guarded = guard(&text).into_owned();
            proptest::prop_assert_eq!(unguard(&guarded), text.as_str());
        }
    }
}
