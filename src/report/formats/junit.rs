//! `junit.xml`: a test suite an organization, a test case a user, for CI servers.
//!
//! Nobody owns the format. Two schemas describe it: the `JUnit.xsd` of Windy Road, after Ant, and the `junit-10.xsd` of
//! Jenkins' xUnit plugin. The file holds to both: a case has at most one of failure, error and skipped and nothing else,
//! a suite has its properties before its cases, and an empty system-out and system-err behind them.
//!
//! Users come by name, suites stand by organization, and counts stand before what they count: cases wait in a file of their own.

mod case;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use quick_xml::Writer as Xml;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use self::case::{Case, Ending, Told};
use crate::model::User;
use crate::policy::day_or_instant;
use crate::report::record::MissingUsers;
use crate::report::text::printable;
use crate::report::wording;
use crate::report::{
    Deployment, FormatError, OutputFile, Rendered, Report, Row, RunContext, SpillFile, Writer,
};

/// The file under way.
struct Junit {
    file: OutputFile,
    cases: SpillFile,
    suites: BTreeMap<SourceLocation, Suite>,
    /// The user whose rows are passing.
    case: Option<(SourceLocation, Case)>,
    /// The user before.
    previous: Option<User>,
}

/// What makes a suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SourceLocation {
    deployment: String,
    part: Part,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// In whose list users were found.
    Organization(String),
    /// Users of lists, projects, or named one by one.
    Named,
    /// What hides users of whom not even the name is known.
    Incomplete,
    /// What there is to say of waivers, whatever the deployment.
    Waivers,
}

/// The section of its cases, and what they came to.
struct Suite {
    number: usize,
    tests: u64,
    /// By ending, in the order of `Ending`.
    endings: [u64; 4],
    keys: u64,
    findings: u64,
    waived_keys: u64,
}

/// `out` is where the cases wait.
pub(super) fn start(file: OutputFile, out: &Path) -> Result<impl Writer + use<>, FormatError> {
    let cases = SpillFile::new_in(out)?;
    Ok(Junit { file, cases, suites: BTreeMap::new(), case: None, previous: None })
}

impl Writer for Junit {
    fn begin(&mut self, context: &RunContext) -> Result<(), FormatError> {
        self.close()?;
        self.previous = None;
        let location = SourceLocation { deployment: context.run.deployment.clone(), part: Part::Incomplete };
        let classname = printable(&location.deployment);
        for missing in MissingUsers::of_run(context) {
            let record = missing.record();
            let why = wording::not_read(&record, usize::MAX);
            let told = Told {
                name: &printable(missing.source()),
                classname: &classname,
                ending: Ending::Error,
                kind: record.read_status.map_or("error", |status| status.as_str()),
                message: &why,
                text: &why,
            };
            self.tell(location.clone(), &told)?;
        }
        Ok(())
    }

    fn row(&mut self, context: &RunContext, row: &Row) -> Result<(), FormatError> {
        let user = &row.result.user;
        if self.case.as_ref().is_none_or(|(_, case)| !case.is_of(user)) {
            self.close()?;
            let part = user.origin.organization.as_deref();
            let part = part.map_or(Part::Named, |id| Part::Organization(id.to_owned()));
            let case = Case::of(context, row.result, self.previous.as_ref());
            self.case = Some((SourceLocation { deployment: context.run.deployment.clone(), part }, case));
        }
        if let Some((_, case)) = &mut self.case {
            case.add(context, row);
        }
        Ok(())
    }

