//! A user as a test case, from the rows of the user.

use quick_xml::escape::escape;
use quick_xml::events::attributes::Attribute;

use crate::bytes::{APOSTROPHE, CONTROL, MARKUP, QUOTE, kinds};
use crate::model::User;
use crate::policy::{Severity, Verdict};
use crate::report::record::Record;
use crate::report::text::printable;
use crate::report::wording;
use crate::report::{Row, RowContext};
use crate::waivers::{Waiver, WaiverStatus};

/// A user, from all rows of the user.
pub(super) struct UserCase {
    name: String,
    deployment: String,
    /// Read status and reason, unless waived.
    unread: Option<(&'static str, String)>,
    /// Waivers in effect, as text.
    waivers: Vec<String>,
    pub(super) keys: u64,
    pub(super) waived_keys: u64,
    /// By severity, in the order of `Severity::ALL`.
    findings: [u64; Severity::ALL.len()],
    worst: Option<(Severity, Verdict)>,
    /// One for each row, as XML.
    lines: String,
}

/// The result of a case for a CI server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TestResult {
    Passed,
    Failure,
    Error,
    Skipped,
}

/// A case as it is written.
pub(super) struct TestCase<'a> {
    pub(super) name: &'a str,
    /// In parts.
    pub(super) classname: &'a [&'a str],
    pub(super) result: TestResult,
    /// A word for the kind of failure or error.
    pub(super) kind: &'a str,
    pub(super) message: &'a str,
    /// Lines, as XML.
    pub(super) text: &'a str,
}

impl UserCase {
    /// `previous` is the name of the user before this one in the order of the deployment.
    pub(super) fn new(context: &RowContext, user: &User, rows: &[Row], previous: Option<&str>) -> Self {
        let mut case = Self {
            name: name(user, previous),
            deployment: printable(&context.run.deployment),
            unread: None,
            waivers: Vec::new(),
            keys: 0,
            waived_keys: 0,
            findings: [0; Severity::ALL.len()],
            worst: None,
            lines: String::new(),
        };
        for row in rows {
            case.add(context, row);
        }
        case.lines = escape(&case.lines).into_owned();
        case
    }

    /// Adds a row of the user.
    fn add(&mut self, context: &RowContext, row: &Row) {
        let record = Record::new(context, row);
        if let Some((_, judged)) = &row.key {
            self.keys += 1;
            self.waived_keys += u64::from(row.is_waived());
            if row.is_finding {
                self.findings[judged.severity as usize] += 1;
                let this = (judged.severity, judged.verdict);
                self.worst = Some(self.worst.map_or(this, |worst| worst.min(this)));
            }
            let key = wording::key(&record, usize::MAX);
            self.line([judged.severity.as_str(), " ", judged.verdict.as_str(), ": ", &key], row);
        } else if row.is_unread() {
            let why = wording::not_read(&record, usize::MAX);
            self.line([why.as_str()], row);
            if !row.is_waived() {
                self.unread = Some((row.result.outcome.status.as_str(), why));
            }
        }
        if let (Some((waiver, _)), true) = (row.waiver, row.is_waived()) {
            self.waivers.push(waived(waiver));
        }
    }

    fn line<const PARTS: usize>(&mut self, parts: [&str; PARTS], row: &Row) {
        self.lines.extend(parts);
        match row.waiver {
            Some((waiver, WaiverStatus::Expired)) => {
                self.lines.extend([" [waiver expired on ", &waiver.expires.to_string(), "]"]);
            }
            Some((waiver, WaiverStatus::Active | WaiverStatus::Ending)) => {
                self.lines.extend([" [", &waived(waiver), "]"]);
            }
            None if row.key.is_some() && !row.is_finding => {
                self.lines += " [not a finding with this --fail-on]";
            }
            None => {}
        }
        self.lines.push('\n');
    }

    /// Keys that are findings.
    pub(super) fn findings(&self) -> u64 {
        self.findings.iter().sum()
    }

    /// The result with its kind and its message. An error is worse than a failure, and a waived case is skipped, never passed.
    pub(super) fn outcome(&self) -> (TestResult, &str, String) {
        match (&self.unread, self.worst) {
            (Some((status, why)), None) => (TestResult::Error, *status, why.clone()),
            (Some((status, why)), Some(_)) => {
                (TestResult::Error, *status, format!("{why}; also {}", self.counted()))
            }
            (None, Some((_, verdict))) => (TestResult::Failure, verdict.as_str(), self.counted()),
            (None, None) => match &self.waivers[..] {
                [] => (TestResult::Passed, "", String::new()),
                [one] => (TestResult::Skipped, "waived", one.clone()),
                several => (TestResult::Skipped, "waived", format!("{} waivers", several.len())),
            },
        }
    }

