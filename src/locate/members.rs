//! The search of files and of members of archives, each wherever it is: what its bytes are decides how they are searched.

use std::borrow::Cow;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::rc::Rc;

use ::zip::ZipArchive;

use super::archive::limit::{Budget, Decompressed, Sized};
use super::archive::{Kind, MAX_DEPTH, tar, zip};
use super::decode::{Chain, Encoding};
use super::mask;
use super::scan::{Found, Hit, Scanner};
use super::text::{Archive, Edges, Findings, Match};
use super::windows::{self, Filled, Lines, Position, Window};
use crate::place::{Class, NotSearched};
use crate::printable::{masked, printable};

/// A zip archive in a stream is kept in memory, since its directory is at its end; up to this size.
const LARGEST_ZIP: usize = 32 << 20;

/// Where bytes are.
#[derive(Debug, Clone, Default)]
pub(super) struct Location<'n> {
    name: Cow<'n, str>,
    member: String,
    /// Archives and encodings from the outer to the inner one.
    chain: Vec<Cow<'static, str>>,
    /// Whether the last of the chain is a compression, so that a tar archive in it belongs to it.
    is_compressed: bool,
    archives: usize,
    /// Of an archive in base64, for all that is in it.
    position: Option<Position>,
}

impl<'n> Location<'n> {
    /// Of a file.
    pub(super) fn new(name: &'n str) -> Self {
        Self { name: Cow::Borrowed(name), ..Self::default() }
    }

    fn within(&self, format: &'static str, is_compression: bool) -> Result<Location<'static>, NotSearched> {
        let mut inner = Location { name: Cow::Borrowed(""), ..self.clone() }.into_owned();
        inner.is_compressed = is_compression;
        match inner.chain.last_mut() {
            Some(last) if self.is_compressed && format == "tar" => *last = format!("tar.{last}").into(),
            _ => {
                inner.chain.push(format.into());
                inner.archives += 1;
            }
        }
        if inner.archives > MAX_DEPTH { Err(NotSearched::TooDeep) } else { Ok(inner) }
    }

    fn into_owned(self) -> Location<'static> {
        Location { name: Cow::Owned(self.name.into_owned()), ..self }
    }

    /// Of a member: its name has no key and nothing that a terminal obeys.
    fn member(&self, name: &[u8]) -> Location<'static> {
        let name = masked(&printable(&String::from_utf8_lossy(name)));
        let separator = if self.member.is_empty() { "" } else { "!" };
        let member = format!("{}{separator}{name}", self.member);
        Location { member, name: Cow::Owned(name), ..self.clone() }.into_owned()
    }

    fn encoded(&self, chain: Chain, position: Position) -> Location<'static> {
        let mut inner = Location { name: Cow::Borrowed(""), ..self.clone() }.into_owned();
        inner.chain.extend(chain.iter().map(|encoding| encoding.as_str().into()));
        inner.position.get_or_insert(position);
        inner
    }

    fn encoding(&self, chain: Chain) -> String {
        let mut names: Vec<_> = self.chain.clone();
        names.extend(chain.iter().map(|encoding| Cow::Borrowed(encoding.as_str())));
        if names.is_empty() { "plain".to_owned() } else { names.join("+") }
    }
}

/// Searches one file and all that is in it.
pub(super) struct Members<'s, 'a> {
    pub(super) scanner: &'s mut Scanner<'a>,
    pub(super) budget: Rc<Budget>,
    found: &'s mut dyn Found,
    /// The last report, which several layers may make.
    reported: Option<(String, NotSearched)>,
}

impl<'s, 'a> Members<'s, 'a> {
    pub(super) fn new(scanner: &'s mut Scanner<'a>, budget: Rc<Budget>, found: &'s mut dyn Found) -> Self {
        Self { scanner, budget, found, reported: None }
    }

    pub(super) fn not_searched(&mut self, location: &Location, why: NotSearched) {
        let report = (location.member.clone(), why);
        if self.reported.as_ref() != Some(&report) {
            self.found.not_searched(&location.member, why);
            self.reported = Some(report);
        }
    }

