//! `junit.xml`: a test suite for each organization and a test case for each user, for CI servers. A user of several organizations
//! is in the suite of each.
//!
//! The format has no owner. Two schemas describe it: the `JUnit.xsd` of Windy Road, after Ant, and the `junit-10.xsd` of
//! Jenkins' xUnit plugin. The file holds to both: a case has at most one of failure, error and skipped and nothing else,
//! a suite has its properties before its cases, and an empty system-out and system-err behind them.
//!
//! Users come by name, suites are by organization, and counts come before what they count: cases wait in a file of their own.

mod case;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use quick_xml::Writer as Xml;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use self::case::{TestCase, TestResult, UserCase};
use crate::model::User;
use crate::policy::day_or_instant;
use crate::report::record::MissingUsers;
use crate::report::text::printable;
use crate::report::wording;
use crate::report::{
    Deployment, FormatError, OutputFile, Rendered, Report, Row, RowContext, RunContext, SpillFile, Writer,
};

/// The file in progress.
struct Junit {
    file: OutputFile,
    cases: SpillFile,
    suites: BTreeMap<SuiteId, Suite>,
    /// The current user.
    case: Option<UserCase>,
    /// The previous user.
    previous: Option<User>,
}

/// The identity of a suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SuiteId {
    deployment: String,
    kind: SuiteKind,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SuiteKind {
    /// Users in the list of this organization.
    Organization(String),
    /// Users of lists and projects, and users of `--user`.
    Named,
    /// Incomplete lists, and a run that did not finish.
    Incomplete,
    /// Waivers with a problem, for all deployments.
    Waivers,
}

/// The section of its cases, and their counts.
struct Suite {
    number: usize,
    tests: u64,
    /// By result, in the order of `TestResult`.
    results: [u64; 4],
    keys: u64,
    findings: u64,
    waived_keys: u64,
}

/// `out` is the folder of the temporary file with the cases.
pub(super) fn start(file: OutputFile, out: &Path) -> Result<impl Writer + use<>, FormatError> {
    let cases = SpillFile::new_in(out)?;
    Ok(Junit { file, cases, suites: BTreeMap::new(), case: None, previous: None })
}

impl Writer for Junit {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.finish_case()?;
        self.previous = None;
        let suite_id = SuiteId { deployment: context.run.deployment.clone(), kind: SuiteKind::Incomplete };
        for missing in MissingUsers::of_run(context) {
            let record = missing.record();
            let status = record.read_status.map_or("error", |status| status.as_str());
            let why = wording::not_read(&record, usize::MAX);
            let (result, kind, message) = match missing.waiver() {
                None => (TestResult::Error, status, why.clone()),
                Some(waiver) => (TestResult::Skipped, "waived", case::waived(waiver)),
            };
            let case = TestCase {
                name: &printable(missing.source()),
                classname: &printable(record.deployment),
                result,
                kind,
                message: &message,
                text: &why,
            };
            self.write_case(suite_id.clone(), &case)?;
        }
        Ok(())
    }

    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        let user = &row.result.user;
        if self.case.as_ref().is_none_or(|case| !case.is_of(user)) {
            self.finish_case()?;
            self.case = Some(UserCase::new(context, row.result, self.previous.as_ref()));
        }
        if let Some(case) = &mut self.case {
            case.add(context, row);
        }
        Ok(())
    }

    fn end(mut self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        self.finish_case().and_then(|()| self.waiver_issues(report))?;
        let several = report.deployments.len() > 1;
        let named = |(suite_id, suite)| (SuiteId::name(suite_id, report, several), suite_id, suite);
        let mut suites: Vec<_> = self.suites.iter().map(named).collect();
        suites.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        let mut xml = Xml::new(&mut self.file);
        let mut write = || {
            xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
            xml.get_mut().write_all(b"\n")?;
            xml.write_event(Event::Start(BytesStart::new("testsuites")))?;
            for (id, (name, suite_id, suite)) in suites.iter().enumerate() {
                xml.get_mut().write_all(b"\n")?;
                open(&mut xml, &id.to_string(), name, suite_id, suite, report)?;
                io::copy(&mut self.cases.read(suite.number)?, xml.get_mut())?;
                for empty in ["system-out", "system-err"] {
                    xml.create_element(empty).write_empty()?;
                }
                xml.write_event(Event::End(BytesEnd::new("testsuite")))?;
            }
            xml.get_mut().write_all(b"\n")?;
            xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
            xml.get_mut().write_all(b"\n")
        };
        write()?;
        Ok(Rendered::File(self.file))
    }
}

impl Junit {
    /// Ends the case of the current user.
    fn finish_case(&mut self) -> io::Result<()> {
        let Some(case) = self.case.take() else { return Ok(()) };
        let organizations: Vec<_> = case.user().origin.organizations().map(Some).collect();
        let suites = if organizations.is_empty() { &[None] } else { &organizations[..] };
        for organization in suites {
            let mut text = Vec::new();
            let result = case.write(*organization, &mut text)?;
            let kind = organization.map_or(SuiteKind::Named, |id| SuiteKind::Organization(id.to_owned()));
            let suite = self.count(SuiteId { deployment: case.deployment().to_owned(), kind }, result);
            suite.keys += case.keys;
            suite.findings += case.findings();
            suite.waived_keys += case.waived_keys;
            let number = suite.number;
            self.cases.write(number, &text)?;
        }
        self.previous = Some(case.user().clone());
        Ok(())
    }

