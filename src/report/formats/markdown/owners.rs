//! The owners of keys, worst first: each is a section with all keys, as many as fit a page. The others are counted.
//!
//! Memory is bounded by the bytes of a page, however many owners there are.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use minijinja::value::Value;
use minijinja::{Environment, context};

use super::anchor::anchor;
use super::page::row;
use super::plan::Decisions;
use super::{BUILT_IN, NAME, OWNER};
use crate::model::{PersonalKey, UserResult};
use crate::output::text::{breakable_code, code_in_prose, printable, shortened};
use crate::policy::Severity;
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::{Deployment, LazyPlan, OrganizationColumns, Report, Row, RowContext};

/// Maximum bytes of the list of owners without a section.
const COUNTED: usize = 100_000;
/// Bytes that a section needs at least, and each of its keys. A section is never smaller, so that enough owners are kept.
const SECTION: usize = 180;
const KEY: usize = 60;
/// Bytes of a line of an index and of the list of other owners, and of a heading, besides the texts in it.
const LINE: usize = 40;
/// Maximum characters of a name.
const LABEL: usize = 100;

/// All owners so far.
pub(in crate::report::formats) struct Owners {
    /// Only keys that are findings, and no index.
    is_summary: bool,
    shown: TopN<Rank<Severity>, Owner>,
    counted: TopN<Rank<Severity>, CountedOwner>,
    count: u64,
    keys: u64,
}

/// An owner who may get a section. The rows are made again if the owner gets one.
struct Owner {
    counted: CountedOwner,
    organizations: OrganizationColumns,
    /// With all keys, because the plan depends on all of them.
    result: UserResult,
    /// The keys that are shown, worst first.
    shown: Vec<usize>,
}

/// An owner and the number of keys by severity.
struct CountedOwner {
    deployment: String,
    username: String,
    id: String,
    keys: [u64; Severity::ALL.len()],
}

/// An owner with the text of the section, and the bytes that the page and its indices need for it.
struct Section {
    owner: Owner,
    /// The keys as a template of a user has them. The built-in page needs only the text.
    keys: Value,
    text: String,
    link: String,
    size: usize,
    index_size: usize,
}

impl Owners {
    /// For pages of at most so many bytes. A summary has only keys that are findings, and no index.
    pub(in crate::report::formats) fn new(bytes: usize, is_summary: bool) -> Self {
        Self { is_summary, shown: TopN::new(bytes), counted: TopN::new(COUNTED), count: 0, keys: 0 }
    }

    /// Adds the rows of a user.
    pub(in crate::report::formats) fn add(&mut self, context: &RowContext, rows: &[Row]) {
        let all = rows.iter().filter_map(|row| row.key.as_ref().map(|key| (row, key))).enumerate();
        let shown = all.filter(|(_, (row, _))| row.is_finding || !self.is_summary);
        let mut keys: Vec<_> =
            shown.map(|(at, (row, (key, judged)))| (rank(judged.severity, key), at, row, judged)).collect();
        keys.sort_by_key(|(rank, ..)| *rank);
        let Some((worst, _, row, _)) = keys.first().copied() else { return };
        self.count += 1;
        self.keys += keys.len() as u64;
        let user = &row.result.user;
        let counted = || CountedOwner {
            deployment: context.run.deployment.clone(),
            username: user.username.clone().unwrap_or_default(),
            id: user.id_or_empty().to_owned(),
            keys: counts(keys.iter().map(|(.., judged)| judged.severity)),
        };
        if !self.shown.keeps(&worst) {
            self.count(worst, counted);
            return;
        }
        let owner = Owner {
            counted: counted(),
            organizations: row.organizations.clone(),
            result: row.result.clone(),
            shown: keys.iter().map(|(_, at, ..)| *at).collect(),
        };
        let size = owner.least_size(self.is_summary);
        for (rank, removed) in self.shown.insert(worst, size, owner) {
            self.count(rank, || removed.counted);
        }
    }

    fn count(&mut self, rank: Rank<Severity>, owner: impl FnOnce() -> CountedOwner) {
        if self.counted.keeps(&rank) {
            let owner = owner();
            self.counted.insert(rank, owner.size(), owner);
        }
    }

