//! Answers that a foreign program saved, as a run: what curl writes to files comes to what an audit reads itself.

use std::io::Write as _;
#[cfg(unix)]
use std::path::Path;
use std::process::{Command, Stdio};

use keysunset_sandbox::{ExpectedUser, Options, Product, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{CUTOFF, Row, TestEnv, at, count, of_user, ops_manager, rows, sandbox};
#[cfg(unix)]
use crate::{
    foreign::python,
    support::{CliOutput, list_of_ids},
    volume::PEAK,
};

/// What curl prints for a path below the base path, with the credential of the announcement, which is in no argument.
/// `None` where there is no curl.
fn curl(sandbox: &Sandbox, options: &[&str], path: &str) -> Option<Vec<u8>> {
    let announced = sandbox.announcement();
    let (public, private) = (&announced.public_key, &announced.private_key);
    let mut command = Command::new("curl");
    command.args(["--config", "-"]).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        assert!(std::env::var_os("KEYSUNSET_CI").is_none(), "curl has to be installed for this");
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: there is no curl on this machine").unwrap();
        return None;
    };
    let config = format!(
        "digest\nsilent\nshow-error\nnoproxy = \"*\"\nuser = \"{public}:{private}\"\nurl = \"{}/{path}\"\n",
        announced.url
    );
    child.stdin.take().unwrap().write_all(config.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "curl {path}: {}", output.status);
    Some(output.stdout)
}

/// All pages of a user's keys, two keys each, as curl prints them.
fn pages(sandbox: &Sandbox, user: &ExpectedUser, options: &[&str], query: &str) -> Option<Vec<Vec<u8>>> {
    let count = user.keys.len().div_ceil(2).max(1);
    let path = |number| format!("users/{}/keys?{query}itemsPerPage=2&pageNum={number}", user.id);
    (1..=count).map(|number| curl(sandbox, options, &path(number))).collect()
}

/// As PowerShell's `>` writes it.
fn utf16(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// One user's answers in the folder `answers`, each time in another way; the names are ids or names in turn.
fn save(env: &TestEnv, sandbox: &Sandbox, at: usize, user: &ExpectedUser) -> Option<()> {
    let name = if at.is_multiple_of(2) { &user.id } else { &user.username };
    let each = |pages: Vec<Vec<u8>>, ending: &str| {
        for (number, page) in pages.iter().enumerate() {
            env.put(&format!("answers/{name}-p{}.{ending}", number + 1), page);
        }
    };
    match at % 6 {
        0 => each(pages(sandbox, user, &[], "")?, "json"),
        1 => each(pages(sandbox, user, &["--include"], "")?, "http"),
        2 => each(pages(sandbox, user, &[], "envelope=true&")?, "json"),
        3 => each(pages(sandbox, user, &[], "pretty=true&")?.iter().map(|page| utf16(page)).collect(), "txt"),
        4 => env.put(&format!("answers/{name}.json"), pages(sandbox, user, &["--include"], "")?.concat()),
        _ => {
            let mut pages = pages(sandbox, user, &[], "pretty=true&envelope=true&")?;
            pages.reverse();
            env.put(&format!("answers/deeper/{name}"), pages.join(&b'\n'));
        }
    }
    Some(())
}

/// The columns in which an import and an audit of the same users have to agree.
fn evidence(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        // Nobody was asked by this run, and only headers say when the service answered.
        row.remove("read_at");
    }
    rows
}

