//! What a list of users may look like: text, CSV or JSON, told apart by how it begins. None holds more than one user at a
//! time.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZeroU64;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::UserRef;
use crate::input::delimiter;
use crate::model::object_id;

/// What tells the formats apart is within the first bytes.
const START: u64 = 4096;
/// Some editors and spreadsheets begin a file with it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Where a user is named; `None` where the format has no lines, or for the list as a whole.
pub(super) type LineNumber = Option<NonZeroU64>;
/// Takes a user and where he is named, or what is wrong there.
pub(super) type EachUser<'a> = dyn FnMut(LineNumber, Result<UserRef, String>) + 'a;

/// Reads a list through, in whichever format it is.
///
/// # Errors
/// Why it can't be read at all.
pub(super) fn read(mut list: impl Read, each: &mut EachUser) -> io::Result<()> {
    let mut start = Vec::new();
    list.by_ref().take(START).read_to_end(&mut start)?;
    let format = detect(&String::from_utf8_lossy(&start));
    if start.starts_with(BYTE_ORDER_MARK.to_string().as_bytes()) {
        start.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    let list = BufReader::new(io::Cursor::new(start).chain(list));
    match format {
        Format::Text => read_text(list, each),
        Format::Csv { delimiter } => read_csv(list, delimiter, each),
        Format::Json => read_json(list, each),
    }
    Ok(())
}

enum Format {
    /// One id or name a line.
    Text,
    /// With a header that names one of our columns.
    Csv { delimiter: u8 },
    /// An array, or the API's own list answer.
    Json,
}

/// By the first line: JSON starts with a bracket, CSV with a header that names one of our columns.
fn detect(start: &str) -> Format {
    let start = start.trim_start_matches(BYTE_ORDER_MARK).trim_start();
    let header = start.lines().next().unwrap_or_default();
    let is_ours = |column: &str| matches!(column_name(column).as_str(), "user_id" | "username");
    if start.starts_with(['[', '{']) {
        Format::Json
    } else if header.split([',', ';', '\t']).any(is_ours) {
        Format::Csv { delimiter: delimiter(header, b",;\t") }
    } else {
        Format::Text
    }
}

/// One id or name a line; `#` starts a comment, at the start of a line or after white space.
fn read_text(mut list: impl BufRead, each: &mut EachUser) {
    let mut bytes = Vec::new();
    for line in (1..).map(NonZeroU64::new) {
        bytes.clear();
        match list.read_until(b'\n', &mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(why) => return each(line, Err(why.to_string())),
        }
        match std::str::from_utf8(&bytes) {
            Err(_) => each(line, Err("is not UTF-8".to_owned())),
            // Files that were put together have marks inside.
            Ok(text) => match without_comment(text.trim_start_matches(BYTE_ORDER_MARK)).trim() {
                "" => {}
                user => each(line, id_or_name(user)),
            },
        }
    }
}

fn without_comment(line: &str) -> &str {
    let comment = line
        .char_indices()
        .find(|&(at, c)| c == '#' && line[..at].chars().last().is_none_or(char::is_whitespace));
    comment.map_or(line, |(at, _)| &line[..at])
}

fn read_csv(list: impl Read, delimiter: u8, each: &mut EachUser) {
    let mut rows = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(list);
    let headers = match rows.headers() {
        Ok(headers) => headers.clone(),
        Err(why) => return each(NonZeroU64::new(1), Err(why.to_string())),
    };
    let column = |name: &str| headers.iter().position(|header| column_name(header) == name);
    let (id, username) = (column("user_id"), column("username"));
    for row in rows.records() {
        let line = |position: Option<&csv::Position>| NonZeroU64::new(position?.line());
        match row {
            Ok(row) => {
                let field = |column: Option<usize>| column.and_then(|column| row.get(column));
                each(line(row.position()), id_and_name(field(id), field(username)));
            }
            Err(why) => each(line(why.position()), Err(csv_problem(&why))),
        }
    }
}

fn column_name(header: &str) -> String {
    header.trim().trim_matches('"').trim().to_ascii_lowercase()
}

fn csv_problem(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// An array of ids, names or users, or the API's own list answer in any envelope.
fn read_json(list: impl BufRead, each: &mut EachUser) {
    let mut json = serde_json::Deserializer::from_reader(list);
    let mut users = JsonUsers { each, count: 0 };
    let end = (&mut users).deserialize(&mut json).and_then(|()| json.end());
    if let Err(why) = end {
        let text = why.to_string();
        // serde appends the place, which is reported already.
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        each(NonZeroU64::new(why.line() as u64), Err(text.to_owned()));
    }
}

/// Takes users out of JSON as it is parsed, so that a list of a million needs no memory.
struct JsonUsers<'e, 'a> {
    each: &'e mut EachUser<'a>,
    count: u64,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum JsonUser {
    Text(String),
    Object { id: Option<String>, user_id: Option<String>, username: Option<String> },
}

#[derive(serde::Deserialize)]
struct JsonLink {
    rel: Option<String>,
}

impl<'de> DeserializeSeed<'de> for &mut JsonUsers<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut JsonUsers<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array of users, or the API's list answer")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(user) = rows.next_element::<JsonUser>()? {
            let user = match &user {
                JsonUser::Text(text) => id_or_name(text.trim()),
                JsonUser::Object { id, user_id, username } => {
                    id_and_name(user_id.as_deref().or(id.as_deref()), username.as_deref())
                }
            };
            self.count += 1;
            // An error of the parser carries the line, which the row itself does not know.
            (self.each)(None, Ok(user.map_err(A::Error::custom)?));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let (mut total, mut has_rows, mut has_next) = (None::<u64>, false, false);
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "results" | "content" => {
                    fields.next_value_seed(&mut *self)?;
                    has_rows = true;
                }
                "totalCount" => total = fields.next_value()?,
                "links" => {
                    let links: Option<Vec<JsonLink>> = fields.next_value()?;
                    has_next = links.iter().flatten().any(|link| link.rel.as_deref() == Some("next"));
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        if !has_rows {
            return Err(A::Error::custom("neither an array nor a list answer: no `results`"));
        }
        match total {
            _ if has_next => Err(A::Error::custom(
                "a part of a list: its links say that another page follows; save all its pages",
            )),
            Some(total) if total != self.count => Err(A::Error::custom(format!(
                "a part of a list: {} users of {total} (totalCount); save all its pages",
                self.count
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// An id or a name, whichever it looks like.
pub(super) fn id_or_name(text: &str) -> Result<UserRef, String> {
    object_id(text).map_or_else(|| by_name(text), |id| Ok(UserRef::Id { id, username: None }))
}

/// From a column or field for each; either may be missing or empty.
fn id_and_name(id: Option<&str>, username: Option<&str>) -> Result<UserRef, String> {
    let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    match (given(id), given(username)) {
        (Some(id), username) => by_id(&id, username),
        (None, Some(username)) => by_name(&username),
        (None, None) => Err("neither an id nor a name".to_owned()),
    }
}

fn by_id(id: &str, username: Option<String>) -> Result<UserRef, String> {
    let id = object_id(id).ok_or_else(|| format!("{id:?} is no user id"))?;
    Ok(UserRef::Id { id, username })
}

fn by_name(name: &str) -> Result<UserRef, String> {
    if name.contains([',', ';']) {
        return Err(format!(
            "{name:?} is no name; for CSV the first line has to name a column `user_id` or `username`"
        ));
    }
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("{name:?} is neither an id nor a name"));
    }
    Ok(UserRef::Name(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The users of a list of these bytes, or its first broken line.
    fn users(bytes: &[u8]) -> Result<Vec<UserRef>, String> {
        let mut found = Vec::new();
        read(bytes, &mut |line, user| found.push(user.map_err(|why| format!("{line:?}: {why}"))))
            .map_err(|why| why.to_string())?;
        found.into_iter().collect()
    }

    proptest::proptest! {
        /// Any file is a list, or says what is wrong with it.
        #[test]
        fn any_file_is_a_list_or_is_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = users(&bytes);
        }

        #[test]
        fn any_json_is_a_list_or_is_refused(text in "[\\[{]\\PC{0,60}") {
            let _ = users(text.as_bytes());
        }

        /// Whatever the format, the same ids come out.
        #[test]
        fn the_same_ids_come_out_of_every_format(ids in proptest::collection::vec("[0-9a-f]{24}", 1..20)) {
            let expected: Vec<_> = ids.iter().map(|id| UserRef::Id { id: id.clone(), username: None }).collect();
            let json = serde_json::to_string(&ids).unwrap();
            let rows: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id})).collect();
            let answer = serde_json::json!({"links": [], "results": rows, "totalCount": ids.len()}).to_string();
            for list in [
                ids.join("\n"),
                format!("# a comment\r\n{}\r\n", ids.join(" # another\r\n")),
                format!("user_id\n{}\n", ids.join("\n")),
                format!("\"name\";\"User_ID\"\n\"x\";\"{}\"", ids.join("\"\n\"x\";\"")),
                json,
                answer,
            ] {
                proptest::prop_assert_eq!(users(list.as_bytes()).unwrap(), expected.clone(), "{}", list);
            }
        }
    }
}
