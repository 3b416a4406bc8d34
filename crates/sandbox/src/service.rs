//! The deployment as it is now: the world, and over it all that was changed over HTTP.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::access_list::{Entry, GlobalEntry, Owner};
use super::answer::Rows;
use super::call::{Caller, KeyInUse};
use super::keys::PersonalKey;
use super::members::Members;
use super::product::Served;
use super::programmatic::ProgrammaticKey;
use super::refusal::Refusal;
use super::roles::{Role, Scope};
use super::scramble::{Dice, id, uuid, word};
use super::world::World;

/// Salt of what is created over HTTP.
const CREATED: u64 = 100;

/// One deployment.
pub(super) struct Service {
    pub(super) served: Served,
    pub(super) world: Box<dyn World>,
    seed: u64,
    changes: Mutex<Changes>,
}

/// What differs from the world. Whatever is touched is here as a whole: a user with one changed key has all its keys here.
#[derive(Default)]
struct Changes {
    personal: HashMap<u64, Vec<PersonalKey>>,
    lists: HashMap<Owner, Vec<Entry>>,
    global_list: Option<Vec<GlobalEntry>>,
    /// Those changed, deleted (`None`) and created (from [`World::programmatic_keys`] on).
    programmatic: BTreeMap<u64, Option<ProgrammaticKey>>,
    created: u64,
}

/// The programmatic keys of a scope: those of the world that nobody touched, and those in [`Changes`].
pub(super) struct KeysInScope {
    base: Members,
    /// Where the touched ones stand in `base`, ascending.
    gaps: Vec<u64>,
    touched: Vec<ProgrammaticKey>,
}

impl KeysInScope {
    fn untouched(&self) -> u64 {
        self.base.len() - self.gaps.len() as u64
    }

    pub(super) fn len(&self) -> u64 {
        self.untouched() + self.touched.len() as u64
    }
}

