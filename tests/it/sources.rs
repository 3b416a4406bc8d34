//! Whom to audit: lists of every kind, single users, projects and organizations, together and repeated.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};

use digest_auth::AuthContext;
use keysunset_sandbox::{ExpectedUser, Sandbox};
use serde_json::{Value, json};

use crate::stub::{self, Asked, Digest, Reply, Stub, list};
use crate::support::{TestEnv, count, list_of_ids, of_user, ops_manager};

/// GETs a document as the announced credential, over a client that is not the program's.
fn get(sandbox: &Sandbox, path: &str) -> Value {
    let announced = sandbox.announcement();
    let (host, base) = announced.url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let target = format!("/{base}{path}");
    let exchange = |authorization: &str| {
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{authorization}\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let refusal = exchange("").to_lowercase().find("www-authenticate: ").map(|_| exchange("")).unwrap();
    let line = refusal.lines().find(|line| line.to_lowercase().starts_with("www-authenticate: ")).unwrap();
    let mut challenge = digest_auth::parse(&line["www-authenticate: ".len()..]).unwrap();
    let context = AuthContext::new(&*announced.public_key, &*announced.private_key, &*target);
    let answer = exchange(&format!("Authorization: {}\r\n", challenge.respond(&context).unwrap()));
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// The users of a place, by the service's own word.
fn members(sandbox: &Sandbox, place: &str) -> BTreeSet<String> {
    let list =
        get(sandbox, &format!("/{place}/users?itemsPerPage=500&flattenTeams=true&includeOrgUsers=true"));
    list["results"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
}

fn read_users(env: &TestEnv) -> BTreeSet<String> {
    env.rows().iter().map(|row| row["user_id"].clone()).collect()
}

/// Runs over one list file and returns the ids in the report; everybody must have been read.
fn audited(sandbox: &Sandbox, list: impl AsRef<[u8]>) -> BTreeSet<String> {
    let env = TestEnv::at(sandbox);
    env.put("list", list);
    let ran = env.audit(sandbox, &["--users", "list"]);
    assert!([0, 1].contains(&ran.code), "{ran:?}");
    assert_eq!(count(&env.rows(), "read_status", "read"), env.rows().len());
    read_users(&env)
}

fn ids(users: &[ExpectedUser]) -> BTreeSet<String> {
    users.iter().map(|user| user.id.clone()).collect()
}

#[test]
fn a_list_is_text_csv_json_or_the_apis_own_answer() {
    let sandbox = ops_manager(30);
    let users: Vec<_> = sandbox.ground_truth().skip(3).take(4).collect();
    let [a, b, c, d] = &users[..] else { panic!() };
    for list in [
        format!("# everybody\n\n{}\n  {}  \r\n{} # the third\n{}", a.id, b.username, c.id, d.username),
        format!("\u{feff}{}\n{}\n{}\n{}\n", a.id, b.id, c.id, d.id),
        format!("user_id\n{}\n{}\n{}\n{}\n", a.id, b.id, c.id, d.id),
        format!("username\n{}\n{}\n{}\n{}\n", a.username, b.username, c.username, d.username),
        format!(
            "team,username,user_id\nx,{},{}\n\"x, y\",{},\nz,,{}\r\n,{},{}\n",
            a.username, a.id, b.username, c.id, d.username, d.id
        ),
        json!([a.id, b.username, c.id, d.username]).to_string(),
        format!(" \n{:#}", json!([a.id, b.id, {"id": c.id}, {"id": d.id, "username": d.username}])),
        json!({"links": [], "totalCount": 4, "results": [
            {"id": a.id, "username": a.username, "roles": [], "teamIds": [], "links": []},
            {"id": b.id, "username": b.username}, {"username": c.username, "id": c.id}, {"id": d.id}]})
        .to_string(),
        json!({"status": 200, "results": [{"id": a.id}, {"id": b.id}, {"id": c.id}, {"id": d.id}]})
            .to_string(),
        json!({"status": 200, "content": [{"id": a.id}, {"id": b.id}, {"id": c.id}, {"id": d.id}]})
            .to_string(),
    ] {
        assert_eq!(audited(&sandbox, &list), ids(&users), "{list}");
    }
}

#[test]
fn a_saved_answer_of_the_service_is_a_list() {
    let sandbox = ops_manager(30);
    let place = format!("orgs/{}", sandbox.announcement().org_id);
    let saved = get(&sandbox, &format!("/{place}/users?itemsPerPage=500"));
    assert_eq!(audited(&sandbox, saved.to_string()), members(&sandbox, &place));
    let enveloped = get(&sandbox, &format!("/{place}/users?itemsPerPage=500&envelope=true"));
    assert_eq!(audited(&sandbox, enveloped.to_string()), members(&sandbox, &place));
}

#[test]
fn standard_input_is_a_list() {
    let sandbox = ops_manager(20);
    let env = TestEnv::at(&sandbox);
    let url = &sandbox.announcement().url;
    let ran = env.fed(&["audit", "--url", url, "--users", "-"], list_of_ids(&sandbox).as_bytes());
    assert_eq!((ran.code, read_users(&env).len()), (1, 20), "{ran:?}");
}

#[test]
fn a_project_and_an_organization_are_all_their_users() {
    let sandbox = ops_manager(60);
    let projects = get(&sandbox, "/groups?itemsPerPage=500");
    let organizations = get(&sandbox, "/orgs?itemsPerPage=500");
    for (flag, place, found) in [("--project", "groups", &projects), ("--org", "orgs", &organizations)] {
        let found = found["results"].as_array().unwrap();
        assert!(found.len() > 1);
        for one in found {
            let id = one["id"].as_str().unwrap();
            let env = TestEnv::at(&sandbox);
            // As a shell on Windows gives what it took from another program.
            let ran = env.audit(&sandbox, &[flag, &format!("{id}\r")]);
            let expected = members(&sandbox, &format!("{place}/{id}"));
            assert!(!expected.is_empty() && [0, 1].contains(&ran.code), "{ran:?}");
            assert_eq!(read_users(&env), expected, "{flag} {id}");
        }
    }
}

#[test]
fn all_sources_together_and_repeated_read_each_user_once() {
    let sandbox = ops_manager(40);
    let truth: Vec<_> = sandbox.ground_truth().collect();
    let projects = get(&sandbox, "/groups");
    let project = projects["results"][0]["id"].as_str().unwrap();
    let org = sandbox.announcement().org_id.clone();
    let env = TestEnv::at(&sandbox);
    env.put("a.txt", list_of_ids(&sandbox));
    env.put("b.json", json!([truth[1].username, truth[1].id, truth[1].id.to_uppercase()]).to_string());
    env.put("c.csv", format!("username\n{}\n{}\n", truth[2].username, truth[2].username));
    let flags = [
        ["--users", "a.txt"],
        ["--users", "b.json"],
        ["--users", "c.csv"],
        ["--users", "a.txt"],
        ["--user", &truth[1].id],
        ["--user", &truth[1].username],
        ["--user", &truth[3].username],
        ["--org", &org],
        ["--org", &org],
        ["--project", project],
    ];
    let ran = env.audit(&sandbox, &[&flags.concat()[..], &["--all-orgs"]].concat());
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows = env.rows();
    assert_eq!(read_users(&env), ids(&truth));
    for user in &truth {
        assert_eq!(of_user(&rows, &user.id).len(), user.keys.len().max(1), "{user:?}");
    }
    assert_eq!(crate::page::number(&env.markdown(), "requested"), Some(truth.len()));
}

#[test]
fn a_name_is_resolved_to_its_id_whatever_it_is_made_of() {
    let sandbox = ops_manager(60);
    let tagged = sandbox.ground_truth().find(|user| user.username.contains('+')).unwrap();
    let quoted = sandbox.ground_truth().find(|user| user.username.contains('\'')).unwrap();
    for user in [tagged, quoted] {
        let env = TestEnv::at(&sandbox);
        env.audit(&sandbox, &["--user", &user.username]);
        assert_eq!(read_users(&env), BTreeSet::from([user.id]));
        assert_eq!(count(&env.rows(), "username", &user.username), env.rows().len());
    }
}

/// smart-mobile-software/gitstack#85, #69, owncloud/pyocclient#85: names from LDAP and Active Directory.
#[test]
fn a_name_of_a_directory_is_asked_for_whole() {
    let names = ["B User", "CN=Ann Lee,OU=Ops", "CORP\\boris", "o'neil", "Jörg@example.com", "a/b?c#d%41"];
    let asked_for = |asked: &Asked| {
        let name = asked.path.strip_prefix("/users/byName/").filter(|name| !name.contains('/'))?;
        Some(percent_encoding::percent_decode_str(name).decode_utf8().unwrap().into_owned())
    };
    let stub = Stub::start(Digest::On, move |asked| {
        let Some(name) = asked_for(asked) else { return Reply::ok(&list(&[])) };
        let number = names.iter().position(|known| *known == name);
        number.map_or_else(
            || Reply::error(404, "USERNAME_NOT_FOUND"),
            |number| Reply::ok(&json!({"id": stub::id(number), "username": name})),
        )
    });
    let rows = names.join("\"\n\"");
    let flags: Vec<_> = names.iter().flat_map(|name| ["--user", name]).collect();
    for arguments in [&["--users", "names.csv"][..], &flags] {
        let env = stub::env();
        env.put("names.csv", format!("username\n\"{rows}\"\n"));
        let ran = env.audit_at(&stub.url(), arguments);
        assert_eq!((ran.code, read_users(&env).len()), (0, names.len()), "{ran:?}");
    }
}

/// wonderwhy-er/DesktopCommanderMCP#610, openwall/john#2802: PowerShell's `>` and Excel's "Unicode Text" write UTF-16.
#[test]
fn a_list_in_utf_16_is_read() {
    let sandbox = ops_manager(5);
    let users: Vec<_> = sandbox.ground_truth().take(2).collect();
    let [one, two] = &users[..] else { panic!() };
    for list in [
        format!("{}\r\n{}\r\n", one.username, two.username),
        format!("Name\tusername\r\nA B\t{}\r\nC D\t{}\r\n", one.username, two.username),
    ] {
        let marked = format!("\u{feff}{list}");
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let list: Vec<_> = marked.encode_utf16().flat_map(bytes).collect();
            assert_eq!(audited(&sandbox, list), ids(&users), "{marked}");
        }
    }
}

#[test]
fn an_unknown_name_is_a_row_and_the_run_incomplete() {
    let sandbox = ops_manager(40);
    let clean = sandbox.ground_truth().find(|user| user.keys.is_empty()).unwrap();
    let found = sandbox.ground_truth().next().unwrap();
    for (user, code) in [(clean, 3), (found, 4)] {
        let env = TestEnv::at(&sandbox);
        let ran = env.audit(&sandbox, &["--user", &user.id, "--user", "nobody@example.com"]);
        assert_eq!(ran.code, code, "{ran:?}");
        let rows = env.rows();
        let nobody: Vec<_> = rows.iter().filter(|row| row["username"] == "nobody@example.com").collect();
        assert_eq!(nobody.len(), 1);
        let row = nobody[0];
        assert_eq!((row["read_status"].as_str(), row["http_status"].as_str()), ("not-found", "404"));
        assert_eq!((row["error_code"].as_str(), row["user_id"].as_str()), ("USERNAME_NOT_FOUND", ""));
        assert!(env.markdown().contains("nobody@example.com"));
    }
}

#[test]
fn an_unknown_id_is_a_row_and_the_run_incomplete() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    let ran = env.audit(&sandbox, &["--user", "ffffffffffffffffffffffff"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let rows = env.rows();
    assert_eq!((rows.len(), rows[0]["read_status"].as_str()), (1, "not-found"));
    assert_eq!(
        (rows[0]["user_id"].as_str(), rows[0]["error_code"].as_str()),
        ("ffffffffffffffffffffffff", "USER_NOT_FOUND")
    );
}

#[test]
fn an_unknown_organization_makes_the_run_incomplete() {
    let sandbox = ops_manager(20);
    let clean = sandbox.ground_truth().find(|user| user.keys.is_empty()).unwrap();
    let env = TestEnv::at(&sandbox);
    let ran = env.audit(&sandbox, &["--user", &clean.id, "--org", "ffffffffffffffffffffffff"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(env.markdown().contains("INCOMPLETE"));
    assert!(env.markdown().contains("ffffffffffffffffffffffff"));
}

#[test]
fn a_user_listed_by_id_and_by_name_has_the_name() {
    let sandbox = ops_manager(30);
    let user = sandbox.expected_user(5).unwrap();
    let (id, name, org) = (user.id.as_str(), user.username.as_str(), sandbox.announcement().org_id.as_str());
    let files = [
        ["--user", name, "--org", org],
        ["--user", id, "--org", org],
        ["--org", org, "--user", id],
        ["--org", org, "--user", name],
    ]
    .map(|sources| {
        let env = TestEnv::at(&sandbox);
        env.audit(&sandbox, &sources);
        let rows = env.rows();
        assert_eq!(of_user(&rows, id)[0]["username"], name, "{sources:?}");
        env.text("reports/keys.csv")
    });
    assert!(files.iter().all(|file| *file == files[0]), "the same evidence gives the same bytes");
}

#[test]
fn an_unknown_name_is_one_row_however_often_it_is_listed() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    env.put("list.txt", "nobody@example.com\nnobody@example.com\n");
    let ran = env.audit(&sandbox, &["--users", "list.txt", "--user", "nobody@example.com"]);
    assert_eq!((ran.code, env.rows().len()), (3, 1), "{ran:?}");
}
