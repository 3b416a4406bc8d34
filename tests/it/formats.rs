//! All formats of one run have the same keys and the same totals, key by key.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::everything::{again, everything, plan_and_locate};
use crate::support::{Row, TestEnv, count, rows};
use crate::{html, xlsx};

#[test]
fn all_formats_of_a_run_have_the_same_keys_and_totals() {
    let env = everything("csv");
    plan_and_locate(&env);
    let formats = "csv,markdown,html,json,ndjson,sarif,junit,gitlab,prometheus,xlsx";
    again(&env, "reports", &["--format", formats, "--csv-raw"]);
    let rows = env.rows();
    let expected: BTreeMap<_, _> =
        rows.iter().filter(|row| !row["key_id"].is_empty()).map(|row| (row["key_id"].clone(), row)).collect();
    let html = html::page(&env, "reports");
    let shown = html::keys(&html::data(&html));
    assert!(shown.keys().eq(expected.keys()), "{:?}", shown.keys());
    for (id, row) in &shown {
        // `keys.csv` has no decisions; they are compared with those of `plan.csv`.
        for (column, value) in row.iter().filter(|(column, _)| *column != "decision") {
            assert_eq!(value, &expected[id][column], "{column} of {id}");
        }
    }
    let json: Value = serde_json::from_str(&env.text("reports/findings.json")).unwrap();
    let ndjson = env.text("reports/keys.ndjson");
    let ndjson = ndjson.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
    for rows in [json["rows"].as_array().unwrap(), &ndjson] {
        let keys: BTreeMap<_, _> =
            rows.iter().filter_map(|row| Some((row["key_id"].as_str()?, row))).collect();
        assert!(keys.keys().eq(expected.keys()));
        for (id, row) in &expected {
            for column in ["key_suffix", "description", "severity", "verdict", "action", "reason"] {
                assert_eq!(keys[&**id][column].as_str().unwrap_or_default(), row[column], "{column} of {id}");
            }
        }
    }
    let markdown = env.markdown();
    let texts = ["findings.sarif", "junit.xml", "gl-code-quality-report.json"]
        .map(|name| env.text(&format!("reports/{name}")));
    for (id, row) in &expected {
        assert!(texts.iter().all(|text| text.contains(id)), "{id}");
        assert!(row["key_suffix"].is_empty() || markdown.contains(&row["key_suffix"]), "{id}");
    }
    let samples = env.text("reports/keysunset.prom");
    for severity in ["critical", "high", "medium", "low", "info"] {
        let total = expected.values().filter(|row| row["severity"] == severity).count();
        assert_eq!(html::number(&html, "Keys by severity", severity), Some(total), "{severity}");
        assert_eq!(crate::page::number(&markdown, severity), Some(total), "{severity}");
        assert_eq!(json["totals"]["severities"][severity], total);
        let samples = samples.lines().filter(|line| line.contains(&format!("severity=\"{severity}\"")));
        let keys = samples.filter(|line| line.starts_with("keysunset_keys{"));
        let sum: usize = keys.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
        assert_eq!(sum, total, "{severity}");
    }
    for verdict in ["used-after-cutoff", "not-used-since-cutoff", "never-used", "usage-unknown"] {
        let total = count(&rows, "verdict", verdict);
        assert_eq!(html::number(&html, "Keys by verdict", verdict), Some(total), "{verdict}");
    }
    let [users, read, unread] = ["users", "users_read", "users_unread"].map(|it| &json["totals"][it]);
    assert!(html.contains(&format!("<strong>{users} = {read} + {unread}</strong> users")));
    for_excel_is_the_same(&env, &expected);
    let decisions = plan_is_the_same(&env, &shown);
    for decision in ["replace", "retire", "delete-only", "ask", "self", "waived"] {
        let counted = decisions.values().filter(|it| *it == decision).count();
        assert_eq!(
            html::number(&html, "Keys by decision of the plan", decision),
            Some(counted),
            "{decision}"
        );
    }
    places_are_the_same(&env, &expected, &html);
    workbook_is_the_same(&env, &expected, &decisions);
}

type Keys<'a> = BTreeMap<String, &'a Row>;

