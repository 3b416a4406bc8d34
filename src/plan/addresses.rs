//! `--addresses FILE`: from which addresses the scripts of an owner call, as CSV or JSON. A wrong line refuses the file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, BufRead};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::exit::Error;
use crate::input::{self, LineIndex, Lines, ListFormat, Problems, TableRows, column_name};
use crate::model::object_id;
use crate::network::Network;
use crate::spreadsheet;
use crate::store::{Run, Store};

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

const HELP: &str = "use CSV with the columns `user_id` or `username`, and `addresses`, or a JSON array of objects with these \
                    fields; the owners are those of the run";

/// The addresses of owners, by user ID.
#[derive(Debug, Default)]
pub(crate) struct AddressFile(HashMap<String, BTreeSet<Network>>);

/// A line of the file.
struct Entry {
    line: u64,
    id: Option<String>,
    username: Option<String>,
    networks: Vec<Network>,
}

impl AddressFile {
    /// Reads the file at `path`; its owners are users of `run`.
    ///
    /// # Errors
    /// All wrong lines, or why it can't be read.
    pub(crate) fn read(path: &Path, store: &Store, run: &Run) -> Result<Self, Error> {
        let name = path.display().to_string();
        let unreadable = |why: io::Error| Error::not_read("the file with addresses", &name, &why);
        let mut problems = Problems::new(&name);
        let list = input::open(path).map_err(unreadable)?;
        let (format, list) =
            ListFormat::open(list, |name| Column::from_name(name).is_some()).map_err(unreadable)?;
        let entries = match format {
            ListFormat::Csv { header, delimiter } => csv_entries(list, header, delimiter, &mut problems),
            ListFormat::Json => json_entries(list, &mut problems).map_err(unreadable)?,
            ListFormat::Text => {
                problems.push(None, "no header with the columns `user_id` or `username`, and `addresses`");
                Vec::new()
            }
        };
        let file = Self::resolve(entries, store, run, &mut problems)?;
        if problems.is_empty() && file.0.is_empty() {
            problems.push(None, "the file contains no addresses");
        }
        problems.into_result("invalid file with addresses", HELP)?;
        Ok(file)
    }

    /// The addresses of an owner; `None` where the file does not name the owner.
    pub(super) fn of(&self, user_id: &str) -> Option<&BTreeSet<Network>> {
        self.0.get(user_id)
    }

    fn resolve(
        entries: Vec<Entry>,
        store: &Store,
        run: &Run,
        problems: &mut Problems,
    ) -> Result<Self, Error> {
        let users = NamedUsers::find(&entries, store, run)?;
        let mut file = Self::default();
        for Entry { line, id, username, networks } in entries {
            match users.id_of(id.as_deref(), username.as_deref()) {
                Ok(id) => file.0.entry(id).or_default().extend(networks),
                Err(why) => problems.push(line, why),
            }
        }
        Ok(file)
    }
}

/// The users of a run that the entries name.
struct NamedUsers {
    /// The username of each, in lower case, by ID.
    by_id: BTreeMap<String, String>,
    /// The IDs of each, by the username in lower case.
    by_name: HashMap<String, Vec<String>>,
}

impl NamedUsers {
    fn find(entries: &[Entry], store: &Store, run: &Run) -> Result<Self, Error> {
        let ids: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.id.as_deref()).collect();
        let mut by_name: HashMap<String, Vec<String>> = entries
            .iter()
            .filter_map(|it| Some((it.username.as_ref()?.to_lowercase(), Vec::new())))
            .collect();
        let mut by_id = BTreeMap::new();
        store.users(run, |user| {
            let Some(id) = user.id else { return };
            let name = user.username.unwrap_or_default().to_lowercase();
            by_name.entry(name.clone()).and_modify(|ids| ids.push(id.clone()));
            if ids.contains(&*id) {
                by_id.insert(id, name);
            }
        })?;
        Ok(Self { by_id, by_name })
    }

    fn id_of(&self, id: Option<&str>, username: Option<&str>) -> Result<String, String> {
        let named = username
            .map(|name| (name, self.by_name.get(&name.to_lowercase()).map_or(&[][..], Vec::as_slice)));
        match (id, named) {
            (Some(id), _) if !self.by_id.contains_key(id) => Err(format!("the run has no user {id}")),
            (Some(id), Some((name, ids))) if !ids.iter().any(|it| it == id) => {
                Err(format!("user {id} is not {name:?} in the run"))
            }
            (Some(id), _) => Ok(id.to_owned()),
            (None, Some((name, []))) => Err(format!("the run has no user {name:?}")),
            (None, Some((_, [id]))) => Ok(id.clone()),
            (None, Some((name, ids))) => {
                Err(format!("the run has {} users {name:?}: use the user ID", ids.len()))
            }
            (None, None) => Err("neither a user ID nor a username".to_owned()),
        }
    }
}

