//! Accepted exceptions: they stay in every report, marked, and no longer count; and they end.

use crate::stub::{Stub, env, id};
use crate::support::{CliOutput, NOW, TestEnv, of_user};
use crate::world::{Keys, World, audited, key, name};

/// An entry of the file; the now of every test is the first day of 2025.
fn waiver(what: &str, whom: &str, expires: &str) -> String {
    format!(
        "[[waiver]]\n{what} = \"{whom}\"\nreason = \"moves later\"\nowner = \"ops@example.com\"\nexpires = {expires}\nticket = \"OPS-1\"\n\n"
    )
}

fn run(stub: &Stub, waivers: &str, more: &[&str]) -> (TestEnv, CliOutput) {
    let env = env();
    env.put("waivers.toml", waivers);
    let ran = audited(&env, stub, &[&["--waivers", "waivers.toml"], more].concat());
    (env, ran)
}

/// One user with two keys in use, and one without.
fn two_keys() -> Stub {
    let keys = vec![key(1, 10, Some(NOW - 86_400), 7), key(1, 11, Some(NOW - 86_400), 7)];
    World::of(vec![(1, Keys::Are(keys)), (2, Keys::Are(Vec::new()))]).1
}

#[test]
fn a_waived_key_stays_in_the_reports_marked_and_does_not_count() {
    let stub = two_keys();
    let (env, ran) = run(&stub, &waiver("key", &id(10), "2025-06-30"), &[]);
    assert_eq!(ran.code, 1, "the other key is a finding: {ran:?}");
    let (desk_of_both, ran) = run(
        &stub,
        &[waiver("key", &id(10).to_uppercase(), "2025-06-30"), waiver("key", &id(11), "2025-12-31")].concat(),
        &[],
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("2 of 2 keys"), "{ran:?}");
    let rows = env.rows();
    let marks = ["waiver", "waiver_reason", "waiver_owner", "waiver_expires", "waiver_ticket"];
    let marked = |key: &str| {
        let row = rows.iter().find(|row| row["key_id"] == key).unwrap();
        marks.map(|column| row[column].as_str())
    };
    assert_eq!(marked(&id(10)), ["active", "moves later", "ops@example.com", "2025-06-30", "OPS-1"]);
    assert_eq!(marked(&id(11)), [""; 5]);
    assert!(rows.iter().filter(|row| !row["key_id"].is_empty()).all(|row| row["severity"] == "critical"));
    let page = desk_of_both.markdown();
    assert_eq!(page.matches("**waived until 2025-").count(), 2, "{page}");
}

#[test]
fn it_counts_to_the_end_of_its_last_day_and_warns_for_14_days() {
    let stub = two_keys();
    let other = waiver("key", &id(11), "2025-06-30");
    for (expires, standing, code, strict) in [
        ("2024-12-31", "expired", 1, 1),
        ("2025-01-01", "ending", 0, 1),
        ("2025-01-15", "ending", 0, 1),
        ("2025-01-16", "active", 0, 0),
    ] {
        let file = waiver("key", &id(10), expires) + &other;
        let (env, ran) = run(&stub, &file, &[]);
        assert_eq!(ran.code, code, "{expires}: {ran:?}");
        let rows = env.rows();
        let row = rows.iter().find(|row| row["key_id"] == id(10)).unwrap();
        assert_eq!(row["waiver"], standing, "{expires}");
        let is_shown = ran.words().contains(&format!("the waiver of key {} (line 1)", id(10)));
        assert_eq!(is_shown, standing != "active", "{expires}: {ran:?}");
        assert_eq!(run(&stub, &file, &["--strict-waivers"]).1.code, strict, "{expires}, strictly");
        assert_eq!(run(&stub, &file, &["--strict-waivers", "--exit-zero"]).1.code, 0, "{expires}");
    }
}

