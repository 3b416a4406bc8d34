//! The closed loop: audit, plan, the plan's own scripts with bash, first as an administrator and then as the owners, and
//! audits again. What is expected comes from the world and the contract; faults planted in a plan show that it is checked.

mod checks;
pub(crate) mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use keysunset_sandbox::{Options, Sandbox};
use serde_json::Value;

use self::checks::{leaks, wrong_decisions, wrong_grants, wrong_roles};
use self::world::{ADMIN, BOB, EAST, KEYS, OWNERS, Owner, ROOT, WEST};
use crate::evidence::has;
use crate::support::{CliOutput, Row, TestEnv, rows, sandbox};

/// Public and private part.
type Credential = (String, String);

fn admin() -> Credential {
    (ADMIN.0.to_owned(), ADMIN.1.to_owned())
}

/// The deployment, the folder of the person who carries the plan out, and what that person saw.
struct Loop {
    sandbox: Sandbox,
    env: TestEnv,
    path: String,
    printed: RefCell<String>,
}

impl Loop {
    /// `None` where a program is missing.
    fn start(world: &Value) -> Option<Self> {
        if !["bash", "curl", "jq"].iter().all(|program| has(program, &["--version"])) {
            return None;
        }
        let env = TestEnv::empty().with("KEYSUNSET_SECRETS", "secrets");
        env.put("world/world.json", world.to_string());
        env.put("waivers.toml", world::waivers(&["waived"]));
        // Every argument of curl is recorded.
        let real = "exec \"$(PATH=${PATH#*:} command -v curl)\" \"$@\"";
        env.put("bin/curl", format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> \"$HOME/record\"\n{real}\n"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(env.path("bin/curl"), executable).unwrap();
        }
        let path = format!("{}:{}", env.path("bin").display(), std::env::var("PATH").unwrap());
        let sandbox = sandbox(Options { world: Some(env.path("world/world.json")), ..Options::default() });
        Some(Self { sandbox, env, path, printed: RefCell::default() })
    }

