//! How far replacements are: from planned to the end of the personal keys that they replace. The tag of a programmatic key names
//! the owner, and with `--per key` the personal key. The service does not show whether a programmatic key is used, so nothing
//! here claims that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::inventory::Inventory;
use super::rights::RoleTargets;
use crate::inventory::TAG;
use crate::model::{Origin, PersonalKey, User, UserResult, object_id};
use crate::policy::{Policy, Verdict};
use crate::store::{Error, Run, Store};

/// Days without a use after which an old key counts as silent: the default of `plan --verify-days`.
pub(crate) const SILENT_DAYS: i64 = 14;

named! {
    /// How far a replacement is.
    pub(crate) enum ReplacementState {
        /// The plan has it, and it is not created yet
        Planned = "planned",
        /// It is created, and an old key is in use, or its last use is unknown
        Created = "created",
        /// It is created, and no enabled old key was used in the last 14 days
        Silent = "silent",
        /// It is created, and all old keys are disabled
        Disabled = "disabled",
        /// It is created, and no old key is left
        Gone = "gone",
        /// Something about it was not read
        Unknown = "unknown",
    }
}

/// Where a replacement counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Target {
    /// The id of an organization.
    Organization(String),
    Deployment,
    /// The roles of the owner are unknown.
    Unknown,
}

/// A replacement of an owner: where it counts, and with `--per key` the id of the personal key.
type ReplacementId = (Target, Option<String>);

/// How many replacements of a run are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress([u64; ReplacementState::ALL.len()]);

impl Progress {
    pub(crate) fn count(&self, state: ReplacementState) -> u64 {
        self.0[state as usize]
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Of a stored run; `None` where it did not read any list of programmatic keys. Waivers do not count here.
    pub(crate) fn of_run(store: &Store, run: &Run, policy: &Policy) -> Result<Option<Self>, Error> {
        let inventory = Inventory::read(store, run)?;
        let Some(mut counter) = ProgressCounter::new(&inventory, policy) else { return Ok(None) };
        store.results_used_since(run, policy.cutoff, |result| {
            counter.add(&result);
            Ok::<_, Error>(())
        })?;
        for id in counter.unseen.clone() {
            let user = User { id: Some(id.to_owned()), username: None, origin: Origin::default() };
            if let Some(result) = store.result_of(run, &user)? {
                counter.add(&result);
            }
        }
        Ok(Some(counter.finish()))
    }
}

/// Without the states that no replacement is in.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let states = ReplacementState::ALL.iter().filter(|state| self.count(**state) > 0);
        let each: Vec<_> = states.map(|state| format!("{} {state}", self.count(*state))).collect();
        f.write_str(&each.join(", "))
    }
}

/// Counts the replacements of a run, owner by owner.
pub(crate) struct ProgressCounter<'a> {
    states: OwnerStates<'a>,
    /// The ids of owners in tags who were not added yet.
    unseen: BTreeSet<&'a str>,
    progress: Progress,
}

impl<'a> ProgressCounter<'a> {
    /// `None` where the run did not read any list of programmatic keys.
    pub(crate) fn new(inventory: &'a Inventory, policy: &Policy) -> Option<Self> {
        let states = OwnerStates::new(inventory, policy)?;
        let unseen = states.by_owner.keys().copied().collect();
        Some(Self { states, unseen, progress: Progress::default() })
    }

    /// Adds a user; all others without a tag and without a use since the cutoff may be left out.
    pub(crate) fn add(&mut self, result: &UserResult) {
        let id = result.user.id_or_empty().to_ascii_lowercase();
        if !self.states.by_owner.contains_key(&*id) || self.unseen.remove(&*id) {
            for state in self.states.of(result).into_values() {
                self.progress.0[state as usize] += 1;
            }
        }
    }

