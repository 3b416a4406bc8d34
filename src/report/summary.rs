//! The totals, derived from the rows as they pass and held against the counts of the run database.

use super::{JudgedList, Row};
use crate::history::RunStats;
use crate::model::{ReadStatus, UserResult};
use crate::policy::{Action, Severity, Verdict};
use crate::ratchet::Regression;

/// The totals of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users by read status, in the order of `ReadStatus::ALL`.
    users: [u64; ReadStatus::ALL.len()],
    /// Users that were read and have no key.
    pub without_keys: u64,
    /// Key rows.
    pub keys: u64,
    verdicts: [u64; Verdict::ALL.len()],
    severities: [u64; Severity::ALL.len()],
    actions: [u64; Action::ALL.len()],
    /// Keys that are enabled, or whose state is unknown.
    pub enabled: u64,
    /// Keys with an active waiver.
    pub waived: u64,
    /// Keys that are not in the earlier run.
    pub new: u64,
    /// Keys that are more severe than in the earlier run.
    pub more_severe: u64,
    /// Findings.
    pub findings: u64,
    /// Unread users with an active waiver.
    pub waived_users: u64,
    /// Incomplete lists of users.
    pub incomplete_lists: u64,
    /// Incomplete lists with an active waiver.
    pub waived_lists: u64,
    /// The last user.
    current: Option<(Option<String>, Option<String>)>,
}

impl Summary {
    pub(super) fn new(incomplete_lists: &[JudgedList]) -> Self {
        let waived = incomplete_lists.iter().filter(|list| list.is_waived()).count();
        Self {
            incomplete_lists: incomplete_lists.len() as u64,
            waived_lists: waived as u64,
            ..Self::default()
        }
    }

    /// The totals of several deployments.
    pub(super) fn over<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        fn add<const N: usize>(sums: &mut [u64; N], more: &[u64; N]) {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        all.fold(Self::default(), |mut total, one| {
            add(&mut total.users, &one.users);
            add(&mut total.verdicts, &one.verdicts);
            add(&mut total.severities, &one.severities);
            add(&mut total.actions, &one.actions);
            Self {
                without_keys: total.without_keys + one.without_keys,
                keys: total.keys + one.keys,
                enabled: total.enabled + one.enabled,
                waived: total.waived + one.waived,
                new: total.new + one.new,
                more_severe: total.more_severe + one.more_severe,
                findings: total.findings + one.findings,
                waived_users: total.waived_users + one.waived_users,
                incomplete_lists: total.incomplete_lists + one.incomplete_lists,
                waived_lists: total.waived_lists + one.waived_lists,
                ..total
            }
        })
    }

    /// Adds a user, before the rows of the user. A user who comes twice in a row counts once, so that the totals contradict the
    /// store.
    pub(super) fn add_user(&mut self, UserResult { user, outcome, .. }: &UserResult) {
        if self.current.as_ref().is_none_or(|(id, name)| (id, name) != (&user.id, &user.username)) {
            self.current = Some((user.id.clone(), user.username.clone()));
            self.users[outcome.status as usize] += 1;
        }
    }

    pub(super) fn add(&mut self, row: &Row) {
        match &row.key {
            Some((key, judgement)) => {
                self.keys += 1;
                self.verdicts[judgement.verdict as usize] += 1;
                self.severities[judgement.severity as usize] += 1;
                self.actions[judgement.action as usize] += 1;
                self.enabled += u64::from(key.is_enabled());
                self.waived += u64::from(row.is_waived());
                self.findings += u64::from(row.is_finding);
                self.new += u64::from(row.regression == Some(Regression::New));
                self.more_severe += u64::from(matches!(row.regression, Some(Regression::Than(_))));
            }
            None if row.result.outcome.status.is_complete() => self.without_keys += 1,
            None => self.waived_users += u64::from(row.is_waived()),
        }
    }

    /// Compares the totals with each other and with `counted`, the users and keys of the store.
    ///
    /// # Errors
    /// Which two differ.
    pub(super) fn reconcile(&self, counted: (u64, u64)) -> Result<(), String> {
        let (requested, keys) = counted;
        let checks = [
            ("users requested", requested, "read and not read", self.read() + self.unread()),
            ("keys in the store", keys, "keys in the report", self.keys),
            ("keys", self.keys, "sum over verdicts", self.verdicts.iter().sum()),
            ("keys", self.keys, "sum over severities", self.severities.iter().sum()),
            ("keys", self.keys, "sum over actions", self.actions.iter().sum()),
        ];
        match checks.into_iter().find(|(_, one, _, other)| one != other) {
            Some((what, one, against, other)) => Err(format!("{one} {what}, but {other} {against}")),
            None => Ok(()),
        }
    }

    /// The same as the history counts them.
    pub(super) fn run_stats(&self) -> RunStats {
        RunStats {
            users: self.requested(),
            unread: self.unread(),
            incomplete_lists: self.incomplete_lists,
            keys: self.keys,
            enabled: self.enabled,
            used_after_cutoff: self.verdict(Verdict::UsedAfterCutoff),
            usage_unknown: self.verdict(Verdict::UsageUnknown),
        }
    }

    /// All users who were to be read.
    #[must_use]
    pub fn requested(&self) -> u64 {
        self.users.iter().sum()
    }

    /// Users that were read completely.
    #[must_use]
    pub fn read(&self) -> u64 {
        ReadStatus::ALL.iter().filter(|status| status.is_complete()).map(|status| self.users(*status)).sum()
    }

    /// Users that were not read completely.
    #[must_use]
    pub fn unread(&self) -> u64 {
        ReadStatus::ALL.iter().filter(|status| !status.is_complete()).map(|status| self.users(*status)).sum()
    }

    /// Users of one read status.
    #[must_use]
    pub fn users(&self, status: ReadStatus) -> u64 {
        self.users[status as usize]
    }

    /// Keys of one verdict.
    #[must_use]
    pub fn verdict(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize]
    }

    /// Keys of one severity.
    #[must_use]
    pub fn severity(&self, severity: Severity) -> u64 {
        self.severities[severity as usize]
    }

    /// Keys of one action.
    #[must_use]
    pub fn action(&self, action: Action) -> u64 {
        self.actions[action as usize]
    }

    /// Whether all requested users were read, and none can be missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unread() == 0 && self.incomplete_lists == 0
    }

    /// Whether all requested users were read or are waived, and none can be missing but from waived lists.
    #[must_use]
    pub fn is_complete_or_waived(&self) -> bool {
        self.unread() == self.waived_users && self.incomplete_lists == self.waived_lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_that_contradict_each_other_are_named() {
        let mut summary =
            Summary { keys: 2, verdicts: [1, 1, 0, 0], severities: [2, 0, 0, 0, 0], ..Summary::default() };
        summary.actions[0] = 2;
        summary.users[0] = 3;
        assert_eq!(summary.reconcile((3, 2)), Ok(()));
        assert_eq!(summary.reconcile((4, 2)), Err("4 users requested, but 3 read and not read".to_owned()));
        assert_eq!(
            summary.reconcile((3, 1)),
            Err("1 keys in the store, but 2 keys in the report".to_owned())
        );
        summary.verdicts[3] = 1;
        assert_eq!(summary.reconcile((3, 2)), Err("2 keys, but 3 sum over verdicts".to_owned()));
    }
}