    fn end(mut self: Box<Self>, report: &Report) -> Result<Rendered, FormatError> {
        self.close().and_then(|()| self.waiver_issues(report))?;
        let several = report.deployments.len() > 1;
        let mut suites: Vec<_> =
            self.suites.iter().map(|(location, suite)| (location.name(several), location, suite)).collect();
        suites.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        let mut xml = Xml::new(&mut self.file);
        let mut write = || {
            xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
            xml.get_mut().write_all(b"\n")?;
            xml.write_event(Event::Start(BytesStart::new("testsuites")))?;
            for (id, (name, location, suite)) in suites.iter().enumerate() {
                xml.get_mut().write_all(b"\n")?;
                open(&mut xml, &id.to_string(), name, location, suite, report)?;
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
    /// Ends the case whose rows were passing.
    fn close(&mut self) -> io::Result<()> {
        let Some((location, case)) = self.case.take() else { return Ok(()) };
        let mut text = Vec::new();
        let ending = case.write(&mut text)?;
        let suite = self.count(location, ending);
        suite.keys += case.keys;
        suite.findings += case.findings();
        suite.waived_keys += case.waived_keys;
        let number = suite.number;
        self.previous = Some(case.user().clone());
        self.cases.write(number, &text)
    }

    fn tell(&mut self, location: SourceLocation, told: &Told) -> io::Result<()> {
        let mut text = Vec::new();
        told.write(&mut text)?;
        let number = self.count(location, told.ending).number;
        self.cases.write(number, &text)
    }

    fn count(&mut self, location: SourceLocation, ending: Ending) -> &mut Suite {
        let number = self.suites.len();
        let suite = self.suites.entry(location).or_insert_with(|| Suite {
            number,
            tests: 0,
            endings: [0; 4],
            keys: 0,
            findings: 0,
            waived_keys: 0,
        });
        suite.tests += 1;
        suite.endings[ending as usize] += 1;
        suite
    }

    /// Whether they fail the gate is not known here, so they are told and fail nothing.
    fn waiver_issues(&mut self, report: &Report) -> io::Result<()> {
        for issue in &report.waiver_issues {
            let why = printable(&wording::waiver_issue(issue));
            let told = Told {
                name: &printable(&issue.waiver.target.to_string()),
                classname: "waivers",
                ending: Ending::Skipped,
                kind: issue.kind.as_str(),
                message: &why,
                text: &why,
            };
            self.tell(SourceLocation { deployment: String::new(), part: Part::Waivers }, &told)?;
        }
        Ok(())
    }
}

impl SourceLocation {
    fn name(&self, several: bool) -> String {
        let of_deployment = |part: &str| {
            if several { format!("{} / {part}", printable(&self.deployment)) } else { part.to_owned() }
        };
        let name = match &self.part {
            Part::Organization(id) => of_deployment(&printable(id)),
            Part::Named => printable(&self.deployment),
            Part::Incomplete => of_deployment("incomplete"),
            Part::Waivers => "waivers".to_owned(),
        };
        or_unnamed(name)
    }
}

/// Both schemas want a name that is not empty.
fn or_unnamed(name: String) -> String {
    if name.trim().is_empty() { "unnamed".to_owned() } else { name }
}

/// Writes a suite as far as its first case.
fn open(
    xml: &mut Xml<impl io::Write>,
    id: &str,
    name: &str,
    location: &SourceLocation,
    suite: &Suite,
    report: &Report,
) -> io::Result<()> {
    let of = |deployment: &&Deployment| deployment.context.run.deployment == location.deployment;
    let deployment = report.deployments.iter().find(of);
    let now = report.deployments.iter().map(|deployment| deployment.context.policy.now).max();
    let now = deployment.map(|deployment| deployment.context.policy.now).or(now).unwrap_or_default();
    let package = or_unnamed(printable(&location.deployment));
    let count = |ending: Ending| suite.endings[ending as usize].to_string();
    let (failures, errors, skipped) = (count(Ending::Failure), count(Ending::Error), count(Ending::Skipped));
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
        for (name, value) in properties(deployment, location, suite) {
            let value = printable(&value);
            xml.create_element("property")
                .with_attributes([("name", name), ("value", value.as_str())])
                .write_empty()?;
        }
        Ok(())
    })?;
    xml.write_event(Event::Text(BytesText::new("\n")))
}

/// UTC, though the schema lets nobody say so.
fn without_zone(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// What the counts of the suite rest on.
fn properties(
    deployment: Option<&Deployment>,
    location: &SourceLocation,
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
        ]);
    }
    match &location.part {
        Part::Organization(id) => properties.push(("organization", id.clone())),
        Part::Named => {}
        Part::Incomplete | Part::Waivers => return properties,
    }
    properties.extend([
        ("keys", suite.keys.to_string()),
        ("findings", suite.findings.to_string()),
        ("waived", suite.waived_keys.to_string()),
    ]);
    properties
}
