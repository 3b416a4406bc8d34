//! The organizations of a run: the read status of their lists, and the totals of their users.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::{Organization, OrganizationResult, PersonalKey, ReadStatus, User, UserResult};
use crate::policy::Severity;

/// An organization and the totals of the users in its list. A user of several organizations counts in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationSummary {
    /// The organization.
    pub organization: Organization,
    /// Read status of the list of its users.
    pub list_status: ReadStatus,
    /// Users in its list.
    pub users: u64,
    /// Users that were read completely.
    pub users_read: u64,
    /// Keys of these users.
    pub keys: u64,
    /// Keys that are enabled, or whose state is unknown.
    pub enabled: u64,
    severities: [u64; Severity::ALL.len()],
}

impl OrganizationSummary {
    fn new(OrganizationResult { organization, outcome }: OrganizationResult) -> Self {
        Self {
            organization,
            list_status: outcome.status,
            users: 0,
            users_read: 0,
            keys: 0,
            enabled: 0,
            severities: [0; Severity::ALL.len()],
        }
    }

    /// Keys of one severity.
    #[must_use]
    pub fn severity(&self, severity: Severity) -> u64 {
        self.severities[severity as usize]
    }

    /// Users that were not read completely.
    #[must_use]
    pub fn users_unread(&self) -> u64 {
        self.users - self.users_read
    }

    /// By keys of the worst severity, then by unread users.
    pub(super) fn rank(&self) -> impl Ord + '_ {
        let Organization { id, name, .. } = &self.organization;
        (Reverse(self.severities), Reverse(self.users_unread()), self.list_status.is_complete(), name, id)
    }
}

/// The worst organization first.
pub(super) fn worst_first(organizations: &[OrganizationSummary]) -> Vec<&OrganizationSummary> {
    let mut sorted: Vec<_> = organizations.iter().collect();
    sorted.sort_by(|one, other| one.rank().cmp(&other.rank()));
    sorted
}

/// The organizations of a user as columns have them: the ids, and in the same order the names, with `;` between them.
#[derive(Debug, Clone, Default)]
pub(super) struct OrganizationColumns {
    pub(super) ids: String,
    pub(super) names: String,
}

/// The organizations of a run while its rows pass, by id; none where they are unknown.
#[derive(Default)]
pub(super) struct OrganizationTotals(BTreeMap<String, OrganizationSummary>);

impl OrganizationTotals {
    pub(super) fn new(organizations: Vec<OrganizationResult>) -> Self {
        let summaries = organizations.into_iter().map(OrganizationSummary::new);
        Self(summaries.map(|it| (it.organization.id.clone(), it)).collect())
    }

    /// Takes a user.
    pub(super) fn add_user(&mut self, result: &UserResult) {
        for id in result.user.origin.organizations() {
            let Some(summary) = self.0.get_mut(id) else { continue };
            summary.users += 1;
            summary.users_read += u64::from(result.outcome.status.is_complete());
        }
    }

    /// Takes a key of a user.
    pub(super) fn add_key(&mut self, user: &User, key: &PersonalKey, severity: Severity) {
        for id in user.origin.organizations() {
            let Some(summary) = self.0.get_mut(id) else { continue };
            summary.keys += 1;
            summary.enabled += u64::from(key.is_enabled());
            summary.severities[severity as usize] += 1;
        }
    }

    /// Those of a user.
    pub(super) fn columns(&self, user: &User) -> OrganizationColumns {
        let mut columns = OrganizationColumns::default();
        for (at, (id, summary)) in
            user.origin.organizations().filter_map(|id| self.0.get_key_value(id)).enumerate()
        {
            let separator = if at == 0 { "" } else { ";" };
            columns.ids.extend([separator, id]);
            // A name with a separator of its own would look like two.
            let name = summary.organization.name.as_deref().unwrap_or_default().replace(';', ",");
            columns.names.extend([separator, &name]);
        }
        columns
    }

    /// By id.
    pub(super) fn into_summaries(self) -> Vec<OrganizationSummary> {
        self.0.into_values().collect()
    }
}
