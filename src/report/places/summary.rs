//! What is counted from the rows of a search, and the first of them for pages.

use std::collections::{BTreeSet, HashMap};

use super::rows::{LocatedKey, LocationRow, Rows, is_in_use};
use crate::place::{Class, Place, State, Unsearched};
use crate::store;

/// What was searched, and how.
pub(crate) struct SearchScope<'a> {
    /// The name of the deployment; empty for keys of several.
    pub(crate) deployment: &'a str,
    /// Where the keys come from, such as `run 3 of 2025-01-01T00:00:00Z`.
    pub(crate) keys_from: &'a str,
    /// Why keys may be missing from those, a sentence each.
    pub(crate) unknown_keys: Vec<String>,
    /// The paths that were searched, as they were typed.
    pub(crate) roots: Vec<String>,
    /// The globs of `--exclude`.
    pub(crate) excluded: &'a [String],
    /// Whether git histories were searched.
    pub(crate) history: bool,
    /// Whether archives were searched.
    pub(crate) archives: bool,
    /// Files that were searched.
    pub(crate) files: u64,
    /// Objects of git that were searched.
    pub(crate) objects: u64,
    /// Bytes of the files, and of the files of git.
    pub(crate) bytes: u64,
    /// Symbolic links out of the paths, which were not followed.
    pub(crate) links_outside: u64,
}

/// A search, with what is counted from its rows.
pub(crate) struct LocateReport<'a> {
    pub(super) scope: SearchScope<'a>,
    pub(super) rows: Rows<'a>,
    pub(super) counts: Counts,
    /// The worst keys with places.
    pub(super) located: Vec<KeyWithPlaces<'a>>,
    /// The first ones, and whether they have a waiver.
    pub(super) unsearched: Vec<(Unsearched, bool)>,
    /// Waivers of paths with a problem, a sentence each.
    pub(crate) waiver_issues: Vec<String>,
}

/// Counted from the rows. A place of a key that several users have counts for each.
#[derive(Default)]
pub(super) struct Counts {
    /// Places of personal keys, by state.
    states: [u64; State::ALL.len()],
    pub(super) new_keys: u64,
    pub(super) strangers: u64,
    pub(super) findings: u64,
    pub(super) waived: u64,
    pub(super) unsearched: u64,
    pub(super) unsearched_waived: u64,
    /// Of each key: places and live ones.
    keys: Vec<(u64, u64)>,
}

impl Counts {
    /// Places of personal keys in a state.
    pub(super) fn state(&self, state: State) -> u64 {
        self.states[state as usize]
    }

    pub(super) fn places(&self) -> u64 {
        self.states.iter().sum()
    }

    pub(super) fn live(&self) -> u64 {
        State::ALL.iter().filter(|state| state.is_live()).map(|state| self.state(*state)).sum()
    }

    /// How many keys are in a place.
    pub(super) fn found_keys(&self) -> usize {
        self.keys.iter().filter(|(all, _)| *all > 0).count()
    }

    fn add(&mut self, key: Option<usize>, row: &LocationRow) {
        match row.place.class {
            Class::Key => self.states[row.place.state as usize] += 1,
            Class::NewKey => self.new_keys += 1,
            Class::Stranger => self.strangers += 1,
        }
        self.findings += u64::from(row.is_finding);
        self.waived += u64::from(row.is_waived());
        if let Some((all, live)) =
            key.filter(|_| row.place.class == Class::Key).and_then(|at| self.keys.get_mut(at))
        {
            *all += 1;
            *live += u64::from(row.place.state.is_live());
        }
    }
}

/// A key with its first places, live ones first.
pub(super) struct KeyWithPlaces<'a> {
    pub(super) key: &'a LocatedKey,
    pub(super) count: u64,
    pub(super) live: u64,
    pub(super) places: Vec<ShownPlace>,
}

/// A place that a page shows.
pub(super) struct ShownPlace {
    pub(super) place: Place,
    pub(super) context: Option<String>,
    pub(super) is_waived: bool,
}

