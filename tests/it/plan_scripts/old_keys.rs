//! `verify`, `disable`, `rollback` and `delete`: only unused keys that the plan selects are changed.

use std::process::Command;

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use super::context::*;
use super::{Migration, secret_file};
use crate::support::rfc3339;

const ALL: [&str; 5] = [REPLACED, RETIRED, ASKED, WAIVED, DISABLED];

impl Migration {
    /// Which of the owner's keys are enabled.
    fn enabled(&self) -> Vec<&'static str> {
        ALL.into_iter().filter(|key| self.is_enabled(key)).collect()
    }

    /// The replacement exists and works, so that the old key may be disabled.
    fn replace(&self) {
        self.ends(0, &["create"]);
        self.ends(0, &["check"]);
    }

    /// A call with a personal key of the owner.
    fn call_with(&self, secret: &str) {
        let url = format!("{}/users/{OWNER}", self.sandbox.announcement().url);
        let user = format!("{OWNER_NAME}:{secret}");
        let output =
            Command::new("curl").args(["-q", "-sf", "--digest", "-u", &user, &url]).output().unwrap();
        assert!(output.status.success());
    }
}

/// The owner has a replacement in another organization, too.
fn in_two_organizations(context: &mut Value) {
    let other = replacement(STRICT_ORG, "Strict", STRICT_TAG, "ORG_READ_ONLY", &json!([]));
    context["replacements"].as_array_mut().unwrap().push(other);
}

#[test]
fn unused_keys_are_disabled_and_asked_and_waived_ones_stay() {
    let Some(migration) = Migration::new() else { return };
    migration.replace();
    let before = migration.stages().len();
    migration.ends(0, &["verify"]);
    assert_eq!(migration.enabled(), [REPLACED, RETIRED, ASKED, WAIVED]);
    migration.ends(0, &["disable"]);
    assert_eq!(migration.enabled(), [ASKED, WAIVED]);
    migration.ends(0, &["disable"]);
    assert_eq!(migration.stages()[before..], ["disabling", "disable", "disabling", "disable"]);
}

#[test]
fn a_key_that_was_used_since_the_run_stops_verify_and_disable() {
    let Some(migration) = Migration::new() else { return };
    migration.call_with(REPLACED_SECRET);
    for stage in ["verify", "disable"] {
        let output = migration.ends(1, &[stage]);
        let found =
            format!("in use: key {REPLACED} \"replace key\" was used after the run of the plan: last used");
        assert!(
            output.stderr.contains(&found) && output.stderr.contains("2025-01-01T00:00:00Z"),
            "{output:#?}"
        );
        assert!(output.stderr.contains("uses 41376 (plan: 41375)"), "{output:#?}");
        assert_eq!(migration.enabled(), [REPLACED, RETIRED, ASKED, WAIVED]);
    }
    // The other wave is not held up.
    migration.ends(0, &["disable", "--wave", "1"]);
    assert_eq!(migration.enabled(), [REPLACED, ASKED, WAIVED]);
}

#[test]
fn a_count_or_a_time_alone_shows_a_use() {
    for (field, value) in [
        ("last_used", "2024-12-20T06:07:07Z"),
        ("last_used", ""),
        ("used_count", "41374"),
        ("used_count", ""),
    ] {
        let change = |context: &mut Value| context["keys"][0][field] = value.into();
        let Some(migration) = Migration::with(|_| (), |_| (), change) else { return };
        let output = migration.ends(1, &["verify"]);
        assert!(output.stderr.contains(REPLACED), "{field}={value}: {output:#?}");
    }
}

#[test]
fn the_days_to_verify_count_from_the_last_use_and_from_the_switch() {
    let recent = rfc3339(Utc::now() - Duration::days(3));
    let last_used = recent.clone();
    let change = |context: &mut Value| {
        context["verify_days"] = 14.into();
        context["keys"][0]["last_used"] = last_used.clone().into();
    };
    let world = |world: &mut Value| world["users"][1]["keys"][0]["lastUsed"] = recent.clone().into();
    let clock = |options: &mut keysunset_sandbox::Options| options.clock = Some(Utc::now());
    let Some(mut migration) = Migration::with(clock, world, change) else { return };
    let output = migration.ends(1, &["verify"]);
    assert!(
        output.stderr.contains(&format!("was last used {recent}, which is less than 14 days ago")),
        "{output:#?}"
    );
    migration.plan_again(|context| context["verify_days"] = 3.into());
    migration.ends(0, &["verify", "--without-check"]);
    // The switch was just now.
    migration.ends(0, &["create"]);
    migration.ends(0, &["check"]);
    let output = migration.ends(1, &["verify"]);
    assert!(
        output.stderr.contains("has a replacement since") && output.stderr.contains(REPLACED),
        "{output:#?}"
    );
    assert!(!output.stderr.contains(RETIRED), "{output:#?}");
}