#[test]
fn answers_saved_by_curl_give_the_results_of_an_audit() {
    let sandbox = ops_manager(24);
    let (audit, import) = (TestEnv::at(&sandbox), TestEnv::empty());
    let mut users = String::new();
    for (at, user) in sandbox.ground_truth().enumerate() {
        let Some(()) = save(&import, &sandbox, at, &user) else { return };
        users.extend([&user.id, "\n"]);
    }
    assert!(sandbox.ground_truth().any(|user| user.keys.len() > 2), "somebody has several pages");
    audit.put("users.txt", users);
    assert_eq!(audit.audit(&sandbox, &["--users", "users.txt"]).code, 1);

    let ran = import.run(&["import", "answers"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{}", ran.stdout);
    assert_eq!(evidence(import.rows()), evidence(audit.rows()));
    // With headers there is a time, and without them none.
    for (at, user) in sandbox.ground_truth().enumerate() {
        let dated = [1, 4].contains(&(at % 6));
        assert!(
            of_user(&import.rows(), &user.id).iter().all(|row| row["read_at"].is_empty() != dated),
            "{at}"
        );
    }
    // Where a long word may break is no part of it.
    let report = import.markdown().replace("`<wbr>`", "");
    assert!(report.contains("Ops Manager `4.4.12`"), "the version of the headers:\n{report}");
    assert!(report.contains(&sandbox.announcement().url), "the address of the links:\n{report}");
}

/// What the evidence says of the files.
fn lists(env: &TestEnv, out: &str) -> String {
    let store = rusqlite::Connection::open(env.path(&format!("{out}/keysunset.db"))).unwrap();
    let settings: String = store.query_row("SELECT settings FROM runs", [], |row| row.get(0)).unwrap();
    let settings: Value = serde_json::from_str(&settings).unwrap();
    settings["lists"][0].as_str().unwrap().to_owned()
}

/// A SHA-256 as `sha256sum` writes it.
fn digest(bytes: &[u8]) -> String {
    let digits = Sha256::digest(bytes).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}

#[test]
fn the_same_answers_give_the_same_bytes_whatever_the_order() {
    let sandbox = ops_manager(12);
    let env = TestEnv::empty();
    for (at, user) in sandbox.ground_truth().enumerate() {
        let Some(()) = save(&env, &sandbox, at, &user) else { return };
    }
    let mut files: Vec<_> = env.files().into_keys().map(|path| path.display().to_string()).collect();
    env.run(&["import", "answers", "--out", "a"]);
    files.reverse();
    let mut arguments = vec!["import", "--out", "b", "answers"];
    arguments.splice(3..3, files.iter().map(String::as_str));
    env.run(&arguments);
    assert_eq!(env.text("a/keys.csv"), env.text("b/keys.csv"));

    // As `sha256sum FILES | cut -d' ' -f1 | sort | sha256sum` prints it.
    let mut digests: Vec<_> = files.iter().map(|file| digest(&env.bytes(file)) + "\n").collect();
    digests.sort();
    let expected = format!("in {} files, SHA-256 {}", files.len(), digest(digests.concat().as_bytes()));
    for out in ["a", "b"] {
        let list = lists(&env, out);
        assert!(list.ends_with(&expected), "{list} is not {expected}");
    }
}

#[cfg(unix)]
#[test]
fn the_commands_of_the_docs_save_all_pages_and_print_the_same_hash() {
    let docs = include_str!("../../docs/import.md");
    let fence = |start: &str| {
        let (_, rest) = docs.split_once(&format!("```sh\n{start}")).unwrap();
        format!("{start}{}", rest.split("```").next().unwrap())
    };
    let sandbox = ops_manager(12);
    if curl(&sandbox, &[], "orgs").is_none() {
        return;
    }
    let announced = sandbox.announcement();
    let env = TestEnv::empty().with("URL", &announced.url).with("PATH", &std::env::var("PATH").unwrap());
    env.put("ids.txt", list_of_ids(&sandbox));
    env.put("digest.conf", format!("user = \"{}:{}\"\n", announced.public_key, announced.private_key));
    let shell = |script: &str| CliOutput::of(env.start(Command::new("sh").args(["-euc", script])));
    // Pages of two, so that the loop has several to go through.
    let saved = shell(&fence("mkdir").replace("itemsPerPage=500", "itemsPerPage=2"));
    assert_eq!((saved.code, saved.stderr.as_str()), (0, ""));
    assert_eq!(env.run(&["import", "answers"]).code, 1);
    let keys: usize = sandbox.ground_truth().map(|user| user.keys.len()).sum();
    assert_eq!(env.rows().iter().filter(|row| !row["key_id"].is_empty()).count(), keys);
    assert_eq!(count(&env.rows(), "read_status", "read"), env.rows().len());
    if Command::new("sha256sum").arg("--version").output().is_ok() {
        let printed = shell(&fence("find")).stdout;
        let hash = printed.split(' ').next().unwrap();
        assert!(lists(&env, "reports").ends_with(hash), "{hash}");
    }
}

#[test]
fn a_refusal_is_its_users_outcome_as_in_an_audit() {
    // An organization owner's key lists everybody, and reads nobody's keys but its maker's.
    let clock = Some(at(CUTOFF));
    let sandbox = sandbox(Options { product: Product::Atlas, users: 8, clock, ..Options::default() });
    let (audit, import) = (TestEnv::at(&sandbox), TestEnv::empty());
    let mut ids = String::new();
    for (index, user) in sandbox.ground_truth().enumerate() {
        let options: &[&str] = if index % 2 == 0 { &["--include"] } else { &[] };
        let Some(answer) = curl(&sandbox, options, &format!("users/{}/keys", user.id)) else { return };
        import.put(&format!("{}.json", user.id), answer);
        ids.extend([&user.id, "\n"]);
    }
    audit.put("ids.txt", ids);
    let audited = audit.audit(&sandbox, &["--users", "ids.txt"]);
    let imported = import.run(&["import", "."]);
    assert_eq!((imported.code, audited.code), (4, 4), "{imported:?}");
    assert_eq!(count(&import.rows(), "read_status", "forbidden"), 7);
    assert_eq!(evidence(import.rows()), evidence(audit.rows()));
}

#[test]
fn removed_is_believed_only_with_the_version_beside_it() {
    let sandbox = sandbox(Options { service_version: "5.0.3".to_owned(), users: 1, ..Options::default() });
    let id = sandbox.expected_user(0).unwrap().id;
    let path = format!("users/{id}/keys");
    let (Some(with), Some(without)) = (curl(&sandbox, &["--include"], &path), curl(&sandbox, &[], &path))
    else {
        return;
    };
    for (answer, code, status) in [(with, 0, "removed"), (without, 3, "not-found")] {
        let env = TestEnv::empty();
        env.put(&format!("{id}.http"), answer);
        let ran = env.run(&["import", ".", "--product", "ops-manager"]);
        assert_eq!((ran.code, env.rows()[0]["read_status"].as_str()), (code, status), "{ran:?}");
    }
}

#[test]
fn headers_in_a_file_of_their_own_count_for_the_one_body_of_their_name() {
    let sandbox = sandbox(Options { service_version: "5.0.3".to_owned(), users: 1, ..Options::default() });
    let id = sandbox.expected_user(0).unwrap().id;
    let env = TestEnv::empty();
    env.put("answers/.keep", "");
    let dump = env.path(&format!("answers/{id}.headers")).display().to_string();
    let Some(body) = curl(&sandbox, &["--dump-header", &dump], &format!("users/{id}/keys")) else { return };
    std::fs::remove_file(env.path("answers/.keep")).unwrap();
    env.put(&format!("answers/{id}.json"), &body);
    let import = || {
        let ran = env.run(&["import", "answers", "--product", "ops-manager"]);
        let row = env.rows().remove(0);
        (ran.code, row["read_status"].clone(), row["read_at"].is_empty())
    };
    assert_eq!(import(), (0, "removed".to_owned(), false));
    // Of two bodies nobody knows which one they belong to.
    env.put(&format!("answers/{id}.txt"), &body);
    assert_eq!(import(), (3, "not-found".to_owned(), false));
}

#[cfg(unix)]
#[test]
fn folders_are_searched_and_links_followed_without_end() {
    let env = TestEnv::empty();
    let page = json!({"results": [{"id": "a", "usedCount": 1, "userId": "5af9a1d29cc0cdb6ac0bf3f8"}], "totalCount": 1});
    env.put("answers/a/.hidden/1.json", page.to_string());
    env.put("answers/.git/HEAD", "ref");
    env.put("answers/a/._1.json", "of macOS");
    std::os::unix::fs::symlink("..", env.path("answers/a/up")).unwrap();
    assert_eq!(env.run(&["import", "answers", "answers/a"]).code, 1);
    assert_eq!(env.rows().len(), 1);
    std::os::unix::fs::symlink("nowhere", env.path("answers/a/lost")).unwrap();
    assert!(Command::new("mkfifo").arg(env.path("answers/pipe")).status().unwrap().success());
    assert_eq!(env.run(&["import", "answers"]).code, 4);
    for part in ["answers/a/lost", "answers/pipe", "neither a file nor a folder"] {
        assert!(env.text("reports/keys.csv").contains(part), "{part}");
    }
}

#[test]
fn an_unreadable_file_makes_the_run_incomplete_by_name() {
    let sandbox = ops_manager(3);
    let user = sandbox.ground_truth().find(|user| !user.keys.is_empty()).unwrap();
    let Some(answer) = curl(&sandbox, &[], &format!("users/{}/keys", user.id)) else { return };
    let Some(list) = curl(&sandbox, &[], &format!("orgs/{}/users", sandbox.announcement().org_id)) else {
        return;
    };
    for (name, content) in [
        ("cut.json", &answer[..answer.len() - 2]),
        ("users.json", list.as_slice()),
        ("proxy.html", b"<html>Bad Gateway</html>"),
        ("README.txt", b"saved on Monday"),
        ("empty.json", b""),
        ("nobody.json", br#"{"error":401,"errorCode":"NOT_SELF","detail":"no","parameters":[]}"#),
    ] {
        let env = TestEnv::empty();
        env.put("answers/fine.json", &answer);
        env.put(&format!("answers/{name}"), content);
        let ran = env.run(&["import", "answers"]);
        assert_eq!(ran.code, 4, "{name}: {ran:?}");
        assert_eq!(of_user(&env.rows(), &user.id).len(), user.keys.len(), "{name}: what is good is kept");
        let row = env.rows().into_iter().find(|row| row["user_id"].is_empty()).unwrap();
        assert_eq!(row["read_status"], "malformed", "{name}");
        assert!(row["reason"].contains(name), "{row:?}");
        assert!(env.markdown().contains(name) && ran.stdout.contains(name), "{name}");
        assert!(ran.words().contains("find out why some lists could not be read completely"), "{ran:?}");
    }
}

#[test]
fn a_page_that_was_not_saved_is_missed() {
    let sandbox = ops_manager(24);
    let user = sandbox.ground_truth().find(|user| user.keys.len() > 4).unwrap();
    let Some(pages) = pages(&sandbox, &user, &[], "") else { return };
    for (missing, why) in
        [(1, "page 1 was not saved"), (2, "page 2 was not saved"), (pages.len(), "has a next page")]
    {
        let env = TestEnv::empty();
        for (at, page) in pages.iter().enumerate().filter(|(at, _)| at + 1 != missing) {
            env.put(&format!("{at}.json"), page);
        }
        assert_eq!(env.run(&["import", "."]).code, 4);
        let (rows, own) = (env.rows(), env.rows().into_iter().find(|row| row["key_id"].is_empty()).unwrap());
        assert_eq!(
            (count(&rows, "read_status", "partial"), own["user_id"].as_str()),
            (rows.len(), user.id.as_str())
        );
        assert!(own["reason"].contains(why), "{own:?} does not say {why}");
        let kept =
            user.keys.len() - if missing < pages.len() { 2 } else { user.keys.len() - 2 * (missing - 1) };
        assert_eq!(rows.len() - 1, kept);
    }
}

#[test]
fn all_that_is_missing_is_reported_at_once() {
    let env = TestEnv::empty();
    env.put("fine.json", "[]");
    env.put("empty/.git/HEAD", "");
    env.put("empty/.DS_Store", "");
    let ran = env.run(&["import", "fine.json", "lost.json", "empty", "gone"]);
    assert_eq!(ran.code, 5);
    for name in ["lost.json: ", "empty: ", "gone: ", "help: "] {
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("fine.json"), "{}", ran.stderr);
    assert!(!env.path("reports").exists());
    assert_eq!(env.run(&["import"]).code, 2);
}

#[test]
fn answers_without_users_are_bad_input_and_leave_no_run() {
    let env = TestEnv::empty();
    env.put("answers/1.json", "<html>");
    env.put("answers/2.json", json!({"results": [{"id": "a", "username": "ann"}]}).to_string());
    let ran = env.run(&["import", "answers"]);
    assert_eq!(ran.code, 5);
    for part in ["answers/1.json", "an HTML page", "answers/2.json", "a list (neither"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(!env.path("reports/keys.csv").exists());
    assert_eq!(env.run(&["report"]).code, 5, "there is no run to report");
}

#[test]
fn names_and_products_come_from_flags_then_settings_then_links() {
    let id = "5af9a1d29cc0cdb6ac0bf3f8";
    let page = |base: &str| {
        let link = json!({"rel": "self", "href": format!("{base}/users/{id}/keys?pageNum=1")});
        json!({"links": [link], "results": [], "totalCount": 0}).to_string()
    };
    let import = |env: &TestEnv, arguments: &[&str]| {
        let ran = env.run(&[&["import", "answers"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        (env.rows()[0]["deployment"].clone(), ran.stdout, ran.stderr)
    };
    let env = TestEnv::empty();
    env.put("answers/a.json", page("https://cloud.mongodb.com/api/atlas/v1.0"));
    let (deployment, stdout, stderr) = import(&env, &[]);
    assert_eq!((deployment.as_str(), stderr.as_str()), ("https://cloud.mongodb.com", ""));
    assert!(stdout.contains("(Atlas)"), "{stdout}");
    let (deployment, stdout, _) = import(&env, &["--name", "mine", "--product", "cloud-manager"]);
    assert!(deployment == "mine" && stdout.contains("(Cloud Manager)"), "{stdout}");
    env.put("keysunset.toml", "name = \"ours\"");
    assert_eq!(import(&env, &[]).0, "ours");
    env.put("keysunset.toml", "");

    env.put("answers/a.json", page("https://om.example:8080/api/public/v1.0"));
    let (deployment, stdout, _) = import(&env, &[]);
    assert!(deployment == "https://om.example:8080" && stdout.contains("(Ops Manager)"), "{stdout}");
    let (deployment, _, stderr) = import(&env, &["--url", "https://other.example"]);
    assert_eq!(deployment, "https://other.example");
    assert!(
        stderr.contains("https://om.example:8080"),
        "another deployment's answers are warned of: {stderr}"
    );
    assert_eq!(env.run(&["import", "answers", "--url", "om"]).code, 2);
}

#[test]
fn an_import_is_a_run_that_can_be_reported_again() {
    let sandbox = ops_manager(2);
    let user = sandbox.ground_truth().find(|user| !user.keys.is_empty()).unwrap();
    let Some(answer) = curl(&sandbox, &[], &format!("users/{}/keys", user.id)) else { return };
    let env = TestEnv::empty();
    env.put("a.json", answer);
    assert_eq!(env.run(&["import", "a.json", "--fail-on", "never"]).code, 0);
    assert_eq!(env.run(&["report", "--out", "again", "--store", "reports/keysunset.db"]).code, 1);
    assert_eq!(rows(&env.bytes("again/keys.csv")), env.rows());
    // The time of the import is not the time of the responses.
    let page = env.markdown();
    assert!(
        page.contains("\n| Import time | ") && page.contains("\n| Extraction time | time of each response"),
        "{page}"
    );
}

/// MiB that 12,000 more files may need more.
#[cfg(unix)]
const MORE: u64 = 4;

#[cfg(unix)]
#[test]
fn memory_does_not_grow_with_the_number_of_files() {
    let env = TestEnv::empty();
    let peak = |files: usize| {
        for number in 0..files {
            let (id, key) = (format!("{number:024x}"), format!("{:024x}", number + files));
            let link = format!("https://om.example/api/public/v1.0/users/{id}/keys?pageNum=1");
            let page = json!({
                "links": [{"rel": "self", "href": link}],
                "results": [{"id": key, "userId": id, "obfuscatedKey": "********-****-****-92732876eeae"}],
                "totalCount": 1,
            });
            env.put(&format!("{files}/{id}.json"), page.to_string());
        }
        let (program, from, out) =
            (env!("CARGO_BIN_EXE_keysunset"), env.path(&files.to_string()), env.path("out"));
        let store = env.path(&format!("{files}.db"));
        let arguments = [program, "import", "--format", "csv", "--store"].map(Path::new);
        let arguments = [&arguments[..], &[&store, Path::new("--out"), &out, &from]].concat();
        let measured = python(&["resource"], PEAK, &arguments)?;
        let measured: Vec<u64> = measured.split_whitespace().map(|number| number.parse().unwrap()).collect();
        assert_eq!(measured[0], 1);
        assert_eq!(env.text("out/keys.csv").lines().count(), files + 1);
        Some(if cfg!(target_os = "macos") { measured[1] >> 20 } else { measured[1] >> 10 })
    };
    if let (Some(few), Some(many)) = (peak(8_000), peak(20_000)) {
        assert!(many <= few + MORE, "{few} MiB for 8,000 files, {many} MiB for 20,000");
    }
}
