//! `keys.xlsx` as `openpyxl` and `LibreOffice` read it, held against `keys.ndjson` of the same run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use keysunset::printable::printable;
use serde_json::{Value, json};

use crate::everything::{again, everything};
use crate::foreign::{python, skipped};
use crate::support::{Row, TestEnv, ops_manager, rows};

/// All cells: of each sheet a list of rows, of each row an object by the heading. A cell is its type and its value.
const READ: &str = r#"
import datetime, json, openpyxl, sys
book = openpyxl.load_workbook(sys.argv[1])
def cell(it):
    value = it.value
    if isinstance(value, datetime.datetime):
        value = value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [it.data_type, value]
colours = {
    "critical": "FFF4B6B6", "high": "FFFBD5B0", "medium": "FFFFF0B3", "low": "FFCFE3F7", "info": "FFE6E6E6",
}
sheets = {}
for sheet in book:
    rows = list(sheet.iter_rows())
    names = [it.value for it in rows[0]]
    if sheet.title == "Summary":
        sheets[sheet.title] = [[cell(it) for it in row] for row in rows]
    else:
        sheets[sheet.title] = [dict(zip(names, map(cell, row))) for row in rows[1:]]
        assert sheet.freeze_panes == "A2", sheet.freeze_panes
        assert sheet.auto_filter.ref == sheet.dimensions, (sheet.auto_filter.ref, sheet.dimensions)
        assert sheet.print_title_rows == "$1:$1", sheet.print_title_rows
        assert all(it.font.b for it in rows[0]), sheet.title
        for row in rows[1:] if "severity" in names else []:
            severity = row[names.index("severity")]
            assert severity.fill.fgColor.rgb == colours.get(severity.value, "00000000"), severity.value
            assert severity.font.b == (severity.value == "critical"), severity.value
print(json.dumps(sheets))
"#;

/// The sheets, by name.
pub(crate) fn workbook(env: &TestEnv) -> Option<Value> {
    let modules = ["datetime", "json", "openpyxl", "sys"];
    let printed = python(&modules, READ, &[&env.path("reports/keys.xlsx")])?;
    Some(serde_json::from_str(&printed).unwrap())
}

/// What a cell shows for a field of `keys.ndjson`; empty for null and for no text.
fn shown(column: &str, value: &Value) -> Value {
    match value {
        Value::Null => json!(["n", null]),
        Value::Bool(is) => json!(["s", if *is { "yes" } else { "no" }]),
        // A cell is a 64-bit float.
        Value::Number(number) if number.as_u64().is_some_and(|number| number > 1 << 53) => {
            json!(["s", number.to_string()])
        }
        Value::Number(number) => json!(["n", number]),
        Value::String(time) if ["created_at", "last_used", "read_at", "cutoff"].contains(&column) => {
            json!(["d", time])
        }
        Value::String(day) if column == "waiver_expires" => json!(["d", format!("{day}T00:00:00Z")]),
        Value::String(text) if text.is_empty() => json!(["n", null]),
        Value::String(text) => json!(["s", printable(text)]),
        other => panic!("{column}: {other}"),
    }
}

/// Blank texts are read back as no text by some readers, and mean the same.
fn is_same(found: &Value, expected: &Value) -> bool {
    let is_blank = |cell: &Value| cell[1].as_str().map_or(cell[1].is_null(), |text| text.trim().is_empty());
    found == expected || (is_blank(found) && is_blank(expected))
}