/// However long ago the run was, and whatever was created: the replacement may lack an organization, or not be reachable.
#[test]
fn a_key_without_a_replacement_that_passed_check_is_not_disabled() {
    let Some(migration) = Migration::with(|_| (), |_| (), in_two_organizations) else { return };
    let migration =
        migration.set("KEYSUNSET_ADDRESSES", "203.0.113.7").set("KEYSUNSET_RUNNER_ADDRESS", "127.0.0.1");
    let is_refused = || {
        for stage in ["verify", "disable"] {
            let output = migration.ends(1, &[stage]);
            let why = format!(
                "not ready: key {REPLACED} \"replace key\" has no replacement that passed check in each organization"
            );
            assert!(output.stderr.contains(&why), "{output:#?}");
            assert!(output.stdout.contains(&format!("not in use: key {RETIRED}")), "{output:#?}");
        }
        assert_eq!(migration.enabled(), [REPLACED, RETIRED, ASKED, WAIVED]);
    };
    is_refused();
    migration.ends(0, &["create"]);
    is_refused();
    migration.ends(0, &["check"]);
    migration.ends(0, &["verify"]);
    // The second one is made again, so that it has not shown that it works.
    std::fs::remove_file(migration.env.path(&secret_file(STRICT_ORG))).unwrap();
    migration.ends(0, &["create", "--recreate"]);
    is_refused();
    migration.ends(0, &["disable", "--without-check"]);
    assert_eq!(migration.enabled(), [ASKED, WAIVED]);
}

impl Migration {
    /// The stages that need a replacement refuse its key, and say this; `--without-check` is the way out.
    #[track_caller]
    fn is_not_ready(&self, why: &str) {
        let enabled = self.enabled();
        for stage in ["verify", "disable"] {
            let output = self.ends(1, &[stage]);
            let said = format!("not ready: key {REPLACED} \"replace key\" {why}");
            assert!(output.stderr.contains(&said), "{said}: {output:#?}");
        }
        assert_eq!(self.enabled(), enabled);
        self.ends(0, &["verify", "--without-check"]);
    }
}

const NOT_CHECKED: &str = "has no replacement that passed check in each organization";

/// What was true when it passed counts no longer.
#[test]
fn a_replacement_that_is_gone_or_lost_roles_since_check_keeps_the_old_key() {
    let Some(migration) = Migration::new() else { return };
    migration.replace();
    let id = migration.secret(ORG)["id"].as_str().unwrap().to_owned();
    migration.ends(0, &["verify"]);
    migration.api("DELETE", &format!("/groups/{STAGING}/apiKeys/{id}"), "");
    migration.is_not_ready(&format!(
        "has a replacement without all planned roles: key {id} of organization \"Example\" lacks \"{STAGING} GROUP_OWNER\""
    ));
    // A person says that the roles are enough, until one more is gone.
    migration.ends(0, &["check", "--fewer-roles"]);
    migration.ends(0, &["verify"]);
    migration.api("DELETE", &format!("/groups/{PRODUCTION}/apiKeys/{id}"), "");
    migration.is_not_ready("has a replacement without all planned roles");
    migration.ends(0, &["create", "--set-roles"]);
    migration.ends(0, &["verify"]);
    migration.api("DELETE", &format!("/orgs/{ORG}/apiKeys/{id}"), "");
    let gone = format!(
        "has a replacement that passed check and cannot be read now: key {id} of organization \"Example\", status 404"
    );
    migration.is_not_ready(&gone);
    migration.ends(1, &["check"]);
    migration.is_not_ready(NOT_CHECKED);

    // Nor is an old key deleted, which could not be enabled again.
    let owner = |arguments: &[&str]| migration.run_as((OWNER_NAME, WAIVED_SECRET), arguments);
    migration.ends(0, &["disable", "--without-check"]);
    let output = owner(&["delete", "--wave", "2"]);
    assert!(
        output.code == 1 && output.stderr.contains("--without-check deletes it all the same"),
        "{output:#?}"
    );
    assert!(output.stderr.contains(&format!("not deleted: key {REPLACED} \"replace key\" {NOT_CHECKED}")));
    let output = owner(&["delete", "--wave", "2", "--without-check"]);
    assert!(output.code == 0 && output.stdout.contains(&format!("deleted: key {REPLACED}")), "{output:#?}");
}

