//! `migration-report.md`: no text of the service breaks it, the worst stands first, what is missing stands on top, and GitHub
//! can show it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::csv::text;
use crate::page::{Page, number, parse};
use crate::stub::{Digest, Reply, Stub, env, id, key, list};
use crate::support::{NOW, Row, TestEnv, at, ops_manager, rfc3339, rows};
use crate::volume::large;

const ORG: &str = "5980000000000000000000aa";

/// Texts of every kind that reaches the page.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    pub(crate) deployment: String,
    pub(crate) usernames: Vec<String>,
    pub(crate) descriptions: Vec<String>,
    pub(crate) detail: String,
    pub(crate) code: String,
}

/// A run over users 100, 101, … who have these keys each, and over user 0, who is refused.
pub(crate) fn audited(texts: &Texts) -> TestEnv {
    let mut users = vec![json!({"id": id(0), "username": texts.usernames[0]})];
    users.extend(
        texts.usernames.iter().enumerate().map(|(at, name)| json!({"id": id(100 + at), "username": name})),
    );
    let texts = texts.clone();
    let name = format!("--name={}", texts.deployment.replace('\0', ""));
    let stub = Stub::start(Digest::On, move |asked| match asked.path.as_str() {
        path if path.starts_with("/orgs") => Reply::ok(&list(&users)),
        path if path.contains(&id(0)) => Reply::json(
            401,
            &json!({"detail": texts.detail, "error": 401, "errorCode": texts.code, "reason": "No"}),
        ),
        path => {
            let owner = path.split('/').nth(2).unwrap().to_owned();
            let keys = texts.descriptions.iter().enumerate().map(|(number, description)| {
                let mut key = key(number, description);
                let id = format!("{}{number:03x}", &owner[3..]);
                key["obfuscatedKey"] = format!("********-****-****-{}", &id[12..]).into();
                key["id"] = id.into();
                key["userId"] = owner.clone().into();
                key
            });
            Reply::ok(&list(&keys.collect::<Vec<_>>()))
        }
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--org", ORG, &name]);
    assert_eq!(ran.code, 4, "{ran:?}");
    for shown in [&ran.stdout, &ran.stderr] {
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?} moves a terminal");
    }
    env
}

/// Whether the page has the sections that the template of a section makes: the program writes them without it, unless somebody
/// has a template of their own, and this one is a copy.
pub(crate) fn has_sections_of_the_template(env: &TestEnv, command: &[&str], page: &str) {
    let copy = concat!(include_str!("../../templates/owner.md.j2"), "{# A copy. #}");
    env.put("copy/owner.md.j2", copy);
    let rendered = ["--templates", "copy", "--format", "markdown", "--out", "rendered"];
    let ran = env.run(&[command, &rendered].concat());
    assert!(env.text("rendered/migration-report.md") == page, "{ran:?}: {page}");
}

/// A page without its texts: headings, tables with their widths, links, raw HTML and the languages of blocks. A long word in
/// a cell can be broken, and a name without an anchor is not linked.
fn structure(mut page: Page) -> (Page, Vec<usize>) {
    page.html.retain(|html| html != "<wbr>");
    page.links.retain(|link| !link.starts_with('#') || !link[1..].starts_with(|c: char| c.is_ascii_digit()));
    page.headings.iter_mut().for_each(|(_, text)| text.clear());
    page.blocks.iter_mut().for_each(|(_, text)| text.clear());
    page.prose.clear();
    let widths = std::mem::take(&mut page.rows).iter().map(Vec::len).collect();
    (page, widths)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_the_service_changes_the_structure_of_the_page(
        deployment in text(),
        usernames in prop::collection::vec(text(), 1..12),
        descriptions in prop::collection::vec(text(), 1..20),
        detail in text(),
        code in text(),
    ) {
        // Somebody, so that users of the same name stay apart, and an error code, so that it is a refusal.
        let usernames: Vec<_> = usernames.into_iter().enumerate().map(|(at, name)| format!("{name}n{at}")).collect();
        let code = format!("{code}C");
        let plain = Texts {
            deployment: "d".to_owned(),
            usernames: (0..usernames.len()).map(|at| format!("n{at}")).collect(),
            descriptions: vec!["ci".to_owned(); descriptions.len()],
            detail: "No.".to_owned(),
            code: "C".to_owned(),
        };
        let hostile = Texts { deployment: format!("{deployment}d"), usernames, descriptions, detail, code };
        let env = audited(&hostile);
        let source = env.markdown();
        has_sections_of_the_template(&env, &["report", "--store", "reports/keysunset.db"], &source);
        let page = parse(&source);
        let expected = structure(parse(&audited(&plain).markdown()));
        prop_assert_eq!(structure(parse(&source)), expected, "{}", source);
        for user in 0..hostile.usernames.len() {
            for key in 0..hostile.descriptions.len() {
                let key = &format!("{}{key:03x}", &id(100 + user)[3..])[12..];
                let rows = page.rows.iter().filter(|row| row.iter().any(|cell| cell == key)).count();
                prop_assert_eq!(rows, 1, "{} in {}", key, source);
            }
        }
        prop_assert_eq!(number(&source, "requested"), Some(hostile.usernames.len() + 1));
        prop_assert!(!source.contains(|c: char| c.is_control() && c != '\n'), "{:?}", source);
        // GitHub links bare addresses and calls people: only code is safe from that.
        for bare in ["e.example", "@all", "@a"] {
            prop_assert!(!page.prose.contains(bare), "{} in {}", bare, source);
        }
    }
}

/// A key of a severity, as it comes about.
fn of_severity(severity: &str, number: usize) -> Value {
    let mut key = key(number, severity);
    let day = |days: i64| Value::from(rfc3339(at(NOW - days * 86_400 - i64::try_from(number).unwrap())));
    match severity {
        "critical" => key["lastUsed"] = day(10),
        "high" => key["lastUsed"] = day(400),
        "medium" => _ = key.as_object_mut().unwrap().remove("lastUsed"),
        "info" => key["enabled"] = false.into(),
        _ => {}
    }
    key
}

/// The keys on a page in its order: severity, then last 12 digits.
fn shown(page: &Page) -> Vec<(String, String)> {
    let severities = ["critical", "high", "medium", "low", "info"];
    let rows = page.rows.iter().filter(|row| row.len() == 6 && severities.contains(&&*row[0]));
    rows.map(|row| (row[0].clone(), row[5].clone())).collect()
}

/// The rank of a severity; the worst is 0.
fn rank(severity: &str) -> usize {
    ["critical", "high", "medium", "low", "info"].iter().position(|it| *it == severity).unwrap()
}

#[test]
fn a_page_is_below_1_mb_and_has_the_worst_owners() {
    let env = large(3_000);
    assert_eq!(env.run(&["report", "--format", "csv,markdown"]).code, 4);
    let source = env.markdown();
    assert!((850_000..=1_000_000).contains(&source.len()), "{}", source.len());
    has_sections_of_the_template(&env, &["report", "--store", "reports/keysunset.db"], &source);
    // Of each owner the worst key, then the latest use of that severity.
    let mut owners: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in env.rows().into_iter().filter(|row| !row["key_id"].is_empty()) {
        let last_used = std::cmp::Reverse(row["last_used"].clone());
        owners.entry(row["username"].clone()).or_default().push((rank(&row["severity"]), last_used));
    }
    let mut worst_first: Vec<_> =
        owners.iter().map(|(name, keys)| (keys.iter().min().unwrap(), name)).collect();
    worst_first.sort();
    let page = parse(&source);
    let sections: Vec<_> = page.headings.iter().filter_map(|(_, text)| text.split_once(". ")).collect();
    assert!(sections.len() > 900, "{}", sections.len());
    for (at, ((number, name), (_, expected))) in sections.iter().zip(&worst_first).enumerate() {
        assert_eq!((number.parse(), *name), (Ok(at + 1), expected.as_str()));
    }
    assert!(worst_first[sections.len()].0.0 > rank("high"), "all critical and high keys are shown");
    assert_eq!(shown(&page).len(), 2 * sections.len(), "an owner has all keys in one table");
    // The others are counted, and none is missing.
    let counted: Vec<_> =
        page.rows.iter().filter(|row| row.len() == 6 && row[0].ends_with("@example.com")).collect();
    let names = counted.iter().map(|row| &row[0]);
    assert!(names.eq(worst_first[sections.len()..].iter().map(|(_, name)| *name)), "in the same order");
    let counts: Vec<usize> =
        counted.iter().flat_map(|row| row[1..].iter().map(|it| it.parse::<usize>().unwrap())).collect();
    assert_eq!(counts.len(), 5 * (owners.len() - sections.len()), "{} owners", owners.len());
    assert_eq!(counts.iter().sum::<usize>() + 2 * sections.len(), 3_000);
    assert!(source.contains("**All keys are in `keys.csv`**"));
}

#[test]
fn an_owner_beyond_the_list_of_owners_is_counted() {
    let env = large(10_000);
    assert_eq!(env.run(&["report", "--format", "markdown"]).code, 4);
    let source = env.markdown();
    assert!((850_000..=1_000_000).contains(&source.len()), "{}", source.len());
    let page = parse(&source);
    let number = |before: &str, after: &str| {
        let text = &page.prose[..page.prose.find(after).unwrap()];
        text[text.rfind(before).unwrap() + before.len()..].trim().parse::<usize>().unwrap()
    };
    let sections = number("The worst", " owners have a section");
    let counted = page.rows.iter().filter(|row| row.len() == 6 && row[0].ends_with("@example.com")).count();
    let (owners, keys) = source.lines().find_map(|it| it.split_once(" more owners have ")).unwrap();
    let owners: usize = owners.parse().unwrap();
    assert_eq!(sections + counted + owners, 5_000);
    assert_eq!(keys, format!("{} keys. All of them are in `keys.csv`.", 2 * owners));
}

#[test]
fn owners_are_sections_and_the_worst_is_first() {
    let owned = [["low", "info"], ["medium", "critical"], ["info", "high"]];
    let users: Vec<_> =
        (1..=3).map(|at| json!({"id": id(at * 1000), "username": format!("u{at}@example.com")})).collect();
    let stub = Stub::start(Digest::On, move |asked| {
        if asked.path.starts_with("/orgs") {
            return Reply::ok(&list(&users));
        }
        let user = (1..=3).find(|at| asked.path.contains(&id(at * 1000))).unwrap();
        let keys = owned[user - 1].iter().enumerate().map(|(at, severity)| {
            let mut key = of_severity(severity, user * 2 + at);
            key["userId"] = id(user * 1000).into();
            key
        });
        Reply::ok(&list(&keys.collect::<Vec<_>>()))
    });
    let env = env();
    assert_eq!(env.audit_at(&stub.url(), &["--org", ORG]).code, 1);
    let page = parse(&env.markdown());
    let severities: Vec<_> = shown(&page).into_iter().map(|(severity, _)| severity).collect();
    assert_eq!(severities, ["critical", "medium", "high", "info", "low", "info"]);
    let owners =
        page.headings.iter().filter_map(|(_, text)| text.find("@example.com").map(|at| &text[at - 2..at]));
    assert_eq!(owners.collect::<Vec<_>>(), ["u2", "u3", "u1"]);
}

#[test]
fn an_incomplete_run_has_a_warning_at_the_top() {
    let texts = |descriptions: &[&str]| Texts {
        deployment: "east".to_owned(),
        usernames: vec!["ann@example.com".to_owned()],
        descriptions: descriptions.iter().map(|it| (*it).to_owned()).collect(),
        detail: "Not you.".to_owned(),
        code: "NOT_SELF".to_owned(),
    };
    let env = audited(&texts(&["ci"]));
    let source = env.markdown();
    let banner = source.find("INCOMPLETE").unwrap();
    assert!(banner < source.find("\n## ").unwrap());
    let page = parse(&source);
    let expected = ["ann@example.com", "forbidden", "401 NOT_SELF: Not you."];
    assert!(page.rows.iter().any(|row| *row == expected), "{:?}", page.rows);
    let complete = Stub::of_keys(vec![key(1, "ci")]);
    assert_eq!(env.audit_at(&complete.url(), &["--user", crate::stub::USER]).code, 1);
    assert!(!env.markdown().contains("INCOMPLETE"));
}

#[test]
fn charts_have_no_foreign_text() {
    let texts = Texts {
        deployment: "east\" : 99".to_owned(),
        usernames: vec!["\"zqx\" : 7".to_owned()],
        descriptions: vec!["\"zqx\" : 7".to_owned(), "zqx\n```\nzqx".to_owned()],
        detail: "zqx".to_owned(),
        code: "ZQX".to_owned(),
    };
    let page = parse(&audited(&texts).markdown());
    let [(language, chart), ..] = &page.blocks[..] else { panic!("{page:?}") };
    assert_eq!(language, "text");
    assert_eq!(chart.trim_end(), format!("2018              2 {}", "█".repeat(40)));
    let bars = page.rows.iter().filter(|row| row.iter().any(|cell| cell.contains('█')));
    assert!(bars.clone().count() >= 2, "{page:?}");
    bars.for_each(|row| assert!(!row.concat().contains("zqx"), "{row:?}"));
}

#[test]
fn the_steps_depend_on_the_product_and_the_version() {
    let page = |product: &str, version: &'static str| {
        let body = list(&[key(1, "ci")]);
        let stub = Stub::start(Digest::On, move |_| {
            Reply::ok(&body)
                .header("X-MongoDB-Service-Version", &format!("gitHash=a; versionString={version}"))
        });
        let env = env();
        let ran = env.audit_at(&stub.url(), &["--user", crate::stub::USER, "--product", product]);
        assert!([1, 4].contains(&ran.code), "{ran:?}");
        env.markdown()
    };
    let (ops_manager, atlas) = (page("ops-manager", "4.4.12"), page("atlas", "20210101"));
    assert!(atlas.contains("**service accounts**"), "now preferred on Atlas");
    assert!(!ops_manager.contains("service accounts"), "Ops Manager has none");
    assert!(
        ops_manager.contains("before you upgrade to Ops Manager 5.0"),
        "which cuts every personal key off"
    );
    let page_of_4_0 = page("ops-manager", "4.0.3");
    assert!(page_of_4_0.contains("4.0 has no programmatic API keys"), "{page_of_4_0}");
    assert!(page("ops-manager", "5.0.2").contains("have no personal keys"));
    for (source, who) in [(&ops_manager, "the owner, or a user with `GLOBAL_OWNER`"), (&atlas, "the owner")] {
        let rows = parse(source).rows;
        let stage = |name: &str| rows.iter().find(|row| row[0] == name).unwrap()[2].clone();
        assert_eq!(stage("disable"), who.replace('`', ""));
        assert_eq!(stage("delete"), "only the owner; GLOBAL_OWNER cannot");
    }
    for (source, text) in [
        (&ops_manager, "`GLOBAL_*` roles"),
        (&ops_manager, "The first entry of an access list blocks all other addresses"),
        (&ops_manager, "keysunset plan\n"),
    ] {
        assert!(source.contains(text), "{text}: {source}");
    }
    // Nothing is left for the reader to fill in.
    for word in ["ORG_ID", "KEY_ID", "PROJECT_ID", "ADMIN_PUBLIC_KEY", "OPS_MANAGER"] {
        assert!(!ops_manager.contains(word) && !atlas.contains(word), "{word}");
    }
}

