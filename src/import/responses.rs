//! The saved answers in a copy of their own, and those of one user as that user's result: what judges the pages of an audit
//! judges these.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};

use chrono::{DateTime, Utc};

use super::documents::SavedDocument;
use crate::client::{SavedPage, UserKeys, parse_saved, product};
use crate::exit::reason;
use crate::model::{Origin, Outcome, PersonalKey, Product, ReadStatus, User, UserResult};
use crate::packed::{Packed, damaged, pack_number, pack_text};
use crate::printable::masked;

/// One answer: where its body is in the copy, and what its headers say.
pub(super) struct SavedResponse {
    /// The file, for a person.
    pub(super) label: String,
    offset: u64,
    length: usize,
    status: Option<u16>,
    /// When the service answered.
    date: Option<DateTime<Utc>>,
    pub(super) version: Option<String>,
    /// Declares the charset of the body.
    content_type: Option<String>,
}

/// All answers. What was looked at once is what is read later, whatever becomes of the files meanwhile.
pub(super) struct SavedResponses {
    /// The bodies one after the other, in a file without a name.
    copy: BufWriter<File>,
    end: u64,
}

impl SavedResponses {
    /// # Errors
    /// No place for the copy.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { copy: BufWriter::new(tempfile::tempfile()?), end: 0 })
    }

    /// Copies an answer. `label` names its file.
    ///
    /// # Errors
    /// What could not be copied.
    pub(super) fn add(
        &mut self,
        SavedDocument { headers, body }: SavedDocument,
        label: &str,
    ) -> io::Result<SavedResponse> {
        self.copy.write_all(body)?;
        let (status, date, version, content_type) = match headers {
            Some(headers) => (Some(headers.status), headers.date, headers.version, headers.content_type),
            None => (None, None, None, None),
        };
        let version = version.as_deref().and_then(product::version_in_header).map(str::to_owned);
        let response = SavedResponse {
            label: label.to_owned(),
            offset: self.end,
            length: body.len(),
            status,
            date,
            version,
            content_type,
        };
        self.end += body.len() as u64;
        Ok(response)
    }

    /// # Errors
    /// What it says if it is no page.
    fn read(&mut self, response: &SavedResponse, product: Product) -> Result<SavedPage, Outcome> {
        let mut body = vec![0; response.length];
        let found = self.copy.seek(SeekFrom::Start(response.offset));
        let parsed = match found.and_then(|_| self.copy.get_mut().read_exact(&mut body)) {
            Ok(()) => response.parse(&body, product),
            Err(why) => {
                let why = format!("the temporary copy can't be read: {}", reason(&why));
                Err(Outcome::unread(ReadStatus::Malformed, response.status, why))
            }
        };
        parsed.map_err(|mut outcome| {
            if outcome.status == ReadStatus::Malformed {
                let detail = outcome.detail.unwrap_or_default();
                outcome.detail = Some(masked(&format!("{}: {detail}", response.label)));
            }
            outcome
        })
    }
}

impl SavedResponse {
    /// As [`Self::from_record`] reads it.
    pub(super) fn record(&self) -> Vec<u8> {
        let Self { label, offset, length, status, date, version, content_type } = self;
        let mut record = Vec::new();
        pack_text(&mut record, Some(label));
        pack_number(&mut record, Some(offset.cast_signed()));
        pack_number(&mut record, Some((*length as u64).cast_signed()));
        pack_number(&mut record, status.map(i64::from));
        pack_number(&mut record, date.map(|date| date.timestamp()));
        pack_text(&mut record, version.as_deref());
        pack_text(&mut record, content_type.as_deref());
        record
    }

    /// # Errors
    /// It is not what [`Self::record`] made.
    fn from_record(record: &mut Packed) -> io::Result<Self> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self {
            label: text(record.text()?).ok_or_else(damaged)?,
            offset: record.number()?.ok_or_else(damaged)?.cast_unsigned(),
            length: record.number()?.and_then(|it| usize::try_from(it).ok()).ok_or_else(damaged)?,
            status: record.number()?.and_then(|status| u16::try_from(status).ok()),
            date: record.number()?.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
            version: text(record.text()?),
            content_type: text(record.text()?),
        })
    }

    /// # Errors
    /// What it says if it is no page.
    pub(super) fn parse(&self, body: &[u8], product: Product) -> Result<SavedPage, Outcome> {
        let (version, content_type) = (self.version.as_deref(), self.content_type.as_deref());
        parse_saved(self.status, version, content_type, product, body)
    }
}

/// What there is of one user.
#[derive(Default)]
pub(super) struct UserResponses {
    /// In the order of the files.
    pub(super) responses: Vec<SavedResponse>,
    /// Why it is unknown whether these are this user's, or all.
    pub(super) contradictions: Vec<String>,
}

/// What is kept of a user until all files were looked at, each a record by the id of the user.
#[derive(Clone, Copy)]
pub(super) enum RecordKind {
    Response = 0,
    Contradiction = 1,
}

impl UserResponses {
    /// Adds a record: its kind, and a response or a text.
    ///
    /// # Errors
    /// It is none that was kept.
    pub(super) fn add(&mut self, record: &[u8]) -> io::Result<()> {
        let mut record = Packed(record);
        if record.number()? == Some(RecordKind::Response as i64) {
            self.responses.push(SavedResponse::from_record(&mut record)?);
        } else {
            self.contradictions.push(record.text()?.ok_or_else(damaged)?.to_owned());
        }
        Ok(())
    }

