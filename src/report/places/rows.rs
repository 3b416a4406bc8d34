//! The rows of a search, judged: they are read one by one, since memory must not grow with them.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::super::judge;
use crate::model::Suffix;
use crate::place::{Class, Place, Unsearched};
use crate::policy::{Action, Severity, Verdict};
use crate::store::{self, FoundPlaces};
use crate::waivers::{Waiver, WaiverStatus, Waivers};

named! {
    /// Which places are findings.
    pub(crate) enum LocateFailOn {
        /// All places of personal keys
        Any = "any",
        /// Places in a work tree or at the end of a branch
        Live = "live",
        /// No places
        Never = "never",
    }
}

impl LocateFailOn {
    /// Whether a place is a finding.
    #[must_use]
    pub(crate) fn counts(self, place: &Place) -> bool {
        place.class == Class::Key
            && match self {
                Self::Any => true,
                Self::Live => place.state.is_live(),
                Self::Never => false,
            }
    }
}

/// A personal key, as far as the search needs it. Texts are as the service sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocatedKey {
    /// The name of its deployment.
    pub(crate) deployment: String,
    /// 24 hexadecimal digits.
    pub(crate) id: String,
    /// By which it is found.
    pub(crate) suffix: Suffix,
    /// Of its owner; empty if unknown.
    pub(crate) username: String,
    /// As its owner wrote it.
    pub(crate) description: String,
    /// What is known about its use.
    pub(crate) verdict: Verdict,
    /// How urgent it is.
    pub(crate) severity: Severity,
    /// What to do about it.
    pub(crate) action: Action,
}

/// A place of a key. A key that several users have gives a row each.
pub(crate) struct LocationRow<'a> {
    /// `None` for a programmatic key, and for one that the run does not have.
    pub(crate) key: Option<&'a LocatedKey>,
    /// Where it is.
    pub(crate) place: &'a Place,
    /// The line, masked, where it was asked for.
    pub(crate) context: Option<&'a str>,
    /// The waiver of the place, and its status.
    pub(crate) waiver: Option<(&'a Waiver, WaiverStatus)>,
    /// Whether it fails the gate.
    pub(crate) is_finding: bool,
}

/// Something that was not searched.
pub(crate) struct UnsearchedRow<'a> {
    /// What, and why.
    pub(crate) unsearched: &'a Unsearched,
    /// The waiver of its path, and its status.
    pub(crate) waiver: Option<(&'a Waiver, WaiverStatus)>,
}

impl UnsearchedRow<'_> {
    /// Whether it has an active waiver.
    #[must_use]
    pub(crate) fn is_waived(&self) -> bool {
        judge::counts(self.waiver)
    }
}

impl LocationRow<'_> {
    /// Whether it has an active waiver.
    #[must_use]
    pub(crate) fn is_waived(&self) -> bool {
        judge::counts(self.waiver)
    }
}

/// The rows of a search, judged.
pub(crate) struct Rows<'a> {
    pub(super) keys: &'a [LocatedKey],
    /// Of each suffix, the numbers of its keys.
    by_suffix: HashMap<&'a Suffix, Vec<usize>>,
    found: &'a FoundPlaces,
    waivers: &'a Waivers,
    deployment: &'a str,
    /// Which places are findings.
    pub(super) fail_on: LocateFailOn,
    now: DateTime<Utc>,
}

impl<'a> Rows<'a> {
    /// `now` is that by which waivers end.
    pub(crate) fn new(
        keys: &'a [LocatedKey],
        found: &'a FoundPlaces,
        waivers: &'a Waivers,
        deployment: &'a str,
        fail_on: LocateFailOn,
        now: DateTime<Utc>,
    ) -> Self {
        let mut by_suffix: HashMap<_, Vec<_>> = HashMap::new();
        for (number, key) in keys.iter().enumerate() {
            by_suffix.entry(&key.suffix).or_default().push(number);
        }
        Self { keys, by_suffix, found, waivers, deployment, fail_on, now }
    }

    /// Hands over each row, in the order of `locations.csv`.
    pub(super) fn each<E: From<store::Error>>(
        &self,
        mut each: impl FnMut(&LocationRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_numbered(|_, row| each(row))
    }

    /// As [`Rows::each`], with the number of the key.
    pub(super) fn each_numbered<E: From<store::Error>>(
        &self,
        mut each: impl FnMut(Option<usize>, &LocationRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.found.each(|located| {
            let context = located.context.as_deref();
            let Some(keys) = self.by_suffix.get(&located.place.suffix) else {
                return each(None, &self.row(None, &located.place, context));
            };
            let mut all = keys.iter();
            all.try_for_each(|at| each(Some(*at), &self.row(Some(&self.keys[*at]), &located.place, context)))
        })
    }

    /// Hands over each row of a personal key.
    pub(super) fn each_key<E: From<store::Error>>(
        &self,
        mut each: impl FnMut(&LocationRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each(|row| if row.place.class == Class::Key { each(row) } else { Ok(()) })
    }

    /// Hands over what was not searched, in order.
    pub(super) fn each_unsearched<E: From<store::Error>>(
        &self,
        mut each: impl FnMut(&UnsearchedRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.found.each_unsearched(|unsearched| {
            let waiver = self.waivers.of_place(None, &unsearched.path, self.deployment);
            each(&UnsearchedRow { unsearched: &unsearched, waiver: self.with_status(waiver) })
        })
    }

    fn row<'r>(
        &'r self,
        key: Option<&'r LocatedKey>,
        place: &'r Place,
        context: Option<&'r str>,
    ) -> LocationRow<'r> {
        let waiver = key.and_then(|key| self.waivers.of_place(Some(&key.id), &place.path, &key.deployment));
        let waiver = self.with_status(waiver);
        let is_finding = self.fail_on.counts(place) && !judge::counts(waiver);
        LocationRow { key, place, context, waiver, is_finding }
    }

    fn with_status<'r>(&self, waiver: Option<&'r Waiver>) -> Option<(&'r Waiver, WaiverStatus)> {
        waiver.map(|waiver| (waiver, waiver.status(self.now)))
    }

    /// Waivers of paths that no longer count, or that match nothing, a sentence each.
    pub(super) fn waiver_issues(&self, used: &BTreeSet<u64>) -> Vec<String> {
        let issue = |waiver: &Waiver| {
            let ends = match waiver.status(self.now) {
                WaiverStatus::Expired => Some(format!("expired on {}", waiver.expires)),
                WaiverStatus::Ending => Some(format!("ends on {}", waiver.expires)),
                WaiverStatus::Active => None,
            };
            let is_unmatched = !used.contains(&waiver.line);
            let why: Vec<_> =
                ends.into_iter().chain(is_unmatched.then(|| "matches no place".to_owned())).collect();
            (!why.is_empty()).then(|| {
                format!("the waiver of {} (line {}) {}", waiver.label(), waiver.line, why.join(" and "))
            })
        };
        self.waivers.of_paths().filter_map(issue).collect()
    }
}

/// Whether a script may need the key now.
#[must_use]
pub(crate) const fn is_in_use(severity: Severity) -> bool {
    match severity {
        Severity::Critical | Severity::High | Severity::Medium => true,
        Severity::Low | Severity::Info => false,
    }
}