/// The same decision as `keysunset plan` for every key of a world with all kinds of keys, also with waivers.
#[test]
fn each_key_has_the_decision_of_the_plan() {
    let sandbox = ops_manager(40);
    let env = TestEnv::at(&sandbox);
    env.audit(&sandbox, &["--all-orgs"]);
    let enabled = |row: &&Row| row["enabled"] == "true" && row["verdict"] == "used-after-cutoff";
    let waived = env.rows().iter().find(enabled).unwrap()["key_id"].clone();
    env.put(
        "waivers.toml",
        format!("[[waiver]]\nkey = {waived:?}\nreason = \"later\"\nowner = \"ops\"\nexpires = 2025-03-01\n"),
    );
    assert_eq!(env.run(&["report", "--waivers", "waivers.toml"]).code, 1);
    assert_eq!(env.run(&["plan", "--waivers", "waivers.toml"]).code, 0);
    let text = |name: &str, row: &Row| row[name].clone();
    let plan = rows(&env.bytes("reports/plan.csv"));
    let keys: BTreeMap<_, _> = plan
        .iter()
        .filter(|row| !row["key_id"].is_empty())
        .map(|row| (text("key_id", row), text("decision", row)))
        .collect();
    let page = parse(&env.markdown());
    let by_suffix: BTreeMap<_, _> =
        plan.iter().map(|row| (text("key_suffix", row), text("key_id", row))).collect();
    let shown =
        page.rows.iter().filter_map(|row| Some((by_suffix.get(row.get(5)?)?.clone(), row[1].clone())));
    let shown: BTreeMap<_, _> = shown.collect();
    assert_eq!(shown, keys);
    assert_eq!(shown[&waived], "waived");
    let page_of_all = crate::html::page(&env, "reports");
    let of_html = crate::html::keys(&crate::html::data(&page_of_all)).into_iter();
    assert_eq!(of_html.map(|(id, row)| (id, row["decision"].clone())).collect::<BTreeMap<_, _>>(), keys);
    for (decision, count) in counts(keys.values()) {
        let row = page.rows.iter().find(|row| row.len() == 3 && row[0] == *decision).unwrap();
        assert_eq!(row[1], count.to_string(), "{decision}");
    }
    // One line for each replacement, with its organization.
    let source = env.markdown();
    let mut lines: Vec<_> = source.lines().filter(|it| it.starts_with("- Replacement")).collect();
    let replacements: Vec<_> = plan.iter().filter(|row| row["key_id"].is_empty()).collect();
    assert_eq!(lines.len(), replacements.len());
    for row in replacements {
        let named = format!(" in `{}`: ", row["org_name"]);
        let line = lines.iter().position(|line| line.contains(&named));
        lines.swap_remove(line.unwrap_or_else(|| panic!("{row:?}")));
    }
}

