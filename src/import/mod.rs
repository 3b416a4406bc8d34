//! Answers of `GET /users/{id}/keys` that somebody saved to files, as users' results: the way for deployments that can't be
//! reached from here, and for Atlas, where users each read their own keys.
//!
//! - A file holds one answer or several, each with its headers or without (`documents`); headers may be in a file of their
//!   own beside it (`files`).
//! - An answer is its link's and its rows' user's, else that of the one id in the file's name. Where these contradict each
//!   other, all who are named are left unread.
//! - A user's pages are judged by what judges an audit's (`responses`). Keys of which nothing says which page they are make
//!   no list whole, and neither do answers that contradict each other.
//! - Anything else is an incomplete list.
//!
//! Every answer is looked at once, and copied to a temporary file; then one user's at a time are read from there. The order
//! of the inputs changes nothing.

mod documents;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod headers;
mod responses;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use url::Url;

use self::documents::SavedDocument;
use self::files::InputFile;
use self::responses::{RecordKind, SavedResponses, UserResponses};
use crate::client::{SavedPage, product};
use crate::disk_sort::{DiskSorter, Sorted};
use crate::exit::{Error, reason};
use crate::model::{IncompleteList, Outcome, Product, ReadStatus, UserResult, object_id};
use crate::packed::{Packed, damaged, pack_number, pack_text};
use crate::printable::masked;

/// A file is held at once, and this is the answers of some 100,000 users.
const FILE_LIMIT: u64 = 64 << 20;

/// Bytes of paths, of hashes and of what is known of answers, that are sorted in memory.
const SORTED: usize = 1 << 20;

/// Saved answers, looked through once. All that grows with their number is on disk.
pub(crate) struct SavedAnswers {
    responses: SavedResponses,
    /// By the id of the user.
    users: Sorted,
    has_users: bool,
    /// By source.
    incomplete: Sorted,
    /// What the headers say.
    versions: BTreeSet<String>,
    /// What the links say.
    bases: BTreeSet<Url>,
    fingerprint: String,
}

/// The same while the files are looked through.
struct Reading {
    responses: SavedResponses,
    users: DiskSorter,
    has_users: bool,
    incomplete: DiskSorter,
    versions: BTreeSet<String>,
    bases: BTreeSet<Url>,
    answers: u64,
    files: u64,
    /// SHA-256 of each file.
    digests: DiskSorter,
}

impl SavedAnswers {
    /// Finds the files, and looks at every answer in them.
    ///
    /// # Errors
    /// Every input that isn't there or holds no file; or no place for a copy of the answers.
    pub(crate) fn read(inputs: &[PathBuf]) -> Result<Self, Error> {
        let no_copy = |why: io::Error| Error::no_temporary_file(&why);
        let mut reading = Reading::new().map_err(no_copy)?;
        let mut files = files::find(inputs, |path, why| {
            reading.add_incomplete(&masked(&format!("file {}", path.display())), &malformed(why))
        })?;
        let read = || {
            while let Some(file) = files.next()? {
                reading.add_input(&file)?;
            }
            reading.end()
        };
        read().map_err(no_copy)
    }

    /// Whether anything says of any user's keys.
    pub(crate) fn has_users(&self) -> bool {
        self.has_users
    }

    /// What can't be understood, or says nowhere whose it is, by the name of its file; a run knows incomplete lists by their
    /// source, and one file may give several. `None` after the last.
    ///
    /// # Errors
    /// The temporary file can't be read.
    pub(crate) fn next_incomplete_list(&mut self) -> io::Result<Option<IncompleteList>> {
        let Some((source, first)) = self.incomplete.next()? else { return Ok(None) };
        let source = source.to_owned();
        let mut outcome = outcome_from(first)?;
        while let Some((_, other)) = self.incomplete.next_if(&source)? {
            let details = [outcome.detail.take(), outcome_from(other)?.detail];
            outcome.detail = Some(details.into_iter().flatten().collect::<Vec<_>>().join("; "));
        }
        let source = String::from_utf8(source).map_err(|_| damaged())?;
        Ok(Some(IncompleteList { source, org_id: None, outcome }))
    }

    /// The versions that saved headers say, as those of an audit are written; `None` where there are none.
    pub(crate) fn service_version(&self) -> Option<String> {
        product::joined_versions(&self.versions)
    }

    /// The base paths of the API that the answers' links name. Several may be several ways to one deployment, or several
    /// deployments.
    pub(crate) fn bases(&self) -> &BTreeSet<Url> {
        &self.bases
    }

