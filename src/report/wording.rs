//! The texts about rows, waivers and statuses that all formats share, so that one thing has one wording.

use std::fmt::Write as _;

use super::record::Record;
use super::text::{printable, shortened};
use super::{WaiverIssue, WaiverIssueKind};
use crate::model::{Product, ReadStatus};
use crate::policy::{Action, Severity, Verdict};
use crate::store::Run;
use crate::waivers::{Waiver, WaiverStatus};

/// Characters of a foreign text that are quoted in a sentence. The other reports have the whole text.
pub(super) const QUOTED: usize = 200;

/// Why something is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A user who could not be read completely.
    User,
    /// An incomplete list of users.
    List,
    /// A run that did not finish.
    Run,
}

impl Unknown {
    /// The outside name, used as the name of a rule.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::User => "unreadable-user",
            Self::List => "unlisted-users",
            Self::Run => "run-cut-short",
        }
    }
}

/// A row in one or two sentences, for formats without fields for it: one line without invisible characters.
pub(super) fn row(record: &Record) -> String {
    let sentence = match (record.key_id, record.user_id, record.username) {
        (Some(key), ..) => row_of_key(key, record),
        (None, None, None) => format!("{}: {}", record.deployment, shortened(record.reason, 2 * QUOTED)),
        (None, ..) => row_of_user(record),
    };
    match waiver_of_row(record) {
        Some(waiver) => printable(&(waiver + &sentence)),
        None => printable(&sentence),
    }
}

fn row_of_key(key: &str, record: &Record) -> String {
    let mut sentence = String::with_capacity(256);
    sentence.extend([record.severity.map_or("", Severity::as_str), ": personal API key ", key]);
    if let Some(suffix) = record.key_suffix {
        sentence.extend([" ending in ", suffix]);
    }
    if let Some(description) = record.description.filter(|description| !description.trim().is_empty()) {
        sentence.extend([", \"", &shortened(description, QUOTED), "\","]);
    }
    sentence.extend([" of ", &owner(record), " on ", record.deployment, ": ", record.reason]);
    if record.auditing_key == Some(true) {
        sentence.push_str("; used by this audit");
    }
    if let Some(action) = record.action {
        sentence.extend([". ", advice(action), "."]);
    }
    sentence
}

fn row_of_user(record: &Record) -> String {
    let read = if record.read_status == Some(ReadStatus::Partial) { "read completely" } else { "read" };
    let mut why = record.read_status.map_or("", |status| status.as_str()).to_owned();
    // Writing to a string can't fail.
    if let Some(status) = record.http_status {
        let _ = write!(why, ", HTTP {status}");
    }
    if let Some(code) = record.error_code {
        let _ = write!(why, ", {}", shortened(code, QUOTED));
    }
    let reason = shortened(record.reason.trim_end_matches('.'), 2 * QUOTED);
    format!(
        "user {} on {} could not be {read} ({why}): {reason}. There may be personal API keys that are not reported.",
        owner(record),
        record.deployment
    )
}

fn owner(record: &Record) -> String {
    let name = record.username.filter(|name| !name.is_empty()).or(record.user_id).unwrap_or_default();
    shortened(name, QUOTED)
}

fn waiver_of_row(record: &Record) -> Option<String> {
    let (status, day) = record.waiver.zip(record.waiver_expires)?;
    let owner = shortened(record.waiver_owner.unwrap_or_default(), QUOTED);
    Some(match status {
        WaiverStatus::Active | WaiverStatus::Ending => format!("waived until {day} by {owner}: "),
        WaiverStatus::Expired => format!("waiver by {owner} expired on {day}: "),
    })
}

const fn advice(action: Action) -> &'static str {
    match action {
        Action::Migrate => "Replace it with a programmatic API key, then delete it",
        Action::Investigate => "Find out whether it is in use",
        Action::DisableAndDelete => "Disable it, wait, then delete it",
        Action::Delete => "Delete it",
    }
}

/// `key 5af9…, ends in 92732876eeae, "nightly job": last used …; action: migrate`, with at most `limit` characters of a text.
pub(super) fn key(record: &Record, limit: usize) -> String {
    let text = |text: Option<&str>| printable(&shortened(text.unwrap_or_default(), limit));
    let mut sentence = String::with_capacity(160);
    sentence.extend(["key ", &text(record.key_id)]);
    if let Some(suffix) = record.key_suffix {
        sentence.extend([", ends in ", suffix]);
    }
    let description = text(record.description);
    if !description.trim().is_empty() {
        sentence.extend([", \"", &description, "\""]);
    }
    sentence.extend([": ", record.reason, "; action: ", record.action.map_or("", Action::as_str)]);
    sentence
}

/// `forbidden (401 NOT_SELF): reason`, at most `limit` characters.
pub(super) fn not_read(record: &Record, limit: usize) -> String {
    let status = record.read_status.map_or("", |status| status.as_str());
    let answer = match answer(record) {
        none if none.is_empty() => none,
        answer => format!(" ({answer})"),
    };
    printable(&shortened(&format!("{status}{answer}: {}", record.reason), limit))
}

/// The response of the service: `401 NOT_SELF`; empty if there was none.
pub(super) fn answer(record: &Record) -> String {
    let status = record.http_status.map(|status| status.to_string());
    let parts: Vec<_> = status.into_iter().chain(record.error_code.map(str::to_owned)).collect();
    parts.join(" ")
}

