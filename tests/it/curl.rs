//! A client that nobody here wrote: the reference pages' own curl lines, with their braces filled in.

use std::collections::BTreeMap;
use std::process::Command;

use keysunset_sandbox::{Challenge, NonceRule, Options, Product, Sandbox};
use serde_json::{Value, json};

/// The line of the Ops Manager page.
const OPS_MANAGER_LINE: &str = r#"curl --digest --user "{PUBLIC-KEY}:{PRIVATE-KEY}" \
     --header "Content-Type: application/json" \
     --header "Accept: application/json" \
     --request GET "https://<OpsManagerHost>:<Port>/api/public/v1.0/users/{USER-ID}/keys/""#;

/// The line of the Atlas page, whose base URL stands above it there.
const ATLAS_LINE: &str = r#"curl --digest --user "{PUBLIC-KEY}:{PRIVATE-KEY}" \
  --header "Content-Type: application/json" \
  --header "Accept: application/json" \
  --request GET "{BASE-URL}/users/{USER-ID}/keys""#;

/// The user of both pages' examples, whom the example world has.
const USER: &str = "5af9a1d29cc0cdb6ac0bf3f8";

/// The rows of both pages.
fn rows() -> Value {
    json!([
        {
            "createdAt": "2018-05-14T14:45:22Z",
            "description": "Staging Application",
            "enabled": true,
            "id": "5af9a1d29cc0cdb6acdca6d5",
            "lastUsed": "2018-05-14T14:45:23Z",
            "obfuscatedKey": "********-****-****-92732876eeae",
            "usedCount": 7,
            "userId": USER
        },
        {
            "createdAt": "2017-02-02T21:35:06Z",
            "description": "Production Application",
            "enabled": true,
            "id": "5af9a1d29cc0cdb6acce1c30",
            "lastUsed": "2018-05-14T14:45:47Z",
            "obfuscatedKey": "********-****-****-4c5d3fc98d30",
            "usedCount": 69,
            "userId": USER
        }
    ])
}

/// One answer as `curl --include` prints it.
struct Printed {
    status: String,
    headers: BTreeMap<String, String>,
    body: String,
}

fn example(change: impl FnOnce(&mut Options)) -> Sandbox {
    let world = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sandbox-world.json");
    let mut options = Options { world: Some(world.into()), ..Options::default() };
    change(&mut options);
    Sandbox::start(options).unwrap()
}

/// Fills the braces of a line, runs it as a shell would, and takes its output apart. `None` where there is no curl.
fn run(sandbox: &Sandbox, line: &str) -> Option<Vec<Printed>> {
    if Command::new("curl").arg("--version").output().is_err() {
        crate::foreign::skipped("curl");
        return None;
    }
    let announcement = sandbox.announcement();
    let (origin, _) = announcement.url.split_once("/api/").unwrap();
    let filled = line
        .replace("{PUBLIC-KEY}", &announcement.public_key)
        .replace("{PRIVATE-KEY}", &announcement.private_key)
        .replace("https://<OpsManagerHost>:<Port>", origin)
        .replace("{BASE-URL}", &announcement.url)
        .replace("{USER-ID}", USER)
        .replace("curl ", "curl --silent --show-error --include --noproxy '*' ");
    let output = Command::new("sh").args(["-c", &filled]).output().unwrap();
    assert!(output.status.success(), "{filled}: {}", String::from_utf8_lossy(&output.stderr));
    Some(take_apart(&String::from_utf8(output.stdout).unwrap()))
}

fn take_apart(mut text: &str) -> Vec<Printed> {
    let mut answers = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().trim_end().to_owned();
        let headers: BTreeMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        // curl does not print the body of an answer that it follows up on.
        let (body, rest) = if rest.starts_with("HTTP/") { ("", rest) } else { split_body(rest, &headers) };
        answers.push(Printed { status, headers, body: body.to_owned() });
        text = rest;
    }
    answers
}

fn split_body<'a>(rest: &'a str, headers: &BTreeMap<String, String>) -> (&'a str, &'a str) {
    rest.split_at(headers["content-length"].parse().unwrap())
}

fn names(printed: &Printed) -> Vec<&str> {
    printed.headers.keys().map(String::as_str).collect()
}

