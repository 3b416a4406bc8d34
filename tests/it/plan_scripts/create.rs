//! `create` and `check`: one new key for each replacement, whatever happened before.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::context::*;
use super::{Migration, roles, secret_file};

const KEYS: &str = "/orgs/5980cfdf0b6d97029d82f86e/apiKeys";
const STRICT_KEYS: &str = "/orgs/5b2a3c4d5e6f708192a3b4c5/apiKeys";

fn planned() -> Vec<String> {
    let mut roles = vec![
        format!("{ORG} ORG_MEMBER"),
        format!("{PRODUCTION} GROUP_DATA_ACCESS_READ_ONLY"),
        format!("{PRODUCTION} GROUP_READ_ONLY"),
        format!("{STAGING} GROUP_OWNER"),
    ];
    roles.sort();
    roles
}

fn addresses(list: &Value) -> Vec<&str> {
    list["results"].as_array().unwrap().iter().map(|entry| entry["cidrBlock"].as_str().unwrap()).collect()
}

#[test]
fn a_replacement_has_the_planned_roles_and_its_private_key_is_in_the_file() {
    let Some(migration) = Migration::new() else { return };
    migration.ends(0, &["create"]);
    let [key] = &migration.tagged(KEYS, TAG)[..] else { panic!("not one key") };
    assert_eq!(roles(key), planned());
    assert_eq!(key["desc"], format!("{TAG} boris/ci"));
    let secret = migration.secret(ORG);
    assert_eq!((&secret["id"], &secret["publicKey"]), (&key["id"], &key["publicKey"]));
    let new = (secret["publicKey"].as_str().unwrap(), secret["privateKey"].as_str().unwrap());
    assert_eq!(
        roles(&migration.api_as(new, "GET", &format!("{KEYS}/{}", key["id"].as_str().unwrap()), "")),
        planned()
    );
    migration.ends(0, &["check"]);
}

#[test]
fn create_twice_makes_one_key_and_leaves_the_roles_that_a_person_took_away() {
    let Some(migration) = Migration::new() else { return };
    migration.ends(0, &["create"]);
    let before = (migration.tagged(KEYS, TAG), migration.env.bytes(&secret_file(ORG)));
    let id = before.0[0]["id"].as_str().unwrap();
    migration.api("DELETE", &format!("/groups/{STAGING}/apiKeys/{id}"), "");
    assert_ne!(roles(&migration.tagged(KEYS, TAG)[0]), planned());
    let check = migration.ends(1, &["check"]);
    assert!(check.stderr.contains(&format!("missing: \"{STAGING} GROUP_OWNER\"")), "{check:#?}");
    assert!(check.stderr.contains("check --fewer-roles"), "{check:#?}");
    let narrowed = roles(&migration.tagged(KEYS, TAG)[0]);
    let create = migration.ends(0, &["create"]);
    assert!(create.stderr.contains("fewer roles than planned"), "{create:#?}");
    let after = (migration.tagged(KEYS, TAG), migration.env.bytes(&secret_file(ORG)));
    assert_eq!((after.0.len(), &after.0[0]["id"], after.1), (1, &before.0[0]["id"], before.1));
    assert_eq!(roles(&after.0[0]), narrowed);
    // Until a person says that they are right.
    migration.ends(1, &["disable", "--wave", "2"]);
    let check = migration.ends(0, &["check", "--fewer-roles"]);
    assert!(check.stdout.contains("has fewer roles than planned"), "{check:#?}");
    migration.ends(0, &["disable", "--wave", "2"]);
    migration.ends(0, &["create", "--set-roles"]);
    assert_eq!(roles(&migration.tagged(KEYS, TAG)[0]), planned());
}

/// An interruption left it without them.
#[test]
fn create_completes_the_roles_of_a_key_that_never_had_them() {
    let Some(migration) = Migration::new() else { return };
    migration
        .put_in_front("curl", "case \" $* \" in *' PATCH '*) kill -9 $PPID;; esac; exec \"$REAL\" \"$@\"");
    let output = migration.bash(&["-c", &format!("bash {} create; echo \"ended $?\"", super::script())], &[]);
    migration.take_away("curl");
    let before = migration.tagged(KEYS, TAG);
    assert_eq!((before.len(), roles(&before[0]) == planned()), (1, false), "{output:#?}");
    migration.ends(1, &["check"]);
    migration.ends(0, &["create"]);
    let after = migration.tagged(KEYS, TAG);
    assert_eq!((after.len(), &after[0]["id"], roles(&after[0])), (1, &before[0]["id"], planned()));
}

