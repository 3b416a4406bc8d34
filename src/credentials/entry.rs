//! One credential of a file of credentials, as it is written there: whose, and where its two parts are to be had.

use zeroize::Zeroizing;

use super::mistakes::Problems;
use super::part::SecretSource;

/// Which part of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyHalf {
    Public,
    Private,
}

/// How a part is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Inline,
    Env,
    File,
    Command,
}

/// What a field or column of this name holds.
pub(super) fn field(name: &str) -> Option<(KeyHalf, How)> {
    let name = name.replace('_', "-");
    let (half, how) = match (name.strip_prefix("public-key"), name.strip_prefix("private-key")) {
        (Some(how), _) => (KeyHalf::Public, how),
        (_, Some(how)) => (KeyHalf::Private, how),
        (None, None) => return None,
    };
    let how = match how {
        "" => How::Inline,
        "-env" => How::Env,
        "-file" => How::File,
        "-command" => How::Command,
        _ => return None,
    };
    Some((half, how))
}

/// A credential whose parts are known to be there, though not yet had.
pub(super) struct Entry {
    pub(super) line: u64,
    /// Id or name; `None` for the default.
    pub(super) user: Option<String>,
    pub(super) public: SecretSource,
    pub(super) private: SecretSource,
}

impl Entry {
    /// Whose it is, for a message.
    pub(super) fn whose(&self) -> String {
        self.user.as_ref().map_or_else(|| "the default".to_owned(), |user| format!("user {user:?}"))
    }
}

/// A credential as it is being read.
#[derive(Default)]
pub(super) struct Draft {
    public: Option<SecretSource>,
    private: Option<SecretSource>,
    /// Whether something of it was told already.
    is_wrong: bool,
}

impl Draft {
    pub(super) fn put(&mut self, half: KeyHalf, part: SecretSource, line: u64, mistakes: &mut Problems) {
        let place = match half {
            KeyHalf::Public => &mut self.public,
            KeyHalf::Private => &mut self.private,
        };
        if place.replace(part).is_some() {
            self.wrong(
                line,
                half.told("is given twice; one of inline, env, file and command is enough"),
                mistakes,
            );
        }
    }

    pub(super) fn wrong(&mut self, line: u64, why: impl Into<String>, mistakes: &mut Problems) {
        self.is_wrong = true;
        mistakes.note(line, why);
    }

    /// The whole of it, or a mistake that says what is missing.
    pub(super) fn finish(self, user: Option<String>, line: u64, mistakes: &mut Problems) -> Option<Entry> {
        match (self.public, self.private) {
            (Some(public), Some(private)) if !self.is_wrong => Some(Entry { line, user, public, private }),
            (public, private) => {
                if !self.is_wrong {
                    let missing =
                        [(KeyHalf::Public, public.is_none()), (KeyHalf::Private, private.is_none())];
                    for (half, _) in missing.into_iter().filter(|(_, is_missing)| *is_missing) {
                        mistakes.note(line, half.told("is missing"));
                    }
                }
                None
            }
        }
    }
}

impl KeyHalf {
    fn told(self, what: &str) -> String {
        match self {
            Self::Public => format!("the public key {what}"),
            Self::Private => format!("the private key {what}"),
        }
    }
}

/// A user's id or name; `None` where there is none.
pub(super) fn user(name: &str) -> Option<String> {
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// A value as it stands in the file.
pub(super) fn inline(text: &str) -> Option<Zeroizing<String>> {
    let text = text.trim();
    (!text.is_empty()).then(|| Zeroizing::new(text.to_owned()))
}
