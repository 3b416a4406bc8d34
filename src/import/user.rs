//! All answers of one user, as one reading.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::index::Index;
use super::pages::{self, Joined, Page};
use super::whose::{Shelf, Who};
use crate::client::{Extent, KeyList, MOST_KEYS, Told};
use crate::model::{Origin, Outcome, Product, ReadStatus, User, UserResult};

/// Rows of one user that are looked at; a list of 10 keys that was saved every hour of a year has fewer.
const MOST_ROWS: usize = 10 * MOST_KEYS;

/// An answer without keys.
struct Refusal {
    label: String,
    date: Option<DateTime<Utc>>,
    outcome: Outcome,
}

/// All that is wrong with what there is of a user.
#[derive(Default)]
struct Doubts {
    /// What can't be, or can't be this user's.
    malformed: Vec<String>,
    /// Why there may be more.
    partial: Vec<String>,
}

/// Reads the answers of one user again, and joins them.
pub(super) fn reading(index: &mut Index, who: &Who, shelf: &Shelf, product: Product) -> UserResult {
    let mut doubts = Doubts { malformed: shelf.doubts.iter().cloned().collect(), partial: Vec::new() };
    let (mut pages, mut refusals, mut rows) = (Vec::new(), Vec::new(), 0);
    for at in &shelf.entries {
        let label = index.label(*at);
        let (date, is_shared) = (index.entries[*at].date, index.entries[*at].users.len() > 1);
        match index.read(*at, product) {
            Told::Unread { outcome, .. } => refusals.push(Refusal { label, date, outcome }),
            Told::Keys(list) => {
                let list = if is_shared { own_rows(list, &who.id) } else { list };
                rows += list.keys.len();
                if rows > MOST_ROWS {
                    doubts
                        .partial
                        .push(format!("more than {MOST_ROWS} rows: what follows {label} was not read"));
                    break;
                }
                pages.push(Page { label, date, list });
            }
        }
    }
    doubts.partial.extend(several_bases(index, shelf));
    let pages = pages::newest(pages, &mut doubts.partial);
    for page in &pages {
        doubts.malformed.extend(page.list.unreadable.as_ref().map(|why| format!("{}: {why}", page.label)));
    }
    let Joined { keys, doubts: partial } = pages::join(&pages);
    doubts.partial.extend(partial);
    let dates = pages.iter().map(|page| page.date).chain(refusals.iter().map(|refusal| refusal.date));
    UserResult {
        read_at: dates.max().flatten(),
        outcome: outcome(&pages, refusals, doubts),
        keys,
        attempts: u32::from(!shelf.entries.is_empty()),
        user: user(who, shelf),
    }
}

fn user(who: &Who, shelf: &Shelf) -> User {
    User { id: who.id.clone(), username: shelf.username.clone(), origin: Origin::default() }
}

/// Of an answer that speaks of several users, the rows of one.
fn own_rows(mut list: KeyList, id: &str) -> KeyList {
    let linked = list.link.as_ref().is_some_and(|link| link.user == id);
    list.keys.retain(|saved| saved.owner.as_deref().map_or(linked, |owner| owner == id));
    list.extent = Extent::Part("a list of several users' keys");
    list
}

fn several_bases(index: &Index, shelf: &Shelf) -> Option<String> {
    let bases: BTreeSet<_> = shelf.entries.iter().filter_map(|at| index.entries[*at].base).collect();
    let names: Vec<_> = bases.into_iter().map(|at| index.bases[at].as_str()).collect();
    (names.len() > 1).then(|| format!("the answers come from several addresses: {}", names.join(", ")))
}

