//! `--csv-excel`: a double click shows each text, time and count as it is, and what reads `keys.csv` reads this one too.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::everything::{USES, again, everything};
use crate::foreign::{python, skipped};
use crate::stub::{Stub, USER, env, key};
use crate::support::{COLUMNS, Row, TestEnv, guarded, rows};

/// The rows as Python's `csv` reads them.
const READ: &str = r#"
import csv, json, sys
with open(sys.argv[1], encoding="utf-8-sig", newline="") as file:
    print(json.dumps(list(csv.DictReader(file, delimiter=";", strict=True))))
"#;

const TIMES: [&str; 4] = ["read_at", "created_at", "last_used", "cutoff"];

/// What a reader shows of a cell: a formula is its text.
fn shown(cell: &str) -> &str {
    cell.strip_prefix("=\"").and_then(|text| text.strip_suffix('"')).unwrap_or(cell)
}

/// What a field of `keys.ndjson` should be shown as.
fn expected(column: &str, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(time) if TIMES.contains(&column) => time.replace('T', " ").replace('Z', ""),
        Value::String(text) if shown(text) == text => guarded(text),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn lines(env: &TestEnv) -> Vec<Value> {
    env.text("reports/keys.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The run of all cases, with its rows in the style for Excel in `excel`.
fn in_excel_style() -> TestEnv {
    let env = everything("ndjson");
    again(&env, "excel", &["--format", "csv", "--csv-excel"]);
    env
}

#[test]
fn a_formula_is_only_the_text_that_excel_would_convert() {
    let env = in_excel_style();
    let text = env.text("excel/keys.csv");
    assert!(text.starts_with(&format!("\u{feff}{}\n", COLUMNS.replace(',', ";"))), "{text}");
    let Some(read) = python(&["csv", "json", "sys"], READ, &[&env.path("excel/keys.csv")]) else { return };
    let found: Vec<Row> = serde_json::from_str(&read).unwrap();
    let lines = lines(&env);
    assert_eq!(found.len(), lines.len());
    for (row, line) in found.iter().zip(&lines) {
        for (column, cell) in row {
            assert_eq!(shown(cell), expected(column, &line[column]), "{column}");
            let text = shown(cell);
            if text != cell {
                assert!(!text.contains(['"', ';', '\n']) && text.len() < 256, "{column}: {cell}");
            }
            let first = cell.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
            assert!(text != cell || !first.starts_with(['=', '+', '@', '\u{ff1d}']), "{column}: {cell}");
        }
        for column in ["user_id", "key_id", "key_suffix", "org_id"] {
            assert!(row[column].is_empty() || row[column].starts_with("=\""), "{}", row[column]);
        }
    }
    let cells = |column: &str| found.iter().map(|row| row[column].clone()).collect::<Vec<_>>();
    assert!(cells("used_count").contains(&format!("=\"{USES}\"")), "more digits than Excel keeps");
    for text in ["'=1+1", "=\"1e999\"", "=\"000000000005\"", "' \u{200b}=2+2", "'\u{ff1d}1+1;'=3"] {
        assert!(cells("description").contains(&text.to_owned()), "{text}");
    }
    let organizations = env.text("excel/organizations.csv");
    assert!(organizations.starts_with("\u{feff}deployment;org_id;"), "{organizations}");
    assert!(organizations.contains(";\"=\"\"5980000000000000000000aa\"\"\";"), "{organizations}");
}

#[test]
fn a_file_for_excel_is_read_as_users_keys_and_evidence() {
    let stub = Stub::of_keys(vec![key(1, "000000000005"), key(2, "=1+1;2")]);
    let env = env();
    let plain = env.audit_at(&stub.url(), &["--user", USER, "--format", "csv", "--out", "plain"]);
    assert_eq!(plain.code, 1);
    assert_eq!(env.audit_at(&stub.url(), &["--user", USER, "--format", "csv", "--csv-excel"]).code, 1);
    let ran = env.run(&["verify", "reports"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let manifest: Value = serde_json::from_str(&env.text("reports/manifest.json")).unwrap();
    assert_eq!(
        (&manifest["output"]["csv_excel"], &manifest["output"]["csv_raw"]),
        (&true.into(), &false.into())
    );
    let list = ["--users", "reports/keys.csv", "--format", "csv", "--out", "again"];
    assert_eq!(env.audit_at(&stub.url(), &list).code, 1);
    let ids = |name: &str| {
        rows(&env.bytes(name))
            .into_iter()
            .map(|row| (row["user_id"].clone(), row["key_id"].clone()))
            .collect()
    };
    let (before, after): (Vec<_>, Vec<_>) = (ids("plain/keys.csv"), ids("again/keys.csv"));
    assert_eq!(before, after);
    env.put("src/script.sh", "echo nothing\n");
    let located = |keys: &str, out: &str| {
        let ran = env.run(&["locate", "src", "--keys", keys, "--out", out, "--format", "json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        env.text(&format!("{out}/locations.json"))
    };
    let same = |text: String| text.replace("reports/keys.csv", "plain/keys.csv");
    assert_eq!(same(located("reports/keys.csv", "one")), same(located("plain/keys.csv", "two")));
}

#[test]
fn one_style_of_csv_at_a_time_and_a_flag_replaces_the_style_of_the_file() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = env();
    let is_excel = |arguments: &[&str], file: &str| {
        env.put("keysunset.toml", file);
        let ran = env.audit_at(&stub.url(), &[&["--user", USER, "--format", "csv"], arguments].concat());
        assert_eq!(ran.code, 1, "{ran:?}");
        env.bytes("reports/keys.csv").starts_with("\u{feff}".as_bytes())
    };
    assert!(is_excel(&[], "csv-excel = true"));
    assert!(is_excel(&["--csv-excel"], "csv-raw = true"));
    assert!(!is_excel(&["--csv-raw"], "csv-excel = true"));
    assert!(!is_excel(&["--csv-excel=false"], "csv-excel = true"));
    assert_eq!(env.run(&["report", "--csv-raw", "--csv-excel"]).code, 2);
    env.put("keysunset.toml", "csv-raw = true\ncsv-excel = true");
    let ran = env.run(&["report"]);
    assert!(ran.code == 5 && ran.stderr.contains("csv-raw and csv-excel exclude each other"), "{ran:?}");
}

/// It converts as Excel does, and its workbook says which cells are formulas.
#[test]
#[ignore = "starts LibreOffice: just office"]
fn libreoffice_shows_each_text_time_and_count_as_it_is() {
    const CELLS: &str = r#"
import datetime, json, openpyxl, sys
def rows(values):
    names, *rows = openpyxl.load_workbook(sys.argv[1], data_only=values).active.iter_rows()
    for row in rows:
        yield {name.value: it.value.isoformat(" ") if isinstance(it.value, datetime.datetime) else it.value for name, it in zip(names, row)}
print(json.dumps([list(rows(True)), list(rows(False))]))
"#;
    let env = in_excel_style();
    let mut office = Command::new("soffice");
    let profile = format!("-env:UserInstallation=file://{}", env.path("office").display());
    // Separator, quote and character set, as its dialog asks for them: 59 is `;`, 76 is UTF-8.
    office
        .args([&profile, "--headless", "--infilter=CSV:59,34,76", "--convert-to", "xlsx", "--outdir"])
        .arg(env.path("sheets"));
    let Ok(output) = office.arg(env.path("excel/keys.csv")).output() else { return skipped("soffice") };
    assert!(output.status.success(), "{output:?}");
    let file = env.path("sheets/keys.xlsx");
    let modules = ["datetime", "json", "openpyxl", "sys"];
    let Some(read) = python(&modules, CELLS, &[Path::new(&file)]) else { return };
    let [values, formulas]: [Vec<Value>; 2] = serde_json::from_str(&read).unwrap();
    let lines = lines(&env);
    assert_eq!(values.len(), lines.len());
    for ((value, formula), line) in values.iter().zip(&formulas).zip(&lines) {
        for (column, cell) in value.as_object().unwrap() {
            let text = cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
            let text = if cell.is_null() { String::new() } else { text };
            // A day is a date, too.
            let text = if column == "waiver_expires" { text.replace(" 00:00:00", "") } else { text };
            let whole = |text: &str| text.replace("\r\n", "\n").replace(['\r', '\0'], "").trim().to_owned();
            assert_eq!(whole(&text), whole(&expected(column, &line[column])), "{column}");
            let formula = formula[column].as_str().filter(|it| it.starts_with('=')).unwrap_or_default();
            assert!(formula.is_empty() || shown(formula) == text, "{column}: {formula}");
        }
        assert!(value["created_at"].is_null() || line["created_at"].is_string());
    }
    assert!(values.iter().any(|row| row["used_count"].is_number()));
}
