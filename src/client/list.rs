//! The pages of a list, one after the other: whether another follows, and whether those were all. No requests in here: an
//! audit hands over the answers as they come, an import those that somebody saved, and both get the same read status.

use std::collections::{HashMap, HashSet};

use super::distinct::DistinctIds;
use super::wire::{Identified, Key, Page};
use crate::model::{Outcome, PersonalKey, ReadStatus, Suffix};

/// Rows of one page. The documented maximum is 500, but a connection keeps a buffer as large as what it once read.
pub(crate) const PAGE: usize = 250;
/// The service allows 10 keys a user; a list of more pages than this never ends.
const KEY_PAGES: u32 = 100;
/// More keys of one user than these are not taken.
const MOST_KEYS: usize = 10_000;

/// What the pages of a list so far say of the whole.
#[derive(Default)]
pub(super) struct PageSequence {
    /// Of the last page, from 1.
    number: u32,
    limit: u32,
    /// Rows so far, repeats and what can't be read included.
    rows_read: u64,
    total: Option<u64>,
    /// Whether the service's own count changed: then rows may have moved from a page to be read to one that was.
    total_changed: bool,
    /// Of the last page.
    status: Option<u16>,
    has_more: bool,
    /// The last page whose links would say if another followed; 0 before.
    linked: u32,
    /// The first id of each page: a list that turns in a circle comes back to one.
    first_ids: HashSet<String>,
    had_empty_page: bool,
    unreadable_row: Option<String>,
}

impl PageSequence {
    /// `limit` is how many pages are read of a list that does not end.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, has_more: true, ..Self::default() }
    }

    /// The number of the page to read next.
    ///
    /// # Errors
    /// The end of the list: complete as far as its last page says, or too many pages.
    pub(super) fn next_page(&self) -> Result<u32, Outcome> {
        if !self.has_more {
            return Err(Outcome::read(self.status.unwrap_or(200)));
        }
        if self.number == self.limit {
            return Err(self.partial(format!("the list does not end: {} pages were read", self.limit)));
        }
        Ok(self.number + 1)
    }

    /// Checks by its own links that a page answers the request for the next page of the list at `path`.
    ///
    /// # Errors
    /// The end of the list: it answers another request.
    pub(super) fn check_request<T>(&self, page: &Page<T>, path: &str) -> Result<(), Outcome> {
        page.mismatch(path, self.number + 1).map_or(Ok(()), Err)
    }

    /// Takes the next page, and gives its rows.
    ///
    /// # Errors
    /// The end of a list that continues without anything new.
    pub(super) fn take<T: Identified>(&mut self, status: u16, page: Page<T>) -> Result<Vec<T>, Outcome> {
        let is_rubbish = page.is_rubbish();
        let rows = page.rows;
        let count = rows.len() + page.left_out;
        self.number += 1;
        self.status = Some(status);
        self.rows_read += count as u64;
        if page.has_links {
            self.linked = self.number;
        }
        if page.total.is_some() {
            self.total_changed |= self.total.is_some() && page.total != self.total;
            self.total = page.total;
        }
        if self.unreadable_row.is_none() {
            self.unreadable_row = page.unreadable_row;
        }
        let is_unfinished = match self.total {
            Some(total) => self.rows_read < total,
            // Nothing says where such a list ends but an empty page.
            None => count >= PAGE || !page.has_links,
        };
        self.has_more = !is_rubbish && (page.has_next || count > 0 && is_unfinished);
        let is_only_page = self.number == 1 && !self.has_more;
        let counted = self.total.unwrap_or(u64::MAX);
        if self.has_more && self.rows_read > counted.saturating_add(PAGE as u64) {
            let why = format!(
                "the list does not end: it counts {counted} rows, but continues after {}",
                self.rows_read
            );
            return Err(self.partial(why));
        }
        match rows.first() {
            Some(first) if !is_only_page && !self.first_ids.insert(first.id().to_owned()) => {
                Err(self.partial("the list does not end: a page is repeated".to_owned()))
            }
            None if self.has_more && std::mem::replace(&mut self.had_empty_page, true) => {
                Err(self.partial("the list does not end: several empty pages have a next page".to_owned()))
            }
            Some(_) | None => Ok(rows),
        }
    }

    /// The service's own count of the whole list, by the last page that has one.
    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    /// The outcome of a list of different `things`, of which these came.
    pub(super) fn reconcile_distinct(&self, ids: DistinctIds, end: Outcome, things: &str) -> Outcome {
        let rows = ids.rows();
        let different = match ids.count() {
            Ok(different) => different,
            Err(why) => {
                let why = format!("its {things} can't be counted: {why}");
                return Outcome::unread(ReadStatus::Error, self.status, why);
            }
        };
        let outcome = self.reconcile(different, end, things);
        if outcome.status == ReadStatus::Read && rows != different {
            return self.repeated(rows, different, things);
        }
        outcome
    }

    /// The service counts rows, those that repeat, too: whatever it counts, others may be left out.
    fn repeated(&self, rows: u64, different: u64, things: &str) -> Outcome {
        self.partial(format!(
            "{rows} rows contain only {different} {things}: rows are repeated, so others may be missing"
        ))
    }

    fn partial(&self, why: String) -> Outcome {
        Outcome::unread(ReadStatus::Partial, self.status, why)
    }

    /// Why the list is not complete, where a row of its pages can't be read.
    pub(super) fn unreadable(&self) -> Option<Outcome> {
        let why = self.unreadable_row.as_ref()?;
        Some(Outcome::unread(ReadStatus::Malformed, self.status, why))
    }

    /// The outcome of a list of which `got` different rows were taken: complete only if nothing contradicts that.
    pub(super) fn reconcile(&self, got: u64, end: Outcome, what: &str) -> Outcome {
        if !end.status.is_complete() || end.status == ReadStatus::Removed {
            let is_torn = end.status == ReadStatus::Removed && self.number > 0;
            return if is_torn {
                self.partial(
                    "one page has keys, but the next reports that personal keys were removed".to_owned(),
                )
            } else {
                end
            };
        }
        if let Some(malformed) = self.unreadable() {
            return malformed;
        }
        match self.total {
            Some(total) if self.total_changed => self.partial(format!(
                "the list changed during the audit: the service now counts {total} {what}; run the audit again"
            )),
            Some(total) if total != got => {
                self.partial(format!("the service counts {total} {what}, but its pages contain {got}"))
            }
            None if self.linked != self.number => {
                self.partial("the end of the list is unknown: it has neither a count nor links".to_owned())
            }
            Some(_) | None => end,
        }
    }
}

