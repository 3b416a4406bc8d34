//! `github`: annotations by the rules of GitHub's documentation ("Workflow commands for GitHub Actions"), at most ten of a
//! kind, and a summary of the step that others may have begun. No text of the service is a command, a link or HTML.

use std::collections::BTreeMap;

use keysunset::report::Format;

use crate::page::parse;
use crate::stub::{env, id};
use crate::support::{Row, TestEnv};
use crate::two_orgs::{audited, deployment, over_two_deployments, waivers};
use crate::volume::large;

/// The file that the runner hands to a step.
const SUMMARY: &str = "step-summary.md";

/// A workflow command, taken apart: `::name property=value,property=value::message`.
#[derive(Debug, PartialEq, Eq)]
struct Command {
    name: String,
    properties: BTreeMap<String, String>,
    message: String,
}

impl Command {
    /// As the runner reads a line; `None` for any other text.
    fn parse(line: &str) -> Option<Self> {
        let (head, message) = line.trim_start().strip_prefix("::")?.split_once("::")?;
        let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
        let properties = properties.split(',').filter_map(|pair| pair.split_once('='));
        let properties = properties.map(|(name, value)| {
            (name.trim().to_owned(), decoded(&value.replace("%3A", ":").replace("%2C", ",")))
        });
        Some(Self { name: name.to_owned(), properties: properties.collect(), message: decoded(message) })
    }

    fn title(&self) -> &str {
        &self.properties["title"]
    }
}

/// `%25` last, or an escaped `%0A` would become a line break.
fn decoded(text: &str) -> String {
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

fn commands(stdout: &str) -> Vec<Command> {
    stdout.lines().filter_map(Command::parse).collect()
}

fn of_kind<'a>(commands: &'a [Command], kind: &str) -> Vec<&'a Command> {
    commands.iter().filter(|command| command.name == kind).collect()
}

/// Renders the run again for GitHub, and nothing else.
fn annotated(env: &TestEnv, more: &[&str]) -> Vec<Command> {
    let ran = env.run(&[&["report", "--format", "github", "--quiet"], more].concat());
    let commands = commands(&ran.stdout);
    assert_eq!(commands.len(), ran.stdout.lines().count(), "each line is one: {}", ran.stdout);
    assert!(
        commands.iter().all(|command| ["error", "warning", "notice"].contains(&command.name.as_str())),
        "{commands:?}"
    );
    commands
}

fn severity(row: &Row) -> Option<usize> {
    ["critical", "high", "medium", "low", "info"].iter().position(|it| row["severity"] == **it)
}

#[test]
fn each_kind_has_the_nine_worst_and_one_that_counts_the_rest() {
    let env = large(3_200);
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    store.execute("UPDATE readings SET status = 'read', http_status = 200, detail = NULL", []).unwrap();
    drop(store);
    let code = env.run(&["report", "--format", "csv"]).code;
    let ran = env.run(&["report", "--format", "github", "--quiet"]);
    assert_eq!((ran.code, code), (1, 1), "a format changes no exit code");
    let commands = annotated(&env, &[]);
    let mut keys: Vec<_> = env.rows().into_iter().filter_map(|row| Some((severity(&row)?, row))).collect();
    // Worst first, then the latest use, then the owner.
    keys.sort_by(|(one, a), (other, b)| {
        let owner = |row: &Row| (row["username"].clone(), row["user_id"].clone());
        (one, &b["last_used"], owner(a)).cmp(&(other, &a["last_used"], owner(b)))
    });
    for (kind, severities) in [("error", 0..=1), ("warning", 2..=4)] {
        let expected: Vec<_> = keys.iter().filter(|(it, _)| severities.contains(it)).collect();
        assert!(expected.len() > 1000);
        let shown = of_kind(&commands, kind);
        assert_eq!(shown.len(), 10);
        for (command, (_, row)) in shown[..9].iter().zip(&expected) {
            assert!(command.title().contains(&row["username"]), "{command:?}: {row:?}");
            for part in [&row["key_id"], &row["reason"], &row["action"], &row["key_suffix"]] {
                assert!(command.message.contains(part.as_str()), "{command:?}: {row:?}");
            }
            assert!(!command.properties.contains_key("file"), "an organization is no file");
        }
        let more = expected.len() - 9;
        assert_eq!(shown[9].title(), format!("and {more} more"));
        let numbers = shown[9].message.split(|c: char| !c.is_ascii_digit()).filter_map(|it| it.parse().ok());
        assert_eq!(numbers.collect::<Vec<usize>>().iter().sum::<usize>(), 2 * more, "{}", shown[9].message);
    }
    assert_eq!(of_kind(&commands, "notice").len(), 0);
    // What is no finding is noticed.
    let commands = annotated(&env, &["--fail-on", "used"]);
    assert_eq!(of_kind(&commands, "notice").len(), 10);
    assert!(of_kind(&commands, "error")[0].message.contains("after the cutoff"));
    let commands = annotated(&env, &["--fail-on", "never"]);
    assert_eq!((of_kind(&commands, "notice").len(), commands.len()), (10, 10));
}

