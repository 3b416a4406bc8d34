//! From a user result to its rows: every key is classified and compared with the waivers, and is a finding or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use chrono::{DateTime, Utc};

use super::organizations::OrganizationColumns;
use super::{GatePolicy, LazyPlan, Row, RunContext};
use crate::model::{IncompleteList, UserResult};
use crate::policy::Judgement;
use crate::ratchet::Regression;
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

/// A user with what the policy, the gate and the waivers say.
pub(super) struct JudgedUser<'a> {
    pub(super) result: UserResult,
    organizations: OrganizationColumns,
    plan: LazyPlan,
    rows: Vec<JudgedRow<'a>>,
}

/// What is said of a key, or of a user without one.
struct JudgedRow<'a> {
    judged: Option<Judgement>,
    waiver: Option<(&'a Waiver, WaiverStatus)>,
    regression: Option<Regression>,
    is_finding: bool,
}

impl JudgedUser<'_> {
    /// The rows of the user.
    pub(super) fn rows<'r>(&'r self) -> Vec<Row<'r>> {
        let Self { result, organizations, plan, rows } = self;
        // A row without a judgement comes first, and has no key.
        let mut keys = result.keys.iter();
        let row = |JudgedRow { judged, waiver, regression, is_finding }: &'r JudgedRow| Row {
            result,
            organizations,
            plan,
            decided: OnceLock::new(),
            key: judged.as_ref().and_then(|judged| Some((keys.next()?, judged))),
            waiver: *waiver,
            regression: *regression,
            is_finding: *is_finding,
        };
        rows.iter().map(row).collect()
    }
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

    /// What counts for one user: one row if the user was not read completely or has no keys, and one for each key.
    ///
    /// # Errors
    /// What the databases say.
    pub(super) fn user(
        &mut self,
        result: UserResult,
        organizations: OrganizationColumns,
        context: &RunContext,
    ) -> Result<JudgedUser<'a>, store::Error> {
        let (deployment, policy, ratchet) = (&context.run.deployment, context.policy, context.ratchet);
        let unread = !result.outcome.status.is_complete();
        let mut rows = Vec::with_capacity(result.keys.len().max(1));
        if result.keys.is_empty() || unread {
            let waiver = unread.then(|| self.rules.waivers.of_user(&result.user, deployment)).flatten();
            let waiver = self.meet(waiver, deployment);
            rows.push(JudgedRow { judged: None, waiver, regression: None, is_finding: false });
        }
        for key in &result.keys {
            let judged = policy.judge(key);
            let regression = match ratchet {
                Some(ratchet) => ratchet.regression(&key.id, judged.severity)?,
                None => None,
            };
            let waiver = self.meet(self.rules.waivers.of_key(&key.id, deployment), deployment);
            // What a waiver covered counts again at its end, however long the key has been there.
            let expired = waiver.is_some_and(|(_, status)| status == WaiverStatus::Expired);
            let is_finding = (ratchet.is_none() || regression.is_some() || expired)
                && self.rules.fail_on.counts(key, judged.verdict, judged.severity)
                && !counts(waiver);
            rows.push(JudgedRow { judged: Some(judged), waiver, regression, is_finding });
        }
        Ok(JudgedUser { result, organizations, plan: LazyPlan::default(), rows })
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
