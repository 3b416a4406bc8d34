//! The search of files and of members of archives, each wherever it is: what its bytes are decides how they are searched.

use std::borrow::Cow;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use ::zip::ZipArchive;
use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;

use super::archive::limit::{Budget, Decompressed, Sized};
use super::archive::zip::Directory;
use super::archive::{self, Kind, MAX_DEPTH, Member, ar, cpio, rpm, tar, zip};
use super::decode::{Chain, wide};
use super::mask;
use super::pointer;
use super::scan::{Found, Hit, Scanner};
use super::text::{Archive, Edges, End, Findings, Match};
use super::windows::{self, Filled, Lines, Position, Window};
use crate::place::{Class, NotSearched};
use crate::printable::{masked, printable};

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
            Some(last) if self.is_compressed && matches!(format, "tar" | "cpio") => {
                *last = format!("{format}.{last}").into();
            }
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
        if let Some(content) = pointer::content_of(bytes) {
            self.found.pointer(&location.member, &content);
        }
        if self.scanner.options.archives {
            let kind = Kind::new(&location.name, bytes);
            let directory = Directory::find(kind, bytes, || Ok(bytes));
            if let Directory::Small(_) = directory {
                return self.zip_slice(location, bytes);
            }
            let searched = match kind {
                Some(kind) => self.stream_of(kind, location, &mut &bytes[..]).map(|()| true),
                None if directory == Directory::Large => Err(NotSearched::TooLarge),
                None => Ok(false),
            };
            match searched {
                Ok(true) => return,
                Ok(false) => {}
                // The bytes may still be text.
                Err(why) => self.not_searched(location, why),
            }
        }
        self.text(location, bytes);
    }

    /// Searches a zip archive and what is before it, such as another one; all as text if it is none.
    pub(super) fn zip_slice(&mut self, location: &Location, mut bytes: &[u8]) {
        while let Directory::Small(members) = Directory::new(bytes, bytes) {
            let before = match self.zip(location, Cursor::new(bytes), members) {
                Ok(before) => usize::try_from(before).unwrap_or(usize::MAX),
                Err(why) => {
                    self.not_searched(location, why);
                    return self.text(location, bytes);
                }
            };
            let Some(before) = bytes.get(..before).filter(|before| before.len() < bytes.len()) else {
                return self.text(location, bytes);
            };
            bytes = before;
        }
        self.unlisted(location, &mut Cursor::new(bytes), 0..bytes.len() as u64);
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

    fn large_stream(&mut self, location: &Location, head: Vec<u8>, reader: &mut dyn Read) {
        let archives = self.scanner.options.archives;
        let kind = archives.then(|| Kind::new(&location.name, &head)).flatten();
        let result = match kind {
            // Its directory is at its end, and its members are gone.
            None if self.windows(location, &head, reader) && archives => Err(NotSearched::UnknownFormat),
            None => Ok(()),
            // It may have text that is not compressed.
            Some(Kind::Unknown) => {
                self.windows(location, &head, reader);
                Err(NotSearched::UnknownFormat)
            }
            Some(kind) => self.stream_of(kind, location, &mut (&head[..]).chain(reader)),
        };
        if let Err(why) = result {
            self.not_searched(location, why);
        }
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
                let reader = compression.decoder(reader, &self.budget).map_err(|_| self.budget.failure())?;
                self.stream(&inner, &mut Decompressed { reader, budget: Rc::clone(&self.budget) });
                Ok(())
            }
            Kind::Tar => self.members(&location.within("tar", false)?, reader, tar::next),
            Kind::Ar => {
                let inner = location.within("ar", false)?;
                archive::skip(reader, ar::START.len() as u64).map_err(|_| self.budget.failure())?;
                self.members(&inner, reader, ar::next)
            }
            Kind::Cpio => self.cpio(&location.within("cpio", false)?, reader),
            Kind::Rpm => self.rpm(location, reader),
            Kind::Zip => self.zip_stream(&location.within("zip", false)?, zip::Forward::new(reader)),
            Kind::Unknown => Err(NotSearched::UnknownFormat),
        }
    }

    /// Searches the members of an archive that `next` finds one after the other.
    fn members(
        &mut self,
        location: &Location,
        reader: &mut dyn Read,
        next: fn(&mut dyn Read) -> io::Result<Option<Member>>,
    ) -> Result<(), NotSearched> {
        while let Some(member) = next(reader).map_err(|_| self.budget.failure())? {
            let mut content = Read::take(&mut *reader, member.size);
            self.stream(&location.member(&member.name), &mut content);
            let left = content.limit();
            archive::finish(reader, &member, left).map_err(|_| self.budget.failure())?;
        }
        Ok(())
    }

    /// Searches a cpio archive and what is behind it, such as another one.
    fn cpio(&mut self, location: &Location, reader: &mut dyn Read) -> Result<(), NotSearched> {
        self.members(location, reader, cpio::next)?;
        let mut first = [0];
        while reader.read(&mut first).map_err(|_| self.budget.failure())? > 0 {
            if first != [0] {
                self.stream(location, &mut (&first[..]).chain(&mut *reader));
                return Ok(());
            }
        }
        Ok(())
    }

    fn rpm(&mut self, location: &Location, reader: &mut dyn Read) -> Result<(), NotSearched> {
        let inner = location.within("rpm", false)?;
        let budget = Rc::clone(&self.budget);
        let failed = |_: io::Error| budget.failure();
        archive::skip(reader, rpm::LEAD).map_err(failed)?;
        // The signature, which is filled up, and the header.
        for is_filled in [true, false] {
            let length = rpm::length(reader).map_err(failed)?;
            let mut header = Read::take(&mut *reader, length);
            self.windows(location, &[], &mut header);
            let left = header.limit() + if is_filled { length.wrapping_neg() % 8 } else { 0 };
            archive::skip(reader, left).map_err(failed)?;
        }
        self.stream(&inner, reader);
        Ok(())
    }

    /// The directory of a zip archive that a file is or ends with. The file is where it was.
    pub(super) fn directory(
        &self,
        location: &Location,
        head: &[u8],
        file: &mut (impl Read + Seek),
    ) -> Directory {
        if !self.scanner.options.archives {
            return Directory::None;
        }
        Directory::find(Kind::new(&location.name, head), head, || {
            let mut end = Vec::new();
            let size = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(size.saturating_sub(zip::LONGEST_END as u64)))?;
            file.read_to_end(&mut end)?;
            file.seek(SeekFrom::Start(head.len() as u64))?;
            Ok(end)
        })
    }

    /// Searches the members of a zip archive by its directory, and what is between them, and gives the position of the first one.
    pub(super) fn zip(
        &mut self,
        location: &Location,
        reader: impl Read + Seek,
        members: u16,
    ) -> Result<u64, NotSearched> {
        let inner = location.within("zip", false)?;
        let mut archive = ZipArchive::new(reader).map_err(|error| zip::reason(&error))?;
        if archive.len() != usize::from(members) {
            // Of members with one name it has the last alone.
            let mut reader = archive.into_inner();
            reader.rewind().map_err(|_| NotSearched::Unreadable)?;
            return self.zip_stream(&inner, zip::Forward::new(&mut reader)).map(|()| 0);
        }
        let mut spans = Vec::with_capacity(archive.len());
        for at in 0..archive.len() {
            let (member, span) = zip::member(&mut archive, at)?;
            spans.push(span);
            let mut raw = archive.by_index_raw(at).map_err(|error| zip::reason(&error))?;
            self.zip_member(&inner, &member, &mut raw);
        }
        let directory = archive.central_directory_start();
        let first = spans.iter().map(|span| span.start).min().unwrap_or(directory);
        let mut reader = archive.into_inner();
        for gap in zip::gaps(spans, directory) {
            self.unlisted(location, &mut reader, gap);
        }
        Ok(first)
    }

    /// Searches what is in a file before a zip archive, such as another one.
    pub(super) fn before_zip(&mut self, location: &Location, file: &mut (impl Read + Seek), length: u64) {
        if length > self.scanner.window as u64 {
            return self.unlisted(location, file, 0..length);
        }
        let mut bytes = self.scanner.buffers.pop().unwrap_or_default();
        if file.rewind().and_then(|()| Read::take(file, length).read_to_end(&mut bytes)).is_ok() {
            self.zip_slice(location, &bytes);
        } else {
            self.not_searched(location, NotSearched::Unreadable);
        }
        self.keep(bytes);
    }

    /// Searches bytes that the directory of a zip archive has no member for: as members from the first header of one on, as
    /// text before.
    pub(super) fn unlisted(
        &mut self,
        location: &Location,
        reader: &mut (impl Read + Seek),
        range: Range<u64>,
    ) {
        let Ok(start) = zip::find_header(reader, &range) else {
            return self.not_searched(location, NotSearched::Unreadable);
        };
        self.text_of(location, reader, range.start..start);
        if start == range.end {
            return;
        }
        let searched = location.within("zip", false).and_then(|inner| {
            reader.seek(SeekFrom::Start(start)).map_err(|_| NotSearched::Unreadable)?;
            let mut part = Read::take(&mut *reader, range.end - start);
            self.zip_stream(&inner, zip::Forward::part(&mut part))
        });
        if let Err(why) = searched {
            self.not_searched(location, why);
            self.text_of(location, reader, start..range.end);
        }
    }

    fn text_of(&mut self, location: &Location, reader: &mut (impl Read + Seek), range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        match reader.seek(SeekFrom::Start(range.start)) {
            Ok(_) => _ = self.windows(location, &[], &mut Read::take(reader, range.end - range.start)),
            Err(_) => self.not_searched(location, NotSearched::Unreadable),
        }
    }

    fn zip_member(&mut self, location: &Location, member: &zip::Member, raw: &mut dyn Read) {
        let inner = location.member(&member.name);
        if let Some(why) = member.obstacle {
            return self.not_searched(&inner, why);
        }
        if member.method == zip::Method::Unknown {
            return;
        }
        let budget = Rc::clone(&self.budget);
        if let Ok(reader) = member.decoder(raw, &budget) {
            self.stream(&inner, &mut Decompressed { reader, budget });
        } else {
            self.not_searched(&inner, budget.failure());
        }
    }

    /// Searches the members of a zip archive from front to back.
    fn zip_stream(&mut self, location: &Location, mut archive: zip::Forward) -> Result<(), NotSearched> {
        let budget = Rc::clone(&self.budget);
        let failed = |_: io::Error| budget.failure();
        while let Some((member, length)) = archive.next().map_err(failed)? {
            match length {
                zip::Length::Known(length) => {
                    let mut raw = Read::take(&mut archive.reader, length);
                    self.zip_member(location, &member, &mut raw);
                    let left = raw.limit();
                    archive.skip(left).map_err(failed)?;
                }
                zip::Length::Follows
                    if member.obstacle.is_none() && member.method == zip::Method::Deflated =>
                {
                    let inner = location.member(&member.name);
                    let mut decoder = CrcReader::new(DeflateDecoder::new(&mut archive.reader));
                    let mut reader = Decompressed { reader: &mut decoder, budget: Rc::clone(&budget) };
                    self.stream(&inner, &mut reader);
                    io::copy(&mut reader, &mut io::sink()).map_err(failed)?;
                    let (checksum, decoder) = (decoder.crc().sum(), decoder.into_inner());
                    let (compressed, size) = (decoder.total_in(), decoder.total_out());
                    if archive.end(compressed, size).map_err(failed)? != checksum {
                        self.not_searched(&inner, NotSearched::Damaged);
                    }
                }
                // Nothing shows where it ends.
                zip::Length::Follows => return Err(member.obstacle.unwrap_or(NotSearched::UnknownFormat)),
            }
        }
        Ok(())
    }

    fn text(&mut self, location: &Location, bytes: &[u8]) {
        if bytes.len() > self.scanner.window {
            self.windows(location, bytes, &mut io::empty());
            return;
        }
        let largest = usize::try_from(self.scanner.options.max_size).unwrap_or(usize::MAX);
        let allowed = &bytes[..bytes.len().min(largest)];
        let findings = self.scanner.search.search(allowed, Edges { start: true, end: End::Text });
        self.report(location, allowed, &mut Lines::default(), findings);
        if allowed.len() < bytes.len() {
            self.not_searched(location, NotSearched::TooLarge);
        }
    }

    /// Searches text of any size; whether it ends as a zip archive does.
    fn windows(&mut self, location: &Location, head: &[u8], reader: &mut dyn Read) -> bool {
        let mut head_reader = head;
        let mut reader = (&mut head_reader).chain(reader);
        let mut reader = Sized::new(&mut reader, self.scanner.options.max_size, &self.budget);
        let buffer = self.scanner.buffers.pop().unwrap_or_default();
        // Of archives in one another all have their window.
        let largest = windows::LARGEST >> location.archives;
        let mut window = Window::new(buffer, self.scanner.window, largest);
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
                Err(buffer) => {
                    let is_zip = Directory::new(head, &buffer) != Directory::None;
                    self.keep(buffer);
                    return is_zip;
                }
            }
        }
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
        let width = found.chain.iter().next().map_or(1, wide::width);
        let position = lines.position(bytes, found.range.start, width);
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
        let position = lines.position(bytes, archive.range.start, 1);
        let inner = location.encoded(archive.chain, position);
        if archive.is_cut {
            self.not_searched(&inner, NotSearched::TooLarge);
            // It is not reported again as damaged.
            self.reported = Some((inner.member.clone(), NotSearched::Damaged));
        }
        self.slice(&inner, &archive.content);
    }
}
