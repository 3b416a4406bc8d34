//! The summary on the terminal: a few aligned lines, what was written where, and what to do next.

use std::fmt::{Display, Write as _};

use super::{Deployment, OrganizationSummary, Report, ReportFile, Summary, text, waiver_issue, worst_first};
use crate::model::{Organization, ReadStatus};
use crate::policy::{CLOCK_TOLERANCE, Severity, Verdict, day_or_instant};
use crate::printable::for_terminal;
use crate::ratchet::Ratchet;
use crate::store::Run;

/// Organizations in the table.
const ORGANIZATIONS: usize = 10;
/// Characters of the name of an organization: what is left of a line of 80.
const NAME: usize = 26;

/// The lines, with a line break at the end of each. `notes` are what else decides what they are worth.
#[must_use]
pub fn summary(report: &Report, files: &[ReportFile], notes: &[String], next: &str) -> String {
    let mut page = LabelledLines::default();
    for Deployment { context, summary, organizations } in &report.deployments {
        let run = context.run;
        let version =
            run.service_version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
        let name = text::printable(&run.deployment);
        page.line("deployment", format!("{name} ({}{})", run.product.title(), text::printable(&version)));
        if run.settings.requests.certificates_not_verified {
            page.line("warning", "certificates were NOT verified: somebody else may have answered");
        }
        if run.settings.requests.in_the_clear {
            page.line("warning", "plain http to another host: answers may have been read and changed");
        }
        if let Some(why) = clock_difference(run) {
            page.line("warning", why);
        }
        page.line("users", users(summary));
        for judged in &context.incomplete_lists {
            let waived = if judged.is_waived() { " (waived)" } else { "" };
            let source = text::printable(&judged.list.source);
            page.line("", format!("{source}: not all of it could be read{waived}"));
        }
        page.line("keys", keys(summary, &day_or_instant(context.policy.cutoff)));
        if let Some(ratchet) = context.ratchet {
            page.line("ratchet", compared(summary, ratchet));
        }
        if summary.keys > 0 {
            page.line("severity", severities(summary));
        }
        if let Some(organizations @ [_, _, ..]) = organizations.as_deref() {
            page.lines("by org", organization_table(organizations));
        }
    }
    if let [_, _, ..] = report.deployments[..] {
        page.line("in all", format!("{} deployments", report.deployments.len()));
        page.line("users", users(&report.total));
        page.line("keys", report.total.keys.to_string());
    }
    if report.total.waived + report.total.waived_users + report.total.waived_lists > 0 {
        page.line("waived", waived(&report.total));
    }
    for issue in &report.waiver_issues {
        page.line("warning", waiver_issue(issue));
    }
    page.lines("written", files.iter().map(|file| file.path.display()));
    page.lines("note", notes);
    page.line("next", next);
    page.into_text()
}

/// The worst organizations, in columns. A user of several counts in each.
fn organization_table(organizations: &[OrganizationSummary]) -> Vec<String> {
    let row = |cells: [String; 5], name: &str| {
        let [users, unread, keys, critical, high] = cells;
        format!("{users:>6} {unread:>8} {keys:>6} {critical:>8} {high:>6}  {name}")
    };
    let head = ["users", "not read", "keys", "critical", "high"].map(str::to_owned);
    let mut lines = vec![row(head, "organization")];
    for summary in worst_first(organizations).into_iter().take(ORGANIZATIONS) {
        let severities = [Severity::Critical, Severity::High].map(|it| summary.severity(it));
        let counts = [summary.users, summary.users_unread(), summary.keys, severities[0], severities[1]];
        lines.push(row(counts.map(|count| count.to_string()), &organization_name(summary)));
    }
    if let Some(more @ 1..) = organizations.len().checked_sub(ORGANIZATIONS) {
        lines.push(format!("and {more} more, in the reports"));
    }
    lines.push("a user of several organizations counts in each".to_owned());
    lines
}

