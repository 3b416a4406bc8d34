//! Whose answer each is: by the rows and the link of the answer itself, else by the file's name, else by its folder's. What
//! speaks against itself is never decided: everybody in question is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::index::{Entry, Index, Source};
use super::name::Named;

/// Whom an answer is about: an id, or where nobody says one, a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    /// 24 hexadecimal digits; empty where only the name is known.
    pub(super) id: String,
    /// In lower case; empty where there is an id.
    pub(super) name: String,
}

/// What there is of one user.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// As the files spell it; of several spellings the smallest.
    pub(super) username: Option<String>,
    /// In the order of their coming.
    pub(super) entries: Vec<usize>,
    /// Why nobody knows whether these are this user's, or all.
    pub(super) doubts: BTreeSet<String>,
}

/// The answers of everybody, and those of nobody.
pub(super) struct Sorted {
    pub(super) shelves: BTreeMap<Who, Shelf>,
    pub(super) nobodys: Vec<usize>,
}

impl Who {
    fn of_id(id: &str) -> Self {
        Self { id: id.to_owned(), name: String::new() }
    }

    fn of_name(name: &str) -> Self {
        Self { id: String::new(), name: name.to_lowercase() }
    }
}

/// What all files together say about names and folders.
struct Hearsay<'a> {
    /// The ids in the answers of the files that a username names, by that in lower case.
    ids_of: HashMap<String, BTreeSet<&'a str>>,
    /// The ids in the answers of the files in a folder that have no name of their own.
    ids_in: HashMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Hearsay<'a> {
    fn of(index: &'a Index) -> Self {
        let mut heard = Self { ids_of: HashMap::new(), ids_in: HashMap::new() };
        for entry in &index.entries {
            let source = &index.sources[entry.source];
            let ids = entry.users.iter().map(String::as_str);
            if let Some(name) = &source.named.username {
                heard.ids_of.entry(name.to_lowercase()).or_default().extend(ids);
            } else if !source.named.is_somebody() && source.named.folder.is_some() {
                heard.ids_in.entry(&source.folder).or_default().extend(ids);
            }
        }
        heard
    }

    /// Whom a file's name speaks of, or its folder's.
    fn whom_it_names(&self, source: &Source) -> Option<Who> {
        let Named { ids, username, folder } = &source.named;
        match (ids.as_slice(), username) {
            ([one], _) => Some(Who::of_id(one)),
            ([], Some(name)) => {
                let known = self.ids_of.get(&name.to_lowercase()).filter(|ids| ids.len() == 1);
                let id = known.and_then(BTreeSet::first);
                Some(id.map_or_else(|| Who::of_name(name), |id| Who::of_id(id)))
            }
            ([], None) => {
                let id = folder.as_deref()?;
                self.others_in_folder(source, id).is_empty().then(|| Who::of_id(id))
            }
            (_, _) => None,
        }
    }

    /// The folder's id, where it can only be a user's, and all answers in it speak of one other user.
    fn sole_other_in_folder(&self, source: &Source) -> Option<String> {
        let id = source.named.folder.as_deref().filter(|_| !source.named.is_somebody())?;
        let ids = self.ids_in.get(source.folder.as_str())?;
        (ids.len() == 1 && !ids.contains(id)).then(|| id.to_owned())
    }

    fn others_in_folder(&self, source: &Source, id: &str) -> Vec<&str> {
        let ids = self.ids_in.get(source.folder.as_str());
        ids.into_iter().flatten().copied().filter(|other| *other != id).collect()
    }
}

/// Sorts all answers.
pub(super) fn sorted(index: &Index) -> Sorted {
    let heard = Hearsay::of(index);
    let mut sorted = Sorted { shelves: BTreeMap::new(), nobodys: Vec::new() };
    for (at, entry) in index.entries.iter().enumerate() {
        let source = &index.sources[entry.source];
        match entry.users.as_slice() {
            [] => match heard.whom_it_names(source) {
                Some(who) => sorted.put(who, at, source.named.username.as_deref()),
                None => sorted.nobodys.push(at),
            },
            [one] => sorted.put(Who::of_id(one), at, source.named.username.as_deref()),
            several => {
                let doubt = format!("{} speaks of several users: {}", index.label(at), several.join(", "));
                for one in several {
                    sorted.put(Who::of_id(one), at, None);
                    sorted.doubt(one, &doubt);
                }
            }
        }
        sorted.doubt_name(entry, source, &index.label(at), &heard);
    }
    sorted.doubt_usernames(&heard);
    sorted
}

impl Sorted {
    fn put(&mut self, who: Who, at: usize, username: Option<&str>) {
        let Shelf { entries, username: known, doubts: _ } = self.shelves.entry(who).or_default();
        entries.push(at);
        if let Some(name) = username
            && known.as_deref().is_none_or(|known| name < known)
        {
            *known = Some(name.to_owned());
        }
    }

    fn doubt(&mut self, id: &str, why: &str) {
        self.shelves.entry(Who::of_id(id)).or_default().doubts.insert(why.to_owned());
    }

    /// The name says one user, the answer another: one of the two may have been saved in the other's place.
    fn doubt_name(&mut self, entry: &Entry, source: &Source, label: &str, heard: &Hearsay) {
        let folder: Vec<_> = heard.sole_other_in_folder(source).into_iter().collect();
        let named = if source.named.ids.is_empty() { &folder } else { &source.named.ids };
        if entry.users.is_empty() || named.is_empty() || entry.users.iter().any(|user| named.contains(user)) {
            return;
        }
        let why = format!(
            "{label} is named for {}, and speaks of {}",
            named.join(" and "),
            entry.users.join(" and ")
        );
        for one in entry.users.iter().chain(named) {
            self.doubt(one, &why);
        }
    }