/// `keys.csv` of `--csv-excel` has the keys of the plain one.
fn for_excel_is_the_same(env: &TestEnv, expected: &Keys) {
    again(env, "excel", &["--format", "csv", "--csv-excel"]);
    let file = env.bytes("excel/keys.csv");
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap();
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(file);
    let rows: Vec<Row> = reader.deserialize().map(Result::unwrap).collect();
    let text = |text: &str| text.trim_start_matches("=\"").trim_end_matches('"').to_owned();
    let keys: BTreeMap<_, _> =
        rows.iter().filter(|row| !row["key_id"].is_empty()).map(|row| (text(&row["key_id"]), row)).collect();
    assert!(keys.keys().eq(expected.keys()));
    for (id, row) in expected {
        for column in ["severity", "verdict", "action", "enabled", "waiver", "places", "live_places"] {
            assert_eq!(keys[id][column], row[column], "{column} of {id}");
        }
        assert_eq!(text(&keys[id]["key_suffix"]), row["key_suffix"], "{id}");
    }
}

/// Of each key, `plan.csv` and the page have the same decision; returns them.
fn plan_is_the_same(env: &TestEnv, shown: &BTreeMap<String, Row>) -> BTreeMap<String, String> {
    let plan = rows(&env.bytes("reports/plan.csv"));
    let keys = plan.iter().filter(|row| !row["key_id"].is_empty());
    let decisions: BTreeMap<_, _> =
        keys.map(|row| (row["key_id"].clone(), row["decision"].clone())).collect();
    assert!(shown.iter().map(|(id, row)| (id, &row["decision"])).eq(&decisions));
    decisions
}

/// `locations.csv` has as many places of a key as `keys.csv` says, and the page names each of these keys.
fn places_are_the_same(env: &TestEnv, expected: &Keys, html: &str) {
    let places = rows(&env.bytes("reports/locations.csv"));
    let located = expected.values().filter(|row| row["places"] != "0" && !row["places"].is_empty());
    for row in located.clone() {
        assert_eq!(count(&places, "key_id", &row["key_id"]).to_string(), row["places"], "{row:?}");
    }
    let located = located.count();
    assert_eq!(located, 2);
    assert!(html.contains(&format!("<code>keysunset locate</code> found {located} keys.")));
}

/// The sheets have the keys of the other formats, with the same decisions and numbers of places.
fn workbook_is_the_same(env: &TestEnv, expected: &Keys, decisions: &BTreeMap<String, String>) {
    let Some(book) = xlsx::workbook(env) else { return };
    let sheet = |name: &str| book[name].as_array().unwrap().iter().map(xlsx::texts).collect::<Vec<_>>();
    let keys = sheet("Keys");
    assert_eq!(keys.len(), expected.len());
    for row in &keys {
        let expected = expected[&row["key_id"]];
        for column in ["severity", "verdict", "action", "key_suffix", "places", "live_places", "waiver"] {
            assert_eq!(row[column], expected[column], "{column} of {}", row["key_id"]);
        }
    }
    let planned = sheet("Plan");
    let planned = planned.iter().filter(|row| !row["key_id"].is_empty());
    assert!(
        planned.clone().count() == expected.len()
            && planned.clone().all(|row| decisions[&row["key_id"]] == row["decision"])
    );
    let places = sheet("Places");
    for (id, row) in expected {
        let number = if row["places"].is_empty() { "0" } else { &row["places"] };
        assert_eq!(count(&places, "key_id", id).to_string(), number, "{id}");
    }
    let summary = book["Summary"].as_array().unwrap();
    let total = |label: &str| {
        summary.iter().find(|line| line[0][1] == *label).unwrap_or_else(|| panic!("{label}"))[1][1].as_u64()
    };
    for (column, words) in [
        ("severity", &["critical", "high", "medium", "low", "info"][..]),
        ("verdict", &["used-after-cutoff", "not-used-since-cutoff", "never-used", "usage-unknown"]),
        ("action", &["migrate", "investigate", "disable-and-delete", "delete"]),
    ] {
        for word in words {
            let counted = expected.values().filter(|row| row[column] == *word).count();
            assert_eq!(total(&format!("{column} {word}")), Some(counted as u64), "{column} {word}");
        }
    }
    for decision in ["replace", "retire", "delete-only", "ask", "self", "waived"] {
        let counted = decisions.values().filter(|it| *it == decision).count();
        assert_eq!(total(&format!("decision {decision}")), Some(counted as u64), "{decision}");
    }
}
