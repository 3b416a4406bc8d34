//! The data: what a deployment holds, and how it changes. It knows neither HTTP nor faults; a test in `lib.rs` holds that.
//!
//! ```text
//! Deployment: the world, and over it the changes
//!   world: the trait ── random_world (random_structure, random_keys, random_events) or file_world (file_check)
//!   model, access_list, event, service_account: what there is      members: sets of users and keys that are computed
//! ```

mod access_list;
mod event;
mod file_check;
mod file_world;
mod members;
mod model;
mod random_events;
mod random_keys;
mod random_structure;
mod random_world;
mod service_account;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::service_account::Token;
use crate::product::ProductRules;
use crate::rng::{Rng, object_id, public_key, stream, uuid};

pub(crate) use self::access_list::{AccessEntry, GlobalEntry, InvalidNetwork, ListOwner, Network};
pub(crate) use self::event::{Author, Event, KeyChange};
pub(crate) use self::file_world::FileWorld;
pub(crate) use self::members::{Members, PageRange};
pub(crate) use self::model::{
    Caller, CallerKey, GLOBAL_ROLES, Group, MAX_PERSONAL_KEYS, Organization, PersonalKey, ProgrammaticKey,
    Role, Scope, Team, TeamRoles, User, is_id, is_role_name, is_service_account_role, suffix,
};
pub(crate) use self::random_world::RandomWorld;
pub(crate) use self::service_account::{ServiceAccount, ServiceAccountSecret, TOKEN_LIFE};
pub(crate) use self::world::{UsersOf, World};

/// One deployment as it is now: the world, and over it all that was changed over HTTP.
pub(crate) struct Deployment {
    pub(crate) rules: ProductRules,
    pub(crate) world: Box<dyn World>,
    seed: u64,
    changes: Mutex<Changes>,
}

/// What differs from the world. What was changed is here as a whole: a user with one changed key has all its keys here.
#[derive(Default)]
struct Changes {
    personal_keys: HashMap<u64, Vec<PersonalKey>>,
    access_lists: HashMap<ListOwner, Vec<AccessEntry>>,
    global_access_list: Option<Vec<GlobalEntry>>,
    /// Those changed, deleted (`None`) and created (from [`World::programmatic_key_count`] on).
    programmatic_keys: BTreeMap<u64, Option<ProgrammaticKey>>,
    /// By index, in the order of their creation. No world has any at its start.
    service_accounts: BTreeMap<u64, ServiceAccount>,
    /// Access tokens of service accounts.
    tokens: HashMap<String, Token>,
    created: u64,
    /// In the order in which they happened.
    events: Vec<Event>,
}

/// Why a key may not be used from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressRefusal {
    /// The key's list has no entry for the address.
    NotOnList,
    /// The key has no list, and its organization requires one.
    ListRequired,
}

