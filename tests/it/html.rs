//! `report.html`: no text of the service becomes markup, and its policy allows
//! what it embeds. `browser` has the tests that need a browser.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::everything::{NAME, again, cut_short, everything};
use crate::foreign::node;
use crate::history::{audited, key, world};
use crate::support::{Row, TestEnv, ops_manager};

const DATA: &str = "<script type=\"application/json\" id=\"data\">";

pub(crate) fn page(env: &TestEnv, out: &str) -> String {
    env.text(&format!("{out}/report.html"))
}

/// What is between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).unwrap().0
}

fn style_and_script(page: &str) -> [&str; 2] {
    [between(page, "<style>", "</style>"), between(page, "<script>", "</script>")]
}

/// For snapshots.
pub(crate) fn without_style_and_script(page: &str) -> String {
    let [style, script] = style_and_script(page);
    let policy = between(page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    page.replace(style, "(style)").replace(script, "(script)").replace(policy, "(policy)")
}

/// The page without what a browser reads as data, style or script.
fn markup(page: &str) -> String {
    let page = without_style_and_script(page);
    match page.split_once(DATA) {
        Some((before, rest)) => before.to_owned() + rest.split_once("</script>").unwrap().1,
        None => page,
    }
}

pub(crate) fn data(page: &str) -> Value {
    serde_json::from_str(between(page, DATA, "</script>")).unwrap()
}

/// The rows of the data with the names of the columns of `keys.csv`, by key.
pub(crate) fn keys(data: &Value) -> BTreeMap<String, Row> {
    let owners: BTreeMap<u64, &Value> =
        data["owners"].as_array().unwrap().iter().map(|owner| (owner[0].as_u64().unwrap(), owner)).collect();
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let time = |value: &Value| {
        value
            .as_i64()
            .map_or_else(String::new, |seconds| crate::support::rfc3339(crate::support::at(seconds)))
    };
    let key = |row: &Value| {
        let owner = owners[&row[0].as_u64().unwrap()];
        let (kind, flags) = (row[4].as_u64().unwrap(), row[5].as_u64().unwrap());
        let number = |part: u64| usize::try_from(part).unwrap();
        let index = |value: &Value| number(value.as_u64().unwrap());
        let severity = &data["severities"][number(kind / 4 % 8)];
        let decision = (kind / 32).checked_sub(1).map(|at| text(&data["decisions"][number(at)]));
        let organizations = owner[4].as_array().unwrap().iter().map(|at| &data["organizations"][index(at)]);
        let ids: Vec<_> = organizations.map(|it| text(&it[1])).collect();
        let waiver = row[9].as_u64().filter(|it| *it > 0).map(|it| &data["waivers"][number(it - 1)]);
        BTreeMap::from([
            ("deployment".to_owned(), text(&data["deployments"][index(&owner[1])])),
            ("user_id".to_owned(), text(&owner[2])),
            ("username".to_owned(), text(&owner[3])),
            ("key_suffix".to_owned(), text(&row[2])),
            ("description".to_owned(), text(&row[3])),
            ("severity".to_owned(), text(&severity[0])),
            ("action".to_owned(), text(&severity[1])),
            ("decision".to_owned(), decision.unwrap_or_default()),
            ("verdict".to_owned(), text(&data["verdicts"][number(kind % 4)])),
            ("enabled".to_owned(), ["", "true", "false"][number(flags & 3)].to_owned()),
            ("auditing_key".to_owned(), (flags & 4 > 0).to_string()),
            ("used_count".to_owned(), text(&row[6])),
            ("created_at".to_owned(), time(&row[7])),
            ("last_used".to_owned(), time(&row[8])),
            ("org_ids".to_owned(), ids.join(";")),
            ("waiver".to_owned(), waiver.map_or_else(String::new, |it| text(&it[0]))),
            ("waiver_expires".to_owned(), waiver.map_or_else(String::new, |it| text(&it[1]))),
        ])
    };
    let rows = data["rows"].as_array().unwrap();
    let keys: BTreeMap<_, _> = rows.iter().map(|row| (text(&row[1]), key(row))).collect();
    assert_eq!(keys.len(), rows.len(), "no key twice");
    keys
}

/// The numbers of a table of the page, by the first cell of each row.
pub(crate) fn number(page: &str, caption: &str, label: &str) -> Option<usize> {
    let table = page.split_once(&format!("aria-label=\"Table: {caption}\""))?.1.split_once("</table>")?.0;
    let row = table.split("<tr").find(|row| row.contains(&format!(">{label}</td>")))?;
    between(row, "<td class=\"number\">", "</td>").parse().ok()
}

#[test]
fn what_was_not_read_comes_before_every_key_with_its_action() {
    let env = everything("csv,html");
    let whole = page(&env, "reports");
    let at = |text: &str| whole.find(text).unwrap_or_else(|| panic!("{text}"));
    let worst = at("<h2 id=\"worst\">");
    let positions = [
        "INCOMPLETE",
        "aria-label=\"Table: Incomplete lists\"",
        "aria-label=\"Table: Users that were not read\"",
    ]
    .map(at);
    assert!(positions.is_sorted() && positions[2] < worst);
    for row in env.rows().iter().filter(|row| row["key_id"].is_empty() && !row["user_id"].is_empty()) {
        let complete = ["read", "removed"].contains(&&*row["read_status"]);
        let cell = format!("<code>{}</code>", row["user_id"]);
        assert_eq!(whole[..worst].contains(&cell), !complete, "{row:?}");
    }
    for action in [
        "run the audit again with an API key that has the role <code>GLOBAL_OWNER</code>",
        "check the user id or name; remove deleted users from the list",
        "run the audit again; if the status stays <code>partial</code>, compare with the UI",
    ] {
        assert!(whole[..worst].contains(action), "{action}");
    }
    assert!(
        whole.contains("users could not be read. ") && whole.contains("read completely. There may be more")
    );
    let hash = format!("<code class=\"hash\">{:x}</code>", Sha256::digest(env.bytes("reports/keys.csv")));
    assert!(whole.contains(&hash), "the hash of keys.csv");
    again(&env, "again", &["--csv-raw", "--format", "html,csv"]);
    assert_eq!(page(&env, "again"), whole, "the same evidence gives the same bytes");
    again(&env, "alone", &["--format", "html"]);
    assert!(
        page(&env, "alone").contains("SHA-256 of <code>keys.csv</code></th><td>not written with this page")
    );
    cut_short(&env);
    again(&env, "short", &["--format", "html"]);
    assert!(
        page(&env, "short")
            .contains("The run did not finish. Run the same command with <code>--resume</code>")
    );
}

#[test]
fn no_text_of_the_service_becomes_markup() {
    let whole = page(&everything("html"), "reports");
    let page = markup(&whole);
    assert!(!whole.contains(|c: char| c.is_control() && c != '\n'), "a control character");
    assert!(
        !whole.contains(['\u{202e}', '\u{2028}', '\u{feff}']),
        "invisible characters are shown by number"
    );
    assert!(
        !NAME.is_empty() && page.contains("a&quot;b\\c d,e&#x27;f{g}=1\\u{202e}é"),
        "the name of the deployment"
    );
    assert!(page.contains("&lt;&#x2f;script&gt;&lt;b&gt;"), "a description");
    // Every tag is one of the template or of the charts.
    let known = "a bdi body circle code em figcaption figure h1 h2 h3 head header html li main meta nav p polyline \
                 rect script section strong style svg table tbody td text th thead title tr ul !DOCTYPE";
    for tag in page.split('<').skip(1) {
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '!')
            .collect();
        assert!(known.split_whitespace().any(|it| it == name), "<{tag}");
        let attributes = tag.split('>').next().unwrap();
        assert!(!attributes.contains(" style=") && !attributes.contains(" on"), "<{tag}");
        assert!(!attributes.contains("src=") && !attributes.contains("url("), "<{tag}");
        assert!(attributes.split("href=\"").skip(1).all(|link| link.starts_with('#')), "<{tag}");
    }
    assert_eq!(whole.matches("</script").count(), 2);
    assert_eq!(whole.matches("<!--").count(), 0);
}

