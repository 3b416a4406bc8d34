//! A whole audit of a generated world: every key once, every user, and the tables of docs/reports.md worked out again here.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use keysunset_sandbox::{ExpectedKey, ExpectedUser, Options};

use crate::support::{
    COLUMNS, CUTOFF, NOW, Row, TestEnv, at, count, guarded, list_of_ids, of_user, ops_manager, rfc3339, rows,
    sandbox,
};

/// Verdict, severity and action by the two tables.
fn judged(key: &ExpectedKey, cutoff: DateTime<Utc>, active_days: i64) -> [&'static str; 3] {
    let verdict = match (key.last_used, key.used_count) {
        (Some(last), _) if last >= cutoff => "used-after-cutoff",
        (Some(_), _) => "not-used-since-cutoff",
        (None, Some(0)) => "never-used",
        (None, _) => "usage-unknown",
    };
    let lately = key.last_used.is_some_and(|last| at(NOW) - last <= chrono::TimeDelta::days(active_days));
    let (severity, action) = match (key.enabled, verdict) {
        (false, _) => ("info", "delete"),
        (true, "used-after-cutoff") => (if lately { "critical" } else { "high" }, "migrate"),
        (true, "usage-unknown") => ("medium", "investigate"),
        (true, _) => ("low", "disable-and-delete"),
    };
    [verdict, severity, action]
}

fn days_since(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(String::new, |time| (at(NOW) - time).num_days().to_string())
}

/// The row of a key, but for the reason, which is checked apart.
fn expected(deployment: &str, user: &ExpectedUser, key: &ExpectedKey, judged: [&str; 3], cutoff: i64) -> Row {
    let or_empty = |time: Option<_>| time.map_or_else(String::new, rfc3339);
    let [verdict, severity, action] = judged.map(str::to_owned);
    let fields = [
        deployment.to_owned(),
        user.id.clone(),
        user.username.clone(),
        "read".to_owned(),
        "200".to_owned(),
        String::new(),
        "1".to_owned(),
        rfc3339(at(NOW)),
        key.id.clone(),
        key.suffix.clone(),
        guarded(&key.description),
        key.enabled.to_string(),
        rfc3339(key.created),
        days_since(Some(key.created)),
        or_empty(key.last_used),
        days_since(key.last_used),
        key.used_count.map_or_else(String::new, |count| count.to_string()),
        verdict,
        severity,
        action,
        String::new(),
        rfc3339(at(cutoff)),
        "false".to_owned(),
    ];
    // No waivers; and the organizations are checked apart.
    COLUMNS
        .split(',')
        .map(str::to_owned)
        .zip(fields.into_iter().chain(std::iter::repeat(String::new())))
        .collect()
}

/// The reason shows its arithmetic: the use, the days between it and the cutoff, and the cutoff.
fn assert_reason(reason: &str, key: &ExpectedKey, cutoff: i64, day: &str) {
    assert!(!reason.is_empty(), "{key:?}");
    let Some(last) = key.last_used else { return };
    let days = (last - at(cutoff)).num_days().abs();
    let side = if last >= at(cutoff) { "after" } else { "before" };
    let plural = if days == 1 { "day" } else { "days" };
    let sentence = format!("last used {}, {days} {plural} {side} the cutoff {day}", rfc3339(last));
    assert!(reason.starts_with(&sentence), "{reason:?} does not start with {sentence:?}");
}

/// Holds all rows against the truth.
fn assert_true(
    rows: &[Row],
    deployment: &str,
    truth: &[ExpectedUser],
    cutoff: i64,
    day: &str,
    active_days: i64,
) {
    let mut by_key: BTreeMap<(String, String), Row> = BTreeMap::new();
    for row in rows {
        let place = (row["user_id"].clone(), row["key_id"].clone());
        assert!(by_key.insert(place, row.clone()).is_none(), "twice: {row:?}");
    }
    for user in truth {
        if user.keys.is_empty() {
            let row = by_key.remove(&(user.id.clone(), String::new())).unwrap();
            assert_eq!((&row["username"], &row["read_status"]), (&user.username, &"read".to_owned()));
            for column in
                ["key_suffix", "description", "enabled", "verdict", "severity", "action", "used_count"]
            {
                assert_eq!(row[column], "", "{column} of {row:?}");
            }
        }
        for key in &user.keys {
            let mut row = by_key.remove(&(user.id.clone(), key.id.clone())).unwrap();
            let org_id = row.insert("org_id".to_owned(), String::new()).unwrap();
            assert_eq!(org_id.len(), 24, "{row:?}");
            assert!(row.insert("org_ids".to_owned(), String::new()).unwrap().starts_with(&org_id));
            assert!(row.insert("org_names".to_owned(), String::new()).unwrap().starts_with("Example "));
            assert_reason(&row.insert("reason".to_owned(), String::new()).unwrap(), key, cutoff, day);
            assert_eq!(row, expected(deployment, user, key, judged(key, at(cutoff), active_days), cutoff));
        }
    }
    assert_eq!(by_key, BTreeMap::new(), "rows of nobody");
}