#[test]
fn the_ops_manager_pages_line_prints_the_pages_headers_and_body() {
    let sandbox = example(|options| options.challenge = Challenge::Reference);
    let Some(answers) = run(&sandbox, OPS_MANAGER_LINE) else { return };
    let [challenge, answer] = answers.try_into().ok().unwrap();

    assert_eq!(challenge.status, "HTTP/1.1 401 Unauthorized");
    assert_eq!(
        names(&challenge),
        ["connection", "content-length", "content-type", "date", "www-authenticate"]
    );
    assert_eq!(challenge.headers["content-type"], "application/json;charset=ISO-8859-1");
    assert_eq!(challenge.headers["connection"], "keep-alive");
    let digest = &challenge.headers["www-authenticate"];
    let (before, after) = digest.split_once("nonce=\"").unwrap();
    assert_eq!(before, r#"Digest realm="MMS Public API", domain="", "#);
    assert_eq!(after.split_once('"').unwrap().1, r#", algorithm=MD5, op="auth", stale=false"#);

    assert_eq!(answer.status, "HTTP/1.1 200 OK");
    let expected = [
        "connection",
        "content-length",
        "content-type",
        "date",
        "strict-transport-security",
        "vary",
        "x-mongodb-service-version",
    ];
    assert_eq!(names(&answer), expected);
    assert_eq!(answer.headers["vary"], "Accept-Encoding");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["strict-transport-security"], "max-age=300");
    assert_eq!(answer.headers["connection"], "keep-alive");
    let version = answer.headers["x-mongodb-service-version"].as_str();
    assert!(version.starts_with("gitHash=") && version.ends_with("; versionString=4.4.12"), "{version}");

    let url = &sandbox.announcement().url;
    let page = json!({
        "links": [{ "href": format!("{url}/users/{USER}/keys?pageNum=1&itemsPerPage=100"), "rel": "self" }],
        "results": rows(),
        "totalCount": 2
    });
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), page);
}

#[test]
fn the_ops_manager_pages_line_works_with_every_digest_challenge() {
    for challenge in [
        Challenge::Jetty,
        Challenge::Reference,
        Challenge::Sha256,
        Challenge::NoQop,
        Challenge::Several,
        Challenge::OneHeader,
    ] {
        let sandbox = example(|options| (options.challenge, options.nonce) = (challenge, NonceRule::Once));
        let Some(answers) = run(&sandbox, OPS_MANAGER_LINE) else { return };
        let statuses: Vec<&str> = answers.iter().map(|answer| answer.status.as_str()).collect();
        assert_eq!(statuses, ["HTTP/1.1 401 Unauthorized", "HTTP/1.1 200 OK"], "{challenge:?}");
    }
}

#[test]
fn the_atlas_pages_line_prints_the_pages_rows() {
    let sandbox = example(|options| options.product = Product::Atlas);
    let Some(mut answers) = run(&sandbox, ATLAS_LINE) else { return };
    let answer = answers.pop().unwrap();
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer.status, "HTTP/1.1 200 OK");
    assert_eq!((&body["results"], &body["totalCount"]), (&rows(), &json!(2)));
    let url = &sandbox.announcement().url;
    assert!(url.ends_with("/api/atlas/v1.0"));
    let link =
        json!({ "href": format!("{url}/users/{USER}/keys?pageNum=1&itemsPerPage=100"), "rel": "self" });
    assert_eq!(body["links"], json!([link]));
}

#[test]
fn the_pages_find_the_users_id_by_its_name() {
    let sandbox = example(|_| {});
    let line = OPS_MANAGER_LINE.replace("/users/{USER-ID}/keys/", "/users/byName/ann%40example.com");
    let Some(mut answers) = run(&sandbox, &line) else { return };
    let body: Value = serde_json::from_str(&answers.pop().unwrap().body).unwrap();
    assert_eq!(body["id"], USER);
}

#[test]
fn a_personal_key_logs_in_by_the_pages_line() {
    let sandbox = example(|_| {});
    let (user, key) = sandbox.personal_credential_for(0).unwrap();
    let line = OPS_MANAGER_LINE.replace("{PUBLIC-KEY}", &user).replace("{PRIVATE-KEY}", &key);
    let Some(mut answers) = run(&sandbox, &line) else { return };
    let body: Value = serde_json::from_str(&answers.pop().unwrap().body).unwrap();
    assert_eq!(body["results"][0]["usedCount"], 8, "the request itself is a use");
}

#[test]
fn a_wrong_private_key_is_refused_twice() {
    let sandbox = example(|_| {});
    let line = OPS_MANAGER_LINE.replace("{PRIVATE-KEY}", "00000000-0000-4000-8000-000000000000");
    let Some(answers) = run(&sandbox, &line) else { return };
    let statuses: Vec<&str> = answers.iter().map(|answer| answer.status.as_str()).collect();
    assert_eq!(statuses, ["HTTP/1.1 401 Unauthorized"; 2]);
}
