//! From a reading to its rows: every key judged, held against the waivers, and found or not.

use super::{Deployment, Row, Rules};
use crate::model::Reading;
use crate::policy::Policy;
use crate::ratchet::Ratchet;
use crate::store;
use crate::waivers::{Standing, Waiver};

named! {
    /// What there is to say of a waiver.
    pub enum LapseKind {
        /// It has ended, and no longer counts
        Expired = "expired",
        /// It counts, and ends within 14 days
        Ending = "ending",
        /// What it names is no key of this report, and no user who could not be read
        Unmatched = "unmatched",
    }
}

/// A waiver of which something has to be said.
pub struct Lapse<'a> {
    /// Which.
    pub waiver: &'a Waiver,
    /// What.
    pub kind: LapseKind,
    /// Days until its last day has passed; negative: since.
    pub days_left: i64,
}

/// Judges the rows of all deployments, and remembers which waivers were met.
pub(super) struct Judge<'a> {
    rules: Rules<'a>,
    /// Lines of the file of waivers.
    met: std::collections::BTreeSet<u64>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(rules: Rules<'a>) -> Self {
        Self { rules, met: std::collections::BTreeSet::new() }
    }

    /// The rows of one user: one that says what was not read or that there is nothing, and one a key.
    pub(super) fn rows<'r>(
        &mut self,
        reading: &'r Reading,
        policy: &Policy,
        ratchet: Option<&Ratchet>,
    ) -> impl Iterator<Item = Result<Row<'r>, store::Error>>
    where
        'a: 'r,
    {
        let unread = !reading.outcome.status.is_complete();
        let alone = reading.keys.is_empty() || unread;
        let user = alone.then(|| {
            let waiver = unread.then(|| self.rules.waivers.of_user(&reading.user)).flatten();
            let waiver = self.meet(waiver, policy);
            Ok(Row { reading, key: None, waiver, worse: None, is_finding: false })
        });
        let keys = reading.keys.iter().map(move |key| {
            let judged = policy.judge(key);
            let worse = match ratchet {
                Some(ratchet) => ratchet.worse(key, &judged, policy)?,
                None => None,
            };
            let counts =
                self.rules.fail_on.counts(key, judged.verdict) && (ratchet.is_none() || worse.is_some());
            let waiver = self.meet(self.rules.waivers.of_key(&key.id), policy);
            let mut row = Row { reading, key: Some((key, judged)), waiver, worse, is_finding: false };
            row.is_finding = counts && !row.is_waived();
            Ok(row)
        });
        user.into_iter().chain(keys)
    }

    fn meet(&mut self, waiver: Option<&'a Waiver>, policy: &Policy) -> Option<(&'a Waiver, Standing)> {
        let waiver = waiver?;
        self.met.insert(waiver.line);
        Some((waiver, waiver.standing(policy.now)))
    }

    /// What there is to say of the waivers, in the order of their file, once all rows have passed. What counts as now is the
    /// latest start of a run.
    pub(super) fn lapses(&self, deployments: &[Deployment]) -> Vec<Lapse<'a>> {
        let Some(now) = deployments.iter().map(|deployment| deployment.facts.policy.now).max() else {
            return Vec::new();
        };
        let lapse = |waiver: &'a Waiver| {
            let kind = match waiver.standing(now) {
                _ if !self.met.contains(&waiver.line) => LapseKind::Unmatched,
                Standing::Expired => LapseKind::Expired,
                Standing::Ending => LapseKind::Ending,
                Standing::Active => return None,
            };
            Some(Lapse { waiver, kind, days_left: waiver.days_left(now) })
        };
        self.rules.waivers.iter().filter_map(lapse).collect()
    }
}