/// What a column holds. `owner_id` and `owner` are those of plan.csv.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Username,
    Addresses,
}

impl Column {
    fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "user_id" | "owner_id" => Self::Id,
            "username" | "owner" => Self::Username,
            "addresses" | "address" => Self::Addresses,
            _ => return None,
        })
    }
}

fn csv_entries(list: impl BufRead, header: u64, delimiter: u8, problems: &mut Problems) -> Vec<Entry> {
    let (mut lines, mut before, mut entries) = (Lines::new(list), Vec::new(), Vec::new());
    for _ in 1..header {
        if let Err(why) = lines.next(&mut before) {
            problems.push(None, why.to_string());
        }
    }
    let mut rows = TableRows::new(lines, delimiter);
    let Some(Ok(first)) = rows.next() else { return entries };
    let names: Vec<_> = first.cells.iter().map(|cell| column_name(cell)).collect();
    let is_plan = names.starts_with(&["deployment", "owner_id", "owner"].map(str::to_owned));
    let columns: Vec<_> = names.iter().map(|name| Column::from_name(name)).collect();
    let at = |column| columns.iter().position(|it| *it == Some(column));
    let (id, username, addresses) = (at(Column::Id), at(Column::Username), at(Column::Addresses));
    if addresses.is_none() || (id.is_none() && username.is_none()) {
        problems.push(first.line, "the columns `user_id` or `username`, and `addresses`, are required");
        return entries;
    }
    while let Some(row) = rows.next() {
        let row = match row {
            Ok(row) => row,
            Err(problem) => {
                problems.push(problem.line, problem.why);
                if problem.is_end {
                    return entries;
                }
                continue;
            }
        };
        if row.cells.len() != columns.len() {
            problems
                .push(row.line, format!("{} fields, but the header has {}", row.cells.len(), columns.len()));
            continue;
        }
        let cell = |column: Option<usize>| column.map_or("", |at| row.cells[at].trim());
        let name = if is_plan { spreadsheet::unguard(cell(username)) } else { cell(username).into() };
        // Most rows of a plan are keys, which have none.
        if !(is_plan && cell(addresses).is_empty()) {
            let texts = cell(addresses).split([',', ';', ' ', '\t', '\n']);
            entries.extend(entry(row.line, cell(id), &name, texts, problems));
        }
    }
    entries
}

/// An owner in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonOwner {
    #[serde(alias = "id")]
    user_id: Option<String>,
    username: Option<String>,
    addresses: OneOrMore,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

fn json_entries(mut list: impl BufRead, problems: &mut Problems) -> io::Result<Vec<Entry>> {
    let mut text = String::new();
    list.read_to_string(&mut text)?;
    let index = LineIndex::new(&text);
    let rows: Vec<&RawValue> = match serde_json::from_str(&text) {
        Ok(rows) => rows,
        Err(why) => {
            problems.push(why.line() as u64, why.to_string());
            return Ok(Vec::new());
        }
    };
    let mut entries = Vec::new();
    for row in rows {
        // Each row is a part of the text.
        let line = index.at(row.get().as_ptr() as usize - text.as_ptr() as usize);
        match serde_json::from_str::<JsonOwner>(row.get()) {
            Err(why) => problems.push(line, without_place(&why.to_string())),
            Ok(JsonOwner { user_id, username, addresses }) => {
                let addresses = match &addresses {
                    OneOrMore::One(text) => std::slice::from_ref(text),
                    OneOrMore::More(texts) => texts.as_slice(),
                };
                let (id, name) = (user_id.unwrap_or_default(), username.unwrap_or_default());
                let texts = addresses.iter().map(String::as_str);
                entries.extend(entry(line, id.trim(), name.trim(), texts, problems));
            }
        }
    }
    Ok(entries)
}

/// serde appends the place in the row, which is not that in the file.
fn without_place(why: &str) -> &str {
    why.rsplit_once(" at line ").map_or(why, |(why, _)| why)
}

/// An entry, unless it is wrong.
fn entry<'a>(
    line: u64,
    id: &str,
    username: &str,
    texts: impl Iterator<Item = &'a str>,
    problems: &mut Problems,
) -> Option<Entry> {
    let mut wrong = Vec::new();
    let texts: Vec<_> = texts.map(str::trim).filter(|text| !text.is_empty()).collect();
    let networks = texts.iter().filter_map(|text| text.parse().map_err(|why| wrong.push(why)).ok()).collect();
    if texts.is_empty() {
        wrong.push("no address".to_owned());
    }
    let known = object_id(id);
    if known.is_none() && !id.is_empty() {
        wrong.push(format!("{id:?} is not a user ID (24 hexadecimal digits)"));
    }
    let is_right = wrong.is_empty();
    for why in wrong {
        problems.push(line, why);
    }
    let username = Some(username).filter(|name| !name.is_empty()).map(str::to_owned);
    is_right.then_some(Entry { line, id: known, username, networks })
}
