//! One credential of a file of credentials, as it is written there: whose, and where its two halves are to be had.

use super::source::{SecretSource, SourceKind};
use crate::input::Problems;

/// Which half of a credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyHalf {
    Public,
    Private,
}

impl KeyHalf {
    fn name(self) -> &'static str {
        match self {
            Self::Public => "the public key",
            Self::Private => "the private key",
        }
    }
}

/// What a field or column of this name holds.
pub(super) fn field(name: &str) -> Option<(KeyHalf, SourceKind)> {
    let name = name.replace('_', "-");
    let (half, kind) = match (name.strip_prefix("public-key"), name.strip_prefix("private-key")) {
        (Some(kind), _) => (KeyHalf::Public, kind),
        (_, Some(kind)) => (KeyHalf::Private, kind),
        (None, None) => return None,
    };
    let kind = match kind {
        "" => SourceKind::Inline,
        "-env" => SourceKind::Env,
        "-file" => SourceKind::File,
        "-command" => SourceKind::Command,
        _ => return None,
    };
    Some((half, kind))
}

/// A credential whose halves are known to be there, though not yet had.
pub(super) struct CredentialEntry {
    pub(super) line: u64,
    /// Id or name; `None` for the default.
    pub(super) user: Option<String>,
    pub(super) public: SecretSource,
    pub(super) private: SecretSource,
}

impl CredentialEntry {
    /// Whether a command has to run for it.
    pub(super) fn has_command(&self) -> bool {
        [&self.public, &self.private].iter().any(|source| matches!(source, SecretSource::Command(_)))
    }

    /// Whose it is, for a message.
    pub(super) fn owner(&self) -> String {
        self.user.as_ref().map_or_else(|| "the default".to_owned(), |user| format!("user {user:?}"))
    }
}

/// A credential as it is being read.
#[derive(Default)]
pub(super) struct CredentialBuilder {
    public: Option<SecretSource>,
    private: Option<SecretSource>,
    is_wrong: bool,
}

impl CredentialBuilder {
    pub(super) fn put(&mut self, half: KeyHalf, source: SecretSource, line: u64, problems: &mut Problems) {
        let place = match half {
            KeyHalf::Public => &mut self.public,
            KeyHalf::Private => &mut self.private,
        };
        if place.replace(source).is_some() {
            let why = format!("{} is set twice; use one of value, env, file or command", half.name());
            self.wrong(line, why, problems);
        }
    }

    pub(super) fn wrong(&mut self, line: u64, why: impl Into<String>, problems: &mut Problems) {
        self.is_wrong = true;
        problems.push(line, why);
    }

    /// The whole of it, where nothing is wrong or missing.
    pub(super) fn finish(
        self,
        user: Option<String>,
        line: u64,
        problems: &mut Problems,
    ) -> Option<CredentialEntry> {
        if self.is_wrong {
            return None;
        }
        let mut present = |half: KeyHalf, source: Option<SecretSource>| {
            if source.is_none() {
                problems.push(line, format!("{} is missing", half.name()));
            }
            source
        };
        let public = present(KeyHalf::Public, self.public);
        let private = present(KeyHalf::Private, self.private);
        Some(CredentialEntry { line, user, public: public?, private: private? })
    }
}

/// A user's id or name; `None` where there is none.
pub(super) fn user(name: &str) -> Option<String> {
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