    /// Searches bytes that are all there.
    pub(super) fn slice(&mut self, location: &Location, bytes: &[u8]) {
        if self.scanner.options.archives {
            let kind = Kind::new(&location.name, bytes);
            let ends_with_zip = kind.is_none() && zip::ends(bytes, bytes);
            match kind {
                Some(Kind::Zip) => return self.zip_slice(location, bytes),
                None if ends_with_zip => return self.zip_slice(location, bytes),
                None => {}
                Some(kind) => match self.stream_of(kind, location, &mut &bytes[..]) {
                    Ok(()) => return,
                    // The bytes may still be text.
                    Err(why) => self.not_searched(location, why),
                },
            }
        }
        self.text(location, bytes);
    }

    /// Searches a zip archive and what is before it; all as text if it is none.
    fn zip_slice(&mut self, location: &Location, bytes: &[u8]) {
        let before = self.zip(location, Cursor::new(bytes)).unwrap_or_else(|why| {
            self.not_searched(location, why);
            u64::MAX
        });
        let before = usize::try_from(before).unwrap_or(usize::MAX).min(bytes.len());
        self.text(location, &bytes[..before]);
    }

    /// Searches what a reader yields.
    pub(super) fn stream(&mut self, location: &Location, reader: &mut dyn Read) {
        let mut head = self.scanner.buffers.pop().unwrap_or_default();
        match windows::fill(&mut head, reader, self.scanner.window) {
            Ok(Filled::All) => self.slice(location, &head),
            Ok(Filled::Part) => return self.large_stream(location, head, reader),
            Err(_) => {
                let why = self.budget.failure();
                self.not_searched(location, why);
                // An archive that is cut here is not reported twice.
                self.reported = Some((location.member.clone(), NotSearched::Damaged));
                self.slice(location, &head);
            }
        }
        self.keep(head);
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.scanner.buffers.push(buffer);
    }

    fn large_stream(&mut self, location: &Location, mut head: Vec<u8>, reader: &mut dyn Read) {
        let kind = self.scanner.options.archives.then(|| Kind::new(&location.name, &head)).flatten();
        let result = match kind {
            None => return self.windows(location, head, reader),
            Some(Kind::Zip) => match windows::fill(&mut head, reader, LARGEST_ZIP) {
                Ok(Filled::All) => self.zip(location, Cursor::new(&head)).map(|_| ()),
                Ok(Filled::Part) => Err(NotSearched::TooLarge),
                Err(_) => Err(self.budget.failure()),
            },
            Some(kind) => self.stream_of(kind, location, &mut head.chain(reader)),
        };
        if let Err(why) = result {
            self.not_searched(location, why);
        }
        head.truncate(windows::SIZE);
        head.shrink_to(windows::SIZE);
        self.keep(head);
    }

    /// Searches an archive that is read from front to back.
    fn stream_of(
        &mut self,
        kind: Kind,
        location: &Location,
        reader: &mut dyn Read,
    ) -> Result<(), NotSearched> {
        match kind {
            Kind::Compressed(compression) => {
                let inner = location.within(compression.as_str(), true)?;
                let reader = compression.decoder(reader);
                self.stream(&inner, &mut Decompressed { reader, budget: Rc::clone(&self.budget) });
                Ok(())
            }
            Kind::Tar => self.tar(&location.within("tar", false)?, reader),
            Kind::Zip | Kind::Unknown => Err(NotSearched::UnknownFormat),
        }
    }

    fn tar(&mut self, location: &Location, reader: &mut dyn Read) -> Result<(), NotSearched> {
        loop {
            let Some(member) = tar::next(reader).map_err(|_| self.budget.failure())? else { return Ok(()) };
            let mut content = Read::take(&mut *reader, member.size);
            self.stream(&location.member(&member.name), &mut content);
            let left = content.limit();
            tar::finish(reader, &member, left).map_err(|_| self.budget.failure())?;
        }
    }

