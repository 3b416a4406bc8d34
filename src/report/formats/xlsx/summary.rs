//! The sheet `Summary`: what was asked, what was read, and the totals that the other reports have too.

use std::collections::BTreeMap;
use std::io;

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::book::{Book, Layout};
use super::columns::KEYS;
use super::row::{Cell, Style};
use crate::model::ReadStatus;
use crate::plan::Decision;
use crate::policy::{Action, Severity, Verdict};
use crate::report::{Deployment, Report, Summary};

pub(super) static SUMMARY: Layout = Layout { name: "Summary", headings: &[], printed: 0 };

/// A label, and its value.
pub(super) const COLUMNS: usize = 2;

/// Keys by what the plan decides about them.
pub(super) type Decisions = BTreeMap<Decision, u64>;

/// Sets up everything but the rows.
pub(super) fn set_up(sheet: &mut Worksheet) -> Result<(), XlsxError> {
    sheet.set_column_width(0, 32)?;
    sheet.set_column_width(1, 60)?.set_column_format(1, &Style::Value.format())?;
    sheet.set_paper_size(9).set_print_fit_to_pages(1, 0);
    Ok(())
}

struct Lines<'a> {
    book: &'a mut Book,
    is_first: bool,
}

impl Lines<'_> {
    fn title(&mut self, title: &'static str) -> io::Result<()> {
        // A free line above all titles but the first.
        if !std::mem::take(&mut self.is_first) {
            self.book.add_row(&SUMMARY, [])?;
        }
        self.book.add_row(&SUMMARY, [Cell::Title(title)])
    }

    fn line(&mut self, label: &str, value: Cell) -> io::Result<()> {
        let plain = |column| if column == 0 { Style::Plain } else { Style::Value };
        self.book.add_styled_row(&SUMMARY, plain, [Cell::text(label), value])
    }
}

/// Writes the sheet, after all others.
pub(super) fn write(book: &mut Book, report: &Report, decisions: &Decisions) -> io::Result<()> {
    let parts = book.count(&KEYS);
    let mut lines = Lines { book, is_first: true };
    lines.title("Personal API keys")?;
    lines.line("Complete", Cell::yes_or_no(report.is_complete()))?;
    lines.line("Findings", Cell::count(report.total.findings))?;
    lines.line("Quality gate (--fail-on)", Cell::word(Some(report.fail_on.as_str())))?;
    lines.line("Deployments", Cell::count(report.deployments.len() as u64))?;
    lines.line("Times", Cell::word(Some("in UTC")))?;
    if parts > 1 {
        let sheets =
            format!("{parts}: a sheet has at most 1,048,576 rows, so that no single one has all keys");
        lines.line("Sheets with keys", Cell::text(sheets.as_str()))?;
    }
    totals(&mut lines, &report.total)?;
    lines.title("Plan")?;
    for decision in Decision::ALL {
        let count = decisions.get(decision).copied().unwrap_or_default();
        lines.line(&format!("decision {decision}"), Cell::count(count))?;
    }
    for deployment in &report.deployments {
        of_deployment(&mut lines, deployment)?;
        if report.deployments.len() > 1 {
            totals(&mut lines, &deployment.summary)?;
        }
    }
    Ok(())
}

fn of_deployment(lines: &mut Lines, deployment: &Deployment) -> io::Result<()> {
    let (run, context) = (deployment.context.run, &deployment.context);
    lines.title("Deployment")?;
    lines.line("Deployment", Cell::text(run.deployment.as_str()))?;
    lines.line("Product", Cell::word(Some(run.product.title())))?;
    lines.line("Version", Cell::text(run.service_version.as_deref()))?;
    lines.line("Public part of the credential", Cell::text(run.credential.as_str()))?;
    let sources = run.settings.sources.join(", ");
    lines.line("Users from", Cell::text(sources.as_str()))?;
    lines.line("Started", Cell::Time(run.started_at))?;
    lines.line("Finished", run.finished_at.map_or(Cell::Empty, Cell::Time))?;
    lines.line("Cutoff", Cell::Time(context.policy.cutoff))?;
    lines.line("Incomplete lists of users", Cell::count(context.incomplete_lists.len() as u64))?;
    if let Some(search) = context.search.as_ref().map(|stored| &stored.search) {
        lines.line("Places searched", Cell::Time(search.searched_at))?;
        lines.line("Search complete", Cell::yes_or_no(search.is_complete))?;
    }
    lines.line("Complete", Cell::yes_or_no(deployment.is_complete()))
}

fn totals(lines: &mut Lines, total: &Summary) -> io::Result<()> {
    lines.title("Users")?;
    lines.line("requested", Cell::count(total.requested()))?;
    lines.line("read", Cell::count(total.read()))?;
    lines.line("not read", Cell::count(total.unread()))?;
    lines.line("read, without a key", Cell::count(total.without_keys))?;
    for status in ReadStatus::ALL.iter().filter(|status| total.users(**status) > 0) {
        lines.line(&format!("read status {status}"), Cell::count(total.users(*status)))?;
    }
    lines.title("Keys")?;
    lines.line("keys", Cell::count(total.keys))?;
    lines.line("enabled", Cell::count(total.enabled))?;
    lines.line("waived", Cell::count(total.waived))?;
    for severity in Severity::ALL {
        lines.line(&format!("severity {severity}"), Cell::count(total.severity(*severity)))?;
    }
    for verdict in Verdict::ALL {
        lines.line(&format!("verdict {verdict}"), Cell::count(total.verdict(*verdict)))?;
    }
    for action in Action::ALL {
        lines.line(&format!("action {action}"), Cell::count(total.action(*action)))?;
    }
    Ok(())
}