/// The keys of one user, page by page.
#[derive(Default)]
pub(crate) struct UserKeys {
    user_id: String,
    pub(super) pages: PageSequence,
    keys: Vec<PersonalKey>,
    /// By id in lower case, the index in `keys`.
    positions: HashMap<String, usize>,
    /// Why a row can't be in this user's list.
    foreign_row: Option<String>,
    /// Whether an answer was for another user: then the connection may have mixed up the answers.
    is_mismatched: bool,
    /// A key of which there are two readings.
    contradiction: Option<String>,
    /// Rows of the pages that are those of keys that an earlier row had.
    repeated: u64,
}

impl UserKeys {
    /// Before the first page.
    pub(crate) fn new(user_id: &str) -> Self {
        Self { user_id: user_id.to_owned(), pages: PageSequence::new(KEY_PAGES), ..Self::default() }
    }

    /// The number of the page to read next.
    ///
    /// # Errors
    /// The end of the list: complete as far as its last page says, or too many pages.
    pub(crate) fn next_page(&self) -> Result<u32, Outcome> {
        self.pages.next_page()
    }

    /// How many pages were taken.
    pub(crate) fn pages_taken(&self) -> u32 {
        self.pages.number
    }

    /// How many keys there are so far, each counted once.
    pub(crate) fn count(&self) -> usize {
        self.keys.len()
    }

    /// The service's own count of the whole list, by the last page that has one.
    pub(crate) fn total(&self) -> Option<u64> {
        self.pages.total()
    }

    /// The HTTP status of the last page; `None` before the first.
    pub(crate) fn status(&self) -> Option<u16> {
        self.pages.status
    }

    /// Of the list, below the base path.
    pub(super) fn path(&self) -> String {
        ["users/", &self.user_id, "/keys"].concat()
    }

    /// Takes the next page. `is_own` says of a suffix whether it is that of a credential in use.
    ///
    /// # Errors
    /// The end of a list that is not to be read on.
    pub(super) fn take(
        &mut self,
        status: u16,
        page: Page<Key>,
        is_own: impl Fn(Option<&Suffix>) -> bool,
    ) -> Result<(), Outcome> {
        if let Err(mismatch) = self.pages.check_request(&page, &self.path()) {
            self.is_mismatched = true;
            if mismatch.status == ReadStatus::Partial {
                // Another page of this user's list, whose keys are there all the same.
                self.add(page.rows, is_own)?;
            }
            return Err(mismatch);
        }
        let rows = self.pages.take(status, page)?;
        let (before, count) = (self.keys.len(), rows.len());
        self.add(rows, is_own)?;
        self.repeated += (count - (self.keys.len() - before)) as u64;
        Ok(())
    }

