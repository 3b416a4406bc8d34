//! A user as a test case: the rows of one user, collected until the next user begins.

use std::fmt::Write as _;
use std::io::{self, Write};

use quick_xml::Writer as Xml;
use quick_xml::events::{BytesText, Event};

use crate::model::{User, UserResult};
use crate::policy::{Severity, Verdict};
use crate::report::record::Record;
use crate::report::text::printable;
use crate::report::wording;
use crate::report::{Row, RowContext};
use crate::waivers::{Waiver, WaiverStatus};

/// A user under way.
pub(super) struct UserCase {
    user: User,
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
    /// One for each row.
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
    pub(super) classname: &'a str,
    pub(super) result: TestResult,
    /// A word for the kind of failure or error.
    pub(super) kind: &'a str,
    pub(super) message: &'a str,
    /// Lines.
    pub(super) text: &'a str,
}

impl UserCase {
    /// `previous` is the user before this one in the order of the deployment.
    pub(super) fn new(context: &RowContext, result: &UserResult, previous: Option<&User>) -> Self {
        let user = result.user.clone();
        Self {
            name: name(&user, previous),
            deployment: context.run.deployment.clone(),
            user,
            unread: None,
            waivers: Vec::new(),
            keys: 0,
            waived_keys: 0,
            findings: [0; Severity::ALL.len()],
            worst: None,
            lines: String::new(),
        }
    }

    /// Whether this is the user of a row.
    pub(super) fn is_of(&self, user: &User) -> bool {
        (&self.user.id, &self.user.username) == (&user.id, &user.username)
    }

    pub(super) fn user(&self) -> &User {
        &self.user
    }

    pub(super) fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Adds a row of the user.
    pub(super) fn add(&mut self, context: &RowContext, row: &Row) {
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
            self.line(&format!("{} {}: {key}", judged.severity, judged.verdict), row);
        } else if row.is_unread() {
            let why = wording::not_read(&record, usize::MAX);
            self.line(&why, row);
            if !row.is_waived() {
                self.unread = Some((row.result.outcome.status.as_str(), why));
            }
        }
        if let (Some((waiver, _)), true) = (row.waiver, row.is_waived()) {
            self.waivers.push(waived(waiver));
        }
    }

    fn line(&mut self, line: &str, row: &Row) {
        let remark = match row.waiver {
            Some((waiver, WaiverStatus::Expired)) => format!(" [waiver expired on {}]", waiver.expires),
            Some((waiver, WaiverStatus::Active | WaiverStatus::Ending)) => format!(" [{}]", waived(waiver)),
            None if row.key.is_some() && !row.is_finding => " [not a finding with this --fail-on]".to_owned(),
            None => String::new(),
        };
        // Writing to a string can't fail.
        let _ = writeln!(self.lines, "{line}{remark}");
    }

    /// Keys that are findings.
    pub(super) fn findings(&self) -> u64 {
        self.findings.iter().sum()
    }

    /// Writes the case for one organization of the user, and returns its result. An error is worse than a failure, and a
    /// waived case is skipped, never passed.
    pub(super) fn write(&self, organization: Option<&str>, to: &mut Vec<u8>) -> io::Result<TestResult> {
        let (result, kind, message) = match (&self.unread, self.worst) {
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
        };
        let Self { name, deployment, lines, .. } = self;
        let deployment = printable(deployment);
        let classname = match organization {
            Some(organization) => format!("{deployment}.{}", printable(organization)),
            None => deployment,
        };
        TestCase { name, classname: &classname, result, kind, message: &message, text: lines }.write(to)?;
        Ok(result)
    }

    /// The findings: `3 findings: 1 critical, 2 low`.
    fn counted(&self) -> String {
        let each = Severity::ALL.iter().zip(self.findings).filter(|(_, count)| *count > 0);
        let each: Vec<_> = each.map(|(severity, count)| format!("{count} {severity}")).collect();
        let count = self.findings();
        format!("{count} {}: {}", if count == 1 { "finding" } else { "findings" }, each.join(", "))
    }
}

impl TestCase<'_> {
    /// The message is in an attribute and in the text, because some servers show one and some the other.
    pub(super) fn write(&self, to: &mut Vec<u8>) -> io::Result<()> {
        let Self { name, classname, result, kind, message, text } = *self;
        let mut xml = Xml::new(&mut *to);
        let case = xml.create_element("testcase").with_attributes([
            ("name", name),
            ("classname", classname),
            ("time", "0"),
        ]);
        let element = match result {
            TestResult::Passed => {
                case.write_empty()?;
                return to.write_all(b"\n");
            }
            TestResult::Failure => "failure",
            TestResult::Error => "error",
            TestResult::Skipped => "skipped",
        };
        case.write_inner_content(|xml| {
            let element = xml.create_element(element).with_attributes([("type", kind), ("message", message)]);
            element.write_text_content(BytesText::new(text))?;
            xml.write_event(Event::Text(BytesText::new("\n")))
        })?;
        to.write_all(b"\n")
    }
}

/// The username, with the id behind it if another username looks the same. A server treats cases of one name as one case.
fn name(user: &User, previous: Option<&User>) -> String {
    let id = printable(user.id_or_empty());
    let Some(username) = user.username.as_deref().filter(|name| !name.trim().is_empty()) else {
        return if id.is_empty() { "a user without name and id".to_owned() } else { id };
    };
    let shown = printable(username);
    let as_it_is = shown == username && shown.split(' ').all(|word| !word.is_empty());
    if as_it_is && previous.is_none_or(|previous| previous.username.as_deref() != Some(username)) {
        return shown;
    }
    format!("{} ({id})", shown.trim())
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
        assert_eq!(name(&user("2", Some("ann")), Some(&ann)), "ann (2)");
        for alike in ["a\tnn", "a  nn", " ann", "ann\u{200b}", "ann\n"] {
            assert!(name(&user("3", Some(alike)), None).ends_with(" (3)"), "{alike:?}");
        }
        assert_eq!(name(&user("4", None), None), "4");
        assert_eq!(name(&user("4", Some(" ")), None), "4");
        assert_eq!(name(&user("a\nb", None), None), "a b");
        assert!(!name(&user("", None), None).is_empty());
    }
}
