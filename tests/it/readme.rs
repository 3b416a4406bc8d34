//! The README keeps its word: what it says to type works when it is pasted, prints what it shows, and neither it nor
//! the texts in `docs` name a flag or a file that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use keysunset::model::ReadStatus;
use keysunset::report::Format;
use keysunset_sandbox::{Options, Sandbox};

use super::support::{TestEnv, at, sandbox};

const README: &str = include_str!("../../README.md");
const BINARY: &str = env!("CARGO_BIN_EXE_keysunset");
/// The now of `reports/example`, and of the output that the README shows.
const EXAMPLE: i64 = 1_750_000_000;

/// What the README writes in the place of the reader's own.
const URL: &str = "https://om.example:8080";
const PUBLIC: &str = "abcdwxyz";
const PRIVATE: &str = "01234567-89ab-cdef-0123-456789abcdef";

/// The lines of each fence of this language.
fn fences(text: &'static str, language: &str) -> Vec<Vec<&'static str>> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(opened) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```").collect();
            if opened == language {
                found.push(inside);
            }
        }
    }
    found
}

/// A terminal at a deployment of a hundred users, with their names in `users.csv`.
struct Terminal {
    sandbox: Sandbox,
    env: TestEnv,
    /// What was exported so far.
    exported: String,
}

impl Terminal {
    fn new() -> Self {
        let sandbox = sandbox(Options { clock: Some(at(EXAMPLE)), ..Options::default() });
        let env = TestEnv::empty();
        let names: String = sandbox.ground_truth().map(|user| user.username + "\n").collect();
        env.put("users.csv", format!("username\n{names}"));
        Self { sandbox, env, exported: String::new() }
    }

    /// What a reader types: the line with the reader's own deployment, credential and ids.
    fn own(&self, line: &str) -> String {
        let announced = self.sandbox.announcement();
        let origin = announced.url.split("/api/").next().unwrap();
        let line = line
            .replace(URL, origin)
            .replace(PUBLIC, &announced.public_key)
            .replace(PRIVATE, &announced.private_key);
        let somebody = self.sandbox.ground_truth().next().unwrap().id;
        let mut before = "";
        let words = line.split(' ').map(|word| {
            let flag = std::mem::replace(&mut before, word);
            match flag {
                "--org" => &announced.org_id,
                "--user" => &somebody,
                _ => word,
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn paste(&mut self, line: &str) -> Output {
        let line = self.own(line);
        if line.starts_with("export ") {
            self.exported.push_str(&line);
            self.exported.push('\n');
        }
        let binaries = Path::new(BINARY).parent().unwrap().to_owned();
        let system = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(binaries).chain(std::env::split_paths(&system)));
        Command::new("sh")
            .args(["-euc", &format!("{}{line}", self.exported)])
            .current_dir(self.env.path(""))
            .env_clear()
            .env("PATH", path.unwrap())
            .env("HOME", self.env.path(""))
            .env("SOURCE_DATE_EPOCH", EXAMPLE.to_string())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

#[test]
fn every_command_of_the_readme_works_when_it_is_pasted() {
    let mut terminal = Terminal::new();
    let lines = fences(README, "sh").concat();
    let typed = lines.into_iter().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (cargo, others): (Vec<_>, Vec<_>) = typed.partition(|line| line.starts_with("cargo "));
    // These two would run this test again; the first is what `demo.rs` is about, the second is going on.
    assert_eq!(cargo, ["cargo run --release -- demo", "cargo test"]);
    assert!(others.len() > 5, "the README shows how to use the program: {others:?}");
    for line in others {
        let output = terminal.paste(line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        // Findings and gaps are no mistake of the README.
        assert!(matches!(output.status.code(), Some(0 | 1 | 3 | 4)), "{line}: {}: {stderr}", output.status);
        if line.contains("keysunset ") {
            let out = line.split_once("--out ").map_or("reports", |(_, out)| out.split(' ').next().unwrap());
            assert!(terminal.env.path(out).join("keys.csv").exists(), "{line}: {stderr}");
        }
    }
    assert_eq!(
        terminal.exported.lines().map(|line| line.split('=').next().unwrap()).collect::<Vec<_>>(),
        ["export KEYSUNSET_PUBLIC_KEY", "export KEYSUNSET_PRIVATE_KEY"]
    );
}

#[test]
fn the_readme_shows_the_real_output() {
    let mut terminal = Terminal::new();
    for line in fences(README, "sh").concat() {
        if line.starts_with("export ") {
            terminal.paste(line);
        }
    }
    for fence in fences(README, "console") {
        let (typed, shown) = fence.split_first().unwrap();
        let output = terminal.paste(typed.strip_prefix("$ ").unwrap());
        let shown: String = shown.iter().map(|line| terminal.own(line) + "\n").collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), shown, "{typed}");
    }
}

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

#[test]
fn every_file_that_the_texts_link_to_is_there() {
    for (path, text) in texts() {
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let linked = path.parent().unwrap().join(target);
            assert!(linked.exists(), "{} links to {target}", path.display());
        }
    }
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
