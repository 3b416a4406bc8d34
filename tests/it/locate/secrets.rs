//! No output of `locate` has a key, in whatever form the key was found.

use super::{ANN, BOB, audit, git, located, suffix};
use crate::secrets::{base64, holds};
use crate::support::{CliOutput, TestEnv};

/// The key as it is planted, and as it must not be anywhere.
fn encodings() -> Vec<(&'static str, Vec<u8>)> {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    vec![
        ("plain", ANN.into()),
        ("upper case", ANN.to_uppercase().into()),
        ("without dashes", ANN.replace('-', "").into()),
        ("base64", base64(format!("ann:{ANN}").as_bytes()).into()),
        ("base64 of another alignment", base64(format!("anna:{ANN}").as_bytes()).into()),
        ("utf-16", utf16(ANN)),
        ("percent", ANN.replace('-', "%2D").into()),
        ("escaped", ANN.replace('-', "\\u002d").into()),
        ("entities", ANN.replace('-', "&#45;").into()),
    ]
}

/// Digits of the key that no output may have, in each encoding: never the last 12.
fn forbidden() -> Vec<Vec<u8>> {
    let start = &ANN[..23];
    let mut all = vec![
        start.into(),
        start.to_uppercase().into_bytes(),
        start.replace('-', "").into_bytes(),
        start.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        start.replace('-', "%2D").into_bytes(),
        start.replace('-', "\\u002d").into_bytes(),
        start.replace('-', "&#45;").into_bytes(),
    ];
    all.extend(
        (0..3).map(|skip| base64(&ANN.as_bytes()[skip..20 + skip]).trim_end_matches('=')[..24].into()),
    );
    all
}

#[test]
fn no_output_has_a_key_in_any_encoding() {
    let env = audit();
    for (name, bytes) in encodings() {
        env.put(&format!("in/{name}.txt"), [b"x = \"".to_vec(), bytes, b"\"\n".to_vec()].concat());
    }
    // In a path, and in the address of a remote.
    env.put(&format!("in/{ANN}.txt"), format!("{BOB}\n"));
    env.put(&format!("in/{}/a.txt", ANN.replace('-', "")), format!("{BOB}\n"));
    env.put("in/.git/config", format!("[remote \"o\"]\n\turl = https://ann:{ANN}@git.example/x.git\n"));
    let formats = ["--format", "csv,markdown,json,ndjson,sarif,gitlab,github"];
    let ran = env.run(&[&["locate", "in", "--context", "--unknown", "-vvv"], &formats[..]].concat());
    assert!(matches!(ran.code, 1 | 4), "{ran:?}");
    for command in ["report", "plan"] {
        env.run(&[command]);
    }
    let found = env.text("reports/locations.csv");
    for (name, _) in encodings() {
        assert!(found.contains(&format!(",{name}.txt,")), "{name} was not found:\n{found}");
    }
    assert!(found.contains(&format!("********-****-****-{}.txt", suffix(ANN))), "{found}");
    has_no_key(&env, ran);
}