    /// Writes the case for one organization of the user.
    pub(super) fn write(
        &self,
        organization: Option<&str>,
        &(result, kind, ref message): &(TestResult, &str, String),
        to: &mut Vec<u8>,
    ) {
        let Self { name, deployment, lines, .. } = self;
        let organization = organization.map(printable);
        let classname = match &organization {
            Some(organization) => &[deployment, ".", organization][..],
            None => &[deployment.as_str()][..],
        };
        TestCase { name, classname, result, kind, message, text: lines }.write(to);
    }

    /// The findings: `3 findings: 1 critical, 2 low`.
    fn counted(&self) -> String {
        let each = Severity::ALL.iter().zip(self.findings).filter(|(_, count)| *count > 0);
        let each: Vec<_> =
            each.map(|(severity, count)| count.to_string() + " " + severity.as_str()).collect();
        let count = self.findings();
        format!("{count} {}: {}", if count == 1 { "finding" } else { "findings" }, each.join(", "))
    }
}

impl TestCase<'_> {
    /// The message is in an attribute and in the text, because some servers show one and some the other.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let Self { name, classname, result, kind, message, text } = *self;
        add_attribute(to, "<testcase name=\"", &[name]);
        add_attribute(to, "\" classname=\"", classname);
        let element = match result {
            TestResult::Passed => return to.extend(b"\" time=\"0\"/>\n"),
            TestResult::Failure => "failure",
            TestResult::Error => "error",
            TestResult::Skipped => "skipped",
        };
        to.extend(b"\" time=\"0\"><");
        to.extend(element.as_bytes());
        add_attribute(to, " type=\"", &[kind]);
        add_attribute(to, "\" message=\"", &[message]);
        to.extend(b"\">");
        to.extend(text.as_bytes());
        to.extend(b"</");
        to.extend(element.as_bytes());
        to.extend(b">\n</testcase>\n");
    }
}

/// Adds a value after the text before it.
fn add_attribute(to: &mut Vec<u8>, before: &str, value: &[&str]) {
    to.extend(before.as_bytes());
    for part in value {
        // Most texts have nothing to escape.
        if kinds(part) & (MARKUP | QUOTE | APOSTROPHE | CONTROL) == 0 {
            to.extend(part.as_bytes());
        } else {
            to.extend(Attribute::from(("", *part)).value.as_bytes());
        }
    }
}

/// The username, with the id behind it if another username looks the same. A server treats cases of one name as one case.
fn name(user: &User, previous: Option<&str>) -> String {
    let id = || printable(user.id_or_empty());
    let Some(username) = user.username.as_deref().filter(|name| !name.trim().is_empty()) else {
        return Some(id()).filter(|id| !id.is_empty()).unwrap_or("a user without name and id".to_owned());
    };
    let shown = printable(username);
    let as_it_is = shown == username && shown.split(' ').all(|word| !word.is_empty());
    if as_it_is && previous != Some(username) {
        return shown;
    }
    format!("{} ({})", shown.trim(), id())
}

/// `waived until 2025-06-30 by ann: why (ticket)`.
pub(super) fn waived(waiver: &Waiver) -> String {
    let ticket = waiver.ticket.as_deref().map_or_else(String::new, |ticket| format!(" ({ticket})"));
    wording::waived(waiver, usize::MAX) + &printable(&ticket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;

    fn user(id: &str, username: Option<&str>) -> User {
        let id = Some(id.to_owned()).filter(|id| !id.is_empty());
        User { id, username: username.map(str::to_owned), origin: Origin::default() }
    }

    #[test]
    fn names_that_look_alike_have_the_id_behind_them() {
        let ann = user("1", Some("ann"));
        assert_eq!(name(&ann, None), "ann");
        assert_eq!(name(&user("2", Some("ann")), Some("ann")), "ann (2)");
        for alike in ["a\tnn", "a  nn", " ann", "ann\u{200b}", "ann\n"] {
            assert!(name(&user("3", Some(alike)), None).ends_with(" (3)"), "{alike:?}");
        }
        assert_eq!(name(&user("4", None), None), "4");
        assert_eq!(name(&user("4", Some(" ")), None), "4");
        assert_eq!(name(&user("a\nb", None), None), "a b");
        assert!(!name(&user("", None), None).is_empty());
    }
}
