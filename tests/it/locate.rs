//! `locate`: one row a place, never a key in an output, and what was not searched is never passed over.

mod memory;
mod outputs;
mod repositories;
mod secrets;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;

use keysunset_sandbox::Options;
use serde_json::{Value, json};

use crate::stub::{Stub, env, id};
use crate::support::{NOW, Row, TestEnv, rows, sandbox};
use crate::world::{Keys, World, audited};

/// The columns of `locations.csv`, in the order that is promised.
const COLUMNS: &str = "deployment,key_id,key_suffix,username,description,severity,action,class,state,repository,path,member,\
    line,column,encoding,first_commit,first_date,first_author,last_commit,versions";

/// Ann's key, in use; Bob's, in use; Bob's, disabled; and a key that the run does not have.
const ANN: &str = "3d0d4b6e-5f1c-4a52-9d6f-92732876eeae";
const BOB: &str = "a2f7c8d1-0b3e-4c64-8f75-4c5d3fc98d30";
const OLD: &str = "0c9a8b7d-6e5f-4a3b-8c2d-1e0f9a8b7c6d";
const OTHER: &str = "7b6a5948-3726-4514-a302-f1e0d9c8b7a6";

fn suffix(key: &str) -> &str {
    &key[24..]
}

fn personal_key(user: usize, number: usize, key: &str, enabled: bool) -> Value {
    json!({
        "createdAt": "2018-05-14T14:45:22Z", "description": "ci", "enabled": enabled, "id": id(number),
        "lastUsed": crate::support::rfc3339(crate::support::at(NOW - 86_400)), "usedCount": 7, "userId": id(user),
        "obfuscatedKey": format!("********-****-****-{}", suffix(key)),
    })
}

fn world() -> Stub {
    let bob = vec![personal_key(2, 11, BOB, true), personal_key(2, 12, OLD, false)];
    World::of(vec![(1, Keys::Are(vec![personal_key(1, 10, ANN, true)])), (2, Keys::Are(bob))]).1
}

/// An audit of [`world`], and the folder in which it was made.
fn audit() -> TestEnv {
    let (stub, env) = (world(), env());
    let ran = audited(&env, &stub, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    env
}

fn located(env: &TestEnv) -> Vec<Row> {
    rows(&env.bytes("reports/locations.csv"))
}

/// Of each row.
fn columns<'a, const N: usize>(rows: &'a [Row], names: [&str; N]) -> Vec<[&'a str; N]> {
    rows.iter().map(|row| names.map(|name| row[name].as_str())).collect()
}

fn git(env: &TestEnv, folder: &str, arguments: &[&str]) {
    let settings =
        ["user.name=Ann", "user.email=ann@example.com", "init.defaultBranch=main", "commit.gpgSign=false"];
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(env.path(folder))
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(arguments);
    git.env("HOME", env.path("")).env("GIT_CONFIG_NOSYSTEM", "1");
    git.env("GIT_AUTHOR_DATE", "1735689600 +0000").env("GIT_COMMITTER_DATE", "1735689600 +0000");
    let ran = git.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
}

/// A tree with a key in a script, in an ignored file, and what must not be found.
fn tree(env: &TestEnv) {
    env.put("src/deploy/run.sh", format!("#!/bin/sh\n  curl -u ann:{ANN} --digest https://om\n"));
    env.put("src/.env", format!("KEY={}\n", ANN.to_uppercase()));
    env.put("src/.gitignore", ".env\n");
    env.put("src/old.txt", format!("{OLD}\n"));
    let decoys = ["********-****-****-92732876eeae", "92732876eeae", &format!("ff{ANN}"), OTHER];
    env.put("src/decoys.txt", decoys.join("\n"));
}

