//! Wrong words on the command line: each ends with 2 and the right tip, and no value is repeated.

use crate::support::TestEnv;

/// What is typed after a wrong flag, and must never be printed.
const VALUE: &str = "s3cr3t-VALUE";

const CREDENTIALS: &str = "KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY, or --credentials <FILE>";

/// Each wrong line, and the tip.
const LINES: &[(&str, &str)] = &[
    ("audit --token VALUE", CREDENTIALS),
    ("audit --token=VALUE", CREDENTIALS),
    ("audit --password VALUE", CREDENTIALS),
    ("audit --private-key=VALUE", CREDENTIALS),
    ("audit --public_key VALUE", CREDENTIALS),
    ("audit --API-KEY VALUE", CREDENTIALS),
    ("doctor --secret VALUE", CREDENTIALS),
    ("import answers --key VALUE", CREDENTIALS),
    ("--token VALUE audit", CREDENTIALS),
    ("audit --username VALUE", CREDENTIALS),
    ("audit -u ann:VALUE", CREDENTIALS),
    ("audit -uann:VALUE", CREDENTIALS),
    ("login VALUE", CREDENTIALS),
    ("audit --output VALUE", "a similar argument exists: '--out'"),
    ("report --out-file VALUE", "a similar argument exists: '--out'"),
    ("audit --json", "use '--format json'"),
    ("report --csv", "use '--format csv'"),
    ("report --markdown", "use '--format markdown'"),
    ("history --md", "use '--format markdown'"),
    ("audit --no-color", "use '--color never', or set NO_COLOR=1"),
    ("audit --no-colour", "use '--color never', or set NO_COLOR=1"),
    ("audit --dry-run", "use 'keysunset doctor' to test the connection"),
    ("audit --host VALUE", "a similar argument exists: '--url'"),
    ("--server VALUE audit", "a similar argument exists: '--url'"),
    ("audit --ulr VALUE", "a similar argument exists: '--url'"),
    ("--url VALUE audit", "put '--url' after the command 'audit'"),
    ("audit --insecure", "a similar argument exists: '--insecure-skip-verify'"),
    ("audit -k", "a similar argument exists: '--insecure-skip-verify'"),
    ("audit --cacert VALUE", "a similar argument exists: '--ca-cert'"),
    ("audit --verbose=2", "use '-v', '-vv' or '-vvv'"),
    ("audit --debug", "use '-v', '-vv' or '-vvv'"),
    ("audit --all", "a similar argument exists: '--all-orgs'"),
    ("audit --organization VALUE", "a similar argument exists: '--org'"),
    ("audit --threads 4", "a similar argument exists: '--concurrency'"),
    ("audit --limit 4", "a similar argument exists: '--rate'"),
    ("audit --fail VALUE", "a similar argument exists: '--fail-on'"),
    ("audit --proxy VALUE", "set HTTPS_PROXY"),
    ("audit --version", "use 'keysunset --version'"),
    ("audit --quite", "a similar argument exists: '--quiet'"),
    ("audit https://ann:VALUE@om.example:8080", "use '--url <URL>' for a deployment"),
    ("https://ann:VALUE@om.example:8080", "use 'keysunset audit --url <URL>'"),
    ("audit users.csv", "'--users <FILE>' or '--user <ID>' for users"),
    ("scan", "a similar subcommand exists: 'audit'"),
    ("run --url VALUE", "a similar subcommand exists: 'audit'"),
    ("check", "use 'keysunset audit --fail-on <WHICH>'"),
    ("version", "use 'keysunset --version'"),
    ("migrate", "'keysunset plan' writes"),
    ("ci", "use 'keysunset audit --fail-on <WHICH>'"),
    ("audit --ci", "set the environment variable CI=true"),
    ("audit --non-interactive", "set the environment variable CI=true"),
    ("audit --fail-fast", "use '--fail-on <WHICH>' to select the"),
    ("audit --exit-code 0", "a similar argument exists: '--exit-zero'"),
    ("audit --cache VALUE", "a similar argument exists: '--store'"),
    ("audit --code-quality", "use '--format gitlab'"),
    ("--fail-on used", "put '--fail-on' after a command, such as 'keysunset audit'"),
    ("audit --format sarif csv", "separate formats by commas, such as '--format csv,markdown'"),
    ("list", "use 'keysunset report' for all keys"),
    ("ls", "use 'keysunset report' for all keys"),
    ("upgrade", "'keysunset plan' writes a"),
    ("prune --older-than 30d", "a similar argument exists: '--keep'"),
    ("sandbox --port 8080", "a similar argument exists: '--listen'"),
    ("--url VALUE", "put '--url' after a command, such as 'keysunset audit'"),
    ("--all-orgs", "put '--all-orgs' after a command, such as 'keysunset audit'"),
    ("show VALUE", "'keysunset explain <KEY_ID>'"),
    ("delete VALUE", "keysunset is read-only and deletes no keys"),
    ("clean", "a similar subcommand exists: 'prune'"),
    ("completion bash", "a similar subcommand exists: 'completions'"),
];

#[test]
fn a_wrong_word_gets_the_right_tip_and_no_value_is_repeated() {
    let env = TestEnv::empty();
    for (line, tip) in LINES {
        let typed: Vec<_> = line.split(' ').map(|word| word.replace("VALUE", VALUE)).collect();
        let ran = env.run(&typed.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{line}");
        assert!(ran.stderr.starts_with("error: un"), "{line}: {}", ran.stderr);
        assert_eq!(ran.stderr.matches("\n  tip: ").count(), 1, "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(tip), "{line}: {}", ran.stderr);
        assert!(!ran.stderr.contains(VALUE), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("\nUsage: keysunset "), "{line}: {}", ran.stderr);
        for line in ran.stderr.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn a_wrong_value_gets_the_form_of_a_right_one() {
    let env = TestEnv::empty();
    let run = "expected the number of a run; `keysunset history` lists the runs";
    for (line, expected) in [
        ("diff latest", run),
        ("diff 1 newest", run),
        ("report --run newest", run),
        ("plan --run newest", run),
        ("export newest", run),
        ("report --cutoff 01.03.2021", "expected a day such as 2021-03-01"),
    ] {
        let ran = env.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{line}");
        assert!(ran.stderr.contains(expected), "{line}: {}", ran.stderr);
    }
}

/// A flag that another command has is no wrong word there.
#[test]
fn what_a_command_has_is_not_corrected() {
    let env = TestEnv::empty();
    for line in ["history --json", "verify --json", "prune --keep 1 --dry-run"] {
        let ran = env.run(&line.split(' ').collect::<Vec<_>>());
        assert_ne!(ran.code, 2, "{line}: {}", ran.stderr);
    }
}

#[test]
fn an_unknown_word_without_a_similar_one_gets_no_tip() {
    let env = TestEnv::empty();
    for line in ["audit --qqqqqqqq", "qqqqqqqq"] {
        let ran = env.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 2, "{line}");
        assert!(!ran.stderr.contains("tip:"), "{}", ran.stderr);
    }
}