    /// The owners of tags who were not added are not users of the run: their keys are unknown.
    pub(crate) fn finish(mut self) -> Progress {
        let unseen = self.unseen.iter().filter_map(|id| self.states.by_owner.get(id)).map(Vec::len);
        self.progress.0[ReplacementState::Unknown as usize] += unseen.sum::<usize>() as u64;
        self.progress
    }
}

/// What became of replacements from one run to a later one.
pub(crate) struct ProgressDiff<'a> {
    before: Option<ProgressCounter<'a>>,
    after: Option<ProgressCounter<'a>>,
    moves: BTreeMap<Move, u64>,
}

/// The states in the earlier and in the later run; `None` where a run does not have the replacement.
pub(crate) type Move = (Option<ReplacementState>, Option<ReplacementState>);

/// The result of [`ProgressDiff`].
pub(crate) struct Moves {
    /// `None` where the run did not read any list of programmatic keys.
    pub(crate) before: Option<Progress>,
    pub(crate) after: Option<Progress>,
    /// How many replacements changed their state; `None` where one of the runs does not show states.
    pub(crate) counts: Option<BTreeMap<Move, u64>>,
}

impl<'a> ProgressDiff<'a> {
    pub(crate) fn new(before: (&'a Inventory, &Policy), after: (&'a Inventory, &Policy)) -> Self {
        let counter = |(inventory, policy)| ProgressCounter::new(inventory, policy);
        Self { before: counter(before), after: counter(after), moves: BTreeMap::new() }
    }

    /// Adds a user of one of the runs at least.
    pub(crate) fn add(&mut self, before: Option<&UserResult>, after: Option<&UserResult>) {
        let Some(id) = after.or(before).map(|result| result.user.id_or_empty().to_ascii_lowercase()) else {
            return;
        };
        let states = [(&mut self.before, before), (&mut self.after, after)].map(|(counter, result)| {
            let counter = counter.as_mut()?;
            if let Some(result) = result {
                counter.add(result);
            }
            Some(result.map_or_else(|| counter.states.of_missing(&id), |result| counter.states.of(result)))
        });
        let [Some(before), Some(after)] = states else { return };
        let ids: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for id in ids {
            let states = (before.get(id).copied(), after.get(id).copied());
            if states.0 != states.1 {
                *self.moves.entry(states).or_default() += 1;
            }
        }
    }

    pub(crate) fn finish(self) -> Moves {
        let has_both = self.before.is_some() && self.after.is_some();
        Moves {
            before: self.before.map(ProgressCounter::finish),
            after: self.after.map(ProgressCounter::finish),
            counts: has_both.then_some(self.moves),
        }
    }
}

/// The states of the replacements of an owner.
struct OwnerStates<'a> {
    inventory: &'a Inventory,
    policy: Policy,
    /// The replacements that are created, by the id of their owner.
    by_owner: HashMap<&'a str, Vec<ReplacementId>>,
}

impl<'a> OwnerStates<'a> {
    fn new(inventory: &'a Inventory, policy: &Policy) -> Option<Self> {
        if !inventory.has_key_lists() {
            return None;
        }
        let mut by_owner: HashMap<_, Vec<_>> = HashMap::new();
        for (org_id, tag) in inventory.tags() {
            let Some((owner, key)) = parse(tag) else { continue };
            by_owner.entry(owner).or_default().push((target(org_id), key.map(str::to_owned)));
        }
        Some(Self { inventory, policy: *policy, by_owner })
    }

    /// Each once.
    fn of(&self, result: &UserResult) -> BTreeMap<ReplacementId, ReplacementState> {
        let id = result.user.id_or_empty().to_ascii_lowercase();
        let created = self.by_owner.get(&*id).map_or(&[][..], Vec::as_slice);
        let states = created.iter().map(|it| (it.clone(), self.created_state(result, it.1.as_deref())));
        let mut states: BTreeMap<_, _> = states.collect();
        self.add_planned(result, created, &mut states);
        states
    }

