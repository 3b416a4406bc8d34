//! What a test may ask: the users and keys as the service holds them, to compare a client's findings with, and
//! credentials to call with.

use chrono::{DateTime, Utc};

use crate::Sandbox;
use crate::state::suffix;

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
    /// All users in order of their index, each computed when it is asked for.
    pub fn ground_truth(&self) -> impl Iterator<Item = ExpectedUser> + '_ {
        (0..self.deployment().world.user_count()).filter_map(|index| self.expected_user(index))
    }

    /// The user with this index; `None` beyond the last.
    #[must_use]
    pub fn expected_user(&self, index: u64) -> Option<ExpectedUser> {
        let deployment = self.deployment();
        if index >= deployment.world.user_count() {
            return None;
        }
        let user = deployment.world.user(index);
        let keys = deployment.personal_keys(index).into_iter().map(|key| ExpectedKey {
            suffix: suffix(&key.secret).to_owned(),
            id: key.id,
            description: key.description,
            enabled: key.enabled,
            created: key.created_at,
            last_used: key.last_used,
            used_count: key.used_count,
        });
        Some(ExpectedUser { id: user.id, username: user.username, keys: keys.collect() })
    }

    /// The public and private part of a programmatic key that counts as this user. Every user of a random world has one;
    /// where a file's world has none, one is made, with the user's roles. Beyond the last user it is the last one's.
    #[must_use]
    pub fn credential_for(&self, user: u64) -> (String, String) {
        let deployment = self.deployment();
        let user = user.min(deployment.world.user_count().saturating_sub(1));
        let key = if let Some(index) = deployment.world.programmatic_key_made_by(user) {
            deployment.world.programmatic_key(index)
        } else {
            let roles = deployment.world.user(user).roles;
            deployment.create_programmatic_key("made for a test".to_owned(), user, roles)
        };
        (key.public_key, key.private_key)
    }

    /// The username and the whole UUID of the user's first enabled personal key, whether or not it may log in.
    #[must_use]
    pub fn personal_credential_for(&self, user: u64) -> Option<(String, String)> {
        self.deployment().personal_credential(user)
    }
}
