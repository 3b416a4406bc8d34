//! What the audit asks the service for: a user's keys, a user by name, and lists of users, all of their pages.

use futures::Stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::auth::Session;
use super::failure::ClientError;
use super::http::{Answer, Client};
use super::list::{PAGE, PageSequence, UserKeys};
use super::wire::{self, Identified, Page};
use crate::model::{Origin, Outcome, PersonalKey, ReadStatus, Suffix, User};

/// Five million users; fewer where the service gives smaller pages.
const LIST_PAGES: u32 = 10_000;
/// Their ids are held at once.
const ORGANIZATION_PAGES: u32 = 200;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Client {
    /// All personal keys of a user, whether that is all of them, and how often he was asked for.
    ///
    /// # Errors
    /// What makes the whole run pointless; a user's own failure is the outcome.
    pub async fn personal_keys(&self, user: &User) -> Result<(Vec<PersonalKey>, Outcome, u32), ClientError> {
        let Some(segment) = segment(&user.id) else { return Ok((Vec::new(), impossible(&user.id), 0)) };
        let (session, path) = (self.keyring().of(user), format!("users/{segment}/keys"));
        let mut keys = UserKeys::new(&user.id);
        let mut attempts = 1;
        let end = loop {
            let number = match keys.pages.next_page() {
                Ok(number) => number,
                Err(end) => break end,
            };
            let (page, retries) = self.page(session, &path, "", number).await?;
            attempts += retries;
            let is_own = |suffix: Option<&Suffix>| self.keyring().holds(suffix);
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
        let Some(segment) = segment(name) else { return Ok(Err((impossible(name), 0))) };
        let who = User { id: String::new(), username: Some(name.to_owned()), origin: Origin::default() };
        let (answer, retries) = self.get(self.keyring().of(&who), &format!("users/byName/{segment}")).await?;
        let user = match answer {
            Answer::Refusal(outcome) => Err(of_a_list(outcome)),
            Answer::Document { status, body } => wire::single::<wire::Account>(&body)
                .map(User::from)
                .map_err(|why| why.to_string())
                .and_then(|user| called(user, name))
                .map_err(|why| Outcome::unread(ReadStatus::Malformed, Some(status), why)),
        };
        Ok(user.map_err(|outcome| (outcome, 1 + retries)))
    }

    /// One page of a list, or why there is none; and how often it was asked for again. `query` is empty or ends in `&`.
    async fn page<T: DeserializeOwned>(
        &self,
        session: Option<&Session>,
        path: &str,
        query: &str,
        number: u32,
    ) -> Result<(Result<(u16, Page<T>), Outcome>, u32), ClientError> {
        let path = format!("{path}?{query}pageNum={number}&itemsPerPage={PAGE}");
        let (answer, retries) = self.get(session, &path).await?;
        let page = match answer {
            Answer::Refusal(outcome) => Err(outcome),
            Answer::Document { status, body } => match Page::read(&body) {
                Ok(page) => Ok((status, page)),
                Err(why) => {
                    let why = format!("the answer is not the documented one: {why}");
                    Err(Outcome::unread(ReadStatus::Malformed, Some(status), why))
                }
            },
        };
        Ok((page, retries))
    }

    /// The users of an organization, page by page.
    pub fn organization_users(
        &self,
        id: &str,
    ) -> impl Stream<Item = Result<UserListEvent, ClientError>> + use<'_> {
        self.listed("orgs", id, "")
    }

    /// The users of a project, those of its teams and of its organization included, page by page.
    pub fn project_users(
        &self,
        id: &str,
    ) -> impl Stream<Item = Result<UserListEvent, ClientError>> + use<'_> {
        self.listed("groups", id, "flattenTeams=true&includeOrgUsers=true&")
    }

    /// The ids of all organizations that the credentials see; the outcome says whether that is all of them.
    ///
    /// # Errors
    /// What makes the whole run pointless.
    pub async fn organizations(&self) -> Result<(Vec<String>, Outcome), ClientError> {
        let mut pages = Pages::<wire::Scope>::new(self, "orgs".to_owned(), "", ORGANIZATION_PAGES);
        let mut ids = Vec::new();
        let end = loop {
            match pages.next().await? {
                Turn::Rows(rows) => ids.extend(rows.into_iter().map(|scope| scope.id)),
                Turn::End(outcome) => break outcome,
            }
        };
        Ok((ids, pages.reconcile(end, "organizations")))
    }

    fn listed(
        &self,
        kind: &str,
        id: &str,
        query: &'static str,
    ) -> impl Stream<Item = Result<UserListEvent, ClientError>> + use<'_> {
        let path = segment(id).map(|segment| format!("{kind}/{segment}/users"));
        let start = match path {
            Some(path) => State::Pages(Pages::new(self, path, query, LIST_PAGES)),
            None => State::Over(Some(impossible(id))),
        };
        futures::stream::try_unfold(start, |state| async {
            let mut pages = match state {
                State::Pages(pages) => pages,
                State::Over(outcome) => {
                    return Ok(outcome.map(|outcome| (UserListEvent::End(outcome), State::Over(None))));
                }
            };
            Ok(Some(match pages.next().await? {
                Turn::Rows(rows) => {
                    let users = rows.into_iter().map(User::from).collect();
                    (UserListEvent::Users(users, pages.sequence.total()), State::Pages(pages))
                }
                Turn::End(end) => (UserListEvent::End(pages.reconcile(end, "users")), State::Over(None)),
            }))
        })
    }
}

