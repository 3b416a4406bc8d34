//! A journal and a private key belong to one deployment: a copy of it, such as that of a rehearsal, has the same ids.

use serde_json::json;

use super::context::*;
use super::{Migration, secret_file};

const STAGES: [&str; 6] = ["create", "check", "verify", "disable", "rollback", "delete"];

#[test]
fn a_script_stops_before_any_request_at_the_journal_of_another_deployment() {
    for (field, value) in [("name", "prod"), ("base_url", "http://127.0.0.1:9/api/public/v1.0")] {
        let Some(mut migration) = Migration::new() else { return };
        for stage in ["create", "check", "disable"] {
            migration.ends(0, &[stage]);
        }
        let url = migration.sandbox.announcement().url.clone();
        migration.plan_again(|context| context["deployment"][field] = value.into());
        let (requests, journal) = (migration.requests(), migration.journal());
        for arguments in
            STAGES.map(|stage| vec![stage]).into_iter().chain([vec![], vec!["rollback", "--dry-run"]])
        {
            let output = migration.ends(1, &arguments);
            let why = format!("07-owner.done\" is of another deployment: \"om, {url}\"");
            assert!(output.stderr.contains(&why), "{output:#?}");
            assert!(output.stderr.contains("run keysunset plan with another folder"), "{output:#?}");
        }
        assert_eq!((migration.requests(), migration.journal()), (requests, journal));
        assert!(!migration.is_enabled(REPLACED));
    }
}

/// An earlier version wrote nothing of the deployment.
#[test]
fn a_journal_without_a_deployment_counts_and_is_continued() {
    let Some(migration) = Migration::new() else { return };
    for stage in ["create", "check", "disable"] {
        migration.ends(0, &[stage]);
    }
    let mut lines = migration.journal();
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        assert!(line.remove("deployment").is_some() && line.remove("base_url").is_some());
    }
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    migration.env.put("plan/07-owner.done", lines.join("\n"));
    migration.ends(0, &["rollback"]);
    assert!(migration.is_enabled(REPLACED) && migration.is_enabled(RETIRED));
    migration.ends(0, &["disable"]);
    assert!(!migration.is_enabled(REPLACED));
}

#[test]
fn a_private_key_of_another_deployment_is_not_taken_for_one_of_this() {
    let Some(migration) = Migration::new() else { return };
    migration.ends(0, &["create"]);
    let mut secret = migration.secret(ORG);
    secret["baseUrl"] = json!("https://staging.example/api/public/v1.0");
    let secret = secret.to_string();
    migration.env.put(&secret_file(ORG), &secret);
    for stage in ["create", "check"] {
        let output = migration.ends(1, &[stage]);
        assert!(output.stderr.contains("to a folder for this deployment alone"), "{output:#?}");
    }
    migration.api(
        "DELETE",
        &format!("/orgs/{ORG}/apiKeys/{}", migration.secret(ORG)["id"].as_str().unwrap()),
        "",
    );
    let output = migration.ends(1, &["create"]);
    assert!(output.stderr.contains("is there, but its key is not at http://127.0.0.1:"), "{output:#?}");
    assert_eq!(migration.env.text(&secret_file(ORG)), secret);
    assert_eq!(migration.tagged(&format!("/orgs/{ORG}/apiKeys"), TAG).len(), 0);
}
