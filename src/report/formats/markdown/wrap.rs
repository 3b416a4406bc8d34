//! Line breaks in prose.

/// Columns of a line of prose.
const COLUMNS: usize = 100;
/// What a line of a quotation begins with.
const QUOTE: &str = "> ";

/// Wraps the lines of each paragraph again, at most 100 columns wide, with a line break at the end.
///
/// A code span or a link is never broken: text of the service is in code spans, and at the start of a line it could become a
/// heading or a list.
pub(super) fn wrap(text: &str) -> String {
    if is_wrapped(text) { [text, "\n"].concat() } else { wrap_paragraphs(text) }
}

/// Whether it is a single line already, as most sentences about an owner are.
fn is_wrapped(text: &str) -> bool {
    let is_short = (1..=COLUMNS).contains(&text.len()) && text.trim().len() == text.len();
    is_short && !text.contains('\n') && !text.contains("  ")
}

fn wrap_paragraphs(text: &str) -> String {
    let mut page = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim).chain([""]) {
        if !line.is_empty() {
            paragraph.push(line);
        } else if !paragraph.is_empty() {
            if !page.is_empty() {
                page.push('\n');
            }
            write(&paragraph, &mut page);
            paragraph.clear();
        }
    }
    page
}

fn write(paragraph: &[&str], page: &mut String) {
    let prefix = if paragraph[0].starts_with(QUOTE) { QUOTE } else { "" };
    let lines: Vec<_> = paragraph.iter().map(|line| line.strip_prefix(prefix).unwrap_or(line)).collect();
    let text = lines.join(" ");
    let mut width = 0;
    for word in words(&text) {
        let length = word.chars().count();
        if width > 0 && (width + 1 + length <= COLUMNS || starts_a_block(word)) {
            page.push(' ');
            width += 1 + length;
        } else {
            page.push_str(if width > 0 { "\n" } else { "" });
            page.push_str(prefix);
            width = prefix.len() + length;
        }
        page.push_str(word);
    }
    page.push('\n');
}

/// Whether a line that begins with this word could start another block, such as a list.
fn starts_a_block(word: &str) -> bool {
    let number = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = number.len() < word.len() && number.starts_with(['.', ')']);
    is_numbered || word.starts_with(['#', '>', '+', '-', '=', '|', '~', '<']) || word == "*"
}

/// The parts between spaces, with a code span or a link in one part.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(' ') {
            words.push(&text[start..at]);
            start = at + 1;
        }
        at += unbroken(rest);
    }
    words.push(&text[start..]);
    words.retain(|word| !word.is_empty());
    words
}

/// Bytes at the start that stay together: a code span, a link, or one character.
fn unbroken(text: &str) -> usize {
    let fence = text.len() - text.trim_start_matches('`').len();
    if fence > 0 {
        return fence + to_closing_fence(&text[fence..], fence).unwrap_or_default();
    }
    let link = text.strip_prefix('[').and_then(|rest| {
        let (label, target) = rest.split_once("](")?;
        let end = target.find(')')?;
        (!label.contains(['[', '`'])).then_some("[](".len() + label.len() + end + 1)
    });
    link.or_else(|| text.chars().next().map(char::len_utf8)).unwrap_or(1)
}

/// Bytes up to the end of the next run of exactly so many backticks.
fn to_closing_fence(text: &str, length: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = text[at..].find('`') {
        let start = at + next;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        at = start + run;
        if run == length {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_filled_up_to_the_width() {
        let text = "word ".repeat(41) + "\nmore\n\n\nnext\n";
        let page = wrap(&text);
        assert_eq!(page.lines().map(str::len).collect::<Vec<_>>(), [99, 99, 9, 0, 4]);
        assert!(page.ends_with("\nword more\n\nnext\n"), "{page}");
        assert_eq!(wrap(" \n"), "");
    }

    proptest::proptest! {
        #[test]
        fn a_single_line_stays_as_it_is(text in "[>#a`\\[\\]()é \n\r]{0,12}") {
            proptest::prop_assume!(is_wrapped(&text));
            proptest::prop_assert_eq!(wrap_paragraphs(&text), text + "\n");
        }
    }

    #[test]
    fn a_quotation_has_its_mark_on_every_line() {
        let page = wrap(&format!("> {}\n> end.\n", "word ".repeat(30)));
        assert!(page.lines().count() == 2 && page.lines().all(|line| line.starts_with("> word")), "{page}");
        assert!(page.ends_with("word end.\n"), "{page}");
    }

    #[test]
    fn code_and_links_are_never_broken() {
        let before = "x".repeat(95);
        for (text, parts) in [
            ("`# not a heading`", &["`# not a heading`"][..]),
            ("``a ` b c``", &["``a ` b c``"]),
            ("`` ` ``", &["`` ` ``"]),
            ("[Not read](#not-read).", &["[Not read](#not-read)."]),
            ("`1. a` (`2. b`)", &["`1. a`", "(`2. b`)"]),
            ("`- a`: 3", &["`- a`: 3"]),
        ] {
            let page = wrap(&format!("{before} {text}\n"));
            for part in parts {
                assert!(page.lines().any(|line| line.contains(part)), "{part}: {page}");
            }
            let (joined, expected) = (page.replace('\n', " "), format!("{before} {text} "));
            assert_eq!(joined, expected);
        }
    }

    #[test]
    fn no_line_begins_with_what_would_begin_a_block() {
        let before = "x".repeat(99);
        for word in ["+ 3", "- a", "# a", "> a", "1. a", "12) a", "= 3", "* a", "~~~", "| a |"] {
            assert!(wrap(&format!("{before} {word}\n")).starts_with(&format!("{before} {}", &word[..1])));
        }
        assert_eq!(wrap(&format!("{before} **a**\n")), format!("{before}\n**a**\n"));
    }
}