#[test]
fn the_last_check_counts_also_if_it_did_not_end() {
    for front in ["exit 7", "kill -9 $PPID", "printf '{}\\n401'"] {
        let Some(migration) = Migration::new() else { return };
        migration.replace();
        migration.ends(0, &["verify"]);
        let front = format!("case \" $* \" in *'/apiKeys/'*) {front}; exit;; esac; exec \"$REAL\" \"$@\"");
        migration.put_in_front("curl", &front);
        let output = migration.run(&["check"]);
        assert_ne!(output.code, 0, "{output:#?}");
        migration.take_away("curl");
        assert_eq!(migration.stages().last().unwrap(), "checking");
        migration.is_not_ready(NOT_CHECKED);
        // The days count from when it worked again.
        let journal = migration.env.text("plan/07-owner.done");
        let year = Utc::now().format("\"time\":\"%Y-").to_string();
        migration.env.put("plan/07-owner.done", journal.replace(&year, "\"time\":\"2020-"));
        migration.ends(0, &["check"]);
        migration.ends(0, &["verify"]);
        let journal = migration.journal();
        let passed = journal.iter().filter(|line| line["stage"] == "check").count();
        assert_eq!(passed, 2);
        let script = migration.env.text(&super::script());
        migration.env.put(
            &super::script(),
            script.replace("'2025-01-01T00:00:00Z' '0'", "'2025-01-01T00:00:00Z' '1'"),
        );
        migration.is_not_ready("has a replacement since");
    }
}

/// The journal of another copy of the plan does not know of it.
#[test]
fn a_replacement_that_was_made_again_elsewhere_has_not_passed_check() {
    let Some(migration) = Migration::new() else { return };
    migration.replace();
    let journal = migration.env.text("plan/07-owner.done");
    std::fs::remove_file(migration.env.path(&secret_file(ORG))).unwrap();
    migration.ends(0, &["create", "--recreate"]);
    migration.env.put("plan/07-owner.done", journal);
    migration.is_not_ready("has a replacement that passed check and cannot be read now");
    migration.ends(0, &["check"]);
    migration.ends(0, &["disable"]);
    assert_eq!(migration.enabled(), [ASKED, WAIVED]);
}

/// Who may disable a key may not always read the keys of an organization.
#[test]
fn a_replacement_reads_itself_where_the_credential_may_not() {
    let has_left = |world: &mut Value| world["users"][1]["roles"] = json!([]);
    let Some(migration) = Migration::with(|_| (), has_left, |_| ()) else { return };
    migration.replace();
    let owner = (OWNER_NAME, WAIVED_SECRET);
    let output = migration.run_as(owner, &["verify", "--wave", "2"]);
    assert_eq!(output.code, 0, "{output:#?}");
    std::fs::remove_file(migration.env.path(&secret_file(ORG))).unwrap();
    let output = migration.run_as(owner, &["verify", "--wave", "2"]);
    assert!(output.code == 1 && output.stderr.contains("cannot be read now"), "{output:#?}");
}

