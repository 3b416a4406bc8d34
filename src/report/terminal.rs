//! The summary on the terminal: a few aligned lines, what was written where, and what to do next.

use std::time::Duration;

use super::worst::WorstFinding;
use super::{Deployment, OrganizationSummary, Report, ReportFile, Summary, text, waiver_issue, worst_first};
use crate::console::{Page, Text, cell, duration, style};
use crate::model::{Organization, ReadStatus};
use crate::plan::UnreadLists;
use crate::policy::{self, Severity, Verdict, day_or_instant};
use crate::ratchet::ComparedRun;
use crate::store::Run;

/// Organizations in the table.
const ORGANIZATIONS: usize = 10;
/// Columns of the name of an organization: what is left of a line of 80.
const NAME: usize = 26;

/// The lines, with a line break at the end of each. `notes` are what else decides what they are worth.
#[must_use]
pub(crate) fn summary(report: &Report, files: &[ReportFile], notes: &[String], next: Text) -> String {
    let mut page = Page::default();
    for Deployment { context, compared, summary, organizations, progress, unread_lists, .. } in
        &report.deployments
    {
        let run = context.run;
        let version =
            run.service_version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
        let name = text::printable(&run.deployment);
        page.line("deployment", format!("{name} ({}{})", run.product.title(), text::printable(&version)));
        if run.settings.requests.certificates_not_verified {
            page.styled_line(
                style::WARNING,
                "warning",
                "certificates were NOT verified: another server may have answered",
            );
        }
        if run.settings.requests.in_the_clear {
            page.styled_line(
                style::WARNING,
                "warning",
                "plain http: anyone on the network could read and change the responses",
            );
        }
        if let Some(why) = clock_difference(run) {
            page.styled_line(style::WARNING, "warning", why);
        }
        page.line("users", users(summary));
        for judged in &context.incomplete_lists {
            let waived = if judged.is_waived() { " (waived)" } else { "" };
            let source = text::printable(&judged.list.source);
            page.line("incomplete", format!("{source}: users may be missing{waived}"));
        }
        page.line("keys", keys(summary, &day_or_instant(context.policy.cutoff)));
        if let Some(earlier) = compared {
            page.line("ratchet", comparison(summary, earlier));
        }
        if summary.keys > 0 {
            page.line("severity", severities(summary));
        }
        if let Some(organizations @ [_, _, ..]) = organizations.as_deref() {
            page.lines("by org", organization_table(organizations));
        }
        if let Some(progress) = progress.filter(|progress| progress.total() > 0) {
            page.line("progress", format!("replacements: {progress}"));
        }
        if let Some(lists) = unread_lists {
            page.styled_line(style::WARNING, "plan", plan_warning(lists));
        }
    }
    if let [_, _, ..] = report.deployments[..] {
        page.line("total", format!("{} deployments", report.deployments.len()));
        page.line("users", users(&report.total));
        page.line("keys", report.total.keys.to_string());
    }
    worst_findings(&mut page, report);
    if report.total.waived + report.total.waived_users + report.total.waived_lists > 0 {
        page.line("waived", waived(&report.total));
    }
    for issue in &report.waiver_issues {
        page.styled_line(style::WARNING, "warning", waiver_issue(issue));
    }
    page.lines("written", files.iter().map(|file| Text::default().unbroken(&file.path.to_string_lossy())));
    page.lines("note", notes);
    page.line("next", next);
    page.into_text()
}

/// The findings do not depend on these lists.
fn plan_warning(lists: &UnreadLists) -> String {
    format!(
        "lists for `keysunset plan` were not read: {}. The results of this audit are not affected. In the plan, {}. To read \
         the lists, {}.",
        lists.names(),
        lists.effects(),
        lists.advice()
    )
}