impl Deployment {
    pub(crate) fn new(rules: ProductRules, world: Box<dyn World>, seed: u64) -> Self {
        Self { rules, world, seed, changes: Mutex::default() }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The passwords that a digest user may have, each with the caller that it proves.
    pub(crate) fn credentials(&self, username: &str) -> Vec<(String, Caller)> {
        if self.rules.has_programmatic_keys()
            && let Some((index, key)) = self.programmatic_key_by_public_key(username)
        {
            let user = self.world.user_by_name(&key.made_by).unwrap_or_default();
            let author = Author::ProgrammaticKey { id: key.id, public_key: key.public_key };
            let caller = Caller { user, key: CallerKey::Programmatic(index), roles: key.roles, author };
            return vec![(key.private_key, caller)];
        }
        let Some(user) = self.world.user_by_name(username).filter(|_| self.rules.accepts_personal_keys())
        else {
            return Vec::new();
        };
        let account = self.world.user(user);
        let roles = account.effective_roles(self.world.groups());
        let author = Author::User { id: account.id, username: account.username };
        let caller =
            |id| Caller { user, key: CallerKey::Personal(id), roles: roles.clone(), author: author.clone() };
        let enabled = self.personal_keys(user).into_iter().filter(|key| key.enabled);
        enabled.map(|key| (key.secret, caller(key.id))).collect()
    }

    /// Records the use of the caller's key.
    ///
    /// # Errors
    /// A programmatic key that may not be used from this address.
    pub(crate) fn record_use(&self, caller: &Caller, address: IpAddr) -> Result<(), AddressRefusal> {
        match &caller.key {
            CallerKey::Personal(id) => {
                let now = self.rules.now();
                self.edit_personal_keys(caller.user, |keys| {
                    keys.iter_mut().filter(|key| key.id == *id).for_each(|key| key.record_use(now));
                });
                Ok(())
            }
            CallerKey::Programmatic(_) if caller.roles.iter().all(Role::is_global) => {
                let list = self.global_access_list();
                let allowed = list.is_empty() || list.iter().any(|entry| entry.network.contains(address));
                if allowed { Ok(()) } else { Err(AddressRefusal::NotOnList) }
            }
            CallerKey::Programmatic(index) => {
                self.record_address(caller, ListOwner::ProgrammaticKey(*index), address)
            }
            CallerKey::ServiceAccount(index) => {
                self.record_address(caller, ListOwner::ServiceAccount(*index), address)
            }
        }
    }

    fn record_address(
        &self,
        caller: &Caller,
        owner: ListOwner,
        address: IpAddr,
    ) -> Result<(), AddressRefusal> {
        if self.access_list(owner).is_empty() {
            let mut orgs = self.world.organizations().iter().filter(|org| org.requires_access_list);
            let required = orgs.any(|org| caller.roles.iter().any(|role| role.is_in(Scope::Org(&org.id))));
            return if required { Err(AddressRefusal::ListRequired) } else { Ok(()) };
        }
        self.edit_access_list(owner, |entries| {
            let mut matching = entries.iter_mut().filter(|entry| entry.network.contains(address));
            let entry = matching.next().ok_or(AddressRefusal::NotOnList)?;
            entry.last_used = Some((self.rules.now(), address));
            entry.count += 1;
            Ok(())
        })
    }

    pub(crate) fn personal_keys(&self, user: u64) -> Vec<PersonalKey> {
        let changed = self.changes().personal_keys.get(&user).cloned();
        changed.unwrap_or_else(|| self.world.personal_keys(user))
    }

    pub(crate) fn edit_personal_keys<T>(
        &self,
        user: u64,
        edit: impl FnOnce(&mut Vec<PersonalKey>) -> T,
    ) -> T {
        let mut changes = self.changes();
        edit(changes.personal_keys.entry(user).or_insert_with(|| self.world.personal_keys(user)))
    }

    /// The username and the secret of the user's first enabled personal key, whether or not it may log in; `None` also
    /// beyond the last user.
    pub(crate) fn personal_credential(&self, user: u64) -> Option<(String, String)> {
        if user >= self.world.user_count() {
            return None;
        }
        let key = self.personal_keys(user).into_iter().find(|key| key.enabled)?;
        Some((self.world.user(user).username, key.secret))
    }

    pub(crate) fn access_list(&self, owner: ListOwner) -> Vec<AccessEntry> {
        let changed = self.changes().access_lists.get(&owner).cloned();
        changed.unwrap_or_else(|| self.world_access_list(owner))
    }

    pub(crate) fn edit_access_list<T>(
        &self,
        owner: ListOwner,
        edit: impl FnOnce(&mut Vec<AccessEntry>) -> T,
    ) -> T {
        edit(self.changes().access_lists.entry(owner).or_insert_with(|| self.world_access_list(owner)))
    }

    fn world_access_list(&self, owner: ListOwner) -> Vec<AccessEntry> {
        match owner {
            ListOwner::ServiceAccount(_) => Vec::new(),
            ListOwner::ProgrammaticKey(key) if key >= self.world.programmatic_key_count() => Vec::new(),
            ListOwner::User(_) | ListOwner::ProgrammaticKey(_) => self.world.access_list(owner),
        }
    }

    pub(crate) fn global_access_list(&self) -> Vec<GlobalEntry> {
        let changed = self.changes().global_access_list.clone();
        changed.unwrap_or_else(|| self.world.global_access_list())
    }

    pub(crate) fn edit_global_access_list<T>(&self, edit: impl FnOnce(&mut Vec<GlobalEntry>) -> T) -> T {
        let mut changes = self.changes();
        edit(changes.global_access_list.get_or_insert_with(|| self.world.global_access_list()))
    }

    pub(crate) fn programmatic_key_by_id(&self, id: &str) -> Option<(u64, ProgrammaticKey)> {
        self.find_programmatic_key(self.world.programmatic_key_by_id(id), |key| key.id == id)
    }

    fn programmatic_key_by_public_key(&self, public_key: &str) -> Option<(u64, ProgrammaticKey)> {
        let known = self.world.programmatic_key_by_public_key(public_key);
        self.find_programmatic_key(known, |key| key.public_key == public_key)
    }

    /// The key that the world knows by this index, or else the created one that is `wanted`.
    fn find_programmatic_key(
        &self,
        known: Option<u64>,
        wanted: impl Fn(&ProgrammaticKey) -> bool,
    ) -> Option<(u64, ProgrammaticKey)> {
        let changes = self.changes();
        let Some(index) = known else {
            let mut created = changes.programmatic_keys.range(self.world.programmatic_key_count()..);
            return created.find_map(|(index, key)| Some((*index, key.clone().filter(&wanted)?)));
        };
        let key = match changes.programmatic_keys.get(&index) {
            Some(key) => key.clone()?,
            None => self.world.programmatic_key(index),
        };
        Some((index, key))
    }

    pub(crate) fn replace_programmatic_key(&self, index: u64, key: ProgrammaticKey) {
        self.changes().programmatic_keys.insert(index, Some(key));
    }

    pub(crate) fn delete_programmatic_key(&self, index: u64) {
        let mut changes = self.changes();
        changes.access_lists.remove(&ListOwner::ProgrammaticKey(index));
        changes.programmatic_keys.insert(index, None);
    }

    /// Makes a key that counts as `user`.
    pub(crate) fn create_programmatic_key(
        &self,
        description: String,
        user: u64,
        roles: Vec<Role>,
    ) -> ProgrammaticKey {
        let (id, private_key, made_by) = (self.new_id(), self.new_uuid(), self.world.user(user).username);
        let mut changes = self.changes();
        let first = self.world.programmatic_key_count();
        let index = changes.programmatic_keys.keys().next_back().map_or(first, |last| first.max(last + 1));
        let candidates = (index..).map(|number| public_key(number, self.seed));
        let mut free = candidates.filter(|key| self.world.programmatic_key_by_public_key(key).is_none());
        let public_key = free.next().unwrap_or_default();
        let key = ProgrammaticKey { id, description, public_key, private_key, made_by, roles };
        changes.programmatic_keys.insert(index, Some(key.clone()));
        key
    }

    /// Some of the programmatic keys of a scope, and how many there are: those of the world that were not changed, and
    /// then those in [`Changes`].
    pub(crate) fn programmatic_keys_in(&self, scope: Scope, range: PageRange) -> (Vec<ProgrammaticKey>, u64) {
        let edited = &self.changes().programmatic_keys;
        let last: Vec<_> = edited.values().flatten().filter(|key| key.has_role_in(scope)).collect();
        let world = self.world.programmatic_keys_in(scope);
        // The positions of edited keys among those of the world.
        let mut gaps: Vec<u64> = edited.keys().filter_map(|index| world.position(*index)).collect();
        gaps.sort_unstable();
        let unchanged = world.len() - gaps.len() as u64;

        let start = gaps.iter().fold(range.skip, |start, gap| start + u64::from(*gap <= start));
        let indices = world.skip(start).filter(|index| !edited.contains_key(index));
        let take = usize::try_from(range.take).unwrap_or(usize::MAX);
        let mut page: Vec<_> = indices.take(take).map(|index| self.world.programmatic_key(index)).collect();
        let rest =
            PageRange { skip: range.skip.saturating_sub(unchanged), take: range.take - page.len() as u64 };
        page.extend(rest.slice(&last).iter().map(|key| (*key).clone()));
        (page, unchanged + last.len() as u64)
    }

    /// An id that nothing has yet.
    pub(crate) fn new_id(&self) -> String {
        object_id(self.rules.now().timestamp(), self.new_rng().next_u64())
    }

    pub(crate) fn new_uuid(&self) -> String {
        let mut rng = self.new_rng();
        uuid(rng.next_u64(), rng.next_u64())
    }

    fn new_rng(&self) -> Rng {
        let mut changes = self.changes();
        changes.created += 1;
        Rng::new(self.seed, stream::CREATED, changes.created)
    }
}