/// Where a program has the private keys, each new key is the credential once.
#[test]
fn several_replacements_are_checked_one_after_the_other() {
    let Some(migration) = Migration::with(|_| (), |_| (), in_two_organizations) else { return };
    migration.put_in_front("vault", "cat >> stored");
    let migration = migration
        .set("KEYSUNSET_SECRETS", "")
        .set("KEYSUNSET_SECRET_COMMAND", "vault")
        .set("KEYSUNSET_ADDRESSES", "203.0.113.7")
        .set("KEYSUNSET_RUNNER_ADDRESS", "127.0.0.1");
    migration.ends(0, &["create"]);
    let stored = migration.env.text("stored");
    let stored: Vec<Value> = stored.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let check = |at: usize| {
        let text = |name: &str| stored[at][name].as_str().unwrap();
        migration.run_as((text("publicKey"), text("privateKey")), &["check"])
    };
    let second = check(1);
    assert_eq!((second.code, second.stdout.contains("works: key")), (1, true), "{second:#?}");
    assert!(second.stderr.contains(&format!("not checked: {TAG}")), "{second:#?}");
    migration.ends(1, &["disable"]);
    let first = check(0);
    assert_eq!((first.code, first.stdout.contains("passed check before")), (0, true), "{first:#?}");
    migration.ends(0, &["disable"]);
    assert_eq!(migration.enabled(), [ASKED, WAIVED]);
}

#[test]
fn rollback_enables_exactly_what_the_script_disabled() {
    let Some(migration) = Migration::new() else { return };
    migration.replace();
    // By somebody else.
    migration.set_enabled(RETIRED, false);
    migration.ends(0, &["disable"]);
    migration.set_enabled(ASKED, false);
    assert_eq!(migration.enabled(), [WAIVED]);
    migration.ends(0, &["rollback"]);
    assert_eq!(migration.enabled(), [REPLACED, WAIVED]);
    // What it enabled is no longer its own.
    migration.set_enabled(REPLACED, false);
    let output = migration.ends(0, &["rollback"]);
    assert!(output.stdout.contains("no key that this script disabled"), "{output:#?}");
    assert_eq!(migration.enabled(), [WAIVED]);
}

#[test]
fn an_interrupted_disable_can_be_continued_or_rolled_back() {
    for continued in [false, true] {
        let Some(migration) = Migration::new() else { return };
        migration.replace();
        let before = migration.stages().len();
        // Killed after the service did it, and before the journal has it.
        migration.put_in_front(
            "sync",
            "grep -q '\"disabling\"' plan/07-owner.done && touch armed; exec \"$REAL\" \"$@\"",
        );
        migration.put_in_front(
            "curl",
            "\"$REAL\" \"$@\"\ncase \" $* \" in *' PATCH '*) kill -9 $(cat script.pid);; esac",
        );
        let command = format!("echo $$ > script.pid; exec bash {} disable", super::script());
        let output = Command::new("bash")
            .args(["-c", &format!("bash -c '{command}'; echo \"ended $?\"")])
            .current_dir(migration.env.path(""))
            .envs([(
                "PATH",
                format!("{}:{}", migration.env.path("bin").display(), std::env::var("PATH").unwrap()),
            )])
            .envs([("KEYSUNSET_PUBLIC_KEY", ADMIN.0), ("KEYSUNSET_PRIVATE_KEY", ADMIN.1)])
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("ended 137"), "{output:?}");
        migration.take_away("curl");
        migration.take_away("sync");
        assert_eq!(migration.enabled(), [RETIRED, ASKED, WAIVED]);
        assert_eq!(migration.stages()[before..], ["disabling"]);
        // A line that was cut off.
        let mut journal = migration.env.bytes("plan/07-owner.done");
        journal.extend_from_slice(b"{\"stage\":\"disa");
        migration.env.put("plan/07-owner.done", journal);
        if continued {
            migration.ends(0, &["disable"]);
            assert_eq!(migration.enabled(), [ASKED, WAIVED]);
        }
        migration.ends(0, &["rollback"]);
        assert_eq!(migration.enabled(), [REPLACED, RETIRED, ASKED, WAIVED]);
    }
}

#[test]
fn a_refused_disable_is_not_rolled_back() {
    let Some(migration) = Migration::new() else { return };
    let before = migration.enabled();
    let change = |line: &str| migration.env.put("plan/07-owner.done", line);
    change(
        "{\"time\":\"2025-01-01T00:00:00Z\",\"stage\":\"disabling\",\"key_id\":\"5b17c1119cc0cdb6ac0bf406\"}\n\
        {\"time\":\"2025-01-01T00:00:00Z\",\"stage\":\"refused\",\"key_id\":\"5b17c1119cc0cdb6ac0bf406\"}\n",
    );
    migration.ends(0, &["rollback"]);
    assert_eq!(migration.enabled(), before);
}

