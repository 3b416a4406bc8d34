//! Which credential reads whom: on Atlas and Cloud Manager nobody but a user may read that user's keys.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::auth::{Credential, Session};
use crate::model::{Suffix, User};

/// The credentials of a run.
#[derive(Default)]
pub struct Credentials {
    /// For whoever has none of their own, and for discovery.
    pub default: Option<Credential>,
    /// By user id or username.
    pub of_users: Vec<(String, Credential)>,
}

impl Credentials {
    /// Who asks, as the reports tell it: the public part, or how many there are.
    #[must_use]
    pub fn told(&self) -> String {
        let own = match self.of_users.len() {
            0 => None,
            1 => Some("1 user's own".to_owned()),
            more => Some(format!("{more} users' own")),
        };
        let default = self.default.as_ref().map(|credential| credential.public.clone());
        [default, own].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

/// One digest session for each credential.
pub(super) struct CredentialStore {
    default: Option<Arc<Session>>,
    of_users: HashMap<String, Arc<Session>>,
    suffixes: HashSet<Suffix>,
    sessions: usize,
}

impl CredentialStore {
    pub(super) fn new(credentials: Credentials) -> Self {
        let mut known: HashMap<String, Vec<Arc<Session>>> = HashMap::new();
        let mut suffixes = HashSet::new();
        let mut session = |credential: Credential| {
            suffixes.extend(credential.suffix());
            let namesakes = known.entry(credential.public.clone()).or_default();
            let same = |session: &&Arc<Session>| {
                session.credential().private.expose_secret() == credential.private.expose_secret()
            };
            if let Some(session) = namesakes.iter().find(same) {
                return Arc::clone(session);
            }
            let session = Arc::new(Session::new(credential));
            namesakes.push(Arc::clone(&session));
            session
        };
        let default = credentials.default.map(&mut session);
        let of_users =
            credentials.of_users.into_iter().map(|(user, own)| (user.to_lowercase(), session(own))).collect();
        Self { default, of_users, suffixes, sessions: known.values().map(Vec::len).sum() }
    }

    /// For what is nobody's own.
    pub(super) fn default(&self) -> Option<&Session> {
        self.default.as_deref()
    }

    /// The default, or else the own one of whoever is first by name.
    pub(super) fn any(&self) -> Option<&Session> {
        let first =
            || self.of_users.iter().min_by_key(|(user, _)| *user).map(|(_, session)| session.as_ref());
        self.default().or_else(first)
    }

    /// A user's own, by id or by name, or the default.
    pub(super) fn of(&self, user: &User) -> Option<&Session> {
        let own = |name: &str| self.of_users.get(&name.to_lowercase());
        let session = own(&user.id).or_else(|| user.username.as_deref().and_then(own));
        session.or(self.default.as_ref()).map(Arc::as_ref)
    }

    /// Whether a refusal of one leaves others.
    pub(super) fn is_one(&self) -> bool {
        self.sessions == 1
    }

    /// Whether a key of this suffix is one that the audit itself uses.
    pub(super) fn holds(&self, suffix: Option<&Suffix>) -> bool {
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
            id: id.to_owned(),
            username: Some(username.to_owned()),
            origin: crate::model::Origin::default(),
        }
    }

    #[test]
    fn a_user_is_read_with_the_own_credential_by_id_or_name_and_else_with_the_default() {
        let of_users = vec![
            ("aa".to_owned(), credential("by-id")),
            ("Bob@example.com".to_owned(), credential("by-name")),
        ];
        let keyring = CredentialStore::new(Credentials { default: Some(credential("default")), of_users });
        let public = |user: User| keyring.of(&user).map(|session| session.credential().public.clone());
        assert_eq!(public(user("AA", "x")).as_deref(), Some("by-id"));
        assert_eq!(public(user("bb", "bob@example.com")).as_deref(), Some("by-name"));
        assert_eq!(public(user("cc", "x")).as_deref(), Some("default"));
    }

    #[test]
    fn without_a_default_nobody_else_is_read() {
        let keyring = CredentialStore::new(Credentials {
            default: None,
            of_users: vec![("aa".to_owned(), credential("own"))],
        });
        assert!(keyring.of(&user("bb", "x")).is_none() && keyring.default().is_none());
    }

    #[test]
    fn one_credential_of_many_users_is_one_session() {
        let of_users = vec![("aa".to_owned(), credential("same")), ("bb".to_owned(), credential("same"))];
        let keyring = CredentialStore::new(Credentials { default: Some(credential("same")), of_users });
        assert!(keyring.is_one());
        assert!(keyring.holds(Suffix::from_key("********-****-****-92732876eeae").as_ref()));
        assert!(!keyring.holds(None));
    }
}
