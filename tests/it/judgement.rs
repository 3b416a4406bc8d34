//! The edges of the judgement: the instant of the cutoff, the last day of the window, clocks that differ.

use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, USER, env, key, list};
use crate::support::{Row, rfc3339};

/// The row of a key with this last use.
fn row(last_used: &str, flags: &[&str]) -> Row {
    let mut key = key(1, "ci");
    key["lastUsed"] = Value::from(last_used);
    let stub = Stub::of_keys(vec![key]);
    let env = env();
    let ran = env.audit_at(&stub.url(), &[&["--user", USER], flags].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    env.rows().remove(0)
}

fn verdict(last_used: &str, flags: &[&str]) -> String {
    row(last_used, flags)["verdict"].clone()
}

#[test]
fn a_use_at_the_cutoff_counts_as_after_and_a_second_before_does_not() {
    for (flags, at, before) in [
        (&[][..], "2021-03-01T00:00:00Z", "2021-02-28T23:59:59Z"),
        (&["--cutoff", "2020-02-29"], "2020-02-29T00:00:00Z", "2020-02-28T23:59:59Z"),
        (&["--cutoff", "2021-03-01T12:00:00Z"], "2021-03-01T12:00:00Z", "2021-03-01T11:59:59Z"),
        (&["--cutoff", "2021-03-01T12:00:00+02:00"], "2021-03-01T10:00:00Z", "2021-03-01T09:59:59Z"),
    ] {
        assert_eq!(verdict(at, flags), "used-after-cutoff", "{flags:?}");
        assert_eq!(verdict(before, flags), "not-used-since-cutoff", "{flags:?}");
    }
}

#[test]
fn times_are_instants_whatever_their_spelling() {
    assert_eq!(verdict("2021-03-01T01:30:00+02:00", &[]), "not-used-since-cutoff");
    assert_eq!(verdict("2021-02-28T23:00:00-02:00", &[]), "used-after-cutoff");
    assert_eq!(verdict("2021-02-28T23:59:59.999Z", &[]), "not-used-since-cutoff");
    let row = row("2023-04-05T08:07:08+02:00", &[]);
    assert_eq!(row["last_used"], "2023-04-05T06:07:08Z");
    // The example of the contract.
    let reason = "last used 2023-04-05T06:07:08Z, 765 days after the cutoff 2021-03-01";
    assert!(row["reason"].starts_with(reason), "{row:?}");
}

#[test]
fn the_window_of_activity_ends_to_the_second() {
    // 90 days before 2025-01-01 is 2024-10-03.
    for (last_used, flags, severity) in [
        ("2024-10-03T00:00:00Z", &[][..], "critical"),
        ("2024-10-02T23:59:59Z", &[], "high"),
        ("2024-12-31T00:00:00Z", &["--active-within", "1"], "critical"),
        ("2024-12-30T23:59:59Z", &["--active-within", "1"], "high"),
        ("2021-03-01T00:00:00Z", &["--active-within", "100000"], "critical"),
        // Within the window, but before the cutoff.
        ("2021-02-28T00:00:00Z", &["--active-within", "100000"], "low"),
    ] {
        assert_eq!(row(last_used, flags)["severity"], severity, "{last_used} {flags:?}");
    }
}

/// mondoohq/mql#9375: the zero time of Go and .NET, and of Java, written for "not known".
#[test]
fn a_zero_time_beside_a_count_of_uses_is_usage_unknown() {
    for zero in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
        let row = row(zero, &[]);
        assert_eq!((row["verdict"].as_str(), row["used_count"].as_str()), ("usage-unknown", "7"));
        assert!(row["reason"].contains("counts as missing"), "{row:?}");
    }
}

#[test]
fn a_use_after_the_runs_own_now_is_in_use() {
    let row = row("2025-01-01T00:05:00Z", &[]);
    assert_eq!((row["verdict"].as_str(), row["severity"].as_str()), ("used-after-cutoff", "critical"));
    assert_eq!(row["last_used"], "2025-01-01T00:05:00Z");
}