    /// The product that all the links speak for; `None` where there are none, or where they differ.
    pub(crate) fn product(&self) -> Option<Product> {
        let products: BTreeSet<_> = self.bases.iter().map(product::guess).collect();
        products.first().filter(|_| products.len() == 1).copied()
    }

    /// What distinguishes these files from others: how many answers and files, and a SHA-256 of the files' contents, whatever their
    /// names and order: of their own SHA-256, sorted, each in hexadecimal digits on a line of its own.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Reads the next user again, by id; `None` after the last. `product` is whose refusals they are.
    ///
    /// # Errors
    /// The temporary file can't be read.
    pub(crate) fn next_user_result(&mut self, product: Product) -> io::Result<Option<UserResult>> {
        let Some((id, first)) = self.users.next()? else { return Ok(None) };
        let id = id.to_owned();
        let mut user = UserResponses::default();
        user.add(first)?;
        while let Some((_, record)) = self.users.next_if(&id)? {
            user.add(record)?;
        }
        let id = String::from_utf8(id).map_err(|_| damaged())?;
        Ok(Some(user.result(id, &mut self.responses, product)))
    }
}

impl Reading {
    fn new() -> io::Result<Self> {
        Ok(Self {
            responses: SavedResponses::new()?,
            users: DiskSorter::new(SORTED),
            has_users: false,
            incomplete: DiskSorter::new(SORTED),
            versions: BTreeSet::new(),
            bases: BTreeSet::new(),
            answers: 0,
            files: 0,
            digests: DiskSorter::new(SORTED),
        })
    }

    /// # Errors
    /// What could not be copied.
    fn add_input(&mut self, file: &InputFile) -> io::Result<()> {
        let label = masked(&format!("file {}", file.path.display()));
        let mut digests = Vec::new();
        let text = text(file, &mut digests);
        self.files += digests.len() as u64;
        digests.iter().try_for_each(|digest| self.digests.add(digest, &[]))?;
        match text {
            Ok(text) => {
                let named = id_in_name(&file.path);
                let documents = documents::split(&text).into_iter();
                documents.into_iter().try_for_each(|it| self.add_answer(it, &label, named.as_ref()))
            }
            Err(why) => self.add_incomplete(&label, &malformed(&format!("can't be read: {}", reason(&why)))),
        }
    }

    /// # Errors
    /// What could not be copied.
    fn add_answer(&mut self, document: SavedDocument, label: &str, named: Option<&String>) -> io::Result<()> {
        let body = document.body;
        let response = self.responses.add(document, label)?;
        // Which product it is decides what a refusal means, and not whose it is.
        let parsed = response.parse(body, Product::Atlas);
        self.answers += 1;
        self.versions.extend(response.version.clone());
        self.bases.extend(parsed.iter().filter_map(|page| Some(page.link.as_ref()?.base.clone())));
        let mut owners = parsed.as_ref().map(SavedPage::owners).unwrap_or_default();
        owners.extend(named.filter(|named| !owners.contains(named)).cloned());
        let Some(owner) = owners.first() else { return self.add_incomplete(label, &without_owner(parsed)) };
        self.add_user_record(owner, RecordKind::Response, &response.record())?;
        if owners.len() > 1 {
            let mut why = Vec::new();
            pack_text(&mut why, Some(&format!("{label} contains several users: {}", owners.join(", "))));
            for owner in &owners {
                self.add_user_record(owner, RecordKind::Contradiction, &why)?;
            }
        }
        Ok(())
    }

    fn add_incomplete(&mut self, source: &str, outcome: &Outcome) -> io::Result<()> {
        self.incomplete.add(source.as_bytes(), &outcome_record(outcome))
    }

    fn add_user_record(&mut self, user: &str, kind: RecordKind, content: &[u8]) -> io::Result<()> {
        let mut record = Vec::new();
        pack_number(&mut record, Some(kind as i64));
        record.extend_from_slice(content);
        self.has_users = true;
        self.users.add(user.as_bytes(), &record)
    }

    fn end(self) -> io::Result<SavedAnswers> {
        let Self { responses, users, has_users, incomplete, versions, bases, answers, files, digests } = self;
        let (mut digests, mut all) = (digests.sort()?, Sha256::new());
        while let Some((digest, _)) = digests.next()? {
            let digest = sha2::digest::Output::<Sha256>::from_slice(digest);
            all.update(format!("{digest:x}\n"));
        }
        let fingerprint = format!("{answers} responses in {files} files, SHA-256 {:x}", all.finalize());
        let (users, incomplete) = (users.sort()?, incomplete.sort()?);
        Ok(SavedAnswers { responses, users, has_users, incomplete, versions, bases, fingerprint })
    }
}

