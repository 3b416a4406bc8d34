//! What a person sees besides the files: results on standard output, and warnings on standard error.
//!
//! A warning is printed whatever else is quiet, since it says that the evidence is doubtful, or that something was not done
//! that was asked for. What only explains is logged with `tracing`, for `-v`.

use std::fs::File;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::exit::{Error, WriteTarget};
use crate::printable::for_terminal;

/// Prints what is doubtful, and what to do about it. An error of standard error is passed over.
pub(crate) fn warn(message: &str, help: Option<&str>) {
    let help = help.map_or_else(String::new, |help| format!("\n  help: {help}"));
    let _ = writeln!(io::stderr().lock(), "{}", for_terminal(&format!("warning: {message}{help}")));
}

/// Prints on standard error what a person should know although nothing is doubtful.
pub(crate) fn inform(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", for_terminal(message));
}

/// Prints a result.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    printed(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Prints a file, from where it is read next.
pub(crate) fn print_file(mut file: File) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    printed(io::copy(&mut file, &mut stdout).and_then(|_| stdout.flush()))
}

/// Prints a result for programs.
pub(crate) fn print_json(document: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(document).map_err(Error::bug)?;
    print(&(text + "\n"))
}

/// What helps where standard output can't be written: it is mostly a file of the shell.
pub(crate) const STDOUT: WriteTarget =
    WriteTarget { elsewhere: "redirect the output to another file", next: "then run the command again" };

/// The result of writing to standard output. A reader that closed it does not want the rest, and that is no error.
pub(crate) fn printed(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::not_written("standard output", &why, STDOUT))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
