//! A world computed from a seed: everything about user 123456 follows from that number, so that nothing is stored.

use chrono::{DateTime, TimeDelta, Utc};

use super::access_list::{Entry, GlobalEntry, Network};
use super::generated_key::personal_key;
use super::groups::Group;
use super::keys::{MOST, PersonalKey};
use super::members::Members;
use super::orgs::Organization;
use super::product::Product;
use super::programmatic::ProgrammaticKey;
use super::roles::{Role, Scope};
use super::scramble::{Cipher, Dice, id, number, uuid, word};
use super::users::User;
use super::world::{Place, World};

/// One salt a kind of thing, so that their numbers have nothing to do with each other.
pub(super) mod salt {
    pub(crate) const USER: u64 = 1;
    pub(crate) const USER_ID: u64 = 2;
    pub(crate) const ROLE: u64 = 3;
    pub(crate) const LIST: u64 = 4;
    pub(crate) const KEY: u64 = 5;
    pub(crate) const KEY_COUNT: u64 = 6;
    pub(crate) const PROGRAMMATIC: u64 = 7;
    pub(crate) const PROGRAMMATIC_ID: u64 = 8;
    pub(crate) const ORG: u64 = 9;
    pub(crate) const GROUP: u64 = 10;
}

const FIRST_NAMES: [&str; 24] = [
    "Ann", "Boris", "Chiara", "Dmitri", "Elif", "Farid", "Grace", "Hana", "Ivan", "Jun", "Kofi", "Lena",
    "Mateo", "Nia", "Olga", "Pavel", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Vera", "Wei", "Yara",
];
const LAST_NAMES: [&str; 24] = [
    "Abe", "Bauer", "Costa", "Diaz", "Eriksen", "Fofana", "Garcia", "Haddad", "Ito", "Jansen", "Kim", "Lee",
    "Moreau", "Nowak", "O'Neil", "Patel", "Quist", "Rossi", "Sato", "Tran", "Usman", "Varga", "Weber",
    "Zhou",
];

/// Each organization: its name, every how many-th user is in it, and its projects.
const ORGANIZATIONS: [(&str, u64, &[&str]); 3] = [
    ("Example Platform", 1, &["production", "staging", "analytics"]),
    ("Example Payments", 3, &["ledger", "card-vault"]),
    ("Example Research", 7, &["notebooks", "warehouse"]),
];

const YEAR_2015: i64 = 1_420_070_400;
const YEAR_2016: i64 = 1_451_606_400;
const YEAR_2019: i64 = 1_546_300_800;
const YEAR_2021: i64 = 1_609_459_200;

/// The computed world.
pub(super) struct Generated {
    seed: u64,
    users: u64,
    product: Product,
    /// The midnight before the sandbox's now: all times are as of then, so that a day gives the same world.
    day: DateTime<Utc>,
    organizations: Vec<Organization>,
    groups: Vec<Group>,
    user_ids: Cipher,
    key_ids: Cipher,
}

impl Generated {
    pub(super) fn new(seed: u64, users: u64, product: Product, now: DateTime<Utc>) -> Self {
        let thing = |salt: u64, index: usize| {
            let mut dice = Dice::new(seed, salt, index as u64);
            id(dice.between(YEAR_2015, YEAR_2016), dice.roll())
        };
        let mut organizations = Vec::new();
        let mut groups = Vec::new();
        for (org, (name, _, projects)) in ORGANIZATIONS.into_iter().enumerate() {
            let org_id = thing(salt::ORG, org);
            for project in projects {
                let agent_api_key =
                    format!("{:016x}{0:016x}", Dice::new(seed, salt::GROUP, groups.len() as u64).roll());
                let (id, name) = (thing(salt::GROUP, groups.len()), (*project).to_owned());
                groups.push(Group { id, name, org, org_id: org_id.clone(), agent_api_key });
            }
            organizations.push(Organization { id: org_id, name: name.to_owned(), requires_list: false });
        }
        Self {
            seed,
            users,
            product,
            day: now - TimeDelta::seconds(now.timestamp().rem_euclid(86_400)),
            organizations,
            groups,
            user_ids: Cipher::new(seed, salt::USER_ID),
            key_ids: Cipher::new(seed, salt::PROGRAMMATIC_ID),
        }
    }