fn outcome(pages: &[Page], mut refusals: Vec<Refusal>, mut doubts: Doubts) -> Outcome {
    let Some(last) = pages.last() else {
        return match of_refusals(&refusals) {
            Some(refused) if doubts.malformed.is_empty() => refused,
            Some(refused) => {
                doubts.malformed.push(told(&refused));
                doubts.outcome(refused.http_status).unwrap_or(refused)
            }
            None => doubts.outcome(None).unwrap_or_else(|| {
                Outcome::unread(ReadStatus::Malformed, None, "there is no answer for this user")
            }),
        };
    };
    let read = doubts_or_read(last.list.status);
    let all_dated = pages.iter().all(|page| page.date.is_some());
    let Some(newest) = pages.iter().filter_map(|page| page.date).max().filter(|_| all_dated) else {
        doubts.contradicted_by(&refusals);
        return read(doubts);
    };
    // What was refused before the list was had is history.
    refusals.retain(|refusal| refusal.date.is_none_or(|date| date >= newest));
    let all_newer = refusals.iter().all(|refusal| refusal.date.is_some_and(|date| date > newest));
    match of_refusals(&refusals) {
        Some(refused) if all_newer && doubts.malformed.is_empty() => {
            let why = format!("{}; the keys are of answers before that", refused.detail.unwrap_or_default());
            Outcome { detail: Some(why), ..refused }
        }
        _ => {
            doubts.contradicted_by(&refusals);
            read(doubts)
        }
    }
}

fn doubts_or_read(status: u16) -> impl FnOnce(Doubts) -> Outcome {
    move |doubts| doubts.outcome(Some(status)).unwrap_or_else(|| Outcome::read(status))
}

impl Doubts {
    fn contradicted_by(&mut self, refusals: &[Refusal]) {
        self.partial.extend(refusals.iter().map(|refusal| {
            format!(
                "{} says otherwise, and nothing says which is newer: {}",
                refusal.label,
                told(&refusal.outcome)
            )
        }));
    }

    /// `None` where there are none.
    fn outcome(self, http_status: Option<u16>) -> Option<Outcome> {
        let status = match (self.malformed.is_empty(), self.partial.is_empty()) {
            (false, _) => ReadStatus::Malformed,
            (true, false) => ReadStatus::Partial,
            (true, true) => return None,
        };
        let all: Vec<_> = self.malformed.into_iter().chain(self.partial).collect();
        Some(Outcome::unread(status, http_status, all.join("; ")))
    }
}

/// What several refusals come to: the newest, if they tell when they were saved. Where that can't be decided it is one that
/// leaves the user unread, and all of them are told.
fn of_refusals(refusals: &[Refusal]) -> Option<Outcome> {
    let first = refusals.first()?;
    let kind = |refusal: &Refusal| {
        let Outcome { status, http_status, error_code, detail: _ } = &refusal.outcome;
        (*status, *http_status, error_code.clone())
    };
    if refusals.iter().all(|refusal| kind(refusal) == kind(first)) {
        return Some(labelled(first));
    }
    let newest = refusals.iter().map(|refusal| refusal.date).max().flatten();
    let mut newest = refusals.iter().filter(|refusal| refusal.date == newest);
    if let (true, Some(one), None) =
        (refusals.iter().all(|refusal| refusal.date.is_some()), newest.next(), newest.next())
    {
        return Some(labelled(one));
    }
    let unread = refusals.iter().find(|refusal| !refusal.outcome.status.is_complete()).unwrap_or(first);
    let all: Vec<_> =
        refusals.iter().map(|refusal| format!("{}: {}", refusal.label, told(&refusal.outcome))).collect();
    let why = format!("nothing says which is the newest: {}", all.join("; "));
    Some(Outcome { detail: Some(why), ..unread.outcome.clone() })
}

/// What can't be understood is told by file; the service's own words need none.
fn labelled(refusal: &Refusal) -> Outcome {
    let outcome = refusal.outcome.clone();
    match outcome.status {
        ReadStatus::Malformed => {
            let why = format!("{}: {}", refusal.label, outcome.detail.unwrap_or_default());
            Outcome { detail: Some(why), ..outcome }
        }
        _ => outcome,
    }
}

fn told(outcome: &Outcome) -> String {
    let words = [Some(outcome.status.as_str()), outcome.error_code.as_deref(), outcome.detail.as_deref()];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
