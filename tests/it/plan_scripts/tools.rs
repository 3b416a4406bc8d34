//! `create` with mongocli and the Atlas CLI: the same keys as with curl, and curl where the tool does not work.

use std::num::NonZeroUsize;

use keysunset_sandbox::{Balancer, Options};
use serde_json::{Value, json};

use super::context::*;
use super::{Migration, roles, secret_file};

const KEYS: &str = "/orgs/5980cfdf0b6d97029d82f86e/apiKeys";
const STRICT_KEYS: &str = "/orgs/5b2a3c4d5e6f708192a3b4c5/apiKeys";

/// A plan for a tool, which is installed, with this change of the context.
fn with(
    tool: &str,
    options: impl FnOnce(&mut Options),
    change: impl FnOnce(&mut Value),
) -> Option<Migration> {
    let change = |context: &mut Value| {
        context["deployment"]["tool"] = tool.into();
        change(context);
    };
    let migration = Migration::with(options, |_| (), change)?;
    migration.install(tool);
    Some(migration)
}

impl Migration {
    fn install(&self, tool: &str) {
        self.put_in_front(tool, "");
        let path = self.env.path(&format!("bin/{tool}"));
        std::fs::write(&path, include_str!("vendor_cli.sh")).unwrap();
    }

    /// The commands so far, without the id of the new key.
    fn commands(&self) -> Vec<String> {
        let path = self.env.path("commands");
        let text = if path.exists() { self.env.text("commands") } else { String::new() };
        let id = self.env.path(&secret_file(ORG)).exists().then(|| self.secret(ORG)["id"].clone());
        let id = id.and_then(|id| id.as_str().map(str::to_owned)).unwrap_or_else(|| "NONE".to_owned());
        text.lines().map(|line| line.replace(&id, "KEY")).collect()
    }
}

/// The commands for the first replacement.
fn expected(prefix: &str) -> Vec<String> {
    vec![
        format!(
            "{prefix} organizations apiKeys create --orgId {ORG} --role ORG_MEMBER --desc {TAG} boris/ci --output json"
        ),
        format!(
            "{prefix} projects apiKeys assign KEY --projectId {PRODUCTION} \
            --role GROUP_READ_ONLY,GROUP_DATA_ACCESS_READ_ONLY --output json"
        ),
        format!(
            "{prefix} projects apiKeys assign KEY --projectId {STAGING} --role GROUP_OWNER --output json"
        ),
    ]
}

#[test]
fn mongocli_creates_and_assigns_and_its_private_key_goes_to_the_file_alone() {
    let Some(migration) = with("mongocli", |_| (), |_| ()) else { return };
    let dry = migration.ends(0, &["create", "--dry-run"]);
    assert!(
        dry.stdout.contains(&format!("mongocli 'iam' 'organizations' 'apiKeys' 'create' '--orgId' '{ORG}'")),
        "{dry:#?}"
    );
    assert_eq!((migration.commands(), migration.requests()), (vec![], 0));
    let first = migration.ends(0, &["create"]);
    assert_eq!(migration.commands(), expected("mongocli iam"));
    let again = migration.ends(0, &["create"]);
    assert_eq!(migration.commands().len(), 3, "a second time changes nothing");
    let [key] = &migration.tagged(KEYS, TAG)[..] else { panic!("not one key") };
    let secret = migration.secret(ORG);
    let private = secret["privateKey"].as_str().unwrap();
    let new = (secret["publicKey"].as_str().unwrap(), private);
    let own = migration.api_as(new, "GET", &format!("{KEYS}/{}", key["id"].as_str().unwrap()), "");
    assert_eq!(roles(&own), roles(key));
    migration.ends(0, &["check"]);
    // Nothing of it on a terminal, in an argument, or in another file.
    for text in [first.stdout, first.stderr, again.stdout, again.stderr] {
        assert!(!text.contains(private) && !text.contains(ADMIN.1), "{text}");
    }
    for (path, bytes) in migration.env.files() {
        let has = String::from_utf8_lossy(&bytes).contains(private);
        assert_eq!(has, path.to_str() == Some(&secret_file(ORG)), "{}", path.display());
    }
}

#[test]
fn mongocli_makes_access_lists_from_5_0_on() {
    let plan = |list: &'static str| {
        move |context: &mut Value| {
            context["deployment"]["access_list"] = list.into();
            let mut global = replacement("", "", GLOBAL_TAG, "GLOBAL_READ_ONLY", &json!([]));
            global["needs_decision"] = (list == "accessList").into();
            let strict = replacement(STRICT_ORG, "Strict", STRICT_TAG, "ORG_READ_ONLY", &json!([]));
            context["replacements"] = json!([strict, global]);
        }
    };
    for (version, list) in [("4.4.12", "whitelist"), ("5.0.3", "accessList")] {
        let version = |options: &mut Options| options.service_version = version.to_owned();
        let Some(migration) = with("mongocli", version, plan(list)) else { return };
        let migration =
            migration.set("KEYSUNSET_ADDRESSES", "203.0.113.7").set("KEYSUNSET_RUNNER_ADDRESS", "127.0.0.1");
        let output = migration.ends(0, &["create"]);
        let commands = migration.commands().join("\n");
        assert_eq!(commands.contains("accessLists create"), list == "accessList", "{output:#?} {commands}");
        assert_eq!(commands.contains("mongocli iam globalApiKeys create"), list == "whitelist", "{commands}");
        let key = migration.tagged(STRICT_KEYS, STRICT_TAG)[0]["id"].as_str().unwrap().to_owned();
        let entries = migration.api("GET", &format!("{STRICT_KEYS}/{key}/{list}"), "");
        let blocks: Vec<_> =
            entries["results"].as_array().unwrap().iter().map(|it| &it["cidrBlock"]).collect();
        assert_eq!(blocks, ["127.0.0.1/32", "203.0.113.7/32"]);
        migration.ends(0, &["check"]);
    }
}

