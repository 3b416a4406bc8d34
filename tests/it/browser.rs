//! `report.html` in Chromium: without and with script, as Jenkins serves it, on paper, and with 90,000 keys. `just browser`
//! runs these tests; they need Chromium, and playwright-core and axe-core in `KEYSUNSET_NODE_MODULES`.

mod markdown;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::everything::everything;
use crate::foreign::{program, skipped};
use crate::support::{Row, TestEnv, ops_manager};
use crate::volume::fill;

/// Keys, and the largest file for them.
const MANY: u64 = 90_000;
const MOST_BYTES: usize = 14_000_000;

/// Runs a check of `browser/checks.js` with files as its arguments; returns what it prints.
fn check(name: &str, files: &[&Path]) -> Option<String> {
    run("checks.js", name, files)
}

/// Runs a check of a script in `browser`.
fn run(script: &str, name: &str, files: &[&Path]) -> Option<String> {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "it", "browser", script].iter().collect();
    let browser = program("KEYSUNSET_CHROMIUM", "chromium");
    let has_browser = Command::new(&browser).arg("--version").output().is_ok_and(|it| it.status.success());
    let mut node = Command::new("node");
    let modules = std::env::var_os("KEYSUNSET_NODE_MODULES");
    let Some(modules) = modules.filter(|it| has_browser && Path::new(it).join("axe-core").exists()) else {
        skipped("Chromium with playwright-core and axe-core");
        return None;
    };
    node.env("NODE_PATH", modules).env("KEYSUNSET_CHROMIUM", browser);
    let output = node.arg(script).arg(name).args(files).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{name}: {}{}", text(output.stdout), text(output.stderr));
    Some(text(output.stdout))
}

/// A run with everything in it: its page, and `keys.csv` with formulas neutralised.
fn hostile() -> TestEnv {
    let env = everything("csv,html");
    crate::everything::again(&env, "reports", &["--format", "csv,html"]);
    env
}

#[test]
#[ignore = "needs a browser"]
fn the_static_part_needs_neither_script_nor_style() {
    let env = hostile();
    check("without_script", &[&env.path("reports/report.html")]);
    check("as_jenkins_serves_it", &[&env.path("reports/report.html")]);
    check("on_paper", &[&env.path("reports/report.html")]);
}

#[test]
#[ignore = "needs a browser"]
fn the_table_sorts_filters_and_copies_hostile_texts() {
    let env = hostile();
    let (page, csv) = (env.path("reports/report.html"), env.path("reports/keys.csv"));
    check("hostile_texts", &[&page, &csv]);
    check("accessible", &[&page]);
}

#[test]
#[ignore = "needs a browser"]
fn the_demo_is_filtered_sorted_and_linked() {
    let env = TestEnv::empty();
    assert_eq!(env.run(&["demo", "--out", "reports"]).code, 0);
    let keys = |rows: Vec<Row>| rows.into_iter().filter(|row| !row["key_id"].is_empty()).count();
    assert!(keys(env.rows()) > 100, "more than a page");
    let (page, csv) = (env.path("reports/report.html"), env.path("reports/keys.csv"));
    check("filters", &[&page, &csv]);
    check("accessible", &[&page]);
}

#[test]
#[ignore = "writes 100,004 keys"]
fn beyond_the_limit_the_page_has_the_worst_keys_and_says_so_at_the_top() {
    const KEYS: u64 = 100_004;
    let sandbox = ops_manager(1);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    fill(&env.path("reports/keysunset.db"), KEYS);
    assert_eq!(env.run(&["report", "--format", "csv,html"]).code, 4);
    let page = crate::html::page(&env, "reports");
    let says = format!("The table of all keys on this page has the 100000 worst of {KEYS} keys.");
    assert!(page.split("<main>").next().unwrap().contains(&says));
    let data = crate::html::data(&page);
    assert_eq!(data["total"], KEYS);
    let shown = crate::html::keys(&data);
    assert_eq!(shown.len(), 100_000);
    let left_out = |row: &&Row| !row["key_id"].is_empty() && !shown.contains_key(&row["key_id"]);
    let rows = env.rows();
    let left_out: Vec<_> = rows.iter().filter(left_out).collect();
    assert_eq!(left_out.len(), 4);
    assert!(left_out.iter().all(|row| row["severity"] == "info"), "{left_out:?}");
}

#[test]
#[ignore = "needs a browser"]
fn ninety_thousand_keys_are_few_elements_and_bytes() {
    let sandbox = ops_manager(1);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    let store = env.path("reports/keysunset.db");
    fill(&store, MANY);
    // As long as descriptions are.
    let store = rusqlite::Connection::open(store).unwrap();
    store.execute("UPDATE keys SET description = 'nightly export ' || reading % 1000", []).unwrap();
    drop(store);
    assert_eq!(env.run(&["report", "--format", "html"]).code, 4);
    let page = env.path("reports/report.html");
    let bytes = env.bytes("reports/report.html").len();
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
    if let Some(printed) = check("many", &[&page]) {
        println!("{MANY} keys: {bytes} bytes, {printed}");
    }
}
