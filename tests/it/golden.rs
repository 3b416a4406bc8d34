//! Snapshots of the bytes of every format, of every help text and of the commands' output: `tests/golden` has a folder for
//! each scenario, so that a change of them is a diff to review. To update them:
//! `INSTA_UPDATE=always cargo test --test it -- golden::`

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::PathBuf;

use insta::{assert_snapshot, with_settings};
use keysunset::report::Format;
use keysunset_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::markdown::has_sections_of_the_template;
use crate::support::{CliOutput, NOW, TestEnv, at, ops_manager, sandbox};

/// Where the program finds every sandbox, by way of a proxy: a port of its own in each run would change every hash.
const URL: &str = "http://om.example:8080";
const STEP_SUMMARY: &str = "step-summary.md";
/// The now of the second run.
const LATER: i64 = NOW + 30 * 86_400;

/// All of them, so that the bytes of a new one are pinned too.
fn formats() -> String {
    Format::ALL.iter().map(|format| format.as_str()).collect::<Vec<_>>().join(",")
}

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", name].iter().collect()
}

/// What one scenario leaves, by the names of its files.
#[derive(Default)]
struct Outputs {
    files: BTreeMap<String, String>,
    /// Hashes that depend on the build: of the program, and of manifests, which have that hash in them.
    hashes: Vec<(String, &'static str)>,
}

impl Outputs {
    /// Of one command that reports into a folder.
    fn new(command: &str, ran: &CliOutput, env: &TestEnv, folder: &str) -> Self {
        let mut outputs = Self::default();
        outputs.ran(&format!("{command}.txt"), ran);
        outputs.reports(env, folder);
        outputs
    }

    fn ran(&mut self, name: &str, CliOutput { code, stdout, stderr }: &CliOutput) {
        let text = format!("== exit code: {code}\n== standard output:\n{stdout}== standard error:\n{stderr}");
        self.files.insert(name.to_owned(), text);
    }

    /// The step summary and all files of a folder but the database, whose bytes are SQLite's own.
    fn reports(&mut self, env: &TestEnv, folder: &str) {
        for (path, bytes) in env.files() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_report = path.starts_with(folder) && !name.starts_with("keysunset.db");
            if is_report || name == STEP_SUMMARY {
                let hash = format!("{:x}", Sha256::digest(&bytes));
                // Of a file that is not text, whether it changes.
                let mut text = String::from_utf8(bytes).unwrap_or_else(|_| format!("SHA-256 {hash}\n"));
                if name == "report.html" {
                    // Else every change of style or script would be in every snapshot.
                    self.hashes.push((hash, "(SHA-256 of report.html)"));
                    text = crate::html::without_style_and_script(&text);
                }
                self.files.insert(name.to_owned(), text);
            }
        }
        let manifest = &self.files["manifest.json"];
        let program = serde_json::from_str::<Value>(manifest).unwrap()["tool"]["binary_sha256"].clone();
        self.hashes.push((program.as_str().unwrap().to_owned(), "(SHA-256 of the program)"));
        self.hashes.push((format!("{:x}", Sha256::digest(manifest)), "(SHA-256 of a manifest)"));
    }

    fn compare(mut self, scenario: &str) {
        for text in self.files.values_mut() {
            *text =
                self.hashes.iter().fold(std::mem::take(text), |text, (hash, name)| text.replace(hash, name));
        }
        // So that one run shows all differences; each assertion prints its own.
        let differ =
            self.files.iter().filter(|(name, text)| catch_unwind(|| snapshot(scenario, name, text)).is_err());
        let differ: Vec<_> = differ.map(|(name, _)| name).collect();
        let stale = self.stale(scenario);
        assert!(
            differ.is_empty() && stale.is_empty(),
            "tests/golden/{scenario}: changed: {differ:?}, not written any more: {stale:?}\n\
             If that is intended: INSTA_UPDATE=always cargo test --test it -- golden::"
        );
    }

