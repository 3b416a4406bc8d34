//! Service accounts of Atlas: OAuth 2.0 clients of an organization, their secrets and their access tokens.

use chrono::{DateTime, TimeDelta, Utc};

use super::event::Author;
use super::model::{Caller, CallerKey, Role, Scope};
use super::{Deployment, ListOwner};

/// How long an access token counts, in seconds.
pub(crate) const TOKEN_LIFE: i64 = 3600;

/// A service account. Its access list is apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceAccount {
    /// `mdb_sa_id_` and 24 hexadecimal digits.
    pub(crate) client_id: String,
    pub(crate) org_id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) created: DateTime<Utc>,
    /// The user behind the request that created it.
    pub(crate) made_by: u64,
    /// In its organization, at least one, and in projects of it.
    pub(crate) roles: Vec<Role>,
    pub(crate) secrets: Vec<ServiceAccountSecret>,
}

/// A secret of a service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceAccountSecret {
    pub(crate) id: String,
    /// `mdb_sa_sk_` and more.
    pub(crate) value: String,
    pub(crate) created: DateTime<Utc>,
    pub(crate) expires: DateTime<Utc>,
    pub(crate) last_used: Option<DateTime<Utc>>,
}

/// An access token of a service account.
pub(super) struct Token {
    client_id: String,
    expires: DateTime<Utc>,
}

impl ServiceAccount {
    pub(crate) fn role_names(&self, scope: Scope) -> Vec<&str> {
        self.roles.iter().filter(|role| role.is_in(scope)).map(|role| &*role.name).collect()
    }
}

impl Deployment {
    /// Those of an organization, in the order of their creation.
    pub(crate) fn service_accounts(&self, org_id: &str) -> Vec<ServiceAccount> {
        let changes = self.changes();
        changes.service_accounts.values().filter(|account| account.org_id == org_id).cloned().collect()
    }

    pub(crate) fn service_account(&self, client_id: &str) -> Option<(u64, ServiceAccount)> {
        let changes = self.changes();
        let mut accounts = changes.service_accounts.iter();
        accounts
            .find(|(_, account)| account.client_id == client_id)
            .map(|(index, account)| (*index, account.clone()))
    }

    pub(crate) fn add_service_account(&self, account: ServiceAccount) {
        let mut changes = self.changes();
        let index = changes.service_accounts.keys().next_back().map_or(0, |last| last + 1);
        changes.service_accounts.insert(index, account);
    }

    pub(crate) fn replace_service_account(&self, index: u64, account: ServiceAccount) {
        self.changes().service_accounts.insert(index, account);
    }

    pub(crate) fn delete_service_account(&self, index: u64) {
        let mut changes = self.changes();
        changes.access_lists.remove(&ListOwner::ServiceAccount(index));
        changes.service_accounts.remove(&index);
    }

    /// An access token for a secret that has not expired; `None` for any other.
    pub(crate) fn issue_token(&self, client_id: &str, secret: &str) -> Option<String> {
        let now = self.rules.now();
        let (index, mut account) = self.service_account(client_id)?;
        let found = account.secrets.iter_mut().find(|it| it.value == secret && it.expires > now)?;
        found.last_used = Some(now);
        self.replace_service_account(index, account);
        let token = format!("{}.{}", self.new_uuid(), self.new_uuid());
        let entry = Token { client_id: client_id.to_owned(), expires: now + TimeDelta::seconds(TOKEN_LIFE) };
        self.changes().tokens.insert(token.clone(), entry);
        Some(token)
    }

    /// Whom an access token proves.
    pub(crate) fn caller_with_token(&self, token: &str) -> Option<Caller> {
        let client_id = {
            let changes = self.changes();
            let found = changes.tokens.get(token).filter(|token| token.expires > self.rules.now())?;
            found.client_id.clone()
        };
        let (index, account) = self.service_account(&client_id)?;
        let author =
            Author::ProgrammaticKey { id: account.client_id.clone(), public_key: account.client_id.clone() };
        let key = CallerKey::ServiceAccount(index);
        Some(Caller { user: account.made_by, key, roles: account.roles, author })
    }
}
