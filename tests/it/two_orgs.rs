//! A deployment in which everything happens that a format for CI servers has to show: two organizations whose users come in
//! turns, every outcome and every standing of a waiver in both, and texts that are hard on every format.

use std::path::Path;

use keysunset::policy::{FailOn, Policy};
use keysunset::report::{self, CsvStyle, Format, GatePolicy, Output, ReportInput};
use keysunset::store::Store;
use keysunset::waivers::Waivers;
use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, env, id, key, list};
use crate::support::{NOW, TestEnv, at, rfc3339};

pub(crate) const ORGS: [&str; 2] = ["5980000000000000000000aa", "5980000000000000000000bb"];
/// Its list of users is refused.
pub(crate) const CLOSED: &str = "5980000000000000000000cc";
/// Users by what becomes of them; one of each in each organization, by names in turn.
const KINDS: usize = 10;

/// Names and descriptions that are hard on XML, on workflow commands and on Markdown.
const HOSTILE: [&str; 20] = [
    "]]></failure></testcase>",
    "<![CDATA[",
    "&amp;&#0;&#x1b;",
    "\" onload='x' \"",
    "\u{0}\u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}\u{7f}\u{85}",
    "\u{fffe}\u{ffff}\u{feff}\u{fffd}",
    "\r\n::error::\u{2028}gone",
    "\n::set-output name=x::y",
    "::stop-commands::x",
    "##[error]x",
    "50%0A::error::x%25",
    "title=x,file=y:1",
    "a | b \\| c",
    "`x` ```",
    "<img src=x onerror=alert(1)>",
    "[a](http://e.example) https://e.example @all",
    "# a",
    "--> <!--",
    "é🚀 ",
    "\t \u{202e}\u{200b}",
];

fn name(number: usize) -> String {
    format!("u{number:02} {}", HOSTILE[number])
}

/// A key with its last use so many days ago; `None`: nobody knows.
fn used(number: usize, days: Option<i64>) -> Value {
    let mut key = key(number, HOSTILE[number % HOSTILE.len()]);
    key["lastUsed"] = days.map_or(Value::Null, |days| rfc3339(at(NOW - days * 86_400)).into());
    key
}

/// The number of a key of a user.
pub(crate) fn key_of(user: usize, number: usize) -> usize {
    10_000 + user * 10 + number
}

fn keys(user: usize) -> Reply {
    let key_of = |number| key_of(user, number);
    let low = |number| key(key_of(number), "ci");
    let keys = match user / 2 {
        0 => vec![],
        1 => vec![used(key_of(0), Some(10)), used(key_of(1), Some(400)), low(2)],
        2 => {
            let mut disabled = used(key_of(0), Some(10));
            disabled["enabled"] = false.into();
            vec![disabled, low(1)]
        }
        3 => vec![used(key_of(0), None)],
        4 | 6 => return Reply::error(401, "NOT_SELF"),
        // One of two.
        5 | 9 => {
            let mut page = page(100 + user, vec![used(key_of(0), Some(20))]);
            page["totalCount"] = 2.into();
            return Reply::ok(&page);
        }
        7 => vec![low(0)],
        _ => vec![used(key_of(0), Some(30)), low(1)],
    };
    Reply::ok(&page(100 + user, keys))
}

/// The keys of a user.
fn page(owner: usize, mut keys: Vec<Value>) -> Value {
    for key in &mut keys {
        key["userId"] = id(owner).into();
    }
    list(&keys)
}

/// Two organizations whose users come in turns, a third that lists nobody, and two users of a list.
pub(crate) fn deployment() -> Stub {
    Stub::start(Digest::On, |asked| {
        if let Some(organization) =
            ORGS.iter().position(|org| asked.path.starts_with(&format!("/orgs/{org}/")))
        {
            let users = (0..2 * KINDS).filter(|number| number % 2 == organization);
            let users: Vec<_> =
                users.map(|number| json!({"id": id(100 + number), "username": name(number)})).collect();
            return Reply::ok(&list(&users));
        }
        if asked.path.starts_with("/orgs/") {
            return Reply::error(403, "NOT_ORG_OWNER");
        }
        let user = asked.path.split('/').nth(2).unwrap();
        match usize::from_str_radix(user, 16).unwrap() {
            300 => Reply::ok(&page(300, vec![used(key_of(200, 0), Some(50))])),
            301 => Reply::ok(&list(&[])),
            user => keys(user - 100),
        }
    })
}

/// Of both organizations: who may stay unread, and which keys are accepted; and what there is to say of waivers.
pub(crate) fn waivers() -> String {
    let of = |target: String, expires: &str| {
        format!(
            "[[waiver]]\n{target}\nreason = 'A </failure> | `reason`'\nowner = 'ann::x'\nexpires = {expires}\n"
        )
    };
    let key = |user, number| format!("key = '{}'", id(key_of(user, number)));
    let mut all = String::new();
    for organization in 0..2 {
        let user = |kind: usize| 2 * kind + organization;
        for kind in [6, 9] {
            all += &of(format!("user = '{}'", id(100 + user(kind))), "2025-06-30");
        }
        all += &of(key(user(7), 0), "2025-01-05");
        all += &of(key(user(8), 1), "2025-06-30");
        all += &of(key(user(2), 0), "2024-12-31");
    }
    all + &of(format!("key = '{}'", id(9)), "2025-06-30")
}

/// A run over all of it.
pub(crate) fn audited(more: &[&str]) -> (TestEnv, i32) {
    let (env, stub) = (env(), deployment());
    env.put("list.txt", format!("# two\n{}\n{}\n", id(300), id(301)));
    env.put("waivers.toml", waivers());
    let orgs = [ORGS[0], ORGS[1], CLOSED].map(|org| ["--org", org]).concat();
    let rest = ["--users", "list.txt", "--waivers", "waivers.toml", "--name", "east <1>"];
    let ran = env.audit_at(&stub.url(), &[&orgs, &rest[..], more].concat());
    assert!(!ran.stdout.contains('\0'), "{ran:?}");
    (env, ran.code)
}

/// Writes one report over runs of two deployments, `east` and `west`, into `reports` of the environment; returns standard output.
pub(crate) fn over_two_deployments(formats: &[Format], step_summary: Option<&Path>) -> (TestEnv, String) {
    let (env, stub) = (env(), deployment());
    for name in ["west", "east"] {
        let run = ["--org", ORGS[0], "--user", &id(300), "--name", name, "--format", "csv", "--out", name];
        assert_eq!(env.audit_at(&stub.url(), &run).code, 4);
    }
    let stores = ["west", "east"].map(|name| Store::open(&env.path(name).join("keysunset.db")).unwrap());
    let runs = stores.each_ref().map(|store| store.run(None).unwrap());
    let evidence: Vec<_> = stores
        .iter()
        .zip(&runs)
        .map(|(store, run)| {
            let (cutoff, active_within) = (run.settings.cutoff, run.settings.active_within);
            ReportInput {
                store,
                run,
                policy: Policy { now: run.started_at, cutoff, active_within },
                ratchet: None,
            }
        })
        .collect();
    let output = Output {
        stdout: false,
        out: env.path("reports"),
        formats: formats.to_vec(),
        templates: None,
        step_summary: step_summary.map(|path| env.path("").join(path)),
        csv: CsvStyle::default(),
    };
    let rules = GatePolicy { fail_on: FailOn::Any, waivers: &Waivers::default() };
    let stdout = report::write(&evidence, rules, &output, &mut ()).unwrap().stdout;
    (env, stdout)
}