/// The headers of a file and the file itself, as UTF-8; adds the SHA-256 of both.
fn text(InputFile { path, headers }: &InputFile, digests: &mut Vec<[u8; 32]>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for path in headers.iter().chain([path]) {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_LIMIT {
            return Err(io::Error::other(format!("larger than {} MiB; split the file", FILE_LIMIT >> 20)));
        }
        digests.push(Sha256::digest(&bytes).into());
        text.append(&mut documents::decoded(bytes));
        // Headers in a file of their own may lack the empty line.
        text.extend(headers.iter().flat_map(|_| b"\n\n"));
    }
    Ok(text)
}

/// As [`outcome_from`] reads it.
fn outcome_record(Outcome { status, http_status, error_code, detail }: &Outcome) -> Vec<u8> {
    let mut record = Vec::new();
    pack_text(&mut record, Some(status.as_str()));
    pack_number(&mut record, http_status.map(i64::from));
    pack_text(&mut record, error_code.as_deref());
    pack_text(&mut record, detail.as_deref());
    record
}

fn outcome_from(record: &[u8]) -> io::Result<Outcome> {
    let mut record = Packed(record);
    let text = |text: Option<&str>| text.map(str::to_owned);
    Ok(Outcome {
        status: record.text()?.and_then(|status| status.parse().ok()).ok_or_else(damaged)?,
        http_status: record.number()?.and_then(|status| u16::try_from(status).ok()),
        error_code: text(record.text()?),
        detail: text(record.text()?),
    })
}

/// The one id in a file's name: 24 hexadecimal digits that no other follows. Of several it is unknown which is the user's.
fn id_in_name(path: &Path) -> Option<String> {
    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    let ids: BTreeSet<_> = name.split(|c: char| !c.is_ascii_hexdigit()).filter_map(object_id).collect();
    if ids.len() == 1 { ids.into_iter().next() } else { None }
}

fn malformed(why: &str) -> Outcome {
    Outcome::unread(ReadStatus::Malformed, None, why)
}

/// An answer of which nothing says whose it is. Whatever it says, it is complete for no user.
fn without_owner(parsed: Result<SavedPage, Outcome>) -> Outcome {
    let list = |page: SavedPage| Outcome { http_status: Some(page.status), ..malformed("a list") };
    let outcome = parsed.map_or_else(|refusal| refusal, list);
    let detail = outcome.detail.unwrap_or_default();
    let detail = format!("{detail} (neither the response nor the file name contains the user ID)");
    Outcome { status: ReadStatus::Malformed, detail: Some(detail), ..outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";

    fn import(name: &str, bytes: &[u8]) -> (Vec<IncompleteList>, Vec<UserResult>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let mut saved = SavedAnswers::read(&[folder.path().to_owned()]).unwrap();
        let (mut lists, mut results) = (Vec::new(), Vec::new());
        while let Some(list) = saved.next_incomplete_list().unwrap() {
            lists.push(list);
        }
        while let Some(result) = saved.next_user_result(Product::OpsManager).unwrap() {
            results.push(result);
        }
        (lists, results)
    }

    proptest::proptest! {
        /// Foreign bytes: any file is taken or reported.
        #[test]
        fn any_bytes_are_taken_or_reported(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let (lists, results) = import("page.json", &bytes);
            proptest::prop_assert!(!lists.is_empty() && results.is_empty());
        }

        /// A true answer with one byte replaced, or cut: Ann is reported, never clean without her keys.
        #[test]
        fn a_broken_answer_never_hides_a_key(cut in 0_usize..500, at in 0_usize..500, byte: u8) {
            let row = |id| format!(r#"{{"id":"{id}","obfuscatedKey":"x","userId":"{ANN}"}}"#);
            let link = format!(r#"{{"rel":"self","href":"https://om.example/v1.0/users/{ANN}/keys?pageNum=1"}}"#);
            let rows = format!(r#"{{"links":[{link}],"results":[{},{}],"totalCount":2}}"#, row("a"), row("b"));
            let mut bytes = format!("HTTP/1.1 200 X\r\nServer: y\r\n\r\n{rows}\n").into_bytes();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut.max(1));
            let (lists, results) = import(&format!("{ANN}.json"), &bytes);
            for result in &results {
                proptest::prop_assert!(result.outcome.status != ReadStatus::Read || result.keys.len() == 2);
            }
            proptest::prop_assert!(!results.is_empty() || !lists.is_empty());
        }
    }
}
