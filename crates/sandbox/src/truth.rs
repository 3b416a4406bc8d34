//! What the service holds, told from inside: what a client's findings are compared with.

use chrono::{DateTime, Utc};

use super::Sandbox;
use super::keys::suffix;
use super::programmatic::ProgrammaticKey;
use super::roles::Scope;
use super::service::Service;

/// A user and its personal keys, as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedUser {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The digest user of its personal keys.
    pub username: String,
    /// In the order in which the service lists them.
    pub keys: Vec<ExpectedKey>,
}

/// A personal key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedKey {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The last 12 digits of the key, which its mask leaves visible.
    pub suffix: String,
    /// As its user wrote it.
    pub description: String,
    /// Whether it may log in.
    pub enabled: bool,
    /// To the second.
    pub created: DateTime<Utc>,
    /// `None` where the service does not say.
    pub last_used: Option<DateTime<Utc>>,
    /// `None` where the service does not say.
    pub used_count: Option<u64>,
}

impl Sandbox {
    /// All users in order of their index, each made as it is asked for.
    pub fn ground_truth(&self) -> impl Iterator<Item = ExpectedUser> + '_ {
        (0..self.server.service.world.users()).filter_map(|index| self.expected_user(index))
    }

    /// The user with this index; `None` beyond the last.
    #[must_use]
    pub fn expected_user(&self, index: u64) -> Option<ExpectedUser> {
        let service = &self.server.service;
        if index >= service.world.users() {
            return None;
        }
        let user = service.world.user(index);
        let keys = service.personal_keys(index).into_iter().map(|key| ExpectedKey {
            suffix: suffix(&key.secret).to_owned(),
            id: key.id,
            description: key.description,
            enabled: key.enabled,
            created: key.created,
            last_used: key.last_used,
            used_count: key.used_count,
        });
        Some(ExpectedUser { id: user.id, username: user.username, keys: keys.collect() })
    }

    /// The public and private part of a programmatic key that counts as this user. Every user of a computed world has one;
    /// where a file's world has none, one is made, with the user's roles. Beyond the last user it is the last one's.
    #[must_use]
    pub fn credential_for(&self, user: u64) -> (String, String) {
        let service = &self.server.service;
        let user = user.min(service.world.users().saturating_sub(1));
        let key = match service.world.key_made_by(user) {
            Some(index) => service.world.programmatic_key(index),
            None => service.create_programmatic(
                "made for a test".to_owned(),
                user,
                service.world.user(user).roles,
            ),
        };
        (key.public, key.private)
    }

    /// The username and the whole UUID of the user's first enabled personal key, whether or not it may log in.
    #[must_use]
    pub fn personal_credential_for(&self, user: u64) -> Option<(String, String)> {
        personal(&self.server.service, user)
    }
}

fn personal(service: &Service, user: u64) -> Option<(String, String)> {
    if user >= service.world.users() {
        return None;
    }
    let key = service.personal_keys(user).into_iter().find(|key| key.enabled)?;
    Some((service.world.user(user).username, key.secret))
}

/// The credential to announce: of the programmatic keys a global owner's or else the first organization's owner's, or the
/// first user's personal key on a deployment that has no others.
pub(super) fn best_credential(service: &Service) -> Option<(String, String)> {
    let world = &service.world;
    if service.served.has_programmatic_keys() && world.programmatic_keys() > 0 {
        let owner = |scope: Scope, role: &str| {
            let keys = world.keys_in(scope);
            let owns = |key: &ProgrammaticKey| key.roles.iter().any(|one| one.name == role);
            keys.from(0).map(|index| world.programmatic_key(index)).find(owns)
        };
        let global = service.served.has_global_keys().then(|| owner(Scope::Global, "GLOBAL_OWNER")).flatten();
        let key =
            global.or_else(|| owner(Scope::Org(0), "ORG_OWNER")).unwrap_or_else(|| world.programmatic_key(0));
        return Some((key.public, key.private));
    }
    if service.served.accepts_personal_keys() { personal(service, 0) } else { None }
}
