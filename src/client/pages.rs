//! What the audit asks the service for: a user's keys, a user by name, and lists of users, all of their pages.

use std::collections::HashSet;

use futures::Stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::auth::Session;
use super::failure::ClientError;
use super::http::{Answer, Client};
use super::wire::{self, Identified, Page};
use crate::model::{Origin, Outcome, PersonalKey, ReadStatus, User};

/// Rows of one page: the most that is documented.
pub const PAGE: usize = 500;
/// The service allows 10 keys a user; whoever has more pages than this has a list that never ends.
const KEY_PAGES: u32 = 100;
/// More keys of one user than these are not taken.
pub const MOST_KEYS: usize = 10_000;
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
        let session = self.keyring().of(user);
        let mut pages = Pages::<wire::Key>::new(self, session, format!("users/{segment}/keys"), KEY_PAGES);
        let mut keys: Vec<PersonalKey> = Vec::new();
        let mut ids = HashSet::new();
        let mut strange = None;
        let end = loop {
            let rows = match pages.next().await? {
                Turn::Rows(rows) => rows,
                Turn::End(outcome) => break outcome,
            };
            if keys.len() + rows.len() > MOST_KEYS {
                let why = format!("more than {MOST_KEYS} keys, where the service allows 10");
                break Outcome::unread(ReadStatus::Partial, pages.status, why);
            }
            for row in rows {
                if row.user_id.as_deref().is_some_and(|owner| !owner.eq_ignore_ascii_case(&user.id)) {
                    strange = Some("the list holds a key of another user".to_owned());
                }
                if !row.has_sound_id() {
                    strange = Some("the list holds a key whose id is none".to_owned());
                }
                let key = row.into_model(|suffix| self.keyring().holds(suffix));
                if ids.insert(key.id.clone()) {
                    keys.push(key);
                }
            }
        };
        let outcome = match strange {
            Some(why) => Outcome::unread(ReadStatus::Malformed, pages.status, why),
            None => pages.reconcile(keys.len() as u64, end, "keys"),
        };
        Ok((keys, outcome, 1 + pages.retries))
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
        let mut pages =
            Pages::<wire::Scope>::new(self, self.keyring().default(), "orgs".to_owned(), ORGANIZATION_PAGES);
        let mut ids = Vec::new();
        let end = loop {
            match pages.next().await? {
                Turn::Rows(rows) => ids.extend(rows.into_iter().map(|scope| scope.id)),
                Turn::End(outcome) => break outcome,
            }
        };
        let outcome = pages.reconcile(pages.different, end, "organizations");
        Ok((ids, of_a_list(outcome)))
    }

    fn listed(
        &self,
        kind: &str,
        id: &str,
        query: &str,
    ) -> impl Stream<Item = Result<UserListEvent, ClientError>> + use<'_> {
        let path = segment(id).map(|segment| format!("{kind}/{segment}/users"));
        let start = match path {
            Some(path) => State::Pages(
                Pages::<wire::Account>::new(self, self.keyring().default(), path, LIST_PAGES)
                    .with_query(query),
            ),
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
                    (UserListEvent::Users(users, pages.total), State::Pages(pages))
                }
                Turn::End(end) => {
                    let outcome = of_a_list(pages.reconcile(pages.different, end, "users"));
                    (UserListEvent::End(outcome), State::Over(None))
                }
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

/// Walks the pages of a list by number; the addresses in its links are never used.
struct Pages<'a, T> {
    client: &'a Client,
    session: Option<&'a Session>,
    path: String,
    query: String,
    number: u32,
    limit: u32,
    /// Rows so far, repeats included.
    seen: u64,
    /// Rows so far, without repeats.
    different: u64,
    page_before: HashSet<String>,
    total: Option<u64>,
    /// Whether the service's own count changed: then rows may have moved from a page to be read to one that was.
    moved: bool,
    /// Requests that had to be sent again.
    retries: u32,
    /// Of the last page.
    status: Option<u16>,
    more: bool,
    /// The first id of each page: a list that turns in a circle comes back to one.
    begun_with: HashSet<String>,
    empty_before: bool,
    unreadable_row: Option<String>,
    rows: std::marker::PhantomData<T>,
}

