//! The pages of one user's list, saved in any order and perhaps more than once: joined, and held against what they say of
//! the whole.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::client::{Extent, KeyList, MOST_KEYS, PAGE};
use crate::model::PersonalKey;

/// One answer with keys.
pub(super) struct Page {
    /// Where it stands, for a person.
    pub(super) label: String,
    /// When the service answered, if its headers were saved.
    pub(super) date: Option<DateTime<Utc>>,
    pub(super) list: KeyList,
}

/// What the pages come to.
#[derive(Default)]
pub(super) struct Joined {
    /// Each once, in the order of the pages.
    pub(super) keys: Vec<PersonalKey>,
    /// Why these may not be all, or not as they are now.
    pub(super) doubts: Vec<String>,
}

impl Page {
    fn number(&self) -> Option<u64> {
        match self.list.extent {
            Extent::Page { number, .. } => number,
            Extent::Part(_) => None,
        }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.list.extent == other.list.extent && self.list.keys == other.list.keys
    }
}

/// Leaves one answer of each page: of several that differ the newest, if they tell when they were saved. What can't be
/// decided is told, and both stay.
pub(super) fn newest(pages: Vec<Page>, doubts: &mut Vec<String>) -> Vec<Page> {
    let mut kept: BTreeMap<(bool, Option<u64>), Vec<Page>> = BTreeMap::new();
    for page in pages {
        let number = page.number();
        // Numbered pages first, in their order.
        let same_place = kept.entry((number.is_none(), number)).or_default();
        if let Some(twin) = same_place.iter_mut().find(|known| known.says_the_same(&page)) {
            twin.date = twin.date.max(page.date);
            continue;
        }
        same_place.push(page);
    }
    let several = |(place, mut pages): ((bool, Option<u64>), Vec<Page>)| {
        let (Some(number), true) = (place.1, pages.len() > 1) else { return pages };
        let newest = pages.iter().map(|page| page.date).max().flatten();
        let is_newest = |page: &Page| page.date == newest;
        if pages.iter().all(|page| page.date.is_some())
            && pages.iter().filter(|page| is_newest(page)).count() == 1
        {
            pages.retain(is_newest);
            return pages;
        }
        let labels: Vec<_> = pages.iter().map(|page| page.label.as_str()).collect();
        doubts.push(format!(
            "page {number} was saved several times, each time different, and nothing says which is the newest: {}",
            labels.join("; ")
        ));
        pages
    };
    kept.into_iter().flat_map(several).collect()
}

/// Joins the pages, each of which is there once.
pub(super) fn join(pages: &[Page]) -> Joined {
    let mut joined = Joined::default();
    // Where each key stands, and on which page it was found.
    let mut places: HashMap<&str, (usize, &Page)> = HashMap::new();
    for page in pages {
        for key in page.list.keys.iter().map(|saved| &saved.key) {
            let Some((at, found_on)) = places.get_mut(key.id.as_str()) else {
                places.insert(&key.id, (joined.keys.len(), page));
                joined.keys.push(key.clone());
                continue;
            };
            let known = &mut joined.keys[*at];
            if known == key {
                continue;
            }
            let is_newer = match (found_on.date, page.date) {
                (Some(known), Some(this)) if known != this => known < this,
                _ => {
                    let (one, other) = (&found_on.label, &page.label);
                    joined.doubts.push(format!("key {} is not the same in {one} and in {other}", key.id));
                    // Use only grows.
                    (known.last_used, known.used_count) < (key.last_used, key.used_count)
                }
            };
            if is_newer {
                known.clone_from(key);
                *found_on = page;
            }
        }
    }
    if joined.keys.len() > MOST_KEYS {
        joined.doubts.push(format!("more than {MOST_KEYS} keys, where the service allows 10"));
    }
    joined.doubts.extend(doubts_of_the_whole(pages));
    joined
}

/// What speaks against these being all keys of the user.
fn doubts_of_the_whole(pages: &[Page]) -> Vec<String> {
    let (lists, parts): (Vec<_>, Vec<_>) =
        pages.iter().partition(|page| matches!(page.list.extent, Extent::Page { .. }));
    let listed: HashSet<&str> = ids(&lists).collect();
    let mut doubts = Vec::new();
    for part in parts {
        let Extent::Part(why) = part.list.extent else { continue };
        if lists.is_empty() {
            doubts.push(format!("{} is {why}: nothing says whether that is all", part.label));
        } else if !ids(&[part]).all(|id| listed.contains(id)) {
            doubts.push(format!("{} holds keys that no page of the list has", part.label));
        }
    }
    if !lists.is_empty() {
        doubts.extend(miscount(&lists, listed.len() as u64));
        doubts.extend(missing_page(&lists));
        doubts.extend(unended(&lists));
    }
    doubts
}

fn ids<'a>(pages: &[&'a Page]) -> impl Iterator<Item = &'a str> {
    pages
        .iter()
        .flat_map(|page| &page.list.keys)
        .map(|saved| saved.key.id.as_str())
        .collect::<Vec<_>>()
        .into_iter()
}

fn total(page: &Page) -> Option<u64> {
    match page.list.extent {
        Extent::Page { total, .. } => total,
        Extent::Part(_) => None,
    }
}

fn miscount(lists: &[&Page], got: u64) -> Option<String> {
    let totals: BTreeSet<u64> = lists.iter().filter_map(|page| total(page)).collect();
    match totals.iter().collect::<Vec<_>>().as_slice() {
        [] => None,
        [total] if **total == got => None,
        [total] => Some(format!("the service counts {total} keys, but the saved pages hold {got}")),
        [fewest, .., most] => Some(format!(
            "the list changed while it was saved: the service counts {fewest} keys on one page, {most} on another; save it again"
        )),
    }
}

fn missing_page(lists: &[&Page]) -> Option<String> {
    let numbers: BTreeSet<u64> = lists.iter().filter_map(|page| page.number()).collect();
    let last = *numbers.last()?;
    let first_missing = (1..).zip(&numbers).find(|(expected, number)| expected != *number)?.0;
    let count = last - numbers.len() as u64;
    Some(match count {
        1 => format!("page {first_missing} was not saved"),
        _ => format!("{count} pages before page {last} were not saved, page {first_missing} among them"),
    })
}

/// Why the list may go on after the last page there is.
fn unended(lists: &[&Page]) -> Option<String> {
    let last = lists.iter().max_by_key(|page| (page.number(), !has_next(page)))?;
    let Extent::Page { number, has_links, .. } = last.list.extent else { return None };
    if has_next(last) {
        return Some(match number {
            Some(number) => format!("page {number} says that another follows, which was not saved"),
            None => format!("{} says that another page follows", last.label),
        });
    }
    if lists.iter().any(|page| total(page).is_some()) {
        return None;
    }
    if !has_links {
        return Some("neither a count nor links say where the list ends".to_owned());
    }
    if number.is_none() {
        return Some(format!("neither a count nor {} itself says which page it is", last.label));
    }
    (last.list.keys.len() >= PAGE)
        .then(|| "a full page without the service's count may not be the last".to_owned())
}

fn has_next(page: &Page) -> bool {
    matches!(page.list.extent, Extent::Page { has_next: true, .. })
}
