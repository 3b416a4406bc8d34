//! A letter has what its owner needs, and nothing of another; as a mail message it is one that others can read.

use std::collections::BTreeMap;
use std::path::Path;

use keysunset_sandbox::Options;
use serde_json::Value;

use crate::foreign::python;
use crate::plan_loop::world::{BOB, KEYS, OWNERS, secrets, waivers, world};
use crate::support::{TestEnv, rows, sandbox};

/// Audits the world, and plans with letters in this format.
fn planned(format: &str) -> TestEnv {
    let env = TestEnv::empty();
    env.put("world.json", world().to_string());
    env.put("waivers.toml", waivers(&["waived"]));
    let sandbox = sandbox(Options { world: Some(env.path("world.json")), ..Options::default() });
    let announced = sandbox.announcement();
    let env = env
        .with("KEYSUNSET_PUBLIC_KEY", &announced.public_key)
        .with("KEYSUNSET_PRIVATE_KEY", &announced.private_key);
    let audit = ["--all-orgs", "--name", "East \u{fc} |\r\nBcc: all@example.com", "--fail-on", "never"];
    let ran = env.audit(&sandbox, &audit);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(plan(&env, format), 0);
    env
}

fn plan(env: &TestEnv, format: &str) -> i32 {
    env.run(&["plan", "--waivers", "waivers.toml", "--letters", format]).code
}

/// Letters by the id of their owner: the name of the file and its text.
fn letters(env: &TestEnv, format: &str) -> BTreeMap<String, (String, String)> {
    let rows = rows(&env.bytes("reports/plan.csv"));
    let letter = |script: &str| {
        let name = Path::new(script).with_extension(format).file_name().unwrap().to_owned();
        let name = format!("reports/letters/{}", name.to_str().unwrap());
        let text = env.text(&name);
        (name, text)
    };
    rows.iter().map(|row| (row["owner_id"].clone(), letter(&row["script"]))).collect()
}

#[test]
fn a_letter_has_its_owners_keys_and_nothing_of_another() {
    let env = planned("md");
    let letters = letters(&env, "md");
    assert_eq!(letters.len(), OWNERS.len());
    for owner in OWNERS {
        let text = &letters[owner.id].1;
        for key in KEYS {
            assert_eq!(text.contains(key.id), key.owner == owner, "{}: {text}", key.id);
            let is_known = text.contains(&key.id[12..]);
            assert_eq!(is_known, key.owner == owner, "the last digits of {}: {text}", key.id);
        }
        let others = OWNERS.into_iter().filter(|other| *other != owner);
        for other in others {
            let local = other.name.split('@').next().unwrap();
            assert!(!text.contains(other.id) && !text.contains(&format!("{local}@")), "{text}");
        }
        for secret in secrets() {
            assert!(!text.contains(&secret), "{text}");
        }
        assert!(!text.contains(['\r', '\u{202e}', '\u{1b}']), "{text}");
    }
    // What was found, why, what the owner gets, what to change and until when, and what to do if something is wrong.
    let bob = &letters[BOB.id].1;
    for part in [
        "the upgrade to Ops Manager 5.0",
        "  - Reason: `last used 2024-12-20T06:07:08Z, ",
        "- `West`: `ORG_READ_ONLY, 5991a2b3c4d5e6f708192a3d:GROUP_MONITORING_ADMIN, ",
        "curl --digest --config key.conf http://127.0.0.1:",
        "mongocli config --profile default",
        "kubectl create secret generic ",
        "Change your scripts before the upgrade.",
        "after 14 days without use",
        "an administrator can enable the key again",
        "## Is a key not yours?",
    ] {
        assert!(bob.contains(part), "{part}: {bob}");
    }
}

/// The parser reports what is not as the standards have it.
const PARSE: &str = r#"
import email, email.policy, json, pathlib, sys
policy = email.policy.strict
found = {}
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.eml")):
    message = email.message_from_bytes(file.read_bytes(), policy=policy)
    assert not message.defects and not message.is_multipart()
    for name, value in message.items():
        assert not value.defects, (name, value.defects)
    found[file.name] = {"headers": {name: str(value) for name, value in message.items()},
        "names": message.keys(), "to": [address.addr_spec for address in message["to"].addresses] if message["to"] else [],
        "date": message["date"].datetime.isoformat(), "type": message.get_content_type(),
        "text": message.get_content().replace("\r\n", "\n")}
print(json.dumps(found))
"#;

#[test]
fn a_mail_message_is_read_by_the_parser_of_python() {
    let env = planned("md");
    let markdown = letters(&env, "md");
    assert_eq!(plan(&env, "eml"), 0);
    let mails = letters(&env, "eml");
    for (name, text) in mails.values() {
        assert!(text.is_ascii() && text.ends_with("\r\n"), "{name}: {text:?}");
        for line in text.split("\r\n") {
            assert!(line.len() <= 78 && !line.contains(['\r', '\n']), "{name}: {line:?}");
        }
    }
    // A letter that is out of date is not left beside the new one.
    assert!(markdown.values().all(|(name, _)| !env.path(name).exists()));
    let folder = env.path("reports/letters");
    let Some(output) = python(&["email"], PARSE, &[&folder]) else { return };
    let parsed: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(parsed.as_object().unwrap().len(), OWNERS.len());
    let mut ids = std::collections::BTreeSet::new();
    for owner in OWNERS {
        let mail = &parsed[mails[owner.id].0.rsplit('/').next().unwrap()];
        let recipient: &[&str] = if owner.name.contains([' ', '\r']) { &[] } else { &[owner.name] };
        assert_eq!(mail["to"], serde_json::json!(recipient), "{mail}");
        let mut names = vec!["To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"];
        names.extend(["Content-Transfer-Encoding", "X-Unsent"]);
        assert_eq!(mail["names"], serde_json::json!(names[usize::from(recipient.is_empty())..]), "{mail}");
        assert_eq!(
            mail["headers"]["Subject"], "Your personal API keys on East \u{fc} | Bcc: all@example.com",
            "{mail}"
        );
        assert_eq!(mail["date"], "2025-01-01T00:00:00+00:00");
        assert_eq!(mail["type"], "text/plain");
        assert_eq!(mail["text"], markdown[owner.id].1, "{owner}", owner = owner.id);
        ids.insert(mail["headers"]["Message-ID"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), OWNERS.len(), "{ids:?}");
    // The same run gives the same bytes.
    assert_eq!(plan(&env, "eml"), 0);
    assert_eq!(letters(&env, "eml"), mails);
}
