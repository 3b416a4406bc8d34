//! The scripts of a migration plan: `templates/plan` rendered for one owner, and run by bash, curl and jq against a sandbox.

mod accounts;
mod context;
mod create;
mod hostile;
mod journal;
mod old_keys;
mod secrecy;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;

use keysunset_sandbox::{Options, Product, Sandbox};
use serde_json::{Value, json};

use self::context::{ADMIN, OWNER, context, render, world};
use crate::foreign::{program, skipped};
use crate::support::{CliOutput, TestEnv, sandbox};

/// The file of the scripts' owner, without its extension.
const NAME: &str = "07-owner";

/// A deployment, and the scripts of one owner in a folder of their own.
struct Migration {
    sandbox: Sandbox,
    env: TestEnv,
    context: Value,
}

impl Migration {
    /// `None`, having said so, where a program is missing.
    fn new() -> Option<Self> {
        Self::with(|_| (), |_| (), |_| ())
    }

    /// With changes of the sandbox's options, of its world and of the context.
    fn with(
        options: impl FnOnce(&mut Options),
        change_world: impl FnOnce(&mut Value),
        change: impl FnOnce(&mut Value),
    ) -> Option<Self> {
        for name in ["bash", "curl", "jq"] {
            if !Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()) {
                skipped(name);
                return None;
            }
        }
        let env = TestEnv::of((ADMIN.0.to_owned(), ADMIN.1.to_owned()));
        let mut world = world();
        change_world(&mut world);
        env.put("world.json", world.to_string());
        let mut started = Options { world: Some(env.path("world.json")), ..Options::default() };
        options(&mut started);
        let sandbox = sandbox(started);
        let mut context = context(&sandbox.announcement().url);
        change(&mut context);
        let path = format!("{}:{}", env.path("bin").display(), std::env::var("PATH").unwrap());
        let secrets = env.path("secrets").display().to_string();
        let env = env.with("PATH", &path).with("KEYSUNSET_SECRETS", &secrets);
        let migration = Self { sandbox, env, context };
        migration.write();
        Some(migration)
    }

    /// The same on Atlas, where an owner of this organization administers.
    fn atlas(org: &str, change: impl FnOnce(&mut Value)) -> Option<Self> {
        let product = |options: &mut Options| options.product = Product::Atlas;
        let change_world = |world: &mut Value| {
            let key = &mut world["programmaticKeys"][0];
            key["roles"] = json!([{ "orgId": org, "roleName": "ORG_OWNER" }]);
            key["accessList"] = json!([{ "cidrBlock": "127.0.0.1/32", "created": "2020-01-01T00:00:00Z" }]);
        };
        let change = |context: &mut Value| {
            context["deployment"]["product"] = "atlas".into();
            context["deployment"]["access_list"] = "accessList".into();
            change(context);
        };
        Self::with(product, change_world, change)
    }

    /// Writes the scripts of the context.
    fn write(&self) {
        self.env.put("plan/lib.sh", template("lib.sh"));
        self.env.put(&format!("plan/{NAME}.sh"), render(&self.context));
    }

    /// Writes the scripts of a changed context.
    fn plan_again(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.context);
        self.write();
    }

    fn set(self, variable: &str, value: &str) -> Self {
        Self { env: self.env.with(variable, value), ..self }
    }

    fn run(&self, arguments: &[&str]) -> CliOutput {
        self.bash(&[&[script().as_str()], arguments].concat(), &[])
    }

    /// Runs it with the credential of somebody else.
    fn run_as(&self, (public, private): (&str, &str), arguments: &[&str]) -> CliOutput {
        let variables = [("KEYSUNSET_PUBLIC_KEY", public), ("KEYSUNSET_PRIVATE_KEY", private)];
        self.bash(&[&[script().as_str()], arguments].concat(), &variables)
    }

    fn bash(&self, arguments: &[&str], variables: &[(&str, &str)]) -> CliOutput {
        let mut command = Command::new("bash");
        let command = self.env.place(command.args(arguments)).envs(variables.iter().copied());
        CliOutput::of(
            command
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    /// Runs it and expects that it ends so.
    #[track_caller]
    fn ends(&self, code: i32, arguments: &[&str]) -> CliOutput {
        let output = self.run(arguments);
        assert_eq!(output.code, code, "{arguments:?}: {output:#?}");
        output
    }

    /// Puts a program in front of the real one of this name. `$REAL` is the path of that.
    fn put_in_front(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let real = find(name).unwrap_or_default();
        let text = format!("#!/bin/bash\nREAL={}\n{body}\n", real.display());
        let file = format!("bin/{name}");
        self.env.put(&file, text);
        std::fs::set_permissions(self.env.path(&file), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn take_away(&self, name: &str) {
        std::fs::remove_file(self.env.path(&format!("bin/{name}"))).unwrap();
    }

    /// What the service answers to the administrator.
    fn api(&self, method: &str, path: &str, body: &str) -> Value {
        self.api_as(ADMIN, method, path, body)
    }

    fn api_as(&self, (public, private): (&str, &str), method: &str, path: &str, body: &str) -> Value {
        let url = format!("{}{path}", self.sandbox.announcement().url);
        let user = format!("{public}:{private}");
        let mut curl = Command::new("curl");
        curl.args(["-q", "-s", "--digest", "--user", &user, "--request", method, &url]);
        if !body.is_empty() {
            curl.args(["--header", "Content-Type: application/json", "--data", body]);
        }
        let output = curl.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Keys of an organization whose description begins with the tag.
    fn tagged(&self, path: &str, tag: &str) -> Vec<Value> {
        let list = self.api("GET", path, "");
        let has_tag = |key: &&Value| key["desc"].as_str().unwrap().split(' ').next() == Some(tag);
        list["results"].as_array().unwrap().iter().filter(has_tag).cloned().collect()
    }

    /// Whether a personal key of the owner is enabled.
    fn is_enabled(&self, key: &str) -> bool {
        self.api("GET", &format!("/users/{OWNER}/keys/{key}"), "")["enabled"].as_bool().unwrap()
    }

    fn set_enabled(&self, key: &str, enabled: bool) {
        let body = json!({ "enabled": enabled }).to_string();
        self.api("PATCH", &format!("/users/{OWNER}/keys/{key}"), &body);
    }

    /// Requests so far that were not challenges.
    fn requests(&self) -> u64 {
        self.sandbox.counts().exchanges
    }

    /// The lines of the journal.
    fn journal(&self) -> Vec<Value> {
        let text = self.env.text(&format!("plan/{NAME}.done"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn stages(&self) -> Vec<String> {
        self.journal().iter().map(|line| line["stage"].as_str().unwrap().to_owned()).collect()
    }

    /// The file of a new private key.
    fn secret(&self, org: &str) -> Value {
        serde_json::from_slice(&self.env.bytes(&secret_file(org))).unwrap()
    }
}

fn script() -> String {
    format!("plan/{NAME}.sh")
}

fn secret_file(org: &str) -> String {
    format!("secrets/{OWNER}-{org}.json")
}

/// A file of `templates/plan`.
fn template(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/plan");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The path of a program.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Roles of a key, `scope role`, sorted.
fn roles(key: &Value) -> Vec<String> {
    let scope = |role: &Value| role["groupId"].as_str().or(role["orgId"].as_str()).unwrap_or("-").to_owned();
    let mut roles: Vec<_> = key["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| format!("{} {}", scope(role), role["roleName"].as_str().unwrap()))
        .collect();
    roles.sort();
    roles
}

fn shellcheck(folder: &Path, files: &[&str]) {
    let mut command = Command::new(program("KEYSUNSET_SHELLCHECK", "shellcheck"));
    // Functions of the library end the script, or handle each failure, so the three that are left out do not apply.
    let options =
        ["--severity=style", "--enable=all", "--exclude=SC2310,SC2311,SC2312", "--external-sources"];
    let Ok(output) = command.current_dir(folder).args(options).args(files).output() else {
        return skipped("shellcheck");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
