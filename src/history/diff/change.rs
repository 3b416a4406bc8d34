//! One change between two runs: its kind, its user, and its key.

use crate::history::Usage;
use crate::model::{PersonalKey, ReadStatus, User};

named! {
    /// The kinds of change of a user or a key, in the order of a page. The names are those of a program's fields.
    pub(crate) enum ChangeKind {
        /// Users who could be read, and no longer can
        BecameUnreadable = "users_became_unreadable",
        /// Users who could not be read, and now can
        BecameReadable = "users_became_readable",
        /// Users who were not there before
        UserCame = "users_came",
        /// Users who are not in the earlier run, which did not know all users
        UserFirstSeen = "users_first_seen",
        /// Users who are no longer listed
        UserWent = "users_went",
        /// Users who are not in the later run, which did not know all users
        UserUnknown = "users_unknown",
        /// Keys that were used between the runs
        Used = "used",
        /// Keys whose use between the runs is unknown
        UseUnknown = "use_unknown",
        /// Keys that were not there before
        Came = "came",
        /// Keys seen for the first time, which may have been there before
        FirstSeen = "first_seen",
        /// Keys that are no longer there
        Went = "went",
        /// Keys whose user is no longer listed, so that the key was not checked
        LeftWithUser = "left_with_user",
        /// Keys that could not be checked
        Unknown = "unknown",
        /// Keys that were disabled
        Disabled = "disabled",
        /// Keys that were enabled again
        Enabled = "enabled",
    }
}

impl ChangeKind {
    /// Whether it is about a user, and not about a key.
    pub(crate) fn is_of_user(self) -> bool {
        match self {
            Self::BecameUnreadable
            | Self::BecameReadable
            | Self::UserCame
            | Self::UserFirstSeen
            | Self::UserWent
            | Self::UserUnknown => true,
            Self::Used
            | Self::UseUnknown
            | Self::Came
            | Self::FirstSeen
            | Self::Went
            | Self::LeftWithUser
            | Self::Unknown
            | Self::Disabled
            | Self::Enabled => false,
        }
    }
}

/// One user or key that changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change<'a> {
    pub kind: ChangeKind,
    /// The user, or the key's owner: as the later run has him, or else the earlier.
    pub user: &'a User,
    /// The status of the user in the earlier run; `None` if he is not in it.
    pub status_before: Option<ReadStatus>,
    /// And in the later one.
    pub status_after: Option<ReadStatus>,
    /// The key; `None` where it is about the user.
    pub key: Option<KeyVersions<'a>>,
    /// Its use between the runs; `None` for other kinds of change.
    pub usage: Option<Usage>,
    /// Why, in a sentence with its arithmetic. May quote no service.
    pub why: String,
}

/// A key as the earlier run saw it, or the later one, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyVersions<'a> {
    Before(&'a PersonalKey),
    After(&'a PersonalKey),
    Both { before: &'a PersonalKey, after: &'a PersonalKey },
}

impl<'a> KeyVersions<'a> {
    pub(crate) fn before(self) -> Option<&'a PersonalKey> {
        match self {
            Self::Before(before) | Self::Both { before, .. } => Some(before),
            Self::After(_) => None,
        }
    }

    pub(crate) fn after(self) -> Option<&'a PersonalKey> {
        match self {
            Self::After(after) | Self::Both { after, .. } => Some(after),
            Self::Before(_) => None,
        }
    }

    /// As it was seen last.
    pub(crate) fn newest(self) -> &'a PersonalKey {
        match self {
            Self::Before(key) | Self::After(key) | Self::Both { after: key, .. } => key,
        }
    }

    /// Whether an audit used it, and thereby moved its use.
    pub(crate) fn is_auditing(self) -> bool {
        [self.before(), self.after()].into_iter().flatten().any(|key| key.auditing)
    }
}
