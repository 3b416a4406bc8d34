//! Answers of `GET /users/{id}/keys` that somebody saved to files, as readings: the way for deployments that nobody reaches
//! from here, and for Atlas, whose users each read their own keys.
//!
//! Files are read twice: first all of them, to see who is there and what can't be understood, and then one user's answers
//! at a time. No more than those are held at once.

mod files;
mod head;
mod index;
mod name;
mod pages;
mod split;
mod text;
mod user;
mod whose;

use std::fs::File;
use std::path::{Path, PathBuf};

use url::Url;

pub use files::Missing;

use crate::client::{Told, product};
use crate::model::{IncompleteList, Outcome, Product, ReadStatus, UserResult};
use files::Found;
use index::Index;
use whose::Sorted;

/// Why saved answers can't be imported at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was named isn't there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// No place to work in.
    #[error("can't copy the answers to a temporary file: {0}")]
    Copy(#[source] std::io::Error),
}

impl From<Error> for crate::exit::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing(missing) => missing.into(),
            Error::Copy(_) => {
                Self::output(error).help("make room in the folder for temporary files, or set TMPDIR")
            }
        }
    }
}

/// Saved answers, looked through once.
pub struct Saved {
    index: Index,
    sorted: Sorted,
    gaps: Vec<IncompleteList>,
}

impl Saved {
    /// Finds the files, and looks at every answer in them.
    ///
    /// # Errors
    /// Every input that isn't there or holds no file; or no place for a copy of the answers.
    pub fn find(inputs: &[PathBuf]) -> Result<Self, Error> {
        let Found { files, unreadable, .. } = Found::of(inputs)?;
        let mut index = Index::new().map_err(Error::Copy)?;
        let mut gaps: Vec<_> = unreadable.into_iter().map(|(path, why)| gap(&path, why)).collect();
        for path in files {
            match File::open(&path) {
                Ok(file) => index.add(&path, file).map_err(Error::Copy)?,
                Err(why) => gaps.push(gap(&path, format!("it can't be read: {why}"))),
            }
        }
        index.finish().map_err(Error::Copy)?;
        let sorted = whose::sorted(&index);
        for at in &sorted.nobodys {
            gaps.push(nobodys(&mut index, *at));
        }
        Ok(Self { index, sorted, gaps: by_source(gaps) })
    }

    /// What can't be understood, or is nobody's, by the name of its file.
    #[must_use]
    pub fn gaps(&self) -> &[IncompleteList] {
        &self.gaps
    }

    /// The version that all saved headers tell; `None` where there are none, or where they differ, since then nobody knows
    /// which holds.
    #[must_use]
    pub fn service_version(&self) -> Option<&str> {
        match self.index.versions.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The base paths of the API that the answers' links name, in the order of the files. Several may be several ways to one
    /// deployment, or several deployments.
    #[must_use]
    pub fn bases(&self) -> &[Url] {
        &self.index.bases
    }

    /// The product that all the links speak for; `None` where there are none, or where they differ.
    #[must_use]
    pub fn product(&self) -> Option<Product> {
        let mut products = self.bases().iter().map(below_base);
        let first = products.next()?;
        products.all(|product| product == first).then_some(first)
    }

    /// What tells these files from others: how many answers and files, and a SHA-256 of the files' contents, whatever their
    /// names and order: of their own SHA-256, sorted, each in hexadecimal digits on a line of its own.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.index.fingerprint()
    }

    /// Reads again, one user at a time: those of whom only a name is known by that, then the others by id. `product` is
    /// whose refusals they are.
    pub fn readings(self, product: Product) -> impl Iterator<Item = UserResult> {
        let Self { mut index, sorted, gaps: _ } = self;
        sorted.shelves.into_iter().map(move |(who, shelf)| user::reading(&mut index, &who, &shelf, product))
    }
}

/// The guess looks at what follows the base.
fn below_base(base: &Url) -> Product {
    let mut url = base.clone();
    url.set_path(&format!("{}/users", base.path().trim_end_matches('/')));
    product::guess(&url)
}

fn gap(path: &Path, why: String) -> IncompleteList {
    let source = format!("file {}", path.display());
    IncompleteList { source, outcome: Outcome::unread(ReadStatus::Malformed, None, why) }
}

/// One gap a source, since a run knows them by that: names that can't be written may look the same.
fn by_source(mut gaps: Vec<IncompleteList>) -> Vec<IncompleteList> {
    gaps.sort_by(|one, other| one.source.cmp(&other.source));
    gaps.dedup_by(|next, kept| {
        let same = next.source == kept.source;
        if let (true, Some(all), Some(more)) = (same, &mut kept.outcome.detail, &next.outcome.detail) {
            all.push_str("; ");
            all.push_str(more);
        }
        same
    });
    gaps
}

