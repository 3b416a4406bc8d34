//! The summary of a step: Markdown that GitHub shows on the page of the run, and drops whole where it is too long.
//!
//! All that comes from outside is in code spans, so that it neither links, calls somebody, nor is HTML.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use crate::console::warn;
use crate::policy::{Severity, Verdict, day_or_instant};
use crate::report::record::{MissingUsers, Record};
use crate::report::text::{code, shortened};
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::wording;
use crate::report::{Deployment, Report, Row, RunContext, Summary};

/// Rows of a table.
const ROWS: usize = 100;
/// Bytes of a table. GitHub's limit is 1 MiB for all that a step writes, and there are at most four.
const BYTES: usize = 64 << 10;
/// Characters of a name or an id, and of a description or a reason.
const NAME: usize = 100;
const TEXT: usize = 200;

/// GitHub shows no summary of a step that is longer, so that what is one too many takes all others with it.
const LONGEST: u64 = 1 << 20;

/// What it will hold: the cells of its rows, the first of them the deployment.
pub(super) struct StepSummary {
    /// Keys that fail the gate.
    keys: TopN<Rank<Severity>, Vec<String>>,
    unread: TopN<(), Vec<String>>,
}

const KEY: [&str; 7] = ["deployment", "severity", "owner", "key", "description", "why", "to do"];
const UNREAD: [&str; 6] = ["deployment", "who", "status", "answer", "why", "waived"];

impl StepSummary {
    pub(super) fn new() -> Self {
        Self { keys: TopN::new(ROWS), unread: TopN::new(ROWS) }
    }

    /// Takes what hides users: incomplete lists, and a run that was cut short.
    pub(super) fn begin(&mut self, context: &RunContext) {
        for missing in MissingUsers::of_run(context) {
            self.unread.push((), || unread(&missing.record(), missing.source(), missing.waiver().is_some()));
        }
    }

    /// Takes a row.
    pub(super) fn row(&mut self, context: &RunContext, row: &Row) {
        let user = &row.result.user;
        if let Some((key, judged)) = row.key.as_ref().filter(|_| row.is_finding) {
            self.keys.push(rank(judged.severity, key), || {
                vec![
                    code(&shortened(&context.run.deployment, NAME)),
                    judged.severity.to_string(),
                    code(&shortened(user.label(), NAME)),
                    code(&shortened(&key.id, NAME)),
                    code(&shortened(&key.description, TEXT)),
                    judged.reason.clone(),
                    judged.action.to_string(),
                ]
            });
        } else if row.is_unread() {
            self.unread.push((), || unread(&Record::new(context, row), user.label(), row.is_waived()));
        }
    }

    /// The page. It begins with an empty line, since somebody else may have written above.
    pub(super) fn page(self, report: &Report) -> String {
        let Self { keys, unread } = self;
        let several = report.deployments.len() > 1;
        let complete = if report.is_complete() { "complete" } else { "INCOMPLETE" };
        let total = &report.total;
        let fail = match total.findings {
            1 => "1 key fails".to_owned(),
            count => format!("{count} keys fail"),
        };
        let mut page = format!("\n\n## keysunset: {fail}, {complete}\n");
        if !report.is_complete() {
            page.push_str(
                "\nNot all was read, so there may be keys that nobody knows of. See \"Not read\".\n",
            );
        }
        deployments(report, &mut page);
        kinds(total, &mut page);
        let count = keys.count();
        table("Keys that fail, worst first", &KEY, several, keys.into_values(), count, &mut page);
        let count = unread.count();
        table("Not read", &UNREAD, several, unread.into_values(), count, &mut page);
        let waiver_issues = report.waiver_issues.iter().take(ROWS);
        let rows = waiver_issues.map(|issue| {
            vec![
                issue.kind.to_string(),
                code(&shortened(&wording::waiver_issue(issue), TEXT)),
                code(&shortened(&issue.waiver.owner, NAME)),
            ]
        });
        table(
            "Waivers to look at",
            &["", "waiver", "owner"],
            true,
            rows,
            report.waiver_issues.len() as u64,
            &mut page,
        );
        page
    }
}

