//! Profiles and variables of mongocli and the Atlas CLI.

use super::{atlas, put_private, root};
use crate::stub::{Digest, PRIVATE, PUBLIC, Reply, Stub, USER, key, list};
use crate::support::{TestEnv, list_of_ids};

fn profile(url: &str) -> String {
    format!(
        "[Prod]\nservice = \"ops-manager\"\nops_manager_url = \"{url}\"\npublic_api_key = \"{PUBLIC}\"\nprivate_api_key = \"{PRIVATE}\"\n"
    )
}

#[test]
fn a_profile_gives_the_deployment_the_scope_and_the_key() {
    let org = "5980000000000000000000aa";
    let stub = Stub::start(Digest::On, |asked| match asked.path.as_str() {
        path if path.ends_with("/keys") => Reply::ok(&list(&[key(1, "ci")])),
        _ => Reply::ok(&list(&[serde_json::json!({"id": USER, "username": "ann@example.com"})])),
    });
    let content = format!("skip_update_check = true\n{}org_id = \"{org}\"\n", profile(&root(&stub)));
    for (place, folder) in [
        (".config/mongocli/config.toml", None),
        (".config/mongocli.toml", None),
        ("xdg/mongocli/config.toml", Some("xdg")),
        ("xdg/mongocli.toml", Some("xdg")),
    ] {
        let mut env = TestEnv::empty();
        put_private(&env, place, &content);
        if let Some(folder) = folder {
            let folder = env.path(folder).to_str().unwrap().to_owned();
            env = env.with("XDG_CONFIG_HOME", &folder);
        }
        let ran = env.run(&["audit", "--profile", "prod"]);
        assert_eq!(ran.code, 1, "{place}: {ran:?}");
        assert!(env.markdown().contains(org) && env.rows()[0]["deployment"] == root(&stub), "{place}");
        env.put("keysunset.toml", "profile = \"prod\"\nname = \"by the file\"\n");
        assert_eq!(env.run(&["audit", "--retries", "0"]).code, 1);
        assert_eq!(env.rows()[0]["deployment"], "by the file");
    }
}

#[test]
fn flags_beat_the_tools_variables_and_these_the_profile() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = TestEnv::empty().with("MCLI_OPS_MANAGER_URL", &root(&stub));
    put_private(&env, ".config/mongocli/config.toml", &profile("http://127.0.0.1:1"));
    assert_eq!(env.run(&["audit", "--profile", "prod", "--user", USER]).code, 1);
    let env = env.with("MCLI_OPS_MANAGER_URL", "http://127.0.0.1:1");
    assert_eq!(env.audit_at(&stub.url(), &["--profile", "prod", "--user", USER]).code, 1);
    let env = env.with("MCLI_OPS_MANAGER_URL", "https://u:s3cr3t@");
    let ran = env.run(&["audit", "--profile", "prod", "--user", USER]);
    assert!(ran.code == 5 && !ran.stderr.contains("s3cr3t"), "{ran:?}");
}

#[test]
fn a_profile_of_the_atlas_cli_is_found_after_mongoclis() {
    let sandbox = atlas();
    let (public, private) = sandbox.credential_for(0);
    let env = TestEnv::empty().with("MONGODB_ATLAS_BASE_URL", &sandbox.announcement().url);
    put_private(
        &env,
        ".config/atlascli/config.toml",
        &format!("version = 2\n[mine]\npublic_api_key = \"{public}\"\nprivate_api_key = \"{private}\"\n"),
    );
    env.put("list.txt", list_of_ids(&sandbox));
    let user = sandbox.expected_user(0).unwrap().id;
    let ran = env.run(&["audit", "--profile", "mine", "--user", &user]);
    assert!([0, 1].contains(&ran.code), "{ran:?}");
    assert!(env.markdown().contains("Atlas"));
}

/// The profile's file is not refused as a file of credentials is, since the vendor's tool made it.
#[cfg(unix)]
#[test]
fn a_profile_that_others_can_read_is_a_warning_however_quiet() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = TestEnv::empty();
    let place = ".config/mongocli/config.toml";
    put_private(&env, place, &profile(&root(&stub)));
    super::mode(&env, place, 0o644);
    let ran = env.run(&["audit", "--profile", "prod", "--user", USER, "--quiet"]);
    let path = env.path(place);
    let expected = format!(
        "warning: other users can read or change {path} (mode 0644)\n  help: chmod 600 {path}\n",
        path = path.display()
    );
    assert_eq!((ran.code, ran.stderr), (1, expected));
}

#[test]
fn a_profile_that_is_not_there_lists_those_that_are() {
    let env = TestEnv::empty();
    let ran = env.run(&["audit", "--profile", "nope", "--all-orgs"]);
    assert!(ran.code == 5 && ran.stderr.contains("mongocli/config.toml"), "{ran:?}");
    put_private(&env, ".config/mongocli/config.toml", &profile("http://127.0.0.1:1"));
    put_private(&env, ".config/atlascli/config.toml", "[cloud]\n");
    let ran = env.run(&["audit", "--profile", "nope", "--all-orgs"]);
    assert!(ran.code == 5, "{ran:?}");
    for expected in ["nope", "Prod", "cloud", "help:"] {
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    put_private(&env, ".config/mongocli/config.toml", "[a]\nprivate_api_key = s3cr3t\n");
    let ran = env.run(&["audit", "--profile", "nope", "--all-orgs"]);
    assert!(
        ran.code == 5 && ran.stderr.contains("config.toml:2: ") && !ran.stderr.contains("s3cr3t"),
        "{ran:?}"
    );
}
