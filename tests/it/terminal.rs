//! What a person sees on a terminal: lines of 80 columns, colours where they are wanted, and the worst findings first.

use keysunset_sandbox::{Options, Sandbox};
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use crate::history::{key, key_id, world};
use crate::support::{CliOutput, NOW, TestEnv, sandbox};
use crate::unattended::{ESCAPE, screen};

const WIDTH: usize = 80;
/// A path that is longer than a line.
const FOLDER: &str = "a folder with a name that is long/and has another one in it for this/reports";
/// One that is active, one that has expired, and one of no key.
const WAIVERS: &str = include_str!("../golden/input/waivers.toml");

/// Lines that are too long, but for one word or path alone, and for lines that a CI server reads.
fn too_long(text: &str) -> Vec<String> {
    let text = without_colours(text);
    let is_for_people = |line: &&str| !line.starts_with("::") && !line.starts_with(FOLDER);
    let is_long = |line: &&str| line.width() > WIDTH && line.trim().contains(' ');
    text.lines().filter(is_for_people).filter(is_long).map(str::to_owned).collect()
}

/// A world in which names, descriptions and organizations are long, wide or hostile.
fn hostile() -> Options {
    let path = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "input", "world.json"].iter().collect();
    Options { world: Some(path), ..Options::default() }
}

/// After two runs of a sandbox: some users and lists of the second could not be read.
fn after_two_runs(out: &str) -> (TestEnv, Vec<CliOutput>) {
    let env = TestEnv::at(&sandbox(hostile()));
    env.put("waivers.toml", WAIVERS);
    let arguments = ["--all-orgs", "--name", "a deployment", "--out", out, "--waivers", "waivers.toml"];
    let first = env.audit(&sandbox(hostile()), &arguments);
    let faults = ["403@40%:keys", "total@50%:users", "500@30%:keys"];
    let faults = faults.map(|fault| fault.parse().unwrap()).to_vec();
    let env = env.with("SOURCE_DATE_EPOCH", &(NOW + 30 * 86_400).to_string());
    let second =
        env.audit(&sandbox(Options { faults, ..hostile() }), &[&arguments[..], &["--ratchet"]].concat());
    (env, vec![first, second])
}

