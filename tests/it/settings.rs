//! Where a setting comes from: flags before environment before keysunset.toml before defaults, and credentials likewise.

use crate::stub::{PRIVATE, PUBLIC, Stub, USER, env, key};
use crate::support::TestEnv;

fn deployment(env: &TestEnv) -> String {
    env.rows()[0]["deployment"].clone()
}

#[test]
fn flags_beat_the_environment_then_the_file_then_the_default() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let url = stub.url();
    let audit = ["audit", "--url", &url, "--user", USER];
    let env = env();
    assert_eq!(env.run(&audit).code, 1);
    assert_eq!(deployment(&env), url.replace("/api/public/v1.0", ""));
    env.put("keysunset.toml", "name = \"of the file\"");
    assert_eq!(env.run(&audit).code, 1);
    assert_eq!(deployment(&env), "of the file");
    let env = env.with("KEYSUNSET_NAME", "of the environment");
    assert_eq!(env.run(&audit).code, 1);
    assert_eq!(deployment(&env), "of the environment");
    assert_eq!(env.run(&[&audit[..], &["--name", "of the flag"]].concat()).code, 1);
    assert_eq!(deployment(&env), "of the flag");
}

/// A run of one key that was used after the cutoff of the run, 2018-01-01, and before the default one.
fn stored() -> TestEnv {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--user", USER, "--cutoff", "2018-01-01"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    env
}

#[test]
fn what_is_typed_replaces_what_the_environment_sets_beside_it() {
    let report: &[&str] = &["report", "--out", "again", "--store", "reports/keysunset.db"];
    let mut env = stored();
    for (variable, value, typed, code) in [
        ("KEYSUNSET_CSV_RAW", "false", &[report, &["--csv-excel"]].concat()[..], 1),
        ("KEYSUNSET_CSV_RAW", "true", &[report, &["--csv-excel"]].concat(), 1),
        ("KEYSUNSET_CSV_EXCEL", "true", &[report, &["--csv-raw"]].concat(), 1),
        ("KEYSUNSET_RATCHET", "false", &[report, &["--baseline", "missing.ndjson"]].concat(), 5),
        ("KEYSUNSET_FORMAT", "csv", &["history", "--json", "--store", "reports/keysunset.db"], 0),
        (
            "KEYSUNSET_STORE",
            "missing.db",
            &["locate", "--keys", "reports/keys.csv", "--out", "again", "."],
            0,
        ),
    ] {
        env = env.with(variable, value);
        let ran = env.run(typed);
        assert_eq!(ran.code, code, "{variable}={value} {typed:?}: {ran:?}");
        env = env.without(variable);
    }
    // As in a layer below.
    env.put("keysunset.toml", "ratchet = false\n");
    let ran = env.run(&[report, &["--baseline", "missing.ndjson"]].concat());
    assert_eq!(ran.code, 5, "{ran:?}");
    // Both in one layer are a contradiction.
    let ran = env.run(&[report, &["--csv-raw", "--csv-excel"]].concat());
    assert_eq!(ran.code, 2, "{ran:?}");
}

/// As CI systems pass a variable that is not set.
#[test]
fn a_variable_without_a_value_is_not_set() {
    let mut env = stored();
    for variable in
        ["FAIL_ON", "EXIT_ZERO", "WAIVERS", "CUTOFF", "FORMAT", "ACTIVE_WITHIN", "OUT", "BASELINE"]
    {
        env = env.with(&format!("KEYSUNSET_{variable}"), "");
        let ran = env.run(&["report", "--store", "reports/keysunset.db"]);
        assert_eq!(ran.code, 1, "{variable}: {ran:?}");
    }
}

#[test]
fn an_invalid_variable_is_named_unless_its_flag_is_typed() {
    let mut env = stored();
    for (variable, flag, typed) in [
        ("KEYSUNSET_EXIT_ZERO", "--exit-zero", "--exit-zero=1"),
        ("KEYSUNSET_FAIL_ON", "--fail-on", "--fail-on=1"),
        ("KEYSUNSET_FORMAT", "--format", "-f1"),
        ("KEYSUNSET_CUTOFF", "--cutoff", "--cutoff=1"),
    ] {
        env = env.with(variable, "1");
        let tip = format!("the value is from the environment variable {variable}");
        for (flags, is_named) in [(&["report"][..], true), (&["report", typed], false)] {
            let ran = env.run(flags);
            assert_eq!((ran.code, ran.stderr.contains(flag)), (2, true), "{flags:?}: {ran:?}");
            assert_eq!(ran.stderr.contains(&tip), is_named, "{flags:?}: {ran:?}");
        }
        env = env.without(variable);
    }
}

