//! The first pass: every answer of every file looked at once, its body copied to one nameless file, and what has to be known
//! to find its user kept. What was looked at is what is read later, whatever becomes of the files meanwhile.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::head::Head;
use super::name::Named;
use super::split::{Answers, Body};
use super::text::Decoded;
use crate::client::{SavedAnswer, Told, read_saved, version_told};
use crate::model::{Outcome, Product, ReadStatus, object_id};

/// One file.
pub(super) struct Source {
    /// As it was named.
    pub(super) name: String,
    pub(super) named: Named,
    /// The folder it is in, where that may say whose answers these are.
    pub(super) folder: String,
    pub(super) answers: u32,
}

/// One answer: where it stands, and what its headers say.
pub(super) struct Entry {
    pub(super) source: usize,
    /// Counts up from 1 within its file.
    pub(super) number: u32,
    /// In the copy.
    place: (u64, usize),
    /// Why there is no body, where there is none that could be copied.
    broken: Option<Box<str>>,
    status: Option<u16>,
    pub(super) date: Option<DateTime<Utc>>,
    /// Which of [`Index::versions`].
    version: Option<usize>,
    /// Which of [`Index::bases`].
    pub(super) base: Option<usize>,
    /// Everybody whom the answer itself names, in order.
    pub(super) users: Vec<String>,
}

/// All answers, and the copy of their bodies.
pub(super) struct Index {
    pub(super) sources: Vec<Source>,
    pub(super) entries: Vec<Entry>,
    /// What the headers say, each once, in the order of their coming.
    pub(super) versions: Vec<String>,
    /// What the links say, likewise.
    pub(super) bases: Vec<Url>,
    digests: Vec<String>,
    copy: BufWriter<File>,
    end: u64,
}

impl Index {
    /// # Errors
    /// No place for the copy.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            sources: Vec::new(),
            entries: Vec::new(),
            versions: Vec::new(),
            bases: Vec::new(),
            digests: Vec::new(),
            copy: BufWriter::new(tempfile::tempfile()?),
            end: 0,
        })
    }

    /// Takes a file in. A file of nothing is an answer of nothing.
    ///
    /// # Errors
    /// Why it can't be copied.
    pub(super) fn add(&mut self, path: &Path, file: File) -> io::Result<()> {
        let mut file = Hashed { file, hasher: Sha256::new() };
        let source = self.sources.len();
        let named = Named::of(path);
        let folder = path.parent().filter(|_| named.folder.is_some() && !named.is_somebody());
        self.sources.push(Source {
            name: path.display().to_string(),
            folder: folder.map(|folder| folder.display().to_string()).unwrap_or_default(),
            named,
            answers: 0,
        });
        let mut answers = Answers::of(Decoded::new(&mut file));
        let end = loop {
            match answers.next() {
                Ok(Some(answer)) => self.enter(source, answer.head, answer.body)?,
                Ok(None) => break Ok(()),
                Err(why) => break Err(why),
            }
        };
        match end {
            Ok(()) if self.sources[source].answers == 0 => {
                self.enter(source, None, Body::Other(Vec::new()))?;
            }
            Ok(()) => {}
            // Half a file is told, and what was read of it is kept.
            Err(why) => self.enter(source, None, Body::Broken(format!("it can't be read on: {why}")))?,
        }
        self.digests.push(format!("{:x}", file.hasher.finalize()));
        Ok(())
    }

    fn enter(&mut self, source: usize, head: Option<Head>, body: Body) -> io::Result<()> {
        let head = head.unwrap_or_default();
        self.sources[source].answers += 1;
        let version = head
            .version
            .as_deref()
            .and_then(version_told)
            .map(|version| place_of(&mut self.versions, version));
        let mut entry = Entry {
            source,
            number: self.sources[source].answers,
            place: (self.end, 0),
            broken: None,
            status: (head.status > 0).then_some(head.status),
            date: head.date,
            version,
            base: None,
            users: Vec::new(),
        };
        match body {
            Body::Broken(why) => entry.broken = Some(why.into()),
            Body::Json(body) | Body::Other(body) => {
                self.copy.write_all(&body)?;
                self.end += body.len() as u64;
                entry.place.1 = body.len();
                self.note_users(&mut entry, &body);
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Whom the answer speaks of, and of which deployment.
    fn note_users(&mut self, entry: &mut Entry, body: &[u8]) {
        // Which product it is decides what a refusal means, and not whom it is about.
        match self.told(entry, body, Product::Atlas) {
            Told::Unread { about, .. } => entry.users.extend(about),
            Told::Keys(list) => {
                entry.users.extend(list.keys.into_iter().filter_map(|key| key.owner));
                if let Some(link) = list.link {
                    entry.base = Some(place_of(&mut self.bases, &link.base));
                    entry.users.extend(object_id(&link.user));
                }
                entry.users.sort_unstable();
                entry.users.dedup();
                entry.users.shrink_to_fit();
            }
        }
    }

    fn told(&self, entry: &Entry, body: &[u8], product: Product) -> Told {
        let version = entry.version.map(|at| self.versions[at].as_str());
        read_saved(&SavedAnswer { status: entry.status, version, product, body })
    }

    /// Ends the first pass.
    ///
    /// # Errors
    /// What could not be copied.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.digests.sort_unstable();
        self.copy.flush()
    }

    /// Reads an answer of the copy.
    pub(super) fn read(&mut self, entry: usize, product: Product) -> Told {
        let entry = &self.entries[entry];
        let (status, broken) = (entry.status, entry.broken.as_deref().map(str::to_owned));
        let unread =
            |why| Told::Unread { outcome: Outcome::unread(ReadStatus::Malformed, status, why), about: None };
        if let Some(why) = broken {
            return unread(why);
        }
        let (offset, length) = entry.place;
        let mut body = vec![0; length];
        let copy = self.copy.get_mut();
        match copy.seek(SeekFrom::Start(offset)).and_then(|_| copy.read_exact(&mut body)) {
            Ok(()) => self.told(entry, &body, product),
            Err(why) => unread(format!("the copy made of it can't be read: {why}")),
        }
    }

    /// Where an answer stands, for a person.
    pub(super) fn label(&self, entry: usize) -> String {
        let entry = &self.entries[entry];
        let source = &self.sources[entry.source];
        match source.answers {
            1 => format!("file {}", source.name),
            _ => format!("file {}, answer {}", source.name, entry.number),
        }
    }

    /// What tells these files from others: how many, and the SHA-256 of theirs, sorted, each on a line.
    pub(super) fn fingerprint(&self) -> String {
        let mut all = Sha256::new();
        for digest in &self.digests {
            all.update(digest);
            all.update("\n");
        }
        format!(
            "{} answers in {} files, SHA-256 {:x}",
            self.entries.len(),
            self.digests.len(),
            all.finalize()
        )
    }
}

/// Where a value stands in a list of different ones.
fn place_of<T: PartialEq<U>, U: ToOwned<Owned = T> + ?Sized>(all: &mut Vec<T>, one: &U) -> usize {
    all.iter().position(|known| known == one).unwrap_or_else(|| {
        all.push(one.to_owned());
        all.len() - 1
    })
}

/// A file whose every byte is hashed as it is read.
struct Hashed {
    file: File,
    hasher: Sha256,
}

impl Read for Hashed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.hasher.update(&into[..count]);
        Ok(count)
    }
}
