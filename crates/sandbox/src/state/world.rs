//! What a deployment holds before it is changed over HTTP: the trait that both worlds implement.

use super::access_list::{AccessEntry, GlobalEntry, ListOwner};
use super::event::Event;
use super::members::Members;
use super::model::{Group, Organization, PersonalKey, ProgrammaticKey, Scope, Team, User};

/// A set of users, by the id of an organization, project or team of this world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsersOf<'a> {
    Org(&'a str),
    /// Users with a role of their own in a project.
    Group(&'a str),
    /// The same, and then users with a role through a team.
    GroupWithTeams(&'a str),
    Team(&'a str),
}

/// Users and programmatic keys are numbered from 0, and an index is below their count; organizations, projects and
/// teams are few, and are in slices. In a random world every look-up takes the same time, however many users there are.
pub(crate) trait World: Send + Sync {
    fn user_count(&self) -> u64;
    fn user(&self, index: u64) -> User;
    fn user_by_id(&self, id: &str) -> Option<u64>;
    fn user_by_name(&self, name: &str) -> Option<u64>;
    fn personal_keys(&self, user: u64) -> Vec<PersonalKey>;

    fn organizations(&self) -> &[Organization];
    fn groups(&self) -> &[Group];
    fn teams(&self) -> &[Team];
    fn users_of(&self, set: UsersOf) -> Members;

    fn programmatic_key_count(&self) -> u64;
    fn programmatic_key(&self, index: u64) -> ProgrammaticKey;
    fn programmatic_key_by_id(&self, id: &str) -> Option<u64>;
    fn programmatic_key_by_public_key(&self, public_key: &str) -> Option<u64>;
    /// The programmatic key that counts as this user, if there is one.
    fn programmatic_key_made_by(&self, user: u64) -> Option<u64>;
    /// The programmatic keys with a role in the scope.
    fn programmatic_keys_in(&self, scope: Scope) -> Members;

    fn access_list(&self, owner: ListOwner) -> Vec<AccessEntry>;
    fn global_access_list(&self) -> Vec<GlobalEntry>;

    /// Oldest first.
    fn events(&self) -> Vec<Event>;
}