/// The service's times are cut to the second before they are compared with it.
#[test]
fn a_cutoff_with_a_fraction_of_a_second_is_refused() {
    let env = stored();
    let ran = env.run(&["report", "--cutoff", "2018-05-14T14:45:23.5Z"]);
    assert_eq!((ran.code, ran.stderr.contains("fraction of a second")), (2, true), "{ran:?}");
    env.put("keysunset.toml", "cutoff = \"2018-05-14T14:45:23.5Z\"\n");
    let ran = env.run(&["report"]);
    assert_eq!((ran.code, ran.stderr.contains("fraction of a second")), (5, true), "{ran:?}");
}

#[test]
fn a_stored_run_is_rendered_with_its_own_cutoff_as_the_help_says() {
    let env = stored();
    for command in ["report", "merge", "export"] {
        for help in ["-h", "--help"] {
            let help = env.run(&[command, help]).stdout;
            assert_eq!(help.matches("[default: as in the run]").count(), 2, "{help}");
            assert!(!help.contains("[default: 2021-03-01]"), "{help}");
        }
    }
    for (cutoff, verdict) in
        [(&[][..], "used-after-cutoff"), (&["--cutoff", "2021-03-01"], "not-used-since-cutoff")]
    {
        assert_eq!(env.run(&[&["report"], cutoff].concat()).code, 1);
        assert_eq!(env.rows()[0]["verdict"], verdict);
    }
}

/// Reports without a name for the deployment say nothing.
#[test]
fn a_blank_name_is_refused() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let url = stub.url();
    for blank in ["", " ", "\t"] {
        for command in
            [&["audit", "--url", &url, "--user", USER][..], &["import", "."], &["doctor", "--url", &url]]
        {
            let ran = env().run(&[command, &["--name", blank]].concat());
            assert_eq!((ran.code, ran.stderr.contains("--name <NAME>")), (2, true), "{command:?}: {ran:?}");
            if !blank.is_empty() {
                let ran = env().with("KEYSUNSET_NAME", blank).run(command);
                assert_eq!(
                    (ran.code, ran.stderr.contains("--name <NAME>")),
                    (2, true),
                    "{command:?}: {ran:?}"
                );
            }
            let env = env();
            env.put("keysunset.toml", format!("name = {blank:?}"));
            let ran = env.run(command);
            let expected = "expected a name, which is not blank";
            assert_eq!((ran.code, ran.stderr.contains(expected)), (5, true), "{command:?}: {ran:?}");
        }
    }
    assert!(stub.asked().is_empty());
}

#[test]
fn the_file_can_say_everything() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env();
    let file = format!(
        "url = \"{}\"\nuser = \"{USER}\"\nname = \"east\"\nout = \"here\"\nstore = \"evidence.db\"\nformat = [\"csv\"]\n\
         cutoff = \"2018-01-01\"\nactive-within = 30\nfail-on = \"never\"\nconcurrency = 2\nrate = 50\ntimeout = 9\nretries = 1\n\
         product = \"ops-manager\"\nexit-zero = false\ncsv-raw = true\n",
        stub.url()
    );
    env.put("keysunset.toml", file);
    let ran = env.run(&["audit"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(env.path("evidence.db").is_file() && !env.path("here/migration-report.md").exists());
    let rows = crate::support::rows(&env.bytes("here/keys.csv"));
    assert_eq!(
        (rows[0]["deployment"].as_str(), rows[0]["cutoff"].as_str()),
        ("east", "2018-01-01T00:00:00Z")
    );
    assert_eq!(rows[0]["verdict"], "used-after-cutoff");
    assert_eq!(
        env.run(&["report", "--fail-on", "any"]).code,
        1,
        "report reads the same file, and a flag beats it"
    );
}

#[test]
fn a_setting_that_would_be_ignored_is_refused() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let url = stub.url();
    let env = env();
    env.put("keysunset.toml", "resume = true\n");
    let ran = env.run(&["audit", "--url", &url, "--user", USER]);
    assert!(ran.code == 5 && ran.stderr.contains("`resume`"), "{ran:?}");
    #[cfg(unix)]
    {
        std::fs::remove_file(env.path("keysunset.toml")).unwrap();
        std::os::unix::fs::symlink("gone.toml", env.path("keysunset.toml")).unwrap();
        let ran = env.run(&["audit", "--url", &url, "--user", USER]);
        assert!(ran.code == 5 && ran.stderr.contains("keysunset.toml"), "{ran:?}");
    }
}

