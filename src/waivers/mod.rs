//! Accepted exceptions: what is waived, by whom, why, and until when. `docs/waivers.md` explains them to people.
//!
//! A waiver binds to what it names, never to a position, and it ends. What it covers stays in every report.

mod entry;
pub(crate) mod file;
mod glob;
mod paste;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};

use crate::exit::Error;
use crate::model::{User, object_id};

pub use glob::PathGlob;
pub use paste::entry_to_paste;

/// In days: a waiver that ends so soon is reported.
const SOON: i64 = 14;

/// What a waiver is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A key, by its id: 24 hexadecimal digits in lower case.
    Key(String),
    /// A user who may stay unread, by id or by name, in lower case. It waives none of the user's keys.
    User(String),
    /// An organization whose users need not all be listed, by id or by name, in lower case. It waives neither the users who
    /// were listed nor their keys.
    Organization(String),
    /// The places of any key, and what was not searched, where the path of the waiver matches.
    Path,
}

/// As a message names it; what a name holds can't be seen as anything else.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {}", id.escape_debug()),
            Self::User(user) => write!(f, "user {user:?}"),
            Self::Organization(organization) => write!(f, "organization {organization:?}"),
            Self::Path => f.write_str("any key"),
        }
    }
}

named! {
    /// Whether a waiver counts.
    pub enum WaiverStatus {
        /// It counts
        Active = "active",
        /// It counts, and its last day is at most 14 days away
        Ending = "ending",
        /// Its last day has passed: it no longer counts
        Expired = "expired",
    }
}

/// One accepted exception. Its texts are a person's, hostile until escaped; none is blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Where its entry begins in the file, from 1.
    pub line: u64,
    /// What it is of.
    pub target: Target,
    /// The paths for which alone it counts: then it waives places, and neither a key nor a user. `None`: no place.
    pub path: Option<PathGlob>,
    /// The name of the deployment in which it counts; `None`: in any.
    pub deployment: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it counts, to its end in UTC.
    pub expires: NaiveDate,
    /// Where it was agreed on.
    pub ticket: Option<String>,
}

impl Waiver {
    /// What it is of, for a message.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.path {
            Some(path) => format!("{} in {:?}", self.target, path.as_str()),
            None => self.target.to_string(),
        }
    }

    /// As of `now`: it counts until the end of its last day, UTC.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> WaiverStatus {
        match self.days_left(now) {
            ..0 => WaiverStatus::Expired,
            0..=SOON => WaiverStatus::Ending,
            _ => WaiverStatus::Active,
        }
    }

    /// Days from the day of `now`, in UTC, to its last day: 0 on the last day itself, 3 where it "ends in 3 days", and
    /// -1 on the first day on which it no longer counts.
    #[must_use]
    pub fn days_left(&self, now: DateTime<Utc>) -> i64 {
        (self.expires - now.date_naive()).num_days()
    }
}

/// The waivers of a file; by default none. No two are of the same key, or of the same id or name of a user, in the same
/// deployment and path.
#[derive(Debug, Clone, Default)]
pub struct Waivers {
    /// In the order of the file.
    all: Vec<Waiver>,
    /// Indices into `all`.
    by_target: HashMap<Target, Vec<usize>>,
    /// Of the file's bytes.
    sha256: Option<String>,
}

/// Whether a name can be named: what looks like an id is meant as one, and covers nothing else of that name.
fn is_name(name: &&str) -> bool {
    object_id(name).is_none()
}

impl Waivers {
    /// Reads a file of waivers.
    ///
    /// `today` is the day on which it is read, by which `expires` may be at most a year ahead. It is not the day of the
    /// run, or a run of last year could not be rendered with the waivers of today.
    ///
    /// # Errors
    /// A file that can't be read, is too long or not UTF-8; or all mistakes in it, with their lines.
    pub fn read(path: &Path, today: NaiveDate) -> Result<Self, Error> {
        let (all, sha256) = file::read(path, today)?;
        Ok(Self { sha256: Some(sha256), ..Self::new(all) })
    }