    /// What the template has of them, in at most so many bytes.
    pub(in crate::report::formats) fn into_value(
        self,
        environment: &Environment,
        report: &Report,
        bytes: usize,
    ) -> Result<Value, minijinja::Error> {
        let (mut sections, mut counted, mut used) = (Vec::new(), Vec::new(), 0);
        let template = environment.get_template(OWNER)?;
        let is_own_page = environment.get_template(NAME)?.source() != BUILT_IN;
        for owner in self.shown.into_values() {
            if used > bytes {
                counted.push(owner.counted);
                continue;
            }
            let mut section = Section::new(owner, &template, sections.len() + 1, report)?;
            if !is_own_page {
                section.keys = Value::default();
            }
            used += if self.is_summary { section.size } else { section.size + section.index_size };
            sections.push(section);
        }
        counted.extend(self.counted.into_values());
        let mut to_count: usize = counted.iter().map(CountedOwner::size).sum();
        let mut removed = Vec::new();
        while used + to_count.min(COUNTED) > bytes {
            let Some(section) = sections.pop() else { break };
            used -= if self.is_summary { section.size } else { section.size + section.index_size };
            to_count += section.owner.counted.size();
            removed.push(section.owner.counted);
        }
        removed.reverse();
        removed.extend(counted);
        let counted = fitting(removed, bytes - used.min(bytes));
        let listed = sections.iter().map(|it| &it.owner.counted).chain(&counted);
        let listed_keys: u64 = listed.map(CountedOwner::count).sum();
        let shown: u64 = sections.iter().map(|it| it.owner.counted.count()).sum();
        let uncounted = self.count - (sections.len() + counted.len()) as u64;
        let owners: Vec<_> = sections.iter().enumerate().map(|(at, it)| it.value(at + 1)).collect();
        Ok(context! {
            owners_by_name => by_name(&sections, &owners),
            owners_by_organization => by_organization(&sections, &owners),
            owners,
            owner_count => self.count,
            // Keys in all sections.
            shown,
            counted_owners => counted.iter().map(CountedOwner::value).collect::<Value>(),
            // Neither in a section nor counted by owner.
            more_owners => uncounted,
            more_keys => self.keys - listed_keys,
        })
    }
}

fn counts(severities: impl Iterator<Item = Severity>) -> [u64; Severity::ALL.len()] {
    let mut counts = [0; Severity::ALL.len()];
    severities.for_each(|severity| counts[severity as usize] += 1);
    counts
}

/// The first owners whose lines are at most so many bytes.
fn fitting(owners: Vec<CountedOwner>, bytes: usize) -> Vec<CountedOwner> {
    let mut left = bytes.min(COUNTED);
    let fits = |owner: &CountedOwner| {
        let size = owner.size();
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    };
    owners.into_iter().take_while(fits).collect()
}

impl Owner {
    /// A lower limit of the bytes that a page needs for it.
    fn least_size(&self, is_summary: bool) -> usize {
        let keys: usize = self.keys().map(|key| KEY + key.description.trim().len().min(LABEL)).sum();
        let name = self.counted.label().len().min(LABEL);
        let links = if is_summary { 0 } else { 1 + self.organizations().count() };
        SECTION + keys + name + links * 2 * name
    }

    /// Ids and names.
    fn organizations(&self) -> impl Iterator<Item = (&str, &str)> {
        let OrganizationColumns { ids, names } = &self.organizations;
        ids.split(';').zip(names.split(';')).filter(|(id, _)| !id.is_empty())
    }

    fn keys(&self) -> impl Iterator<Item = &PersonalKey> {
        self.shown.iter().filter_map(|at| self.result.keys.get(*at))
    }

    /// The keys as the template has them.
    fn rows(&self, report: &Report) -> Value {
        let name = &self.counted.deployment;
        let Some(Deployment { context, .. }) =
            report.deployments.iter().find(|it| it.context.run.deployment == *name)
        else {
            return Value::default();
        };
        let (result, plan, mut decisions) = (&self.result, LazyPlan::default(), Decisions::default());
        let now = report.now();
        let row = |key: &PersonalKey| {
            let waiver =
                context.gate.waivers.of_key(&key.id, name).map(|waiver| (waiver, waiver.status(now)));
            let key = Some((key, context.policy.judge(key)));
            let organizations = &self.organizations;
            let row = Row {
                result,
                organizations,
                plan: &plan,
                decided: OnceLock::new(),
                key,
                waiver,
                regression: None,
                is_finding: false,
            };
            decisions.row(self::row(context, &row), context, &row)
        };
        self.keys().map(row).collect()
    }
}