impl Service {
    pub(super) fn new(served: Served, world: Box<dyn World>, seed: u64) -> Self {
        Self { served, world, seed, changes: Mutex::default() }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The passwords that a digest user may have, each with whom it stands for.
    pub(super) fn login(&self, username: &str) -> Vec<(String, Caller)> {
        if self.served.has_programmatic_keys()
            && let Some((index, key)) = self.programmatic_by_public(username)
        {
            let caller = Caller { user: key.maker, key: KeyInUse::Programmatic(index), roles: key.roles };
            return vec![(key.private, caller)];
        }
        let Some(user) = self.world.user_by_name(username).filter(|_| self.served.accepts_personal_keys())
        else {
            return Vec::new();
        };
        let roles = self.world.user(user).roles;
        let enabled = self.personal_keys(user).into_iter().filter(|key| key.enabled);
        enabled
            .map(|key| (key.secret, Caller { user, key: KeyInUse::Personal(key.id), roles: roles.clone() }))
            .collect()
    }

    /// Takes note of a key's use.
    ///
    /// # Errors
    /// A programmatic key that may not be used from this address.
    pub(super) fn note_use(&self, caller: &Caller, address: IpAddr) -> Result<(), Refusal> {
        match &caller.key {
            KeyInUse::Personal(id) => self.edit_personal_keys(caller.user, |keys| {
                let now = self.served.now();
                keys.iter_mut().filter(|key| key.id == *id).for_each(|key| key.used(now));
                Ok(())
            }),
            KeyInUse::Programmatic(index) => self.note_address(caller, *index, address),
        }
    }

    fn note_address(&self, caller: &Caller, index: u64, address: IpAddr) -> Result<(), Refusal> {
        let refused = Refusal::AddressNotListed(self.served.spelling(), address.to_string());
        if caller.roles.iter().all(Role::is_global) {
            let list = self.global_list();
            let listed = list.is_empty() || list.iter().any(|entry| entry.network.contains(address));
            return if listed { Ok(()) } else { Err(refused) };
        }
        if self.list(Owner::Key(index)).is_empty() {
            let mut orgs = self.world.organizations().iter();
            let wanted =
                orgs.any(|org| org.requires_list && caller.roles.iter().any(|role| role.is_in_org(&org.id)));
            return if wanted { Err(Refusal::OrgRequiresList(self.served.spelling())) } else { Ok(()) };
        }
        self.edit_list(Owner::Key(index), |entries| {
            let entry = entries.iter_mut().find(|entry| entry.network.contains(address)).ok_or(refused)?;
            entry.last_used = Some((self.served.now(), address));
            entry.count += 1;
            Ok(())
        })
    }

    pub(super) fn group_by_id(&self, id: &str) -> Option<usize> {
        self.world.groups().iter().position(|group| group.id == id)
    }

    pub(super) fn personal_keys(&self, user: u64) -> Vec<PersonalKey> {
        let changed = self.changes().personal.get(&user).cloned();
        changed.unwrap_or_else(|| self.world.personal_keys(user))
    }

    pub(super) fn edit_personal_keys<T>(
        &self,
        user: u64,
        edit: impl FnOnce(&mut Vec<PersonalKey>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut changes = self.changes();
        edit(changes.personal.entry(user).or_insert_with(|| self.world.personal_keys(user)))
    }

    pub(super) fn list(&self, owner: Owner) -> Vec<Entry> {
        let changed = self.changes().lists.get(&owner).cloned();
        changed.unwrap_or_else(|| self.list_of_the_world(owner))
    }

    pub(super) fn edit_list<T>(
        &self,
        owner: Owner,
        edit: impl FnOnce(&mut Vec<Entry>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        edit(self.changes().lists.entry(owner).or_insert_with(|| self.list_of_the_world(owner)))
    }

    fn list_of_the_world(&self, owner: Owner) -> Vec<Entry> {
        match owner {
            Owner::User(user) => self.world.user_list(user),
            Owner::Key(key) if key < self.world.programmatic_keys() => self.world.key_list(key),
            Owner::Key(_) => Vec::new(),
        }
    }

    pub(super) fn global_list(&self) -> Vec<GlobalEntry> {
        let changed = self.changes().global_list.clone();
        changed.unwrap_or_else(|| self.world.global_list())
    }

    pub(super) fn edit_global_list<T>(
        &self,
        edit: impl FnOnce(&mut Vec<GlobalEntry>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        edit(self.changes().global_list.get_or_insert_with(|| self.world.global_list()))
    }

    pub(super) fn programmatic_by_id(&self, id: &str) -> Option<(u64, ProgrammaticKey)> {
        self.programmatic(self.world.programmatic_by_id(id), |key| key.id == id)
    }

    fn programmatic_by_public(&self, public: &str) -> Option<(u64, ProgrammaticKey)> {
        self.programmatic(self.world.programmatic_by_public(public), |key| key.public == public)
    }

    /// The key that the world knows by this index, or else the created one that fits.
    fn programmatic(
        &self,
        known: Option<u64>,
        fits: impl Fn(&ProgrammaticKey) -> bool,
    ) -> Option<(u64, ProgrammaticKey)> {
        let changes = self.changes();
        let Some(index) = known else {
            let mut created = changes.programmatic.range(self.world.programmatic_keys()..);
            return created.find_map(|(index, key)| Some((*index, key.clone().filter(&fits)?)));
        };
        let key = match changes.programmatic.get(&index) {
            Some(key) => key.clone()?,
            None => self.world.programmatic_key(index),
        };
        Some((index, key))
    }

    /// Replaces a key, or deletes it.
    pub(super) fn put_programmatic(&self, index: u64, key: Option<ProgrammaticKey>) {
        let mut changes = self.changes();
        if key.is_none() {
            changes.lists.remove(&Owner::Key(index));
        }
        changes.programmatic.insert(index, key);
    }

    pub(super) fn create_programmatic(
        &self,
        description: String,
        maker: u64,
        roles: Vec<Role>,
    ) -> ProgrammaticKey {
        let (id, private) = (self.new_id(), self.new_uuid());
        let mut changes = self.changes();
        let first = self.world.programmatic_keys();
        let index = changes.programmatic.keys().next_back().map_or(first, |last| first.max(last + 1));
        let words = (index..).map(|number| word(number, self.seed));
        let mut free = words.filter(|word| self.world.programmatic_by_public(word).is_none());
        let public = free.next().unwrap_or_default();
        let key = ProgrammaticKey { id, description, public, private, maker, roles };
        changes.programmatic.insert(index, Some(key.clone()));
        key
    }

    /// The keys with roles in a scope; `id` is that of its organization or project.
    pub(super) fn programmatic_in(&self, scope: Scope, id: &str) -> KeysInScope {
        let changes = self.changes();
        let base = self.world.keys_in(scope);
        let mut gaps: Vec<u64> =
            changes.programmatic.keys().filter_map(|index| base.position(*index)).collect();
        gaps.sort_unstable();
        let is_in = |role: &Role| match scope {
            Scope::Global => role.is_global(),
            Scope::Org(_) => role.is_in_org(id),
            Scope::Group(_) => role.is_in_group(id),
        };
        let touched = changes.programmatic.values().flatten().filter(|key| key.roles.iter().any(is_in));
        KeysInScope { base, gaps, touched: touched.cloned().collect() }
    }

    /// Some of them: the untouched ones first.
    pub(super) fn page(&self, keys: &KeysInScope, rows: Rows) -> Vec<ProgrammaticKey> {
        let start = keys.gaps.iter().fold(rows.skip, |start, gap| start + u64::from(*gap <= start));
        let untouched = keys.base.from(start).filter(|index| {
            let position = keys.base.position(*index).unwrap_or_default();
            keys.gaps.binary_search(&position).is_err()
        });
        let take = usize::try_from(rows.take).unwrap_or(usize::MAX);
        let mut page: Vec<_> = untouched.take(take).map(|index| self.world.programmatic_key(index)).collect();
        let rest =
            Rows { skip: rows.skip.saturating_sub(keys.untouched()), take: rows.take - page.len() as u64 };
        page.extend(rest.of(&keys.touched).cloned());
        page
    }

    /// An id that nothing has yet.
    pub(super) fn new_id(&self) -> String {
        id(self.served.now().timestamp(), self.new_dice().roll())
    }

    pub(super) fn new_uuid(&self) -> String {
        let mut dice = self.new_dice();
        uuid(dice.roll(), dice.roll())
    }

    fn new_dice(&self) -> Dice {
        let mut changes = self.changes();
        changes.created += 1;
        Dice::new(self.seed, CREATED, changes.created)
    }
}
