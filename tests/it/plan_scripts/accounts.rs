//! `create` and `check` with service accounts of Atlas, as with keys.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::context::*;
use super::{Migration, secret_file};

const ACCOUNT: &str = "keysunset-5b17c0de9cc0cdb6ac0bf401";

fn account(org: &str, role: &str, projects: &Value) -> Value {
    let mut one = replacement(org, "Example", ACCOUNT, role, projects);
    (one["kind"], one["description"]) =
        ("service-account".into(), format!("{ACCOUNT} boris example.com").into());
    one
}

fn plan(context: &mut Value) {
    let projects = context["replacements"][0]["projects"].clone();
    context["replacements"] = json!([account(ORG, "ORG_MEMBER", &projects)]);
}

impl Migration {
    /// A request to the versioned API.
    fn v2(&self, method: &str, path: &str, body: &str) -> Value {
        let url = format!("{}{path}", self.sandbox.announcement().url.replace("/v1.0", "/v2"));
        let user = format!("{}:{}", ADMIN.0, ADMIN.1);
        let accept = "Accept: application/vnd.atlas.2024-08-05+json";
        let mut curl = std::process::Command::new("curl");
        curl.args(["-q", "-s", "--digest", "--user", &user, "--request", method, "--header", accept, &url]);
        if !body.is_empty() {
            curl.args(["--data", body]);
        }
        serde_json::from_slice(&curl.output().unwrap().stdout).unwrap_or_default()
    }

    fn accounts(&self, org: &str) -> Vec<Value> {
        self.v2("GET", &format!("/orgs/{org}/serviceAccounts"), "")["results"].as_array().unwrap().clone()
    }

    /// Project, and roles in it.
    fn projects_of(&self, client: &str) -> Vec<Value> {
        self.v2("GET", &format!("/orgs/{ORG}/serviceAccounts/{client}/groups"), "")["results"]
            .as_array()
            .unwrap()
            .clone()
    }
}

#[test]
fn a_service_account_has_the_planned_roles_and_its_secret_is_in_the_file() {
    let Some(migration) = Migration::atlas(ORG, plan) else { return };
    for name in ["curl", "jq"] {
        migration
            .put_in_front(name, "printf '%s\\n' \"$0\" \"$@\" >> \"$HOME/record\"\nexec \"$REAL\" \"$@\"");
    }
    let mut printed = String::new();
    for arguments in [["create"], ["create"], ["check"]] {
        let output = migration.ends(0, &arguments);
        printed.extend([output.stdout, output.stderr]);
    }
    let [made] = &migration.accounts(ORG)[..] else { panic!("not one account") };
    let client = made["clientId"].as_str().unwrap();
    assert_eq!((&made["name"], &made["roles"]), (&json!(ACCOUNT), &json!(["ORG_MEMBER"])));
    assert_eq!(made["description"], format!("{ACCOUNT} boris example.com"));
    let expected = [
        json!({ "groupId": PRODUCTION, "roles": ["GROUP_READ_ONLY", "GROUP_DATA_ACCESS_READ_ONLY"] }),
        json!({ "groupId": STAGING, "roles": ["GROUP_OWNER"] }),
    ];
    assert_eq!(migration.projects_of(client), expected);
    let stored = migration.secret(ORG);
    assert_eq!((&stored["clientId"], &stored["id"]), (&json!(client), &json!(client)));
    assert_eq!(stored["expiresAt"], made["secrets"][0]["expiresAt"]);
    let file = std::fs::metadata(migration.env.path(&secret_file(ORG))).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);

    // Neither the secret nor a token is in an argument or on the terminal.
    let secret = stored["clientSecret"].as_str().unwrap();
    let record = migration.env.text("record");
    assert!(record.contains("/api/oauth/token"), "{record}");
    for (text, place) in [(&record, "an argument"), (&printed, "the terminal")] {
        assert!(!text.contains(secret) && !text.contains("Bearer"), "{place}: {text}");
    }

    // Where it is used, the account itself is the credential.
    std::fs::remove_file(migration.env.path(&secret_file(ORG))).unwrap();
    let output = migration.run_as((client, secret), &["check"]);
    assert!(output.stdout.contains("works: key mdb_sa_id_"), "{output:#?}");
    let output = migration.run_as((client, "mdb_sa_sk_wrong"), &["check"]);
    assert!(output.stderr.contains("got no access token: status 401"), "{output:#?}");
    migration.ends(1, &["create"]);
    assert_eq!(migration.accounts(ORG).len(), 1, "its secret may be in use elsewhere");
}

