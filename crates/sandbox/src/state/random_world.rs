//! A world computed from a seed: everything about user 123456 follows from that number, so that nothing is stored.

use chrono::{DateTime, TimeDelta, Utc};

use super::access_list::{AccessEntry, GlobalEntry, ListOwner, Network};
use super::event::Event;
use super::members::Members;
use super::model::{
    Group, MAX_PERSONAL_KEYS, Organization, PersonalKey, ProgrammaticKey, Role, Scope, Team, User,
};
use super::random_events::EventSource;
use super::random_keys::personal_key;
use super::random_structure::{Structure, YEAR_2015, YEAR_2016};
use super::world::{UsersOf, World};
use crate::product::{ListName, Product, ProductRules};
use crate::rng::{IdCipher, Rng, object_id, public_key, public_key_number, stream, uuid};

const FIRST_NAMES: [&str; 24] = [
    "Ann", "Boris", "Chiara", "Dmitri", "Elif", "Farid", "Grace", "Hana", "Ivan", "Jun", "Kofi", "Lena",
    "Mateo", "Nia", "Olga", "Pavel", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Vera", "Wei", "Yara",
];
const LAST_NAMES: [&str; 24] = [
    "Abe", "Bauer", "Costa", "Diaz", "Eriksen", "Fofana", "Garcia", "Haddad", "Ito", "Jansen", "Kim", "Lee",
    "Moreau", "Nowak", "O'Neil", "Patel", "Quist", "Rossi", "Sato", "Tran", "Usman", "Varga", "Weber",
    "Zhou",
];

const YEAR_2019: i64 = 1_546_300_800;
const YEAR_2021: i64 = 1_609_459_200;

/// The random world.
pub(crate) struct RandomWorld {
    seed: u64,
    users: u64,
    product: Product,
    /// What IP lists are called; `None` where there are no programmatic keys.
    list: Option<ListName>,
    /// The midnight before the sandbox's now: all times are as of then, so that a day gives the same world.
    day: DateTime<Utc>,
    structure: Structure,
    user_ids: IdCipher,
    key_ids: IdCipher,
}

impl RandomWorld {
    pub(crate) fn new(seed: u64, users: u64, rules: &ProductRules) -> Self {
        let now = rules.now();
        Self {
            seed,
            users,
            product: rules.product,
            list: rules.has_programmatic_keys().then(|| rules.list_name()),
            day: now - TimeDelta::seconds(now.timestamp().rem_euclid(86_400)),
            structure: Structure::new(seed, users),
            user_ids: IdCipher::new(seed, stream::USER_ID),
            key_ids: IdCipher::new(seed, stream::PROGRAMMATIC_KEY_ID),
        }
    }

    fn rng(&self, stream: u64, index: u64) -> Rng {
        Rng::new(self.seed, stream, index)
    }

    fn user_id(&self, index: u64) -> String {
        let joined = self.rng(stream::USER_ID, index).between(YEAR_2015, YEAR_2016);
        object_id(joined, self.user_ids.encrypt(index))
    }

    fn key_id(&self, index: u64) -> String {
        let created = self.rng(stream::PROGRAMMATIC_KEY_ID, index).between(YEAR_2019, YEAR_2021);
        object_id(created, self.key_ids.encrypt(index))
    }

    /// Username, first and last name. One user in sixteen has a tag, which wants percent-encoding in a path.
    fn names(&self, index: u64) -> (String, &'static str, &'static str) {
        let mut rng = self.rng(stream::USER, index);
        let (first, last) = (rng.pick(&FIRST_NAMES), rng.pick(&LAST_NAMES));
        let tag = if rng.below(16) == 0 { "+ops" } else { "" };
        let username = format!("{first}.{last}{tag}{index}@example.com").to_ascii_lowercase();
        (username, first, last)
    }

    fn roles(&self, index: u64) -> Vec<Role> {
        let mut rng = self.rng(stream::ROLE, index);
        let mut roles = Vec::new();
        let global = rng.below(40);
        if self.product == Product::OpsManager {
            match (index, global) {
                (0, _) => roles.push(Role::new(Scope::Global, "GLOBAL_OWNER")),
                (_, 0) => roles.push(Role::new(Scope::Global, "GLOBAL_READ_ONLY")),
                (_, 1) => roles.push(Role::new(Scope::Global, "GLOBAL_MONITORING_ADMIN")),
                _ => {}
            }
        }
        for (at, org) in self.structure.organizations.iter().enumerate() {
            let name = match rng.below(16) {
                _ if index == 0 => "ORG_OWNER",
                0 => "ORG_OWNER",
                1 | 2 => "ORG_READ_ONLY",
                3 => "ORG_GROUP_CREATOR",
                _ => "ORG_MEMBER",
            };
            if self.structure.org_users(at).contains(index) {
                roles.push(Role::new(Scope::Org(&org.id), name));
            }
        }
        for (group, [users, _]) in self.structure.groups.iter().zip(&self.structure.group_users) {
            let name = match rng.below(8) {
                0 => "GROUP_OWNER",
                1 => "GROUP_AUTOMATION_ADMIN",
                2 => "GROUP_MONITORING_ADMIN",
                3 => "GROUP_DATA_ACCESS_READ_WRITE",
                _ => "GROUP_READ_ONLY",
            };
            if users.contains(index) {
                roles.push(Role::new(Scope::Group(&group.id), name));
            }
        }
        roles
    }

