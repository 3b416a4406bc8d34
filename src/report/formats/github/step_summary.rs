//! The step summary: Markdown that GitHub shows on the page of the run. GitHub drops the whole summary if it is too long.
//!
//! Foreign text is in code spans, so that it makes no link, mention or HTML.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use crate::console::warn;
use crate::policy::{Severity, Verdict, day_or_instant};
use crate::report::record::{MissingUsers, Record};
use crate::report::text::{code, shortened};
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::wording::{self, Unknown};
use crate::report::{Deployment, Report, Row, RunContext, Summary, WaiverIssue};
use crate::store::Run;

/// Maximum rows of a table.
const ROWS: usize = 100;
/// Maximum bytes of a table. GitHub's limit is 1 MiB for all output of a step, and there are at most four tables.
const BYTES: usize = 64 << 10;
/// Maximum characters of a name or an id, and of a description or a reason.
const NAME: usize = 100;
const TEXT: usize = 200;

/// GitHub shows no longer summary, so one that is too long would also hide the summaries of other programs.
const LONGEST: u64 = 1 << 20;

/// The cells of the rows; the first cell is the deployment.
pub(super) struct StepSummary {
    /// Findings.
    keys: TopN<Rank<Severity>, Vec<String>>,
    unread: TopN<(), Vec<String>>,
}

const KEY: [&str; 7] = ["Deployment", "Severity", "Action", "Owner", "Reason", "Description", "Key id"];
const UNREAD: [&str; 7] = ["Deployment", "User or list", "Status", "Action", "Reason", "Response", "Waived"];
const WAIVER: [&str; 5] = ["", "Waiver", "Problem", "Last day", "Owner"];

impl StepSummary {
    pub(super) fn new() -> Self {
        Self { keys: TopN::new(ROWS), unread: TopN::new(ROWS) }
    }

    /// Adds incomplete lists, and a run that did not finish.
    pub(super) fn begin(&mut self, context: &RunContext) {
        for missing in MissingUsers::of_run(context) {
            self.unread.push((), || {
                let record = Record { reason: missing.detail(), ..missing.record() };
                let is_waived = missing.waiver().is_some();
                unread(context.run, missing.unknown(), &record, missing.source(), is_waived)
            });
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, context: &RunContext, row: &Row) {
        let user = &row.result.user;
        if let Some((key, judged)) = row.key.as_ref().filter(|_| row.is_finding) {
            self.keys.push(rank(judged.severity, key), || {
                vec![
                    code(&shortened(&context.run.deployment, NAME)),
                    judged.severity.to_string(),
                    judged.action.to_string(),
                    code(&shortened(user.label(), NAME)),
                    judged.reason.clone(),
                    code(&shortened(&key.description, TEXT)),
                    code(&shortened(&key.id, NAME)),
                ]
            });
        } else if row.is_unread() {
            self.unread.push((), || {
                let record = Record::new(context, row);
                unread(context.run, Unknown::User, &record, user.label(), row.is_waived())
            });
        }
    }

    /// The page. It begins with an empty line, because another program may have written above.
    pub(super) fn page(self, report: &Report) -> String {
        let Self { keys, unread } = self;
        let several = report.deployments.len() > 1;
        let complete = if report.is_complete() { "complete" } else { "INCOMPLETE" };
        let total = &report.total;
        let findings = match total.findings {
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        let mut page = format!("\n\n## keysunset: {findings}, {complete}\n");
        if !report.is_complete() {
            page.push_str(
                "\nSome users or lists could not be read. There may be more keys than this summary shows.\n",
            );
        }
        deployments(report, &mut page);
        let count = unread.count();
        table("Not read", &UNREAD, several, unread.into_values(), count, &mut page);
        kinds(total, &mut page);
        let count = keys.count();
        table("Findings, worst first", &KEY, several, keys.into_values(), count, &mut page);
        let rows = report.waiver_issues.iter().take(ROWS).map(waiver);
        let count = report.waiver_issues.len() as u64;
        table("Waivers with problems", &WAIVER, false, rows, count, &mut page);
        page
    }
}

fn unread(run: &Run, unknown: Unknown, record: &Record, name: &str, is_waived: bool) -> Vec<String> {
    vec![
        code(&shortened(record.deployment, NAME)),
        code(&shortened(name, NAME)),
        record.read_status.map_or_else(String::new, |status| status.to_string()),
        record.read_status.map_or("", |status| wording::remedy(run, unknown, status)).to_owned(),
        code(&shortened(record.reason, TEXT)),
        code(&shortened(&wording::answer(record), NAME)),
        if is_waived { "yes" } else { "" }.to_owned(),
    ]
}

fn waiver(issue: &WaiverIssue) -> Vec<String> {
    let waiver = issue.waiver;
    vec![
        String::new(),
        code(&shortened(&waiver.target.to_string(), NAME)),
        wording::waiver_problem(issue),
        waiver.expires.to_string(),
        code(&shortened(&waiver.owner, NAME)),
    ]
}

/// Adds to the step summary, to which other programs also write. If it is full, it prints a warning.
pub(in crate::report) fn append(path: &Path, text: &str) -> io::Result<()> {
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
        ["Deployment", "Findings", "Keys", "Users", "Read", "Not read", "Lists complete", "Waived", "Cutoff"];
    let row = |name: String, summary: &Summary, cutoff: String, is_complete: bool| {
        let mut cells = vec![name];
        let counts = [summary.findings, summary.keys, summary.requested(), summary.read(), summary.unread()];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(if is_complete { "yes" } else { "**no**" }.to_owned());
        cells.push((summary.waived + summary.waived_users + summary.waived_lists).to_string());
        cells.push(cutoff);
        cells
    };
    let each = report.deployments.iter().take(ROWS).map(|Deployment { context, summary, .. }| {
        let name = code(&shortened(&context.run.deployment, NAME));
        row(name, summary, day_or_instant(context.policy.cutoff), context.has_complete_lists())
    });
    let all = (report.deployments.len() > 1)
        .then(|| row("**all**".to_owned(), &report.total, String::new(), report.has_complete_lists()));
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
    for (name, counts) in [("Severity", severities.collect::<Vec<_>>()), ("Verdict", verdicts.collect())] {
        let rows = counts.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]);
        table("", &[name, "Keys"], true, rows, counts.len() as u64, page);
    }
}

/// A table of `count` rows up to its limits; nothing if there are none. `first` is whether it shows its first column.
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
            "\n{} more rows are not shown here. `keysunset report` lists all of them.\n",
            count - shown
        );
    }
}
