//! The resources that an audit reads: a user's keys, a user by name, and lists of users and organizations, all of their
//! pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::Client;
use super::digest::DigestSession;
use super::error::ClientError;
use super::list::{PAGE, PageSequence, UserKeys};
use super::wire::{self, Identified, Page};
use crate::model::{Origin, Outcome, PersonalKey, ReadStatus, Suffix, User};

/// Five million users; fewer where the service gives smaller pages.
const LIST_PAGES: u32 = 10_000;
/// All their ids are kept in memory.
const ORGANIZATION_PAGES: u32 = 200;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Client {
    /// All personal keys of a user, whether that is all of them, and how often he was asked for.
    ///
    /// # Errors
    /// What makes the whole run pointless; a user's own failure is the outcome.
    pub async fn personal_keys(&self, user: &User) -> Result<(Vec<PersonalKey>, Outcome, u32), ClientError> {
        let path = match segment(&user.id) {
            Ok(id) => format!("users/{id}/keys"),
            Err(outcome) => return Ok((Vec::new(), outcome, 0)),
        };
        let session = self.credentials.for_user(user);
        let mut keys = UserKeys::new(&user.id);
        let mut attempts = 1;
        let end = loop {
            let number = match keys.pages.next_page() {
                Ok(number) => number,
                Err(end) => break end,
            };
            let (page, retries) = self.get_page(session, &path, "", number).await?;
            attempts += retries;
            let is_own = |suffix: Option<&Suffix>| self.credentials.contains(suffix);
            if let Err(end) = page.and_then(|(status, page)| keys.take(status, page, is_own)) {
                break end;
            }
        };
        let (keys, outcome) = keys.finish(end);
        Ok((keys, outcome, attempts))
    }

    /// The user of a name, or why there is none and how often he was asked for.
    ///
    /// # Errors
    /// What makes the whole run pointless.
    pub async fn user_by_name(&self, name: &str) -> Result<Result<User, (Outcome, u32)>, ClientError> {
        let path = match segment(name) {
            Ok(name) => format!("users/byName/{name}"),
            Err(outcome) => return Ok(Err((outcome, 0))),
        };
        let user = User { id: String::new(), username: Some(name.to_owned()), origin: Origin::default() };
        let reply = self.get(self.credentials.for_user(&user), &path).await?;
        let found = reply.result.map_err(not_found_if_removed).and_then(|document| {
            wire::single::<wire::Account>(&document.body)
                .map(User::from)
                .map_err(|why| why.to_string())
                .and_then(|user| require_name(user, name))
                .map_err(|why| Outcome::unread(ReadStatus::Malformed, Some(document.status), why))
        });
        Ok(found.map_err(|outcome| (outcome, 1 + reply.retries)))
    }

    /// The users of an organization.
    #[must_use]
    pub fn organization_users(&self, id: &str) -> UserPages<'_> {
        UserPages(Pages::new(self, users_of("orgs", id), "", LIST_PAGES))
    }

    /// The users of a project, those of its teams and of its organization included.
    #[must_use]
    pub fn project_users(&self, id: &str) -> UserPages<'_> {
        UserPages(Pages::new(self, users_of("groups", id), PROJECT_USERS, LIST_PAGES))
    }

    /// The ids of all organizations that the credentials see; the outcome says whether that is all of them.
    ///
    /// # Errors
    /// What makes the whole run pointless.
    pub async fn organizations(&self) -> Result<(Vec<String>, Outcome), ClientError> {
        let mut pages = Pages::<wire::Organization>::new(self, Ok("orgs".to_owned()), "", ORGANIZATION_PAGES);
        let mut ids = Vec::new();
        let end = loop {
            match pages.next().await? {
                Ok(rows) => ids.extend(rows.into_iter().map(|organization| organization.id)),
                Err(end) => break end,
            }
        };
        Ok((ids, pages.outcome(end, "organizations")))
    }

    /// One page of a list, or why there is none; and how often it was asked for again. `query` is empty or ends in `&`.
    async fn get_page<T: DeserializeOwned>(
        &self,
        session: Option<&DigestSession>,
        path: &str,
        query: &str,
        number: u32,
    ) -> Result<(Result<(u16, Page<T>), Outcome>, u32), ClientError> {
        let path = format!("{path}?{query}pageNum={number}&itemsPerPage={PAGE}");
        let reply = self.get(session, &path).await?;
        let page = reply.result.and_then(|document| match Page::read(&document.body) {
            Ok(page) => Ok((document.status, page)),
            Err(why) => {
                let why = format!("the answer is not the documented one: {why}");
                Err(Outcome::unread(ReadStatus::Malformed, Some(document.status), why))
            }
        });
        Ok((page, reply.retries))
    }
}

