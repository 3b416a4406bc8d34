//! No private key is in an argument, an environment, a log, on the terminal, or in a file but its own.

use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;

use keysunset_sandbox::{Balancer, Options};

use super::context::*;
use super::{Migration, script, secret_file};

const STAGES: [&str; 6] = ["create", "check", "verify", "disable", "rollback", "delete"];

/// The digits of a private key, in the form that its files have.
fn assert_without(text: &str, secrets: &[&str], place: &str) {
    for secret in secrets {
        assert!(!text.contains(secret), "{place} has {secret}");
    }
}

#[test]
fn no_program_gets_a_secret_in_an_argument_or_its_environment() {
    let Some(migration) = Migration::new() else { return };
    for name in ["curl", "jq", "sync", "ln", "mktemp"] {
        migration.put_in_front(
            name,
            "{ printf '%s\\n' \"$0\" \"$@\"; env; } >> \"$HOME/record\"\nexec \"$REAL\" \"$@\"",
        );
    }
    let mut printed = String::new();
    for stage in STAGES {
        // A trace prints no secret either.
        let output = migration.bash(&["-x", &script(), stage], &[]);
        assert_eq!(output.code, i32::from(stage == "delete"), "{output:#?}");
        printed.extend([output.stdout, output.stderr]);
    }
    let secret = migration.secret(ORG);
    let secrets = [ADMIN.1, secret["privateKey"].as_str().unwrap()];
    let record = migration.env.text("record");
    assert!(record.matches("/curl\n").count() >= 12 && record.contains("/ln\n"), "{record}");
    assert_without(&record, &secrets, "a program");
    assert_without(&printed, &secrets, "the terminal");
    for (path, bytes) in migration.env.files() {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let allowed = match path.to_str().unwrap() {
            "world.json" => 2,
            file if file == secret_file(ORG) => 1,
            _ => 0,
        };
        if allowed < 2 {
            assert_without(&text, &secrets[..=usize::from(allowed == 0)], path.to_str().unwrap());
        }
    }
}

/// curl alone gives up: the answer to a challenge always reaches another server than the one that made it.
#[test]
fn a_balancer_in_strict_turn_is_no_obstacle_and_sees_no_secret() {
    let turn = |options: &mut Options| {
        options.nodes = NonZeroUsize::new(3).unwrap();
        options.balancer = Balancer::Turn;
    };
    let Some(migration) = Migration::with(turn, |_| (), |_| ()) else { return };
    for name in ["curl", "md5sum"] {
        migration
            .put_in_front(name, "printf '%s\\n' \"$0\" \"$@\" >> \"$HOME/record\"\nexec \"$REAL\" \"$@\"");
    }
    assert!(migration.ends(0, &["create"]).stdout.contains("created: key"));
    assert!(migration.ends(0, &["check"]).stdout.contains("works: key"));
    let output = migration.run_as((ADMIN.0, "00000000-0000-4000-8000-000000000000"), &["verify"]);
    assert!(output.stderr.contains("status 401\n  help:  the service refused the credential"), "{output:#?}");
    let (record, secret) = (migration.env.text("record"), migration.secret(ORG));
    assert!(record.contains("/md5sum\n"), "{record}");
    assert_without(&record, &[ADMIN.1, secret["privateKey"].as_str().unwrap()], "a program");
}

#[test]
fn files_with_secrets_and_the_journal_are_the_users_alone() {
    let Some(migration) = Migration::new() else { return };
    migration.ends(0, &["create"]);
    let mode = |name: &str| std::fs::metadata(migration.env.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("secrets"), mode(&secret_file(ORG)), mode("plan/07-owner.done")), (0o700, 0o600, 0o600));
}

#[test]
fn a_folder_that_others_can_read_is_refused_before_any_request() {
    let Some(migration) = Migration::new() else { return };
    for mode in [0o750, 0o701, 0o720] {
        std::fs::create_dir_all(migration.env.path("secrets")).unwrap();
        std::fs::set_permissions(migration.env.path("secrets"), std::fs::Permissions::from_mode(mode))
            .unwrap();
        let output = migration.ends(1, &["create"]);
        assert!(output.stderr.contains("others have access to the folder"), "{output:#?}");
    }
    assert_eq!(migration.requests(), 0);
}

#[test]
fn a_command_gets_the_new_key_on_its_standard_input() {
    let Some(migration) = Migration::new() else { return };
    migration.put_in_front("vault", "printf '%s\\n' \"$@\" > arguments; env > environment; tee stored");
    std::fs::create_dir(migration.env.path("secrets")).unwrap();
    let migration =
        migration.set("KEYSUNSET_SECRETS", "").set("KEYSUNSET_SECRET_COMMAND", "vault  put $(touch pwned) *");
    let output = migration.ends(0, &["create"]);
    let stored: serde_json::Value = serde_json::from_str(&migration.env.text("stored")).unwrap();
    let private = stored["privateKey"].as_str().unwrap();
    assert_eq!(migration.env.text("arguments"), "put\n$(touch\npwned)\n*\n");
    assert_without(&migration.env.text("environment"), &[ADMIN.1, private], "the environment");
    assert_without(&format!("{output:?}"), &[private], "the terminal");
    assert!(!migration.env.path("pwned").exists());
    // The journal knows that it is stored, so that it is not made again.
    let again = migration.ends(0, &["create"]);
    assert!(again.stdout.contains("exists: key"), "{again:#?}");
    assert_eq!(migration.tagged("/orgs/5980cfdf0b6d97029d82f86e/apiKeys", TAG)[0]["id"], stored["id"]);
    // Where it is used, the new key itself is the credential.
    let new = (stored["publicKey"].as_str().unwrap(), private);
    let output = migration.run_as(new, &["check"]);
    assert_eq!((output.code, output.stdout.contains("works: key")), (0, true), "{output:#?}");
}

#[test]
fn a_key_that_cannot_be_stored_is_deleted() {
    let Some(migration) = Migration::new() else { return };
    migration.put_in_front("vault", "cat > /dev/null; exit 3");
    let migration = migration.set("KEYSUNSET_SECRETS", "").set("KEYSUNSET_SECRET_COMMAND", "vault");
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("was not stored, so the key is deleted"), "{output:#?}");
    assert_eq!(migration.tagged("/orgs/5980cfdf0b6d97029d82f86e/apiKeys", TAG).len(), 0);
}

#[test]
fn without_a_place_for_private_keys_no_request_is_sent() {
    let Some(migration) = Migration::new() else { return };
    let migration = migration.set("KEYSUNSET_SECRETS", "");
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("set KEYSUNSET_SECRETS to a folder"), "{output:#?}");
    assert_eq!(migration.requests(), 0);
}

#[test]
fn two_runs_at_once_are_one() {
    let Some(migration) = Migration::new() else { return };
    migration.put_in_front(
        "vault",
        &format!("cat > /dev/null; bash {} rollback 2> second; echo $? > code", script()),
    );
    let migration = migration.set("KEYSUNSET_SECRETS", "").set("KEYSUNSET_SECRET_COMMAND", "vault");
    migration.ends(0, &["create"]);
    assert_eq!(migration.env.text("code"), "1\n");
    assert!(migration.env.text("second").contains("another run of 07-owner.sh is active"));
}