    fn start_command(&self, command: &mut Command, (public, private): &Credential) -> std::process::Child {
        let variables =
            [("KEYSUNSET_PUBLIC_KEY", public), ("KEYSUNSET_PRIVATE_KEY", private), ("PATH", &self.path)];
        let command = self.env.place(command).envs(variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn ended(&self, child: std::process::Child) -> CliOutput {
        let output = CliOutput::of(child);
        self.printed.borrow_mut().extend([output.stdout.as_str(), output.stderr.as_str()]);
        output
    }

    fn keysunset(&self, credential: &Credential, arguments: &[&str]) -> CliOutput {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keysunset"));
        self.ended(self.start_command(command.args(arguments), credential))
    }

    /// Audits with this credential and the root of the host; the exit code.
    fn audit(&self, credential: &Credential, fail_on: &str) -> i32 {
        let url = self.sandbox.announcement().url.split("/api/").next().unwrap();
        let ran = self.keysunset(
            credential,
            &[
                "audit",
                "--url",
                url,
                "--name",
                "om",
                "--all-orgs",
                "--waivers",
                "waivers.toml",
                "--fail-on",
                fail_on,
            ],
        );
        ran.code
    }

    /// Plans the newest run: the rows of `plan.csv`.
    fn plan(&self, out: &str) -> Vec<Row> {
        let ran = self.keysunset(
            &admin(),
            &[
                "plan",
                "--verify-days",
                "0",
                "--waivers",
                "waivers.toml",
                "--store",
                "reports/keysunset.db",
                "--out",
                out,
            ],
        );
        assert_eq!(ran.code, 0, "{ran:?}");
        rows(&self.env.bytes(&format!("{out}/plan.csv")))
    }

    fn audit_and_plan(&self, credential: &Credential) -> Vec<Row> {
        assert_eq!(self.audit(credential, "never"), 0);
        let rows = self.plan("reports");
        assert_eq!(wrong_roles(&self.document()), [""; 0]);
        rows
    }

    fn document(&self) -> Value {
        serde_json::from_slice(&self.env.bytes("reports/plan.json")).unwrap()
    }

    /// Runs a stage of some scripts at the same time, each with its credential.
    fn stage<'a>(
        &self,
        scripts: impl IntoIterator<Item = (&'a String, Credential)>,
        arguments: &[&str],
    ) -> Vec<CliOutput> {
        let start = |(script, credential): (&String, Credential)| {
            let mut bash = Command::new("bash");
            self.start_command(bash.arg(format!("reports/{script}")).args(arguments), &credential)
        };
        let running: Vec<_> = scripts.into_iter().map(start).collect();
        running.into_iter().map(|child| self.ended(child)).collect()
    }

    /// Runs a stage of all scripts, which ends well.
    #[track_caller]
    fn succeeds(&self, scripts: &BTreeMap<String, String>, credential: &Credential, stage: &str) {
        let outputs = self.stage(scripts.values().map(|it| (it, credential.clone())), &[stage]);
        assert!(outputs.iter().all(|output| output.code == 0), "{stage}: {outputs:#?}");
    }

    /// What the service answers to this user and password.
    fn get_as(&self, (user, password): (&str, &str), path: &str) -> Value {
        let url = format!("{}{path}", self.sandbox.announcement().url);
        let mut curl = Command::new("curl");
        let output = curl.args(["-qs", "--digest", "--user", &format!("{user}:{password}"), &url]).output();
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    }

    fn results(&self, path: &str) -> Vec<Value> {
        self.get_as(ADMIN, path)["results"].as_array().unwrap().clone()
    }

    /// The personal keys that are there, by id.
    fn keys(&self) -> BTreeMap<String, Value> {
        let of_owner = |owner: Owner| self.results(&format!("/users/{}/keys", owner.id));
        let keys = OWNERS.into_iter().flat_map(of_owner);
        keys.map(|key| (key["id"].as_str().unwrap().to_owned(), key)).collect()
    }

    /// The ids of enabled personal keys.
    fn enabled(&self) -> BTreeSet<String> {
        self.keys().into_iter().filter(|(_, key)| key["enabled"] == true).map(|(id, _)| id).collect()
    }

    /// The programmatic keys that the scripts made, each with its organization; none for the whole deployment.
    fn replacements(&self) -> Vec<(&'static str, Value)> {
        let paths = [EAST, WEST].map(|org| (org, format!("/orgs/{org}/apiKeys")));
        let paths = paths.into_iter().chain([("", "/admin/apiKeys".to_owned())]);
        let mut found = Vec::new();
        for (org, path) in paths {
            let is_ours = |key: &Value| key["desc"].as_str().unwrap().starts_with("keysunset:");
            found.extend(self.results(&path).into_iter().filter(is_ours).map(|key| (org, key)));
        }
        found
    }

    /// The credential that a script stored for this owner.
    fn stored(&self, owner: Owner, org: &str) -> Credential {
        let file = self.env.bytes(&format!("secrets/{}-{org}.json", owner.id));
        let stored: Value = serde_json::from_slice(&file).unwrap();
        let text = |field: &str| stored[field].as_str().unwrap().to_owned();
        (text("publicKey"), text("privateKey"))
    }

    /// No secret was printed, was an argument, or is in a file but its own, which only its owner can read.
    fn leaks(&self) -> Vec<String> {
        let mut secrets: BTreeMap<String, String> =
            world::secrets().into_iter().map(|secret| (secret, String::new())).collect();
        let files = self.env.files();
        for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("secrets")) {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let file = self.env.path(path.to_str().unwrap()).metadata().unwrap();
                assert_eq!(file.permissions().mode() & 0o777, 0o600, "{}", path.display());
            }
            let stored: Value = serde_json::from_slice(bytes).unwrap();
            secrets.insert(stored["privateKey"].as_str().unwrap().to_owned(), path.display().to_string());
        }
        let files = files.iter().filter(|(path, _)| !path.starts_with("world"));
        let texts = files
            .map(|(path, bytes)| (path.display().to_string(), String::from_utf8_lossy(bytes).into_owned()));
        leaks(texts.chain([("the terminal".to_owned(), self.printed.borrow().clone())]), &secrets)
    }
}