    /// Reads them again, and judges them.
    pub(super) fn result(self, id: String, all: &mut SavedResponses, product: Product) -> UserResult {
        let Self { responses, contradictions: malformed } = self;
        let (mut pages, mut refusals) = (Vec::new(), Vec::new());
        for response in &responses {
            match all.read(response, product) {
                Ok(page) => pages.push((response.label.clone(), page)),
                Err(outcome) => refusals.push(outcome),
            }
        }
        let has_pages = !pages.is_empty();
        let mut list = SavedList { keys: UserKeys::new(&id), malformed, partial: Vec::new() };
        let end = list.read(pages);
        let end = match combined(&refusals) {
            None => end,
            // As in an audit, whose next page is refused.
            Some(refusal) if !has_pages || !end.status.is_complete() && !refusal.status.is_complete() => {
                refusal
            }
            Some(refusal) => {
                let is_malformed = refusal.status == ReadStatus::Malformed;
                let doubts = if is_malformed { &mut list.malformed } else { &mut list.partial };
                doubts.push(format!("another response contradicts it: {}", words(&refusal)));
                end
            }
        };
        let (keys, outcome) = list.finish(end);
        UserResult {
            user: User { id: Some(id), username: None, origin: Origin::default() },
            keys,
            outcome,
            attempts: u32::from(!responses.is_empty()),
            read_at: responses.iter().map(|response| response.date).max().flatten(),
        }
    }
}

/// One user's keys, and why these may not be all.
struct SavedList {
    keys: UserKeys,
    /// What can't be, or can't be this user's.
    malformed: Vec<String>,
    /// Why there may be more.
    partial: Vec<String>,
}

impl SavedList {
    /// Reads the pages in their order, as an audit asks for them, and the others beside them; how the list ends.
    fn read(&mut self, mut pages: Vec<(String, SavedPage)>) -> Outcome {
        pages.sort_by_key(|(_, page)| page.number);
        let bases: BTreeSet<_> =
            pages.iter().filter_map(|(_, page)| Some(page.link.as_ref()?.base.as_str())).collect();
        if bases.len() > 1 {
            let bases = bases.into_iter().collect::<Vec<_>>().join(", ");
            self.partial.push(format!("the responses come from several addresses: {bases}"));
        }
        pages.dedup_by(|(_, page), (_, kept)| page.says_the_same(kept));
        let (mut end, mut has_later) = (None, false);
        for (label, page) in pages {
            let next = self.keys.next_page().ok().filter(|_| end.is_none()).map(u64::from);
            if Some(page.number) == next {
                end = self.keys.take_saved(page).err();
                continue;
            }
            has_later |= Some(page.number) > next;
            let is_another = page.number <= self.keys.pages_taken().into();
            match self.keys.add_saved(page) {
                Ok(true) if !is_another => {}
                Ok(_) => self.partial.push(format!("{label} contradicts the pages of the list")),
                // The same, whichever of several pages with one number comes first.
                Err(outcome) if outcome.status == ReadStatus::Malformed => {
                    self.malformed.extend(outcome.detail);
                }
                Err(outcome) => self.partial.extend(outcome.detail),
            }
        }
        end.unwrap_or_else(|| self.end(has_later))
    }

    /// How the list ends by what its last page says; `has_later` where pages behind a gap were saved.
    fn end(&mut self, has_later: bool) -> Outcome {
        let number = match self.keys.next_page() {
            Ok(number) => number,
            Err(end) => return end,
        };
        let held = self.keys.count() as u64;
        if let Some(total) = self.keys.total().filter(|total| *total != held) {
            self.partial.push(format!("the service counts {total} keys, but the saved pages contain {held}"));
        }
        let why = if number == 1 || has_later {
            format!("page {number} was not saved")
        } else {
            format!("page {} has a next page, which was not saved", number - 1)
        };
        Outcome::unread(ReadStatus::Partial, self.keys.status(), why)
    }

    fn finish(self, end: Outcome) -> (Vec<PersonalKey>, Outcome) {
        let (keys, outcome) = self.keys.finish(end);
        let status = if !self.malformed.is_empty() {
            ReadStatus::Malformed
        } else if outcome.status == ReadStatus::Read && !self.partial.is_empty() {
            ReadStatus::Partial
        } else {
            outcome.status
        };
        let why: Vec<_> = self.malformed.into_iter().chain(self.partial).chain(outcome.detail).collect();
        let detail = (!why.is_empty()).then(|| why.join("; "));
        (keys, Outcome { status, detail, ..outcome })
    }
}

/// What answers without keys come to. Where they differ it is one that leaves the user unread.
fn combined(refusals: &[Outcome]) -> Option<Outcome> {
    let unread = refusals.iter().min_by_key(|outcome| outcome.status.is_complete())?;
    let all: BTreeSet<_> = refusals.iter().map(words).collect();
    let detail = match all.len() {
        1 => unread.detail.clone(),
        _ => Some(format!(
            "the responses contradict each other: {}",
            all.into_iter().collect::<Vec<_>>().join("; ")
        )),
    };
    Some(Outcome { detail, ..unread.clone() })
}

fn words(outcome: &Outcome) -> String {
    let words = [Some(outcome.status.as_str()), outcome.error_code.as_deref(), outcome.detail.as_deref()];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
