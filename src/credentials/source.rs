//! Where one half of a credential is to be had.
//!
//! What a field names is shown only if it is there: a name that names nothing may be a secret at the wrong place.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::secret_file::{self, SecretFileError};
use super::{command, env, first_line, trimmed};
use crate::context::Env;
use crate::exit::{Error, reason};

/// For one command; a person may have to unlock a password manager.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// How a field or column gives a half.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceKind {
    Inline,
    Env,
    File,
    Command,
}

/// Where a half is to be had. None of these may be printed, since any of them may be a secret by mistake.
pub(super) enum SecretSource {
    Inline(Zeroizing<String>),
    /// In this variable.
    Env(Zeroizing<String>),
    /// In the first line of this file.
    File(Zeroizing<String>),
    /// In the first line that this prints: the program and its arguments, at least one in all.
    Command(Vec<Zeroizing<String>>),
}

impl SecretSource {
    /// One of the three that are given as one text; `None` where it is blank.
    pub(super) fn from_text(kind: SourceKind, text: &str) -> Option<Self> {
        let text = trimmed(text);
        if text.is_empty() {
            return None;
        }
        let text = Zeroizing::new(text.to_owned());
        match kind {
            SourceKind::Inline => Some(Self::Inline(text)),
            SourceKind::Env => Some(Self::Env(text)),
            SourceKind::File => Some(Self::File(text)),
            SourceKind::Command => None,
        }
    }

    /// The half itself; runs the command. `owner` is for the message.
    pub(super) fn get(&self, owner: &str, env: &Env) -> Result<Zeroizing<String>, Error> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::Env(name) => env::non_empty(env, name).ok_or_else(|| {
                Error::input(format!("{owner}: the environment variable named here is not set or empty"))
            }),
            Self::File(path) => from_file(Path::new(path.as_str()), owner),
            Self::Command(arguments) => command::first_line_of(arguments, COMMAND_TIMEOUT)
                .map_err(|why| Error::input(format!("{owner}: the command {why}"))),
        }
    }
}

fn from_file(path: &Path, owner: &str) -> Result<Zeroizing<String>, Error> {
    let wrong = |what: &str| Error::input(format!("{owner}: can't use the file named here: {what}"));
    let text = secret_file::read(path).map_err(|why| match why {
        SecretFileError::Open(why) => wrong(&reason(&why)),
        SecretFileError::Shared { why, help } => wrong(&why).help(help),
        SecretFileError::Content(why) => wrong(&why),
    })?;
    first_line(&text)
        .ok_or_else(|| Error::input(format!("{owner}: the first line of the file named here is empty")))
}