/// Scripts by the id of their owner.
fn scripts(rows: &[Row]) -> BTreeMap<String, String> {
    rows.iter().map(|row| (row["owner_id"].clone(), row["script"].clone())).collect()
}

fn ids(decisions: &[&str]) -> BTreeSet<String> {
    let keys = KEYS.iter().filter(|key| decisions.contains(&key.decision));
    keys.map(|key| key.id.to_owned()).collect()
}

#[test]
fn an_audit_a_plan_and_its_scripts_close_the_loop() {
    let Some(it) = Loop::start(&world::world()) else { return };
    // The audit itself still uses a personal key.
    let root = (ROOT.name.to_owned(), KEYS[0].secret());
    let first = it.audit_and_plan(&root);
    assert_eq!(wrong_decisions(&first, &world::decisions()), [""; 0]);
    let scripts = scripts(&first);
    assert_eq!(scripts.len(), OWNERS.len());
    let before = it.keys();
    created_once(&it, &scripts, &root);

    // From here on with the new key of the audit: its old one is a key as others.
    let root = it.stored(ROOT, "global");
    let expected: BTreeMap<_, _> = world::decisions()
        .into_iter()
        .map(|(key, decision)| (key, if decision == "self" { "replace" } else { decision }))
        .collect();
    let second = it.audit_and_plan(&root);
    assert_eq!(wrong_decisions(&second, &expected), [""; 0]);
    assert_eq!(self::scripts(&second), scripts, "a script keeps its name");
    it.succeeds(&scripts, &root, "check");

    // A client that was forgotten.
    it.get_as((BOB.name, &KEYS[1].secret()), &format!("/users/{}/keys", BOB.id));
    let bob = [(&scripts[BOB.id], root.clone())];
    for stage in ["verify", "disable"] {
        let stopped = it.stage(bob.clone(), &[stage]).remove(0);
        assert_eq!((stopped.code, stopped.stderr.contains(KEYS[1].id)), (1, true), "{stage}: {stopped:#?}");
    }
    assert_eq!(it.enabled(), ids(&["self", "replace", "retire", "ask", "waived"]));

    it.audit_and_plan(&root);
    it.succeeds(&scripts, &root, "disable");
    assert_eq!(it.enabled(), ids(&["ask", "waived"]));
    // What is enabled again is exactly what was disabled.
    for (stage, expected) in [("rollback", true), ("disable", false)] {
        assert_eq!(it.stage(bob.clone(), &[stage])[0].code, 0);
        let of_bob = KEYS[1..=2].iter().map(|key| key.id.to_owned()).filter(|_| expected);
        assert_eq!(it.enabled(), &ids(&["ask", "waived"]) | &of_bob.collect());
    }
    deleted_by_owners(&it, &scripts);
    let asked = KEYS.iter().find(|key| key.decision == "ask").unwrap();
    assert_eq!(it.keys()[asked.id], before[asked.id], "untouched");

    // A person decided to accept the other one for a while.
    it.env.put("waivers.toml", world::waivers(&["ask", "waived"]));
    assert_eq!(it.audit(&root, "any"), 0);
    assert_eq!(it.leaks(), [""; 0]);
    assert!(!it.env.path("pwned").exists() && !it.env.path("reports/plan/pwned").exists());
}

/// Without a stage nothing is sent; `create` makes what the world demands, and a second time nothing.
fn created_once(it: &Loop, scripts: &BTreeMap<String, String>, root: &Credential) {
    let requests = it.sandbox.counts().exchanges;
    it.succeeds(scripts, root, "--help");
    assert_eq!(it.stage([(&scripts[BOB.id], root.clone())], &[])[0].code, 0);
    assert_eq!(it.sandbox.counts().exchanges, requests);
    assert!(it.replacements().is_empty());
    it.succeeds(scripts, root, "create");
    let made = it.replacements();
    assert_eq!(wrong_grants(&made), [""; 0]);
    it.succeeds(scripts, root, "create");
    assert_eq!(it.replacements(), made);
}