    /// Whether a file is a zip archive or ends with one.
    pub(super) fn is_zip(&self, location: &Location, head: &[u8], file: &mut (impl Read + Seek)) -> bool {
        if !self.scanner.options.archives {
            return false;
        }
        let mut end = Vec::new();
        let mut read_end = || {
            let size = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(size.saturating_sub(zip::LONGEST_END as u64)))?;
            file.read_to_end(&mut end)?;
            file.seek(SeekFrom::Start(head.len() as u64))
        };
        match Kind::new(&location.name, head) {
            Some(kind) => kind == Kind::Zip,
            None => read_end().is_ok() && zip::ends(head, &end),
        }
    }

    /// Searches the members of a zip archive, and gives the position of the first one.
    pub(super) fn zip(&mut self, location: &Location, reader: impl Read + Seek) -> Result<u64, NotSearched> {
        let location = location.within("zip", false)?;
        let mut archive = ZipArchive::new(reader).map_err(|error| zip::reason(&error))?;
        let mut first = u64::MAX;
        for at in 0..archive.len() {
            let member = zip::member(&mut archive, at)?;
            first = first.min(member.start);
            let inner = location.member(&member.name);
            let content = archive.by_index(at);
            match (member.obstacle, content) {
                _ if member.is_folder => {}
                (None, Ok(reader)) => {
                    self.stream(&inner, &mut Decompressed { reader, budget: Rc::clone(&self.budget) });
                }
                (Some(why), _) => self.not_searched(&inner, why),
                (None, Err(error)) => self.not_searched(&inner, zip::reason(&error)),
            }
        }
        Ok(first)
    }

    fn text(&mut self, location: &Location, bytes: &[u8]) {
        let largest = usize::try_from(self.scanner.options.max_size).unwrap_or(usize::MAX);
        let allowed = &bytes[..bytes.len().min(largest)];
        let findings = self.scanner.search.search(allowed, Edges { start: true, end: true });
        self.report(location, allowed, &mut Lines::default(), findings);
        if allowed.len() < bytes.len() {
            self.not_searched(location, NotSearched::TooLarge);
        }
    }

    fn windows(&mut self, location: &Location, head: Vec<u8>, reader: &mut dyn Read) {
        let mut head_reader = &head[..];
        let mut reader = (&mut head_reader).chain(reader);
        let mut reader = Sized::new(&mut reader, self.scanner.options.max_size, &self.budget);
        let mut window = Window::new(self.scanner.buffers.pop().unwrap_or_default(), self.scanner.window);
        loop {
            let filled = window.fill(&mut reader);
            let mut findings = self.scanner.search.search(&window.bytes, window.edges());
            let border = window.own(&mut findings);
            self.report(location, &window.bytes, &mut window.lines, findings);
            if filled.is_err() {
                let why = self.budget.failure();
                self.not_searched(location, why);
            }
            match window.advance(border) {
                Ok(next) => window = next,
                Err(buffer) => break self.keep(buffer),
            }
        }
        self.keep(head);
    }

    fn report(&mut self, location: &Location, bytes: &[u8], lines: &mut Lines, mut findings: Findings) {
        if findings.matches.is_empty() && findings.archives.is_empty() {
            return;
        }
        findings.matches.sort_by_key(|found| (found.range.start, found.suffix, found.chain.len()));
        findings.matches.dedup_by_key(|found| (found.range.start, found.suffix));
        findings.archives.sort_by_key(|archive| archive.range.start);
        let mut archives = findings.archives.into_iter().peekable();
        for found in &findings.matches {
            while let Some(archive) = archives.next_if(|archive| archive.range.start < found.range.start) {
                self.encoded_archive(location, bytes, lines, &archive);
            }
            self.hit(location, bytes, lines, found);
        }
        for archive in archives {
            self.encoded_archive(location, bytes, lines, &archive);
        }
    }

    fn hit(&mut self, location: &Location, bytes: &[u8], lines: &mut Lines, found: &Match) {
        let is_utf16 = found.chain.iter().next() == Some(Encoding::Utf16);
        let position = lines.position(bytes, found.range.start, is_utf16);
        let Position { line, column } = location.position.unwrap_or(position);
        let context = self.scanner.options.context && location.position.is_none();
        self.found.hit(Hit {
            suffix: found.suffix,
            class: found.class.unwrap_or(Class::Stranger),
            member: location.member.clone(),
            line,
            column,
            encoding: location.encoding(found.chain),
            context: context.then(|| mask::context(bytes, &found.range)),
        });
    }

    fn encoded_archive(&mut self, location: &Location, bytes: &[u8], lines: &mut Lines, archive: &Archive) {
        let position = lines.position(bytes, archive.range.start, false);
        let inner = location.encoded(archive.chain, position);
        self.slice(&inner, &archive.content);
        if archive.is_cut {
            self.not_searched(&inner, NotSearched::TooLarge);
        }
    }
}
