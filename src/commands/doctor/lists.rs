//! The lists of users that an audit reads: whether it may, how many users they have, and some of them.

use std::collections::HashSet;

use crate::client::{Client, UserSample, UsersOf};
use crate::exit::Error;
use crate::model::{Outcome, ReadStatus, User};
use crate::sources::CheckedSource;

/// Organizations whose first users are read; the others count as the average of these.
const SIZED: usize = 50;
/// Users to try: one of them may be the one with the credentials.
const USERS: usize = 3;

/// The lists that an audit of some sources reads.
#[derive(Default)]
pub(super) struct Lists {
    /// Users of the lists, each once; empty where the sources have no list of the deployment.
    pub(super) users: Vec<User>,
    /// Those that can't be read, and why.
    pub(super) refused: Vec<(String, Outcome)>,
    samples: Samples,
    /// Whether nothing is known of the size of one.
    is_uncounted: bool,
}

/// How many users there are to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UserCount {
    pub(super) users: u64,
    /// Whether it is estimated from the first users of some lists.
    pub(super) is_estimate: bool,
}

impl Lists {
    /// Reads the first page of each list of users, and the list of organizations.
    ///
    /// # Errors
    /// What makes an audit pointless.
    pub(super) async fn read(client: &Client, sources: &[CheckedSource]) -> Result<Self, Error> {
        let mut lists = Self::default();
        for source in sources {
            match source {
                CheckedSource::List(list) => lists.samples.named += list.count(),
                CheckedSource::User(_) => lists.samples.named += 1,
                CheckedSource::Project(id) => {
                    let sample = client.first_users(UsersOf::Project(id)).await?;
                    lists.add_named(format!("project {id}"), sample);
                }
                CheckedSource::Organization(id) => {
                    let sample = client.first_users(UsersOf::Organization(id)).await?;
                    lists.add_named(format!("organization {id}"), sample);
                }
                CheckedSource::AllOrganizations => lists.add_all_organizations(client).await?,
            }
        }
        Ok(lists)
    }

    /// How many users are in the lists and files together; `None` where that is not known.
    pub(super) fn count(&self) -> Option<UserCount> {
        (!self.is_uncounted && self.refused.is_empty()).then(|| self.samples.count())
    }

    /// A list of what was named, so that it should have some users.
    fn add_named(&mut self, name: String, sample: Result<UserSample, Outcome>) {
        let sample = sample.and_then(|sample| {
            let empty = || Outcome::unread(ReadStatus::NotFound, None, "the list is empty");
            if sample.users.is_empty() { Err(empty()) } else { Ok(sample) }
        });
        if let Some(sample) = self.add(name, sample) {
            self.samples.merge(sample);
        }
    }

    /// Keeps some users of a list, or why there are none; its sample, if it has a count.
    fn add(&mut self, name: String, sample: Result<UserSample, Outcome>) -> Option<Samples> {
        let UserSample { users, total } = match sample {
            Ok(sample) => sample,
            Err(outcome) => {
                self.refused.push((name, outcome));
                return None;
            }
        };
        let ids: Vec<_> = users.iter().map(|user| user.id_or_empty().to_owned()).collect();
        for user in users {
            if self.users.len() < USERS && self.users.iter().all(|known| known.id != user.id) {
                self.users.push(user);
            }
        }
        self.is_uncounted |= total.is_none();
        Some(Samples::new(ids, total?))
    }

    async fn add_all_organizations(&mut self, client: &Client) -> Result<(), Error> {
        let (organizations, outcome) = client.organizations().await?;
        let outcome = if outcome.status.is_complete() && organizations.is_empty() {
            let why = "the credentials can access no organization, so users can't be listed";
            Outcome::unread(ReadStatus::NotFound, None, why)
        } else {
            outcome
        };
        if !outcome.status.is_complete() {
            self.refused.push(("all organizations".to_owned(), outcome));
        }
        let (mut all, mut sized) = (Samples::default(), 0);
        for organization in organizations.iter().take(SIZED) {
            let sample = client.first_users(UsersOf::Organization(&organization.id)).await?;
            if let Some(sample) = self.add(format!("organization {}", organization.id), sample) {
                all.merge(sample);
                sized += 1;
            }
        }
        all.listed = (all.listed * organizations.len() as u64).checked_div(sized).unwrap_or_default();
        self.samples.merge(all);
        Ok(())
    }
}

/// The first users of each list, so that a user of several counts once.
#[derive(Default)]
struct Samples {
    /// Users that were named, or are in a file.
    named: u64,
    /// Users of all lists, each as often as it is in one.
    listed: u64,
    /// Rows of the first pages.
    rows: u64,
    /// The ids in these rows.
    ids: HashSet<String>,
}

impl Samples {
    fn new(ids: Vec<String>, total: u64) -> Self {
        Self { named: 0, listed: total, rows: ids.len() as u64, ids: ids.into_iter().collect() }
    }

    fn merge(&mut self, other: Self) {
        self.named += other.named;
        self.listed += other.listed;
        self.rows += other.rows;
        self.ids.extend(other.ids);
    }

    /// The lists have as large a share of different users as their first pages.
    fn count(&self) -> UserCount {
        let different = (self.listed * self.ids.len() as u64).checked_div(self.rows).unwrap_or(self.listed);
        UserCount { users: self.named + different, is_estimate: self.listed != self.rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_several_lists_counts_once() {
        let sample =
            |ids: &[&str], total| Samples::new(ids.iter().map(|id| (*id).to_owned()).collect(), total);
        let mut samples = Samples { named: 1, ..Samples::default() };
        samples.merge(sample(&["a", "b"], 2));
        samples.merge(sample(&["b", "c"], 2));
        assert_eq!(samples.count(), UserCount { users: 1 + 3, is_estimate: false });
        // Half of the rows of the first pages are of users that were there already.
        samples.merge(sample(&["a", "b"], 994));
        assert_eq!(samples.count(), UserCount { users: 1 + 499, is_estimate: true });
        assert_eq!(Samples::default().count(), UserCount { users: 0, is_estimate: false });
    }
}
