//! The prompt: the public part is shown as it is typed, the private one is not.

use std::io::{self, IsTerminal as _, Write as _};

use zeroize::Zeroizing;

use super::{new_credential, trimmed};
use crate::client::Credential;
use crate::exit::{Error, Signal, reason};

/// Asks on the terminal; `None` where standard input is none, or nothing was typed.
pub(super) fn ask() -> Result<Option<Credential>, Error> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let cannot = |why: io::Error| {
        Error::input(format!("can't prompt for credentials: {}", reason(&why)))
            .help("set KEYSUNSET_PUBLIC_KEY and KEYSUNSET_PRIVATE_KEY, or use --credentials FILE")
    };
    let mut screen = io::stderr();
    write!(screen, "Public key (or username): ").and_then(|()| screen.flush()).map_err(cannot)?;
    let mut public = String::new();
    io::stdin().read_line(&mut public).map_err(cannot)?;
    let public = trimmed(&public);
    if public.is_empty() {
        return Ok(None);
    }
    let private =
        rpassword::prompt_password("Private key (not shown): ").map_err(|why| match why.kind() {
            io::ErrorKind::Interrupted => Error::interrupted(Signal::Interrupt, "interrupted"),
            _ => cannot(why),
        })?;
    let private = Zeroizing::new(private);
    let private = trimmed(&private);
    if private.is_empty() {
        return Ok(None);
    }
    new_credential(public, private)
        .map(Some)
        .map_err(|why| Error::input(format!("invalid credentials: {why}")).help("run the command again"))
}
