//! From a reading to its rows: every key judged, held against the waivers, and found or not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{GatePolicy, Row, RunContext};
use crate::model::UserResult;
use crate::store;
use crate::waivers::{Target, Waiver, WaiverStatus};

named! {
    /// What there is to say of a waiver.
    pub enum WaiverIssueKind {
        /// It has ended, and no longer counts
        Expired = "expired",
        /// It counts, and ends within 14 days
        Ending = "ending",
        /// What it names is no key of this report, and no user who could not be read
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

/// Judges the rows of all deployments, and remembers which waivers were met.
pub(super) struct Judge<'a> {
    rules: GatePolicy<'a>,
    /// By what counts for waivers, whatever the deployment: the latest start of a run.
    now: DateTime<Utc>,
    /// The waivers that were met, and in which deployments.
    met: BTreeMap<Entry<'a>, BTreeSet<String>>,
}

/// What tells a waiver from all others of its file.
type Entry<'a> = (u64, &'a Target, Option<&'a str>);

fn entry(waiver: &Waiver) -> Entry<'_> {
    (waiver.line, &waiver.target, waiver.deployment.as_deref())
}

impl<'a> Judge<'a> {
    pub(super) fn new(rules: GatePolicy<'a>, now: DateTime<Utc>) -> Self {
        Self { rules, now, met: BTreeMap::new() }
    }

    /// The rows of one user of a run: one that says what was not read or that there is nothing, and one a key.
    pub(super) fn rows<'r>(
        &mut self,
        result: &'r UserResult,
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
            Ok(Row { result, key: None, waiver, regression: None, is_finding: false })
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
            let mut row = Row { result, key: Some((key, judged)), waiver, regression, is_finding: false };
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
