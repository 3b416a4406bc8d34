//! Credentials of the environment.

use zeroize::Zeroizing;

use super::{new_credential, trimmed};
use crate::client::Credential;
use crate::context::Env;
use crate::exit::Error;

/// The variables of credentials, best first: our own, mongocli's, the Atlas CLI's two spellings.
pub(super) const PAIRS: [(&str, &str); 4] = [
    ("KEYSUNSET_PUBLIC_KEY", "KEYSUNSET_PRIVATE_KEY"),
    ("MCLI_PUBLIC_API_KEY", "MCLI_PRIVATE_API_KEY"),
    ("MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"),
    ("MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"),
];

/// A variable that holds more than white space.
pub(super) fn non_empty(env: &Env, name: &str) -> Option<Zeroizing<String>> {
    let value = Zeroizing::new(env(name)?);
    let value = trimmed(&value);
    (!value.is_empty()).then(|| Zeroizing::new(value.to_owned()))
}

/// The first pair that is there, with the name of its public variable; half a pair is a mistake, never passed over.
pub(super) fn credential(env: &Env) -> Result<Option<(Credential, &'static str)>, Error> {
    for (public_name, private_name) in PAIRS {
        match (non_empty(env, public_name), non_empty(env, private_name)) {
            (Some(public), Some(private)) => {
                let credential = new_credential(&public, &private).map_err(|why| {
                    Error::input(format!("invalid credentials in {public_name} and {private_name}: {why}"))
                        .help("set each variable to one part of the API key, without anything else")
                })?;
                return Ok(Some((credential, public_name)));
            }
            (Some(_), None) => return Err(incomplete(public_name, private_name)),
            (None, Some(_)) => return Err(incomplete(private_name, public_name)),
            (None, None) => {}
        }
    }
    Ok(None)
}

fn incomplete(there: &str, missing: &str) -> Error {
    Error::input(format!("incomplete credentials: {there} is set, but {missing} is not"))
        .help(format!("set {missing} too"))
}
