//! `keys.csv` brings every text out whole, in any order of fields and pages, and no spreadsheet runs it.

mod excel;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, USER, env, id, key, list};
use crate::support::{COLUMNS, guarded, rows};

/// Texts that are hard on CSV, JSON and spreadsheets, and anything else.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<String>(),
        2 => "[ -~]{0,20}",
        1 => "[=+@\\-\t\r\n ]{1,3}[a-z]{0,3}",
        2 => prop::sample::select(vec![
            ",", ";", "\"", "\"\"", "'", "\n", "\r\n", "\r", "\t", "\0", "\u{feff}", "\u{a0}=1", "=1+1", "+1", "-1", "@a",
            "|", "\\", "\\|", "`", "```", "<b>", "</td>", "<!--", "[a](http://e.example)", "![a](b)", "https://e.example",
            "# a", "---", "\n\n# a", "\n|a|b|\n", "*a*", "_a_", "~~a~~", "&lt;", "&#124;", "\u{202e}", "\u{1b}[31m", "{{ 7 }}",
            "{% if %}", "$1", "@all", "\u{2028}", "\u{85}", "é", "🚀", "",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// An object whose fields stand in an order of their own, as text, since a JSON value would sort them.
fn in_order(object: &Value, order: &[prop::sample::Index]) -> String {
    let mut fields: Vec<_> = object.as_object().unwrap().iter().collect();
    for (at, index) in order.iter().enumerate().take(fields.len()) {
        let other = index.index(fields.len());
        fields.swap(at, other);
    }
    let fields: Vec<_> = fields.into_iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// Serves these rows in pages of this size and returns `keys.csv`.
fn written(rows: Vec<String>, size: usize, flags: &[&str]) -> Vec<u8> {
    let stub = Stub::start(Digest::On, move |asked| {
        let page = rows.chunks(size).nth(asked.page() - 1).unwrap_or_default().join(",");
        let rel = if asked.page() * size < rows.len() { "next" } else { "self" };
        let total = rows.len();
        Reply::text(
            200,
            "application/json",
            &format!(r#"{{"totalCount":{total},"results":[{page}],"links":[{{"rel":"{rel}","href":"x"}}]}}"#),
        )
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &[&["--user", USER, "--format", "csv"], flags].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    env.bytes("reports/keys.csv")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_description_is_written_whole_in_any_order_of_fields_and_pages(
        descriptions in prop::collection::vec(text(), 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 8),
        size in 1_usize..6,
        reversed: bool,
        raw: bool,
    ) {
        let mut served: Vec<_> = descriptions.iter().enumerate()
            .map(|(number, description)| in_order(&key(number + 1, description), &order))
            .collect();
        if reversed {
            served.reverse();
        }
        let csv = written(served, size, if raw { &["--csv-raw"] } else { &[] });
        let text = String::from_utf8(csv.clone()).unwrap();
        prop_assert_eq!(text.lines().next(), Some(COLUMNS));
        prop_assert!(text.ends_with('\n') && !text.ends_with("\r\n"));
        let rows = rows(&csv);
        prop_assert_eq!(rows.len(), descriptions.len());
        // Created at the same time, they are sorted by id.
        for (number, (row, description)) in rows.iter().zip(&descriptions).enumerate() {
            prop_assert_eq!(&row["key_id"], &id(number + 1));
            let expected = if raw { description.clone() } else { guarded(description) };
            prop_assert_eq!(&row["description"], &expected);
        }
    }
}

#[test]
fn the_order_of_fields_rows_and_pages_changes_no_byte() {
    let keys: Vec<_> = (1..=9).map(|number| key(number, &format!("k{number}"))).collect();
    let straight: Vec<_> = keys.iter().map(Value::to_string).collect();
    let mut other: Vec<_> = keys
        .iter()
        .map(|key| {
            let mut fields: Vec<_> =
                key.as_object().unwrap().iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            fields.reverse();
            format!("{{{}}}", fields.join(","))
        })
        .collect();
    other.rotate_left(4);
    assert_eq!(
        String::from_utf8(written(straight, 500, &["--name", "x"])),
        String::from_utf8(written(other, 2, &["--name", "x"]))
    );
}

#[test]
fn formulas_are_neutralised_in_every_text_field() {
    let user = json!({"id": USER, "username": "=cmd@example.com"});
    let stub = Stub::start(Digest::On, move |asked| match asked.path.as_str() {
        path if path.starts_with("/orgs") => Reply::ok(&list(std::slice::from_ref(&user))),
        _ => Reply::ok(&list(&[key(1, "\t=1"), key(2, "a=1"), key(3, " \r\n @x"), key(4, "'=1")])),
    });
    let org = "5980000000000000000000aa";
    for (flags, name, username, descriptions) in [
        (&[][..], "'+name", "'=cmd@example.com", ["'\t=1", "a=1", "' \r\n @x", "''=1"]),
        (&["--csv-raw"], "+name", "=cmd@example.com", ["\t=1", "a=1", " \r\n @x", "'=1"]),
    ] {
        let env = env();
        assert_eq!(env.audit_at(&stub.url(), &[&["--org", org, "--name", "+name"], flags].concat()).code, 1);
        let rows = env.rows();
        assert!(rows.iter().all(|row| row["deployment"] == name && row["username"] == username), "{rows:?}");
        assert_eq!(rows.iter().map(|row| row["description"].as_str()).collect::<Vec<_>>(), descriptions);
    }
}

#[test]
fn an_error_code_and_a_reason_of_the_service_are_guarded() {
    let stub = Stub::start(Digest::On, |_| {
        Reply::json(
            401,
            &json!({"errorCode": "=1+1", "error": 401, "detail": "@SUM(A1)", "reason": "Unauthorized"}),
        )
    });
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &["--user", USER]).code, 3);
    let row = &env.rows()[0];
    assert_eq!(row["error_code"], "'=1+1");
    assert!(!row["reason"].starts_with(['=', '+', '-', '@']), "{row:?}");
}
