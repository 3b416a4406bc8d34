//! Every command of README and docs works when it is pasted into a shell, and prints what the page shows.

use std::collections::BTreeSet;

use super::terminal::{ADDRESSES, CLOCK, Statement, Terminal, commands, deployment};
use super::{Page, pages, renewing, root, split};
use crate::evidence::has;

/// Commands that cannot run here, by their first words, and what checks them.
const ELSEWHERE: [(&str, &str); 17] = [
    ("cargo run --release -- demo", "demo::"),
    ("cargo test", "this run"),
    ("cargo install --locked --path .", "the_package_installs_the_program"),
    ("cargo bench --bench ", "every_benchmark_of_the_docs_exists"),
    ("mongocli iam ", "the_commands_of_mongocli_make_a_key_that_audits"),
    ("ssh-keygen -Y ", "evidence::the_documented_ways_to_sign_work"),
    ("openssl ts ", "evidence::the_documented_ways_to_sign_work"),
    ("curl --fail --silent --show-error -H 'Content-Type: application/timestamp-query'", "the same"),
    ("sudo ", "the_units_of_systemd_are_valid, and packaging/check"),
    ("tar -xzf keysunset-", "packaging/check"),
    ("./keysunset-", "packaging/check"),
    ("sha256sum --check --ignore-missing", "packaging/check"),
    ("docker ", "packaging/check reads the image"),
    ("strace ", "sockets::"),
    ("grep sin_addr trace.txt", "sockets::"),
    ("grep \"$(jq -r .tool.binary_sha256 ", "packaging/check"),
    ("duckdb ", "the_recipes_for_duckdb_count_what_the_reports_count"),
];

/// Weekly runs before the page begins, where it has commands that need them.
fn earlier_runs(page: &Page, terminal: &Terminal) {
    let of_runs = ["report", "history", "diff", "explain", "export", "verify", "prune", "plan", "locate"];
    if !of_runs.iter().any(|command| page.text.contains(&format!("keysunset {command}"))) {
        return;
    }
    let name = terminal.own(ADDRESSES[0]);
    for weeks in (1..=4).rev() {
        let sandbox = deployment(weeks);
        let clock = CLOCK - weeks * 7 * 86_400;
        let url = &sandbox.announcement().url;
        let audit = format!("SOURCE_DATE_EPOCH={clock} keysunset audit --all-orgs --name {name} --url {url}");
        assert_eq!(terminal.shell(&format!("{audit} 2>/dev/null")), Some(1));
    }
}

/// What is wrong with a command of this page after it ran.
fn problem(page: &Page, terminal: &Terminal, statement: &Statement) -> Option<String> {
    let Statement { number, typed, shown } = statement;
    let code = terminal.output(statement, "code");
    // Findings and users who could not be read are no mistake of the page.
    let allowed: &[&str] = if typed.contains("keysunset ") { &["0", "1", "3", "4"] } else { &["0"] };
    let stderr = terminal.output(statement, "err");
    if !allowed.contains(&code.trim()) || stderr.contains("error: ") {
        return Some(format!("{}:{number}: `{typed}` ends with {code}: {stderr}", page.name));
    }
    let printed = terminal.as_shown(&terminal.output(statement, "out"));
    let shown = shown.as_ref().filter(|shown| **shown != printed)?;
    if renewing() {
        let file = root().join(&page.name);
        let text = std::fs::read_to_string(&file).unwrap().replace(shown, &printed);
        std::fs::write(file, text).unwrap();
        return None;
    }
    Some(format!(
        "{}:{number}: `{typed}` printed\n{printed}and the page shows\n{shown}\
         To renew the page: INSTA_UPDATE=always cargo test --test it -- docs::commands",
        page.name
    ))
}

/// What came of the commands of a page.
struct Pasted {
    problems: Vec<String>,
    /// How many ran.
    here: usize,
    /// The entries of [`ELSEWHERE`] for the others.
    elsewhere: Vec<(&'static str, &'static str)>,
}

fn pasted(page: &Page) -> Pasted {
    let terminal = Terminal::new(page);
    if page.name != "README.md" {
        earlier_runs(page, &terminal);
    }
    let commands = commands(page);
    let mut elsewhere = Vec::new();
    let here: Vec<_> = commands
        .iter()
        .filter(|statement| {
            let entry = ELSEWHERE.iter().find(|(words, _)| statement.typed.starts_with(words));
            elsewhere.extend(entry);
            entry.is_none()
        })
        .collect();
    terminal.paste(&here);
    let problems = here.iter().filter_map(|statement| problem(page, &terminal, statement)).collect();
    Pasted { problems, here: here.len(), elsewhere }
}

#[test]
fn every_command_of_readme_and_docs_works_when_it_is_pasted() {
    if !["curl", "jq", "sqlite3"].iter().all(|program| has(program, &["--version"]))
        || !has("openssl", &["version"])
    {
        return;
    }
    let pages = pages();
    let ran: Vec<Pasted> = std::thread::scope(|scope| {
        let threads: Vec<_> = pages
            .chunks(pages.len().div_ceil(4))
            .map(|some| scope.spawn(|| some.iter().map(pasted).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let problems: Vec<_> = ran.iter().flat_map(|page| page.problems.iter().map(String::as_str)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let elsewhere: BTreeSet<_> = ran.iter().flat_map(|page| &page.elsewhere).collect();
    assert_eq!(elsewhere.len(), ELSEWHERE.len(), "what no page has is not to be listed: {elsewhere:?}");
    let here: usize = ran.iter().map(|page| page.here).sum();
    assert!(here > 60, "{here} commands");
}

#[test]
fn a_block_with_a_language_that_is_not_run_is_no_shell() {
    for page in pages() {
        for fence in split(&page.text).0 {
            let known = ["sh", "console", "toml", "csv", "json", "yaml", "groovy", "ini", "text", "mermaid"];
            assert!(known.contains(&fence.language), "{}: ```{}", page.name, fence.language);
            for (number, line) in fence.lines.iter().filter(|_| fence.language == "text") {
                let is_command = line.trim_start_matches("$ ").starts_with("keysunset ");
                assert!(!is_command, "{}:{number}: a command is in a block of sh", page.name);
            }
        }
    }
}