impl<'a, T: DeserializeOwned + Identified> Pages<'a, T> {
    fn new(client: &'a Client, session: Option<&'a Session>, path: String, limit: u32) -> Self {
        Self {
            client,
            session,
            path,
            query: String::new(),
            number: 0,
            limit,
            seen: 0,
            different: 0,
            page_before: HashSet::new(),
            total: None,
            moved: false,
            retries: 0,
            status: None,
            more: true,
            begun_with: HashSet::new(),
            empty_before: false,
            unreadable_row: None,
            rows: std::marker::PhantomData,
        }
    }

    /// `query` ends in `&`.
    fn with_query(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    async fn next(&mut self) -> Result<Turn<T>, ClientError> {
        if !self.more {
            return Ok(Turn::End(Outcome::read(self.status.unwrap_or(200))));
        }
        if self.number == self.limit {
            let why = format!("the list does not end: {} pages were read", self.limit);
            return Ok(Turn::End(Outcome::unread(ReadStatus::Partial, self.status, why)));
        }
        self.number += 1;
        let path = format!("{}?{}pageNum={}&itemsPerPage={PAGE}", self.path, self.query, self.number);
        let (answer, retries) = self.client.get(self.session, &path).await?;
        self.retries += retries;
        let (status, body) = match answer {
            Answer::Refusal(outcome) => return Ok(Turn::End(outcome)),
            Answer::Document { status, body } => (status, body),
        };
        self.status = Some(status);
        Ok(match Page::<T>::read(&body) {
            Err(why) => {
                let why = format!("the answer is not the documented one: {why}");
                Turn::End(Outcome::unread(ReadStatus::Malformed, Some(status), why))
            }
            Ok(page) => self.take(page),
        })
    }

    fn take(&mut self, page: Page<T>) -> Turn<T> {
        let rows = page.rows;
        self.seen += rows.len() as u64;
        if page.total.is_some() {
            self.moved |= self.total.is_some() && page.total != self.total;
            self.total = page.total;
        }
        if self.unreadable_row.is_none() {
            self.unreadable_row = page.unreadable_row;
        }
        let unfinished = match self.total {
            Some(total) => self.seen < total,
            // Nothing says where such a list ends but an empty page.
            None => rows.len() >= PAGE || !page.has_links,
        };
        self.more = page.has_next || !rows.is_empty() && unfinished;
        self.count_different(&rows);
        let alone = self.number == 1 && !self.more;
        let partial = |why: String| Turn::End(Outcome::unread(ReadStatus::Partial, self.status, why));
        let counted = self.total.unwrap_or(u64::MAX);
        if self.more && self.seen > counted.saturating_add(PAGE as u64) {
            return partial(format!(
                "the list does not end: it says {counted}, and goes on after {}",
                self.seen
            ));
        }
        match rows.first() {
            Some(first) if !alone && !self.begun_with.insert(first.id().to_owned()) => {
                partial("the list does not end: a page repeats one before it".to_owned())
            }
            None if self.more && std::mem::replace(&mut self.empty_before, true) => {
                partial("the list does not end: empty pages say that more follows".to_owned())
            }
            Some(_) | None => Turn::Rows(rows),
        }
    }

    /// Repeats within a page and across two pages are seen; further apart they would cost memory for every row.
    fn count_different(&mut self, rows: &[T]) {
        let here: HashSet<&str> = rows.iter().map(T::id).collect();
        self.different += here.iter().filter(|id| !self.page_before.contains(**id)).count() as u64;
        self.page_before =
            if self.more { here.into_iter().map(str::to_owned).collect() } else { HashSet::new() };
    }

    /// The outcome of a list of which `got` different rows were taken: complete only if nothing at all speaks against it.
    fn reconcile(&self, got: u64, end: Outcome, what: &str) -> Outcome {
        if !end.status.is_complete() || end.status == ReadStatus::Removed {
            return end;
        }
        if let Some(why) = &self.unreadable_row {
            return Outcome::unread(ReadStatus::Malformed, self.status, why);
        }
        match self.total {
            Some(total) if self.moved => {
                let why = format!(
                    "the list changed while it was read: the service now counts {total} {what}; read it again"
                );
                Outcome::unread(ReadStatus::Partial, self.status, why)
            }
            Some(total) if total != got => {
                let why = format!("the service counts {total} {what}, but its pages hold {got}");
                Outcome::unread(ReadStatus::Partial, self.status, why)
            }
            Some(_) | None => end,
        }
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
