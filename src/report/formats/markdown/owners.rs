//! The owners of keys, worst first: each is a section with all keys, as many as fit a page. The others are counted.
//!
//! Memory is bounded by the bytes of a page, however many owners there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{Environment, context};

use super::anchor::anchor;
use super::page::row;
use super::plan::Decisions;
use super::section::{OwnerNames, section};
use super::{BUILT_IN, BUILT_IN_OWNER, NAME, OWNER};
use crate::output::text::{breakable_code_len, code_in_prose, printable, shortened};
use crate::policy::Severity;
use crate::report::top_n::{Rank, TopN, rank};
use crate::report::{OrganizationColumns, Row, RowContext};

/// Maximum bytes of the list of owners without a section.
const COUNTED: usize = 100_000;
/// Bytes of a line of an index and of the list of other owners, and of a heading, besides the texts in it.
const LINE: usize = 40;
/// Maximum characters of a name.
const LABEL: usize = 100;

/// All owners so far.
pub(in crate::report::formats) struct Owners {
    /// Only keys that are findings, and no index.
    is_summary: bool,
    /// Whether a template of the user replaces the built-in section or page.
    has_own_section: bool,
    has_own_page: bool,
    shown: TopN<OwnerRank, Owner>,
    counted: TopN<OwnerRank, CountedOwner>,
    count: u64,
    keys: u64,
    /// The name of the last deployment.
    deployment: Arc<str>,
}

/// That of the worst key, and the number of the owner, since many keys have the same rank.
type OwnerRank = (Rank<Severity>, u64);

/// An owner with the section of the page, which needs less memory than what it is made from.
struct Owner {
    counted: CountedOwner,
    organizations: OrganizationColumns,
    section: String,
    /// The keys as a template of the user has them. The built-in page needs only the section.
    keys: Value,
}

/// An owner and the number of keys by severity.
struct CountedOwner {
    deployment: Arc<str>,
    username: String,
    id: String,
    keys: [u64; Severity::ALL.len()],
}

/// An owner on the page, with the link to the section, and the bytes that the page and its indices need for it.
struct Section {
    owner: Owner,
    link: String,
    size: usize,
}

impl Owners {
    /// For pages of at most so many bytes. A summary has only keys that are findings, and no index.
    pub(in crate::report::formats) fn new(
        environment: &Environment,
        bytes: usize,
        is_summary: bool,
    ) -> Result<Self, minijinja::Error> {
        Ok(Self {
            is_summary,
            has_own_section: environment.get_template(OWNER)?.source() != BUILT_IN_OWNER,
            has_own_page: environment.get_template(NAME)?.source() != BUILT_IN,
            shown: TopN::new(bytes),
            counted: TopN::new(COUNTED),
            count: 0,
            keys: 0,
            deployment: Arc::from(""),
        })
    }

    /// Adds the rows of a user.
    pub(in crate::report::formats) fn add(
        &mut self,
        environment: &Environment,
        context: &RowContext,
        rows: &[Row],
    ) -> Result<(), minijinja::Error> {
        let keys = rows.iter().filter_map(|row| row.key.as_ref().map(|key| (row, key)));
        let keys = keys.filter(|(row, _)| row.is_finding || !self.is_summary);
        let mut keys: Vec<_> =
            keys.map(|(row, (key, judged))| (rank(judged.severity, key), judged.severity, row)).collect();
        keys.sort_by_key(|(rank, ..)| *rank);
        let Some((worst, _, first)) = keys.first() else { return Ok(()) };
        self.count += 1;
        self.keys += keys.len() as u64;
        let rank = (*worst, self.count);
        if !self.shown.keeps(&rank) && !self.counted.keeps(&rank) {
            return Ok(());
        }
        let counted = CountedOwner {
            deployment: shared(&mut self.deployment, &context.run.deployment),
            username: first.result.user.username.clone().unwrap_or_default(),
            id: first.result.user.id_or_empty().to_owned(),
            keys: counts(keys.iter().map(|(_, severity, _)| *severity)),
        };
        if !self.shown.keeps(&rank) {
            self.count(rank, counted);
            return Ok(());
        }
        let rows: Vec<_> = keys.into_iter().map(|(.., row)| row).collect();
        let owner = self.owner(environment, context, counted, &rows)?;
        let size = owner.least_size(self.is_summary);
        for (rank, removed) in self.shown.insert(rank, size, owner) {
            self.count(rank, removed.counted);
        }
        Ok(())
    }

