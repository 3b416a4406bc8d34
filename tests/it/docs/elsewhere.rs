//! Commands and files of the pages that cannot run here, checked in another way.

use std::collections::BTreeSet;
use std::process::Command;

use super::terminal::{Terminal, commands};
use super::{Page, pages, root, split};
use crate::evidence::has;
use crate::support::TestEnv;

#[test]
fn the_package_installs_the_program() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Value = toml::from_str(&manifest).unwrap();
    assert_eq!(manifest["bin"][0]["name"].as_str(), Some("keysunset"));
    assert!(root().join("Cargo.lock").exists(), "--locked needs it");
}

#[test]
fn every_benchmark_of_the_docs_exists() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Value = toml::from_str(&manifest).unwrap();
    let benches: BTreeSet<_> =
        manifest["bench"].as_array().unwrap().iter().map(|bench| bench["name"].as_str().unwrap()).collect();
    let pages = pages();
    let named: BTreeSet<_> = pages
        .iter()
        .flat_map(|page| page.text.split("cargo bench --bench ").skip(1))
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap())
        .collect();
    assert_eq!(named, benches);
}

/// mongocli is no program of this machine. Its commands send these two requests, by the vendor's manual.
#[test]
fn the_commands_of_mongocli_make_a_key_that_audits() {
    if !has("curl", &["--version"]) || !has("jq", &["--version"]) {
        return;
    }
    let readme = pages().into_iter().find(|page| page.name == "README.md").unwrap();
    let commands = commands(&readme);
    let flag = |command: &str, flag: &str| -> String {
        let line = commands.iter().find(|it| it.typed.starts_with(command)).unwrap().typed.clone();
        let value = line.split_once(&format!("--{flag} ")).unwrap().1.to_owned();
        let (value, end) = value.strip_prefix('"').map_or((value.as_str(), ' '), |quoted| (quoted, '"'));
        value.split(end).next().unwrap().to_owned()
    };
    let entry = "mongocli iam globalAccessLists create";
    let key = "mongocli iam globalApiKeys create";
    let terminal = Terminal::new(&Page { name: "docs/none.md".to_owned(), text: String::new() });
    let posted = |path: &str, body: &serde_json::Value| {
        format!(
            "curl --fail --silent --config digest.conf --digest --header 'Content-Type: application/json' \
             --data '{body}' \"$URL/{path}\""
        )
    };
    let made = serde_json::json!({"desc": flag(key, "desc"), "roles": [flag(key, "role")]});
    // The page's address is one of the documentation; this machine's is the loopback.
    assert!(flag(entry, "cidr").ends_with("/32"), "one address alone");
    let listed = serde_json::json!({"cidrBlock": "127.0.0.1/32", "desc": flag(entry, "desc")});
    let script = format!(
        "set -eu\n{} >/dev/null\n{} >made.json\n\
         export KEYSUNSET_PUBLIC_KEY=$(jq -r .publicKey made.json) KEYSUNSET_PRIVATE_KEY=$(jq -r .privateKey made.json)\n\
         keysunset audit --url \"$URL\" --all-orgs --fail-on never --quiet",
        posted("admin/whitelist", &listed),
        posted("admin/apiKeys", &made),
    );
    assert_eq!(terminal.shell(&script), Some(0), "{script}");
}

/// `DuckDB` is here as a module of Python, which runs the same SQL as its shell.
#[test]
fn the_recipes_for_duckdb_count_what_the_reports_count() {
    if !has("sqlite3", &["--version"]) {
        return;
    }
    let page = pages().into_iter().find(|page| page.name == "docs/recipes.md").unwrap();
    let commands = commands(&page);
    let env = TestEnv::empty();
    assert_eq!(env.run(&["demo", "--users", "30", "--out", "reports"]).code, 0);
    assert_eq!(env.run(&["report", "--format", "csv,ndjson", "--quiet"]).code, 1);
    let export = commands.iter().find(|it| it.typed.starts_with("sqlite3 -readonly -json")).unwrap();
    let ran = Command::new("bash").args(["-c", &export.typed]).current_dir(env.path("")).status().unwrap();
    assert!(ran.success());
    let queries = commands.iter().filter_map(|it| it.typed.strip_prefix("duckdb -c \"")?.strip_suffix('"'));
    let queries: Vec<_> = queries.map(str::to_owned).collect();
    assert_eq!(queries.len(), commands.iter().filter(|it| it.typed.starts_with("duckdb")).count());
    let script = "import duckdb, json, os, sys
os.chdir(sys.argv[1])
for sql in sys.argv[2:]:
    found = duckdb.sql(sql)
    print(json.dumps(found.fetchall() if found else [], default=str))
print(duckdb.sql(\"SELECT count(*), count(key_id) FROM 'keys.parquet'\").fetchall()[0])";
    let folder = env.path("");
    let arguments: Vec<_> =
        std::iter::once(folder.as_path()).chain(queries.iter().map(std::path::Path::new)).collect();
    let Some(printed) = crate::foreign::python(&["duckdb"], script, &arguments) else { return };
    let rows = crate::support::rows(&env.bytes("reports/keys.csv"));
    let keys = rows.iter().filter(|row| !row["key_id"].is_empty()).count();
    let expected = format!("({}, {keys})", rows.len());
    assert_eq!(printed.lines().last(), Some(&*expected), "{printed}");
    let counts = |line: &str| -> usize {
        let found: Vec<Vec<serde_json::Value>> = serde_json::from_str(line).unwrap();
        found.iter().map(|row| usize::try_from(row[1].as_u64().unwrap()).unwrap()).sum()
    };
    let lines: Vec<_> = printed.lines().collect();
    let verdicts = queries.iter().position(|sql| sql.starts_with("SELECT verdict")).unwrap();
    let deployments = queries.iter().position(|sql| sql.starts_with("SELECT deployment")).unwrap();
    assert_eq!([verdicts, deployments].map(|at| counts(lines[at])), [keys, keys], "{printed}");
}

#[test]
fn the_units_of_systemd_are_valid() {
    if !has("systemd-analyze", &["--version"]) {
        return;
    }
    let page = pages().into_iter().find(|page| page.name == "docs/ci.md").unwrap();
    let env = TestEnv::empty();
    let mut units = Vec::new();
    for fence in split(&page.text).0.iter().filter(|fence| fence.language == "ini") {
        let path = fence.lines[0].1.strip_prefix("# /etc/systemd/system/").unwrap();
        let lines: Vec<_> = fence.lines.iter().map(|(_, line)| *line).collect();
        env.put(path, lines.join("\n").replace("/usr/local/bin/keysunset", env!("CARGO_BIN_EXE_keysunset")));
        units.push(env.path(path));
    }
    assert_eq!(units.len(), 2, "{units:?}");
    let output = Command::new("systemd-analyze").arg("verify").args(&units).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !stderr.contains(".service:"), "{stderr}");
}
