//! The owners of keys, worst first: each is a section with all keys, as many as fit a page. The others are counted.
//!
//! Memory is bounded by the bytes of a page, however many owners there are.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use minijinja::value::Value;
use minijinja::{Environment, Template, context};

use super::anchor::anchor;
use super::page::row;
use super::plan::Decisions;
use super::section::{OwnerNames, section};
use super::{BUILT_IN, BUILT_IN_OWNER, NAME, OWNER};
use crate::model::{PersonalKey, UserResult};
use crate::output::text::{breakable_code_len, code_in_prose, printable, shortened};
use crate::policy::Severity;
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::{LazyPlan, OrganizationColumns, Report, Row, RowContext};

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
    /// The name of the last deployment.
    deployment: Arc<str>,
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
    deployment: Arc<str>,
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
        let (shown, counted, deployment) = (TopN::new(bytes), TopN::new(COUNTED), Arc::from(""));
        Self { is_summary, shown, counted, count: 0, keys: 0, deployment }
    }

    /// Adds the rows of a user.
    pub(in crate::report::formats) fn add(&mut self, context: &RowContext, rows: &[Row]) {
        let keys = rows.iter().filter_map(|row| row.key.as_ref().map(|key| (row, key))).enumerate();
        let keys = keys.filter(|(_, (row, _))| row.is_finding || !self.is_summary);
        let keys = keys.map(|(at, (_, (key, judged)))| (rank(judged.severity, key), at));
        let Some((worst, _)) = keys.clone().min() else { return };
        self.count += 1;
        self.keys += keys.clone().count() as u64;
        if !self.shown.keeps(&worst) && !self.counted.keeps(&worst) {
            return;
        }
        let mut keys: Vec<_> = keys.collect();
        keys.sort_by_key(|(rank, _)| *rank);
        let Row { result, organizations, .. } = &rows[0];
        let counted = CountedOwner {
            deployment: shared(&mut self.deployment, &context.run.deployment),
            username: result.user.username.clone().unwrap_or_default(),
            id: result.user.id_or_empty().to_owned(),
            keys: counts(keys.iter().map(|((severity, _), _)| *severity)),
        };
        if !self.shown.keeps(&worst) {
            self.count(worst, counted);
            return;
        }
        let owner = Owner {
            counted,
            organizations: (*organizations).clone(),
            result: (*result).clone(),
            shown: keys.iter().map(|(_, at)| *at).collect(),
        };
        let size = owner.least_size(self.is_summary);
        for (rank, removed) in self.shown.insert(worst, size, owner) {
            self.count(rank, removed.counted);
        }
    }

    fn count(&mut self, rank: Rank<Severity>, owner: CountedOwner) {
        if self.counted.keeps(&rank) {
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
        let template = (template.source() != BUILT_IN_OWNER).then_some(template);
        let is_own_page = environment.get_template(NAME)?.source() != BUILT_IN;
        for owner in self.shown.into_values() {
            if used > bytes {
                counted.push(owner.counted);
                continue;
            }
            let section = Section::new(owner, template.as_ref(), is_own_page, sections.len() + 1, report)?;
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

/// A text, in the memory of the last one if it is the same.
fn shared(last: &mut Arc<str>, text: &str) -> Arc<str> {
    if **last != *text {
        *last = Arc::from(text);
    }
    Arc::clone(last)
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

    /// The rows of the keys.
    fn rows<'a>(
        &'a self,
        plan: &'a LazyPlan,
        context: &'a RowContext,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Row<'a>> {
        let (result, organizations) = (&self.result, &self.organizations);
        self.keys().map(move |key| {
            let waiver = context.gate.waivers.of_key(&key.id, &self.counted.deployment);
            let waiver = waiver.map(|waiver| (waiver, waiver.status(now)));
            let (key, decided, regression) = (Some((key, context.policy.judge(key))), OnceLock::new(), None);
            Row { result, organizations, plan, decided, key, waiver, regression, is_finding: false }
        })
    }
}

impl Section {
    /// `template` is one of a user in place of the built-in section; such a page has the keys, too.
    fn new(
        owner: Owner,
        template: Option<&Template>,
        is_own_page: bool,
        number: usize,
        report: &Report,
    ) -> Result<Self, minijinja::Error> {
        let CountedOwner { deployment, username, id, .. } = &owner.counted;
        let names = owner.organizations().map(|(id, name)| if name.is_empty() { id } else { name });
        let organizations: Vec<_> = names.map(str::to_owned).collect();
        let (mut keys, mut text, several) = (Value::default(), String::new(), report.deployments.len() > 1);
        if let Some(it) = report.deployments.iter().find(|it| *it.context.run.deployment == **deployment) {
            let (context, plan) = (&it.context, LazyPlan::default());
            let rows: Vec<_> = owner.rows(&plan, context, report.now()).collect();
            if template.is_some() || is_own_page {
                let mut decisions = Decisions::default();
                keys = rows.iter().map(|it| decisions.row(row(context, it), context, it)).collect();
            }
            let shown = several.then_some(&**deployment);
            let names = OwnerNames { id, deployment: shown, organizations: &organizations };
            text = match template {
                None => section(&names, &rows, context),
                Some(template) => {
                    let (deployment, keys) = (&**deployment, keys.clone());
                    template.render(context! { deployment, username, id, organizations, keys, several })?
                }
            };
        }
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
            deployment => &**deployment,
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
        let deployment = &*section.owner.counted.deployment;
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
        let cell = |text: &str| match text.len() {
            0..LABEL => breakable_code_len(text),
            LABEL.. => breakable_code_len(&shortened(text, LABEL)),
        };
        LINE + cell(self.label()) + cell(&self.deployment)
    }

    /// `2 critical, 1 low`.
    fn words(&self) -> String {
        let counts = Severity::ALL.iter().zip(self.keys).filter(|(_, count)| *count > 0);
        counts.map(|(severity, count)| format!("{count} {severity}")).collect::<Vec<_>>().join(", ")
    }

    fn value(&self) -> Value {
        let Self { deployment, username, id, keys } = self;
        context! { deployment => &**deployment, username, id, keys => keys.to_vec() }
    }
}
