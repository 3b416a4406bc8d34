//! Which credential reads which user's keys: on Atlas and Cloud Manager only the user's own may.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::digest::DigestSession;
use crate::model::{Suffix, User};

/// A digest user and password: a programmatic key's two parts, or a username and a personal key.
pub(crate) struct Credential {
    /// The part that may be shown.
    pub public: String,
    /// The part that may not.
    pub private: SecretString,
}

impl Credential {
    /// The last 12 digits of the secret, which is how a personal key is recognized in a list.
    pub(super) fn suffix(&self) -> Option<Suffix> {
        Suffix::from_key(self.private.expose_secret())
    }
}

/// The credentials of a run.
#[derive(Default)]
pub(crate) struct Credentials {
    /// For users without one of their own, and for discovery.
    pub default: Option<Credential>,
    /// By user id or username.
    pub per_user: Vec<(String, Credential)>,
}

impl Credentials {
    /// As the reports name them: the public part, and how many users have their own.
    pub(crate) fn describe(&self) -> String {
        let own = match self.per_user.len() {
            0 => None,
            1 => Some("own credentials of 1 user".to_owned()),
            more => Some(format!("own credentials of {more} users")),
        };
        let default = self.default.as_ref().map(|credential| credential.public.clone());
        [default, own].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

/// One digest session for each credential.
pub(super) struct CredentialStore {
    default: Option<Arc<DigestSession>>,
    per_user: HashMap<String, Arc<DigestSession>>,
    suffixes: HashSet<Suffix>,
    sessions: usize,
}

impl CredentialStore {
    pub(super) fn new(credentials: Credentials) -> Self {
        let mut known: HashMap<String, Vec<Arc<DigestSession>>> = HashMap::new();
        let mut suffixes = HashSet::new();
        let mut session = |credential: Credential| {
            suffixes.extend(credential.suffix());
            let namesakes = known.entry(credential.public.clone()).or_default();
            let same = |session: &&Arc<DigestSession>| {
                session.credential().private.expose_secret() == credential.private.expose_secret()
            };
            if let Some(session) = namesakes.iter().find(same) {
                return Arc::clone(session);
            }
            let session = Arc::new(DigestSession::new(credential));
            namesakes.push(Arc::clone(&session));
            session
        };
        let default = credentials.default.map(&mut session);
        let per_user =
            credentials.per_user.into_iter().map(|(user, own)| (user.to_lowercase(), session(own))).collect();
        Self { default, per_user, suffixes, sessions: known.values().map(Vec::len).sum() }
    }

    /// For what is not one user's own.
    pub(super) fn default(&self) -> Option<&DigestSession> {
        self.default.as_deref()
    }

    /// The default, or else that of the first user by name.
    pub(super) fn any(&self) -> Option<&DigestSession> {
        let first =
            || self.per_user.iter().min_by_key(|(user, _)| *user).map(|(_, session)| session.as_ref());
        self.default().or_else(first)
    }

    /// A user's own, by id or by name, or the default.
    pub(super) fn for_user(&self, user: &User) -> Option<&DigestSession> {
        let own = |name: &str| self.per_user.get(&name.to_lowercase());
        let session = [&user.id, &user.username].into_iter().flatten().find_map(|name| own(name));
        session.or(self.default.as_ref()).map(Arc::as_ref)
    }

    /// Whether a user has one that is not the default.
    pub(super) fn has_own(&self, user: &User) -> bool {
        [&user.id, &user.username]
            .into_iter()
            .flatten()
            .any(|name| self.per_user.contains_key(&name.to_lowercase()))
    }

    /// Whether any user has one.
    pub(super) fn has_any_own(&self) -> bool {
        !self.per_user.is_empty()
    }

    /// Whether there is no other to use when one is refused.
    pub(super) fn is_single(&self) -> bool {
        self.sessions == 1
    }

    /// Whether a key of this suffix is one that the audit itself uses.
    pub(super) fn contains(&self, suffix: Option<&Suffix>) -> bool {
        suffix.is_some_and(|suffix| self.suffixes.contains(suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(public: &str) -> Credential {
        Credential { public: public.to_owned(), private: "5af9a1d2-0000-0000-0000-92732876eeae".into() }
    }

    fn user(id: &str, username: &str) -> User {
        User {
            id: Some(id.to_owned()),
            username: Some(username.to_owned()),
            origin: crate::model::Origin::default(),
        }
    }

    #[test]
    fn a_users_own_credential_goes_before_the_default() {
        let per_user = vec![
            ("aa".to_owned(), credential("by-id")),
            ("Bob@example.com".to_owned(), credential("by-name")),
        ];
        let store = CredentialStore::new(Credentials { default: Some(credential("default")), per_user });
        let public = |user: User| store.for_user(&user).map(|session| session.credential().public.clone());
        assert_eq!(public(user("AA", "x")).as_deref(), Some("by-id"));
        assert_eq!(public(user("bb", "bob@example.com")).as_deref(), Some("by-name"));
        assert_eq!(public(user("cc", "x")).as_deref(), Some("default"));
    }

    #[test]
    fn without_a_default_only_users_with_a_credential_are_read() {
        let store = CredentialStore::new(Credentials {
            default: None,
            per_user: vec![("aa".to_owned(), credential("own"))],
        });
        assert!(store.for_user(&user("bb", "x")).is_none() && store.default().is_none());
    }

    #[test]
    fn one_credential_of_many_users_is_one_session() {
        let per_user = vec![("aa".to_owned(), credential("same")), ("bb".to_owned(), credential("same"))];
        let store = CredentialStore::new(Credentials { default: Some(credential("same")), per_user });
        assert!(store.is_single());
        assert!(store.contains(Suffix::from_key("********-****-****-92732876eeae").as_ref()));
        assert!(!store.contains(None));
    }
}