fn counts<'a>(values: impl Iterator<Item = &'a String>) -> BTreeMap<&'a String, u64> {
    let mut counts = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts
}

/// What somebody reads in an editor or in a mail.
#[test]
fn lines_of_prose_are_at_most_100_columns() {
    let texts = Texts {
        deployment: "https://ops-manager.internal.example.com:8443/a/rather/long/path/of/some/proxy"
            .to_owned(),
        usernames: vec!["ann@example.com".to_owned(), "bob@example.com".to_owned()],
        descriptions: vec!["ci".to_owned()],
        detail: "Not you.".to_owned(),
        code: "NOT_SELF".to_owned(),
    };
    let env = audited(&texts);
    let waiver = format!(
        "[[waiver]]\nkey = {:?}\nreason = \"later\"\nowner = \"ops\"\nexpires = 2025-01-05\n",
        format!("{}000", &id(101)[3..])
    );
    env.put("waivers.toml", waiver);
    assert_eq!(env.run(&["report", "--waivers", "waivers.toml"]).code, 4);
    let source = env.markdown();
    let mut in_code = false;
    for line in source.lines() {
        in_code ^= line.trim_start().starts_with("```");
        let is_prose = !in_code && !line.starts_with(['|', '#', '-', '<']);
        assert!(!is_prose || line.chars().count() <= 100, "{line}");
    }
    assert!(source.contains("INCOMPLETE") && source.contains("\n## Waivers\n"), "{source}");
}