fn lines(env: &TestEnv) -> Vec<Value> {
    env.text("reports/keys.ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_key_and_each_unread_user_is_a_row_of_typed_cells_and_nothing_is_a_formula() {
    let env = everything("ndjson,xlsx,csv");
    let Some(book) = workbook(&env) else { return };
    let (keys, others): (Vec<_>, Vec<_>) =
        lines(&env).into_iter().partition(|line| line["key_id"].is_string());
    let unread: Vec<_> = others
        .into_iter()
        .filter(|line| line["read_status"] != "read" && line["read_status"] != "removed")
        .collect();
    assert!(keys.len() > 10 && unread.len() > 5);
    for (sheet, expected) in [("Keys", &keys), ("Users not read", &unread)] {
        let found = book[sheet].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{sheet}");
        for (found, expected) in found.iter().zip(expected) {
            for (column, cell) in found.as_object().unwrap() {
                let expected = shown(column, &expected[column]);
                assert!(is_same(cell, &expected), "{sheet}, {column}: {cell} for {expected}");
            }
        }
    }
    let types = book.as_object().unwrap().values().flat_map(|sheet| match sheet {
        Value::Array(rows) => rows.iter().flat_map(|row| match row {
            Value::Object(cells) => cells.values().cloned().collect::<Vec<_>>(),
            row => row.as_array().unwrap().clone(),
        }),
        other => panic!("{other}"),
    });
    assert!(types.map(|cell| cell[0].as_str().unwrap().to_owned()).all(|kind| kind != "f"));
    assert!(book["Glossary"].as_array().unwrap().len() > 20);
}

#[test]
fn the_summary_has_the_totals_of_the_rows() {
    let env = everything("ndjson,xlsx,csv");
    let Some(book) = workbook(&env) else { return };
    let mut values = BTreeMap::new();
    for row in book["Summary"].as_array().unwrap() {
        // Of two lines with one label, the first counts: the totals.
        values.entry(row[0][1].as_str().unwrap_or_default().to_owned()).or_insert_with(|| row[1][1].clone());
    }
    let lines = lines(&env);
    let keys = || lines.iter().filter(|line| line["key_id"].is_string());
    let with = |column: &str, value: &str| keys().filter(|line| line[column] == *value).count();
    assert_eq!(values["keys"], keys().count());
    assert_eq!(values["Complete"], "no");
    for severity in ["critical", "high", "medium", "low", "info"] {
        assert_eq!(values[&format!("severity {severity}")], with("severity", severity), "{severity}");
    }
    for verdict in ["used-after-cutoff", "not-used-since-cutoff", "never-used", "usage-unknown"] {
        assert_eq!(values[&format!("verdict {verdict}")], with("verdict", verdict), "{verdict}");
    }
    let number = |label: &str| values[label].as_u64().unwrap();
    assert_eq!(number("requested"), number("read") + number("not read"));
    let organizations = book["Organizations"].as_array().unwrap();
    assert_eq!(organizations.len(), rows(&env.bytes("reports/organizations.csv")).len());
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let env = everything("xlsx");
    let before = env.bytes("reports/keys.xlsx");
    again(&env, "second", &["--format", "xlsx"]);
    assert!(before == env.bytes("second/keys.xlsx"));
    assert!(before.starts_with(b"PK"));
    // No file of a sheet is left.
    let left = env.files().into_keys().filter(|path| path.starts_with("reports")).count();
    assert_eq!(left, 4, "{:?}", env.files().keys());
}

#[test]
fn plan_and_places_have_the_rows_of_plan_csv_and_locations_csv() {
    let sandbox = ops_manager(40);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs", "--format", "csv"]);
    let suffixes: Vec<_> = env.rows().iter().map(|row| row["key_suffix"].clone()).collect();
    for (number, suffix) in suffixes.iter().filter(|it| !it.is_empty()).take(3).enumerate() {
        env.put(
            &format!("src/=file{number}"),
            format!("b5e7b0c4-3a1d-4e0e-8f55-{suffix}\n").repeat(number + 1),
        );
    }
    assert_eq!(env.run(&["locate", "src"]).code, 1);
    assert_eq!(env.run(&["plan"]).code, 0);
    assert_eq!(env.run(&["report", "--format", "xlsx"]).code, 1);
    let Some(book) = workbook(&env) else { return };
    for (sheet, file, left_out, formulas) in
        [("Plan", "plan.csv", &["wave", "script"][..], 0), ("Places", "locations.csv", &["class"], 6)]
    {
        let expected = rows(&env.bytes(&format!("reports/{file}")));
        let mut found: Vec<Row> = book[sheet].as_array().unwrap().iter().map(texts).collect();
        let identity = |row: &Row| {
            ["owner_id", "key_id", "org_id", "path", "line"]
                .map(|it| row.get(it).cloned().unwrap_or_default())
        };
        let mut expected: Vec<_> = expected.into_iter().map(|row| (identity(&row), row)).collect();
        expected.sort();
        found.sort_by_key(identity);
        assert_eq!(found.len(), expected.len(), "{sheet}");
        assert!(!found.is_empty());
        for (found, (_, expected)) in found.iter().zip(&expected) {
            for (column, text) in expected.iter().filter(|(column, _)| !left_out.contains(&column.as_str())) {
                // The plan says more about keys of rare use.
                let text = if column == "reason" { text.split("; ").next().unwrap() } else { text };
                let found =
                    found[column].split("; ").next().filter(|_| column == "reason").unwrap_or(&found[column]);
                assert_eq!(found, printable(text.trim_start_matches('\'')).as_str(), "{sheet}, {column}");
            }
        }
        assert_eq!(
            found.iter().filter(|row| row.get("path").is_some_and(|it| it.starts_with('='))).count(),
            formulas
        );
    }
    let sheets: Vec<_> = book.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["Summary", "Keys", "Organizations", "Users not read", "Plan", "Places", "Glossary"];
    assert_eq!(sheets.len(), expected.len(), "{sheets:?}");
    assert!(expected.iter().all(|it| sheets.contains(it)), "{sheets:?}");
}

/// The texts of a row; empty for an empty cell.
pub(crate) fn texts(row: &Value) -> Row {
    let text = |cell: &Value| match &cell[1] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    row.as_object().unwrap().iter().map(|(name, cell)| (name.clone(), text(cell))).collect()
}

/// Slow: `LibreOffice` starts in some 10 s.
#[test]
#[ignore = "starts LibreOffice: just office"]
fn libreoffice_reads_texts_as_texts() {
    let env = everything("ndjson,xlsx");
    let mut office = Command::new("soffice");
    let profile = format!("-env:UserInstallation=file://{}", env.path("office").display());
    // Each sheet as UTF-8 with commas and quotes; formulas as formulas, dates in their format.
    let filter = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1";
    office.args([&profile, "--headless", "--convert-to", filter, "--outdir"]).arg(env.path("sheets"));
    let Ok(output) = office.arg(env.path("reports/keys.xlsx")).output() else { return skipped("soffice") };
    assert!(output.status.success(), "{output:?}");
    let keys = rows(&std::fs::read(env.path("sheets/keys-Keys.csv")).unwrap());
    let expected: Vec<_> = lines(&env).into_iter().filter(|line| line["key_id"].is_string()).collect();
    assert_eq!(keys.len(), expected.len());
    for (row, line) in keys.iter().zip(&expected) {
        for column in ["key_id", "key_suffix", "username", "description", "reason", "severity"] {
            let text = printable(line[column].as_str().unwrap_or_default());
            assert_eq!(row[column].trim(), text.trim(), "{column}");
        }
        let time = line["last_used"].as_str().unwrap_or_default().replace('T', " ").replace('Z', "");
        assert_eq!(row["last_used"], time);
    }
    assert!(Path::new(&env.path("sheets/keys-Glossary.csv")).exists());
}
