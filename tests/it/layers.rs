//! Who may know whom: reads the sources and holds the table of the house.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Everything a module may use. A test of this file holds that no module is missing.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("exit", &[]),
    ("context", &["exit"]),
    // Bars and lines: it is told numbers, so it needs nobody.
    ("progress", &[]),
    // From places in a text to line numbers.
    ("lines", &[]),
    ("policy", &["model"]),
    ("client", &["model", "exit"]),
    ("store", &["model", "exit"]),
    ("sources", &["model", "exit", "client"]),
    ("signals", &["exit"]),
    ("pipeline", &["model", "exit", "progress", "policy", "signals", "sources", "client", "store"]),
    ("import", &["model", "exit", "client"]),
    ("waivers", &["model", "exit", "policy", "lines"]),
    ("history", &["model", "policy", "store"]),
    ("ratchet", &["model", "policy", "store"]),
    ("report", &["model", "exit", "policy", "waivers", "store", "history", "ratchet"]),
    ("plan", &["model", "policy", "waivers", "store"]),
    // The manifest names what the report wrote, of which store's run, by which rules.
    ("evidence", &["model", "exit", "policy", "store", "report"]),
    ("gate", &["report", "exit"]),
    ("credentials", &["model", "exit", "context", "client", "lines"]),
    ("cli", ABOVE_SETTINGS),
    (
        "config",
        &[
            "cli",
            "model",
            "exit",
            "context",
            "policy",
            "client",
            "store",
            "sources",
            "report",
            "gate",
            "credentials",
        ],
    ),
    ("commands", ALL),
];
const ABOVE_SETTINGS: &[&str] =
    &["model", "exit", "policy", "client", "store", "sources", "report", "history", "gate"];
const ALL: &[&str] = &[
    "cli", "model", "exit", "context", "progress", "policy", "client", "store", "signals", "sources",
    "pipeline", "import", "waivers", "history", "ratchet", "report", "evidence", "plan", "gate", "config",
];

/// What any module may use: macros, warnings, and what the documents outside share.
const FREE: [&str; 3] = ["named", "v1", "warnings"];

/// The modules of the crate that a source uses, by its own path below `src`.
fn used(file: &str, source: &str) -> BTreeSet<String> {
    let mut depth = file.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").count();
    let tokens = tokens(source);
    let mut used = BTreeSet::new();
    // Which of the open braces belong to inline modules.
    let mut braces = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).map_or("", |at| tokens[at].as_str());
        match token.as_str() {
            "{" => {
                let module = before(2) == "mod";
                depth += usize::from(module);
                braces.push(module);
            }
            "}" => depth -= usize::from(braces.pop() == Some(true)),
            "crate" | "keysunset" if before(1) != "::" => {
                used.extend(first_steps(&tokens[at + 1..]));
            }
            "super" if before(1) != "::" => {
                let rest = &tokens[at..];
                let up = rest.chunks(2).take_while(|pair| pair == &["super", "::"]).count();
                if up >= depth {
                    used.extend(first_steps(&rest[2 * up - 1..]));
                }
            }
            _ => {}
        }
    }
    used
}

/// What a path goes on with after its root: one name, or each of a group.
fn first_steps(rest: &[String]) -> Vec<String> {
    let word = |at: usize| rest.get(at).map_or("", String::as_str);
    match (word(0), word(1)) {
        ("::", "{") => {
            let (mut names, mut open, mut first) = (Vec::new(), 1, true);
            for token in &rest[2..] {
                match token.as_str() {
                    "{" => open += 1,
                    "}" => open -= 1,
                    "," => first = open == 1,
                    name if first => {
                        names.push(name.to_owned());
                        first = false;
                    }
                    _ => {}
                }
                if open == 0 {
                    break;
                }
            }
            names
        }
        ("::", name) => vec![name.to_owned()],
        _ => Vec::new(),
    }
}