fn assert_sorted(rows: &[Row]) {
    let place = |row: &Row| {
        ["deployment", "username", "user_id", "created_at", "key_id"].map(|column| row[column].clone())
    };
    let places: Vec<_> = rows.iter().map(place).collect();
    assert!(places.is_sorted(), "{places:#?}");
}

#[test]
fn every_key_is_in_the_csv_once_with_all_its_fields() {
    for seed in [1, 7] {
        let sandbox = sandbox(Options { users: 150, seed, ..Options::default() });
        let env = TestEnv::at(&sandbox);
        let ran = env.audit(&sandbox, &["--all-orgs"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let origin = sandbox.announcement().url.replace("/api/public/v1.0", "");
        let truth: Vec<_> = sandbox.ground_truth().collect();
        assert!(truth.iter().any(|user| user.keys.is_empty()));
        assert_true(&env.rows(), &origin, &truth, CUTOFF, "2021-03-01", 90);
        assert_sorted(&env.rows());
    }
}

#[test]
fn another_cutoff_and_window_judge_again() {
    let sandbox = ops_manager(120);
    let env = TestEnv::at(&sandbox);
    let ran = env.audit(
        &sandbox,
        &["--all-orgs", "--name", "east", "--cutoff", "2019-02-03", "--active-within", "1000"],
    );
    assert_eq!(ran.code, 1, "{ran:?}");
    let truth: Vec<_> = sandbox.ground_truth().collect();
    assert_true(&env.rows(), "east", &truth, 1_549_152_000, "2019-02-03", 1000);
}

#[test]
fn the_header_is_the_contracts_and_lines_end_in_lf() {
    let sandbox = ops_manager(40);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    let text = env.text("reports/keys.csv");
    assert_eq!(text.lines().next().unwrap(), COLUMNS);
    assert!(text.ends_with('\n') && !text.starts_with('\u{feff}'));
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    let sandbox = ops_manager(60);
    let list = list_of_ids(&sandbox);
    let backwards: String = list.lines().rev().flat_map(|id| [id, "\n"]).collect();
    let files = [list, backwards].map(|list| {
        let env = TestEnv::at(&sandbox);
        env.put("list.txt", list);
        assert_eq!(env.audit(&sandbox, &["--users", "list.txt"]).code, 1);
        // The report has the hash of the list itself.
        let markdown = env.markdown();
        let lines = markdown.lines().filter(|line| !line.starts_with("| Input files |"));
        (env.text("reports/keys.csv"), lines.map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn the_same_evidence_gives_the_same_bytes_at_any_concurrency() {
    let sandbox = ops_manager(80);
    let files = ["1", "32"].map(|at_once| {
        let env = TestEnv::at(&sandbox);
        assert_eq!(env.audit(&sandbox, &["--all-orgs", "--concurrency", at_once]).code, 1);
        env.bytes("reports/keys.csv")
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn totals_in_the_markdown_are_those_of_the_truth() {
    let sandbox = ops_manager(150);
    let env = TestEnv::at(&sandbox);
    env.put("list.txt", list_of_ids(&sandbox) + "nobody@example.com\n");
    let ran = env.audit(&sandbox, &["--users", "list.txt"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let keys: Vec<_> = sandbox.ground_truth().flat_map(|user| user.keys).collect();
    let page = env.markdown();
    let mut sum = 0;
    for verdict in ["used-after-cutoff", "not-used-since-cutoff", "never-used", "usage-unknown"] {
        let number = keys.iter().filter(|key| judged(key, at(CUTOFF), 90)[0] == verdict).count();
        assert_eq!(crate::page::number(&page, verdict), Some(number), "{verdict}");
        sum += number;
    }
    assert_eq!(sum, keys.len());
    assert_eq!(crate::page::number(&page, "requested"), Some(151));
    assert_eq!(crate::page::number(&page, "read"), Some(150));
    assert_eq!(crate::page::number(&page, "not read"), Some(1));
    assert_eq!(count(&env.rows(), "read_status", "not-found"), 1);
}

#[test]
fn the_summary_names_the_files_and_quiet_prints_nothing() {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    let ran = env.audit(&sandbox, &["--all-orgs", "--out", "elsewhere"]);
    for name in ["elsewhere/keys.csv", "elsewhere/migration-report.md"] {
        assert!(ran.stdout.contains(name), "{name} in {}", ran.stdout);
    }
    let ran = env.audit(&sandbox, &["--all-orgs", "--quiet"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (1, "", ""));
}

#[test]
fn only_the_formats_asked_for_are_written_and_no_other_file() {
    let sandbox = ops_manager(20);
    for (format, expected) in [
        ("html", vec!["manifest.json", "report.html"]),
        ("csv", vec!["keys.csv", "manifest.json", "organizations.csv"]),
        ("markdown", vec!["manifest.json", "migration-report.md"]),
        ("markdown,csv", vec!["keys.csv", "manifest.json", "migration-report.md", "organizations.csv"]),
    ] {
        let env = TestEnv::at(&sandbox);
        env.audit(&sandbox, &["--all-orgs", "--format", format, "--store", "evidence.db"]);
        let files = env.files();
        let names = files.keys().filter_map(|path| path.strip_prefix("reports").ok()?.to_str());
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert!(env.path("evidence.db").is_file());
    }
}

#[test]
fn an_old_run_is_rendered_again_without_a_request() {
    let sandbox = ops_manager(60);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs", "--name", "all"]);
    let first = (env.bytes("reports/keys.csv"), env.bytes("reports/migration-report.md"));
    let truth: Vec<_> = sandbox.ground_truth().collect();
    let one = truth.iter().find(|user| user.keys.is_empty()).unwrap();
    let ran = env.audit(&sandbox, &["--user", &one.id, "--name", "one"]);
    assert_eq!((ran.code, env.rows().len()), (0, 1), "{ran:?}");
    sandbox.stop();

    assert_eq!(env.run(&["report"]).code, 0, "the newest run");
    assert_eq!(count(&env.rows(), "deployment", "one"), 1);

    assert_eq!(env.run(&["report", "--run", "1"]).code, 1);
    assert_eq!((env.bytes("reports/keys.csv"), env.bytes("reports/migration-report.md")), first);

    let other =
        ["report", "--run", "1", "--store", "reports/keysunset.db", "--out", "old", "--format", "csv"];
    let ran = env.run(&[&other[..], &["--cutoff", "2019-02-03"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!env.path("old/migration-report.md").exists());
    assert_true(&rows(&env.bytes("old/keys.csv")), "all", &truth, 1_549_152_000, "2019-02-03", 90);
}

#[test]
fn a_report_needs_neither_credentials_nor_the_same_day() {
    let sandbox = ops_manager(30);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    let before = env.bytes("reports/keys.csv");
    let later = TestEnv::empty().with("SOURCE_DATE_EPOCH", &(NOW + 90_000_000).to_string());
    later.put("reports/keysunset.db", env.bytes("reports/keysunset.db"));
    assert_eq!(later.run(&["report"]).code, 1);
    assert_eq!(later.bytes("reports/keys.csv"), before, "the same evidence gives the same bytes");
}

#[test]
fn a_user_in_two_organizations_is_read_once() {
    let sandbox = ops_manager(50);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs", "--org", &sandbox.announcement().org_id]);
    let all = env.rows();
    let users: BTreeSet<_> = all.iter().map(|row| row["user_id"].clone()).collect();
    assert_eq!(users.len(), 50);
    for user in sandbox.ground_truth() {
        assert_eq!(of_user(&all, &user.id).len(), user.keys.len().max(1));
    }
}