#[test]
fn the_policy_allows_exactly_the_embedded_style_and_script() {
    let sandbox = ops_manager(1);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    let page = page(&env, "reports");
    let [style, script] = style_and_script(&page).map(|text| BASE64_STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "content=\"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; \
         form-action 'none'\""
    );
    assert!(page.contains(&policy), "{policy}");
    let [style, script] = style_and_script(&page);
    for request in ["http:", "https:", "@import", "url(", "fetch(", "XMLHttpRequest", "import("] {
        assert!(!style.contains(request) && !script.contains(request), "{request}");
    }
    for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"] {
        assert!(!script.contains(way), "{way}");
    }
}

/// As the standard has it, and as `html-validate` reads it.
#[test]
fn the_page_is_valid_html() {
    const VALIDATE: &str = r#"
const { HtmlValidate } = require("html-validate");
Promise.all(process.argv.slice(1).map((file) => new HtmlValidate({ root: true, extends: ["html-validate:standard"] }).validateFile(file))).then((reports) => {
  const problems = reports.flatMap(({ results }) => results.flatMap(({ messages }) => messages));
  for (const { ruleId, line, column, message } of problems) console.error(`${line}:${column} ${ruleId}: ${message}`);
  process.exitCode = problems.length > 0 ? 1 : 0;
});
"#;
    let env = everything("html");
    crate::everything::plan_and_locate(&env);
    again(&env, "whole", &["--format", "html"]);
    cut_short(&env);
    again(&env, "short", &["--format", "html"]);
    let pages = ["reports", "whole", "short"].map(|out| env.path(out).join("report.html"));
    node("html-validate", VALIDATE, &pages.each_ref().map(std::path::PathBuf::as_path));
}

#[test]
fn runs_of_several_days_are_a_burn_down_with_its_forecast() {
    let keys = |number: u64| {
        let used = serde_json::json!({"lastUsed": "2022-01-01T00:00:00Z", "usedCount": 3});
        world(&[("ann", (0..number).map(|at| key(at, &used)).collect())])
    };
    let env = audited(TestEnv::at(&keys(1)), &keys(3), 0);
    assert!(!page(&env, "reports").contains("Burn-down"), "one day is no line");
    let env = audited(env, &keys(2), 7);
    let page = page(&env, "reports");
    let figure = between(&page, "<h3>Burn-down</h3>", "</figure>");
    let words = between(figure, "<figcaption>", "</figcaption>");
    for text in [
        "2025-01-01: 3 keys, 3 used after the cutoff; 2025-01-08: 2 keys, 2 used after the cutoff.",
        "Forecast (dashed line): 2 keys left on 2025-01-08, 1 fewer per week",
        "none left by 2025-01-22",
    ] {
        assert!(words.contains(text), "{words}");
    }
    // Two lines with a dot for each run, and the dashed one to the day without keys.
    assert_eq!(figure.matches("<circle").count(), 4);
    assert_eq!(figure.matches("stroke-dasharray").count(), 1);
    assert!(figure.contains(">2025-01-22</text>"), "{figure}");
}
