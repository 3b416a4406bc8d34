//! The credentials of an audit: where they may be given, and which come first.
//!
//! 1. the environment: our own variables, then mongocli's, then the Atlas CLI's
//! 2. `--credentials FILE`: a default, and users' own
//! 3. `--profile NAME`, of mongocli's and the Atlas CLI's files of configuration
//! 4. a prompt, where standard input is a terminal and somebody may be asked
//!
//! The first that has a credential gives the default, for users without one of their own. Users' own come from the
//! file alone, and hold whatever the default is.
//!
//! A secret is never shown, not even one in the wrong place: what is wrong with a file is reported by line, and a name is
//! shown only where it is known to name something. In memory it is wiped once it is no longer needed: the text of the
//! files, what a command prints, and the values taken from them are `Zeroizing` or `SecretString`. That does not reach
//! the environment of the process, buffers inside the `csv` crate, values that the `toml` crate had to unescape and that
//! were where no secret belongs, and the plain strings that `digest_auth` builds for each answer.

mod command;
mod csv;
mod entry;
mod env;
pub(crate) mod file;
mod profile;
mod prompt;
mod secret_file;
mod source;
mod toml;

use std::path::Path;

use secrecy::SecretString;
use zeroize::Zeroizing;

pub(crate) use profile::{Profile, deployment};

use crate::client::{Credential, Credentials};
use crate::context::Context;
use crate::exit::Error;
use crate::printable::{is_unprintable, is_uuid};

/// Whether a file of credentials may have commands run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commands {
    /// The caller named the file, or the file of settings that names it.
    Allowed,
    /// A `keysunset.toml` that no option named gives its name: both may come from somebody else.
    Refused,
}

/// All credentials of a run, by the order of the module.
///
/// # Errors
/// Incomplete credentials, a file that can't be used, or nothing at all: then with all that was tried.
pub(crate) fn find(
    file: Option<(&Path, Commands)>,
    profile: Option<&Profile>,
    context: &Context,
) -> Result<Credentials, Error> {
    // No person answers a prompt on a CI server.
    let may_ask = !context.is_ci();
    let of_environment = env::credential(context.env)?;
    let mut all = match file {
        Some((path, commands)) => file::read(path, commands, context.env, of_environment.is_none())?,
        None => Credentials::default(),
    };
    let mut place = "--credentials".to_owned();
    if let Some((credential, variable)) = of_environment {
        place = format!("the environment ({variable})");
        all.default = Some(credential);
    }
    if all.default.is_none()
        && let Some(profile) = profile
    {
        place = profile.to_string();
        all.default = profile.credential()?;
    }
    if all.default.is_none() && all.per_user.is_empty() && may_ask {
        "the prompt".clone_into(&mut place);
        all.default = prompt::ask()?;
    }
    match &all.default {
        Some(credential) => tracing::info!(public = credential.public, "credential from {place}"),
        None if all.per_user.is_empty() => return Err(nothing(file.map(|(path, _)| path), profile, may_ask)),
        None => {}
    }
    if !all.per_user.is_empty() {
        tracing::info!(users = all.per_user.len(), "credentials of single users");
    }
    Ok(all)
}

/// All that was tried.
fn nothing(file: Option<&Path>, profile: Option<&Profile>, may_ask: bool) -> Error {
    let tried = env::PAIRS.map(|(public, private)| format!("{public} and {private}")).join(", ");
    let file = file.map_or_else(
        || "--credentials FILE: not given".to_owned(),
        |file| format!("--credentials {}: no default credential", file.display()),
    );
    let profile = profile
        .map_or_else(|| "--profile NAME: not given".to_owned(), |profile| format!("{profile}: no API key"));
    let prompt = if may_ask {
        "standard input is not a terminal, or the input was empty"
    } else {
        "disabled because CI is set"
    };
    Error::input("no credentials")
        .details([
            format!("tried: environment: {tried}: not set"),
            format!("tried: {file}"),
            format!("tried: {profile}"),
            format!("tried: prompt: {prompt}"),
        ])
        .help("set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY to the two parts of an API key, or use --credentials FILE")
}

/// A credential of two parts, or what is wrong with one of them.
fn new_credential(public: &str, private: &str) -> Result<Credential, &'static str> {
    // The name of an account may have any letters.
    if public.contains(is_unprintable) {
        return Err("the public key contains a line break or an invisible character; copy exactly one line");
    }
    // It is shown in errors and reports, so that a private part in its place would be, too. Private parts and personal keys
    // are UUIDs; public parts are 8 letters or the name of an account.
    if is_uuid(public) {
        return Err("the public key looks like a private key; check whether the two are swapped");
    }
    if private.contains(is_unprintable) {
        return Err("the private key contains a line break or an invisible character; copy exactly one line");
    }
    Ok(Credential { public: public.to_owned(), private: SecretString::from(private) })
}

/// One part without the white space and the byte order mark that editors and secret stores put around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_unprintable(c))
}

/// The first line, trimmed; `None` where it is empty.
fn first_line(text: &str) -> Option<Zeroizing<String>> {
    let line = trimmed(text.lines().next().unwrap_or_default());
    (!line.is_empty()).then(|| Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_part_of_two_lines_is_no_header() {
        assert!(
            new_credential("a\nb", "x").is_err()
                && new_credential("a\u{200b}b", "x").is_err()
                && new_credential("änn@example.com", "ä").is_ok()
        );
    }
}