impl Section {
    fn new(
        owner: Owner,
        template: &minijinja::Template,
        number: usize,
        report: &Report,
    ) -> Result<Self, minijinja::Error> {
        let CountedOwner { deployment, username, id, .. } = &owner.counted;
        let names = owner.organizations().map(|(id, name)| if name.is_empty() { id } else { name });
        let (organizations, keys): (Vec<_>, _) = (names.map(str::to_owned).collect(), owner.rows(report));
        let several = report.deployments.len() > 1;
        let text = template
            .render(context! { deployment, username, id, organizations, keys => keys.clone(), several })?;
        let name = shortened(owner.counted.label(), LABEL);
        let (heading, name) = (format!("{number}. {}", heading(&name)), code_in_prose(&name));
        let link = match (anchor(&heading), name.is_empty()) {
            (Some(anchor), false) => format!("[{name}](#{anchor})"),
            (Some(anchor), true) => format!("[(no name)](#{anchor})"),
            (None, _) => format!("{number}. {name}"),
        };
        let by_organization = owner.organizations().count() * (link.len() + ", ".len());
        let by_name = link.len() + owner.counted.words().len() + LINE;
        let (size, index_size) = (text.len() + name.len() + LINE, by_name + by_organization);
        Ok(Self { owner, keys, text, link, size, index_size })
    }

    fn value(&self, number: usize) -> Value {
        let CountedOwner { deployment, username, id, .. } = &self.owner.counted;
        context! {
            number,
            deployment,
            username,
            id,
            keys => &self.keys,
            counts => self.owner.counted.words(),
            link => &self.link,
            section => &self.text,
        }
    }
}

/// The text of a name in a heading.
fn heading(name: &str) -> String {
    match printable(name).trim() {
        "" => "(no name)".to_owned(),
        name => name.to_owned(),
    }
}

fn by_name(sections: &[Section], owners: &[Value]) -> Value {
    let mut sorted: Vec<_> = sections.iter().zip(owners).collect();
    sorted
        .sort_by_cached_key(|(it, _)| (it.owner.counted.label().to_lowercase(), it.owner.counted.id.clone()));
    sorted.into_iter().map(|(_, owner)| owner.clone()).collect()
}

/// The owners of each organization; the organization of the worst owner first.
fn by_organization(sections: &[Section], owners: &[Value]) -> Value {
    let mut indices = BTreeMap::new();
    let mut organizations: Vec<(&str, (&str, &str), Vec<Value>)> = Vec::new();
    for (section, value) in sections.iter().zip(owners) {
        let deployment = section.owner.counted.deployment.as_str();
        for organization in section.owner.organizations() {
            let index = *indices.entry((deployment, organization)).or_insert(organizations.len());
            if index == organizations.len() {
                organizations.push((deployment, organization, Vec::new()));
            }
            organizations[index].2.push(value.clone());
        }
    }
    let organizations = organizations.into_iter();
    organizations.map(|(deployment, (id, name), owners)| context! { deployment, id, name, owners }).collect()
}

impl CountedOwner {
    fn label(&self) -> &str {
        if self.username.trim().is_empty() { &self.id } else { &self.username }
    }

    fn count(&self) -> u64 {
        self.keys.iter().sum()
    }

    /// An upper limit of the bytes of its line.
    fn size(&self) -> usize {
        LINE + [self.label(), &self.deployment]
            .map(|text| breakable_code(&shortened(text, LABEL)).len())
            .iter()
            .sum::<usize>()
    }

    /// `2 critical, 1 low`.
    fn words(&self) -> String {
        let counts = Severity::ALL.iter().zip(self.keys).filter(|(_, count)| *count > 0);
        counts.map(|(severity, count)| format!("{count} {severity}")).collect::<Vec<_>>().join(", ")
    }

    fn value(&self) -> Value {
        let Self { deployment, username, id, keys } = self;
        context! { deployment, username, id, keys => keys.to_vec() }
    }
}