/// An answer of which nothing says whose it is. Whatever it says, it is complete for nobody.
fn nobodys(index: &mut Index, at: usize) -> IncompleteList {
    const WHOSE: &str = "neither the answer nor the file's name says whose keys they are";
    let outcome = match index.read(at, Product::Atlas) {
        Told::Unread { outcome, .. } => {
            let detail = outcome.detail.as_deref().unwrap_or("a refusal");
            let detail = match &outcome.error_code {
                Some(_) => format!("{detail} ({WHOSE})"),
                None => detail.to_owned(),
            };
            Outcome { status: ReadStatus::Malformed, detail: Some(detail), ..outcome }
        }
        Told::Keys(list) => {
            let why = format!("{} keys, and {WHOSE}", list.keys.len());
            Outcome::unread(ReadStatus::Malformed, Some(list.status), why)
        }
    };
    IncompleteList { source: index.label(at), outcome }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::{Value, json};

    use super::*;
    use crate::model::{Origin, User};

    const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";
    const BOB: &str = "5b17c0de9cc0cdb6ac0bf401";

    fn key(number: u64) -> Value {
        json!({"id": format!("{number:024x}"), "obfuscatedKey": "********-****-****-92732876eeae", "userId": ANN, "usedCount": number})
    }

    /// A page of Ann's keys; `number` of `last`.
    fn page(keys: &[u64], (number, last): (u64, u64), total: Option<u64>) -> Value {
        let at = |number| {
            format!(
                "https://om.example:8080/api/public/v1.0/users/{ANN}/keys?pageNum={number}&itemsPerPage=2"
            )
        };
        let mut links = vec![json!({"rel": "self", "href": at(number)})];
        links.extend((number < last).then(|| json!({"rel": "next", "href": at(number + 1)})));
        let rows: Vec<_> = keys.iter().map(|number| key(*number)).collect();
        let mut page = json!({"links": links, "results": rows});
        if let Some(total) = total {
            page["totalCount"] = total.into();
        }
        page
    }

    fn refusal() -> Value {
        json!({"error": 401, "errorCode": "NOT_SELF", "detail": "It says no.", "parameters": []})
    }

    /// With headers of this second of 2025.
    fn at(second: u32, status: u16, body: &Value) -> String {
        format!("HTTP/1.1 {status} X\r\nDate: Wed, 01 Jan 2025 00:00:{second:02} GMT\r\n\r\n{body}\n")
    }

    fn import(files: &[(String, Vec<u8>)]) -> (Vec<IncompleteList>, Vec<UserResult>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let saved = Saved::find(&[folder.path().to_owned()]).unwrap();
        (saved.gaps().to_vec(), saved.readings(Product::OpsManager).collect())
    }

    /// What these answers in files of Ann's come to: her keys by number, and the outcome.
    fn anns(texts: &[String]) -> (Vec<u64>, Outcome) {
        let files: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (format!("{ANN}-{at}.json"), text.clone().into_bytes()))
            .collect();
        let (gaps, mut readings) = import(&files);
        assert_eq!((gaps, readings.len()), (vec![], 1), "{texts:?}");
        let reading = readings.remove(0);
        assert_eq!(reading.user, User { id: ANN.to_owned(), username: None, origin: Origin::default() });
        let numbers = reading.keys.iter().map(|key| u64::from_str_radix(&key.id, 16).unwrap());
        (numbers.collect(), reading.outcome)
    }

    fn assert_unread(texts: &[String], keys: &[u64], status: ReadStatus, why: &str) {
        let (got, outcome) = anns(texts);
        assert_eq!((got.as_slice(), outcome.status), (keys, status), "{texts:?}: {outcome:?}");
        assert!(
            outcome.detail.as_ref().is_some_and(|told| told.contains(why)),
            "{outcome:?} does not tell {why}"
        );
    }

    #[test]
    fn pages_are_joined_in_any_order() {
        let pages: Vec<_> = [(1, &[1, 2][..]), (2, &[3, 4]), (3, &[5])]
            .map(|(number, keys)| page(keys, (number, 3), Some(5)).to_string())
            .into();
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let texts = order.map(|at| pages[at].clone());
            assert_eq!(anns(&texts), (vec![1, 2, 3, 4, 5], Outcome::read(200)), "{order:?}");
            assert_eq!(anns(&[texts.concat()]), (vec![1, 2, 3, 4, 5], Outcome::read(200)), "{order:?}");
        }
        let twice = [&pages[..], &pages[1..]].concat();
        assert_eq!(anns(&twice), (vec![1, 2, 3, 4, 5], Outcome::read(200)));
    }

    #[test]
    fn what_is_missing_is_named() {
        use ReadStatus::Partial;
        let of_three = |number: u64, keys: &[u64]| page(keys, (number, 3), Some(5)).to_string();
        let uncounted = |number, last| page(&[number], (number, last), None).to_string();
        let bare = |body: &str| body.to_owned();
        for (texts, keys, why) in [
            (vec![of_three(1, &[1, 2]), of_three(3, &[5])], vec![1, 2, 5], "page 2 was not saved"),
            (vec![of_three(3, &[5])], vec![5], "2 pages before page 3 were not saved, page 1 among them"),
            (vec![of_three(1, &[1, 2])], vec![1, 2], "page 1 says that another follows"),
            (
                vec![page(&[1], (1, 1), Some(2)).to_string()],
                vec![1],
                "counts 2 keys, but the saved pages hold 1",
            ),
            (vec![page(&[], (1, 1), Some(1)).to_string()], vec![], "counts 1 keys"),
            (
                vec![page(&[1], (1, 2), Some(2)).to_string(), page(&[2], (2, 2), Some(3)).to_string()],
                vec![1, 2],
                "the list changed",
            ),
            (vec![uncounted(1, 2)], vec![1], "another follows"),
            (vec![uncounted(2, 2)], vec![2], "page 1 was not saved"),
            (vec![json!({"results": [key(1)]}).to_string()], vec![1], "neither a count nor links"),
            (vec![json!([key(1)]).to_string()], vec![1], "an array of keys"),
            (vec![json!([]).to_string()], vec![], "an array of keys"),
            (vec![key(1).to_string()], vec![1], "one key alone"),
            (vec![json!({"status": 200, "content": key(1)}).to_string()], vec![1], "one key alone"),
            (vec![bare(r#"{"results":[],"totalCount":0}"#)], vec![], "does not say of what"),
        ] {
            assert_unread(&texts, &keys, Partial, why);
        }
        for whole in [
            vec![uncounted(1, 1)],
            vec![uncounted(2, 2), uncounted(1, 2)],
            vec![page(&[], (1, 1), Some(0)).to_string()],
            vec![json!({"results": [key(1)], "totalCount": 1}).to_string()],
            vec![json!([key(1)]).to_string(), page(&[1], (1, 1), Some(1)).to_string()],
        ] {
            assert_eq!(anns(&whole).1, Outcome::read(200), "{whole:?}");
        }
    }

    #[test]
    fn of_two_answers_the_newer_holds_and_nothing_is_guessed() {
        use ReadStatus::{Forbidden, Partial};
        let (old, new) = (page(&[1], (1, 1), Some(1)), page(&[2], (1, 1), Some(1)));
        assert_eq!(anns(&[at(2, 200, &new), at(1, 200, &old)]), (vec![2], Outcome::read(200)));
        for texts in [
            [at(1, 200, &new), at(1, 200, &old)],
            [at(2, 200, &new), old.to_string()],
            [new.to_string(), old.to_string()],
        ] {
            let (keys, outcome) = anns(&texts);
            assert_eq!((keys.len(), outcome.status), (2, Partial), "{texts:?}");
            assert!(outcome.detail.unwrap().contains("nothing says which is the newest"));
        }
        let used = |count: u64| {
            let mut page = page(&[1], (1, 1), Some(1));
            page["results"][0]["usedCount"] = count.into();
            page
        };
        assert_unread(&[used(9).to_string(), used(7).to_string()], &[1], Partial, "not the same");

        let fine = Outcome::read(200);
        assert_eq!(anns(&[at(2, 200, &old), at(1, 401, &refusal())]), (vec![1], fine));
        assert_unread(
            &[at(1, 200, &old), at(2, 401, &refusal())],
            &[1],
            Forbidden,
            "It says no.; the keys are of answers before",
        );
        for texts in [[at(2, 200, &old), refusal().to_string()], [at(2, 200, &old), at(2, 401, &refusal())]] {
            assert_unread(&texts, &[1], Partial, "forbidden NOT_SELF It says no.");
        }
    }

    #[test]
    fn refusals_are_the_users_outcome() {
        use ReadStatus::{Error, Forbidden, Malformed, NotFound, Removed};
        let said = |status: u64, code: &str| {
            json!({"error": status, "errorCode": code, "detail": "no", "parameters": [ANN]}).to_string()
        };
        let version = "HTTP/1.1 404 Not Found\nX-MongoDB-Service-Version: gitHash=a; versionString=5.0.1\n\n";
        for (text, status, http) in [
            (said(401, "NOT_SELF"), Forbidden, Some(401)),
            (said(404, "USER_NOT_FOUND"), NotFound, Some(404)),
            (said(410, "PERSONAL_API_KEYS_DEPRECATED"), Removed, Some(410)),
            (said(404, "RESOURCE_NOT_FOUND"), NotFound, Some(404)),
            (format!("{version}{}", said(404, "RESOURCE_NOT_FOUND")), Removed, Some(404)),
            (
                r#"{"reason":"Unauthorized","error":401,"detail":"You are not authorized."}"#.to_owned(),
                Forbidden,
                Some(401),
            ),
            (
                r#"{"status":404,"content":{"errorCode":"USER_NOT_FOUND","error":404}}"#.to_owned(),
                NotFound,
                Some(404),
            ),
            ("HTTP/1.1 502 Bad Gateway\n\n<html>".to_owned(), Error, Some(502)),
            ("<html>".to_owned(), Malformed, None),
            (String::new(), Malformed, None),
            ("HTTP/1.1 200 OK\n\n<html>".to_owned(), Malformed, Some(200)),
            ("{\"results\": [".to_owned(), Malformed, None),
        ] {
            let (keys, outcome) = anns(std::slice::from_ref(&text));
            assert_eq!((keys, outcome.status, outcome.http_status), (vec![], status, http), "{text}");
        }
        assert_unread(
            &[said(404, "USER_NOT_FOUND"), said(401, "NOT_SELF")],
            &[],
            NotFound,
            "-1.json: forbidden NOT_SELF no",
        );
        assert_unread(
            &[said(410, "PERSONAL_API_KEYS_DEPRECATED"), said(401, "NOT_SELF")],
            &[],
            Forbidden,
            "removed",
        );
    }

    #[test]
    fn rows_that_cannot_be_read_are_told_and_the_others_kept() {
        let mut wrong = page(&[1, 2], (1, 1), Some(2));
        wrong["results"][0]["lastUsed"] = "yesterday".into();
        assert_unread(&[wrong.to_string()], &[2], ReadStatus::Malformed, "-0.json: row 1 of a page");
    }

    #[test]
    fn what_is_nobodys_or_no_answer_is_told_by_file() {
        let mut users = String::new();
        let _ = write!(users, r#"{{"results":[{{"id":"{ANN}","username":"ann"}}],"totalCount":1}}"#);
        let list_of = |what: &str| json!({"links": [{"rel": "self", "href": format!("https://om.example/api/public/v1.0/{what}")}], "results": [], "totalCount": 0});
        for text in [
            users,
            list_of("orgs").to_string(),
            list_of(&format!("users/{ANN}/whitelist")).to_string(),
            refusal().to_string(),
            json!([{"id": "a"}]).to_string(),
            json!({"id": ANN, "username": "ann"}).to_string(),
            json!({"results": [{"id": "a", "publicKey": "abcdwxyz", "desc": "ci"}]}).to_string(),
            "42".to_owned(),
            "<html>".to_owned(),
            String::new(),
        ] {
            let (gaps, readings) = import(&[("page.json".to_owned(), text.clone().into_bytes())]);
            assert_eq!((gaps.len(), readings.len()), (1, 0), "{text}: {readings:?}");
            assert!(gaps[0].source.ends_with("page.json"), "{gaps:?}");
            assert_eq!(gaps[0].outcome.status, ReadStatus::Malformed, "{text}");
            assert!(gaps[0].outcome.detail.is_some());
        }
    }

    #[test]
    fn nothing_of_one_user_passes_for_anothers() {
        let mut mixed = page(&[1, 2], (1, 1), Some(2));
        mixed["results"][1]["userId"] = BOB.into();
        let (gaps, readings) = import(&[("page.json".to_owned(), mixed.to_string().into_bytes())]);
        let told: Vec<_> =
            readings.iter().map(|it| (it.user.id.as_str(), it.keys.len(), it.outcome.status)).collect();
        assert_eq!(
            (gaps, told),
            (vec![], vec![(ANN, 1, ReadStatus::Malformed), (BOB, 1, ReadStatus::Malformed)])
        );
    }

    proptest::proptest! {
        /// Foreign bytes: any file is taken or told.
        #[test]
        fn any_bytes_are_taken_or_told(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let (gaps, readings) = import(&[("page.json".to_owned(), bytes)]);
            proptest::prop_assert!(!gaps.is_empty() && readings.is_empty());
        }

        /// A true answer with one byte replaced, or cut: Ann is told, never clean without her key.
        #[test]
        fn a_broken_answer_never_hides_a_key(cut in 0_usize..500, at in 0_usize..500, byte: u8) {
            let mut bytes = self::at(1, 200, &page(&[1, 2], (1, 1), Some(2))).into_bytes();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut.max(1));
            let (gaps, readings) = import(&[(format!("{ANN}.json"), bytes)]);
            for reading in &readings {
                proptest::prop_assert!(reading.outcome.status != ReadStatus::Read || reading.keys.len() == 2);
            }
            proptest::prop_assert!(!readings.is_empty() || !gaps.is_empty());
        }
    }
}