    /// Whether the first user's programmatic key is a global one.
    fn has_global_key(&self) -> bool {
        self.product == Product::OpsManager
    }
}

impl World for RandomWorld {
    fn user_count(&self) -> u64 {
        self.users
    }

    fn user(&self, index: u64) -> User {
        let (username, first, last) = self.names(index);
        User {
            id: self.user_id(index),
            username,
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            roles: self.roles(index),
            team_ids: self.structure.team_ids(index),
        }
    }

    fn user_by_id(&self, id: &str) -> Option<u64> {
        let index = self.user_ids.decrypt(u64::from_str_radix(id.get(8..24)?, 16).ok()?);
        (index < self.users && self.user_id(index) == id).then_some(index)
    }

    fn user_by_name(&self, name: &str) -> Option<u64> {
        let local = name.strip_suffix("@example.com")?;
        let digits = local.trim_start_matches(|c: char| !c.is_ascii_digit());
        let index = digits.parse().ok()?;
        (index < self.users && self.names(index).0 == name).then_some(index)
    }

    /// Half of the users have none or one; some few have as many as there may be. The first user always has some.
    fn personal_keys(&self, user: u64) -> Vec<PersonalKey> {
        let mut rng = self.rng(stream::PERSONAL_KEY_COUNT, user);
        let count = match rng.below(100) {
            _ if user == 0 => 3,
            0..=27 => 0,
            28..=60 => 1,
            61..=79 => 2,
            80..=91 => 3,
            92..=95 => 4,
            96..=98 => 5 + rng.below(5),
            _ => MAX_PERSONAL_KEYS as u64,
        };
        (0..count).map(|nth| personal_key(self.seed, user, nth, self.day)).collect()
    }

    fn organizations(&self) -> &[Organization] {
        &self.structure.organizations
    }

    fn groups(&self) -> &[Group] {
        &self.structure.groups
    }

    fn teams(&self) -> &[Team] {
        &self.structure.teams
    }

    fn users_of(&self, set: UsersOf) -> Members {
        self.structure.users_of(set)
    }

    fn programmatic_key_count(&self) -> u64 {
        self.users
    }

    /// One for each user, in the first organization; that of the first user is the one announced.
    fn programmatic_key(&self, index: u64) -> ProgrammaticKey {
        let roles = if index == 0 && self.has_global_key() {
            vec![Role::new(Scope::Global, "GLOBAL_OWNER")]
        } else {
            let first_org = &self.structure.organizations[0].id;
            self.roles(index)
                .into_iter()
                .filter(|role| role.reaches(first_org, &self.structure.groups))
                .collect()
        };
        let mut rng = self.rng(stream::PROGRAMMATIC_KEY, index);
        let username = self.names(index).0;
        ProgrammaticKey {
            id: self.key_id(index),
            description: format!("automation of {username}"),
            public_key: public_key(index, self.seed),
            private_key: uuid(rng.next_u64(), rng.next_u64()),
            made_by: username,
            roles,
        }
    }

    fn programmatic_key_by_id(&self, id: &str) -> Option<u64> {
        let index = self.key_ids.decrypt(u64::from_str_radix(id.get(8..24)?, 16).ok()?);
        (index < self.users && self.key_id(index) == id).then_some(index)
    }

    fn programmatic_key_by_public_key(&self, public_key: &str) -> Option<u64> {
        public_key_number(public_key, self.seed).filter(|index| *index < self.users)
    }

    fn programmatic_key_made_by(&self, user: u64) -> Option<u64> {
        Some(user)
    }

    fn programmatic_keys_in(&self, scope: Scope) -> Members {
        let first_org = &self.structure.organizations[0].id;
        match scope {
            Scope::Global if self.has_global_key() => Members::from_indices(vec![0]),
            Scope::Org(id) if id == first_org => {
                Members::every(u64::from(self.has_global_key()), 1, self.users)
            }
            Scope::Group(id)
                if self.structure.groups.iter().any(|group| group.id == id && group.org_id == *first_org) =>
            {
                self.users_of(UsersOf::Group(id))
            }
            Scope::Global | Scope::Org(_) | Scope::Group(_) => Members::default(),
        }
    }

    fn access_list(&self, owner: ListOwner) -> Vec<AccessEntry> {
        let ListOwner::User(user) = owner else { return Vec::new() };
        let mut rng = self.rng(stream::ACCESS_LIST, user);
        let networks = (0..rng.below(3)).filter_map(|_| {
            let (block, host) = (rng.pick(&["192.0.2", "198.51.100", "203.0.113"]), rng.below(256));
            let text = if rng.below(4) == 0 { format!("{block}.0/24") } else { format!("{block}.{host}") };
            text.parse::<Network>().ok()
        });
        networks.map(|network| AccessEntry::new(network, self.day - TimeDelta::days(400))).collect()
    }

    fn global_access_list(&self) -> Vec<GlobalEntry> {
        Vec::new()
    }

    fn events(&self) -> Vec<Event> {
        EventSource { world: self, seed: self.seed, day: self.day, list: self.list }.events()
    }
}
