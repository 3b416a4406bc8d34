//! The vocabulary: texts, comments and names use the words of the field, so that a sentence is understood at once.

use std::path::{Path, PathBuf};

/// Words and phrases that are not used, whatever their case, and what to say.
const WORDS: &[(&str, &str)] = &[
    ("all is well", "all checks passed"),
    ("anew", "again"),
    ("by itself", "alone"),
    ("came to", "was"),
    ("come to know", "find"),
    ("comes to", "is"),
    ("everybody", "all users"),
    ("did not learn", "has no"),
    ("evidence book", "run database"),
    ("flagged", "finding"),
    ("go on", "continue"),
    ("goes on", "continues"),
    ("going on", "in progress"),
    ("half a credential", "incomplete credentials"),
    ("it clicks", "the ratchet advances"),
    ("let go", "delete"),
    ("like with like", "the same selection"),
    ("nobody", "no user, no person"),
    ("speaks against", "contradicts"),
    ("stand", "be"),
    ("stands", "is"),
    ("stood", "was"),
    ("tell", "report"),
    ("tells", "reports"),
    ("told", "reported"),
    ("untouched", "not changed"),
    ("went on", "continued"),
    ("whoever", "the person or program"),
    ("whom to audit", "which users to audit"),
];

/// Where a word is right: the end of the path, and the text around the word.
const EXCEPT: &[(&str, &str)] = &[
    // Names that are promised outward.
    ("commands/history/json.rs", "told: "),
    ("docs/history.md", "`told`"),
    ("evidence/manifest.rs", "rename = \"told\""),
    // The variables of templates.
    ("markdown/page.rs", "rows_of_nobody"),
    ("migration-report.md.j2", "rows_of_nobody"),
    // A migration is never changed.
    ("store/schema.rs", "stands for itself"),
];

/// What is held to the vocabulary.
const PATHS: &[&str] = &[
    "crates/sandbox/src",
    "src",
    "templates",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        // A picture has no words.
        return Vec::from_iter(path.extension().is_none_or(|it| it != "png").then(|| path.to_owned()));
    }
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| files(&path)).collect()
}

/// In one line, as a reader reads it: without the marks of comments and of strings that continue.
fn flattened(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches(['/', '!']).trim_end_matches('\\'));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Every use of a word, as the text around it.
fn uses<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let around = |at: usize| {
        let start = text[..at].char_indices().rev().nth(49).map_or(0, |(start, _)| start);
        let end = text[at..].char_indices().nth(word.len() + 50).map_or(text.len(), |(end, _)| at + end);
        &text[start..end]
    };
    let is_whole = |at: &usize| {
        !is_letter(text[..*at].chars().next_back()) && !is_letter(text[at + word.len()..].chars().next())
    };
    text.match_indices(word).map(|(at, _)| at).filter(is_whole).map(around).collect()
}

#[test]
fn texts_use_plain_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for path in PATHS.iter().flat_map(|path| files(&root.join(path))) {
        let text = flattened(&std::fs::read_to_string(&path).unwrap());
        for (word, say) in WORDS {
            let is_wrong = |around: &&str| {
                !EXCEPT.iter().any(|(file, except)| path.ends_with(file) && around.contains(except))
            };
            let name = path.strip_prefix(root).unwrap().display();
            wrong.extend(
                uses(&text, word)
                    .into_iter()
                    .filter(is_wrong)
                    .map(|around| format!("{name}: `{word}` (say: {say}): …{around}…")),
            );
        }
    }
    assert!(wrong.is_empty(), "{} uses:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_word_is_found_across_lines_and_in_names_but_not_inside_words() {
    for (text, found) in [
        ("// The run goes\n    /// on.", 1),
        ("\"it goes \\\n    on\"", 1),
        ("fn nobody_goes_on() {}", 0),
        ("it Goes on and goes on", 2),
        ("it undergoes one", 0),
    ] {
        assert_eq!(uses(&flattened(text), "goes on").len(), found, "{text}");
    }
    assert_eq!(uses("fn nobody_is()", "nobody").len(), 1);
}
