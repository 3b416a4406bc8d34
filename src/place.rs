//! Where keys are: the types that the locator, the run database and the reports share. No I/O.

use chrono::{DateTime, Utc};

use crate::model::Suffix;

named! {
    /// What was found in a place.
    pub enum Class {
        /// A personal key of the run.
        Key = "key",
        /// A programmatic key of the run: this place is migrated.
        NewKey = "new-key",
        /// A key that the run does not have, beside a sign of the service.
        Stranger = "stranger",
    }
}

named! {
    /// Where in a repository a place is; the first that fits, so that a place has one state.
    pub enum State {
        /// A file of a folder, of a work tree, of standard input.
        Worktree = "worktree",
        /// In the commit that is checked out.
        Head = "head",
        /// At the end of a branch, local or remote.
        Branch = "branch",
        /// In the commit of a tag.
        Tag = "tag",
        /// In a stash.
        Stash = "stash",
        /// In an earlier commit.
        History = "history",
        /// In an object that no reference leads to.
        Unreachable = "unreachable",
    }
}

impl State {
    /// Whether a script that uses the key there breaks when the key is gone.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Worktree | Self::Head | Self::Branch)
    }
}

/// A place of a key: a row of `locations.csv`, without what the run knows of the key.
///
/// Texts are masked: no text of a place holds a whole key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of the key.
    pub suffix: Suffix,
    /// What was found.
    pub class: Class,
    /// Where in the repository.
    pub state: State,
    /// Of the root of the search, or of the repository in it; never the address of a remote.
    pub repository: String,
    /// Below the repository, `/` between folders. Empty for a message of a commit or tag.
    pub path: String,
    /// In an archive: the paths of its members, `!` between those of one in another. Otherwise empty.
    pub member: String,
    /// From 1, in the text of the file or member; for an encoded key, of the first byte of the encoded text.
    pub line: Option<u64>,
    /// From 1, in bytes.
    pub column: Option<u64>,
    /// The chain of decoders from the file to the key, `+` between them, such as `tar.gz+utf-16+base64`; `plain` for none.
    pub encoding: String,
    /// The first commit that has the key at this path; `None` outside of histories.
    pub first: Option<Commit>,
    /// The newest commit that has it.
    pub last_commit: Option<String>,
    /// How many different contents of this path have it.
    pub versions: Option<u64>,
}

impl Place {
    /// `path:3`, with the members of archives, for a person.
    #[must_use]
    pub fn label(&self) -> String {
        let path = if self.path.is_empty() { "message of a commit or tag" } else { &self.path };
        let member = if self.member.is_empty() { String::new() } else { format!("!{}", self.member) };
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        format!("{path}{member}{line}")
    }
}

/// A commit of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Hexadecimal.
    pub id: String,
    /// Of the author.
    pub date: DateTime<Utc>,
    /// Name and address of the author.
    pub author: String,
}

named! {
    /// Why something was not searched to its end.
    pub enum NotSearched {
        /// An archive with a password
        Encrypted = "encrypted",
        /// An archive or object whose bytes are cut or wrong
        Damaged = "damaged",
        /// More bytes than --max-size, or than an archive of its size may have
        TooLarge = "too-large",
        /// An archive in too many others
        TooDeep = "too-deep",
        /// A file, folder or object that could not be read
        Unreadable = "unreadable",
        /// A repository without the history before some commits
        Shallow = "shallow",
        /// A repository without objects that were never fetched
        Partial = "partial",
        /// A repository or a compressed file of a format that is not read
        UnknownFormat = "unknown-format",
        /// A repository that lacks an object which it needs
        Missing = "missing",
        /// A pointer of Git LFS whose content is not there
        LfsPointer = "lfs-pointer",
    }
}

/// Something that was not searched to its end, so that keys may be in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unsearched {
    /// As in [`Place`].
    pub repository: String,
    /// As in [`Place`]; empty for a whole repository.
    pub path: String,
    /// As in [`Place`].
    pub member: String,
    /// Why.
    pub why: NotSearched,
}
