//! The population of a run: which organizations there were, who was in which, with which rights, and how the list of each
//! ended. `organizations.csv`, `org_ids` and `org_names`, the reports by organization, and waivers of an organization.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, USER, env, id, key, list};
use crate::support::{CliOutput, Row, TestEnv, rows};

/// Of two users, one of whom is in both.
const EAST: &str = "5980000000000000000000aa";
const WEST: &str = "5980000000000000000000bb";
/// Deleted; its users can't be listed.
const GONE: &str = "5980000000000000000000cc";
/// Without users.
const EMPTY: &str = "5980000000000000000000dd";

fn user(id: &str, name: &str, roles: Value, teams: Value) -> Value {
    let mut user = json!({"id": id, "username": name});
    for (field, value) in [("roles", roles), ("teamIds", teams)] {
        if !value.is_null() {
            user[field] = value;
        }
    }
    user
}

/// `ann` has a key that is used, is in two organizations, and her roles differ from list to list.
fn deployment() -> Stub {
    Stub::start(Digest::On, |asked| match asked.path.as_str() {
        "/orgs" => Reply::ok(&list(&[
            json!({"id": WEST.to_uppercase(), "name": "=West; \"Ltd\""}),
            json!({"id": GONE, "name": "Old", "isDeleted": true}),
            json!({"id": EAST, "name": "East", "isDeleted": false}),
            json!({"id": EMPTY, "name": "New"}),
        ])),
        path if path == format!("/orgs/{EAST}/users") => Reply::ok(&list(&[
            user(
                USER,
                "ann",
                json!([
                    {"orgId": EAST, "roleName": "ORG_OWNER"},
                    {"groupId": id(5), "roleName": "GROUP_OWNER"},
                    {"roleName": "GLOBAL_OWNER"},
                    {"orgId": EAST, "roleName": "ORG_MEMBER"},
                    {"orgId": EAST, "roleName": "ORG_OWNER"},
                ]),
                json!([id(8), id(7), id(8)]),
            ),
            user(&id(2), "bob", json!([]), json!([])),
        ])),
        path if path == format!("/orgs/{WEST}/users") => Reply::ok(&list(&[
            user(USER, "ann", Value::Null, Value::Null),
            user(&id(3), "cyd", json!([{"orgId": WEST}]), json!("none")),
        ])),
        path if path == format!("/orgs/{GONE}/users") => Reply::error(404, "ORG_NOT_FOUND"),
        path if path == format!("/orgs/{EMPTY}/users") => Reply::ok(&list(&[])),
        path if path == format!("/users/{USER}/keys") => Reply::ok(&list(&[key(1, "ci"), key(2, "cd")])),
        path if path == format!("/users/{}/keys", id(3)) => Reply::error(401, "NOT_SELF"),
        _ => Reply::ok(&list(&[])),
    })
}

fn audited(flags: &[&str]) -> (TestEnv, CliOutput) {
    let env = env();
    let ran = env.audit_at(&deployment().url(), &[&["--all-orgs", "--name", "prod"], flags].concat());
    (env, ran)
}

fn organizations(env: &TestEnv) -> Vec<Row> {
    rows(&env.bytes("reports/organizations.csv"))
}

fn cells<'a>(row: &'a Row, columns: &str) -> Vec<&'a str> {
    columns.split(',').map(|column| row[column].as_str()).collect()
}