    fn dice(&self, salt: u64, index: u64) -> Dice {
        Dice::new(self.seed, salt, index)
    }

    fn user_id(&self, index: u64) -> String {
        let joined = self.dice(salt::USER_ID, index).between(YEAR_2015, YEAR_2016);
        id(joined, self.user_ids.hide(index))
    }

    fn key_id(&self, index: u64) -> String {
        let created = self.dice(salt::PROGRAMMATIC_ID, index).between(YEAR_2019, YEAR_2021);
        id(created, self.key_ids.hide(index))
    }

    /// Username, first and last name. One user in sixteen has a tag, which wants percent-encoding in a path.
    fn names(&self, index: u64) -> (String, &'static str, &'static str) {
        let mut dice = self.dice(salt::USER, index);
        let (first, last) = (dice.pick(&FIRST_NAMES), dice.pick(&LAST_NAMES));
        let tag = if dice.below(16) == 0 { "+ops" } else { "" };
        let username = format!("{first}.{last}{tag}{index}@example.com").to_ascii_lowercase();
        (username, first, last)
    }

    /// Which projects of which organization, as steps through the organization's users: the first project's users are
    /// every third, its team the next of every three, and so on. User 0, who owns everything, is in none.
    fn step(&self, group: usize) -> (u64, u64, u64) {
        let org = self.groups[group].org;
        let nth = self.groups[..group].iter().filter(|other| other.org == org).count() as u64;
        (ORGANIZATIONS[org].1, nth + 1, nth + 3)
    }

    fn roles(&self, index: u64) -> Vec<Role> {
        let mut dice = self.dice(salt::ROLE, index);
        let mut roles = Vec::new();
        let global = dice.below(40);
        if self.product == Product::OpsManager {
            match (index, global) {
                (0, _) => roles.push(Role::global("GLOBAL_OWNER")),
                (_, 0) => roles.push(Role::global("GLOBAL_READ_ONLY")),
                (_, 1) => roles.push(Role::global("GLOBAL_MONITORING_ADMIN")),
                _ => {}
            }
        }
        for (at, org) in self.organizations.iter().enumerate() {
            let name = match dice.below(16) {
                _ if index == 0 => "ORG_OWNER",
                0 => "ORG_OWNER",
                1 | 2 => "ORG_READ_ONLY",
                3 => "ORG_GROUP_CREATOR",
                _ => "ORG_MEMBER",
            };
            if self.members(Place::Org(at)).contains(index) {
                roles.push(Role::in_org(&org.id, name));
            }
        }
        for (at, group) in self.groups.iter().enumerate() {
            let name = match dice.below(8) {
                0 => "GROUP_OWNER",
                1 => "GROUP_AUTOMATION_ADMIN",
                2 => "GROUP_MONITORING_ADMIN",
                3 => "GROUP_DATA_ACCESS_READ_WRITE",
                _ => "GROUP_READ_ONLY",
            };
            if self.members(Place::Group(at)).contains(index) {
                roles.push(Role::in_group(&group.id, name));
            }
        }
        roles
    }

    fn team_id(&self, group: usize) -> String {
        let mut dice = self.dice(salt::GROUP, 1000 + group as u64);
        id(dice.between(YEAR_2015, YEAR_2016), dice.roll())
    }

    /// Whether the first user's programmatic key is a global one.
    fn has_global_key(&self) -> bool {
        self.product == Product::OpsManager
    }
}

impl World for Generated {
    fn users(&self) -> u64 {
        self.users
    }

    fn user(&self, index: u64) -> User {
        let (username, first, last) = self.names(index);
        let teams = (0..self.groups.len()).filter(|group| self.members(Place::Team(*group)).contains(index));
        User {
            id: self.user_id(index),
            username,
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            roles: self.roles(index),
            team_ids: teams.map(|group| self.team_id(group)).collect(),
        }
    }