fn unread(record: &Record, who: &str, is_waived: bool) -> Vec<String> {
    vec![
        code(&shortened(record.deployment, NAME)),
        code(&shortened(who, NAME)),
        record.read_status.map_or_else(String::new, |status| status.to_string()),
        code(&shortened(&wording::answer(record), NAME)),
        code(&shortened(record.reason, TEXT)),
        if is_waived { "yes" } else { "" }.to_owned(),
    ]
}

/// Adds to the summary of a step, to which others write as well; where there is no room left, a warning says so.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut summary = std::fs::File::options().create(true).append(true).open(path)?;
    if summary.metadata()?.len() + text.len() as u64 > LONGEST {
        warn(&format!("{} is full: the summary of this run is left out", path.display()), None);
        return Ok(());
    }
    summary.write_all(text.as_bytes())
}

/// The scope and the results.
fn deployments(report: &Report, page: &mut String) {
    let columns =
        ["deployment", "users", "read", "not read", "keys", "fail", "waived", "cutoff", "all known"];
    let row = |name: String, summary: &Summary, cutoff: String, whole: bool| {
        let mut cells = vec![name];
        let counts = [summary.requested(), summary.read(), summary.unread(), summary.keys, summary.findings];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push((summary.waived + summary.waived_users + summary.waived_lists).to_string());
        cells.extend([cutoff, if whole { "yes" } else { "**no**" }.to_owned()]);
        cells
    };
    let each = report.deployments.iter().take(ROWS).map(|Deployment { context, summary, .. }| {
        let name = code(&shortened(&context.run.deployment, NAME));
        row(name, summary, day_or_instant(context.policy.cutoff), context.has_complete_lists())
    });
    let all = (report.deployments.len() > 1)
        .then(|| row("all of them".to_owned(), &report.total, String::new(), report.has_complete_lists()));
    let count = report.deployments.len() as u64 + u64::from(all.is_some());
    table("", &columns, true, all.into_iter().chain(each), count, page);
}

/// Keys by severity and by verdict.
fn kinds(total: &Summary, page: &mut String) {
    if total.keys == 0 {
        page.push_str("\nNo personal API key was found.\n");
        return;
    }
    let severities = Severity::ALL.iter().map(|it| (it.as_str(), total.severity(*it)));
    let verdicts = Verdict::ALL.iter().map(|it| (it.as_str(), total.verdict(*it)));
    for (name, counts) in [("severity", severities.collect::<Vec<_>>()), ("verdict", verdicts.collect())] {
        let rows = counts.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]);
        table("", &[name, "keys"], true, rows, counts.len() as u64, page);
    }
}

/// A table of `count` rows, as far as it may go; nothing where there are none. `first` is whether it shows its first column.
fn table(
    heading: &str,
    columns: &[&str],
    first: bool,
    rows: impl Iterator<Item = Vec<String>>,
    count: u64,
    page: &mut String,
) {
    if count == 0 {
        return;
    }
    if !heading.is_empty() {
        // Writing to a string can't fail.
        let _ = write!(page, "\n### {heading}\n");
    }
    let skipped = usize::from(!first);
    let columns = &columns[skipped..];
    let rule = "---|".repeat(columns.len());
    let _ = write!(page, "\n| {} |\n|{rule}\n", columns.join(" | "));
    let (start, mut shown) = (page.len(), 0);
    for row in rows {
        let row = format!("| {} |\n", row[skipped..].join(" | "));
        if page.len() - start + row.len() > BYTES {
            break;
        }
        page.push_str(&row);
        shown += 1;
    }
    if shown < count {
        let _ = write!(
            page,
            "\n{} more are not shown here; `keysunset report` lists all of them.\n",
            count - shown
        );
    }
}
