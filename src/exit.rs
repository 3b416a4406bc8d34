//! The exit codes, and the error that carries one.

mod files;

use std::fmt;

pub use files::{WriteTarget, is_out_of_handles, reason};

use crate::printable::for_terminal;

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

/// A signal that ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Whose doing an error is; the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorKind {
    Usage,
    Input,
    Output,
    Signal(Signal),
    Bug,
}

/// What ends the run: what happened, to what, and what to do next. Its parts are put together when it is printed.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    /// What happened, to what.
    pub message: String,
    /// A line each, such as `tried: …` or `FILE:3: …`.
    pub details: Vec<String>,
    /// What to do next.
    pub help: Option<String>,
    /// Whether `keysunset doctor` finds out more.
    see_doctor: bool,
}

impl Error {
    fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), details: Vec::new(), help: None, see_doctor: false }
    }

    /// Something is missing on the command line.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Something the caller gave can't be used.
    pub fn input(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// Something could not be written.
    pub fn output(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Output, message)
    }

    /// A signal ended it.
    pub fn interrupted(signal: Signal, message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Signal(signal), message)
    }

    /// Something that can't be, whatever the input.
    pub fn bug(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Bug, message).help("this is a bug in keysunset; no report was written")
    }

    /// Adds lines below the first.
    #[must_use]
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Adds to the help that `keysunset doctor` finds out more.
    #[must_use]
    pub fn see_doctor(mut self) -> Self {
        self.see_doctor = true;
        self
    }

    /// Adds other errors, so that all can be corrected together. The exit code and the help stay those of this one.
    #[must_use]
    pub fn and(mut self, others: impl IntoIterator<Item = Self>) -> Self {
        for other in others {
            self.details.push(format!("also: {}", other.message));
            self.details.extend(other.details);
        }
        self
    }

    /// All errors as one.
    ///
    /// # Errors
    /// If there is one.
    pub fn together(errors: Vec<Self>) -> Result<(), Self> {
        let mut errors = errors.into_iter();
        errors.next().map_or(Ok(()), |first| Err(first.and(errors)))
    }

    /// All of the help.
    pub(crate) fn help_text(&self) -> Option<String> {
        let doctor = if self.see_doctor { "; see `keysunset doctor`" } else { "" };
        self.help.as_ref().map(|help| format!("{help}{doctor}"))
    }

    /// Whether the run can be resumed.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self.kind, ErrorKind::Signal(_))
    }

    /// The code to end with.
    #[must_use]
    pub fn exit_code(&self) -> Exit {
        match self.kind {
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Input => Exit::BadInput,
            ErrorKind::Output => Exit::NotWritten,
            ErrorKind::Signal(Signal::Interrupt) => Exit::Interrupted,
            ErrorKind::Signal(Signal::Terminate) => Exit::Terminated,
            ErrorKind::Bug => Exit::Bug,
        }
    }
}

/// All of it; every line after the first is indented.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![self.message.clone()];
        lines.extend_from_slice(&self.details);
        lines.extend(self.help_text().map(|help| format!("help: {help}")));
        f.write_str(&for_terminal(&lines.join("\n").replace('\n', "\n  ")))
    }
}

impl std::error::Error for Error {}
