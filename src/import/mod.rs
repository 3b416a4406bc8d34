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
mod headers;
mod responses;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use url::Url;

use self::documents::SavedDocument;
use self::files::{InputFile, InputFiles};
use self::responses::{SavedResponses, UserResponses};
use crate::client::{SavedPage, product};
use crate::exit::{Error, reason};
use crate::model::{IncompleteList, Outcome, Product, ReadStatus, UserResult, object_id};

/// A file is held at once, and this is the answers of some 100,000 users.
const FILE_LIMIT: u64 = 64 << 20;

/// Saved answers, looked through once.
pub(crate) struct SavedAnswers {
    responses: SavedResponses,
    /// By id.
    users: BTreeMap<String, UserResponses>,
    /// By source.
    incomplete: BTreeMap<String, Outcome>,
    /// What the headers say.
    versions: BTreeSet<String>,
    /// What the links say.
    bases: BTreeSet<Url>,
    answers: u64,
    /// SHA-256 of the files.
    digests: Vec<[u8; 32]>,
}

impl SavedAnswers {
    /// Finds the files, and looks at every answer in them.
    ///
    /// # Errors
    /// Every input that isn't there or holds no file; or no place for a copy of the answers.
    pub(crate) fn read(inputs: &[PathBuf]) -> Result<Self, Error> {
        let InputFiles { files, unreadable } = files::find(inputs)?;
        let no_copy = |why: io::Error| Error::no_temporary_file(&why);
        let mut saved = Self {
            responses: SavedResponses::new().map_err(no_copy)?,
            users: BTreeMap::new(),
            incomplete: BTreeMap::new(),
            versions: BTreeSet::new(),
            bases: BTreeSet::new(),
            answers: 0,
            digests: Vec::new(),
        };
        for (path, why) in unreadable {
            saved.add_incomplete(format!("file {}", path.display()), malformed(why));
        }
        for file in files {
            match saved.text(&file) {
                Ok(text) => saved.add_file(&file.path, &text).map_err(no_copy)?,
                Err(why) => {
                    let source = format!("file {}", file.path.display());
                    saved.add_incomplete(source, malformed(format!("can't be read: {}", reason(&why))));
                }
            }
        }
        Ok(saved)
    }

    /// The headers of a file and the file itself, as UTF-8.
    fn text(&mut self, InputFile { path, headers }: &InputFile) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        for path in headers.iter().chain([path]) {
            let mut bytes = Vec::new();
            File::open(path)?.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > FILE_LIMIT {
                return Err(io::Error::other(format!(
                    "larger than {} MiB; split the file",
                    FILE_LIMIT >> 20
                )));
            }
            self.digests.push(Sha256::digest(&bytes).into());
            text.append(&mut documents::decoded(bytes));
            // Headers in a file of their own may lack the empty line.
            text.extend(headers.iter().flat_map(|_| b"\n\n"));
        }
        Ok(text)
    }

    /// # Errors
    /// What could not be copied.
    fn add_file(&mut self, path: &Path, text: &[u8]) -> io::Result<()> {
        self.responses.files.push(path.display().to_string());
        let named = id_in_name(path);
        for document in documents::split(text) {
            self.add_answer(document, named.as_ref())?;
        }
        Ok(())
    }

    /// # Errors
    /// What could not be copied.
    fn add_answer(&mut self, document: SavedDocument, named: Option<&String>) -> io::Result<()> {
        let body = document.body;
        let response = self.responses.add(document)?;
        let label = self.responses.label(&response);
        // Which product it is decides what a refusal means, and not whose it is.
        let parsed = response.parse(body, Product::Atlas);
        self.answers += 1;
        self.versions.extend(response.version.clone());
        self.bases.extend(parsed.iter().filter_map(|page| Some(page.link.as_ref()?.base.clone())));
        let mut owners = parsed.as_ref().map(SavedPage::owners).unwrap_or_default();
        owners.extend(named.filter(|named| !owners.contains(named)).cloned());
        let Some(owner) = owners.first() else {
            self.add_incomplete(label, without_owner(parsed));
            return Ok(());
        };
        self.users.entry(owner.clone()).or_default().responses.push(response);
        if owners.len() > 1 {
            let why = format!("{label} contains several users: {}", owners.join(", "));
            for owner in owners {
                self.users.entry(owner).or_default().contradictions.push(why.clone());
            }
        }
        Ok(())
    }

    /// A run knows incomplete lists by their source, and one file may give several.
    fn add_incomplete(&mut self, source: String, outcome: Outcome) {
        match self.incomplete.get_mut(&source) {
            None => drop(self.incomplete.insert(source, outcome)),
            Some(known) => {
                let details = [known.detail.take(), outcome.detail];
                known.detail = Some(details.into_iter().flatten().collect::<Vec<_>>().join("; "));
            }
        }
    }

    /// Whether anything says of any user's keys.
    pub(crate) fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    /// What can't be understood, or says nowhere whose it is, by the name of its file.
    pub(crate) fn incomplete_lists(&self) -> impl Iterator<Item = IncompleteList> {
        let lists = self.incomplete.iter();
        lists.map(|(source, outcome)| IncompleteList {
            source: source.clone(),
            org_id: None,
            outcome: outcome.clone(),
        })
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
    pub(crate) fn fingerprint(&self) -> String {
        let mut digests = self.digests.clone();
        digests.sort_unstable();
        let mut all = Sha256::new();
        for digest in digests {
            all.update(format!("{:x}\n", sha2::digest::Output::<Sha256>::from(digest)));
        }
        format!("{} responses in {} files, SHA-256 {:x}", self.answers, self.digests.len(), all.finalize())
    }

    /// Reads again, one user at a time, by id. `product` is whose refusals they are.
    pub(crate) fn user_results(self, product: Product) -> impl Iterator<Item = UserResult> {
        let Self { mut responses, users, .. } = self;
        users.into_iter().map(move |(id, user)| user.result(id, &mut responses, product))
    }
}

/// The one id in a file's name: 24 hexadecimal digits that no other follows. Of several it is unknown which is the user's.
fn id_in_name(path: &Path) -> Option<String> {
    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    let ids: BTreeSet<_> = name.split(|c: char| !c.is_ascii_hexdigit()).filter_map(object_id).collect();
    if ids.len() == 1 { ids.into_iter().next() } else { None }
}

fn malformed(why: impl Into<String>) -> Outcome {
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
        let saved = SavedAnswers::read(&[folder.path().to_owned()]).unwrap();
        (saved.incomplete_lists().collect(), saved.user_results(Product::OpsManager).collect())
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