/// The worst findings, in columns that fill a line.
fn worst_findings(page: &mut Page, report: &Report) {
    let (shown, all) = (report.worst.len() as u64, report.total.findings);
    if shown == 0 {
        return;
    }
    let more = all.saturating_sub(shown);
    let title = match more {
        0 => format!("{all}, worst first"),
        _ => format!("{all}, of which the {shown} worst are:"),
    };
    page.line("findings", title);
    let row = |severity: Text, [ends_in, last_use, owner, description]: [&str; 4]| {
        let cells = [cell(ends_in, 12), cell(last_use, 10), cell(owner, 24), cell(description, 16)];
        severity.unbroken(cells.join("  ").trim_end())
    };
    page.text(row(Text::from("  severity  "), ["key ends in", "last used", "owner", "description"]));
    for finding in &report.worst {
        let WorstFinding { severity, ends_in, last_use, owner, description } = finding;
        let severity = Text::from("  ").styled(style::severity(*severity), &cell(severity.as_str(), 8));
        page.text(row(severity.plain("  "), [ends_in, last_use, owner, description]));
    }
    if more > 0 {
        page.text(format!("  and {more} more in the reports"));
    }
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
        lines.push(format!("and {more} more in the reports"));
    }
    lines.push("users of several organizations count in each".to_owned());
    lines
}

fn organization_name(summary: &OrganizationSummary) -> String {
    let Organization { id, name, is_deleted } = &summary.organization;
    let mark = if *is_deleted == Some(true) { " (deleted)" } else { "" };
    let name = name.as_deref().unwrap_or(id);
    let width = Text::from(name).width().min(NAME - mark.len());
    cell(name, width) + mark
}

/// What there is to say where the deployment's clock and this machine's differ by more than the tolerance.
#[must_use]
pub fn clock_difference(run: &Run) -> Option<String> {
    let ahead = policy::clock_difference(run.clock_skew)?;
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let seconds = duration(Duration::from_secs(ahead.unsigned_abs()));
    Some(format!(
        "the clock of the deployment was {seconds} {way} the clock of this machine; ages are calculated with the clock of the deployment"
    ))
}

fn users(summary: &Summary) -> Text {
    let text = Text::from(format!("{} requested ", summary.requested()))
        .unbroken(&format!("= {} read", summary.read()))
        .plain(" ")
        .unbroken(&format!("+ {} not read", summary.unread()));
    let unread = ReadStatus::ALL.iter().filter(|status| !status.is_complete() && summary.users(**status) > 0);
    let each: Vec<_> = unread.map(|status| format!("{} {status}", summary.users(*status))).collect();
    if each.is_empty() { text } else { text.plain(&format!(" ({})", each.join(", "))) }
}

fn keys(summary: &Summary, cutoff: &str) -> Text {
    let is_complete = summary.unread() == 0 && summary.incomplete_lists == 0;
    if summary.keys == 0 && summary.users(ReadStatus::Removed) > 0 && is_complete {
        return "none: the deployment has removed personal API keys".into();
    }
    if summary.keys == 0 {
        return "no personal API keys found".into();
    }
    let text = Text::from(summary.keys.to_string());
    let text = Verdict::ALL.iter().enumerate().fold(text, |text, (at, verdict)| {
        let sign = if at == 0 { "=" } else { "+" };
        text.plain(" ").unbroken(&format!("{sign} {} {verdict}", summary.verdict(*verdict)))
    });
    text.plain(" ").unbroken(&format!("(cutoff {cutoff})"))
}

fn severities(summary: &Summary) -> Text {
    let each = Severity::ALL.iter().filter(|severity| summary.severity(**severity) > 0);
    each.fold(Text::default(), |text, severity| {
        let text = if text.width() > 0 { text.plain(", ") } else { text };
        text.styled(style::severity(*severity), &format!("{} {severity}", summary.severity(*severity)))
    })
}

/// Keys that are no longer found may still exist: their user may be missing from the lists, or could not be read.
fn comparison(summary: &Summary, earlier: &ComparedRun) -> String {
    let seen = summary.keys - summary.new;
    let same = seen - summary.more_severe;
    let unseen = match earlier.count.saturating_sub(seen) {
        0 => String::new(),
        unseen => format!(", {unseen} no longer found (see `keysunset diff`)"),
    };
    format!(
        "compared with {}: {} new, {} more severe, {same} unchanged or less severe{unseen}",
        text::printable(&earlier.name),
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