enum State<'a> {
    Pages(Pages<'a, wire::Account>),
    Over(Option<Outcome>),
}

/// What a list of users brings: pages, and in the end whether they were all.
pub enum UserListEvent {
    /// Some more users, and how many there will be in all, as far as the service tells.
    Users(Vec<User>, Option<u64>),
    /// The end of the list, reached or not.
    End(Outcome),
}

enum Turn<T> {
    Rows(Vec<T>),
    End(Outcome),
}

/// Reads the pages of a list by number; the addresses in its links are never used.
struct Pages<'a, T> {
    client: &'a Client,
    path: String,
    query: &'static str,
    sequence: PageSequence,
    rows: std::marker::PhantomData<T>,
}

impl<'a, T: DeserializeOwned + Identified> Pages<'a, T> {
    /// `query` is empty or ends in `&`.
    fn new(client: &'a Client, path: String, query: &'static str, limit: u32) -> Self {
        Self { client, path, query, sequence: PageSequence::new(limit), rows: std::marker::PhantomData }
    }

    async fn next(&mut self) -> Result<Turn<T>, ClientError> {
        let number = match self.sequence.next_page() {
            Ok(number) => number,
            Err(end) => return Ok(Turn::End(end)),
        };
        let session = self.client.keyring().default();
        let (page, _) = self.client.page(session, &self.path, self.query, number).await?;
        Ok(match page.and_then(|(status, page)| self.sequence.take(status, page)) {
            Ok(rows) => Turn::Rows(rows),
            Err(end) => Turn::End(end),
        })
    }

    /// Whether the rows that were read are all that the service counts.
    fn reconcile(&self, end: Outcome, what: &str) -> Outcome {
        of_a_list(self.sequence.reconcile(self.sequence.different(), end, what))
    }
}

/// An account, if it is the one asked for.
fn called(user: User, name: &str) -> Result<User, String> {
    match &user.username {
        Some(other) if other.to_lowercase() != name.to_lowercase() => {
            Err(format!("asked for {name}, the service answered with {other}"))
        }
        Some(_) | None => Ok(user),
    }
}

/// Only a user's keys can be gone for good; a list or a user that the service does not know is not found.
fn of_a_list(outcome: Outcome) -> Outcome {
    match outcome.status {
        ReadStatus::Removed => Outcome { status: ReadStatus::NotFound, ..outcome },
        _ => outcome,
    }
}

/// Encoded for a path; `None` for what would change the path itself.
pub(super) fn segment(text: &str) -> Option<String> {
    let sound = !matches!(text, "" | "." | "..");
    sound.then(|| utf8_percent_encode(text, SEGMENT).to_string())
}

fn impossible(id: &str) -> Outcome {
    Outcome::unread(
        ReadStatus::NotFound,
        None,
        format!("`{id}` can't be asked for: it would change the path"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_leaves_its_segment() {
        assert_eq!(segment("5af9a1d29cc0cdb6ac0bf3f8").as_deref(), Some("5af9a1d29cc0cdb6ac0bf3f8"));
        assert_eq!(segment("a/../b?c#d%2f").as_deref(), Some("a%2F..%2Fb%3Fc%23d%252f"));
        assert_eq!(segment("ann@example.com").as_deref(), Some("ann%40example.com"));
        for path in ["", ".", ".."] {
            assert_eq!(segment(path), None);
        }
    }
}