/// Includes the users of a project's teams and of its organization.
pub(super) const PROJECT_USERS: &str = "flattenTeams=true&includeOrgUsers=true&";

/// The path of the users of an organization or project.
pub(super) fn users_of(kind: &str, id: &str) -> Result<String, Outcome> {
    segment(id).map(|id| format!("{kind}/{id}/users"))
}

/// A list of users, page by page.
pub struct UserPages<'a>(Pages<'a, wire::Account>);

/// A page of a list of users.
pub struct UserPage {
    /// In the service's order.
    pub users: Vec<User>,
    /// How many users the whole list has, as far as the service says.
    pub total: Option<u64>,
}

impl UserPages<'_> {
    /// The next page; or the end of the list, and whether that was all of it.
    ///
    /// # Errors
    /// What makes the whole run pointless.
    pub async fn next(&mut self) -> Result<Result<UserPage, Outcome>, ClientError> {
        Ok(match self.0.next().await? {
            Ok(rows) => {
                let users = rows.into_iter().map(User::from).collect();
                Ok(UserPage { users, total: self.0.sequence.total() })
            }
            Err(end) => Err(self.0.outcome(end, "users")),
        })
    }
}

/// Reads the pages of a list by number; the addresses in its links are never used.
struct Pages<'a, T> {
    client: &'a Client,
    /// Or why it can't be asked for.
    path: Result<String, Outcome>,
    query: &'static str,
    sequence: PageSequence,
    rows: std::marker::PhantomData<T>,
}

impl<'a, T: DeserializeOwned + Identified> Pages<'a, T> {
    /// `query` is empty or ends in `&`.
    fn new(client: &'a Client, path: Result<String, Outcome>, query: &'static str, limit: u32) -> Self {
        Self { client, path, query, sequence: PageSequence::new(limit), rows: std::marker::PhantomData }
    }

    /// The rows of the next page, or the end of the list.
    async fn next(&mut self) -> Result<Result<Vec<T>, Outcome>, ClientError> {
        let path = match &self.path {
            Ok(path) => path,
            Err(outcome) => return Ok(Err(outcome.clone())),
        };
        let number = match self.sequence.next_page() {
            Ok(number) => number,
            Err(end) => return Ok(Err(end)),
        };
        let session = self.client.credentials.default();
        let (page, _) = self.client.get_page(session, path, self.query, number).await?;
        Ok(page.and_then(|(status, page)| self.sequence.take(status, page)))
    }

    /// Whether the rows that were read are all that the service counts.
    fn outcome(&self, end: Outcome, what: &str) -> Outcome {
        not_found_if_removed(self.sequence.reconcile(self.sequence.different(), end, what))
    }
}

/// An account, if it is the one asked for.
fn require_name(user: User, name: &str) -> Result<User, String> {
    match &user.username {
        Some(other) if other.to_lowercase() != name.to_lowercase() => {
            Err(format!("asked for {name}, the service answered with {other}"))
        }
        Some(_) | None => Ok(user),
    }
}

/// Only a user's keys can be gone for good; a list or a user that the service does not know is not found.
fn not_found_if_removed(outcome: Outcome) -> Outcome {
    match outcome.status {
        ReadStatus::Removed => Outcome { status: ReadStatus::NotFound, ..outcome },
        _ => outcome,
    }
}

/// An id or a name, encoded for a path.
///
/// # Errors
/// The outcome for what would change the path itself.
pub(super) fn segment(text: &str) -> Result<String, Outcome> {
    if matches!(text, "" | "." | "..") {
        let why = format!("`{text}` can't be asked for: it would change the path");
        return Err(Outcome::unread(ReadStatus::NotFound, None, why));
    }
    Ok(utf8_percent_encode(text, SEGMENT).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_leaves_its_segment() {
        assert_eq!(segment("5af9a1d29cc0cdb6ac0bf3f8").unwrap(), "5af9a1d29cc0cdb6ac0bf3f8");
        assert_eq!(segment("a/../b?c#d%2f").unwrap(), "a%2F..%2Fb%3Fc%23d%252f");
        assert_eq!(segment("ann@example.com").unwrap(), "ann%40example.com");
        for path in ["", ".", ".."] {
            assert!(segment(path).is_err());
        }
    }
}
