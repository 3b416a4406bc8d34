//! What a deployment holds before anyone changes it over HTTP.

use super::access_list::{Entry, GlobalEntry};
use super::groups::Group;
use super::keys::PersonalKey;
use super::members::Members;
use super::orgs::Organization;
use super::programmatic::ProgrammaticKey;
use super::roles::Scope;
use super::users::User;

/// Which users are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Org(usize),
    Group(usize),
    /// The team that belongs to a project, if it has one.
    Team(usize),
}

/// Users and programmatic keys are numbered from 0; organizations and projects stand in slices. In a
/// computed world every look-up takes the same time, however many users there are.
pub(super) trait World: Send + Sync {
    fn users(&self) -> u64;
    /// `index` is below [`World::users`], as for all that takes a user.
    fn user(&self, index: u64) -> User;
    fn user_by_id(&self, id: &str) -> Option<u64>;
    fn user_by_name(&self, name: &str) -> Option<u64>;
    fn personal_keys(&self, user: u64) -> Vec<PersonalKey>;
    fn user_list(&self, user: u64) -> Vec<Entry>;

    fn organizations(&self) -> &[Organization];
    fn groups(&self) -> &[Group];
    fn members(&self, place: Place) -> Members;

    fn programmatic_keys(&self) -> u64;
    fn programmatic_key(&self, index: u64) -> ProgrammaticKey;
    fn programmatic_by_id(&self, id: &str) -> Option<u64>;
    fn programmatic_by_public(&self, public: &str) -> Option<u64>;
    /// Whose roles reach into the scope.
    fn keys_in(&self, scope: Scope) -> Members;
    fn key_list(&self, key: u64) -> Vec<Entry>;
    fn global_list(&self) -> Vec<GlobalEntry>;
    /// The programmatic key that counts as this user, if there is one.
    fn key_made_by(&self, user: u64) -> Option<u64>;
}
