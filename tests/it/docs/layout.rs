//! A page begins with its task and the command that does it, and can be read in a terminal.

use std::collections::BTreeSet;

use super::{Page, all_pages, pages, split};

/// Columns of a line of prose.
const WIDTH: usize = 100;
/// Lines within which a page shows its command.
const HEAD: usize = 12;
/// Pages whose last section is not about limitations: they define words, or answer questions, or are a plan of days.
const WITHOUT_LIMITATIONS: [&str; 3] = ["docs/faq.md", "docs/glossary.md", "docs/upgrade-to-5.0.md"];

fn docs() -> impl Iterator<Item = Page> {
    pages().into_iter().filter(|page| page.name.starts_with("docs/"))
}

#[test]
fn a_page_begins_with_its_task_and_its_command() {
    for page in docs() {
        let head: Vec<_> = page.text.lines().take(HEAD).collect();
        assert!(head[0].starts_with("# "), "{} begins with its heading", page.name);
        let task = head.iter().skip(1).find(|line| !line.is_empty()).unwrap();
        assert!(task.starts_with(char::is_alphabetic), "{}: its task is a sentence, not `{task}`", page.name);
        let (fences, _) = split(&page.text);
        let command = fences.first().and_then(|fence| fence.lines.first());
        let (number, line) = command.unwrap_or_else(|| panic!("{} has no command", page.name));
        let is_command = line.trim_start_matches("$ ").starts_with("keysunset ");
        assert!(is_command && *number <= HEAD, "{}:{number}: `{line}` is not its command", page.name);
    }
}

#[test]
fn a_page_ends_with_its_limitations() {
    for page in docs().filter(|page| !WITHOUT_LIMITATIONS.contains(&page.name.as_str())) {
        let (_, prose) = split(&page.text);
        let last = prose.iter().rev().find_map(|(_, line)| line.strip_prefix("## "));
        assert_eq!(last, Some("Limitations"), "{}", page.name);
    }
}

#[test]
fn a_line_of_prose_has_at_most_100_columns() {
    let mut long = Vec::new();
    for page in all_pages() {
        for (number, line) in split(&page.text).1 {
            let columns = line.chars().count();
            // A table has one line a row, and a link cannot be broken.
            let breakable = !line.starts_with('|') && line.trim_start_matches(['-', ' ']).contains(' ');
            if columns > WIDTH && breakable {
                long.push(format!("{}:{number}: {columns} columns", page.name));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn a_cell_of_a_table_is_a_phrase() {
    let mut sentences = Vec::new();
    for page in pages() {
        for (number, row) in split(&page.text).1.iter().filter(|(_, line)| line.starts_with('|')) {
            for cell in row.split(" | ").map(|cell| cell.trim_matches(['|', ' '])) {
                let mut ends = cell.match_indices(". ");
                let is_text = ends.any(|(at, _)| cell[at + 2..].starts_with(char::is_uppercase));
                if is_text || (cell.ends_with('.') && cell.contains(' ')) {
                    sentences.push(format!("{}:{number}: {cell}", page.name));
                }
            }
        }
    }
    assert!(sentences.is_empty(), "{sentences:#?}");
}

/// Words that are read twice, and the second names of things that have one: what to say in their place.
const WORDS: [(&str, &str); 24] = [
    ("told", "printed, reported"),
    ("tells", "prints, reports"),
    ("whoever", "a noun"),
    ("whatever", "a noun"),
    ("nobody", "no user"),
    ("everybody", "all users"),
    ("somebody", "a user, a person"),
    ("anybody", "a user, a person"),
    ("anew", "again"),
    ("by itself", "alone"),
    ("stands", "is"),
    ("comes to", "gives"),
    ("goes on", "continues"),
    ("held by", "covered by"),
    ("made-up", "simulated"),
    ("a day that is none", "an invalid day"),
    ("the store", "the run database"),
    ("a store", "a run database"),
    ("no store", "no run database"),
    ("the evidence", "the run database, the results"),
    ("flagged", "finding"),
    ("so often", "at most N times"),
    ("one's own", "your own"),
    ("his", "their"),
];

#[test]
fn a_thing_has_one_name_and_a_sentence_plain_words() {
    let mut found = BTreeSet::new();
    for page in all_pages() {
        for (number, line) in split(&page.text).1 {
            // What is between backticks is code.
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`").to_lowercase();
            let words: String = prose
                .chars()
                .map(|c| if c.is_alphanumeric() || "-'".contains(c) { c } else { ' ' })
                .collect();
            let words = format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "));
            for (word, better) in WORDS.iter().filter(|(word, _)| words.contains(&format!(" {word} "))) {
                found.insert(format!("{}:{number}: \"{word}\": say {better}", page.name));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