#[test]
fn one_that_matches_nothing_warns() {
    let stub = two_keys();
    let both = waiver("key", &id(10), "2025-06-30") + &waiver("key", &id(11), "2025-06-30");
    for (what, whom) in
        [("key", id(99)), ("user", id(1)), ("user", name(2)), ("user", "nobody@example.com".to_owned())]
    {
        let file = both.clone() + &waiver(what, &whom, "2025-06-30");
        let (_, ran) = run(&stub, &file, &[]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.words().contains("matches no key"), "{what} {whom}: {ran:?}");
        assert!(
            run(&stub, &file, &["--quiet"]).1.stderr.contains("matches no key"),
            "also where it is quiet"
        );
        assert_eq!(run(&stub, &file, &["--strict-waivers"]).1.code, 1, "{what} {whom}");
    }
}

#[test]
fn unreadable_users_may_be_waived_and_stay_in_the_reports() {
    let refused = Keys::Refused(401, "NOT_SELF");
    let (_, stub) = World::of(vec![(1, Keys::Are(Vec::new())), (2, refused.clone()), (3, refused)]);
    let one = waiver("user", &name(2).to_uppercase(), "2025-06-30");
    assert_eq!(run(&stub, &one, &[]).1.code, 3, "the other one counts");
    let both = one + &waiver("user", &id(3), "2025-06-30");
    let (env, ran) = run(&stub, &both, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("3 requested = 1 read + 2 not read (2 forbidden)"), "{ran:?}");
    let rows = env.rows();
    for user in [2, 3] {
        let row = of_user(&rows, &id(user))[0].clone();
        assert_eq!((row["read_status"].as_str(), row["waiver"].as_str()), ("forbidden", "active"));
    }
    assert!(env.markdown().contains("INCOMPLETE"), "unread is not read, waived or not");
    let expired = both.replace("2025-06-30", "2024-06-30");
    assert_eq!(run(&stub, &expired, &[]).1.code, 3);
}