    /// One name for two users, or two names for one: one of them may have been saved in the other's place.
    fn doubt_usernames(&mut self, heard: &Hearsay) {
        let mut names_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, ids) in &heard.ids_of {
            for id in ids {
                names_of.entry(id).or_default().insert(name);
            }
            if ids.len() > 1 {
                let ids: Vec<_> = ids.iter().copied().collect();
                let why =
                    format!("files named for {name} hold answers about several users: {}", ids.join(", "));
                for id in ids {
                    self.doubt(id, &why);
                }
                if let Some(shelf) = self.shelves.get_mut(&Who::of_name(name)) {
                    shelf.doubts.insert(why);
                }
            }
        }
        for (id, names) in names_of.into_iter().filter(|(_, names)| names.len() > 1) {
            let names: Vec<_> = names.into_iter().collect();
            self.doubt(id, &format!("files of this user are named for several: {}", names.join(", ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "5af9a1d29cc0cdb6ac0bf3f8";
    const BOB: &str = "5b17c0de9cc0cdb6ac0bf401";
    const ORG: &str = "5980cfdf0b6d97029d82f86e";

    /// A page of one key of each of these, with a link if there is one.
    fn page(owners: &[&str]) -> String {
        let row = |owner: &&str| format!(r#"{{"id":"k{owner}","obfuscatedKey":"x","userId":"{owner}"}}"#);
        let rows: Vec<_> = owners.iter().map(row).collect();
        format!(r#"{{"results":[{}],"totalCount":{}}}"#, rows.join(","), rows.len())
    }

    fn refusal() -> String {
        r#"{"error":401,"errorCode":"NOT_SELF","detail":"no"}"#.to_owned()
    }

    /// Who has how many answers and whether there are doubts; and how many are nobody's.
    fn sort(files: &[(&str, String)]) -> (Vec<(String, usize, bool)>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::new().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            index.add(&path, std::fs::File::open(&path).unwrap()).unwrap();
        }
        let sorted = sorted(&index);
        let shelves = sorted.shelves.into_iter().map(|(who, shelf)| {
            assert!(who.id.is_empty() != who.name.is_empty());
            (format!("{}{}", who.id, who.name), shelf.entries.len(), !shelf.doubts.is_empty())
        });
        (shelves.collect(), sorted.nobodys.len())
    }

    fn users(all: &[(&str, usize, bool)]) -> Vec<(String, usize, bool)> {
        all.iter().map(|(who, answers, doubt)| ((*who).to_owned(), *answers, *doubt)).collect()
    }

    #[test]
    fn the_rows_come_first_then_the_name_then_the_folder() {
        let own = |name: &str| format!("{ANN}/{name}");
        for (files, expected, nobodys) in [
            (vec![("a.json".to_owned(), page(&[ANN]))], vec![(ANN, 1, false)], 0),
            (vec![(format!("{ANN}.json"), refusal())], vec![(ANN, 1, false)], 0),
            (vec![(own("page1.json"), refusal())], vec![(ANN, 1, false)], 0),
            (vec![(own("1.json"), page(&[ANN])), (own("2.json"), refusal())], vec![(ANN, 2, false)], 0),
            (vec![("Ann@x.example.json".to_owned(), refusal())], vec![("ann@x.example", 1, false)], 0),
            (vec![("a.json".to_owned(), refusal())], vec![], 1),
            (vec![(format!("{ANN}_{BOB}.json"), refusal())], vec![], 1),
            (vec![(format!("{ORG}_{ANN}.json"), page(&[ANN]))], vec![(ANN, 1, false)], 0),
        ] {
            let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
            assert_eq!(sort(&files), (users(&expected), nobodys), "{files:?}");
        }
    }

    #[test]
    fn a_folder_of_several_is_no_users() {
        let within = |name: &str| format!("{ORG}/{name}");
        let files = [
            (within("1.json"), page(&[ANN])),
            (within("2.json"), page(&[BOB])),
            (within("3.json"), refusal()),
            (within("eve@x.example.json"), refusal()),
        ];
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        assert_eq!(
            sort(&files),
            (users(&[("eve@x.example", 1, false), (ANN, 1, false), (BOB, 1, false)]), 1)
        );
    }

    #[test]
    fn what_speaks_against_itself_is_told_of_everybody_in_question() {
        let bobs = format!("{BOB}.json");
        let folder = format!("{BOB}/1.json");
        for files in [vec![(bobs.as_str(), page(&[ANN]))], vec![(folder.as_str(), page(&[ANN]))]] {
            assert_eq!(sort(&files), (users(&[(ANN, 1, true), (BOB, 0, true)]), 0), "{files:?}");
        }
        assert_eq!(sort(&[("a.json", page(&[BOB, ANN]))]), (users(&[(ANN, 1, true), (BOB, 1, true)]), 0));
        let names = [("ann@x.example.json", page(&[ANN])), ("bob@x.example.json", page(&[ANN]))];
        assert_eq!(sort(&names), (users(&[(ANN, 2, true)]), 0));
        let ids = [
            ("ann@x.example-1.json", page(&[ANN])),
            ("ann@x.example-2.json", page(&[BOB])),
            ("ann@x.example-3.json", refusal()),
        ];
        assert_eq!(sort(&ids), (users(&[("ann@x.example", 1, true), (ANN, 1, true), (BOB, 1, true)]), 0));
    }

    #[test]
    fn a_name_is_the_user_whose_rows_another_file_of_that_name_holds() {
        let files = [("ann@x.example-1.json", page(&[ANN])), ("ANN@x.example-2.json", refusal())];
        assert_eq!(sort(&files), (users(&[(ANN, 2, false)]), 0));
    }
}
