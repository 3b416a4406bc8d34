//! One part of a pair: inline, or where it is to be had.
//!
//! What a field names is told only if it is there: a name that names nothing may be a secret at the wrong place.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::entry::How;
use super::secret_file::{self, Unreadable};
use super::{command, env, first_line};
use crate::context::Env;

/// For one command; a person may have to unlock a password manager.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// Where the part is to be had. None of these may be printed, since any of them may be a secret by mistake.
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
    /// One of the three that are given as one string.
    pub(super) fn of_text(how: How, text: Zeroizing<String>) -> Option<Self> {
        match how {
            How::Inline => Some(Self::Inline(text)),
            How::Env => Some(Self::Env(text)),
            How::File => Some(Self::File(text)),
            How::Command => None,
        }
    }

    /// The part itself; runs the command. `whose` is for the message.
    pub(super) fn get(&self, whose: &str, env: &Env) -> Result<Zeroizing<String>, String> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::Env(name) => env::given(env, name).ok_or_else(|| {
                format!("the environment variable named here for {whose} is not set, or empty")
            }),
            Self::File(path) => of_file(Path::new(path.as_str()), whose),
            Self::Command(arguments) => command::first_line_of(arguments, COMMAND_TIMEOUT)
                .map_err(|why| format!("the command for {whose} {why}")),
        }
    }
}

fn of_file(path: &Path, whose: &str) -> Result<Zeroizing<String>, String> {
    let text = secret_file::read(path).map_err(|why| match why {
        Unreadable::Open(why) => format!("the file named here for {whose} can't be opened: {why}"),
        Unreadable::Shared { why, help } => {
            format!("the file named here for {whose} can't be used: {why}\nhelp: {help}")
        }
        Unreadable::Content(why) => format!("the file named here for {whose} can't be used: {why}"),
    })?;
    first_line(&text).ok_or_else(|| format!("the first line of the file named here for {whose} is empty"))
}