#[test]
fn every_page_fits_80_columns() {
    let out = FOLDER;
    let (env, mut pages) = after_two_runs(out);
    let store = format!("{out}/keysunset.db");
    let commands = [
        "history",
        "diff",
        "prune --keep 1 --dry-run",
        "explain 5af9a1d29cc0cdb6acd00001",
        "explain 5af9a1d29cc0cdb6acd00005 --waivers waivers.toml",
    ];
    for command in commands {
        let ran = env.run(&command.split(' ').chain(["--store", &store]).collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{command}: {ran:?}");
        pages.push(ran);
    }
    pages.push(env.run(&["verify", out]));
    env.put(&format!("{out}/keys.csv"), "another");
    pages.push(env.run(&["verify", out, "--store", "nowhere.db"]));
    pages.push(env.run(&["report", "--store", &store, "--out", out, "--fail-on", "never"]));
    pages.push(env.run(&["prune", "--keep", "1", "--store", &store]));
    pages.push(env.run(&["demo", "--users", "5", "--out", out]));
    pages.push(env.run(&["demo", "--users", "5"]));
    pages.push(env.run(&["doctor", "--url", "http://127.0.0.1:1"]));
    for page in pages {
        assert!(!page.stdout.is_empty() || page.code == 5, "{page:?}");
        assert_eq!(too_long(&page.stdout), Vec::<String>::new());
        assert!(!page.stdout.contains(ESCAPE), "{page:?}");
    }
}

#[test]
fn messages_are_wrapped_on_a_terminal_and_one_line_in_a_log() {
    let env = TestEnv::empty();
    let arguments =
        "explain 5af9a1d29cc0cdb6acd00001 --store 'a folder with a name that is long/reports/keysunset.db'";
    let Some((code, shown)) = screen(&env, &[], arguments) else { return };
    assert_eq!((code, too_long(&shown)), (5, vec![]), "{shown}");
    assert!(shown.starts_with("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m "), "{shown:?}");
    assert!(shown.contains("\n       ") && shown.contains("\u{1b}[36mhelp:"), "{shown:?}");
    let log =
        env.run(&["explain", "5af9a1d29cc0cdb6acd00001", "--store", &"a folder with a name ".repeat(5)]);
    let lines: Vec<_> = log.stderr.lines().collect();
    assert!(lines.len() == 2 && lines[0].len() > WIDTH, "{log:?}");
    assert!(lines[0].starts_with("error: ") && lines[1].starts_with("  help: "), "{log:?}");
    let Some((_, shown)) = screen(&env, &[("CI", "true")], arguments) else { return };
    assert!(shown.lines().count() == 2 && !shown.contains(ESCAPE), "{shown:?}");
}

#[test]
fn colours_are_as_the_flag_says_wherever_the_output_goes() {
    let (env, _) = after_two_runs("reports");
    let coloured = |arguments: &[&str]| {
        let ran = env.run(arguments);
        (ran.stdout.contains(ESCAPE), ran.stderr.contains(ESCAPE))
    };
    for command in [
        &["report", "--fail-on", "any"][..],
        &["diff"],
        &["history"],
        &["explain", "5af9a1d29cc0cdb6acd00002"],
        &["verify"],
        &["prune", "--help"],
    ] {
        assert_eq!(coloured(command), (false, false), "{command:?}");
        assert_eq!(coloured(&[command, &["--color", "never"]].concat()), (false, false), "{command:?}");
        let always = env.run(&[&["--color=always"], command].concat());
        let plain = env.run(command).stdout;
        assert!(always.stdout.contains(ESCAPE), "{always:?}");
        assert_eq!(without_colours(&always.stdout), plain);
    }
    for (command, code) in [(&["explain", "ffffffffffffffffffffffff"][..], 5), (&["report", "--nonsense"], 2)]
    {
        let ran = env.run(&[command, &["--color=always"]].concat());
        assert_eq!((ran.code, ran.stderr.contains(ESCAPE)), (code, true), "{ran:?}");
        assert_eq!(coloured(command), (false, false));
    }
    for command in ["diff --json", "history --json", "history --format markdown", "verify --json", "export"] {
        let command: Vec<_> = command.split(' ').chain(["--color=always"]).collect();
        assert_eq!(coloured(&command), (false, false), "{command:?}");
    }
    let formats = "csv,markdown,json,ndjson,sarif,junit";
    env.run(&["report", "--color=always", "--format", formats]);
    let written = env.files().into_iter().filter(|(path, _)| path.extension().is_some_and(|it| it != "db"));
    for (path, bytes) in written {
        assert!(!bytes.contains(&(ESCAPE as u8)), "{}", path.display());
    }
    assert_eq!(env.run(&["history", "--color", "sometimes"]).code, 2);
}

#[test]
fn without_the_flag_the_terminal_and_its_environment_decide() {
    let (env, _) = after_two_runs("reports");
    for (environment, arguments, is_coloured) in [
        (&[][..], "", true),
        (&[("NO_COLOR", "1")], "", false),
        (&[("NO_COLOR", "1")], "--color=always", true),
        (&[("CI", "true")], "", false),
        (&[("CI", "true")], "--color=always", true),
        (&[("CLICOLOR", "0")], "", false),
        (&[], "--color=never", false),
    ] {
        for command in ["report", "explain 5af9a1d29cc0cdb6acd00002", "report --nonsense", "history --help"] {
            let Some((_, shown)) = screen(&env, environment, &format!("{arguments} {command}")) else {
                return;
            };
            assert_eq!(
                shown.contains(ESCAPE),
                is_coloured,
                "{environment:?} {arguments} {command}: {shown:?}"
            );
        }
    }
    let env = env.with("CLICOLOR_FORCE", "1");
    assert!(env.run(&["report"]).stdout.contains(ESCAPE));
}

/// Without what sets and ends a colour.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

/// Whose keys are: two critical, one high, four low ones, one of them waived.
fn keys_of_all_kinds() -> Sandbox {
    let used = |number: u64, day: &str, description: &str| {
        key(
            number,
            &json!({"lastUsed": format!("{day}T00:00:00Z"), "usedCount": 3, "description": description}),
        )
    };
    let escape = "red \u{1b}[31m \u{202e}text that is longer than its column";
    world(&[
        (
            "boris@a-domain-of-a-very-long-name.example.com",
            vec![used(1, "2024-12-01", escape), used(2, "2024-12-20", "ci")],
        ),
        (
            "帳簿帳簿帳簿帳簿帳簿帳簿帳簿帳簿",
            vec![used(3, "2022-01-01", "帳簿 帳簿 帳簿 帳簿"), used(4, "2024-12-30", "waived")],
        ),
        (
            "ann",
            (5..9).map(|number| key(number, &json!({"usedCount": 0, "description": "never used"}))).collect(),
        ),
    ])
}

#[test]
fn the_summary_has_the_five_worst_findings() {
    let sandbox = keys_of_all_kinds();
    let env = TestEnv::at(&sandbox);
    env.put(
        "waivers.toml",
        format!(
            "[[waiver]]\nkey = \"{}\"\nreason = \"later\"\nowner = \"ops\"\nexpires = 2025-03-01\n",
            key_id(4)
        ),
    );
    let ran = env.audit(&sandbox, &["--all-orgs", "--waivers", "waivers.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("  findings    7")).unwrap();
    let expected = [
        "  findings    7, of which the 5 worst are:",
        "  severity  key ends in   last used   owner                     description",
        "  critical  000000000002  2024-12-20  boris@a-domain-of-a-ver…  ci",
        "  critical  000000000001  2024-12-01  boris@a-domain-of-a-ver…  red \\u{1b}[31m …",
        "  high      000000000003  2022-01-01  帳簿帳簿帳簿帳簿帳簿帳…   帳簿 帳簿 帳簿 …",
        "  low       000000000005  never       ann                       never used",
        "  low       000000000006  never       ann                       never used",
        "  and 2 more in the reports",
    ];
    assert_eq!(lines[at..at + expected.len()], expected, "{}", ran.stdout);
    assert!(!ran.stdout.contains("waived\n"), "{}", ran.stdout);
    let ran = env.run(&["report", "--fail-on", "critical"]);
    assert!(ran.stdout.contains("  findings    3, worst first\n"), "{}", ran.stdout);
    let ran = env.run(&["report", "--fail-on", "never"]);
    assert!(!ran.stdout.contains("findings "), "{}", ran.stdout);
}

#[test]
fn progress_counts_findings_as_the_gate_does() {
    let faults = vec!["latency=250@100%:keys".parse().unwrap()];
    let sandbox = sandbox(Options { faults, ..hostile() });
    let announced = sandbox.announcement();
    let now = NOW.to_string();
    let environment = [
        ("SOURCE_DATE_EPOCH", &*now),
        ("KEYSUNSET_PUBLIC_KEY", &*announced.public_key),
        ("KEYSUNSET_PRIVATE_KEY", &*announced.private_key),
    ];
    let env = TestEnv::empty();
    env.put("waivers.toml", WAIVERS);
    for (more, expected) in [
        ("", (|keys| keys) as fn(u64) -> u64),
        ("--fail-on never", |_| 0),
        ("--waivers waivers.toml", |keys| keys - 1),
    ] {
        let arguments = format!("audit --url {} --all-orgs --concurrency 1 {more}", announced.url);
        let Some((_, shown)) = screen(&env, &environment, &arguments) else { return };
        // The last line of the progress.
        let words: Vec<_> = shown.rsplit_once(" users, ").unwrap().1.split(' ').collect();
        let [keys, findings] = [words[0], words[2]].map(|number| number.parse().unwrap());
        assert!(keys > 8, "{shown:?}");
        assert_eq!(findings, expected(keys), "{more}: {shown:?}");
    }
}
