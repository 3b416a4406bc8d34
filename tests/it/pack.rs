//! `keysunset export --pack`: a run that somebody verifies without keysunset, and every changed byte is found.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::evidence::{has, sha256sum};
use crate::support::{CliOutput, TestEnv, ops_manager};
use crate::world::{Keys, ORG, World, key};

/// Two runs of 20 users, the first of which is not to be in any pack, and a search of the second.
fn audited() -> TestEnv {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--name", "an earlier deployment"]).code, 1);
    assert_eq!(env.audit(&sandbox, &["--all-orgs"]).code, 1);
    env.put("scripts/a.sh", "echo\n");
    assert_eq!(env.run(&["locate", "scripts", "--quiet"]).code, 0);
    env
}

fn packed(env: &TestEnv, target: &str, more: &[&str]) -> CliOutput {
    let ran = env.run(&[&["export", "--pack", target], more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

fn shell(folder: &Path, script: &str) -> (bool, String) {
    let output = Command::new("bash").args(["-c", script]).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// Each command of the README with what it prints.
fn commands(readme: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for line in readme.lines() {
        match (line, &mut block) {
            ("```sh", None) => block = Some((true, String::new())),
            ("```text", None) => block = Some((false, String::new())),
            ("```", Some((is_command, text))) => {
                if *is_command {
                    commands.push((text.clone(), String::new()));
                } else {
                    commands.last_mut().unwrap().1.clone_from(text);
                }
                block = None;
            }
            (line, Some((_, text))) => text.extend([line, "\n"]),
            (_, None) => {}
        }
    }
    commands
}

/// Pastes every command of the README into a shell in the folder of the pack.
fn verified_without_keysunset(folder: &Path) {
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let commands = commands(&readme);
    assert!(commands.len() >= 6, "{readme}");
    for (command, expected) in commands {
        assert!(!expected.is_empty(), "{command}");
        assert_eq!(shell(folder, &command), (true, expected), "{command}");
    }
}

fn statuses(ran: &CliOutput) -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {ran:?}"));
    let lines = document["lines"].as_array().unwrap();
    lines.iter().map(|line| line["status"].as_str().unwrap().to_owned()).collect()
}

fn has_tools() -> bool {
    let programs =
        [("jq", "--version"), ("sqlite3", "--version"), ("sha256sum", "--version"), ("unzip", "-v")];
    programs.iter().all(|(program, version)| has(program, &[version]))
}

/// Nothing of a pack under way is left.
fn assert_no_rest(env: &TestEnv) {
    assert_eq!(shell(&env.path(""), "find . -name '.keysunset-*'").1, "");
}

#[test]
fn every_command_of_the_readme_prints_what_it_says() {
    if !has_tools() {
        return;
    }
    let env = audited();
    let ran = packed(&env, "pack", &[]);
    assert!(ran.words().contains(&sha256sum(&env.bytes("pack/SHA256SUMS"))), "{ran:?}");
    verified_without_keysunset(&env.path("pack"));
    // Another policy, uses that cannot be, a user who could not be read, and a hostile name.
    let keys = vec![key(1, 10, Some(1_735_000_000), 3), key(1, 11, None, 0), key(1, 12, Some(1), 4)];
    let (_, stub) = World::of(vec![(1, Keys::Are(keys)), (2, Keys::Refused(401, "NOT_SELF"))]);
    let env = crate::stub::env();
    let hostile = "../`$(touch x)`/|<b>\u{202e}";
    let ran = env.audit_at(&stub.url(), &["--org", ORG, "--name", hostile, "--active-within", "30"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    packed(&env, "pack.zip", &["--cutoff", "2019-01-01", "--fail-on", "critical"]);
    let folder = env.path("unpacked");
    std::fs::create_dir(&folder).unwrap();
    assert!(shell(&folder, "unzip -q -t ../pack.zip && unzip -q ../pack.zip").0);
    verified_without_keysunset(&folder);
    let readme = env.text("unpacked/README.md");
    assert!(readme.contains("INCOMPLETE") && !readme.contains('\u{202e}'), "{readme}");
    for name in shell(&folder, "ls -A").1.lines() {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
    }
}

#[test]
fn a_pack_has_the_reports_of_its_run_and_nothing_of_another() {
    let env = audited();
    packed(&env, "pack", &[]);
    let names: Vec<_> = shell(&env.path("pack"), "LC_ALL=C ls").1.lines().map(str::to_owned).collect();
    let expected = "README.md SHA256SUMS findings.json keys.csv keys.xlsx keysunset.db locations.csv \
        manifest.json migration-report.md organizations.csv plan.csv plan.json plan.md report.html run.ndjson";
    assert_eq!(names.join(" "), expected);
    // As the commands write them.
    assert_eq!(env.run(&["report", "--quiet", "--format", "csv,markdown,html,json"]).code, 1);
    assert_eq!(env.run(&["plan", "--quiet"]).code, 0);
    for name in names.iter().filter(|name| env.path("reports").join(name).exists()) {
        if !["manifest.json", "keysunset.db"].contains(&&**name) {
            assert_eq!(env.bytes(&format!("pack/{name}")), env.bytes(&format!("reports/{name}")), "{name}");
        }
    }
    assert_eq!(env.text("pack/run.ndjson"), env.run(&["export"]).stdout);
    let first = env.run(&["export", "1"]).stdout;
    assert!(first.contains("an earlier deployment"));
    for name in &names {
        let bytes = env.bytes(&format!("pack/{name}"));
        assert!(memchr::memmem::find(&bytes, b"an earlier deployment").is_none(), "{name}");
        let mode = env.path("pack").join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444, "{name}");
    }
    let database = rusqlite::Connection::open(env.path("pack/keysunset.db")).unwrap();
    let count = |query: &str| database.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("SELECT count(*) FROM runs"), count("SELECT id FROM runs")), (1, 2));
    assert_eq!(count("SELECT count(*) FROM manifests"), 1);
    drop(database);
    // A search that was not complete has no file that would look complete.
    env.put("scripts/b.zip", "PK\u{3}\u{4} broken");
    assert_eq!(env.run(&["locate", "scripts", "--quiet"]).code, 3);
    packed(&env, "pack", &[]);
    assert!(!env.path("pack/locations.csv").exists());
    assert!(env.text("pack/README.md").contains("could not search everything"));
}

#[test]
fn the_same_run_gives_the_same_pack() {
    let env = audited();
    for target in ["a.zip", "b.zip", "one", "other"] {
        packed(&env, target, &[]);
    }
    assert_eq!(env.bytes("a.zip"), env.bytes("b.zip"));
    assert!(shell(&env.path(""), "diff -r one other").0);
    packed(&env, "a.zip", &[]);
    packed(&env, "one", &[]);
    assert_eq!(env.bytes("a.zip"), env.bytes("b.zip"), "it is replaced");
    assert!(shell(&env.path(""), "diff -r one other").0);
    let listed = crate::foreign::python(
        &["zipfile"],
        "import sys, zipfile\n\
         archive = zipfile.ZipFile(sys.argv[1])\n\
         assert archive.testzip() is None\n\
         members = archive.infolist()\n\
         assert [it.filename for it in members] == sorted(it.filename for it in members)\n\
         assert {it.date_time for it in members} == {(2025, 1, 1, 0, 0, 0)}, members\n\
         assert {it.external_attr >> 16 & 0o777 for it in members} == {0o444}, members\n\
         print(len(members))",
        &[&env.path("a.zip")],
    );
    assert!(listed.is_none_or(|count| count.trim() == "15"));
}

#[test]
fn verify_checks_a_folder_and_an_archive() {
    let env = audited();
    packed(&env, "pack", &[]);
    packed(&env, "pack.zip", &[]);
    for target in ["pack", "pack.zip"] {
        let ran = env.run(&["verify", target, "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(statuses(&ran), BTreeSet::from(["ok", "note"].map(str::to_owned)), "{ran:?}");
        // The database of the audit knows the manifest of the pack, and the one before it.
        let ran = env.run(&["verify", target, "--store", "reports/keysunset.db", "--json"]);
        assert_eq!((ran.code, statuses(&ran)), (0, BTreeSet::from(["ok".to_owned()])), "{ran:?}");
    }
    let ran = env.run(&["verify", "pack.zip"]);
    for expected in ["14 files as named in SHA256SUMS", "run.ndjson: ", "keysunset.db: intact"] {
        assert!(ran.words().contains(expected), "{expected}: {ran:?}");
    }
    assert!(!ran.stdout.contains("/keysunset-"), "a temporary folder: {ran:?}");
    env.put("none.zip", "no archive");
    let ran = env.run(&["verify", "none.zip"]);
    assert_eq!((ran.code, ran.stderr.contains("not an evidence pack")), (5, true), "{ran:?}");
}

#[test]
fn a_changed_byte_is_found_with_and_without_keysunset() {
    if !has_tools() {
        return;
    }
    let env = audited();
    packed(&env, "pack", &[]);
    let folder = env.path("pack");
    let replace = |path: &Path, bytes: &[u8]| {
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    for name in shell(&folder, "ls").1.lines() {
        let path = folder.join(name);
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        replace(&path, &changed);
        assert!(!shell(&folder, "sha256sum --check --strict --quiet SHA256SUMS").0, "{name}");
        let ran = env.run(&["verify", "pack"]);
        let expected: &[i32] = if name == "manifest.json" { &[1, 5] } else { &[1] };
        assert!(expected.contains(&ran.code), "{name}: {ran:?}");
        replace(&path, &whole);
    }
    assert_eq!(env.run(&["verify", "pack", "--quiet"]).code, 0);
    // A file more, and one less.
    env.put("pack/more.txt", "");
    assert_eq!(env.run(&["verify", "pack"]).code, 3);
    std::fs::remove_file(folder.join("more.txt")).unwrap();
    std::fs::remove_file(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(env.run(&["verify", "pack"]).code, 1);
    // In an archive any byte, also of those that unzip does not look at.
    packed(&env, "pack.zip", &[]);
    let zip = env.bytes("pack.zip");
    for eighth in 0..8 {
        let mut changed = zip.clone();
        changed[zip.len() * eighth / 8 + 13] ^= 1;
        env.put("changed.zip", &changed);
        let ran = env.run(&["verify", "changed.zip"]);
        assert!([1, 3, 5].contains(&ran.code), "{eighth}: {ran:?}");
    }
    // In the content of a member, which is behind its name.
    let name = b"findings.json";
    let at = zip.windows(name.len()).position(|bytes| bytes == name).unwrap();
    let mut changed = zip.clone();
    changed[at + 1_000] ^= 1;
    env.put("changed.zip", &changed);
    assert!(!shell(&env.path(""), "unzip -q -t changed.zip").0);
    assert_eq!(env.run(&["verify", "pack.zip", "--quiet"]).code, 0);
}

#[test]
fn a_forged_pack_is_not_what_the_store_recorded() {
    if !has_tools() {
        return;
    }
    let env = audited();
    packed(&env, "pack", &[]);
    // By somebody who knows which hashes name the file.
    let forge = "chmod u+w *; sha() { sha256sum keys.csv | cut -d ' ' -f 1; }
        old=$(sha); sed -i s/critical/urgent_1/ keys.csv; sed -i s/$old/$(sha)/ manifest.json
        rm SHA256SUMS; sha256sum * > ../sums; mv ../sums SHA256SUMS";
    let (forged, text) = shell(&env.path("pack"), forge);
    assert!(forged, "{text}");
    assert!(shell(&env.path("pack"), "sha256sum --check --strict --quiet SHA256SUMS").0);
    for store in ["pack/keysunset.db", "reports/keysunset.db"] {
        let ran = env.run(&["verify", "pack", "--store", store]);
        assert_eq!((ran.code, ran.stdout.contains("DIFFERS  record")), (1, true), "{ran:?}");
    }
}

/// By somebody who makes the list of hashes again.
#[test]
fn a_forged_file_of_any_kind_is_not_what_the_manifest_names() {
    if !has_tools() {
        return;
    }
    let env = audited();
    let sums = "rm SHA256SUMS; sha256sum * > ../sums; mv ../sums SHA256SUMS";
    packed(&env, "pack", &[]);
    let results = "UPDATE keys SET last_used = 1, used_count = 0";
    for forge in ["README.md", "plan.md", "plan.csv", "plan.json", "locations.csv", "keys.xlsx", "run.ndjson"]
        .map(|name| format!("echo >> {name}"))
        .into_iter()
        .chain([format!("sqlite3 keysunset.db '{results}'")])
    {
        let (forged, text) = shell(&env.path(""), "rm -rf forged; cp -r pack forged; chmod -R u+w forged");
        assert!(forged, "{text}");
        let (forged, text) = shell(
            &env.path("forged"),
            &format!("{forge} && {{ {sums}; }} && sha256sum --check --quiet SHA256SUMS"),
        );
        assert!(forged, "{text}");
        for more in [&[][..], &["--store", "reports/keysunset.db"]] {
            let ran = env.run(&[&["verify", "forged"], more].concat());
            assert_eq!((ran.code, ran.stdout.contains("DIFFERS")), (1, true), "{forge} {more:?}: {ran:?}");
        }
    }
    // A file more, which the list of hashes names.
    let more = format!("cp -r pack more && chmod -R u+w more && cd more && echo > plan.txt && {{ {sums}; }}");
    assert!(shell(&env.path(""), &more).0);
    let ran = env.run(&["verify", "more"]);
    let expected = "unknown file plan.txt: not named in the manifest, which does not prove it";
    assert_eq!((ran.code, ran.words().contains(expected)), (3, true), "{ran:?}");
}

#[test]
fn what_is_in_the_way_is_replaced_as_with_out_or_refused() {
    let env = audited();
    env.put("mine/notes.txt", "mine");
    let ran = env.run(&["export", "--pack", "mine"]);
    assert_eq!((ran.code, ran.stderr.contains("contains other files")), (5, true), "{ran:?}");
    packed(&env, "pack", &[]);
    env.put("pack/notes.txt", "mine");
    assert_eq!(env.run(&["export", "--pack", "pack"]).code, 5);
    assert_eq!(env.text("pack/notes.txt"), "mine");
    // Another program's archive, and none at all.
    let add_notes = |mut zip: zip::ZipWriter<std::fs::File>| {
        zip.start_file("notes.txt", zip::write::SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
    };
    add_notes(zip::ZipWriter::new(std::fs::File::create(env.path("other.zip")).unwrap()));
    env.put("notes.zip", "notes");
    for name in ["other.zip", "notes.zip"] {
        let before = env.bytes(name);
        let ran = env.run(&["export", "--pack", name]);
        assert_eq!((ran.code, ran.stderr.contains("is not an evidence pack")), (5, true), "{ran:?}");
        assert_eq!(env.bytes(name), before);
    }
    env.put("empty.zip", "");
    packed(&env, "empty.zip", &[]);
    packed(&env, "empty.zip", &[]);
    let pack = std::fs::File::options().read(true).write(true).open(env.path("empty.zip")).unwrap();
    add_notes(zip::ZipWriter::new_append(pack).unwrap());
    assert_eq!(env.run(&["export", "--pack", "empty.zip"]).code, 5, "it has another file");
    std::fs::create_dir_all(env.path("folder.zip")).unwrap();
    assert_eq!(env.run(&["export", "--pack", "folder.zip"]).code, 6);
    std::fs::create_dir(env.path("empty")).unwrap();
    packed(&env, "empty", &[]);
    let working_folder = "mkdir here; cd here; exec $0 export --pack . --store ../reports/keysunset.db";
    let ran = CliOutput::of(env.start(Command::new("sh").args([
        "-c",
        working_folder,
        env!("CARGO_BIN_EXE_keysunset"),
    ])));
    let expected = "can't write the evidence pack .: it is the working folder or a mount point";
    assert_eq!((ran.code, ran.stderr.contains(expected)), (6, true), "{ran:?}");
    packed(&env, "new/below/pack.zip", &[]);
    assert_eq!(env.run(&["export", "--pack", "x.zip", "--store", "none.db"]).code, 5);
    assert_eq!(env.run(&["export", "7", "--pack", "x.zip"]).code, 5);
    assert_no_rest(&env);
}

#[test]
fn a_pack_that_cannot_be_written_leaves_nothing() {
    let env = audited();
    packed(&env, "earlier.zip", &[]);
    let before = env.bytes("earlier.zip");
    for (limit, target) in
        [("ulimit -f 100", "earlier.zip"), ("ulimit -f 100", "new"), ("ulimit -n 24", "new.zip")]
    {
        let script = format!("trap '' XFSZ; {limit}; exec \"$0\" export --pack {target}");
        let child = env.start(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_keysunset")]));
        let ran = CliOutput::of(child);
        assert!([5, 6].contains(&ran.code), "{limit}: {ran:?}");
        assert!(ran.stderr.contains("limit") && !ran.stderr.contains(".part"), "{limit}: {ran:?}");
        assert_no_rest(&env);
    }
    assert_eq!(env.bytes("earlier.zip"), before);
    assert!(!env.path("new").exists() && !env.path("new.zip").exists());
    if std::fs::metadata("/proc/self").is_ok() {
        let ran = env.run(&["export", "--pack", "/proc/pack.zip"]);
        assert_eq!(ran.code, 6, "{ran:?}");
    }
}

#[test]
fn ctrl_c_leaves_nothing_of_a_pack() {
    let sandbox = ops_manager(500);
    let env = TestEnv::at(&sandbox);
    assert_eq!(env.audit(&sandbox, &["--all-orgs", "--format", "csv", "--concurrency", "64"]).code, 1);
    let child = env.spawn(&["export", "--pack", "pack.zip"]);
    let is_under_way = || {
        let folders = std::fs::read_dir(env.path("")).unwrap().map(|entry| entry.unwrap().path());
        let mut staging = folders.filter(|path| path.extension().is_some_and(|it| it == "part"));
        staging.any(|path| path.join("pack/run.ndjson").exists())
    };
    while !is_under_way() {
        assert!(!env.path("pack.zip").exists(), "it ended before it was seen");
        std::thread::yield_now();
    }
    assert!(shell(&env.path(""), &format!("kill -INT {}", child.id())).0);
    let ran = CliOutput::of(child);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(!env.path("pack.zip").exists());
    assert_no_rest(&env);
}