    fn write_case(&mut self, suite_id: SuiteId, case: &TestCase) -> io::Result<()> {
        let mut text = Vec::new();
        case.write(&mut text)?;
        let number = self.count(suite_id, case.result).number;
        self.cases.write(number, &text)
    }

    fn count(&mut self, suite_id: SuiteId, result: TestResult) -> &mut Suite {
        let number = self.suites.len();
        let suite = self.suites.entry(suite_id).or_insert_with(|| Suite {
            number,
            tests: 0,
            results: [0; 4],
            keys: 0,
            findings: 0,
            waived_keys: 0,
        });
        suite.tests += 1;
        suite.results[result as usize] += 1;
        suite
    }

    /// Skipped cases: whether they fail the quality gate (`--strict-waivers`) is not known here.
    fn waiver_issues(&mut self, report: &Report) -> io::Result<()> {
        for issue in &report.waiver_issues {
            let why = printable(&wording::waiver_issue(issue));
            let case = TestCase {
                name: &printable(&issue.waiver.target.to_string()),
                classname: "waivers",
                result: TestResult::Skipped,
                kind: issue.kind.as_str(),
                message: &why,
                text: &why,
            };
            self.write_case(SuiteId { deployment: String::new(), kind: SuiteKind::Waivers }, &case)?;
        }
        Ok(())
    }
}

impl SuiteId {
    fn name(&self, report: &Report, several: bool) -> String {
        let of_deployment = |name: &str| {
            if several { format!("{} / {name}", printable(&self.deployment)) } else { name.to_owned() }
        };
        let name = match &self.kind {
            SuiteKind::Organization(id) => {
                of_deployment(&printable(&match self.organization_name(report, id) {
                    Some(name) => format!("{name} ({id})"),
                    None => id.clone(),
                }))
            }
            SuiteKind::Named => printable(&self.deployment),
            SuiteKind::Incomplete => of_deployment("incomplete"),
            SuiteKind::Waivers => "waivers".to_owned(),
        };
        or_unnamed(name)
    }

    fn organization_name<'a>(&self, report: &'a Report, id: &str) -> Option<&'a str> {
        let deployment = report.deployments.iter().find(|it| it.context.run.deployment == self.deployment)?;
        let organizations = deployment.organizations.as_ref()?;
        let at = organizations.binary_search_by(|it| it.organization.id.as_str().cmp(id)).ok()?;
        organizations[at].organization.name.as_deref()
    }
}

/// Both schemas require a non-empty name.
fn or_unnamed(name: String) -> String {
    if name.trim().is_empty() { "unnamed".to_owned() } else { name }
}

/// Writes the start of a suite, up to its first case.
fn open(
    xml: &mut Xml<impl io::Write>,
    id: &str,
    name: &str,
    suite_id: &SuiteId,
    suite: &Suite,
    report: &Report,
) -> io::Result<()> {
    let has_suite = |it: &&Deployment| it.context.run.deployment == suite_id.deployment;
    let deployment = report.deployments.iter().find(has_suite);
    let now = report.deployments.iter().map(|deployment| deployment.context.run.started_at).max();
    let now = deployment.map(|deployment| deployment.context.run.started_at).or(now).unwrap_or_default();
    let package = or_unnamed(printable(&suite_id.deployment));
    let count = |result: TestResult| suite.results[result as usize].to_string();
    let (failures, errors, skipped) =
        (count(TestResult::Failure), count(TestResult::Error), count(TestResult::Skipped));
    let start = BytesStart::new("testsuite").with_attributes([
        ("id", id),
        ("name", name),
        ("package", &package),
        ("hostname", "localhost"),
        ("tests", &suite.tests.to_string()),
        ("failures", &failures),
        ("errors", &errors),
        ("skipped", &skipped),
        ("time", "0"),
        ("timestamp", &without_zone(now)),
    ]);
    xml.write_event(Event::Start(start))?;
    xml.write_event(Event::Text(BytesText::new("\n")))?;
    xml.create_element("properties").write_inner_content(|xml| {
        for (name, value) in properties(deployment, suite_id, suite) {
            let value = printable(&value);
            xml.create_element("property")
                .with_attributes([("name", name), ("value", value.as_str())])
                .write_empty()?;
        }
        Ok(())
    })?;
    xml.write_event(Event::Text(BytesText::new("\n")))
}

/// UTC without a zone, which the schema does not allow.
fn without_zone(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The properties of a suite.
fn properties(
    deployment: Option<&Deployment>,
    suite_id: &SuiteId,
    suite: &Suite,
) -> Vec<(&'static str, String)> {
    let mut properties = Vec::new();
    if let Some(deployment) = deployment {
        let (run, context) = (deployment.context.run, &deployment.context);
        properties.extend([
            ("deployment", run.deployment.clone()),
            ("address", run.address.clone()),
            ("product", run.product.to_string()),
            ("cutoff", day_or_instant(context.policy.cutoff)),
            ("complete", deployment.is_complete().to_string()),
            // Of the whole run, where a user of several suites counts once.
            ("users_total", deployment.summary.requested().to_string()),
            ("keys_total", deployment.summary.keys.to_string()),
            ("findings_total", deployment.summary.findings.to_string()),
        ]);
    }
    match &suite_id.kind {
        SuiteKind::Organization(id) => properties.push(("organization", id.clone())),
        SuiteKind::Named => {}
        SuiteKind::Incomplete | SuiteKind::Waivers => return properties,
    }
    properties.extend([
        ("keys", suite.keys.to_string()),
        ("findings", suite.findings.to_string()),
        ("waived", suite.waived_keys.to_string()),
    ]);
    properties
}