    /// Of an owner who is no user of the run.
    fn of_missing(&self, id: &str) -> BTreeMap<ReplacementId, ReplacementState> {
        let created = self.by_owner.get(id).into_iter().flatten();
        created.map(|it| (it.clone(), ReplacementState::Unknown)).collect()
    }

    fn created_state(&self, result: &UserResult, key_id: Option<&str>) -> ReplacementState {
        if !result.outcome.status.is_complete() {
            return ReplacementState::Unknown;
        }
        let is_of = |key: &&PersonalKey| key_id.is_none_or(|id| id.eq_ignore_ascii_case(&key.id));
        let old: Vec<_> = result.keys.iter().filter(is_of).filter(|key| self.is_replaced(key)).collect();
        let mut enabled = old.iter().filter(|key| key.is_enabled()).peekable();
        if old.is_empty() {
            ReplacementState::Gone
        } else if enabled.peek().is_none() {
            ReplacementState::Disabled
        } else if enabled.all(|key| self.is_silent(key)) {
            ReplacementState::Silent
        } else {
            ReplacementState::Created
        }
    }

    /// Whether a replacement is for this key: it was used after the cutoff, or that is unknown.
    fn is_replaced(&self, key: &PersonalKey) -> bool {
        match self.policy.verdict(key) {
            Verdict::UsedAfterCutoff | Verdict::UsageUnknown => true,
            Verdict::NotUsedSinceCutoff | Verdict::NeverUsed => key.auditing,
        }
    }

    fn is_silent(&self, key: &PersonalKey) -> bool {
        key.last_use().is_some_and(|last| self.policy.days_since(last) >= SILENT_DAYS)
    }

    /// The replacements that the plan has and that are not created: those without a decision of a person.
    fn add_planned(
        &self,
        result: &UserResult,
        created: &[ReplacementId],
        states: &mut BTreeMap<ReplacementId, ReplacementState>,
    ) {
        let is_needed = |key: &&PersonalKey| {
            key.is_enabled() && (key.auditing || self.policy.verdict(key) == Verdict::UsedAfterCutoff)
        };
        let keys: Vec<_> = result.keys.iter().filter(is_needed).collect();
        if keys.is_empty() {
            return;
        }
        let complete = Some(&result.user).filter(|_| result.outcome.status.is_complete());
        let Some(Ok(roles)) = complete.map(|user| RoleTargets::of(user, self.inventory)) else {
            if created.is_empty() {
                states.insert((Target::Unknown, None), ReplacementState::Unknown);
            }
            return;
        };
        let global = roles.is_global.then_some(None);
        for org_id in roles.organizations.into_iter().map(Some).chain(global) {
            let target = target(org_id);
            let has = |key: Option<&PersonalKey>| {
                let is_same = |id: &str| key.is_some_and(|key| key.id.eq_ignore_ascii_case(id));
                let mut created = created.iter().filter(|(it, _)| *it == target);
                created.any(|(_, id)| id.as_deref().map_or(key.is_none(), is_same))
            };
            if has(None) || keys.iter().all(|key| has(Some(key))) {
                continue;
            }
            let is_known = self.inventory.knows_all_replacements(org_id);
            let state = if is_known { ReplacementState::Planned } else { ReplacementState::Unknown };
            states.insert((target, None), state);
        }
    }
}

fn target(org_id: Option<&str>) -> Target {
    org_id.map_or(Target::Deployment, |id| Target::Organization(id.to_owned()))
}

/// The ids of the owner and of the personal key in a tag; `None` for a description of another origin.
fn parse(tag: &str) -> Option<(&str, Option<&str>)> {
    let ids = tag.strip_prefix(TAG)?;
    let (owner, key) = ids.split_once(':').map_or((ids, None), |(owner, key)| (owner, Some(key)));
    let is_id = |id: &str| object_id(id).as_deref() == Some(id);
    (is_id(owner) && key.is_none_or(is_id)).then_some((owner, key))
}