/// With `--per key`, whichever other replacements a later plan has.
#[test]
fn a_later_plan_finds_the_private_key_of_an_earlier_one() {
    let of_key = |key: &str| {
        let tag = format!("keysunset:{OWNER}:{key}");
        let mut replacement = replacement(ORG, "Example", &tag, "ORG_MEMBER", &json!([]));
        replacement["keys"] = json!([key]);
        replacement
    };
    let both = json!([of_key(REPLACED), of_key(RETIRED)]);
    for (first, later) in [(both.clone(), json!([both[0]])), (json!([both[0]]), both.clone())] {
        let change = |context: &mut Value| context["replacements"] = first;
        let Some(mut migration) = Migration::with(|_| (), |_| (), change) else { return };
        migration.ends(0, &["create"]);
        let file = format!("secrets/{OWNER}-{ORG}-{REPLACED}.json");
        let before = migration.env.bytes(&file);
        migration.plan_again(|context| context["replacements"] = later);
        migration.ends(0, &["create"]);
        migration.ends(0, &["check"]);
        assert_eq!(migration.env.bytes(&file), before);
    }
}

#[test]
fn roles_that_somebody_else_gave_are_kept_and_reported() {
    let Some(migration) = Migration::new() else { return };
    migration.ends(0, &["create"]);
    let id = migration.secret(ORG)["id"].as_str().unwrap().to_owned();
    // One role more, and one of the planned ones is gone.
    let given = json!({ "roles": ["GROUP_READ_ONLY", "GROUP_BACKUP_ADMIN"] }).to_string();
    migration.api("PATCH", &format!("/groups/{PRODUCTION}/apiKeys/{id}"), &given);
    migration.ends(0, &["create", "--set-roles"]);
    let key = &migration.tagged(KEYS, TAG)[0];
    let mut expected = planned();
    expected.push(format!("{PRODUCTION} GROUP_BACKUP_ADMIN"));
    expected.sort();
    assert_eq!(roles(key), expected);
    let check = migration.ends(1, &["check"]);
    assert!(
        check.stderr.contains(&format!("not in the plan: \"{PRODUCTION} GROUP_BACKUP_ADMIN\"")),
        "{check:#?}"
    );
}

#[test]
fn a_key_whose_private_part_was_lost_on_its_way_is_made_again_on_request() {
    let Some(migration) = Migration::new() else { return };
    // The script is killed with the answer in hand and nothing in the folder.
    migration.put_in_front("ln", "kill -9 $PPID");
    let output = migration.bash(&["-c", &format!("bash {} create; echo \"ended $?\"", super::script())], &[]);
    assert!(output.stdout.contains("ended 137"), "{output:#?}");
    migration.take_away("ln");
    let lost = migration.tagged(KEYS, TAG);
    assert_eq!(lost.len(), 1);
    let refused = migration.ends(1, &["create"]);
    assert!(refused.stderr.contains("did not end: this key may be the result of it"), "{refused:#?}");
    migration.ends(0, &["create", "--recreate"]);
    let made = migration.tagged(KEYS, TAG);
    assert_eq!(made.len(), 1);
    assert_ne!(made[0]["id"], lost[0]["id"]);
    assert_eq!(roles(&made[0]), planned());
    let files: Vec<_> = std::fs::read_dir(migration.env.path("secrets")).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    migration.ends(0, &["check"]);
}