impl<'a> LocateReport<'a> {
    /// Reads the rows.
    ///
    /// # Errors
    /// The temporary file of the rows can't be read.
    pub(crate) fn new(scope: SearchScope<'a>, rows: Rows<'a>) -> Result<Self, store::Error> {
        let mut counts = Counts { keys: vec![(0, 0); rows.keys.len()], ..Counts::default() };
        let mut used = BTreeSet::new();
        rows.each_numbered(|key, row| {
            counts.add(key, row);
            used.extend(row.waiver.map(|(waiver, _)| waiver.line));
            Ok::<_, store::Error>(())
        })?;
        let mut unsearched = Vec::new();
        rows.each_unsearched(|row| {
            counts.unsearched += 1;
            counts.unsearched_waived += u64::from(row.is_waived());
            used.extend(row.waiver.map(|(waiver, _)| waiver.line));
            if unsearched.len() < KEYS {
                unsearched.push((row.unsearched.clone(), row.is_waived()));
            }
            Ok::<_, store::Error>(())
        })?;
        let located = located(&rows, &counts)?;
        let waiver_issues = rows.waiver_issues(&used);
        Ok(Self { scope, rows, counts, located, unsearched, waiver_issues })
    }

    /// All keys that were searched for.
    pub(super) fn keys(&self) -> &'a [LocatedKey] {
        self.rows.keys
    }

    /// Whether all was searched.
    pub(crate) fn is_all_searched(&self) -> bool {
        self.counts.unsearched == 0
    }

    /// Whether all was searched, and all keys are known.
    pub(super) fn is_complete(&self) -> bool {
        self.scope.unknown_keys.is_empty() && self.counts.unsearched == 0
    }

    /// Whether nothing can have been missed that no waiver accepts.
    #[must_use]
    pub(crate) fn is_complete_or_waived(&self) -> bool {
        self.scope.unknown_keys.is_empty() && self.counts.unsearched == self.counts.unsearched_waived
    }

    /// How many places fail the gate.
    #[must_use]
    pub(crate) fn findings(&self) -> u64 {
        self.counts.findings
    }

    /// Enabled keys that were used after the cutoff, or whose use is unknown, and that are in no place that was searched.
    #[must_use]
    pub(crate) fn nowhere(&self) -> Vec<&'a LocatedKey> {
        let all = self.rows.keys.iter().zip(&self.counts.keys);
        let mut keys: Vec<_> =
            all.filter(|(key, (all, _))| is_in_use(key.severity) && *all == 0).map(|(key, _)| key).collect();
        keys.sort_by_key(|key| key.severity);
        keys
    }
}

/// The worst keys with their places: of those of one severity the live ones first.
fn located<'a>(rows: &Rows<'a>, counts: &Counts) -> Result<Vec<KeyWithPlaces<'a>>, store::Error> {
    let found = rows.keys.iter().zip(&counts.keys).enumerate().filter(|(_, (_, (all, _)))| *all > 0);
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(_, (key, (_, live)))| {
        (key.severity, *live == 0, &key.username, &key.deployment, &key.id)
    });
    found.truncate(KEYS);
    let numbers: HashMap<_, _> = found.iter().enumerate().map(|(at, (number, _))| (*number, at)).collect();
    let with_places = |(_, (key, (count, live))): (usize, (&'a LocatedKey, &(u64, u64)))| KeyWithPlaces {
        key,
        count: *count,
        live: *live,
        places: Vec::new(),
    };
    let mut located: Vec<_> = found.into_iter().map(with_places).collect();
    rows.each_numbered(|key, row| {
        let Some(key) = key.and_then(|key| numbers.get(&key)).filter(|_| row.place.class == Class::Key)
        else {
            return Ok::<_, store::Error>(());
        };
        let places = &mut located[*key].places;
        let live = places.partition_point(|shown| shown.place.state.is_live());
        let at = if row.place.state.is_live() { live } else { places.len() };
        if at < PLACES {
            let (place, context) = (row.place.clone(), row.context.map(str::to_owned));
            places.insert(at, ShownPlace { place, context, is_waived: row.is_waived() });
            places.truncate(PLACES);
        }
        Ok(())
    })?;
    Ok(located)
}

/// Maximum keys, and what was not searched, that a page shows. All of them are in the CSV.
pub(in crate::report) const KEYS: usize = 200;
/// Maximum places of a key.
pub(in crate::report) const PLACES: usize = 20;
