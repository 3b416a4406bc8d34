//! Lists of users that somebody wrote. A list is read twice, first to find every broken line before
//! the first request, then to hand out its users; neither holds more than one user at a time.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use futures::Stream;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::UserRef;
use super::rows::{Format, detect, read};
use crate::exit::Error;
use crate::model::{IncompleteList, Line, Origin, Outcome, ReadStatus};

/// Broken lines that are told at once; the rest are counted.
const TOLD: usize = 20;

/// Why a list can't be used: where, and what.
#[derive(Debug, thiserror::Error)]
pub struct BrokenList {
    name: String,
    /// Line number (0 for the file as a whole) and what is wrong with it.
    lines: Vec<(u64, String)>,
    more: u64,
}

impl BrokenList {
    /// One mistake, of the thing as a whole.
    pub(super) fn one(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), lines: vec![(0, why.into())], more: 0 }
    }

    fn note(&mut self, line: u64, why: String) {
        if self.lines.len() < TOLD {
            self.lines.push((line, why));
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for BrokenList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list of users can't be used")
    }
}

impl From<BrokenList> for Error {
    fn from(broken: BrokenList) -> Self {
        let lines = broken.lines.iter().map(|(line, why)| match line {
            0 => format!("{}: {why}", broken.name),
            line => format!("{}:{line}: {why}", broken.name),
        });
        let more = (broken.more > 0).then(|| format!("and {} more", broken.more));
        Self::input(&broken).details(lines.chain(more)).help(
            "one id (24 hexadecimal digits) or name a line, CSV with a column `user_id` or `username`, or JSON",
        )
    }
}

/// A list that was read through once and holds no broken line.
pub struct List {
    name: String,
    format: Format,
    file: File,
    users: u64,
    digest: String,
}

impl List {
    /// Reads the list at `path` (`-`: standard input) through.
    ///
    /// # Errors
    /// Every broken line, or why it can't be read at all.
    pub fn check(path: &Path) -> Result<Self, BrokenList> {
        let name =
            if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
        let whole = |why: io::Error| BrokenList::one(&name, why.to_string());
        let mut file = open(path).map_err(whole)?;
        let format = detect(&mut file).map_err(whole)?;
        let mut broken = BrokenList { name: name.clone(), lines: Vec::new(), more: 0 };
        let mut users = 0;
        read(&file, format, &mut |line, listed| {
            match listed {
                Ok(_) => users += 1,
                Err(why) => broken.note(line, why),
            }
            true
        });
        if broken.lines.is_empty() && users == 0 {
            broken.note(0, "it names nobody".to_owned());
        }
        if !broken.lines.is_empty() {
            return Err(broken);
        }
        let digest = digest(&mut file).map_err(whole)?;
        Ok(Self { name, format, file, users, digest })
    }

    /// What tells this list from another of the same name: how many users, and the SHA-256 of its bytes.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{} users, SHA-256 {}", self.users, self.digest)
    }

    /// How many users it names, repeats included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.users
    }

    /// Hands out the users. Reads on a thread of its own, no further ahead than a few.
    pub(super) fn users(mut self) -> impl Stream<Item = Result<(UserRef, Origin), IncompleteList>> {
        let (sink, mut users) = mpsc::channel(256);
        let reader = std::thread::spawn(move || {
            let gap = |why: String| IncompleteList {
                source: format!("users from {}", self.name),
                outcome: Outcome::unread(
                    ReadStatus::Malformed,
                    None,
                    format!("changed while it was read: {why}"),
                ),
            };
            if let Err(why) = self.file.seek(SeekFrom::Start(0)) {
                let _ = sink.blocking_send(Err(gap(why.to_string())));
                return;
            }
            let list: Arc<str> = self.name.as_str().into();
            read(&self.file, self.format, &mut |number, listed| {
                let line = Line { list: Arc::clone(&list), number };
                let origin = Origin { organization: None, line: Some(line) };
                sink.blocking_send(listed.map(|listed| (listed, origin)).map_err(gap)).is_ok()
            });
        });
        let mut reader = Some(reader);
        futures::stream::poll_fn(move |context| {
            let next = users.poll_recv(context);
            // The end of the channel is the end of the list only if the reader got there.
            if matches!(next, std::task::Poll::Ready(None))
                && let Some(Err(panic)) = reader.take().map(std::thread::JoinHandle::join)
            {
                std::panic::resume_unwind(panic);
            }
            next
        })
    }
}

/// A nameless copy: what was checked is what is read, even if somebody writes a new list meanwhile.
fn open(path: &Path) -> io::Result<File> {
    let mut spool = tempfile::tempfile()?;
    if path.as_os_str() == "-" {
        io::copy(&mut io::stdin().lock(), &mut spool)?;
    } else {
        io::copy(&mut File::open(path)?, &mut spool)?;
    }
    spool.seek(SeekFrom::Start(0))?;
    Ok(spool)
}

/// The SHA-256 of a file, in hexadecimal digits.
fn digest(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    io::copy(file, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}