/// Whoever carries the plan out from another copy of its folder may have made it since.
#[test]
fn after_a_creation_without_an_answer_a_key_of_the_tag_is_left_alone() {
    for tool in ["curl", "mongocli"] {
        let change = |context: &mut Value| context["deployment"]["tool"] = tool.into();
        let Some(migration) = Migration::with(|_| (), |_| (), change) else { return };
        migration.put_in_front("mongocli", "echo 'Error: dial tcp: no route' >&2; exit 1");
        // The balancer did not hand the request on.
        let front = "case \" $* \" in *' POST '*) printf '{}\\n502'; exit;; esac; exec \"$REAL\" \"$@\"";
        migration.put_in_front("curl", front);
        migration.ends(1, &["create"]);
        migration.take_away("curl");
        assert_eq!(
            (migration.stages().last().unwrap().as_str(), migration.tagged(KEYS, TAG)),
            ("creating", vec![])
        );
        let body = json!({ "desc": format!("{TAG} boris/ci"), "roles": ["ORG_MEMBER"] }).to_string();
        migration.api("POST", KEYS, &body);
        let elsewhere = migration.tagged(KEYS, TAG);
        let refused = migration.ends(1, &["create"]);
        assert!(refused.stderr.contains("use create --recreate"), "{refused:#?}");
        assert_eq!(migration.tagged(KEYS, TAG), elsewhere);
    }
}

#[test]
fn a_key_that_works_elsewhere_is_deleted_only_on_request() {
    let Some(migration) = Migration::new() else { return };
    migration.ends(0, &["create"]);
    let id = migration.secret(ORG)["id"].clone();
    // Moved to where it is used.
    std::fs::remove_file(migration.env.path(&secret_file(ORG))).unwrap();
    let refused = migration.ends(1, &["create"]);
    assert!(
        refused.stderr.contains("is not stored here") && refused.stderr.contains("--recreate"),
        "{refused:#?}"
    );
    assert_eq!(migration.tagged(KEYS, TAG)[0]["id"], id);
    migration.ends(0, &["create", "--recreate"]);
    let [key] = &migration.tagged(KEYS, TAG)[..] else { panic!("not one key") };
    assert_ne!(key["id"], id);
    assert_eq!(key["id"], migration.secret(ORG)["id"]);
}

/// `keysunset plan` gives all replacements of an owner one tag.
#[test]
fn a_key_lost_in_one_organization_leaves_those_of_others_alone() {
    let change = |context: &mut Value| {
        let other = replacement(STRICT_ORG, "Strict", TAG, "ORG_READ_ONLY", &json!([]));
        context["replacements"].as_array_mut().unwrap().push(other);
    };
    let Some(migration) = Migration::with(|_| (), |_| (), change) else { return };
    migration
        .put_in_front("ln", "[ ! -e once ] || { kill -9 $PPID; exit; }; touch once; exec \"$REAL\" \"$@\"");
    let killed = migration.bash(&["-c", &format!("bash {} create; echo \"ended $?\"", super::script())], &[]);
    assert!(killed.stdout.contains("ended 137"), "{killed:#?}");
    migration.take_away("ln");
    let (first, lost) = (migration.tagged(KEYS, TAG), migration.tagged(STRICT_KEYS, TAG));
    // Moved to where it is used.
    std::fs::rename(migration.env.path(&secret_file(ORG)), migration.env.path("moved")).unwrap();
    let refused = migration.ends(1, &["create"]);
    assert!(refused.stderr.contains("is not stored here"), "{refused:#?}");
    std::fs::rename(migration.env.path("moved"), migration.env.path(&secret_file(ORG))).unwrap();
    migration.ends(0, &["create", "--recreate"]);
    assert_eq!(migration.tagged(KEYS, TAG), first);
    let made = migration.tagged(STRICT_KEYS, TAG);
    assert_eq!(made.len(), 1);
    assert_ne!(made[0]["id"], lost[0]["id"]);
    assert_eq!(made[0]["id"], migration.secret(STRICT_ORG)["id"]);
}

#[test]
fn a_refused_creation_leaves_a_later_key_of_the_tag_alone() {
    let Some(migration) = Migration::new() else { return };
    assert_eq!(migration.run_as((OWNER_NAME, WAIVED_SECRET), &["create"]).code, 1);
    assert_eq!(migration.stages(), ["creating", "create-refused"]);
    let body = json!({ "desc": format!("{TAG} boris/ci"), "roles": ["ORG_MEMBER"] }).to_string();
    migration.api("POST", KEYS, &body);
    let elsewhere = migration.tagged(KEYS, TAG);
    migration.ends(1, &["create"]);
    assert_eq!(migration.tagged(KEYS, TAG), elsewhere);
}

