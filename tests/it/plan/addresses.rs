//! The addresses of replacements: from the owner's own list, which the owner alone may read, and from `--addresses`.

use std::collections::BTreeMap;

use keysunset_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use super::{EAST, USED, replacements};
use crate::inventory::inventory;
use crate::stub::id;
use crate::support::{Row, TestEnv, rows, sandbox};

/// A user of [`EAST`] with the roles of a member, a key and a list of addresses.
fn user(number: usize, name: &str, has_key: bool, addresses: &[&str]) -> Value {
    let entry = |block: &&str| json!({"cidrBlock": block, "created": "2019-01-01T00:00:00Z"});
    let key = json!({"id": id(number), "description": "ci", "enabled": true, "createdAt": "2018-01-01T00:00:00Z",
        "lastUsed": USED, "usedCount": 7, "key": format!("5d4c3b2a-1908-4f7e-b6d5-{number:012x}")});
    json!({"id": id(100 + number), "username": name, "roles": [{"orgId": EAST, "roleName": "ORG_MEMBER"}],
        "keys": if has_key { json!([key]) } else { json!([]) },
        "accessList": addresses.iter().map(entry).collect::<Value>()})
}

/// The public and private part of the programmatic key that counts as this user.
fn credential(number: usize) -> (String, String) {
    (
        format!("aaaaaaa{}", char::from(b"abcdefghij"[number])),
        format!("9e8d7c6b-5a49-4837-a625-{number:012x}"),
    )
}

const OWNERS: [&str; 5] = ["bob", "cyd", "dan", "eve", "fay"];