#[test]
fn a_refusal_of_the_service_to_mongocli_has_its_status_and_remedy() {
    let Some(migration) = with("mongocli", |_| (), |_| ()) else { return };
    let output = migration.run_as((OWNER_NAME, WAIVED_SECRET), &["create"]);
    assert_eq!(output.code, 1);
    let expected = "error: mongocli iam organizations apiKeys create: status 401 NOT_ORG_OWNER\n  help:  use a credential";
    assert!(output.stderr.contains(expected), "{output:#?}");
    assert_eq!(migration.stages(), ["creating", "create-refused"]);
    // A failure without an answer may have made a key: the next run looks.
    migration.put_in_front("mongocli", "echo 'Error: dial tcp: no route' >&2; exit 1");
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("mongocli ended with 1: \"Error: dial tcp: no route"), "{output:#?}");
    assert_eq!(migration.stages().last().unwrap(), "creating");
}

#[test]
fn a_rate_limit_of_mongocli_is_waited_for() {
    let limited = |options: &mut Options| options.faults = vec!["429x1@1".parse().unwrap()];
    let Some(migration) = with("mongocli", limited, |_| ()) else { return };
    migration.put_in_front("sleep", "echo \"$1\" >> slept");
    let output = migration.ends(0, &["create"]);
    let waited = "mongocli iam organizations apiKeys create: rate limit; next attempt in 15 seconds";
    assert!(output.stderr.contains(waited), "{output:#?}");
    assert_eq!(migration.tagged(KEYS, TAG).len(), 1);
}

/// Its digest is answered by a server that did not make the challenge.
#[test]
fn behind_a_balancer_in_strict_turn_curl_does_the_work_of_mongocli() {
    let turn = |options: &mut Options| {
        options.nodes = NonZeroUsize::new(3).unwrap();
        options.balancer = Balancer::Turn;
    };
    let Some(migration) = with("mongocli", turn, |_| ()) else { return };
    migration.ends(0, &["create"]);
    assert_eq!(migration.commands(), [""; 0]);
}

/// Without a file of certificate authorities, mongocli accepts every certificate.
#[test]
fn mongocli_gets_a_file_of_certificate_authorities() {
    let https = |context: &mut Value| {
        let url = context["deployment"]["base_url"].as_str().unwrap().replace("http:", "https:");
        context["deployment"]["base_url"] = url.into();
    };
    let Some(migration) = with("mongocli", |_| (), https) else { return };
    migration.put_in_front("curl", "exec \"$REAL\" \"${@/#https:/http:}\"");
    let authorities = migration.env.path("authorities.pem").display().to_string();
    migration.env.put("authorities.pem", "");
    let migration = migration.set("KEYSUNSET_CA_CERT", &authorities);
    migration.ends(0, &["create"]);
    assert_eq!(migration.env.text("authorities").lines().next(), Some(&*format!("mongocli {authorities}")));
}

#[test]
fn a_tool_that_is_not_installed_stops_before_any_request() {
    let Some(migration) = with("mongocli", |_| (), |_| ()) else { return };
    migration.take_away("mongocli");
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("mongocli is not installed"), "{output:#?}");
    assert!(output.stderr.contains("plan again with --tool curl"), "{output:#?}");
    assert_eq!(migration.requests(), 0);
}

#[test]
fn what_terraform_creates_a_script_does_not() {
    let Some(migration) = with("terraform", |_| (), |_| ()) else { return };
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("run terraform apply"), "{output:#?}");
    assert!(migration.ends(0, &["create", "--dry-run"]).stdout.contains("terraform apply"));
    assert_eq!(migration.requests(), 0);
}

#[test]
fn the_atlas_cli_creates_keys_whatever_variables_the_caller_has() {
    let plan = |context: &mut Value| context["deployment"]["tool"] = "atlas".into();
    let Some(migration) = Migration::atlas(ORG, plan) else { return };
    migration.install("atlas");
    // The Atlas CLI would read these in place of its own.
    let migration = migration.set("MCLI_PUBLIC_API_KEY", "wrong").set("MONGODB_ATLAS_ORG_ID", "wrong");
    let migration =
        migration.set("KEYSUNSET_ADDRESSES", "203.0.113.7").set("KEYSUNSET_RUNNER_ADDRESS", "127.0.0.1");
    let output = migration.ends(0, &["create"]);
    let mut commands = expected("atlas");
    commands.push(format!(
        "atlas organizations apiKeys accessLists create --apiKey KEY --orgId {ORG} \
        --cidr 127.0.0.1/32,203.0.113.7/32 --output json"
    ));
    assert_eq!(migration.commands(), commands);
    assert!(!format!("{output:?}").contains(migration.secret(ORG)["privateKey"].as_str().unwrap()));
    assert_eq!(migration.tagged(KEYS, TAG).len(), 1);
    migration.ends(0, &["check"]);
}