/// An administrator cannot delete a key, and its owner can.
fn deleted_by_owners(it: &Loop, scripts: &BTreeMap<String, String>) {
    let outputs = it.stage([(&scripts[BOB.id], admin())], &["delete"]);
    assert_eq!(outputs[0].code, 1, "{outputs:#?}");
    let as_owner = OWNERS.map(|owner| {
        let (public, private) = owner.credential();
        (&scripts[owner.id], (public.to_owned(), private))
    });
    let outputs = it.stage(as_owner, &["delete"]);
    assert!(outputs.iter().all(|output| output.code == 0), "{outputs:#?}");
    assert_eq!(it.keys().into_keys().collect::<BTreeSet<_>>(), ids(&["ask", "waived"]));
}

/// The checks of the loop find what is planted: more roles, a key that is missing, a secret on the terminal.
#[test]
fn a_fault_planted_in_a_plan_is_found() {
    let Some(it) = Loop::start(&world::world()) else { return };
    let rows = it.audit_and_plan(&admin());
    let of = |id: &str| rows.iter().position(|row| row["key_id"] == id).unwrap();
    let missing = rows.iter().filter(|row| row["key_id"] != KEYS[1].id).cloned().collect::<Vec<_>>();
    assert_eq!(wrong_decisions(&missing, &world::decisions()).len(), 2, "with `self`, which is none here");
    let mut changed = rows.clone();
    changed[of(KEYS[8].id)].insert("decision".to_owned(), "retire".to_owned());
    assert_eq!(wrong_decisions(&changed, &world::decisions()).len(), 2);
    let mut document = it.document();
    for owner in document["owners"].as_array_mut().unwrap() {
        if owner["owner_id"] == world::CARL.id {
            owner["replacements"][0]["roles"][0]["role"] = "ORG_OWNER".into();
        }
    }
    assert_eq!(wrong_roles(&document).len(), 1);

    let script = format!("reports/{}", scripts(&rows)[world::CARL.id]);
    let text = it.env.text(&script);
    it.env.put(&script, text.replace("'ORG_MEMBER'", "'ORG_OWNER'"));
    let library = it.env.text("reports/plan/lib.sh");
    let leaking = library.replace(
        "  NEW_ID=$(pick \"${ANSWER}\" .id)\n",
        "  NEW_ID=$(pick \"${ANSWER}\" .id)\n  say \"${ANSWER}\"\n",
    );
    assert_ne!(library, leaking);
    it.env.put("reports/plan/lib.sh", leaking);
    let outputs = it.stage([(&scripts(&rows)[world::CARL.id], admin())], &["create"]);
    assert_eq!(outputs[0].code, 0, "{outputs:#?}");
    let problems = wrong_grants(&it.replacements());
    assert!(problems.iter().any(|it| it.contains("ORG_OWNER")), "{problems:#?}");
    assert!(problems.iter().any(|it| it.contains("no key of")), "the others were not made: {problems:#?}");
    assert_eq!(it.leaks().len(), 1, "{:#?}", it.leaks());
}

/// The order of answers, and whether it is the first plan, change no byte.
#[test]
fn the_same_deployment_gives_the_same_plan() {
    let plans = [world::world(), world::reversed(world::world())].map(|world| {
        let it = Loop::start(&world)?;
        it.audit_and_plan(&admin());
        let files = |folder: &str| -> BTreeMap<String, String> {
            let origin = it.sandbox.announcement().url.split("/api/").next().unwrap();
            let files = it.env.files().into_iter().filter_map(|(path, bytes)| {
                let name = path.strip_prefix(folder).ok()?.to_str()?.to_owned();
                let text = String::from_utf8(bytes).ok()?;
                (name.starts_with("plan") || name.starts_with("letters"))
                    .then(|| (name, text.replace(origin, "URL")))
            });
            files.collect()
        };
        let first = files("reports");
        it.plan("again");
        assert_eq!(files("again"), first);
        it.plan("again");
        assert_eq!(files("again"), first);
        Some(first)
    });
    let [Some(one), Some(other)] = plans else { return };
    assert_eq!(one.len(), 3 + 1 + 2 * OWNERS.len(), "{:?}", one.keys());
    assert_eq!(one, other);
}