#[test]
fn headings_show_names_unchanged() {
    let env = audited(&Texts {
        deployment: "ea|st".to_owned(),
        usernames: vec!["a|b\\c".to_owned()],
        descriptions: vec!["ci".to_owned()],
        detail: "Not you.".to_owned(),
        code: "NOT_SELF".to_owned(),
    });
    let headings = parse(&env.markdown()).headings;
    for (level, text) in [(1, "Personal API keys of ea|st"), (3, "1. a|b\\c")] {
        assert!(headings.contains(&(level, text.to_owned())), "{headings:?}");
    }
}

#[test]
fn a_user_who_was_not_read_has_an_action_before_the_totals() {
    let env = audited(&Texts {
        deployment: "east".to_owned(),
        usernames: vec!["ann@example.com".to_owned()],
        descriptions: vec!["ci".to_owned()],
        detail: "Not you.".to_owned(),
        code: "NOT_SELF".to_owned(),
    });
    let source = env.markdown();
    let place = |heading: &str| source.find(&format!("\n## {heading}\n")).unwrap();
    let order = ["Not read", "Totals", "Owners, worst first", "How to carry out the plan", "Scope"];
    assert!(order.map(place).is_sorted(), "{source}");
    let page = parse(&source);
    let row = page.rows.iter().find(|row| row[0] == "forbidden").unwrap();
    assert_eq!(row[1], "1");
    assert!(row[2].contains("an API key that has the role GLOBAL_OWNER"), "{row:?}");
}