    /// From waivers in the order of their file, no two of the same target in the same deployment.
    fn new(all: Vec<Waiver>) -> Self {
        let mut by_target = HashMap::<_, Vec<_>>::new();
        for (at, waiver) in all.iter().enumerate() {
            by_target.entry(waiver.target.clone()).or_default().push(at);
        }
        Self { all, by_target, sha256: None }
    }

    /// The SHA-256 of the file that they were read from, in hexadecimal digits; `None` where there was none.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    /// The waiver of this key of this deployment, whatever its status. One that names the deployment comes first.
    #[must_use]
    pub fn of_key(&self, key_id: &str, deployment: &str) -> Option<&Waiver> {
        self.find(Target::Key, key_id, deployment)
    }

    /// The waiver of this user of this deployment, whatever its status: by id, or else by name. One that names the
    /// deployment comes first.
    #[must_use]
    pub fn of_user(&self, user: &User, deployment: &str) -> Option<&Waiver> {
        let find = |name: &str| self.find(Target::User, name, deployment);
        let name = user.username.as_deref().filter(is_name);
        user.id.as_deref().and_then(find).or_else(|| name.and_then(find))
    }

    /// The waiver of the list of users of this organization, whatever its status: by id, or else by name. One that names the
    /// deployment comes first.
    #[must_use]
    pub fn of_organization(&self, id: &str, name: Option<&str>, deployment: &str) -> Option<&Waiver> {
        let find = |name: &str| self.find(Target::Organization, name, deployment);
        find(id).or_else(|| name.filter(is_name).and_then(find))
    }

    /// The waiver of a place, whatever its status: one with a path that matches and the key, or else with a path alone. Of
    /// several the first of the file.
    #[must_use]
    pub fn of_place(&self, key_id: Option<&str>, path: &str, deployment: &str) -> Option<&Waiver> {
        let is_here = |waiver: &&Waiver| {
            waiver.path.as_ref().is_some_and(|glob| glob.matches(path))
                && waiver.deployment.as_deref().is_none_or(|name| name == deployment)
        };
        let of = |target: &Target| {
            let found = self.by_target.get(target).into_iter().flatten();
            found.map(|at| &self.all[*at]).find(is_here)
        };
        key_id.and_then(|id| of(&Target::Key(id.to_lowercase()))).or_else(|| of(&Target::Path))
    }

    fn find(&self, target: fn(String) -> Target, name: &str, deployment: &str) -> Option<&Waiver> {
        // Most runs have none, and then nothing is to be built for each of their keys.
        if self.all.is_empty() {
            return None;
        }
        let found = self.by_target.get(&target(name.to_lowercase()))?;
        let counts_in = |name: Option<&str>| {
            let found = found.iter().map(|at| &self.all[*at]).filter(|waiver| waiver.path.is_none());
            found.into_iter().find(|waiver| waiver.deployment.as_deref() == name)
        };
        counts_in(Some(deployment)).or_else(|| counts_in(None))
    }