#[test]
fn a_disabled_key_is_for_information_whatever_its_use() {
    for (last_used, used_count, verdict) in [
        (json!("2024-12-31T00:00:00Z"), json!(7), "used-after-cutoff"),
        (json!("2018-12-31T00:00:00Z"), json!(7), "not-used-since-cutoff"),
        (json!(null), json!(0), "never-used"),
        (json!(null), json!(7), "usage-unknown"),
        (json!(null), json!(null), "usage-unknown"),
    ] {
        let mut key = key(1, "ci");
        key["enabled"] = false.into();
        key["lastUsed"] = last_used;
        key["usedCount"] = used_count;
        let stub = Stub::of_keys(vec![key]);
        let env = env();
        assert_eq!(env.audit_at(&stub.url(), &["--user", USER]).code, 1);
        let judged = ["verdict", "severity", "action", "enabled"].map(|column| env.rows()[0][column].clone());
        assert_eq!(judged, [verdict, "info", "delete", "false"]);
    }
}

#[test]
fn a_date_that_cant_be_a_clock_is_named_and_not_used() {
    for date in ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let mut key = key(1, "ci");
        key["createdAt"] = Value::from(rfc3339(chrono::Utc::now() - chrono::TimeDelta::days(1)));
        key["lastUsed"] = key["createdAt"].clone();
        let body = list(&[key]);
        let stub = Stub::start(Digest::On, move |_| Reply::ok(&body).header("Date", date));
        let env = env().with("SOURCE_DATE_EPOCH", "");
        let ran = env.audit_at(&stub.url(), &["--user", USER, "--format", "csv,json"]);
        let row = &env.rows()[0];
        assert_eq!((row["age_days"].as_str(), row["severity"].as_str()), ("1", "critical"), "{ran:?}");
        assert_eq!(ran.stderr.matches("is more than a year off").count(), 1, "{ran:?}");
        assert!(!ran.words().contains("the clock of the deployment was"), "{ran:?}");
    }
}

/// Times of use are the deployment's: its own clock says how long ago they are.
#[test]
fn a_clock_difference_is_reported_and_activity_judged_by_it() {
    let days = |days: i64| chrono::Utc::now() + chrono::TimeDelta::days(days);
    for (clock, used, severity, way) in [
        (100, -80, "high", Some("ahead of")),
        (-60, -130, "critical", Some("behind")),
        (0, -80, "critical", None),
    ] {
        let date = days(clock).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut key = key(1, "ci");
        key["lastUsed"] = Value::from(rfc3339(days(used)));
        let body = list(&[key]);
        let stub = Stub::start(Digest::On, move |_| Reply::ok(&body).header("Date", &date));
        let env = env().with("SOURCE_DATE_EPOCH", "");
        let audit = ["--user", USER, "--format", "csv,markdown,json"];
        let ran = env.audit_at(&stub.url(), &audit);
        assert_eq!(env.rows()[0]["severity"], severity, "{ran:?}");
        let difference = way
            .map(|way| format!("{way} the clock of this machine; ages are calculated with the clock of the"));
        assert_eq!(ran.words().contains("the clock of the deployment was"), difference.is_some(), "{ran:?}");
        assert_eq!(
            env.markdown().contains("ages and recent use by the clock of the deployment"),
            difference.is_some()
        );
        if let Some(difference) = difference {
            assert!(ran.words().contains(&difference), "{difference}: {ran:?}");
            let quiet = env.run(&["report", "--quiet"]);
            assert!(quiet.stderr.contains("warning: the clock of the deployment was"), "{quiet:?}");
        }
        // From the stored run alone, whatever the clock of the report.
        let env = env.with("SOURCE_DATE_EPOCH", "1735689600");
        let csv = env.bytes("reports/keys.csv");
        assert_eq!(env.run(&["report"]).code, 1);
        assert_eq!(env.bytes("reports/keys.csv"), csv);
    }
}