#[test]
fn the_burn_down_shows_complete_runs_and_the_forecast_date() {
    use crate::world::{Keys, World, audited, key as of};
    let keys = |count: usize| Keys::Are((0..count).map(|number| of(1, 10 + number, None, 0)).collect());
    let (world, stub) = World::of(vec![(1, keys(6))]);
    let mut env = env();
    for (day, answer) in [(0, keys(6)), (7, Keys::Refused(401, "NOT_SELF")), (14, keys(4)), (28, keys(2))] {
        world.becomes(vec![(1, answer)]);
        env = env.with("SOURCE_DATE_EPOCH", &(crate::support::NOW + day * 86_400).to_string());
        audited(&env, &stub, &[]);
        assert_eq!(env.markdown().contains("Burn-down"), day >= 14, "one complete run is no line");
    }
    let page = env.markdown();
    for line in [
        &format!("2025-01-01       6          0 {}", "█".repeat(40)),
        &format!("2025-01-15       4          0 {}▌", "█".repeat(26)),
        &format!("2025-01-29       2          0 {}", "█".repeat(13)),
        // Two keys in fourteen days, and two are left on the 29th.
        "2025-02-12",
        "Incomplete runs left out: 1.",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
}

/// Each name that docs/reports.md promises to a template, as a template of the first release used it.
#[test]
fn an_own_template_of_an_earlier_release_still_works() {
    let env = audited(&Texts {
        deployment: "east".to_owned(),
        usernames: vec!["ann@example.com".to_owned(), "bob@example.com".to_owned()],
        descriptions: vec!["ci".to_owned(), "cd".to_owned()],
        detail: "Not you.".to_owned(),
        code: "NOT_SELF".to_owned(),
    });
    env.put(
        "mine/migration-report.md.j2",
        "{{ shown }} of {{ total.keys }}\n{% for owner in owners %}\n{{ owner.username }} {{ owner.id }} \
         {{ owner.deployment }}\n{% for key in owner.keys %}\n{{ key.key_id }} {{ key.description|code }} \
         {{ key.severity }} {{ key.decision }} {{ key.decision_reason|short(10) }} {{ key.org_ids }} {{ key.reason }}\n\
         {% endfor %}\n{% endfor %}\n{% for user in unread %}\n{{ user.username }} {{ user.error_code }}\n{% endfor %}\n",
    );
    assert_eq!(env.run(&["report", "--templates", "mine"]).code, 4);
    let page = env.markdown();
    let keys: Vec<_> = env.rows().into_iter().filter(|row| !row["key_id"].is_empty()).collect();
    assert!(page.starts_with("4 of 4\n"), "{page}");
    for row in &keys {
        let line = format!("{} `{}` {} ask", row["key_id"], row["description"], row["severity"]);
        let lines = page.lines().filter(|it| it.starts_with(&line) && it.ends_with(&row["reason"]));
        assert_eq!(lines.count(), 1, "{line}: {page}");
    }
    assert!(page.ends_with("ann@example.com NOT_SELF\n"), "{page}");
    // The section of an owner alone.
    env.put("part/owner.md.j2", "{{ keys|length }} keys of {{ username|code }}\n\n");
    assert_eq!(env.run(&["report", "--templates", "part"]).code, 4);
    let page = env.markdown();
    assert!(page.contains("### 1. `ann@example.com`\n\n2 keys of `ann@example.com`\n"), "{page}");
}