    /// Whether an answer was for another user than the one asked for.
    pub(super) fn is_mismatched(&self) -> bool {
        self.is_mismatched
    }

    /// Takes rows, whatever page they are of. Of two readings of a key the one that says more of its use stays.
    ///
    /// # Errors
    /// More keys than a user can have.
    pub(super) fn add(
        &mut self,
        rows: Vec<Key>,
        is_own: impl Fn(Option<&Suffix>) -> bool,
    ) -> Result<(), Outcome> {
        if self.keys.len() + rows.len() > MOST_KEYS {
            return Err(self.pages.partial(format!("more than {MOST_KEYS} keys, but the service allows 10")));
        }
        for row in rows {
            if row.user_id.as_deref().is_some_and(|owner| !owner.eq_ignore_ascii_case(&self.user_id)) {
                self.is_mismatched = true;
                self.foreign_row = Some("the list contains a key of another user".to_owned());
            }
            if !row.has_sound_id() {
                self.foreign_row = Some("the list contains a key with an invalid ID".to_owned());
            }
            let key = row.into_model(&is_own);
            let id = key.id.to_ascii_lowercase();
            let Some(position) = self.positions.get(&id) else {
                self.positions.insert(id, self.keys.len());
                self.keys.push(key);
                continue;
            };
            let known = &mut self.keys[*position];
            let key = PersonalKey { id: known.id.clone(), ..key };
            if *known != key {
                self.contradiction = Some(format!("key {} is listed twice with different values", key.id));
                if (known.last_used, known.used_count) < (key.last_used, key.used_count) {
                    *known = key;
                }
            }
        }
        Ok(())
    }

    /// Takes what an answer from outside the sequence of pages says of the whole.
    pub(super) fn add_part(&mut self, status: u16, unreadable_row: Option<String>) {
        self.pages.status.get_or_insert(status);
        if self.pages.unreadable_row.is_none() {
            self.pages.unreadable_row = unreadable_row;
        }
    }

    /// The keys, each once, and whether those are all: `end` is why no further page was read.
    pub(crate) fn finish(self, end: Outcome) -> (Vec<PersonalKey>, Outcome) {
        let outcome = match self.foreign_row {
            Some(why) => Outcome::unread(ReadStatus::Malformed, self.pages.status, why),
            None => self.pages.reconcile(self.keys.len() as u64, end, "keys"),
        };
        let outcome = match self.contradiction {
            _ if outcome.status != ReadStatus::Read => outcome,
            Some(why) => self.pages.partial(why),
            None if self.repeated > 0 => {
                self.pages.repeated(self.pages.rows_read, self.keys.len() as u64, "keys")
            }
            None => outcome,
        };
        (self.keys, outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";

    /// What the pages of Ann's list give, read to the last of them.
    fn read(pages: &[&str]) -> (Vec<PersonalKey>, Outcome) {
        let mut keys = UserKeys::new(ANN);
        for page in pages {
            if let Err(end) = keys.take(200, Page::read(page.as_bytes()).unwrap(), |_| false) {
                return keys.finish(end);
            }
        }
        let end = keys.next_page().expect_err("the last page says that it is the last");
        keys.finish(end)
    }

    #[test]
    fn a_list_with_one_key_twice_is_never_whole() {
        let first = |count: u64| {
            format!(
                r#"{{"results":[{{"id":"c"}},{{"id":"a","usedCount":{count}}}],"links":[{{"rel":"next"}}]}}"#
            )
        };
        let last = r#"{"results":[{"id":"a","usedCount":7},{"id":"b"}],"links":[{"rel":"self"}]}"#;
        for (count, used) in [(7, 7), (9, 9), (3, 7)] {
            let (keys, outcome) = read(&[&first(count), last]);
            assert_eq!(
                (keys.len(), keys[1].used_count, outcome.status),
                (3, Some(used), ReadStatus::Partial),
                "{outcome:?}"
            );
        }
        let page =
            r#"{"results":[{"id":"a"},{"id":"A"},{"id":"b"}],"links":[{"rel":"self"}],"totalCount":2}"#;
        assert_eq!(read(&[page]).1.status, ReadStatus::Partial);
    }
}