fn organization_name(summary: &OrganizationSummary) -> String {
    let Organization { id, name, is_deleted } = &summary.organization;
    let mark = if *is_deleted == Some(true) { " (deleted)" } else { "" };
    let name = text::shortened(name.as_deref().unwrap_or(id), NAME - mark.len());
    text::printable(&name) + mark
}

/// What there is to say where the deployment's clock and this machine's differ by more than the tolerance.
#[must_use]
pub fn clock_difference(run: &Run) -> Option<String> {
    let ahead = run.clock_skew.filter(|ahead| ahead.unsigned_abs() > CLOCK_TOLERANCE.unsigned_abs())?;
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let seconds = ahead.unsigned_abs();
    Some(format!(
        "the deployment's clock was {seconds} s {way} this machine's; ages and activity are judged by the deployment's"
    ))
}

/// The lines of a page for a terminal, each a label and its value.
#[derive(Default)]
pub struct LabelledLines(String);

impl LabelledLines {
    /// Adds a line.
    pub fn line(&mut self, label: &str, value: impl Display) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "  {label:<12}{}", for_terminal(&value.to_string()));
    }

    /// Adds a line a value, with the label on the first.
    pub fn lines<T: Display>(&mut self, label: &str, values: impl IntoIterator<Item = T>) {
        for (at, value) in values.into_iter().enumerate() {
            self.line(if at == 0 { label } else { "" }, value);
        }
    }

    /// Adds a line without a label, from the margin on.
    pub fn unlabelled(&mut self, line: impl Display) {
        let _ = writeln!(self.0, "{}", for_terminal(&line.to_string()));
    }

    /// The page.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

fn users(summary: &Summary) -> String {
    let mut line = format!(
        "{} requested = {} read + {} not read",
        summary.requested(),
        summary.read(),
        summary.unread()
    );
    if summary.unread() > 0 {
        let unread =
            ReadStatus::ALL.iter().filter(|status| !status.is_complete() && summary.users(**status) > 0);
        let each: Vec<_> = unread.map(|status| format!("{} {status}", summary.users(*status))).collect();
        let _ = write!(line, " ({})", each.join(", "));
    }
    line
}

fn keys(summary: &Summary, cutoff: &str) -> String {
    if summary.keys == 0 {
        return "no personal API key found".to_owned();
    }
    let each: Vec<_> =
        Verdict::ALL.iter().map(|verdict| format!("{} {verdict}", summary.verdict(*verdict))).collect();
    format!("{} = {} (cutoff {cutoff})", summary.keys, each.join(" + "))
}

fn severities(summary: &Summary) -> String {
    let each = Severity::ALL.iter().filter(|severity| summary.severity(**severity) > 0);
    each.map(|severity| format!("{} {severity}", summary.severity(*severity))).collect::<Vec<_>>().join(", ")
}

/// Keys that are no longer seen may be gone, or nobody looked: their user was not listed, or could not be read.
fn compared(summary: &Summary, ratchet: &Ratchet) -> String {
    let seen = summary.keys - summary.new;
    let same = seen - summary.more_severe;
    let unseen = match ratchet.count.saturating_sub(seen) {
        0 => String::new(),
        unseen => format!(", {unseen} no longer seen (`keysunset diff` says why)"),
    };
    format!(
        "against {}: {} new, {} more severe, {same} as they were or better{unseen}",
        text::printable(&ratchet.name),
        summary.new,
        summary.more_severe
    )
}

fn waived(summary: &Summary) -> String {
    let mut each = Vec::new();
    if summary.waived > 0 {
        each.push(format!("{} of {} keys", summary.waived, summary.keys));
    }
    if summary.waived_users > 0 {
        each.push(format!("{} of {} users not read", summary.waived_users, summary.unread()));
    }
    if summary.waived_lists > 0 {
        each.push(format!("{} of {} incomplete lists", summary.waived_lists, summary.incomplete_lists));
    }
    each.join(", ")
}