#[test]
fn a_waiver_of_a_user_waives_no_key() {
    let (_, stub) = World::of(vec![(1, Keys::Are(vec![key(1, 10, None, 0)]))]);
    let file = waiver("user", &id(1), "2025-06-30");
    let (env, ran) = run(&stub, &file, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(env.rows()[0]["waiver"], "");
}

#[test]
fn all_problems_are_reported_by_line_before_any_request() {
    let stub = two_keys();
    let file = "[[waiver]]\nkey = \"x\"\nreason = \"\"\nowner = \"o\"\nexpires = 2024-06-30\n\n[[waiver]]\nuser = \"u\"\nexpires = 2026-06-30\n";
    let (env, ran) = run(&stub, file, &[]);
    assert_eq!(ran.code, 5, "{ran:?}");
    for line in ["waivers.toml:2:", "waivers.toml:3:", "waivers.toml:9:"] {
        assert!(ran.stderr.contains(line), "{line}: {ran:?}");
    }
    assert!(stub.asked().is_empty());
    assert!(!env.path("reports").exists(), "nothing is left behind");
    let ran = audited(&env, &stub, &["--waivers", "nowhere.toml"]);
    assert_eq!((ran.code, ran.stderr.contains("nowhere.toml")), (5, true), "{ran:?}");
}

#[test]
fn a_run_is_rendered_again_with_other_waivers() {
    let stub = two_keys();
    let (env, ran) = run(&stub, "", &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let both = waiver("key", &id(10), "2025-06-30") + &waiver("key", &id(11), "2025-06-30");
    env.put("waivers.toml", both);
    assert_eq!(env.run(&["report", "--waivers", "waivers.toml"]).code, 0);
    let first = env.files();
    // A later day on which it is read changes nothing.
    let later = env.with("SOURCE_DATE_EPOCH", &(NOW + 30 * 86_400).to_string());
    assert_eq!(later.run(&["report", "--waivers", "waivers.toml"]).code, 0);
    assert_eq!(later.bytes("reports/keys.csv"), first[std::path::Path::new("reports/keys.csv")]);
}

#[test]
fn the_settings_file_may_name_them() {
    let stub = two_keys();
    let env = env();
    let both = waiver("key", &id(10), "2025-06-30") + &waiver("key", &id(11), "2025-01-02");
    env.put("w.toml", both);
    env.put("keysunset.toml", "waivers = \"w.toml\"\n");
    assert_eq!(audited(&env, &stub, &[]).code, 0);
    env.put("keysunset.toml", "waivers = \"w.toml\"\nstrict-waivers = true\n");
    assert_eq!(audited(&env, &stub, &[]).code, 1);
}

#[test]
fn the_end_of_a_waiver_counts_under_the_ratchet_too() {
    let stub = two_keys();
    let both = waiver("key", &id(10), "2025-01-10") + &waiver("key", &id(11), "2025-06-30");
    let (env, ran) = run(&stub, &both, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let env = env.with("SOURCE_DATE_EPOCH", &(NOW + 20 * 86_400).to_string());
    let again = audited(&env, &stub, &["--waivers", "waivers.toml", "--ratchet"]);
    assert_eq!(again.code, 1, "what it covered is a finding again: {again:?}");
}

#[test]
fn strict_waivers_fail_ended_waivers_like_ending_ones() {
    let stub = two_keys();
    for expires in ["2024-12-31", "2025-01-05"] {
        let file = waiver("key", &id(10), expires);
        let (_, ran) = run(&stub, &file, &["--strict-waivers", "--fail-on", "never"]);
        assert_eq!((ran.code, ran.words().contains("correct the waivers")), (1, true), "{expires}: {ran:?}");
    }
}

#[test]
fn a_waived_user_is_not_called_read() {
    let (_, stub) = World::of(vec![(1, Keys::Refused(401, "NOT_SELF"))]);
    let (_, ran) = run(&stub, &waiver("user", &id(1), "2025-06-30"), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.words().contains("waivers cover all users and lists that were not read"), "{ran:?}");
}

#[test]
fn two_on_one_line_are_two() {
    let stub = two_keys();
    let one = |key: usize| {
        format!("{{key = \"{}\", reason = \"r\", owner = \"o\", expires = 2025-06-30}}", id(key))
    };
    let file = format!("waiver = [{}, {}, {}]\n", one(10), one(11), one(99));
    let (_, ran) = run(&stub, &file, &["--strict-waivers"]);
    assert_eq!((ran.code, ran.stdout.contains(&id(99))), (1, true), "{ran:?}");
}

#[test]
fn a_waiver_of_a_deployment_counts_there_alone() {
    let stub = two_keys();
    let env = env();
    for name in ["east", "west"] {
        let out = ["--out", name, "--name", name, "--fail-on", "never"];
        assert_eq!(env.audit_at(&stub.url(), &[&["--org", crate::world::ORG], &out[..]].concat()).code, 0);
    }
    let merged = |file: &str, more: &[&str]| {
        env.put("waivers.toml", file);
        env.run(&[&["merge", "east", "west", "--out", "both", "--waivers", "waivers.toml"], more].concat())
    };
    let anywhere = waiver("key", &id(10), "2025-06-30") + &waiver("key", &id(11), "2025-06-30");
    let ran = merged(&anywhere, &[]);
    assert_eq!((ran.code, ran.words().contains("applies to several deployments")), (0, true), "{ran:?}");
    assert_eq!(merged(&anywhere, &["--strict-waivers"]).code, 1);
    let of = |name: &str| anywhere.replace("reason", &format!("deployment = \"{name}\"\nreason"));
    let ran = merged(&of("east"), &[]);
    assert_eq!((ran.code, ran.stdout.contains("2 of 4 keys")), (1, true), "{ran:?}");
    assert_eq!(merged(&(of("east") + &of("west")), &["--strict-waivers"]).code, 0);
}

#[test]
fn in_a_merge_all_count_by_the_latest_run() {
    let stub = two_keys();
    let env = env();
    let audit = |env: &TestEnv, name: &str, more: &[&str]| {
        let out = ["--out", name, "--name", name, "--fail-on", "never"];
        assert_eq!(env.audit_at(&stub.url(), &[&out[..], more].concat()).code, 0);
    };
    audit(&env, "old", &["--org", crate::world::ORG]);
    let env = env.with("SOURCE_DATE_EPOCH", &(NOW + 60 * 86_400).to_string());
    audit(&env, "new", &["--user", &id(2)]);
    env.put("waivers.toml", waiver("key", &id(10), "2025-01-20") + &waiver("key", &id(11), "2025-01-20"));
    let ran = env.run(&["merge", "old", "new", "--out", "both", "--waivers", "waivers.toml"]);
    assert_eq!(ran.code, 1, "what has ended counts for none: {ran:?}");
}
