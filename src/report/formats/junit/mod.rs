//! `junit.xml`: a test suite for each organization and a test case for each user, for CI servers. A user of several organizations
//! is in the suite of each.
//!
//! The format has no owner. Two schemas describe it: the `JUnit.xsd` of Windy Road, after Ant, and the `junit-10.xsd` of
//! Jenkins' xUnit plugin. The file holds to both: a case has at most one of failure, error and skipped and nothing else,
//! a suite has its properties before its cases, and an empty system-out and system-err behind them.
//!
//! Users come by name, suites are by organization, and counts come before what they count: cases wait in a file of their own.

mod case;

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use quick_xml::Writer as Xml;
use quick_xml::escape::escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use self::case::{TestCase, TestResult, UserCase};
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
    suites: Vec<(SuiteId, Suite)>,
    /// The numbers of the suites of organizations, by their ids, and of the suite of other users.
    of_deployment: (HashMap<String, usize>, Option<usize>),
    /// The name of the previous user.
    previous: Option<String>,
    /// The case under way.
    text: Vec<u8>,
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

/// The counts of its cases, whose section has the number of the suite.
#[derive(Default)]
struct Suite {
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
    let (suites, of_deployment, text) = (Vec::new(), (HashMap::new(), None), Vec::new());
    Ok(Junit { file, cases, suites, of_deployment, previous: None, text })
}

impl Writer for Junit {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.previous = None;
        self.of_deployment = (HashMap::new(), None);
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
                classname: &[&printable(record.deployment)],
                result,
                kind,
                message: &message,
                text: &escape(&why),
            };
            self.write_case(suite_id.clone(), &case)?;
        }
        Ok(())
    }

    fn rows(&mut self, context: &RowContext, rows: &[Row]) -> Result<(), FormatError> {
        let Some(Row { result, .. }) = rows.first() else { return Ok(()) };
        let case = UserCase::new(context, &result.user, rows, self.previous.as_deref());
        let outcome = case.outcome();
        let mut organizations = result.user.origin.organizations().map(Some).peekable();
        let without = organizations.peek().is_none().then_some(None);
        for organization in organizations.chain(without) {
            let number = self.suite(context, organization);
            let (_, suite) = &mut self.suites[number];
            suite.count(outcome.0);
            suite.keys += case.keys;
            suite.findings += case.findings();
            suite.waived_keys += case.waived_keys;
            self.text.clear();
            case.write(organization, &outcome, &mut self.text);
            self.cases.write(number, &self.text)?;
        }
        self.previous.clone_from(&result.user.username);
        Ok(())
    }

    /// A user without another row.
    fn row(&mut self, context: &RowContext, row: &Row) -> Result<(), FormatError> {
        self.rows(context, std::slice::from_ref(row))
    }

    fn end(mut self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        self.waiver_issues(report)?;
        let several = report.deployments.len() > 1;
        let suites = self.suites.iter().enumerate();
        let mut suites: Vec<_> =
            suites.map(|(number, (id, suite))| (id.name(report, several), id, suite, number)).collect();
        suites.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        let mut xml = Xml::new(&mut self.file);
        let mut write = || {
            xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
            xml.get_mut().write_all(b"\n")?;
            xml.write_event(Event::Start(BytesStart::new("testsuites")))?;
            for (id, (name, suite_id, suite, number)) in suites.iter().enumerate() {
                xml.get_mut().write_all(b"\n")?;
                open(&mut xml, &id.to_string(), name, suite_id, suite, report)?;
                io::copy(&mut self.cases.read(*number)?, xml.get_mut())?;
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
    /// The number of the suite of an organization, or of users without one.
    fn suite(&mut self, context: &RowContext, organization: Option<&str>) -> usize {
        let (of_organizations, of_others) = &self.of_deployment;
        if let Some(known) = organization.map_or(*of_others, |id| of_organizations.get(id).copied()) {
            return known;
        }
        let number = self.suites.len();
        let kind = if let Some(id) = organization {
            self.of_deployment.0.insert(id.to_owned(), number);
            SuiteKind::Organization(id.to_owned())
        } else {
            self.of_deployment.1 = Some(number);
            SuiteKind::Named
        };
        self.suites.push((SuiteId { deployment: context.run.deployment.clone(), kind }, Suite::default()));
        number
    }

    fn write_case(&mut self, suite_id: SuiteId, case: &TestCase) -> io::Result<()> {
        let known = self.suites.iter().position(|(known, _)| *known == suite_id);
        let number = known.unwrap_or_else(|| {
            self.suites.push((suite_id, Suite::default()));
            self.suites.len() - 1
        });
        self.text.clear();
        case.write(&mut self.text);
        self.suites[number].1.count(case.result);
        self.cases.write(number, &self.text)
    }

    /// Skipped cases: whether they fail the quality gate (`--strict-waivers`) is not known here.
    fn waiver_issues(&mut self, report: &Report) -> io::Result<()> {
        for issue in &report.waiver_issues {
            let why = printable(&wording::waiver_issue(issue));
            let case = TestCase {
                name: &printable(&issue.waiver.target.to_string()),
                classname: &["waivers"],
                result: TestResult::Skipped,
                kind: issue.kind.as_str(),
                message: &why,
                text: &escape(&why),
            };
            self.write_case(SuiteId { deployment: String::new(), kind: SuiteKind::Waivers }, &case)?;
        }
        Ok(())
    }
}

impl Suite {
    fn count(&mut self, result: TestResult) {
        self.tests += 1;
        self.results[result as usize] += 1;
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
