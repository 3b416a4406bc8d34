//! Names in README and docs are those of the program: flags, formats, read statuses, paths, tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use keysunset::model::ReadStatus;
use keysunset::report::Format;

use super::support::TestEnv;

/// README.md and all of `docs`, with their texts.
fn texts() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .chain([root.join("README.md")])
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// The flags in a piece of text.
fn flags(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').collect()
    };
    text.split([' ', '\n', '`', '[', '(', '|', ','])
        .filter_map(|word| word.strip_prefix("--"))
        .map(name)
        .filter(|name| !name.is_empty())
        .collect()
}

/// The flags of each command, as its help has them; those of no command under the empty name.
fn helped() -> BTreeMap<&'static str, BTreeSet<String>> {
    [
        "",
        "audit",
        "doctor",
        "import",
        "explain",
        "merge",
        "report",
        "plan",
        "locate",
        "export",
        "verify",
        "history",
        "diff",
        "prune",
        "completions",
        "man",
        "demo",
        "sandbox",
    ]
    .into_iter()
    .map(|command| {
        let arguments: Vec<_> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let ran = TestEnv::empty().run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        (command, flags(&ran.stdout))
    })
    .collect()
}

#[test]
fn every_flag_that_the_texts_name_exists() {
    let helped = helped();
    let any: BTreeSet<String> = helped.values().flatten().cloned().collect();
    let mut seen = 0;
    for (path, text) in texts() {
        for line in text.lines() {
            // Up to the end of the command: of the code span, or of what goes on into another program.
            for typed in line.split("keysunset ").skip(1).map(|rest| rest.split(['`', '|']).next().unwrap()) {
                let known = helped.get(typed.split(' ').next().unwrap()).unwrap_or(&any);
                for flag in flags(typed) {
                    assert!(known.contains(&flag), "{}: --{flag} in {line}", path.display());
                    seen += 1;
                }
            }
            // A flag by itself, in a sentence or a table.
            for span in line.split('`').skip(1).step_by(2).filter(|span| span.starts_with("--")) {
                for flag in flags(span) {
                    assert!(any.contains(&flag), "{}: --{flag} in {line}", path.display());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 20, "the texts name flags, and this test finds them");
}

/// Its map is of use only while every path and every test in it is there.
#[test]
fn the_architecture_page_names_what_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (mut paths, mut tests) = (0, 0);
    for name in page.split('`').skip(1).step_by(2) {
        if let Some((topic, test)) = name.split_once("::").filter(|(topic, _)| *topic != "Policy") {
            let file = std::fs::read_to_string(root.join(format!("tests/it/{topic}.rs"))).unwrap();
            assert!(test.is_empty() || file.contains(&format!("fn {test}(")), "{name}");
            tests += 1;
        } else if name.contains('/') && !name.contains(' ') {
            assert!(root.join(name).exists(), "{name}");
            paths += 1;
        }
    }
    assert!(paths > 40 && tests > 8, "{paths} paths, {tests} tests");
}

#[test]
fn the_docs_have_every_format_and_read_status() {
    let page = |name| std::fs::read_to_string(format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (reports, reading) = (page("reports.md"), page("reading.md"));
    for name in Format::ALL.iter().flat_map(|format| format.file_names()) {
        assert!(reports.contains(&format!("\n## `{name}`\n")), "{name}");
    }
    for status in ReadStatus::ALL {
        assert!(reading.contains(&format!("\n| `{status}` | ")), "{status}");
    }
}

/// A promise counts as kept only while its test is there, by its own name.
#[test]
fn every_test_that_the_page_of_promises_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let mut sources = String::new();
    for folder in ["src", "tests/it"] {
        crate::support::walk(&root.join(folder), &mut |path| {
            sources += &std::fs::read_to_string(path).unwrap_or_default();
        });
    }
    let mut seen = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for test in tests.split('`').skip(1).step_by(2) {
            let name = test.rsplit("::").next().unwrap();
            assert!(sources.contains(&format!("fn {name}()")), "{test}");
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen} tests");
}