#[test]
fn a_file_of_another_key_is_never_overwritten() {
    let Some(migration) = Migration::new() else { return };
    migration.env.put(&secret_file(ORG), r#"{"id":"000000000000000000000000"}"#);
    std::fs::set_permissions(migration.env.path("secrets"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let before = migration.env.bytes(&secret_file(ORG));
    let refused = migration.ends(1, &["create"]);
    assert!(refused.stderr.contains("never overwritten"), "{refused:#?}");
    assert_eq!(migration.env.bytes(&secret_file(ORG)), before);
    assert_eq!(migration.tagged(KEYS, TAG), Vec::<Value>::new());
}

#[test]
fn two_keys_of_one_tag_are_left_to_a_person() {
    let Some(migration) = Migration::new() else { return };
    let body = json!({ "desc": format!("{TAG} boris/ci"), "roles": ["ORG_MEMBER"] }).to_string();
    migration.api("POST", KEYS, &body);
    migration.api("POST", KEYS, &body);
    let refused = migration.ends(1, &["create"]);
    assert!(refused.stderr.contains("2 keys of organization"), "{refused:#?}");
    assert_eq!(migration.tagged(KEYS, TAG).len(), 2);
}

#[test]
fn an_incomplete_list_makes_no_second_key() {
    let Some(migration) = Migration::new() else { return };
    migration.put_in_front("curl", "\"$REAL\" \"$@\" | sed 's/\"totalCount\":0/\"totalCount\":1/'");
    let refused = migration.ends(1, &["create"]);
    assert!(refused.stderr.contains("the list changed or is incomplete"), "{refused:#?}");
    migration.take_away("curl");
    assert_eq!(migration.tagged(KEYS, TAG), Vec::<Value>::new());
}

#[test]
fn a_rate_limit_is_waited_for() {
    let limited =
        |options: &mut keysunset_sandbox::Options| options.faults = vec!["429x1@1".parse().unwrap()];
    let Some(migration) = Migration::with(limited, |_| (), |_| ()) else { return };
    migration.put_in_front("sleep", "echo \"$1\" >> slept");
    let output = migration.ends(0, &["create"]);
    assert!(output.stderr.contains("rate limit; next attempt in 15 seconds"), "{output:#?}");
    assert!(migration.env.text("slept").lines().count() >= 4);
    assert_eq!(roles(&migration.tagged(KEYS, TAG)[0]), planned());
}

#[test]
fn a_redirect_is_not_followed() {
    let away = |options: &mut keysunset_sandbox::Options| {
        options.faults = vec!["redirect-away=http://127.0.0.1:9@1".parse().unwrap()];
    };
    let Some(migration) = Migration::with(away, |_| (), |_| ()) else { return };
    let refused = migration.ends(1, &["create"]);
    assert!(refused.stderr.contains("status 302") && refused.stderr.contains("not followed"), "{refused:#?}");
}

#[test]
fn a_refusal_names_request_status_code_and_remedy() {
    let Some(migration) = Migration::new() else { return };
    let output = migration.run_as((OWNER_NAME, WAIVED_SECRET), &["create"]);
    assert_eq!(output.code, 1);
    assert!(
        output
            .stderr
            .contains("error: POST /orgs/5980cfdf0b6d97029d82f86e/apiKeys: status 401 NOT_ORG_OWNER"),
        "{output:#?}"
    );
    assert!(output.stderr.contains("help:  use a credential with the role ORG_OWNER"), "{output:#?}");
    let output = migration.run_as(("zmmrboas", "00000000-0000-4000-8000-000000000000"), &["create"]);
    assert!(output.stderr.contains("status 401\n  help:  the service refused the credential"), "{output:#?}");
}

#[test]
fn what_waits_for_a_decision_is_made_on_request_alone() {
    let ask = |context: &mut Value| {
        let mut asked = replacement(ORG, "Example", ASK_TAG, "ORG_MEMBER", &json!([]));
        asked["needs_decision"] = true.into();
        asked["keys"] = json!([ASKED]);
        context["replacements"] = json!([asked]);
    };
    let Some(migration) = Migration::with(|_| (), |_| (), ask) else { return };
    let output = migration.ends(0, &["create"]);
    assert!(output.stdout.contains("a person must decide first"), "{output:#?}");
    assert_eq!(migration.tagged(KEYS, ASK_TAG).len(), 0);
    migration.ends(0, &["create", "--include-ask"]);
    assert_eq!(migration.tagged(KEYS, ASK_TAG).len(), 1);
}

/// A replacement in the organization that requires access lists.
fn strict(context: &mut Value) {
    context["replacements"] =
        json!([replacement(STRICT_ORG, "Strict", STRICT_TAG, "ORG_READ_ONLY", &json!([]))]);
}

#[test]
fn the_address_of_the_runner_is_the_first_entry_of_an_access_list() {
    let Some(migration) = Migration::with(|_| (), |_| (), strict) else { return };
    let output = migration.ends(0, &["create"]);
    assert!(output.stdout.contains("access list: no entry"), "{output:#?}");
    let refused = migration.ends(1, &["check"]);
    assert!(refused.stderr.contains("403 ORG_REQUIRES_WHITELIST"), "{refused:#?}");
    assert!(refused.stderr.contains("set KEYSUNSET_ADDRESSES and run create again"), "{refused:#?}");

    let migration = migration.set("KEYSUNSET_ADDRESSES", "203.0.113.7, 2001:db8::/32,203.0.113.7/32");
    migration.ends(0, &["create"]);
    let key = migration.tagged(STRICT_KEYS, STRICT_TAG)[0]["id"].as_str().unwrap().to_owned();
    let list = || migration.api("GET", &format!("{STRICT_KEYS}/{key}/whitelist"), "");
    assert_eq!(addresses(&list()), ["127.0.0.1/32", "203.0.113.7/32", "2001:db8::/32"]);
    migration.ends(0, &["check"]);
    migration.ends(0, &["create"]);
    assert_eq!(addresses(&list()).len(), 3);
}

#[test]
fn from_5_0_on_the_list_is_called_access_list() {
    let new = |options: &mut keysunset_sandbox::Options| options.service_version = "5.0.3".to_owned();
    let change = |context: &mut Value| {
        strict(context);
        context["deployment"]["access_list"] = "accessList".into();
        context["replacements"][0]["addresses"] = json!(["198.51.100.0/24"]);
    };
    let Some(migration) = Migration::with(new, |_| (), change) else { return };
    migration.ends(0, &["create"]);
    let key = migration.tagged(STRICT_KEYS, STRICT_TAG)[0]["id"].as_str().unwrap().to_owned();
    let list = migration.api("GET", &format!("{STRICT_KEYS}/{key}/accessList"), "");
    assert_eq!(addresses(&list), ["127.0.0.1/32", "198.51.100.0/24"]);
    migration.ends(0, &["check"]);
}

/// All global keys share one list, so that its first entry could lock out the key that makes it.
#[test]
fn the_first_entry_for_global_keys_never_locks_out_the_caller() {
    let global = |context: &mut Value| {
        let mut global = replacement("", "", GLOBAL_TAG, "GLOBAL_READ_ONLY", &json!([]));
        global["addresses"] = json!(["203.0.113.7"]);
        context["replacements"] = json!([global]);
    };
    let Some(migration) = Migration::with(|_| (), |_| (), global) else { return };
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("would lock out this machine"), "{output:#?}");
    assert!(output.stderr.contains("set KEYSUNSET_RUNNER_ADDRESS"), "{output:#?}");
    let list = |migration: &Migration| migration.api("GET", "/admin/whitelist", "");
    assert_eq!(addresses(&list(&migration)).len(), 0);

    let migration = migration.set("KEYSUNSET_RUNNER_ADDRESS", "127.0.0.1");
    migration.ends(0, &["create"]);
    assert_eq!(addresses(&list(&migration)), ["127.0.0.1/32", "203.0.113.7/32"]);
    assert_eq!(migration.tagged("/admin/apiKeys", GLOBAL_TAG).len(), 1);
    migration.ends(0, &["check"]);
}

#[test]
fn an_address_that_is_none_stops_before_any_request() {
    for bad in
        ["203.0.113", "203.0.113.256", "203.0.113.7/33", "*", "2001:db8::/129", "a:b:c", "1::2::3", "x'y"]
    {
        let Some(migration) = Migration::new() else { return };
        let migration = migration.set("KEYSUNSET_ADDRESSES", bad);
        let output = migration.ends(1, &["create"]);
        assert!(output.stderr.contains("is not an address or a CIDR block"), "{output:#?}");
        assert_eq!(migration.requests(), 0);
    }
}
