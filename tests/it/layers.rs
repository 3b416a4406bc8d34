//! Which module may use which: the stages do not know each other, and data flows one way. The sandbox needs no row, since
//! it is a crate of its own.

use std::path::{Path, PathBuf};

/// From the bottom up: a module uses only modules of lower levels, never one of its own level.
const LEVELS: &[&[&str]] = &[
    &["bytes"],
    &["printable"],
    &["disk_sort", "named", "digest", "exit", "model", "network", "packed", "spreadsheet"],
    &["context", "input", "inventory", "output", "place", "policy", "signals", "v1"],
    &["console"],
    &["client", "progress", "store", "waivers"],
    &["credentials", "history", "import", "ratchet", "sources"],
    &["pipeline", "plan"],
    &["report"],
    &["locate"],
    &["cli", "evidence", "gate"],
    &["config"],
    &["commands"],
    &["fuzz"],
    &["lib", "main"],
];

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|level| level.contains(&module))
}

/// The modules at the root of the crate that a source uses, and those by way of `super` as `"super"`, which is not allowed
/// to lead there. `depth` is how many `super` lead to the root.
fn used(source: &str, depth: usize) -> Vec<String> {
    let mut used = Vec::new();
    let mut in_tests = 0;
    for line in source.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        in_tests += usize::from(line.starts_with("mod tests {"));
        for rest in line.split("crate::").skip(1) {
            used.push(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned());
        }
        if line.matches("super::").count() >= depth + in_tests
            && line.contains(&"super::".repeat(depth + in_tests))
        {
            used.push("super".to_owned());
        }
    }
    used
}

fn wrong_uses(file: &str, source: &str) -> Vec<String> {
    let names: Vec<_> = file.trim_end_matches(".rs").split('/').filter(|name| *name != "mod").collect();
    let Some(own) = level(names[0]) else {
        return vec![format!("{file}: LEVELS has no module {}", names[0])];
    };
    let is_wrong = |name: &String| name != names[0] && level(name).is_none_or(|level| level >= own);
    // The root alone defines what several modules share: `keysunset::run` and the macros.
    let used = used(source, names.len()).into_iter().filter(is_wrong);
    used.map(|name| format!("{file} uses {name}")).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn a_module_uses_only_modules_of_lower_levels() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    assert!(files.len() > 60, "{} sources", files.len());
    let wrong: Vec<_> = files
        .iter()
        .flat_map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            wrong_uses(&name, &std::fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (file, source) in [
        ("policy.rs", "use crate::store::Store;"),
        ("policy.rs", "use crate::{model::User, store::Store};"),
        ("report/csv.rs", "fn f() { super::super::client::get() }"),
        ("sources/mod.rs", "use crate::history::Forecast;"),
    ] {
        assert_eq!(wrong_uses(file, source).len(), 1, "{file}: {source}");
    }
}
