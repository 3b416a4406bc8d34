//! The resources that an audit reads: a user's keys, a user by name, and lists of users and organizations, all of their
//! pages.

use futures::stream::{FuturesOrdered, StreamExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Client;
use super::digest::DigestSession;
use super::distinct::DistinctIds;
use super::list::{PAGE, PageSequence, UserKeys};
use super::wire::{self, Identified, Page};
use crate::exit::Error;
use crate::inventory::{AccessEntry, InventoryList, ListResult, ProgrammaticKey, Project, Team, TeamRoles};
use crate::model::{
    ListScope, Organization, Origin, Outcome, PersonalKey, ReadStatus, Suffix, User, object_id,
};

/// Five million users; fewer where the service gives smaller pages.
const LIST_PAGES: u32 = 20_000;
/// Of a list that is kept in memory: 100,000 rows.
const WHOLE_LIST_PAGES: u32 = 400;
/// Pages of one list that are requested at once, if its count says that they are there.
const PAGES_AT_ONCE: usize = 8;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Client {
    /// All personal keys of a user, whether that is all of them, and how often he was asked for.
    ///
    /// # Errors
    /// What makes the whole run pointless; a user's own failure is the outcome.
    pub(crate) async fn personal_keys(&self, user: &User) -> Result<(Vec<PersonalKey>, Outcome, u32), Error> {
        let path = match segment(user.id_or_empty()) {
            Ok(id) => ["users/", &id, "/keys"].concat(),
            Err(outcome) => return Ok((Vec::new(), outcome, 0)),
        };
        let session = self.credentials.for_user(user);
        let is_own = |suffix: Option<&Suffix>| self.credentials.contains(suffix);
        let mut keys = UserKeys::new(user.id_or_empty());
        let mut attempts = 1;
        let mut is_second_time = false;
        let end = loop {
            let number = match keys.next_page() {
                Ok(number) => number,
                Err(end) => break end,
            };
            let (page, retries) = self.page(session, &path, "", number).await?;
            attempts += retries;
            let end = page.and_then(|(status, page)| keys.take(status, page, is_own)).err();
            if keys.is_mismatched() && !is_second_time {
                self.distrust_connections();
                keys = UserKeys::new(user.id_or_empty());
                attempts += 1;
                is_second_time = true;
            } else if let Some(end) = end {
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
    pub(crate) async fn user_by_name(&self, name: &str) -> Result<Result<User, (Outcome, u32)>, Error> {
        let path = match segment(name) {
            Ok(name) => format!("users/byName/{name}"),
            Err(outcome) => return Ok(Err((outcome, 0))),
        };
        let user = User { id: None, username: Some(name.to_owned()), origin: Origin::default() };
        let reply = self.get(self.credentials.for_user(&user), &path).await?;
        let found = reply.result.map_err(not_found_if_removed).and_then(|document| {
            wire::single::<wire::Account>(&document.body)
                .map(wire::Account::into_account)
                .and_then(|user| require_name(user, name))
                .map_err(|why| Outcome::unread(ReadStatus::Malformed, Some(document.status), why))
        });
        Ok(found.map_err(|outcome| (outcome, 1 + reply.retries)))
    }

    /// The users of an organization or project, page by page; the outcome says whether those were all. `take` gets what
    /// `reserve` gave before the page was requested, and must not wait where that has room for a page.
    ///
    /// # Errors
    /// What makes the whole run pointless.
    pub(crate) async fn users<R>(
        &self,
        of: UsersOf<'_>,
        reserve: impl AsyncFn() -> R,
        mut take: impl AsyncFnMut(R, UserPage),
    ) -> Result<Outcome, Error> {
        let (scope, id, path, query) = of.list();
        let path = match path {
            Ok(path) => path,
            Err(outcome) => return Ok(outcome),
        };
        let id = object_id(id).unwrap_or_else(|| id.to_owned());
        let list = List {
            session: self.credentials.default(),
            path: &path,
            query,
            things: "users",
            limit: LIST_PAGES,
            pages_at_once: PAGES_AT_ONCE,
        };
        let take = async |room, accounts: Vec<wire::Account>, total| {
            let users = accounts.into_iter().map(|account| account.into_user(scope, &id)).collect();
            take(room, UserPage { users, total }).await;
            Ok(())
        };
        self.list_pages(list, reserve, take).await
    }

    /// The first page of a list of users, or why an audit could not read the list to its end, as far as this page shows.
    ///
    /// # Errors
    /// What makes the whole run pointless.
    pub(crate) async fn first_users(&self, of: UsersOf<'_>) -> Result<Result<UserSample, Outcome>, Error> {
        let (scope, id, path, query) = of.list();
        let path = match path {
            Ok(path) => path,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let mut pages = PageSequence::new(LIST_PAGES);
        let (page, _) = self.page::<wire::Account>(self.credentials.default(), &path, query, 1).await?;
        let page = page.and_then(|it| pages.check_request(&it.1, &path).map(|()| it));
        let rows = page.and_then(|(status, page)| pages.take(status, page));
        Ok(rows.and_then(|rows| {
            let outcome = match pages.next_page() {
                Ok(_) => pages.unreadable(),
                Err(end) => Some(pages.reconcile(rows.len() as u64, end, "users")),
            };
            if let Some(outcome) = outcome.filter(|outcome| !outcome.status.is_complete()) {
                return Err(outcome);
            }
            let users = rows.into_iter().map(|account| account.into_user(scope, id)).collect();
            Ok(UserSample { users, total: pages.total() })
        }))
    }

    /// All organizations that the credentials see; the outcome says whether that is all of them.
    ///
    /// # Errors
    /// What makes the whole run pointless.
    pub(crate) async fn organizations(&self) -> Result<(Vec<Organization>, Outcome), Error> {
        let session = self.credentials.default();
        let list =
            self.whole_list::<wire::Organization, _>(session, "orgs", "organizations", PAGES_AT_ONCE).await?;
        Ok((list.rows, list.outcome))
    }

    /// A list that a migration plan needs, its rows in JSON. Of programmatic keys those that a plan made are rows, and
    /// `keep_suffixes` gets the suffixes of all, page by page. So many pages are requested at once. `reader` is the user whose credential reads the list; `None`:
    /// the default credential.
    ///
    /// # Errors
    /// What makes the whole run pointless, or what `keep_suffixes` returns.
    pub(crate) async fn inventory_list<E: From<Error>>(
        &self,
        list: &InventoryList,
        reader: Option<&User>,
        pages_at_once: usize,
        mut keep_suffixes: impl AsyncFnMut(Vec<Suffix>) -> Result<(), E>,
    ) -> Result<ListResult<Value>, E> {
        let path = &list.path();
        let session =
            reader.map_or_else(|| self.credentials.default(), |user| self.credentials.for_user(user));
        match list {
            InventoryList::Projects => json(
                self.whole_list::<wire::Project, Project>(session, path, "projects", pages_at_once).await?,
            ),
            InventoryList::Teams { .. } => {
                json(self.whole_list::<wire::Team, Team>(session, path, "teams", pages_at_once).await?)
            }
            InventoryList::TeamRoles { .. } => json(
                self.whole_list::<wire::TeamRoles, TeamRoles>(session, path, "teams", pages_at_once).await?,
            ),
            InventoryList::Addresses { .. } => json(
                self.whole_list::<wire::AccessEntry, AccessEntry>(session, path, "addresses", pages_at_once)
                    .await?,
            ),
            // An organization may have a key a user, and the memory does not grow with them.
            InventoryList::ProgrammaticKeys { .. } | InventoryList::GlobalKeys => {
                let mut rows = Vec::new();
                let take = async |(), keys: Vec<wire::ProgrammaticKey>, _| {
                    let suffixes = keys.iter().filter_map(|key| key.suffix.clone()).collect();
                    let replacements = keys.into_iter().filter(wire::ProgrammaticKey::is_replacement);
                    rows.extend(replacements.map(ProgrammaticKey::from));
                    keep_suffixes(suffixes).await
                };
                let list =
                    List { session, path, query: "", things: "keys", limit: LIST_PAGES, pages_at_once };
                let outcome = self.list_pages(list, async || (), take).await?;
                json(ListResult { outcome, rows })
            }
        }
    }

    /// All rows of a list, `path` being safe to use; the outcome says whether all of it was read.
    async fn whole_list<W, T>(
        &self,
        session: Option<&DigestSession>,
        path: &str,
        things: &str,
        pages_at_once: usize,
    ) -> Result<ListResult<T>, Error>
    where
        W: DeserializeOwned + Identified,
        T: From<W>,
    {
        let mut rows = Vec::new();
        let take = async |(), page: Vec<W>, _| {
            rows.extend(page.into_iter().map(T::from));
            Ok::<_, Error>(())
        };
        let list = List { session, path, query: "", things, limit: WHOLE_LIST_PAGES, pages_at_once };
        let outcome = self.list_pages(list, async || (), take).await?;
        Ok(ListResult { outcome, rows })
    }

    /// Hands over a list page by page, each with what was reserved for it and the list's count. Where there is a count, some
    /// pages are requested at a time.
    async fn list_pages<W: DeserializeOwned + Identified, R, E: From<Error>>(
        &self,
        list: List<'_>,
        reserve: impl AsyncFn() -> R,
        mut take: impl AsyncFnMut(R, Vec<W>, Option<u64>) -> Result<(), E>,
    ) -> Result<Outcome, E> {
        let List { session, path, query, things, limit, pages_at_once } = list;
        let (mut pages, mut distinct) = (PageSequence::new(limit), DistinctIds::new());
        let page = async |number| (reserve().await, self.page(session, path, query, number).await);
        let mut requested = 0;
        let mut under_way = FuturesOrdered::new();
        let end = loop {
            let next = match pages.next_page() {
                Ok(next) => next,
                Err(end) => break end,
            };
            let counted = pages.total().map_or(0, |rows| rows.div_ceil(PAGE as u64).min(limit.into()));
            while requested < next || u64::from(requested) < counted && under_way.len() < pages_at_once {
                requested += 1;
                under_way.push_back(page(requested));
            }
            let Some((reserved, page)) = under_way.next().await else { continue };
            let page = page?.0.and_then(|it| pages.check_request(&it.1, path).map(|()| it));
            match page.and_then(|(status, page)| pages.take::<W>(status, page)) {
                Ok(rows) => {
                    for row in &rows {
                        distinct.add(row.id());
                    }
                    if rows.len() > PAGE {
                        // Nothing is reserved for so many: what waits for room must not keep others in flight from ending.
                        (requested, under_way) = (next, FuturesOrdered::new());
                    }
                    take(reserved, rows, pages.total()).await?;
                }
                Err(end) => break end,
            }
        };
        Ok(not_found_if_removed(pages.reconcile_distinct(distinct, end, things)))
    }

    /// The page of this number, and how often it was asked for again. Pages are asked for by number; the addresses in their
    /// links are never used. `query` is empty or ends in `&`.
    async fn page<T: DeserializeOwned>(
        &self,
        session: Option<&DigestSession>,
        path: &str,
        query: &str,
        number: u32,
    ) -> Result<(Result<(u16, Page<T>), Outcome>, u32), Error> {
        let path = format!("{path}?{query}pageNum={number}&itemsPerPage={PAGE}");
        let reply = Box::pin(self.get(session, &path)).await?;
        let page = reply.result.and_then(|document| match Page::read(&document.body) {
            Ok(page) => Ok((document.status, page)),
            Err(why) => {
                let why = format!("unexpected response: {why}");
                Err(Outcome::unread(ReadStatus::Malformed, Some(document.status), why))
            }
        });
        Ok((page, reply.retries))
    }
}

fn json<T: Serialize, E: From<Error>>(list: ListResult<T>) -> Result<ListResult<Value>, E> {
    let rows = list.rows.iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(Error::bug)?;
    Ok(ListResult { outcome: list.outcome, rows })
}

/// Includes the users of a project's teams and of its organization.
const PROJECT_USERS: &str = "flattenTeams=true&includeOrgUsers=true&";

/// The path of the users of an organization or project.
fn users_of(kind: &str, id: &str) -> Result<String, Outcome> {
    segment(id).map(|id| format!("{kind}/{id}/users"))
}

/// Whose users to list.
#[derive(Clone, Copy)]
pub(crate) enum UsersOf<'a> {
    /// An organization's, by its id.
    Organization(&'a str),
    /// A project's, by its id: those of its teams and of its organization included.
    Project(&'a str),
}

impl<'a> UsersOf<'a> {
    /// What the list is of, its id, its path (why there is none), and its query.
    fn list(self) -> (ListScope, &'a str, Result<String, Outcome>, &'static str) {
        match self {
            Self::Organization(id) => (ListScope::Organization, id, users_of("orgs", id), ""),
            Self::Project(id) => (ListScope::Project, id, users_of("groups", id), PROJECT_USERS),
        }
    }
}

/// The first page of a list of users.
pub(crate) struct UserSample {
    /// Those of the page.
    pub users: Vec<User>,
    /// How many users the whole list has, by the service's own count.
    pub total: Option<u64>,
}

/// A list of the service.
struct List<'a> {
    /// Who asks for it.
    session: Option<&'a DigestSession>,
    /// Safe to use.
    path: &'a str,
    /// Empty, or ends in `&`.
    query: &'a str,
    /// What it has, as messages call it.
    things: &'a str,
    /// How many pages are read of a list that does not end.
    limit: u32,
    pages_at_once: usize,
}

/// A page of a list of users.
pub(crate) struct UserPage {
    /// In the service's order.
    pub users: Vec<User>,
    /// How many users the whole list has, as far as the service says.
    pub total: Option<u64>,
}

/// An account, if it is the one asked for.
fn require_name(user: User, name: &str) -> Result<User, String> {
    match &user.username {
        Some(other) if other.to_lowercase() != name.to_lowercase() => {
            Err(format!("requested user {name}, but the response is user {other}"))
        }
        Some(_) => Ok(user),
        None => Err(format!("requested user {name}, but the response is a user without a name")),
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
        let why = format!("`{text}` can't be requested: it would change the URL path");
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