    fn user_by_id(&self, id: &str) -> Option<u64> {
        let index = self.user_ids.find(u64::from_str_radix(id.get(8..24)?, 16).ok()?);
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
        let mut dice = self.dice(salt::KEY_COUNT, user);
        let count = match dice.below(100) {
            _ if user == 0 => 3,
            0..=27 => 0,
            28..=60 => 1,
            61..=79 => 2,
            80..=91 => 3,
            92..=95 => 4,
            96..=98 => 5 + dice.below(5),
            _ => MOST as u64,
        };
        (0..count).map(|nth| personal_key(self.seed, user, nth, self.day)).collect()
    }

    fn user_list(&self, user: u64) -> Vec<Entry> {
        let mut dice = self.dice(salt::LIST, user);
        let networks = (0..dice.below(3)).filter_map(|_| {
            let (block, host) = (dice.pick(&["192.0.2", "198.51.100", "203.0.113"]), dice.below(256));
            let text = if dice.below(4) == 0 { format!("{block}.0/24") } else { format!("{block}.{host}") };
            text.parse::<Network>().ok()
        });
        networks.map(|network| Entry::new(network, self.day - TimeDelta::days(400))).collect()
    }

    fn organizations(&self) -> &[Organization] {
        &self.organizations
    }

    fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn members(&self, place: Place) -> Members {
        match place {
            Place::Org(org) => Members::every(0, ORGANIZATIONS[org].1, self.users),
            Place::Group(group) => {
                let (of_org, first, step) = self.step(group);
                Members::every(of_org * first, of_org * step, self.users)
            }
            Place::Team(group) => {
                let (of_org, first, step) = self.step(group);
                if first == 1 {
                    Members::every(of_org * 2, of_org * step, self.users)
                } else {
                    Members::default()
                }
            }
        }
    }

    fn programmatic_keys(&self) -> u64 {
        self.users
    }

    /// One for each user, in the first organization; that of the first user is the one announced.
    fn programmatic_key(&self, index: u64) -> ProgrammaticKey {
        let roles = if index == 0 && self.has_global_key() {
            vec![Role::global("GLOBAL_OWNER")]
        } else {
            let org = &self.organizations[0];
            let here = |role: &Role| {
                role.is_in_org(&org.id)
                    || self.groups.iter().any(|group| group.org == 0 && role.is_in_group(&group.id))
            };
            self.roles(index).into_iter().filter(here).collect()
        };
        let mut dice = self.dice(salt::PROGRAMMATIC, index);
        ProgrammaticKey {
            id: self.key_id(index),
            description: format!("automation of {}", self.names(index).0),
            public: word(index, self.seed),
            private: uuid(dice.roll(), dice.roll()),
            maker: index,
            roles,
        }
    }

    fn programmatic_by_id(&self, id: &str) -> Option<u64> {
        let index = self.key_ids.find(u64::from_str_radix(id.get(8..24)?, 16).ok()?);
        (index < self.users && self.key_id(index) == id).then_some(index)
    }

    fn programmatic_by_public(&self, public: &str) -> Option<u64> {
        number(public, self.seed).filter(|index| *index < self.users)
    }

    fn keys_in(&self, scope: Scope) -> Members {
        match scope {
            Scope::Global if self.has_global_key() => Members::these(vec![0]),
            Scope::Org(0) => Members::every(u64::from(self.has_global_key()), 1, self.users),
            Scope::Group(group) if self.groups[group].org == 0 => self.members(Place::Group(group)),
            Scope::Global | Scope::Org(_) | Scope::Group(_) => Members::default(),
        }
    }

    fn key_list(&self, _key: u64) -> Vec<Entry> {
        Vec::new()
    }

    fn global_list(&self) -> Vec<GlobalEntry> {
        Vec::new()
    }

    fn key_made_by(&self, user: u64) -> Option<u64> {
        Some(user)
    }
}