#[test]
fn a_list_of_keys_without_a_row_is_refused() {
    let env = audit();
    let csv = env.text("reports/keys.csv");
    env.put("cut.csv", format!("{}\n", csv.lines().next().unwrap()));
    let ran = env.run(&["locate", "reports", "--keys", "cut.csv"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("cut short"), "{ran:?}");
}

#[test]
fn a_file_with_the_name_of_a_report_is_searched() {
    let env = audit();
    env.put("reports/junit.xml", format!("<testsuite><testcase name=\"{ANN}\"/></testsuite>\n"));
    let ran = env.run(&["locate", "reports", "--fail-on", "live"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(columns(&located(&env), ["path", "line"]), [["junit.xml", "1"]]);
}

/// As pre-commit hands them over, or a list of git's: a file may have any name.
#[test]
fn no_name_of_a_file_is_a_flag_standard_input_or_a_command() {
    let env = audit();
    let hook = ["locate", "--no-history", "--fail-on", "live", "--out", "-", "--format", "csv", "--"];
    let files = ["-h", "--waivers=w.toml", "--no-archives", "::stop-commands::x", "##[error]x"];
    for file in files {
        env.put(file, ANN);
        let ran = env.run(&[&hook[..], &[file]].concat());
        assert_eq!(ran.code, 1, "{file}: {ran:?}");
        for line in ran.stderr.lines() {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{ran:?}");
        }
    }
    env.put("-", ANN);
    let ran = env.run(&[&hook[..], &["-"]].concat());
    assert!(ran.code == 5 && ran.stderr.contains("give ./- for the file"), "{ran:?}");
    env.put("paths.txt", "-\n");
    let list = [&hook[..hook.len() - 1], &["--paths-from", "paths.txt"]].concat();
    assert_eq!(env.run(&list).code, 1);
    // What is left out is left out, however it is named.
    env.put("d/a.pdf", "%PDF-1.4\n");
    for (exclude, code) in [("*.pdf", 0), ("d", 0), ("*.doc", 3)] {
        let flags =
            ["locate", "--no-history", "--quiet", "--out", "-", "--format", "csv", "--exclude", exclude];
        assert_eq!(env.run(&[&flags[..], &["d/a.pdf"]].concat()).code, code, "{exclude}");
    }
}

#[test]
fn each_place_of_a_key_is_a_row_with_its_line_and_column() {
    let env = audit();
    tree(&env);
    let ran = env.run(&["locate", "./src/", "src/deploy"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let csv = env.text("reports/locations.csv");
    assert_eq!(csv.lines().next(), Some(COLUMNS));
    let found = located(&env);
    assert_eq!(
        columns(
            &found,
            ["key_id", "key_suffix", "username", "class", "state", "repository", "path", "line", "column"]
        ),
        [
            [&*id(10), suffix(ANN), "u1@example.com", "key", "worktree", "src", ".env", "1", "5"],
            [&*id(10), suffix(ANN), "u1@example.com", "key", "worktree", "src", "deploy/run.sh", "2", "15"],
            [&*id(12), suffix(OLD), "u2@example.com", "key", "worktree", "src", "old.txt", "1", "1"],
        ]
    );
    assert_eq!(
        columns(&found, ["deployment", "description", "severity", "action", "encoding", "versions"]),
        [
            ["east", "ci", "critical", "migrate", "plain", ""],
            ["east", "ci", "critical", "migrate", "plain", ""],
            ["east", "ci", "info", "delete", "plain", ""],
        ]
    );
    // Bob's key is in use and was found nowhere.
    let (page, printed) = (env.text("reports/locations.md"), ran.words());
    for text in [&page, &printed] {
        assert!(text.contains("in no place that was searched") && text.contains(suffix(BOB)), "{text}");
    }
    let before = env.bytes("reports/keys.csv");
    let places = || {
        columns(&env.rows(), ["key_id", "places", "live_places"])
            .iter()
            .map(|it| it.join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        places(),
        [format!("{}  ", id(10)), format!("{}  ", id(11)), format!("{}  ", id(12))],
        "not searched yet"
    );
    let hash = env.run(&["export"]);
    env.run(&["report"]);
    assert_eq!(places(), [format!("{} 2 2", id(10)), format!("{} 0 0", id(11)), format!("{} 1 1", id(12))]);
    assert_ne!(env.bytes("reports/keys.csv"), before);
    assert!(env.markdown().contains("## Where it sits") && env.markdown().contains("`deploy/run.sh:2`"));
    let html = env.text("reports/report.html").replace("&#x2f;", "/");
    assert!(html.contains(">Where it sits</h2>") && html.contains("<code>deploy/run.sh:2</code>"));
    assert_eq!(env.run(&["export"]), hash, "a search is no evidence of the run");
    assert_eq!(env.run(&["verify"]).code, 0);
    let explained = env.run(&["explain", suffix(ANN)]).words();
    assert!(explained.contains("places 2 live, 2 in total src: .env:1 (worktree)"), "{explained}");
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let env = audit();
    tree(&env);
    for folder in 0..40 {
        env.put(&format!("src/{folder}/a.txt"), ANN);
    }
    let formats = ["--format", "csv,markdown,json,ndjson,sarif,gitlab"];
    let arguments = [&["locate", "src", "src/old.txt", "--unknown"], &formats[..]].concat();
    env.run(&arguments);
    let first = env.files();
    let ran = env.run(&[&["locate", "src/old.txt", "./src"], &arguments[3..]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    for (path, bytes) in env.files() {
        if path.file_name().unwrap().to_str().unwrap().contains("locations")
            && !path.ends_with("locations.json")
        {
            assert!(first[&path] == bytes, "{}", path.display());
        }
    }
    assert_eq!(located(&env).len(), 43, "each place once");
}

#[test]
fn the_gate_and_the_exit_codes_are_those_of_the_contract() {
    let env = audit();
    tree(&env);
    env.put("clean/a.txt", "nothing");
    std::fs::File::create(env.path("clean/large")).unwrap().set_len((1 << 20) + 1).unwrap();
    env.put("keysunset.toml", "");
    for (arguments, code) in [
        (&["clean"][..], 0),
        (&["src"], 1),
        (&["src", "--fail-on", "live"], 1),
        (&["src", "--fail-on", "never"], 0),
        (&["clean", "--max-size", "1"], 3),
        (&["clean", "src", "--max-size", "1"], 4),
        (&["src", "--exclude", "*.sh", "--exclude", "old.txt", "--exclude", ".env"], 0),
        (&["src", "--gitignore", "--exclude", "/deploy", "--exclude", "old.*"], 0),
        (&["absent"], 5),
        (&["src", "--store", "absent.db"], 5),
        (&["src", "--format", "junit"], 2),
        (&["src", "--out", "-"], 2),
        (&[], 2),
        (&["src", "--out", "keysunset.toml/x", "--store", "reports/keysunset.db"], 6),
    ] {
        let ran = env.run(&[&["locate"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
    }
    env.run(&["locate", "clean", "--max-size", "1"]);
    assert_eq!(columns(&located(&env), ["class", "path", "key_id"]), [["", "large", ""]]);
    assert!(located(&env)[0]["description"].starts_with("not searched: "));
    let ran = env.run(&["locate", "src", "--out", "-", "--format", "csv"]);
    assert_eq!((ran.stdout.lines().next(), ran.code), (Some(COLUMNS), 1), "{ran:?}");
    assert_eq!(rows(ran.stdout.as_bytes()).len(), 3);
}

#[test]
fn keys_that_the_audit_could_not_read_make_the_search_incomplete() {
    let users = vec![
        (1, Keys::Are(vec![personal_key(1, 10, ANN, true)])),
        (2, Keys::Refused(403, "ACCESS_FORBIDDEN")),
    ];
    let (env, stub) = (env(), World::of(users).1);
    assert_eq!(audited(&env, &stub, &[]).code, 4);
    env.put("src/a.txt", "nothing");
    for keys in [&["--store", "reports/keysunset.db"], &["--keys", "reports/keys.csv"]] {
        let ran = env.run(&[&["locate", "src"], &keys[..]].concat());
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.words().contains("the keys of 1 user could not be read"), "{ran:?}");
    }
    let waiver =
        format!("[[waiver]]\nuser = \"{}\"\nreason = \"r\"\nowner = \"o\"\nexpires = 2025-06-30\n", id(2));
    env.put("waivers.toml", waiver);
    assert_eq!(env.run(&["locate", "src", "--waivers", "waivers.toml"]).code, 0);
}

/// `places` of a key that was read after the search is not 0: it was not searched for.
#[test]
fn a_key_that_was_read_after_the_search_has_unknown_places() {
    let ann = || (1, Keys::Are(vec![personal_key(1, 10, ANN, true)]));
    let (world, stub) = World::of(vec![ann(), (2, Keys::Refused(500, "UNEXPECTED_ERROR"))]);
    let env = env();
    assert_eq!(audited(&env, &stub, &[]).code, 4);
    env.put("src/a.txt", "nothing");
    assert_eq!(env.run(&["locate", "src"]).code, 3);
    world.becomes(vec![ann(), (2, Keys::Are(vec![personal_key(2, 11, BOB, true)]))]);
    let ran = audited(&env, &stub, &["--resume", "--format", "csv,markdown,html,xlsx,json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let places =
        || env.rows().iter().map(|row| row["places"].clone() + &row["live_places"]).collect::<Vec<_>>();
    assert_eq!(places(), ["00", ""]);
    let explained = |key| env.run(&["explain", suffix(key)]).words();
    assert!(explained(ANN).contains("places 0 live, 0 in total"), "{}", explained(ANN));
    assert!(
        explained(BOB).contains("unknown: `keysunset locate` did not search for it"),
        "{}",
        explained(BOB)
    );
    let page = env.markdown();
    let (_, section) = page.split_once("## Where it sits").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    assert!(section.contains("The search was incomplete") && section.contains(suffix(ANN)), "{section}");
    assert!(!section.contains(suffix(BOB)), "{section}");
    env.run(&["plan"]);
    let plan = env.text("reports/plan.md");
    let (_, listed) = plan.split_once("## Keys in use without a line (1)").unwrap();
    let (listed, _) = listed.split_once("\n## ").unwrap();
    assert!(listed.contains(suffix(ANN)) && !listed.contains(suffix(BOB)), "{listed}");
    assert!(listed.contains("did not search for 1 key in use, so its places are unknown"), "{listed}");
    assert_eq!(env.run(&["export", "--pack", "pack"]).code, 0);
    assert!(!env.path("pack/locations.csv").exists(), "it would look complete");
    let copy = ["explain", suffix(BOB), "--store", "pack/keysunset.db"];
    assert!(env.run(&copy).words().contains("did not search for it"));
    // Another search has it.
    assert_eq!(env.run(&["locate", "src"]).code, 0);
    assert_eq!(env.run(&["report"]).code, 1);
    assert_eq!(places(), ["00", "00"]);
    assert_eq!(env.run(&["export", "--pack", "pack"]).code, 0);
    assert!(env.path("pack/locations.csv").exists());
}

/// The keys are those that the search had, and not those that the run has when the search is stored.
#[test]
fn a_search_does_not_count_for_keys_that_came_meanwhile() {
    let env = audit();
    let mut search = env.spawn(&["locate", "-", "--quiet"]);
    let mut input = search.stdin.take().unwrap();
    // More than a pipe holds: it is read, so the keys were read before.
    std::io::Write::write_all(&mut input, &b"\n".repeat(1 << 20)).unwrap();
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    let later = "INSERT INTO keys (reading, key_id, suffix, description, enabled, auditing)
        SELECT reading, ?, ?, '', 1, 0 FROM keys LIMIT 1";
    store.execute(later, [&*id(13), suffix(OTHER)]).unwrap();
    drop((store, input));
    let ran = crate::support::CliOutput::of(search);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(env.run(&["report"]).code, 1);
    let rows = env.rows();
    let places = columns(&rows, ["key_id", "places"]);
    let expected = [[&*id(13), ""], [&*id(10), "0"], [&*id(11), "0"], [&*id(12), "0"]];
    assert_eq!(places, expected);
}

#[test]
fn keys_come_from_a_keys_csv_too() {
    let env = audit();
    tree(&env);
    env.run(&["locate", "src"]);
    let of_run = located(&env);
    let ran = env.run(&["locate", "src", "--keys", "reports/keys.csv"]);
    assert_eq!((located(&env), ran.code), (of_run, 1), "{ran:?}");
    let text = env.text("reports/keys.csv");
    for (wrong, why) in [
        (text.replacen("key_suffix", "suffix", 1), "the columns key_suffix are missing"),
        (text.replacen(suffix(ANN), "9273", 1), "12 hexadecimal digits"),
        (String::new(), "the file is empty"),
        (text.replacen("used-after-cutoff", "used", 1), "`used` is none of"),
    ] {
        env.put("wrong.csv", wrong);
        let ran = env.run(&["locate", "src", "--keys", "wrong.csv"]);
        assert!(ran.code == 5 && ran.stderr.contains(why), "{why}: {ran:?}");
    }
    let ran = env.fed(&["locate", "-", "--keys", "reports/keys.csv"], format!("a\n{BOB}\n").as_bytes());
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        columns(&located(&env), ["key_id", "repository", "path", "line"]),
        [[&*id(11), "standard input", "standard input", "2"]]
    );
    env.put("paths.txt", "src/old.txt\r\n\nsrc/.env\n");
    env.run(&["locate", "--paths-from", "paths.txt"]);
    assert_eq!(columns(&located(&env), ["path"]), [[".env"], ["old.txt"]]);
}

#[test]
fn links_are_not_followed_and_names_are_of_any_bytes() {
    let env = audit();
    tree(&env);
    env.put("outside/a.txt", BOB);
    for (target, link) in
        [("../outside/a.txt", "src/file"), ("../outside", "src/folder"), (".env", "src/inside")]
    {
        std::os::unix::fs::symlink(target, env.path(link)).unwrap();
    }
    assert!(Command::new("mkfifo").arg(env.path("src/pipe")).status().unwrap().success());
    std::fs::write(env.path("src").join(Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9"))), BOB).unwrap();
    let ran = env.run(&["locate", "src"]);
    assert!(ran.words().contains("2 links out of them not followed"), "{ran:?}");
    let paths = located(&env);
    assert_eq!(columns(&paths, ["path"]), [[".env"], ["caf\\xE9"], ["deploy/run.sh"], ["old.txt"]]);
    // A link that is named is followed.
    env.run(&["locate", "src/folder"]);
    assert_eq!(columns(&located(&env), ["repository", "path"]), [["src/folder", "a.txt"]]);
}

/// What uses such a key is somewhere else: a search without findings is no reason to do nothing.
#[test]
fn keys_in_use_that_were_not_found_are_the_next_thing_to_do() {
    let env = audit();
    env.put("empty/a.txt", "nothing here\n");
    let ran = env.run(&["locate", "empty"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.words().contains("next ask the owners of the keys in use that were not found"), "{ran:?}");
    env.put("src/ann.txt", ANN);
    env.put("src/bob.txt", BOB);
    env.put("src/old.txt", OLD);
    let ran = env.run(&["locate", "src", "--fail-on", "never"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.words().contains("next nothing"), "{ran:?}");
    // In columns: the digits of a key begin in the same one, however severe it is.
    let at = |key| ran.stdout.lines().find_map(|line| line.find(suffix(key))).unwrap();
    assert_eq!((at(BOB), at(OLD)), (at(ANN), at(ANN)), "{ran:?}");
}

#[test]
fn a_waiver_of_a_path_waives_places_and_no_key() {
    let env = audit();
    tree(&env);
    std::fs::File::create(env.path("src/deploy/large")).unwrap().set_len((1 << 20) + 1).unwrap();
    let entry = |fields: &str| {
        format!("[[waiver]]\n{fields}\nreason = \"r\"\nowner = \"o\"\nexpires = 2025-06-30\n\n")
    };
    let of_paths = entry("path = \"deploy/**\"") + &entry(&format!("key = \"{}\"\npath = \"*.txt\"", id(12)));
    env.put("waivers.toml", &of_paths);
    let waived = ["--waivers", "waivers.toml"];
    let ran = env.run(&[&["locate", "src", "--max-size", "1", "--format", "csv,json"], &waived[..]].concat());
    assert_eq!(ran.code, 1, "src/.env is a finding: {ran:?}");
    let json: Value = serde_json::from_slice(&env.bytes("reports/locations.json")).unwrap();
    let marks = json["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| [&row["path"], &row["waiver"], &row["finding"]].map(ToString::to_string).join(" "));
    assert_eq!(
        marks.collect::<Vec<_>>(),
        [
            "\".env\" null true",
            "\"deploy/run.sh\" \"active\" false",
            "\"old.txt\" \"active\" false",
            "\"deploy/large\" \"active\" false",
        ]
    );
    let ran = env.run(&[&["report"], &waived[..]].concat());
    assert_eq!(ran.code, 1, "the keys themselves have no waiver: {ran:?}");
    assert!(!ran.stdout.contains("waiver"), "{ran:?}");
    env.put("waivers.toml", of_paths + &entry("path = \"docs/*\""));
    let ran = env.run(&[&["locate", "src"], &waived[..]].concat());
    assert!(
        ran.words().contains("the waiver of any key in \"docs/*\" (line 14) matches no place"),
        "{ran:?}"
    );
    for (wrong, why) in [
        (entry("user = \"ann\"\npath = \"a\""), "not for a user or organization"),
        (entry("path = \"a[\""), "is not a path with * and **"),
        (entry("path = \"\""), "the value is empty"),
        (entry("path = \"a\"") + &entry("path = \"a\""), "already waived in line 2"),
    ] {
        env.put("waivers.toml", wrong);
        let ran = env.run(&[&["locate", "src"], &waived[..]].concat());
        assert!(ran.code == 5 && ran.stderr.contains(why), "{why}: {ran:?}");
    }
}

#[test]
fn a_plan_and_its_letters_name_the_places_of_the_owner_alone() {
    let env = audit();
    tree(&env);
    env.put("src/bob.py", format!("key = '{BOB}'\n"));
    env.run(&["locate", "src"]);
    assert_eq!(env.run(&["plan"]).code, 3, "the stub has no roles");
    let page = env.text("reports/plan.md");
    assert!(page.contains("## Lines to change (4)") && page.contains("`bob.py:1`"), "{page}");
    let plan: Value = serde_json::from_slice(&env.bytes("reports/plan.json")).unwrap();
    let places = plan["owners"][0]["keys"][0]["places"].as_array().unwrap();
    assert_eq!(places.len(), 2, "{plan}");
    assert_eq!(places[1]["path"], "deploy/run.sh");
}

#[test]
fn a_letter_names_the_places_of_its_owner_alone() {
    let world = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sandbox-world.json");
    let sandbox = sandbox(Options { world: Some(world.into()), ..Options::default() });
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    // Two owners of the world, and a key of each.
    env.put("src/ann.sh", "3d0d4b6e-5f1c-4a52-9d6f-92732876eeae\n");
    env.put("src/boris.sh", "0c9a8b7d-6e5f-4a3b-8c2d-1e0f9a8b7c6d\n");
    assert_eq!(env.run(&["locate", "src"]).code, 1);
    env.run(&["plan"]);
    let letters: Vec<_> =
        env.files().into_iter().filter(|(path, _)| path.starts_with("reports/letters")).collect();
    let named = |place: &str| {
        let has = |(_, bytes): &&(_, Vec<u8>)| String::from_utf8_lossy(bytes).contains(place);
        letters.iter().filter(has).map(|(path, _)| path.clone()).collect::<Vec<_>>()
    };
    let (ann, boris) = (named("`ann.sh:1`"), named("`boris.sh:1`"));
    assert!(ann.len() == 1 && boris.len() == 1 && ann != boris, "{ann:?} {boris:?}");
    assert!(String::from_utf8_lossy(&env.bytes("reports/plan.md")).contains("## Lines to change (2)"));
}

#[test]
fn a_file_of_a_repository_has_one_row_with_its_first_commit() {
    if !crate::evidence::has("git", &["--version"]) {
        return;
    }
    let env = audit();
    env.put("repo/sub/run.sh", format!("{ANN}\n"));
    env.put("repo/gone.txt", format!("{BOB}\n"));
    git(&env, "repo", &["init"]);
    git(&env, "repo", &["add", "."]);
    git(&env, "repo", &["commit", "-m", "first"]);
    git(&env, "repo", &["rm", "gone.txt"]);
    git(&env, "repo", &["commit", "-m", "second"]);
    let ran = env.run(&["locate", ".", "--exclude", "reports"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let found = located(&env);
    assert_eq!(
        columns(&found, ["key_suffix", "state", "repository", "path", "first_author", "versions"]),
        [
            [suffix(BOB), "history", "repo", "gone.txt", "Ann <ann@example.com>", "1"],
            [suffix(ANN), "worktree", "repo", "sub/run.sh", "Ann <ann@example.com>", "1"],
        ]
    );
    assert_eq!(env.run(&["locate", "repo", "--fail-on", "live", "--no-history"]).code, 1);
    assert_eq!(columns(&located(&env), ["path", "first_commit"]), [["sub/run.sh", ""]]);
    env.run(&["locate", "repo/sub/run.sh"]);
    assert_eq!(columns(&located(&env), ["repository", "path"]), [["repo", "sub/run.sh"]]);
}