    /// Those without a path, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Waiver> {
        self.all.iter().filter(|waiver| waiver.path.is_none())
    }

    /// Those with a path, in the order of the file.
    pub fn of_paths(&self) -> impl Iterator<Item = &Waiver> {
        self.all.iter().filter(|waiver| waiver.path.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;

    fn waiver(target: Target) -> Waiver {
        Waiver {
            line: 1,
            target,
            path: None,
            deployment: None,
            reason: "because".to_owned(),
            owner: "ann".to_owned(),
            expires: NaiveDate::from_ymd_opt(2025, 3, 31).unwrap(),
            ticket: None,
        }
    }

    #[test]
    fn it_counts_to_the_end_of_its_last_day_and_warns_before() {
        let waiver = waiver(Target::Key(String::new()));
        for (now, status, left) in [
            ("2024-03-31T00:00:00Z", WaiverStatus::Active, 365),
            ("2025-03-16T23:59:59Z", WaiverStatus::Active, 15),
            ("2025-03-17T00:00:00Z", WaiverStatus::Ending, 14),
            ("2025-03-31T00:00:00Z", WaiverStatus::Ending, 0),
            ("2025-03-31T23:59:59Z", WaiverStatus::Ending, 0),
            ("2025-04-01T00:00:00Z", WaiverStatus::Expired, -1),
            ("2026-03-31T12:00:00Z", WaiverStatus::Expired, -365),
        ] {
            let now = now.parse().unwrap();
            assert_eq!((waiver.status(now), waiver.days_left(now)), (status, left), "{now}");
        }
    }

    #[test]
    fn a_target_is_found_in_any_case_and_a_user_by_id_first() {
        let id = "5af9a1d29cc0cdb6acdca6d5";
        let targets = [
            Target::User("ann@example.com".to_owned()),
            Target::Key(id.to_owned()),
            Target::User(id.replace('5', "6")),
        ];
        let waivers = Waivers::new(targets.clone().map(waiver).to_vec());
        assert!(waivers.iter().map(|waiver| waiver.target.clone()).eq(targets.clone()));
        assert_eq!(waivers.iter().count(), 3);
        let found = |waiver: Option<&Waiver>| waiver.map(|waiver| waiver.target.clone());
        let [name, key, user_id] = targets.map(Some);
        assert_eq!(found(waivers.of_key(&id.to_uppercase(), "prod")), key);
        assert_eq!(found(waivers.of_key(&id.replace('5', "6"), "prod")), None);
        let user = |id: &str, name: Option<&str>| User {
            id: Some(id.to_owned()).filter(|id| !id.is_empty()),
            username: name.map(str::to_owned),
            origin: Origin::default(),
        };
        for (user, expected) in [
            (user("", Some("Ann@Example.com")), &name),
            (user(&id.replace('5', "7"), Some("ANN@EXAMPLE.COM")), &name),
            (user(&id.replace('5', "6").to_uppercase(), Some("ann@example.com")), &user_id),
            (user(id, Some("bob@example.com")), &None),
            (user("", None), &None),
        ] {
            assert_eq!(found(waivers.of_user(&user, "prod")), *expected, "{user:?}");
        }
        assert!(Waivers::default().of_key(id, "prod").is_none());
    }

    /// A user or an organization with the id of another as its name would otherwise take over the waiver of that one.
    #[test]
    fn an_id_covers_nothing_of_that_name() {
        let (one, other) = ("5b0000000000000000000001", "5b0000000000000000000002");
        let targets = [Target::User(one.to_owned()), Target::Organization(one.to_owned())];
        let waivers = Waivers::new(targets.map(waiver).to_vec());
        let user = |id: &str, name: &str| {
            let (id, username) = (Some(id.to_owned()), Some(name.to_owned()));
            waivers.of_user(&User { id, username, origin: Origin::default() }, "om").is_some()
        };
        assert_eq!([user(one, "x"), user(other, one)], [true, false]);
        let organization = |id, name| waivers.of_organization(id, Some(name), "om").is_some();
        assert_eq!([organization(one, "x"), organization(other, &one.to_uppercase())], [true, false]);
    }

    #[test]
    fn one_that_names_a_deployment_counts_there_alone_and_comes_first() {
        let id = "5af9a1d29cc0cdb6acdca6d5";
        let anywhere = waiver(Target::Key(id.to_owned()));
        let staging = Waiver { deployment: Some("staging".to_owned()), ..anywhere.clone() };
        let alone = Waivers::new(vec![staging.clone()]);
        assert_eq!(alone.of_key(id, "prod"), None);
        assert_eq!(alone.of_key(id, "staging"), Some(&staging));
        let both = Waivers::new(vec![anywhere.clone(), staging.clone()]);
        assert_eq!(both.of_key(id, "prod"), Some(&anywhere));
        assert_eq!(both.of_key(id, "staging"), Some(&staging));
    }
}