#[test]
fn the_audits_own_key_needs_an_option_and_another_credential() {
    let own = |context: &mut Value| {
        context["keys"][0]["decision"] = "self".into();
        context["keys"][1]["decision"] = "ask".into();
    };
    let Some(migration) = Migration::with(|_| (), |_| (), own) else { return };
    migration.replace();
    migration.ends(0, &["disable"]);
    assert_eq!(migration.enabled(), [REPLACED, RETIRED, ASKED, WAIVED]);
    migration.ends(0, &["disable", "--self"]);
    assert_eq!(migration.enabled(), [RETIRED, ASKED, WAIVED]);
}

#[test]
fn a_script_does_not_disable_the_credential_that_it_uses() {
    let used = |context: &mut Value| {
        context["keys"][0]["decision"] = "ask".into();
        context["keys"][1]["decision"] = "ask".into();
        context["keys"][3]["decision"] = "replace".into();
    };
    let Some(migration) = Migration::with(|_| (), |_| (), used) else { return };
    let output = migration.run_as((OWNER_NAME, WAIVED_SECRET), &["disable"]);
    assert_eq!(output.code, 1, "{output:#?}");
    assert_eq!(migration.enabled(), [REPLACED, RETIRED, ASKED, WAIVED]);
}

#[test]
fn only_the_owner_deletes_and_only_disabled_keys() {
    let Some(migration) = Migration::new() else { return };
    migration.replace();
    migration.ends(0, &["disable", "--wave", "2"]);
    let output = migration.ends(1, &["delete"]);
    assert!(output.stderr.contains("only its owner can delete it"), "{output:#?}");
    assert!(output.stderr.contains("Account > Public API Access"), "{output:#?}");
    assert!(
        output.stderr.contains("\"disabled\" is the final state that an administrator can reach"),
        "{output:#?}"
    );
    let ids = || {
        let list = migration.api("GET", &format!("/users/{OWNER}/keys"), "");
        list["results"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(), ALL);
    let output = migration.run_as((OWNER_NAME, WAIVED_SECRET), &["delete"]);
    assert_eq!(output.code, 1, "{output:#?}");
    assert!(
        output.stderr.contains(&format!("not deleted: key {RETIRED} \"retire key\" is enabled")),
        "{output:#?}"
    );
    assert_eq!(ids(), [RETIRED, ASKED, WAIVED]);
    let output = migration.run_as((OWNER_NAME, WAIVED_SECRET), &["delete", "--wave", "2"]);
    assert_eq!((output.code, output.stdout.contains("gone: key")), (0, true), "{output:#?}");
    // A key that its owner deleted cannot come back.
    let output = migration.ends(0, &["rollback"]);
    assert!(output.stdout.contains("no key that this script disabled"), "{output:#?}");
}

#[test]
fn a_deployment_without_personal_keys_is_named() {
    let new = |options: &mut keysunset_sandbox::Options| options.service_version = "5.0.3".to_owned();
    let Some(migration) = Migration::with(new, |_| (), |_| ()) else { return };
    let output = migration.ends(1, &["verify"]);
    assert!(output.stderr.contains("404 RESOURCE_NOT_FOUND"), "{output:#?}");
    assert!(output.stderr.contains("5.0 and later has no personal API keys"), "{output:#?}");
}

#[test]
fn a_wave_without_keys_changes_nothing() {
    let Some(migration) = Migration::new() else { return };
    migration.ends(0, &["disable", "--wave", "4"]);
    assert_eq!(migration.enabled(), [REPLACED, RETIRED, ASKED, WAIVED]);
    assert_eq!(json!(migration.ends(2, &["disable", "--wave"]).code), 2);
}

#[test]
fn an_option_that_a_stage_does_not_have_is_refused() {
    let Some(migration) = Migration::new() else { return };
    for options in [
        ["create", "--wave=2"],
        ["create", "--self"],
        ["rollback", "--without-check"],
        ["check", "--recreate"],
    ] {
        assert_eq!(migration.ends(2, &options).stdout, "");
    }
    let output = migration.ends(2, &["create", "--wave", "2"]);
    assert!(
        output.stderr.contains("--wave does not work with create, only with: verify disable delete"),
        "{output:#?}"
    );
}