/// An administrator, and five users of whom all but the last have a key.
fn world() -> (TestEnv, Sandbox) {
    let mut admin = user(9, "ann", false, &[]);
    admin["roles"] = json!([{"roleName": "GLOBAL_OWNER"}, {"orgId": EAST, "roleName": "ORG_OWNER"}]);
    let lists: [&[&str]; 5] =
        [&["203.0.113.7/32", "2001:db8::/32", "0.0.0.0/0", "10.0.0.0/8"], &[], &[], &[], &["10.0.0.9/32"]];
    let users = OWNERS.iter().zip(lists).enumerate();
    let users = users.map(|(at, (name, list))| user(at + 1, name, *name != "fay", list));
    let program = |number: usize, maker: &str, role: Value| {
        let (public, private) = credential(number);
        json!({"id": id(200 + number), "desc": "d", "publicKey": public, "privateKey": private, "madeBy": maker, "roles": [role]})
    };
    let member = json!({"orgId": EAST, "roleName": "ORG_MEMBER"});
    let keys =
        [(1, "bob"), (3, "dan"), (5, "fay")].map(|(number, name)| program(number, name, member.clone()));
    let world = json!({
        "organizations": [{"id": EAST, "name": "East"}],
        "users": std::iter::once(admin).chain(users).collect::<Value>(),
        "programmaticKeys": std::iter::once(program(9, "ann", json!({"roleName": "GLOBAL_OWNER"}))).chain(keys).collect::<Value>(),
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), world.to_string()).unwrap();
    let sandbox = sandbox(Options { world: Some(file.path().to_owned()), ..Options::default() });
    let env = TestEnv::of(credential(9));
    // The credential of cyd is that of ann, who may read all keys and no list of addresses.
    let lines = [("bob", 1), ("cyd", 9), ("dan", 3), ("fay", 5)].map(|(name, number)| {
        let (public, private) = credential(number);
        format!("{name},{public},{private}\n")
    });
    env.put("own.csv", format!("user,public_key,private_key\n{}", lines.concat()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(env.path("own.csv"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    (env, sandbox)
}

fn addresses(rows: &[Row]) -> BTreeMap<&str, &str> {
    replacements(rows).iter().map(|row| (&*row["owner"], &*row["addresses"])).collect()
}

fn plan(env: &TestEnv, arguments: &[&str]) -> Vec<Row> {
    let ran = env.run(&[&["plan"], arguments].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    rows(&env.bytes("reports/plan.csv"))
}

fn letter(env: &TestEnv, row: &Row) -> String {
    env.text(&row["script"].replace("plan/", "reports/letters/").replace(".sh", ".md"))
}

#[test]
fn addresses_come_from_the_owners_own_list_or_a_file() {
    let (env, sandbox) = world();
    let ran = env.audit(&sandbox, &["--all-orgs"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let without = sandbox.counts().exchanges;
    assert!(!inventory(&env).keys().any(|path| path.starts_with("users/")), "no owner has a credential");
    std::fs::remove_dir_all(env.path("reports")).unwrap();
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--credentials", "own.csv"]).code, 1);
    let lists: BTreeMap<_, _> =
        inventory(&env).into_iter().filter(|(path, _)| path.starts_with("users/")).collect();
    let path = |number: usize| format!("users/{}/whitelist", id(100 + number));
    let block = |block: &str| json!({"block": block});
    let of_bob = json!(["203.0.113.7/32", "2001:db8::/32", "0.0.0.0/0", "10.0.0.0/8"].map(block));
    assert_eq!(
        lists,
        BTreeMap::from([
            (path(1), ("read".to_owned(), of_bob)),
            (path(2), ("forbidden".to_owned(), json!([]))),
            (path(3), ("read".to_owned(), json!([]))),
        ]),
        "one list for each owner of a key with a credential"
    );
    // Each of three more credentials is challenged once.
    assert_eq!(sandbox.counts().exchanges - without, without + 3 + 3, "one request for each list");

    let rows = plan(&env, &[]);
    let all = "0.0.0.0/0;10.0.0.0/8;203.0.113.7/32;2001:db8::/32";
    assert_eq!(addresses(&rows), BTreeMap::from([("bob", all), ("cyd", ""), ("dan", ""), ("eve", "")]));
    let made = replacements(&rows);
    assert_eq!(made[0]["review"], "0.0.0.0/0: try the addresses of the scripts");
    assert!(env.text("reports/plan.md").contains("| `0.0.0.0/0` |"), "{}", env.text("reports/plan.md"));
    let script = env.text(&format!("reports/{}", made[0]["script"]));
    assert!(script.contains(&format!("'{}'", all.replace(';', ","))), "{script}");
    let words = letter(&env, made[0]);
    assert!(words.contains("203.0.113.7/32") && words.contains("very large network"), "{words}");
    for row in &made[1..] {
        assert!(letter(&env, row).contains("From which addresses"), "{row:?}");
    }
    let document: Value = serde_json::from_str(&env.text("reports/plan.json")).unwrap();
    let from: Vec<_> = document["owners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|owner| (owner["owner"].clone(), owner["replacements"][0]["addresses_from"].clone()))
        .collect();
    let expected =
        [("bob", json!("owner")), ("cyd", Value::Null), ("dan", json!("owner")), ("eve", Value::Null)];
    assert_eq!(from, expected.map(|(name, from)| (json!(name), from)));

    // The file decides about the owners that it names.
    env.put(
        "addresses.csv",
        "username;addresses\nBOB;10.0.0.2\nbob;10.0.0.1/32, 10.0.0.2\neve;2001:DB8::1 192.0.2.0/24\n",
    );
    env.put(
        "addresses.json",
        json!([
            {"user_id": id(101), "addresses": ["10.0.0.2", "10.0.0.1"]},
            {"username": "eve", "addresses": "192.0.2.0/24"},
            {"id": id(104).to_uppercase(), "username": "eve", "addresses": ["2001:db8::1"]},
        ])
        .to_string(),
    );
    let expected = BTreeMap::from([
        ("bob", "10.0.0.1/32;10.0.0.2/32"),
        ("cyd", ""),
        ("dan", ""),
        ("eve", "192.0.2.0/24;2001:db8::1/128"),
    ]);
    for file in ["addresses.csv", "addresses.json"] {
        let rows = plan(&env, &["--addresses", file]);
        assert_eq!(addresses(&rows), expected, "{file}");
    }
    // A plan that a person filled in is such a file.
    let filled = env.text("reports/plan.csv");
    env.put("filled.csv", filled.replace("10.0.0.1/32;10.0.0.2/32", "192.0.2.9"));
    assert_eq!(addresses(&plan(&env, &["--addresses", "filled.csv"]))["bob"], "192.0.2.9/32");
}

#[test]
fn a_file_with_a_wrong_line_is_refused_with_the_line() {
    let (env, sandbox) = world();
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    let bob = id(101);
    let in_csv = |rows: &str| format!("user_id,username,addresses\n{rows}");
    for (name, text, problems) in [
        (
            "a.csv",
            in_csv(&format!("{bob},,10.0.0.1\n{bob},,10.0.0.256\n,zoe,10.0.0.1\n")),
            vec!["a.csv:3: \"10.0.0.256\" is not an address", "a.csv:4: the run has no user \"zoe\""],
        ),
        (
            "b.csv",
            in_csv(&format!("{bob},eve,10.0.0.1\n{},,10.0.0.1\n", id(999))),
            vec!["b.csv:2: user", "b.csv:3: the run has no user"],
        ),
        (
            "c.csv",
            in_csv(",bob,\n,,10.0.0.1\n1234,,10.0.0.1\n"),
            vec!["c.csv:2: no address", "c.csv:3: neither", "c.csv:4: \"1234\" is not a user ID"],
        ),
        (
            "d.csv",
            in_csv(",bob,10.1.2.3/8\n,bob\n"),
            vec!["d.csv:2: \"10.1.2.3/8\" has bits", "d.csv:3: 2 fields"],
        ),
        ("e.csv", "username,name\nbob,10.0.0.1\n".to_owned(), vec!["e.csv:1: the columns"]),
        ("f.txt", "bob 10.0.0.1\n".to_owned(), vec!["f.txt: no header"]),
        ("g.csv", in_csv(""), vec!["g.csv: the file contains no addresses"]),
        (
            "h.json",
            format!(
                "[\n{{\"user_id\": \"{bob}\", \"addresses\": [\"10.0.0.1\"]}},\n{{\"username\": \"zoe\", \"addresses\": [\"x\"]}},\n{{\"username\": \"zoe\", \"addresses\": [\"::1\"]}},\n{{\"name\": 1}}\n]\n"
            ),
            vec![
                "h.json:3: \"x\" is not an address",
                "h.json:4: the run has no user \"zoe\"",
                "h.json:5: unknown field `name`",
            ],
        ),
        ("i.json", "[{".to_owned(), vec!["i.json:1: EOF"]),
    ] {
        env.put(name, text);
        let ran = env.run(&["plan", "--addresses", name]);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.stderr.starts_with("error: invalid file with addresses"), "{ran:?}");
        for problem in problems {
            assert!(ran.stderr.contains(problem), "{problem}: {ran:?}");
        }
    }
    let ran = env.run(&["plan", "--addresses", "missing.csv"]);
    assert!(
        ran.code == 5 && ran.stderr.contains("can't read the file with addresses missing.csv"),
        "{ran:?}"
    );
    assert!(!env.path("reports/plan.md").exists(), "a refused file writes no plan");
}
