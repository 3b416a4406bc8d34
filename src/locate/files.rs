//! Searches one file, and names what is found in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::collected::{Collected, ThreadFindings};
use super::mask::masked;
use super::names;
use super::pointer;
use super::repositories::is_inside_git;
use super::scan::{Found, Hit, NotSearched, Options, Scanner, Suffixes};
use crate::model::Suffix;
use crate::place::{Place, State, Unsearched};
use crate::store::Located;

/// Bytes and files so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) bytes: AtomicU64,
    pub(crate) files: AtomicU64,
    pub(crate) places: AtomicU64,
}

/// Which file it is.
pub(super) struct FileName<'a> {
    /// Of its repository.
    pub(super) repository: &'a Path,
    /// From there.
    pub(super) below: &'a Path,
    pub(super) state: State,
}

/// Searches files, one after the other. One a thread.
pub(super) struct FileSearch<'a> {
    scanner: Scanner<'a>,
    progress: &'a Progress,
    findings: ThreadFindings<'a>,
}

impl<'a> FileSearch<'a> {
    pub(super) fn new(
        suffixes: &'a Suffixes,
        options: &'a Options,
        progress: &'a Progress,
        collected: &'a Collected,
    ) -> Self {
        let scanner = Scanner::new(suffixes, options);
        Self { scanner, progress, findings: ThreadFindings::new(collected) }
    }

    /// A file of a folder, or a pipe that was named.
    pub(super) fn file(&mut self, path: &Path, name: &FileName) {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        self.progress.files.fetch_add(1, Ordering::Relaxed);
        match opened {
            Err(_) => self.not_searched(name, NotSearched::Unreadable),
            Ok((about, mut file)) if !about.is_file() => self.stream(&mut file, name),
            Ok((about, mut file)) => {
                let mut sink = Sink::new(name, &mut self.findings, self.progress);
                let text = sink.path.clone();
                self.scanner.file(&text, &mut file, &mut sink);
                if let Some(content) = pointer::content_at(path) {
                    self.findings.push_content(content);
                }
                self.progress.bytes.fetch_add(about.len(), Ordering::Relaxed);
            }
        }
    }

    /// What has no size, such as standard input.
    pub(super) fn stream(&mut self, input: &mut dyn Read, name: &FileName) {
        let mut input = Counted { input, bytes: &self.progress.bytes };
        let mut sink = Sink::new(name, &mut self.findings, self.progress);
        let text = sink.path.clone();
        self.scanner.reader(&text, &mut input, &mut sink);
    }

    pub(super) fn not_searched(&mut self, name: &FileName, why: NotSearched) {
        Sink::new(name, &mut self.findings, self.progress).not_searched("", why);
    }
}

/// Counts what is read.
struct Counted<'a> {
    input: &'a mut dyn Read,
    bytes: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Takes what is found in one file.
struct Sink<'a, 'f> {
    repository: String,
    path: String,
    is_inside_git: bool,
    state: State,
    findings: &'a mut ThreadFindings<'f>,
    progress: &'a Progress,
}

impl<'a, 'f> Sink<'a, 'f> {
    fn new(name: &FileName, findings: &'a mut ThreadFindings<'f>, progress: &'a Progress) -> Self {
        let (repository, path) = (names::text(name.repository), names::text(name.below));
        let is_inside_git = is_inside_git(name.below);
        Self { repository, path, is_inside_git, state: name.state, findings, progress }
    }
}

impl Found for Sink<'_, '_> {
    fn hit(&mut self, hit: Hit) {
        let Hit { suffix, class, member, line, column, encoding, context } = hit;
        let Some(suffix) = Suffix::from_key(&format!("{suffix:012x}")) else { return };
        self.progress.places.fetch_add(1, Ordering::Relaxed);
        self.findings.push(Located {
            place: Place {
                suffix,
                class,
                state: self.state,
                repository: masked(&self.repository),
                path: masked(&self.path),
                member: masked(&member),
                line: Some(line),
                column: Some(column),
                encoding,
                first: None,
                last_commit: None,
                versions: None,
            },
            // A line of git's own files has the address of a remote.
            context: context.filter(|_| !self.is_inside_git),
        });
    }

    fn not_searched(&mut self, member: &str, why: NotSearched) {
        self.findings.push_unsearched(Unsearched {
            repository: masked(&self.repository),
            path: masked(&self.path),
            member: masked(member),
            why,
        });
    }

    fn pointer(&mut self, member: &str, content: &str) {
        let pointer = Unsearched {
            repository: masked(&self.repository),
            path: masked(&self.path),
            member: masked(member),
            why: NotSearched::LfsPointer,
        };
        self.findings.push_pointer(pointer, content);
    }
}