#[test]
fn no_output_has_a_key_of_a_history() {
    if !crate::evidence::has("git", &["--version"]) {
        return;
    }
    let env = audit();
    for (name, bytes) in encodings() {
        env.put(&format!("in/{name}.txt"), [b"x = \"".to_vec(), bytes, b"\"\n".to_vec()].concat());
    }
    let encoded = base64(ANN.as_bytes());
    for name in [ANN, &ANN.replace('-', ""), &encoded] {
        env.put(&format!("in/{name}/a.txt"), format!("https://ann:{ANN}@om.example {BOB}\n"));
    }
    git(&env, "in", &["init"]);
    git(&env, "in", &["add", "."]);
    let (author, message) =
        (format!("{encoded} <{ANN}@example.com>"), format!("with {ANN}\n\nand {encoded}"));
    git(&env, "in", &["commit", "--author", &author, "-m", &message]);
    git(&env, "in", &["archive", "-o", "a.tar", "HEAD"]);
    git(&env, "in", &["add", "."]);
    git(&env, "in", &["commit", "-m", "archive"]);
    git(&env, "in", &["tag", "-a", &format!("v-{ANN}"), "-m", &message]);
    git(&env, "in", &["rm", "-r", "."]);
    git(&env, "in", &["commit", "-m", "nothing"]);
    let formats = ["--format", "csv,markdown,json,ndjson,sarif,gitlab,github"];
    let ran = env.run(&[&["locate", "in", "--context", "-vvv"], &formats[..]].concat());
    let found: Vec<_> = located(&env).into_iter().filter(|row| !row["path"].starts_with(".git/")).collect();
    for (name, _) in encodings() {
        assert!(found.iter().any(|row| row["path"] == format!("{name}.txt")), "{name} was not found");
    }
    let members: Vec<_> =
        found.iter().filter(|row| row["path"] == "a.tar").map(|row| &row["member"]).collect();
    let masked = format!("********-****-****-{}", suffix(ANN));
    for name in [&masked, "********"] {
        assert!(found.iter().any(|row| row["path"] == format!("{name}/a.txt")), "{name}");
        assert!(members.contains(&&format!("{name}/a.txt")), "{members:?}");
    }
    let author = format!("******** <{masked}@example.com>");
    assert!(found.iter().any(|row| row["first_author"] == author), "{found:?}");
    let lines = env.text("reports/locations.ndjson");
    assert!(lines.contains("\"context\":\"and ********\""), "{lines}");
    assert!(lines.contains("\"context\":\"https://********@om.example ********\""), "{lines}");
    has_no_key(&env, ran);
}

/// `plan` makes one in place of a key, so that both are in one line for a while.
#[test]
fn no_output_has_the_secret_of_a_service_account() {
    let env = audit();
    let (id, secret) =
        ("mdb_sa_id_5af9a1d29cc0cdb6acdca6d5", "mdb_sa_sk_us_AbCd-3ivKqY98qgi4EXW94gaWC7FVXqm6");
    let encoded = |padding: &str| base64(format!("{padding}{id}:{secret}").as_bytes());
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let line = format!("--user {id}:{secret} # was {ANN}\n");
    env.put("in/plain.txt", &line);
    env.put("in/utf-16.txt", utf16(&line));
    env.put("in/cut.txt", format!("{secret}{} {ANN} {}{secret}\n", " ".repeat(140), " ".repeat(150)));
    let words = ["", "a", "ab"].map(encoded).join(" ");
    env.put("in/base64.txt", format!("{ANN} {words}\n"));
    env.put(&format!("in/{secret}/a.txt"), format!("{ANN}\n"));
    let formats = ["--format", "csv,markdown,json,ndjson,sarif,gitlab,github"];
    let ran = env.run(&[&["locate", "in", "--context", "--unknown", "-vvv"], &formats[..]].concat());
    assert_eq!((ran.code, located(&env).len()), (1, 5), "{ran:?}");
    assert!(env.text("reports/locations.ndjson").contains(&format!("--user {id}:********")));
    let mut outputs = env.files();
    outputs.retain(|path, _| !path.starts_with("in"));
    outputs.insert("standard output".into(), ran.stdout.into_bytes());
    outputs.insert("standard error".into(), ran.stderr.into_bytes());
    for (output, bytes) in outputs {
        for part in
            ["AbCd", "gaWC7F", "Xqm6", &encoded("")[70..80], &encoded("a")[70..80], &encoded("ab")[70..80]]
        {
            assert!(!holds(&bytes, part), "{part} is in {}", output.display());
        }
        assert!(!bytes.windows(8).any(|window| window == utf16("AbCd")), "{}", output.display());
    }
}

fn has_no_key(env: &TestEnv, ran: CliOutput) {
    let mut outputs = env.files();
    outputs.retain(|path, _| !path.starts_with("in"));
    outputs.insert("standard output".into(), ran.stdout.into_bytes());
    outputs.insert("standard error".into(), ran.stderr.into_bytes());
    outputs.insert("explain".into(), env.run(&["explain", suffix(ANN)]).stdout.into_bytes());
    assert!(outputs.len() > 10, "{:?}", outputs.keys());
    for (output, bytes) in outputs {
        assert!(!holds(&bytes, "git.example"), "the address of a remote is in {}", output.display());
        for secret in forbidden() {
            let is_here = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!is_here, "{} is in {}", String::from_utf8_lossy(&secret), output.display());
        }
    }
}