    /// Snapshots of files that the scenario does not write; deleted where snapshots are updated.
    fn stale(&self, scenario: &str) -> Vec<PathBuf> {
        let there = std::fs::read_dir(golden(scenario)).unwrap().map(|entry| entry.unwrap().path());
        let mut stale: Vec<_> = there
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.strip_suffix(".snap").is_some_and(|name| !self.files.contains_key(name))
            })
            .collect();
        if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
            stale.drain(..).for_each(|path| std::fs::remove_file(path).unwrap());
        }
        stale
    }
}

/// Compares a file with its snapshot, byte for byte: insta ignores empty lines at both ends and carriage returns.
fn snapshot(scenario: &str, name: &str, text: &str) {
    let text = format!("== {name}\n{}== end", text.replace('\r', "␍"));
    with_settings!({
        snapshot_path => golden(scenario),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { assert_snapshot!(name, text) });
}

/// Names and descriptions that are hard on some format.
fn world() -> Options {
    Options { world: Some(golden("input/world.json")), ..Options::default() }
}

/// The environment in which this sandbox answers as [`URL`].
fn asking(env: TestEnv, sandbox: &Sandbox) -> TestEnv {
    let announced = sandbox.announcement();
    env.with("http_proxy", announced.url.strip_suffix("/api/public/v1.0").unwrap())
        .with("KEYSUNSET_PUBLIC_KEY", &announced.public_key)
        .with("KEYSUNSET_PRIVATE_KEY", &announced.private_key)
}

fn env() -> TestEnv {
    let env = TestEnv::empty().with("GITHUB_STEP_SUMMARY", STEP_SUMMARY);
    env.put("waivers.toml", std::fs::read(golden("input/waivers.toml")).unwrap());
    env
}

#[test]
fn a_complete_run() {
    let sandbox = sandbox(world());
    let env = asking(env(), &sandbox);
    let run =
        ["--all-orgs", "--name", "Köln <1>, \"A&B\"", "--waivers", "waivers.toml", "--format", &formats()];
    Outputs::new("audit", &env.audit_at(URL, &run), &env, "reports").compare("complete");
    let again = ["report", "--store", "reports/keysunset.db", "--waivers", "waivers.toml"];
    has_sections_of_the_template(&env, &again, &env.markdown());
}

#[test]
fn an_incomplete_run() {
    // With this seed every kind of failure strikes, and of the three organizations' lists one is refused and one ends early.
    let faults = "403@12%:keys 429@10%:keys total@15%:keys html@10%:keys 500@12%:keys 404@12%:keys \
                  total@40%:users 403@30%:users";
    let faults = faults.split_whitespace().map(|fault| fault.parse().unwrap()).collect();
    let sandbox = sandbox(Options { users: 12, seed: 52, faults, ..Options::default() });
    let env = asking(env(), &sandbox);
    let named = sandbox.ground_truth().map(|user| user.id).nth(5).unwrap();
    env.put("list.txt", format!("# three users\n{named}\nffffffffffffffffffffffff\nnobody@example.com\n"));
    let run = ["--users", "list.txt", "--all-orgs", "--name", "west", "--format", &formats()];
    Outputs::new("audit", &env.audit_at(URL, &run), &env, "reports").compare("incomplete");
    has_sections_of_the_template(&env, &["report", "--store", "reports/keysunset.db"], &env.markdown());
}

#[test]
fn two_deployments_merged() {
    let (east, west) = (sandbox(world()), ops_manager(3));
    let env = asking(env(), &east);
    env.put("list.txt", ["001", "003", "005"].map(|user| format!("5af9a1d29cc0cdb6ac0bf{user}\n")).concat());
    let run = ["--users", "list.txt", "--name", "east", "--format", "csv", "--out", "east"];
    assert_eq!(env.audit_at(URL, &run).code, 1);
    let env = asking(env, &west);
    let run = ["--all-orgs", "--name", "west", "--cutoff", "2019-01-01", "--format", "csv", "--out", "west"];
    assert_eq!(env.audit_at(URL, &run).code, 1);
    let merge =
        ["merge", "west", "east", "--waivers", "waivers.toml", "--out", "both", "--format", &formats()];
    Outputs::new("merge", &env.run(&merge), &env, "both").compare("merged");
    let page = env.text("both/migration-report.md");
    has_sections_of_the_template(&env, &["merge", "west", "east", "--waivers", "waivers.toml"], &page);
}

/// The world a month later: a key was used again, one is gone, one is disabled, one is new, and a user left.
fn later() -> Value {
    let mut world: Value =
        serde_json::from_slice(&std::fs::read(golden("input/world.json")).unwrap()).unwrap();
    let users = world["users"].as_array_mut().unwrap();
    users.pop();
    users[0]["keys"][0]["lastUsed"] = json!("2025-01-20T00:00:00Z");
    users[0]["keys"][0]["usedCount"] = json!(9);
    let mut key = users[1]["keys"].as_array_mut().unwrap().pop().unwrap();
    key["id"] = json!("5af9a1d29cc0cdb6acd000ff");
    users[2]["keys"] = json!([key]);
    users[3]["keys"][0]["enabled"] = json!(false);
    world
}

#[test]
fn a_second_run_and_what_is_asked_of_both() {
    let before = sandbox(world());
    let env = asking(env(), &before);
    let audit = ["--all-orgs", "--waivers", "waivers.toml", "--ratchet", "--format", &formats()];
    let mut outputs = Outputs::new("audit-first", &env.audit_at(URL, &audit), &env, "reports");
    env.put("later.json", later().to_string());
    let after = sandbox(Options { world: Some(env.path("later.json")), clock: Some(at(LATER)), ..world() });
    let env = asking(env, &after).with("SOURCE_DATE_EPOCH", &LATER.to_string());
    outputs.ran("audit.txt", &env.audit_at(URL, &audit));
    outputs.reports(&env, "reports");
    // The manifest has the hashes of the others, which differ little from those of the complete run.
    let shown = ["audit-first.txt", "audit.txt", "manifest.json", "migration-report.md"];
    outputs.files.retain(|name, _| shown.contains(&name.as_str()));
    let commands = "history, history --format json, history --format markdown, diff, diff --format json, \
        diff --format markdown, explain 5af9a1d29cc0cdb6acd00001, explain 5af9a1d29cc0cdb6acd00005 --waivers waivers.toml, \
        explain ffffffffffffffffffffffff, export, verify, verify --json, prune --keep 1 --dry-run";
    for command in commands.split(", ") {
        let name = command.replace(" --", "-").replace(' ', "-") + ".txt";
        outputs.ran(&name, &env.run(&command.split(' ').collect::<Vec<_>>()));
    }
    outputs.compare("second");
}

#[test]
fn saved_answers() {
    let env = env();
    for entry in std::fs::read_dir(golden("input/answers")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        env.put(&format!("answers/{name}"), std::fs::read(&path).unwrap());
    }
    Outputs::new("import", &env.run(&["import", "answers", "--format", &formats()]), &env, "reports")
        .compare("import");
}

#[test]
fn help() {
    let (env, mut outputs) = (TestEnv::empty(), Outputs::default());
    let pages = env.run(&["--help"]);
    let commands = pages.stdout.lines().skip_while(|line| *line != "Commands:").skip(1);
    // A description that wraps goes on further right.
    let commands = commands.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
    let commands: Vec<_> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 10, "the commands are not found in:\n{}", pages.stdout);
    for (flag, suffix) in [("-h", "-h"), ("--help", "-help")] {
        outputs.ran(&format!("keysunset{suffix}.txt"), &env.run(&[flag]));
        for command in &commands {
            let arguments: &[_] = if *command == "help" { &["help", "help"] } else { &[command, flag] };
            outputs.ran(&format!("{command}{suffix}.txt"), &env.run(arguments));
        }
    }
    outputs.compare("help");
}
