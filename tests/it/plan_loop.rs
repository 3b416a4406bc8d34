//! The closed loop: audit, plan, the plan's own scripts with bash, and an audit again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use keysunset_sandbox::{Options, Sandbox};
use serde_json::Value;

use crate::evidence::has;
use crate::support::{CliOutput, Row, TestEnv, count, rows, sandbox};

fn audited(sandbox: &Sandbox, env: &TestEnv) -> Vec<Row> {
    let ran = env.audit(sandbox, &["--all-orgs", "--fail-on", "never"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = env.run(&["plan", "--verify-days", "0"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    rows(&env.bytes("reports/plan.csv"))
}

/// Runs a stage of every script that can do something in it.
fn stage(env: &TestEnv, scripts: &BTreeSet<String>, arguments: &[&str]) -> Vec<CliOutput> {
    let run = |script: &String| {
        let mut bash = Command::new("bash");
        CliOutput::of(
            env.start(bash.arg(format!("reports/{script}")).args(arguments).env("PATH", "/usr/bin:/bin")),
        )
    };
    scripts.iter().map(run).collect()
}

fn succeeded(outputs: &[CliOutput]) {
    assert!(outputs.iter().all(|output| output.code == 0), "{outputs:#?}");
}

/// Programmatic keys of the plan, as the run has them, by (organization, tag).
fn replacements(env: &TestEnv) -> BTreeMap<(String, String), Vec<String>> {
    let document: Value = serde_json::from_str(&env.text("reports/plan.json")).unwrap();
    let owners = document["owners"].as_array().unwrap().iter();
    let all = owners.flat_map(|owner| owner["replacements"].as_array().unwrap());
    all.map(|one| {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let roles =
            one["roles"].as_array().unwrap().iter().map(|role| role["role"].as_str().unwrap().to_owned());
        assert!(one["existing_key_id"].is_string() || one["needs_decision"] == true, "{one}");
        ((text("org_id"), text("tag")), roles.collect())
    })
    .collect()
}

#[test]
fn an_audit_a_plan_and_its_scripts_close_the_loop() {
    if !["bash", "curl", "jq"].iter().all(|program| has(program, &["--version"])) {
        return;
    }
    let sandbox = sandbox(Options { users: 12, seed: 5, clock: None, ..Options::default() });
    let env = TestEnv::at(&sandbox).with("KEYSUNSET_SECRETS", "secrets");
    let plan = audited(&sandbox, &env);
    let of = |decision: &str| -> Vec<&Row> {
        plan.iter().filter(|row| row["decision"] == decision && !row["key_id"].is_empty()).collect()
    };
    assert!(!of("replace").is_empty() && !of("retire").is_empty(), "{plan:?}");
    let scripts: BTreeSet<_> =
        plan.iter().map(|row| row["script"].clone()).filter(|it| !it.is_empty()).collect();
    let before = sandbox.counts().exchanges;
    succeeded(&stage(&env, &scripts, &[]));
    assert_eq!(sandbox.counts().exchanges, before, "without a stage nothing is sent");

    succeeded(&stage(&env, &scripts, &["create"]));
    let secrets = |env: &TestEnv| -> BTreeSet<PathBuf> {
        env.files().into_keys().filter(|path| path.starts_with("secrets")).collect()
    };
    let made = secrets(&env);
    assert!(!made.is_empty());
    succeeded(&stage(&env, &scripts, &["create"]));
    assert_eq!(secrets(&env), made, "a second time nothing is made");
    succeeded(&stage(&env, &scripts, &["check"]));
    succeeded(&stage(&env, &scripts, &["disable"]));

    // Each private key is in its own file, for its owner alone, and nowhere else.
    for path in &made {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let file = env.path(path.to_str().unwrap()).metadata().unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
        let secret: Value = serde_json::from_slice(&env.files()[path]).unwrap();
        let private = secret["privateKey"].as_str().unwrap();
        let elsewhere = env.files().into_iter().filter(|(other, _)| other != path);
        for (other, bytes) in elsewhere {
            assert!(!String::from_utf8_lossy(&bytes).contains(private), "{}", other.display());
        }
    }

    let names: BTreeMap<_, _> =
        plan.iter().map(|row| (row["owner_id"].clone(), row["script"].clone())).collect();
    let again = audited(&sandbox, &env);
    let audited = env.rows();
    for row in of("replace").into_iter().chain(of("retire")) {
        let now = audited.iter().find(|it| it["key_id"] == row["key_id"]).unwrap();
        assert_eq!(now["enabled"], "false", "{row:?}");
    }
    for row in of("ask").into_iter().chain(of("delete-only")) {
        let now = audited.iter().find(|it| it["key_id"] == row["key_id"]).unwrap();
        let was = row["decision"] == "ask";
        assert_eq!(now["enabled"], was.to_string(), "{row:?}");
    }
    assert_eq!(count(&again, "decision", "retire"), 0, "{again:?}");
    for row in &again {
        assert_eq!(row["script"], names[&row["owner_id"]], "a script keeps its name");
    }
    // What is enabled again is exactly what was disabled.
    succeeded(&stage(&env, &scripts, &["rollback"]));
    let rolled_back = self::audited(&sandbox, &env);
    let enabled = |rows: &[Row]| -> BTreeSet<String> {
        let keys = rows.iter().filter(|row| matches!(&*row["decision"], "replace" | "retire" | "ask"));
        keys.map(|row| row["key_id"].clone()).filter(|id| !id.is_empty()).collect()
    };
    assert_eq!(enabled(&rolled_back), enabled(&plan));
    // One replacement an owner and organization, made once, with roles of the owner.
    let made = replacements(&env);
    assert!(!made.is_empty() && made.values().all(|roles| !roles.is_empty()), "{made:?}");
}
