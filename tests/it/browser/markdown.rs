//! `migration-report.md` and the step summary, rendered by GitHub's own parser with GitHub's style: nothing is cut at the width
//! of GitHub's pages, each link of the index leads to its section, and the page is short on paper. They also need cmarkgfm, and
//! github-markdown-css and github-slugger in `KEYSUNSET_NODE_MODULES`.

use std::path::PathBuf;
use std::process::Command;

use crate::everything::everything;
use crate::foreign::python;
use crate::markdown::{Texts, audited};
use crate::support::TestEnv;

const SUMMARY: &str = "step-summary.md";
const RENDER: &str = "
import sys, pathlib, cmarkgfm
from cmarkgfm.cmark import Options
source = pathlib.Path(sys.argv[1]).read_text(encoding='utf-8')
html = cmarkgfm.github_flavored_markdown_to_html(source, Options.CMARK_OPT_UNSAFE)
pathlib.Path(sys.argv[2]).write_text('<!doctype html><meta charset=utf-8>' + html, encoding='utf-8')
";

/// Renders a page; `None` where a program is missing.
fn rendered(env: &TestEnv, page: &str) -> Option<PathBuf> {
    let html = env.path(page).with_extension("html");
    python(&["cmarkgfm"], RENDER, &[&env.path(page), &html])?;
    Some(html)
}

fn fits(env: &TestEnv, page: &str) -> Option<String> {
    super::run("markdown.js", "fits", &[&*rendered(env, page)?])
}

/// The pages that it has on paper.
fn sheets(env: &TestEnv, page: &str) -> Option<usize> {
    let pdf = env.path(page).with_extension("pdf");
    super::run("markdown.js", "print", &[&*rendered(env, page)?, &pdf])?;
    let output = Command::new("pdfinfo").arg(pdf).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().find_map(|line| line.strip_prefix("Pages:")).unwrap().trim().parse().unwrap())
}

/// Names and descriptions that are hard on a table: long words, wide letters, marks, and what GitHub makes links of.
fn hostile() -> Vec<String> {
    let mut texts: Vec<_> = [
        "a".repeat(64),
        format!("{}@{}.example.com", "local.part+tag-".repeat(4), "d".repeat(182)),
        "W".repeat(254),
        "東京都千代田区丸の内".repeat(12),
        "\u{202e}moc.elpmaxe@nna\u{200b}\u{feff}".repeat(4),
        "``` ` `` |\\| ".repeat(9),
        "|".repeat(120),
        "\\".repeat(120),
        "<details><summary>x</summary><table>".repeat(4),
        "@octocat #123 org/repo#7 0123456789abcdef0123456789abcdef01234567 ".repeat(3),
        "https://example.com/".to_owned() + &"path/".repeat(40),
        "[x](https://example.com) ![y](https://example.com/z.png) <img src=x onerror=alert(1)>".to_owned(),
        "Ünïcödé É ß İ ﬁ ² ½ Ⅷ १ e\u{301} 🚀".to_owned(),
        "totals".to_owned(),
        "1. totals\n# heading".to_owned(),
    ]
    .into();
    texts.push(" ".to_owned());
    texts
}

#[test]
#[ignore = "needs a browser"]
fn no_cell_of_the_markdown_is_cut() {
    let texts = |deployment: String| Texts {
        deployment,
        usernames: hostile(),
        descriptions: hostile(),
        detail: hostile().concat(),
        code: "NOT_THE_USER_OR_ITS_OWNER_WITH_ALL_ROLES".to_owned(),
    };
    let env = audited(&texts("d".repeat(64)));
    let env = env.with("GITHUB_STEP_SUMMARY", SUMMARY);
    let waiver = "reason = \"accepted-for-a-while-without-any-space-in-it\"\nowner = \"o-o-o-o-o-o-o-o-o-o-o-o-o-o-o-o-o-o\"\n";
    let user = "000000000000000000000000";
    env.put("waivers.toml", format!("[[waiver]]\nuser = {user:?}\n{waiver}expires = 2025-01-05\n"));
    let ran = env.run(&["report", "--format", "markdown,github", "--waivers", "waivers.toml", "-q"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for page in ["reports/migration-report.md", SUMMARY] {
        if let Some(said) = fits(&env, page) {
            println!("{page}: {said}");
        }
    }
    // Of several deployments, with a column more.
    let other = audited(&texts("e".repeat(64)));
    let stores = [&env, &other].map(|env| env.path("reports/keysunset.db").display().to_string());
    let ran =
        env.run(&["merge", &stores[0], &stores[1], "--out", "both", "--format", "markdown,github", "-q"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    fits(&env, "both/migration-report.md");
    fits(&env, SUMMARY);
    fits(&everything("markdown"), "reports/migration-report.md");
}

#[test]
#[ignore = "needs a browser"]
fn a_hundred_users_are_12_sheets_and_3000_are_60() {
    for (users, most) in [("100", 12), ("3000", 60)] {
        let env = TestEnv::empty();
        assert_eq!(env.run(&["demo", "--users", users, "--out", "reports"]).code, 0);
        fits(&env, "reports/migration-report.md");
        if let Some(sheets) = sheets(&env, "reports/migration-report.md") {
            println!("{users} users: {sheets} sheets of A4");
            assert!(sheets <= most, "{users} users: {sheets} sheets");
        }
    }
}
