//! How far replacements are, counted by the tags of programmatic keys: in the summary of an audit, in the history and between
//! two runs.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, env, id, list};
use crate::support::{CliOutput, NOW, TestEnv};
use crate::world::{disabled, key};

const ORG: &str = "5980000000000000000000aa";
const DAY: i64 = 86_400;
const ANN: usize = 1;
const BOB: usize = 2;

/// What the deployment has at a moment.
#[derive(Clone)]
struct Moment {
    /// The tags of programmatic keys.
    tags: Vec<String>,
    ann: Vec<Value>,
    /// `None`: his keys may not be read.
    bob: Option<Vec<Value>>,
    /// Whether the lists for the plan are refused.
    is_refused: bool,
}

fn deployment(first: Moment) -> (Arc<Mutex<Moment>>, Stub) {
    let now = Arc::new(Mutex::new(first));
    let moment = now.clone();
    let stub = Stub::start(Digest::On, move |asked| {
        let Moment { tags, ann, bob, is_refused } = moment.lock().unwrap().clone();
        let user = |number: usize| {
            json!({"id": id(number), "username": format!("u{number}"), "teamIds": [],
                "roles": [{"orgId": ORG, "roleName": "ORG_MEMBER"}]})
        };
        let made = |(at, tag): (usize, &String)| json!({"id": id(500 + at), "desc": format!("{tag} u"), "roles": []});
        match asked.path.strip_prefix(&format!("/orgs/{ORG}/")).unwrap_or(&asked.path) {
            "users" => Reply::ok(&list(&[user(ANN), user(BOB)])),
            path if path.contains(&id(ANN)) => Reply::ok(&list(&ann)),
            path if path.contains(&id(BOB)) => {
                bob.map_or_else(|| Reply::error(403, "ACCESS_FORBIDDEN"), |keys| Reply::ok(&list(&keys)))
            }
            _ if is_refused => Reply::error(403, "ACCESS_FORBIDDEN"),
            "apiKeys" => Reply::ok(&list(&tags.iter().enumerate().map(made).collect::<Vec<_>>())),
            "/groups" => Reply::ok(&list(&[])),
            path => panic!("nobody needs {path}"),
        }
    });
    (now, stub)
}

fn audit(env: &TestEnv, stub: &Stub) -> CliOutput {
    env.audit_at(&stub.url(), &["--org", ORG, "--name", "east"])
}

/// The counts of a run, in the order of the path of a replacement.
fn counts(run: &Value) -> [u64; 6] {
    let all = &run["replacements"];
    assert_eq!(
        (&all["used"], &all["silent_days"]),
        (&Value::Null, &json!(14)),
        "the service does not show uses"
    );
    ["planned", "created", "silent", "disabled", "gone", "unknown"].map(|state| all[state].as_u64().unwrap())
}