/// `waived until 2025-06-30 by ann: reason`, with at most `limit` characters of the reason.
pub(super) fn waived(waiver: &Waiver, limit: usize) -> String {
    let Waiver { reason, owner, expires, .. } = waiver;
    printable(&format!("waived until {expires} by {owner}: {}", shortened(reason, limit)))
}

/// The problem of a waiver in one line.
#[must_use]
pub fn waiver_issue(issue: &WaiverIssue) -> String {
    let Waiver { target, line, .. } = issue.waiver;
    format!("the waiver of {target} (line {line}) {}", waiver_problem(issue))
}

/// The problem as a phrase, without the name of the waiver.
pub(super) fn waiver_problem(issue: &WaiverIssue) -> String {
    let expires = issue.waiver.expires;
    match issue.kind {
        WaiverIssueKind::Expired => format!("expired on {expires}"),
        WaiverIssueKind::Ending => format!("ends on {expires}"),
        WaiverIssueKind::Unmatched => "matches no key, no unread user and no incomplete list".to_owned(),
        WaiverIssueKind::SeveralDeployments => {
            "applies to several deployments; add `deployment` to limit it to one".to_owned()
        }
    }
}

/// What a severity means. "Recently" is a setting: `--active-within`.
pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "enabled and used recently",
        Severity::High => "enabled and used after the cutoff, not recently",
        Severity::Medium => "enabled, last use unknown",
        Severity::Low => "enabled, not used since the cutoff or never used",
        Severity::Info => "disabled",
    }
}

/// What a read status means for the keys of a user.
pub(super) const fn read_status(status: ReadStatus) -> &'static str {
    match status {
        ReadStatus::Read => "all keys of the user were read",
        ReadStatus::Forbidden => "the credential may not read the keys of the user",
        ReadStatus::NotFound => "the deployment does not know the user",
        ReadStatus::RateLimited => "the deployment refused the request: too many requests",
        ReadStatus::Partial => "the list of keys does not agree with its count, so keys may be missing",
        ReadStatus::Malformed => "the response is not a valid list of keys",
        ReadStatus::Error => "no valid response, for example after a timeout, or not requested yet",
        ReadStatus::Removed => "the deployment confirmed that it has no personal API keys",
    }
}

/// What a verdict means.
pub(super) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::UsedAfterCutoff => "last used at or after the cutoff",
        Verdict::NotUsedSinceCutoff => "last used before the cutoff",
        Verdict::NeverUsed => "never used: no last use, use count 0",
        Verdict::UsageUnknown => "no last use, use count above 0 or missing",
    }
}

/// What to do about a user or a list of users that could not be read.
pub(super) fn remedy(run: &Run, unknown: Unknown, status: ReadStatus) -> &'static str {
    let is_ops_manager = run.product == Product::OpsManager;
    if run.is_import() {
        return match status {
            ReadStatus::Read | ReadStatus::Removed => "none",
            ReadStatus::Forbidden if is_ops_manager => {
                "save the response again with an API key that has the role `GLOBAL_OWNER`, then import it"
            }
            ReadStatus::Forbidden => "ask the user to save the response, then import it",
            ReadStatus::NotFound => "check the id of the user, then save and import the response again",
            ReadStatus::RateLimited | ReadStatus::Partial | ReadStatus::Malformed | ReadStatus::Error => {
                "save all pages of the response again, then import them"
            }
        };
    }
    match (status, unknown) {
        (ReadStatus::Read | ReadStatus::Removed, _) => "none",
        (ReadStatus::Forbidden, _) if is_ops_manager => {
            "run the audit again with an API key that has the role `GLOBAL_OWNER`"
        }
        (ReadStatus::Forbidden, Unknown::User) => {
            "only the user can read these keys: add credentials of the user with `--credentials FILE`, or import a saved response"
        }
        (ReadStatus::Forbidden, Unknown::List | Unknown::Run) => {
            "run the audit again with an API key that has the role `ORG_OWNER`"
        }
        (ReadStatus::NotFound, Unknown::User) => {
            "check the user id or name; remove deleted users from the list"
        }
        (ReadStatus::NotFound, Unknown::List | Unknown::Run) => {
            "check the id; add a waiver for a deleted organization"
        }
        (ReadStatus::RateLimited, _) => "run the same command with `--resume` and a lower `--rate`",
        (ReadStatus::Partial, _) => "run the audit again; if the status stays `partial`, compare with the UI",
        (ReadStatus::Malformed, _) => "check `--url`, proxies and server versions, then run the audit again",
        (ReadStatus::Error, _) => {
            "check the deployment and the network, then run the same command with `--resume`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>() -> Record<'a> {
        Record { deployment: "east", username: Some("ann"), reason: "No user exists.", ..Record::default() }
    }

    #[test]
    fn a_quoted_sentence_has_one_full_stop() {
        let unread = Record { read_status: Some(ReadStatus::NotFound), ..record() };
        assert_eq!(
            row(&unread),
            "user ann on east could not be read (not-found): No user exists. There may be personal API keys that are \
             not reported."
        );
    }

    #[test]
    fn a_blank_description_is_left_out() {
        for (description, expected) in
            [(" ", "key 5af9: why; action: "), ("ci", "key 5af9, \"ci\": why; action: ")]
        {
            let record =
                Record { key_id: Some("5af9"), description: Some(description), reason: "why", ..record() };
            assert_eq!(key(&record, 9), expected);
        }
    }
}