/// Such as the year 2201 for 2021: then no key in use counts as one.
#[test]
fn a_cutoff_after_the_run_is_not_taken_in_silence() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let url = stub.url();
    for (cutoff, warned) in [("2201-03-01", true), ("2021-03-01", false)] {
        let ran = env().run(&["audit", "--url", &url, "--user", USER, "--cutoff", cutoff, "--quiet"]);
        assert_eq!(
            ran.stderr.contains("is after the run: no key counts as used after it"),
            warned,
            "{ran:?}"
        );
    }
}

#[test]
fn out_and_format_have_short_forms() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &["--user", USER, "-o", "here", "-f", "ndjson,csv"]).code, 1);
    assert!(env.path("here/keys.ndjson").is_file() && env.path("here/keys.csv").is_file());
    assert!(!env.path("here/migration-report.md").exists());
    let ran = env.run(&["history", "-o", "here", "-f", "json"]);
    assert!(ran.stdout.starts_with('{'), "{ran:?}");
}

#[test]
fn a_host_alone_gets_the_base_path_of_its_product() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let root = stub.url().replace("/api/public/v1.0", "");
    for url in [root.clone(), format!("{root}/"), format!("{}/", stub.url())] {
        assert_eq!(env().audit_at(&url, &["--user", USER]).code, 1, "{url}");
    }
    assert_eq!(env().audit_at(&root, &["--user", USER, "--product", "atlas"]).code, 1);
    let asked = stub.asked();
    let paths: Vec<_> = asked.iter().map(|asked| asked.target.split("/users/").next().unwrap()).collect();
    assert_eq!(paths, ["/api/public/v1.0", "/api/public/v1.0", "/api/public/v1.0", "/api/atlas/v1.0"]);
}

#[test]
fn credentials_of_the_vendors_tools_are_taken_after_our_own() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let ours = ("KEYSUNSET_PUBLIC_KEY", "KEYSUNSET_PRIVATE_KEY");
    let theirs = [
        ("MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"),
        ("MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"),
        ("MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"),
    ];
    for (public, private) in theirs {
        let env = TestEnv::empty().with(public, PUBLIC).with(private, &format!(" {PRIVATE}\n"));
        assert_eq!(env.audit_at(&stub.url(), &["--user", USER]).code, 1, "{public}");
        let env = TestEnv::empty()
            .with(public, "other")
            .with(private, "other")
            .with(ours.0, PUBLIC)
            .with(ours.1, PRIVATE);
        assert_eq!(env.audit_at(&stub.url(), &["--user", USER]).code, 1, "{public}");
        for (there, missing) in [(public, private), (private, public)] {
            let ran = TestEnv::empty().with(there, PRIVATE).audit_at(&stub.url(), &["--user", USER]);
            let half = format!("{there} is set, but {missing} is not");
            assert!(ran.code == 5 && ran.stderr.contains(&half) && !ran.stderr.contains(PRIVATE), "{ran:?}");
        }
    }
}

#[test]
fn the_report_names_the_credential_the_scope_and_the_settings() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env();
    let more =
        ["--user", USER, "--name", "east", "--cutoff", "2020-02-03", "--active-within", "17", "--rate", "50"];
    assert_eq!(env.audit_at(&stub.url(), &more).code, 1);
    let page = env.markdown();
    let version = env!("CARGO_PKG_VERSION");
    let root = stub.url().replace("/api/public/v1.0", "");
    for expected in ["east", &root, USER, "2020-02-03", "17", "2025-01-01T00:00:00Z", PUBLIC, version] {
        assert!(page.contains(expected), "{expected}");
    }
}