#[test]
fn up_to_nine_annotations_are_all_written() {
    let (env, _) = audited(&["--format", "csv"]);
    let commands = annotated(&env, &["--fail-on", "never", "--waivers", "waivers.toml"]);
    // 4 and 5 of both organizations, and the one that lists nobody.
    let errors = of_kind(&commands, "error");
    assert_eq!(errors.len(), 5, "{errors:?}");
    assert!(errors[0].title().contains("users may be missing") && errors[0].message.contains("organization"));
    assert!(errors[1..].iter().all(|command| command.title().starts_with("not read: u")));
    // 6 and 9 of both, and five waivers to look at.
    let warnings = of_kind(&commands, "warning");
    assert_eq!(warnings.len(), 9, "{warnings:?}");
    assert!(
        warnings[..4].iter().all(|command| command.message.contains("waived until 2025-06-30 by ann::x"))
    );
    let kinds: Vec<_> = warnings[4..].iter().map(|command| command.title()).collect();
    assert_eq!(
        kinds,
        ["ending", "expired", "ending", "expired", "unmatched"].map(|it| format!("waiver: {it}"))
    );
    let notices = of_kind(&commands, "notice");
    assert_eq!(notices.len(), 10, "they are more than nine");
}

#[test]
fn a_user_of_a_list_is_annotated_at_the_line_of_the_list() {
    let (env, stub) = (env(), deployment());
    let list = format!("# somebody\n\n{}\n", id(300));
    for (path, place) in [("lists/a,b:c%.txt", Some("lists/a,b:c%.txt")), ("./list.txt", Some("list.txt"))] {
        env.put(path, &list);
        assert_eq!(env.audit_at(&stub.url(), &["--users", path]).code, 1);
        let commands = annotated(&env, &[]);
        let [command] = &commands[..] else { panic!("{commands:?}") };
        assert_eq!(command.name, "error");
        assert_eq!(command.properties.get("file").map(String::as_str), place);
        assert_eq!(command.properties["line"], "3");
    }
    let absolute = env.path("list.txt");
    assert_eq!(env.audit_at(&stub.url(), &["--users", absolute.to_str().unwrap()]).code, 1);
    assert_eq!(annotated(&env, &[])[0].properties["file"], "list.txt", "below the folder by any name");
    let elsewhere = crate::stub::env();
    elsewhere.put("list.txt", &list);
    let outside = elsewhere.path("list.txt");
    assert_eq!(env.audit_at(&stub.url(), &["--users", outside.to_str().unwrap()]).code, 1);
    assert!(!annotated(&env, &[])[0].properties.contains_key("file"), "nothing of this machine");
    let arguments =
        ["audit", "--url", &stub.url(), "--retries", "0", "--users", "-", "--format", "github", "-q"];
    let ran = env.fed(&arguments, list.as_bytes());
    assert!(!commands(&ran.stdout)[0].properties.contains_key("file"), "{ran:?}");
}

#[test]
fn no_text_of_the_service_is_a_command() {
    let (env, code) = audited(&["--format", "csv,github"]);
    assert_eq!(code, 4);
    let commands = annotated(&env, &["--waivers", "waivers.toml"]);
    for kind in ["error", "warning", "notice"] {
        assert!(of_kind(&commands, kind).len() <= 10);
    }
    for command in &commands {
        let names: Vec<_> = command.properties.keys().map(String::as_str).collect();
        assert!(names == ["title"] || names == ["file", "line", "title"], "{command:?}");
        for text in command.properties.values().chain([&command.message]) {
            assert!(!text.contains(char::is_control), "{command:?}");
        }
    }
    // The names of this world come out whole where they can be printed.
    assert!(commands.iter().any(|command| command.title().contains("title=x,file=y:1")), "{commands:?}");
    assert!(commands.iter().any(|command| command.title().contains("::error::")), "{commands:?}");
    assert!(!env.path(SUMMARY).exists(), "nobody asked for one");
}

