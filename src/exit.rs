//! The exit codes, and the error that carries one.

use std::fmt;

/// What the process ends with: the table of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Clean and complete.
    Clean = 0,
    /// Findings, complete.
    Findings = 1,
    /// The command line does not say what to do.
    Usage = 2,
    /// Incomplete, nothing found in what was read.
    Incomplete = 3,
    /// Findings, and incomplete.
    FindingsIncomplete = 4,
    /// Bad input or configuration, refused credentials, no connection, an empty list of users.
    BadInput = 5,
    /// An output could not be written.
    NotWritten = 6,
    /// A bug of this program.
    Bug = 70,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
    /// Terminated by a signal.
    Terminated = 143,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What ends the run: what happened, to what, and what to do next.
#[derive(Debug)]
pub struct Error {
    /// The code to end with.
    pub exit: Exit,
    /// The first line says what happened; further lines (`help:`, `tried:`) what to do.
    message: String,
}

impl Error {
    /// Something is missing on the command line.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    /// Something the caller gave can't be used.
    pub fn input(message: impl fmt::Display) -> Self {
        Self { exit: Exit::BadInput, message: message.to_string() }
    }

    /// Something could not be written.
    pub fn output(message: impl fmt::Display) -> Self {
        Self { exit: Exit::NotWritten, message: message.to_string() }
    }

    /// Somebody ended it; `exit` says how.
    pub fn interrupted(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// Something that can't be, whatever the input.
    pub fn bug(message: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Bug,
            message: format!("{message}\nhelp: this is a bug of keysunset; nothing was reported"),
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl fmt::Display) -> Self {
        self.message = format!("{}\nhelp: {help}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message.replace('\n', "\n  "))
    }
}

impl std::error::Error for Error {}