#[test]
fn create_completes_the_roles_of_an_account_and_keeps_those_of_others() {
    let Some(migration) = Migration::atlas(ORG, plan) else { return };
    migration.ends(0, &["create"]);
    let client = migration.secret(ORG)["clientId"].as_str().unwrap().to_owned();
    let in_project = |group: &str| format!("/groups/{group}/serviceAccounts/{client}");
    migration.v2("DELETE", &in_project(STAGING), "");
    migration.v2("PATCH", &in_project(PRODUCTION), r#"{"roles":["GROUP_OWNER","GROUP_READ_ONLY"]}"#);
    let check = migration.ends(1, &["check"]);
    assert!(check.stderr.contains(&format!("{STAGING} GROUP_OWNER")), "{check:#?}");
    let output = migration.ends(0, &["create", "--set-roles"]);
    assert!(output.stderr.contains(&format!("not in the plan: \"{PRODUCTION} GROUP_OWNER\"")), "{output:#?}");
    let expected = json!(["GROUP_OWNER", "GROUP_READ_ONLY", "GROUP_DATA_ACCESS_READ_ONLY"]);
    let projects = migration.projects_of(&client);
    assert_eq!((&projects[0]["roles"], &projects[1]["roles"]), (&expected, &json!(["GROUP_OWNER"])));
}

#[test]
fn an_account_whose_secret_was_lost_on_its_way_is_made_again_on_request() {
    let Some(migration) = Migration::atlas(ORG, plan) else { return };
    migration.put_in_front("ln", "kill -9 $PPID");
    migration.bash(&["-c", &format!("bash {} create; true", super::script())], &[]);
    migration.take_away("ln");
    let lost = migration.accounts(ORG);
    assert_eq!(lost.len(), 1);
    migration.ends(1, &["create"]);
    assert_eq!(migration.accounts(ORG), lost);
    migration.ends(0, &["create", "--recreate"]);
    let made = migration.accounts(ORG);
    assert_eq!(made.len(), 1);
    assert_ne!(made[0]["clientId"], lost[0]["clientId"]);
    migration.ends(0, &["check"]);
}

/// Its roles in projects are in lists of their own.
#[test]
fn an_account_that_is_gone_or_lost_a_role_since_check_keeps_the_old_key() {
    let Some(migration) = Migration::atlas(ORG, plan) else { return };
    migration.ends(0, &["create"]);
    migration.ends(0, &["check"]);
    let client = migration.secret(ORG)["clientId"].as_str().unwrap().to_owned();
    // Atlas itself has removed them.
    let key =
        json!({ "id": REPLACED, "enabled": true, "lastUsed": "2024-12-20T06:07:08Z", "usedCount": 41375 });
    let front = format!(
        "case \" $* \" in *'/users/'*) printf '%s\\n200' '{key}'; exit;; esac; exec \"$REAL\" \"$@\""
    );
    migration.put_in_front("curl", &front);
    let is_refused = |why: &str| {
        let output = migration.ends(1, &["verify", "--wave", "2"]);
        assert!(output.stderr.contains(&format!("{client} of organization \"Example\"{why}")), "{output:#?}");
    };
    migration.v2("DELETE", &format!("/groups/{STAGING}/serviceAccounts/{client}"), "");
    is_refused(&format!(" lacks \"{STAGING} GROUP_OWNER\""));
    migration.ends(0, &["create", "--set-roles"]);
    migration.ends(0, &["verify", "--wave", "2"]);
    migration.v2("DELETE", &format!("/orgs/{ORG}/serviceAccounts/{client}"), "");
    is_refused(", status 404 ");
}

#[test]
fn the_access_list_of_an_account_begins_with_the_address_of_the_runner() {
    let strict = |context: &mut Value| {
        context["replacements"] = json!([account(STRICT_ORG, "ORG_READ_ONLY", &json!([]))]);
    };
    let Some(migration) = Migration::atlas(STRICT_ORG, strict) else { return };
    let migration = migration.set("KEYSUNSET_ADDRESSES", "203.0.113.7,2001:db8::/32");
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("set KEYSUNSET_RUNNER_ADDRESS"), "{output:#?}");
    assert!(migration.ends(1, &["check"]).stderr.contains("403 ORG_REQUIRES_ACCESS_LIST"));
    let migration = migration.set("KEYSUNSET_RUNNER_ADDRESS", "127.0.0.1");
    migration.ends(0, &["create"]);
    let client = migration.secret(STRICT_ORG)["clientId"].as_str().unwrap().to_owned();
    let list = migration.v2("GET", &format!("/orgs/{STRICT_ORG}/serviceAccounts/{client}/accessList"), "");
    let blocks: Vec<_> = list["results"].as_array().unwrap().iter().map(|it| &it["cidrBlock"]).collect();
    assert_eq!(blocks, ["127.0.0.1/32", "203.0.113.7/32", "2001:db8::/32"]);
    migration.ends(0, &["check"]);
}

#[test]
fn the_life_of_a_secret_is_within_the_limits_of_the_service() {
    let Some(mut migration) = Migration::atlas(ORG, plan) else { return };
    for wrong in ["7", "8761", "a", "-1"] {
        migration = migration.set("KEYSUNSET_SECRET_HOURS", wrong);
        let output = migration.ends(1, &["create"]);
        assert!(output.stderr.contains("not a number from 8 to 8760"), "{output:#?}");
    }
    assert_eq!(migration.requests(), 0);
    let dry = migration.set("KEYSUNSET_SECRET_HOURS", "0012").ends(0, &["create", "--dry-run"]);
    assert!(dry.stdout.contains("\"secretExpiresAfterHours\":12}"), "{dry:#?}");
    assert!(dry.stdout.contains("/api/atlas/v2/orgs/") && dry.stdout.contains(":invite {"), "{dry:#?}");
}