fn json_of(env: &TestEnv, arguments: &[&str]) -> Value {
    let ran = env.run(arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_replacement_is_followed_by_its_tag_from_planned_to_gone() {
    let used = |days: i64| vec![key(ANN, 11, Some(NOW - days * DAY), 5)];
    let bobs = |days: i64| vec![key(BOB, 22, Some(NOW - days * DAY), 5)];
    let tags =
        |owners: &[usize]| owners.iter().map(|owner| format!("keysunset:{}", id(*owner))).collect::<Vec<_>>();
    let first = Moment { tags: Vec::new(), ann: used(1), bob: Some(bobs(1)), is_refused: false };
    let (now, stub) = deployment(first.clone());
    let env = env();
    let mut progress = Vec::new();
    let mut run = |moment: Moment| {
        *now.lock().unwrap() = moment;
        let ran = audit(&env, &stub);
        let line = ran.stdout.lines().find_map(|line| line.strip_prefix("  progress    "));
        progress.push(line.unwrap_or_default().to_owned());
    };
    run(first.clone());
    // A tag of somebody else, and a description that is no tag, are not counted.
    let foreign = ["keysunset:x".to_owned(), "backup".to_owned()];
    run(Moment { tags: [&tags(&[ANN])[..], &foreign].concat(), ..first.clone() });
    let silent = Moment { tags: tags(&[ANN, BOB]), ann: used(14), ..first.clone() };
    run(Moment { bob: Some(bobs(1).into_iter().map(disabled).collect()), ..silent.clone() });
    run(Moment { ann: Vec::new(), bob: None, ..silent.clone() });
    // No owner has a key any more, and the replacements are looked up all the same.
    run(Moment { ann: Vec::new(), bob: Some(Vec::new()), ..silent.clone() });
    run(Moment { is_refused: true, ..first });
    assert_eq!(
        progress,
        [
            "replacements: 2 planned",
            "replacements: 1 planned, 1 created",
            "replacements: 1 silent, 1 disabled",
            "replacements: 1 gone, 1 unknown",
            "replacements: 2 gone",
            "replacements: 2 unknown",
        ]
    );
    let runs = json_of(&env, &["history", "--json"])["deployments"][0]["runs"].clone();
    let all: Vec<_> = runs.as_array().unwrap().iter().map(counts).collect();
    let expected = [
        [2, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 2],
    ];
    assert_eq!(all, expected);
    history_pages(&env);
    moves(&env);
}

fn history_pages(env: &TestEnv) {
    let page = env.run(&["history"]).stdout;
    let table = "
  replacements
  run   planned   created    silent  disabled      gone   unknown
    1         2         0         0         0         0         0
    2         1         1         0         0         0         0
    3         0         0         1         1         0         0
    4         0         0         0         0         1         1
    5         0         0         0         0         2         0
    6         0         0         0         0         0         2
";
    assert!(page.contains(table), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    let page = env.run(&["history", "--format", "markdown"]).stdout;
    for line in
        ["| Run | planned | created | silent | disabled | gone | unknown |", "| 3 | 0 | 0 | 1 | 1 | 0 | 0 |"]
    {
        assert!(page.contains(line), "{line}: {page}");
    }
}

fn moves(env: &TestEnv) {
    let diff = json_of(env, &["diff", "1", "2", "--json"]);
    assert_eq!((counts(&diff["before"]), counts(&diff["after"])), ([2, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]));
    let moved = json!([{"from": "planned", "to": "created", "replacements": 1}]);
    assert_eq!(diff["replacement_moves"], moved);
    let page = env.run(&["diff", "2", "3"]).stdout;
    for line in [
        "  progress    replacements in run 2: 1 planned, 1 created",
        "              replacements in run 3: 1 silent, 1 disabled",
        "              1 moved from planned to disabled",
        "              1 moved from created to silent",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}: {page}");
    }
    let page = env.run(&["diff", "4", "5", "--format", "markdown"]).stdout;
    assert!(page.contains("- replacements in run 5: 2 gone\n- 1 moved from unknown to gone\n"), "{page}");
}

/// The plan alone needs these lists, so the audit is complete without them.
#[test]
fn the_summary_names_refused_lists_of_the_plan_and_the_role_for_them() {
    let keys = |user: usize, number| vec![key(user, number, Some(NOW - DAY), 5)];
    let first = Moment { tags: Vec::new(), ann: keys(ANN, 11), bob: Some(keys(BOB, 22)), is_refused: true };
    let (_, stub) = deployment(first);
    let env = env();
    let ran = audit(&env, &stub);
    assert_eq!(ran.code, 1, "complete: {ran:?}");
    let summary = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let lists = format!("groups (forbidden), orgs/{ORG}/apiKeys (forbidden)");
    let said = format!(
        "plan lists for `keysunset plan` were not read: {lists}. The results of this audit are not affected."
    );
    assert!(summary.contains(&said), "{ran:?}");
    for part in ["it is unknown which replacements exist", "GLOBAL_READ_ONLY"] {
        assert!(summary.contains(part), "{part}: {ran:?}");
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{ran:?}");
}