fn sqlite3(env: &TestEnv, query: &str) -> String {
    let output = Command::new("sqlite3").arg(env.path("reports/keysunset.db")).arg(query).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_organization_that_was_seen_is_a_row_with_its_counts() {
    let (env, ran) = audited(&[]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let text = env.text("reports/organizations.csv");
    let header = "deployment,org_id,org_name,deleted,list_status,users,users_read,keys,enabled,critical,high,medium,low,info";
    assert_eq!(text.lines().next(), Some(header));
    let found = organizations(&env);
    let found: Vec<_> = found.iter().map(|row| cells(row, header)).collect();
    assert_eq!(
        found,
        [
            ["prod", EAST, "East", "false", "read", "2", "2", "2", "2", "0", "0", "0", "2", "0"],
            ["prod", WEST, "'=West; \"Ltd\"", "false", "read", "2", "1", "2", "2", "0", "0", "0", "2", "0"],
            ["prod", GONE, "Old", "true", "not-found", "0", "0", "0", "0", "0", "0", "0", "0", "0"],
            ["prod", EMPTY, "New", "false", "read", "0", "0", "0", "0", "0", "0", "0", "0", "0"],
        ]
    );
    let (raw, _) = audited(&["--csv-raw"]);
    assert_eq!(organizations(&raw)[1]["org_name"], "=West; \"Ltd\"");
}

#[test]
fn a_user_of_two_organizations_names_both_and_counts_once_in_the_totals() {
    let (env, ran) = audited(&["--format", "csv,json"]);
    let rows = env.rows();
    let of = |user: &str| {
        cells(rows.iter().find(|row| row["username"] == user).unwrap(), "org_id,org_ids,org_names")
    };
    let both = format!("{EAST};{WEST}");
    // Either side of a separator may be a cell.
    assert_eq!(of("ann"), [EAST, &both, "East;'=West, \"Ltd\""]);
    assert_eq!(of("bob"), [EAST, EAST, "East"]);
    assert_eq!(of("cyd"), [WEST, WEST, "'=West, \"Ltd\""]);
    assert!(rows.iter().all(|row| cells(row, "places,live_places") == ["", ""]));
    assert!(ran.stdout.contains("3 requested = 2 read + 1 not read"), "{ran:?}");
    let json: Value = serde_json::from_str(&env.text("reports/findings.json")).unwrap();
    assert_eq!((&json["version"], &json["totals"]["keys"]), (&json!(2), &json!(2)));
    let organizations = json["deployments"][0]["organizations"].as_array().unwrap();
    let counts: Vec<_> = organizations.iter().map(|it| (&it["id"], &it["users"], &it["keys"])).collect();
    let expected = [(EAST, 2, 2), (WEST, 2, 2), (GONE, 0, 0), (EMPTY, 0, 0)]
        .map(|(id, users, keys)| (json!(id), json!(users), json!(keys)));
    assert_eq!(counts, expected.iter().map(|(id, users, keys)| (id, users, keys)).collect::<Vec<_>>());
}

/// What a list does not say, or not in the documented form, is unknown, and costs no user.
#[test]
fn the_roles_and_teams_that_each_list_shows_are_kept() {
    let (env, _) = audited(&[]);
    let query = |user: &str| {
        let query = "SELECT scope, memberships.id, coalesce(roles, 'NULL'), coalesce(team_ids, 'NULL') FROM memberships
            JOIN readings ON reading = readings.id";
        sqlite3(&env, &format!("{query} WHERE username = '{user}' ORDER BY memberships.id"))
    };
    let (project, teams) = (id(5), format!("[\"{}\",\"{}\"]", id(7), id(8)));
    let role = |org: &str, project: &str, name: &str| {
        format!("{{\"org_id\":{org},\"project_id\":{project},\"name\":\"{name}\"}}")
    };
    let quoted = |id: &str| format!("\"{id}\"");
    let roles = [
        role("null", "null", "GLOBAL_OWNER"),
        role("null", &quoted(&project), "GROUP_OWNER"),
        role(&quoted(EAST), "null", "ORG_MEMBER"),
        role(&quoted(EAST), "null", "ORG_OWNER"),
    ];
    assert_eq!(
        query("ann"),
        format!("organization|{EAST}|[{}]|{teams}\norganization|{WEST}|NULL|NULL\n", roles.join(","))
    );
    assert_eq!(query("bob"), format!("organization|{EAST}|[]|[]\n"));
    assert_eq!(query("cyd"), format!("organization|{WEST}|NULL|NULL\n"));
}

#[test]
fn a_user_looked_up_by_name_and_one_of_a_project_have_roles_and_no_organization() {
    let (role, project) = (json!([{"orgId": EAST, "roleName": "ORG_MEMBER"}]), id(5));
    let stub = Stub::start(Digest::On, move |asked| match asked.path.as_str() {
        "/users/byName/ann" => Reply::ok(&user(USER, "ann", role.clone(), Value::Null)),
        path if path == format!("/groups/{}/users", id(5)) => {
            Reply::ok(&list(&[user(&id(2), "bob", role.clone(), json!([]))]))
        }
        _ => Reply::ok(&list(&[])),
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--user", "ann", "--project", &project]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found = sqlite3(
        &env,
        "SELECT scope, id, json_array_length(roles), team_ids IS NULL FROM memberships ORDER BY scope",
    );
    assert_eq!(found, format!("account|{USER}|1|1\nproject|{project}|1|0\n"));
    assert!(env.rows().iter().all(|row| cells(row, "org_id,org_ids,org_names") == ["", "", ""]));
    assert_eq!(organizations(&env), [] as [Row; 0]);
    assert!(env.markdown().contains("| Organizations | none in scope |"));
}

#[test]
fn an_organization_that_was_named_is_a_row_without_a_name() {
    let env = env();
    let ran = env.audit_at(&deployment().url(), &["--org", &EAST.to_uppercase()]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let found = organizations(&env);
    assert_eq!(found.len(), 1);
    assert_eq!(cells(&found[0], "org_id,org_name,deleted,list_status,users"), [EAST, "", "", "read", "2"]);
    assert!(env.rows().iter().all(|row| cells(row, "org_ids,org_names") == [EAST, ""]));
}

#[test]
fn the_reports_name_all_organizations_worst_first() {
    let (env, ran) = audited(&[]);
    let at = |text: &str, what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    let page = env.markdown();
    let table = &page[at(&page, "### Organizations, worst first")..at(&page, "## Owners, worst first")];
    let names = [
        "`=West; \"Ltd\"`",
        "`East`",
        "`Old` (`5980000000000000000000cc`), deleted, **list not-found** |",
        "`New`",
    ];
    let places: Vec<_> = names.iter().map(|name| at(table, name)).collect();
    assert!(places.is_sorted(), "{table}");
    assert!(
        page.contains(
            "| Organizations | 4 seen, 1 of them deleted, 1 with an incomplete list of users; users of each: "
        ),
        "{page}"
    );
    let columns = &ran.stdout[at(&ran.stdout, "  by org")..at(&ran.stdout, "  written")];
    let widths: Vec<_> = columns.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width <= 80), "{widths:?} {columns}");
    assert!(columns.contains("Old (deleted)"), "{columns}");
}

#[test]
fn a_user_of_two_organizations_is_a_case_in_the_suite_of_each() {
    let (env, _) = audited(&["--format", "junit"]);
    let text = env.text("reports/junit.xml");
    let suite = |name: &str| {
        let from = text.find(&format!("name=\"{name}")).unwrap_or_else(|| panic!("{name} in {text}"));
        &text[from..from + text[from..].find("</testsuite>").unwrap()]
    };
    let case = |organization: &str| format!("<testcase name=\"ann\" classname=\"prod.{organization}\"");
    assert!(suite(&format!("East ({EAST})")).contains(&case(EAST)));
    assert!(suite(&format!("=West; &quot;Ltd&quot; ({WEST})")).contains(&case(WEST)));
    assert_eq!(text.matches("<testcase name=\"ann\"").count(), 2);
    let east = suite(&format!("East ({EAST})"));
    assert!(east.contains("<property name=\"users_total\" value=\"3\"/>"), "{east}");
    assert!(east.contains("<property name=\"keys_total\" value=\"2\"/>"), "{east}");
}

fn waiver(organization: &str, expires: &str) -> String {
    format!(
        "[[waiver]]\norganization = \"{organization}\"\nreason = \"deleted\"\nowner = \"ops\"\nexpires = {expires}\n"
    )
}

#[test]
fn a_waiver_accepts_an_organization_that_can_not_be_listed() {
    let with = |waivers: &str, flags: &[&str]| {
        let env = env();
        env.put("waivers.toml", waivers);
        let flags = [&["--all-orgs", "--waivers", "waivers.toml", "--fail-on", "never"], flags].concat();
        let ran = env.audit_at(&deployment().url(), &flags);
        (env, ran)
    };
    let cyd = "[[waiver]]\nuser = \"cyd\"\nreason = \"left\"\nowner = \"ops\"\nexpires = 2025-06-30\n";
    let (expired, active) = ("2024-12-31", "2025-06-30");
    for (waivers, code) in [
        (cyd.to_owned(), 3),
        (cyd.to_owned() + &waiver(GONE, active), 0),
        (cyd.to_owned() + &waiver("OLD", active), 0),
        (cyd.to_owned() + &waiver(GONE, expired), 3),
        (waiver(GONE, active), 3),
    ] {
        assert_eq!(with(&waivers, &[]).1.code, code, "{waivers}");
    }
    let formats = ["--format", "csv,markdown,json,sarif,junit,gitlab,prometheus"];
    let (env, ran) = with(&(cyd.to_owned() + &waiver(GONE, active)), &formats);
    assert!(
        ran.words().contains("deleted organization 5980000000000000000000cc: users may be missing (waived)")
    );
    assert!(ran.stdout.contains("1 of 1 incomplete lists"), "{ran:?}");
    let rows = env.rows();
    let row = rows.iter().find(|row| row["user_id"].is_empty()).unwrap();
    assert_eq!(cells(row, "waiver,waiver_owner,waiver_expires"), ["active", "ops", active]);
    let page = env.markdown();
    assert!(page.contains("1 of 1 incomplete list."));
    // A waiver reads no user.
    assert!(
        page.contains("\n| Complete | **no**: 1 user not read, 1 incomplete list, the run finished |"),
        "{page}"
    );
    assert!(page.contains("; 1 user not read; an unknown number of users of 1 incomplete list;"), "{page}");
    assert!(
        env.text("reports/junit.xml")
            .contains("<skipped type=\"waived\" message=\"waived until 2025-06-30 by ops: deleted\"")
    );
    let json: Value = serde_json::from_str(&env.text("reports/findings.json")).unwrap();
    assert_eq!((&json["complete"], &json["totals"]["gaps_waived"]), (&json!(false), &json!(1)));
    let (_, ran) = with(&(cyd.to_owned() + &waiver(GONE, active) + &waiver(EAST, active)), &[]);
    assert!(
        ran.words().contains(&format!("the waiver of organization \"{EAST}\" (line 11) matches no key")),
        "{ran:?}"
    );
}

/// A run whose list is waived may be compared with.
#[test]
fn a_run_with_a_waived_list_can_be_compared_with() {
    let stub = deployment();
    let env = env();
    let cyd = "[[waiver]]\nuser = \"cyd\"\nreason = \"left\"\nowner = \"ops\"\nexpires = 2025-06-30\n";
    env.put("waivers.toml", cyd.to_owned() + &waiver("old", "2025-06-30"));
    let audit = |flags: &[&str]| {
        env.audit_at(
            &stub.url(),
            &[&["--all-orgs", "--name", "prod", "--waivers", "waivers.toml"], flags].concat(),
        )
    };
    assert_eq!(audit(&[]).code, 1);
    assert_eq!(audit(&["--ratchet"]).code, 0, "nothing is worse than before");
    env.put("before.ndjson", env.run(&["export"]).stdout);
    assert_eq!(audit(&["--baseline", "before.ndjson"]).code, 0);
    env.put("waivers.toml", cyd);
    let ran = audit(&["--baseline", "before.ndjson"]);
    assert!(ran.code == 5 && ran.stderr.contains("its run is incomplete: deleted organization"), "{ran:?}");
}

/// The run database, the manifest and the export of a release before organizations were recorded.
fn earlier_release() -> TestEnv {
    let env = env();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/version_2");
    let text = |name: &str| std::fs::read_to_string(from.join(name)).unwrap();
    std::fs::create_dir_all(env.path("reports")).unwrap();
    for (name, to) in [
        ("manifest.json", "reports/manifest.json"),
        ("keys.csv", "reports/keys.csv"),
        ("run.ndjson", "run.ndjson"),
    ] {
        env.put(to, text(name));
    }
    sqlite3(&env, &text("store.sql"));
    env
}

#[test]
fn the_evidence_of_an_earlier_release_still_verifies() {
    let env = earlier_release();
    let ran = env.run(&["verify"]);
    assert!(ran.code == 0 && !ran.stdout.contains("DIFFERS") && !ran.stdout.contains("unknown"), "{ran:?}");
    // A newer manifest of the same run has another form of the same readings.
    assert_eq!(env.run(&["report", "--format", "csv"]).code, 4);
    let ran = env.run(&["verify"]);
    assert!(ran.code == 0 && ran.stdout.contains("ok       manifest  version 2 of 1 run"), "{ran:?}");
    env.put("reports/manifest.json", env.text("run.ndjson"));
    assert_eq!(env.run(&["verify"]).code, 5);
    // Readings that were changed since are found by the manifest of either version.
    sqlite3(&env, "UPDATE keys SET enabled = 1 - enabled");
    assert_eq!(env.run(&["report", "--format", "csv"]).code, 4);
    let ran = env.run(&["verify"]);
    assert!(ran.code == 1 && ran.stdout.contains("DIFFERS  record"), "{ran:?}");
}

/// One organization a user was recorded then: which others there were is unknown, and never "none".
#[test]
fn the_organizations_of_an_earlier_release_are_unknown() {
    let env = earlier_release();
    let before = rows(&env.bytes("reports/keys.csv"));
    assert_eq!(env.run(&["report", "--format", "csv,markdown,json,junit"]).code, 4);
    let columns = "user_id,key_id,read_status,verdict,severity,action,last_used,used_count,org_id";
    let after = env.rows();
    let both = [&before, &after].map(|rows| rows.iter().map(|row| cells(row, columns)).collect::<Vec<_>>());
    assert_eq!(both[0], both[1]);
    assert!(both[1].iter().any(|cells| !cells[8].is_empty()), "{both:?}");
    assert!(after.iter().all(|row| cells(row, "org_ids,org_names") == ["", ""]));
    assert_eq!(organizations(&env), [] as [Row; 0]);
    assert!(env.markdown().contains("| Organizations | not recorded"), "{}", env.markdown());
    let json: Value = serde_json::from_str(&env.text("reports/findings.json")).unwrap();
    assert_eq!(json["deployments"][0]["organizations"], Value::Null);
    let manifest: Value = serde_json::from_str(&env.text("reports/manifest.json")).unwrap();
    assert_eq!(manifest["runs"][0].get("organizations"), Some(&Value::Null));
    let first = env.run(&["export"]).stdout.lines().next().unwrap().to_owned();
    assert!(first.contains("\"version\":2") && first.contains("\"has_organizations\":false"), "{first}");
}

#[test]
fn an_export_of_an_earlier_release_is_a_baseline_still() {
    let env = earlier_release();
    env.put("waivers.toml", waiver("54cf30f3851e6a522395b5a5", "2025-12-31"));
    let with = |waivers: &[&str]| env.run(&[&["report", "--baseline", "run.ndjson"], waivers].concat());
    let ran = with(&[]);
    assert!(ran.code == 5 && ran.stderr.contains("its run is incomplete: organization 54cf"), "{ran:?}");
    assert!(env.text("run.ndjson").starts_with("{\"keysunset\":\"run\",\"version\":1,"));
}

/// An auditor's copy of an earlier release, which nobody may write to.
#[cfg(target_os = "linux")]
#[test]
fn write_protected_evidence_of_an_earlier_release_is_read_and_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;

    let env = earlier_release();
    // As it lies on a medium: whole, in one file.
    sqlite3(&env, "PRAGMA journal_mode = delete");
    let before = env.bytes("reports/keysunset.db");
    let protect = |mode: [u32; 2]| {
        for (name, mode) in ["reports/keysunset.db", "reports"].into_iter().zip(mode) {
            std::fs::set_permissions(env.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    protect([0o444, 0o555]);
    // The superuser writes to everything, but for one without capabilities.
    let without = ["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_keysunset")];
    let run =
        |arguments: &[&str]| CliOutput::of(env.start(Command::new("setpriv").args(without).args(arguments)));
    let written =
        CliOutput::of(env.start(Command::new("setpriv").args(&without[..2]).args(["touch", "reports/x"])));
    let verified = run(&["verify"]);
    let reported =
        run(&["report", "--store", "reports/keysunset.db", "--out", "elsewhere", "--format", "csv"]);
    protect([0o644, 0o755]);
    assert_ne!(written.code, 0, "{written:?}");
    assert_eq!(verified.code, 0, "{verified:?}");
    assert_eq!(reported.code, 4, "{reported:?}");
    let old = rows(&env.bytes("reports/keys.csv"));
    let new = rows(&env.bytes("elsewhere/keys.csv"));
    assert_eq!(
        old.iter().map(|row| &row["key_id"]).collect::<Vec<_>>(),
        new.iter().map(|row| &row["key_id"]).collect::<Vec<_>>()
    );
    assert_eq!(env.bytes("reports/keysunset.db"), before);
}
