//! From a reading to its rows: every key judged, held against the waivers, and found or not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::organizations::OrganizationColumns;
use super::{GatePolicy, Row, RunContext};
use crate::model::{IncompleteList, UserResult};
use crate::store;
use crate::waivers::{Target, Waiver, WaiverStatus};

named! {
    /// What there is to say of a waiver.
    pub enum WaiverIssueKind {
        /// It has ended, and no longer counts
        Expired = "expired",
        /// It counts, and ends within 14 days
        Ending = "ending",
        /// What it names is no key of this report, no user who could not be read, and no organization that could not be listed
        Unmatched = "unmatched",
        /// It names no deployment, and counts in several: what was agreed on for one holds in all
        SeveralDeployments = "several-deployments",
    }
}

/// A waiver of which something has to be said.
pub struct WaiverIssue<'a> {
    /// Which.
    pub waiver: &'a Waiver,
    /// What.
    pub kind: WaiverIssueKind,
    /// Days until its last day has passed; negative: since.
    pub days_left: i64,
}

/// A list of users that was not read to its end.
pub struct JudgedList<'a> {
    /// Which, and why.
    pub list: IncompleteList,
    /// The waiver of its organization, and whether it still counts.
    pub waiver: Option<(&'a Waiver, WaiverStatus)>,
}

impl JudgedList<'_> {
    /// Whether a waiver counts for it.
    #[must_use]
    pub fn is_waived(&self) -> bool {
        counts(self.waiver)
    }
}

/// Whether there is a waiver that still counts.
pub(super) fn counts(waiver: Option<(&Waiver, WaiverStatus)>) -> bool {
    waiver.is_some_and(|(_, status)| status != WaiverStatus::Expired)
}

/// Judges the rows of all deployments, and remembers which waivers were met.
pub(super) struct Judge<'a> {
    rules: GatePolicy<'a>,
    /// By what counts for waivers, whatever the deployment: the latest start of a run.
    now: DateTime<Utc>,
    /// The waivers that were met, and in which deployments.
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

    /// A list that was not read to its end, of an organization of this name as far as that is known.
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

    /// The rows of one user of a run: one that says what was not read or that there is nothing, and one a key.
    pub(super) fn rows<'r>(
        &mut self,
        result: &'r UserResult,
        organizations: &'r OrganizationColumns,
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
            Ok(Row { result, organizations, key: None, waiver, regression: None, is_finding: false })
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
            let counts = counts && self.rules.fail_on.counts(key, &judged);
            let key = Some((key, judged));
            let mut row = Row { result, organizations, key, waiver, regression, is_finding: false };
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

    /// What there is to say of the waivers, in the order of their file, once all rows have passed.
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