#[test]
fn the_step_summary_is_appended_and_nothing_in_it_is_markup() {
    let (env, _) = audited(&["--format", "csv"]);
    let env = env.with("GITHUB_STEP_SUMMARY", SUMMARY);
    let before = "## somebody else's\n\n| a |\n|---|\n| no line break";
    env.put(SUMMARY, before);
    let run = ["report", "--format", "github", "--waivers", "waivers.toml"];
    let ran = env.run(&run);
    assert_eq!(ran.code, 4, "{ran:?}");
    let source = env.text(SUMMARY);
    let ours = source.strip_prefix(before).unwrap();
    let page = parse(&source);
    let html: Vec<_> = page.html.iter().map(|it| it.trim()).filter(|it| *it != "<wbr>").collect();
    let folded = ["<details>", "<summary>Owners 11 to 13</summary>", "</details>"];
    assert_eq!((page.links.len(), html.join("\n")), (0, folded.join("\n")), "{page:?}");
    for bare in ["e.example", "@all", "::error", "<img"] {
        assert!(!page.prose.contains(bare), "{bare} in {source}");
    }
    assert!(!ours.contains(|c: char| c.is_control() && c != '\n'), "{source:?}");
    let headings: Vec<_> =
        page.headings.iter().filter(|(_, text)| !text.starts_with(char::is_numeric)).collect();
    let expected = [
        (2, "somebody else's"),
        (2, "keysunset: 19 findings, INCOMPLETE"),
        (3, "Not read"),
        (3, "Findings by owner, worst first"),
        (3, "Waivers with problems"),
    ];
    assert_eq!(headings.iter().map(|(level, text)| (*level, text.as_str())).collect::<Vec<_>>(), expected);
    let rows = env.rows();
    for row in rows.iter().filter(|row| !row["key_id"].is_empty()) {
        let shown = page.rows.iter().filter(|cells| cells.contains(&row["key_suffix"])).count();
        let is_waived = waivers().contains(&row["key_id"]) && !row["reason"].contains("; disabled");
        assert_eq!(shown, usize::from(!is_waived), "{row:?}");
    }
    // One row for each user who was not read, and one for the organization.
    let unread = rows.iter().filter(|row| row["key_id"].is_empty() && row["read_status"] != "read");
    let statuses = ["forbidden", "partial", "malformed", "error"];
    let shown = page.rows.iter().filter(|cells| cells.len() == 3 && statuses.contains(&cells[1].as_str()));
    assert_eq!((shown.count(), unread.count()), (9, 9));
    // The same again, and nothing of what stood there is gone.
    assert_eq!(env.run(&run).code, 4);
    assert_eq!(env.text(SUMMARY), format!("{before}{ours}{ours}"));
}

#[test]
fn a_large_step_summary_is_below_the_limit_of_github() {
    let env = large(8_000).with("GITHUB_STEP_SUMMARY", SUMMARY);
    let before = "x".repeat(100_000);
    env.put(SUMMARY, &before);
    assert_eq!(env.run(&["report", "--format", "csv,github", "--quiet"]).code, 4);
    let source = env.text(SUMMARY);
    // Room for other programs is left.
    assert!((850_000..=(1 << 20) - (64 << 10)).contains(&source.len()), "{}", source.len());
    let page = parse(&source[before.len()..]);
    let is_worst = |severity: &str| ["critical", "high"].contains(&severity);
    let shown = page.rows.iter().filter(|cells| cells.len() == 6 && is_worst(&cells[0])).count();
    let worst = env.rows().iter().filter(|row| is_worst(&row["severity"])).count();
    assert!(shown > 1_000 && shown < worst, "{shown} of {worst}");
    assert!(page.prose.contains("lists all of them"), "{}", page.prose);
    let critical = count(&env, "critical");
    let totals = page.rows.iter().filter(|cells| cells[..2] == ["critical", &critical]).count();
    assert_eq!(totals, 1);
}

fn count(env: &TestEnv, severity: &str) -> String {
    crate::support::count(&env.rows(), "severity", severity).to_string()
}

#[test]
fn several_deployments_are_distinguished() {
    let (env, said) = over_two_deployments(&[Format::Github], Some(SUMMARY.as_ref()));
    let commands = commands(&said);
    assert_eq!(of_kind(&commands, "error").len(), 10);
    let keys = of_kind(&commands, "warning");
    let of = |name: &str| {
        keys.iter().filter(|command| command.message.starts_with(&format!("{name}: key "))).count()
    };
    assert!(of("east") > 0 && of("west") > 0, "{keys:?}");
    let page = parse(&env.text(SUMMARY));
    let rows = |name: &str| page.rows.iter().filter(|cells| cells[0] == name).count();
    assert_eq!(rows("Deployment"), 3, "the head of the totals, and of both lists of users not read");
    assert!(rows("east") == rows("west") && rows("east") > 4 && rows("all") == 1, "{page:?}");
    let source = env.text(SUMMARY);
    let owners = |name: &str| source.matches(&format!("deployment `{name}`")).count();
    assert!(owners("east") > 4 && owners("east") == owners("west"), "{source}");
}

#[test]
fn a_full_step_summary_is_not_changed() {
    let sandbox = crate::support::ops_manager(5);
    let env = crate::support::TestEnv::at(&sandbox).with("GITHUB_STEP_SUMMARY", "summary.md");
    env.put("summary.md", "x".repeat((1 << 20) - 10));
    let ran = env.audit(&sandbox, &["--all-orgs", "--format", "github"]);
    assert_eq!((ran.code, ran.stderr.contains("is full")), (1, true), "{ran:?}");
    assert_eq!(env.bytes("summary.md").len(), (1 << 20) - 10);
}
