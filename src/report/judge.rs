//! From a user result to its rows: every key is classified and compared with the waivers, and is a finding or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use chrono::{DateTime, Utc};

use super::organizations::OrganizationColumns;
use super::{GatePolicy, LazyPlan, Row, RunContext};
use crate::model::{IncompleteList, UserResult};
use crate::store;
use crate::waivers::{Target, Waiver, WaiverStatus};

named! {
    /// The problem of a waiver.
    pub enum WaiverIssueKind {
        /// Its last day has passed: it is no longer in effect
        Expired = "expired",
        /// It is in effect, and its last day is within 14 days
        Ending = "ending",
        /// It matches no key, no unread user and no incomplete list of this report
        Unmatched = "unmatched",
        /// It names no deployment and applies to several, although it may have been meant for one
        SeveralDeployments = "several-deployments",
    }
}

/// A waiver with a problem.
pub struct WaiverIssue<'a> {
    /// The waiver.
    pub waiver: &'a Waiver,
    /// Its problem.
    pub kind: WaiverIssueKind,
    /// Days until its last day has passed; negative if it has.
    pub days_left: i64,
}

/// An incomplete list of users.
pub struct JudgedList<'a> {
    /// The list and the reason.
    pub list: IncompleteList,
    /// The waiver of its organization, and its status.
    pub waiver: Option<(&'a Waiver, WaiverStatus)>,
}

impl JudgedList<'_> {
    /// Whether it has an active waiver.
    #[must_use]
    pub fn is_waived(&self) -> bool {
        counts(self.waiver)
    }
}

/// Whether there is an active waiver.
pub(super) fn counts(waiver: Option<(&Waiver, WaiverStatus)>) -> bool {
    waiver.is_some_and(|(_, status)| status != WaiverStatus::Expired)
}

/// Makes the rows of all deployments, and records which waivers matched.
pub(super) struct Judge<'a> {
    rules: GatePolicy<'a>,
    /// The time that waivers are compared with, for all deployments: the latest start of a run.
    now: DateTime<Utc>,
    /// The waivers that matched, and in which deployments.
    met: BTreeMap<Entry<'a>, BTreeSet<String>>,
}

/// What distinguishes a waiver from all others of its file.
type Entry<'a> = (u64, &'a Target, Option<&'a str>);

fn entry(waiver: &Waiver) -> Entry<'_> {
    (waiver.line, &waiver.target, waiver.deployment.as_deref())
}

impl<'a> Judge<'a> {
    pub(super) fn new(rules: GatePolicy<'a>, now: DateTime<Utc>) -> Self {
        Self { rules, now, met: BTreeMap::new() }
    }

    pub(super) fn gate(&self) -> GatePolicy<'a> {
        self.rules
    }

    /// An incomplete list with its waiver. `name` is the name of its organization, if known.
    pub(super) fn list(
        &mut self,
        list: IncompleteList,
        name: Option<&str>,
        deployment: &str,
    ) -> JudgedList<'a> {
        let of = |id: &String| self.rules.waivers.of_organization(id, name, deployment);
        let waiver = list.org_id.as_ref().and_then(of);
        JudgedList { waiver: self.meet(waiver, deployment), list }
    }

    /// The rows of one user: one if the user was not read completely or has no keys, and one for each key.
    pub(super) fn rows<'r>(
        &mut self,
        result: &'r UserResult,
        organizations: &'r OrganizationColumns,
        plan: &'r LazyPlan,
        context: &RunContext,
    ) -> impl Iterator<Item = Result<Row<'r>, store::Error>>
    where
        'a: 'r,
    {
        let (deployment, policy, ratchet) = (&context.run.deployment, context.policy, context.ratchet);
        let unread = !result.outcome.status.is_complete();
        let alone = result.keys.is_empty() || unread;
        let user = alone.then(|| {
            let waiver = unread.then(|| self.rules.waivers.of_user(&result.user, deployment)).flatten();
            let waiver = self.meet(waiver, deployment);
            let (key, regression, decided) = (None, None, OnceLock::new());
            Ok(Row { result, organizations, plan, decided, key, waiver, regression, is_finding: false })
        });
        let keys = result.keys.iter().map(move |key| {
            let judged = policy.judge(key);
            let regression = match ratchet {
                Some(ratchet) => ratchet.regression(&key.id, judged.severity)?,
                None => None,
            };
            let waiver = self.meet(self.rules.waivers.of_key(&key.id, deployment), deployment);
            // What a waiver covered counts again at its end, however long the key has been there.
            let expired = waiver.is_some_and(|(_, status)| status == WaiverStatus::Expired);
            let counts = ratchet.is_none() || regression.is_some() || expired;
            let counts = counts && self.rules.fail_on.counts(key, judged.verdict, judged.severity);
            let key = Some((key, judged));
            let decided = OnceLock::new();
            let mut row =
                Row { result, organizations, plan, decided, key, waiver, regression, is_finding: false };
            row.is_finding = counts && !row.is_waived();
            Ok(row)
        });
        user.into_iter().chain(keys)
    }

    fn meet(&mut self, waiver: Option<&'a Waiver>, deployment: &str) -> Option<(&'a Waiver, WaiverStatus)> {
        let waiver = waiver?;
        let locator = self.met.entry(entry(waiver)).or_default();
        if !locator.contains(deployment) {
            locator.insert(deployment.to_owned());
        }
        Some((waiver, waiver.status(self.now)))
    }

    /// The waivers with a problem, in the order of their file. Call it after all rows.
    pub(super) fn waiver_issues(&self) -> Vec<WaiverIssue<'a>> {
        let issue = |waiver: &'a Waiver| {
            let met = self.met.get(&entry(waiver)).map_or(0, BTreeSet::len);
            let kind = match waiver.status(self.now) {
                _ if met == 0 => WaiverIssueKind::Unmatched,
                WaiverStatus::Expired => WaiverIssueKind::Expired,
                _ if met > 1 => WaiverIssueKind::SeveralDeployments,
                WaiverStatus::Ending => WaiverIssueKind::Ending,
                WaiverStatus::Active => return None,
            };
            Some(WaiverIssue { waiver, kind, days_left: waiver.days_left(self.now) })
        };
        self.rules.waivers.iter().filter_map(issue).collect()
    }
}