/// Words, `::` and single marks, without comments, strings and characters.
fn tokens(source: &str) -> Vec<String> {
    let characters: Vec<char> = source.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    let starts =
        |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| characters.get(at + i) == Some(&c));
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(&c) = characters.get(at) {
        let rest = &characters[at..];
        at += if starts(at, "//") {
            rest.iter().take_while(|c| **c != '\n').count()
        } else if starts(at, "/*") {
            let inner = rest.windows(2).skip(2).take_while(|pair| *pair != ['*', '/']).count();
            inner + 4
        } else if c == 'r' && (starts(at, "r\"") || starts(at, "r#")) {
            let marks = rest[1..].iter().take_while(|c| **c == '#').count();
            let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
            let inner = rest[marks + 2..].windows(end.len()).take_while(|window| *window != end).count();
            marks + 2 + inner + end.len()
        } else if c == '"' {
            let mut end = 1;
            while rest.get(end).is_some_and(|c| *c != '"') {
                end += if rest[end] == '\\' { 2 } else { 1 };
            }
            end + 1
        } else if c == '\'' {
            match rest {
                ['\'', '\\', ..] => 3 + rest[3..].iter().take_while(|c| **c != '\'').count(),
                ['\'', _, '\'', ..] => 3,
                _ => 1,
            }
        } else if is_word(c) {
            let word: String = rest.iter().take_while(|c| is_word(**c)).collect();
            let length = word.chars().count();
            tokens.push(word);
            length
        } else if starts(at, "::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            1
        };
    }
    tokens
}

/// The uses of a source that the table does not allow.
fn forbidden(file: &str, source: &str) -> Vec<String> {
    let module = file.split(['/', '.']).next().unwrap();
    let allowed = TABLE.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
    let Some(allowed) = allowed else { return vec![format!("{file}: the table has no module {module}")] };
    used(file, source)
        .into_iter()
        .filter(|used| used != module && !allowed.contains(&used.as_str()) && !FREE.contains(&used.as_str()))
        .map(|used| format!("{file} uses {used}"))
        .collect()
}

/// All sources with their paths below `src`.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, all) } else { all.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    walk(&root, &mut all);
    let rust = all.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().components();
        let name = name.map(|part| part.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/");
        (name, std::fs::read_to_string(path).unwrap())
    };
    rust.map(named).collect()
}

#[test]
fn every_module_uses_only_what_the_table_allows() {
    let sources = sources();
    assert!(sources.len() > 30, "{} sources", sources.len());
    let free = |file: &str| {
        ["lib.rs", "main.rs"].contains(&file) || FREE.iter().any(|it| file == format!("{it}.rs"))
    };
    let wrong: Vec<_> = sources
        .iter()
        .filter(|(file, _)| !free(file))
        .flat_map(|(file, source)| forbidden(file, source))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_forbidden_use_is_seen_in_every_spelling() {
    for (file, source) in [
        ("policy.rs", "use crate::store::Store;"),
        ("policy.rs", "use crate::{model::User, store::{Run, Store}};"),
        ("policy.rs", "fn f() -> crate :: store :: Run { todo() }"),
        ("policy.rs", "use super::store::Store;"),
        ("policy.rs", "mod tests { use super::super::store::Store; }"),
        ("policy.rs", "const A: &str = \"{\"; const B: char = '{'; /* } */ // }\nuse crate::store::Store;"),
        ("policy.rs", "const A: &str = r#\"\"{\"#; use super::store::Store;"),
        ("report/csv.rs", "use super::super::client::Client;"),
        ("report/mod.rs", "pub use crate::gate;"),
        ("store/mod.rs", "use crate::*;"),
        ("elsewhere.rs", ""),
    ] {
        assert_eq!(forbidden(file, source).len(), 1, "{file}: {source}");
    }
}

#[test]
fn what_is_allowed_is_not_told() {
    for (file, source) in [
        ("policy.rs", "use crate::model::{PersonalKey, store}; use chrono::Utc; pub(crate) fn f() {}"),
        ("policy.rs", "//! See [`crate::store`].\nconst A: &str = \"crate::store\"; pub(super) struct S;"),
        ("policy.rs", "mod tests { use super::*; mod deeper { use super::super::store; } }"),
        ("report/csv.rs", "use super::store; use crate::store::Store; use crate::report::Row;"),
        ("gate.rs", "impl<'a> From<&'a crate::report::Summary> for crate::exit::Exit {}"),
    ] {
        assert_eq!(forbidden(file, source), Vec::<String>::new(), "{file}: {source}");
    }
}