    fn owner(
        &self,
        environment: &Environment,
        context: &RowContext,
        counted: CountedOwner,
        rows: &[&Row],
    ) -> Result<Owner, minijinja::Error> {
        let organizations = rows.first().map(|row| row.organizations.clone()).unwrap_or_default();
        let mut owner = Owner { counted, organizations, section: String::new(), keys: Value::default() };
        let names = owner.organizations().map(|(id, name)| if name.is_empty() { id } else { name });
        let organizations: Vec<_> = names.map(str::to_owned).collect();
        if self.has_own_section || self.has_own_page {
            let mut decisions = Decisions::default();
            owner.keys = rows.iter().map(|it| decisions.row(row(context, it), context, it)).collect();
        }
        let CountedOwner { deployment, username, id, .. } = &owner.counted;
        owner.section = if self.has_own_section {
            let (deployment, keys, several) = (&**deployment, &owner.keys, context.is_one_of_several);
            environment
                .get_template(OWNER)?
                .render(context! { deployment, username, id, organizations, keys, several })?
        } else {
            let deployment = context.is_one_of_several.then_some(&**deployment);
            section(&OwnerNames { id, deployment, organizations: &organizations }, rows, context)
        };
        Ok(owner)
    }

    fn count(&mut self, rank: OwnerRank, owner: CountedOwner) {
        if self.counted.keeps(&rank) {
            self.counted.insert(rank, owner.size(), owner);
        }
    }

    /// What the template has of them, in at most so many bytes.
    pub(in crate::report::formats) fn into_value(self, bytes: usize) -> Value {
        let (mut sections, mut counted, mut used) = (Vec::new(), Vec::new(), 0);
        for owner in self.shown.into_values() {
            if used > bytes {
                counted.push(owner.counted);
                continue;
            }
            let section = Section::new(owner, sections.len() + 1, self.is_summary);
            used += section.size;
            sections.push(section);
        }
        counted.extend(self.counted.into_values());
        let mut to_count: usize = counted.iter().map(CountedOwner::size).sum();
        let mut removed = Vec::new();
        while used + to_count.min(COUNTED) > bytes {
            let Some(section) = sections.pop() else { break };
            used -= section.size;
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
        context! {
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
        }
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
        let name = self.counted.label().len().min(LABEL);
        let indices = if is_summary { 0 } else { LINE + (1 + self.organizations().count()) * name };
        self.section.len() + name + LINE + indices
    }

    /// Ids and names.
    fn organizations(&self) -> impl Iterator<Item = (&str, &str)> {
        let OrganizationColumns { ids, names } = &self.organizations;
        ids.split(';').zip(names.split(';')).filter(|(id, _)| !id.is_empty())
    }
}

impl Section {
    fn new(owner: Owner, number: usize, is_summary: bool) -> Self {
        let name = shortened(owner.counted.label(), LABEL);
        let (heading, name) = (format!("{number}. {}", heading(&name)), code_in_prose(&name));
        let link = match (anchor(&heading), name.is_empty()) {
            (Some(anchor), false) => format!("[{name}](#{anchor})"),
            (Some(anchor), true) => format!("[(no name)](#{anchor})"),
            (None, _) => format!("{number}. {name}"),
        };
        let mut size = owner.section.len() + name.len() + LINE;
        if !is_summary {
            let by_organization = owner.organizations().count() * (link.len() + ", ".len());
            size += by_organization + link.len() + owner.counted.words().len() + LINE;
        }
        Self { owner, link, size }
    }

    fn value(&self, number: usize) -> Value {
        let Owner { counted, keys, section, .. } = &self.owner;
        context! {
            number,
            deployment => &*counted.deployment,
            username => &counted.username,
            id => &counted.id,
            keys,
            counts => counted.words(),
            link => &self.link,
            section,
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
