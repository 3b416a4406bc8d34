//! What a list of users may look like: text, CSV or JSON, told apart by how it begins. None holds more than one user at a
//! time.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::UserRef;
use crate::model::{Origin, User};

#[derive(Clone, Copy)]
pub(super) enum Format {
    Text,
    Csv,
    Json,
}

/// By the first line: JSON starts with a bracket, CSV with a header that names one of our columns.
pub(super) fn detect(file: &mut File) -> io::Result<Format> {
    let mut start = Vec::new();
    Read::by_ref(file).take(4096).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    let text = String::from_utf8_lossy(&start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let header = text.lines().next().unwrap_or_default();
    let names = |column: &str| matches!(column_name(column).as_str(), "user_id" | "username");
    Ok(match text.chars().next() {
        Some('[' | '{') => Format::Json,
        _ if header.split([',', ';', '\t']).any(names) => Format::Csv,
        _ => Format::Text,
    })
}

fn column_name(column: &str) -> String {
    column.trim().trim_matches('"').trim().to_ascii_lowercase()
}

/// What one line gives; whoever takes it says whether to go on.
pub(super) type Take<'a> = dyn FnMut(u64, Result<UserRef, String>) -> bool + 'a;

pub(super) fn read(file: &File, format: Format, take: &mut Take) {
    let reader = BufReader::new(file);
    match format {
        Format::Text => read_text(reader, take),
        Format::Csv => read_csv(reader, take),
        Format::Json => read_json(reader, take),
    }
}

/// One id or name a line; `#` starts a comment, at the start of a line or after white space.
fn read_text(mut reader: impl BufRead, take: &mut Take) {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        match reader.read_until(b'\n', &mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(why) => {
                take(line, Err(why.to_string()));
                return;
            }
        }
        let listed = match std::str::from_utf8(&bytes) {
            Err(_) => Err("is not UTF-8".to_owned()),
            Ok(text) => match without_comment(text.trim_start_matches('\u{feff}')).trim() {
                "" => continue,
                user => listed(user),
            },
        };
        if !take(line, listed) {
            return;
        }
    }
}

fn without_comment(line: &str) -> &str {
    let comment = line
        .char_indices()
        .find(|&(at, c)| c == '#' && line[..at].chars().last().is_none_or(char::is_whitespace));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// Whether it is an id of the service rather than a name.
fn looks_like_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An id or a name.
pub(super) fn listed(text: &str) -> Result<UserRef, String> {
    if looks_like_id(text) { known(text, None) } else { named(text) }
}

fn known(id: &str, username: Option<&str>) -> Result<UserRef, String> {
    if !looks_like_id(id) {
        return Err(format!("{id:?} is no user id"));
    }
    let username = username.map(str::to_owned);
    Ok(UserRef::Known(User { id: id.to_ascii_lowercase(), username, origin: Origin::default() }))
}

fn named(name: &str) -> Result<UserRef, String> {
    if name.contains([',', ';']) {
        return Err(format!(
            "{name:?} is no name; for CSV the first line has to name a column `user_id` or `username`"
        ));
    }
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("{name:?} is neither an id nor a name"));
    }
    Ok(UserRef::Named(name.to_owned()))
}

fn either(id: Option<&str>, username: Option<&str>) -> Result<UserRef, String> {
    let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    match (given(id), given(username)) {
        (Some(id), username) => known(&id, username.as_deref()),
        (None, Some(username)) => named(&username),
        (None, None) => Err("neither an id nor a name".to_owned()),
    }
}

fn read_csv(mut reader: impl BufRead, take: &mut Take) {
    let delimiter = match reader.fill_buf() {
        Ok(start) => delimiter(start),
        Err(_) => b',',
    };
    let mut rows = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(reader);
    let column = |headers: &csv::StringRecord, name: &str| {
        headers.iter().position(|header| column_name(header.trim_start_matches('\u{feff}')) == name)
    };
    let headers = match rows.headers() {
        Ok(headers) => headers.clone(),
        Err(why) => {
            take(1, Err(why.to_string()));
            return;
        }
    };
    let (id, username) = (column(&headers, "user_id"), column(&headers, "username"));
    for row in rows.records() {
        let (line, listed) = match row {
            Ok(row) => {
                let field = |column: Option<usize>| column.and_then(|column| row.get(column));
                (row.position().map_or(0, csv::Position::line), either(field(id), field(username)))
            }
            Err(why) => (why.position().map_or(0, csv::Position::line), Err(csv_mistake(&why))),
        };
        if !take(line, listed) {
            return;
        }
    }
}

fn csv_mistake(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// Spreadsheets of half the world write `;`, and some write tabs.
fn delimiter(start: &[u8]) -> u8 {
    let header = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|delimiter| header.contains(delimiter)).unwrap_or(b',')
}

/// An array of ids, names or users, or the API's own list answer in any envelope.
fn read_json(reader: impl BufRead, take: &mut Take) {
    let mut skip_mark = reader;
    if skip_mark.fill_buf().is_ok_and(|start| start.starts_with("\u{feff}".as_bytes())) {
        skip_mark.consume(3);
    }
    let mut json = serde_json::Deserializer::from_reader(skip_mark);
    let mut users = JsonUsers { take, count: 0, stopped: false };
    let end = (&mut users).deserialize(&mut json).and_then(|()| json.end());
    let stopped = users.stopped;
    if let Err(why) = end
        && !stopped
    {
        let line = why.line() as u64;
        let text = why.to_string();
        // serde appends the place, which is told already.
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        take(line, Err(text.to_owned()));
    }
}

/// Takes users out of JSON as it is parsed, so that a list of a million needs no memory.
struct JsonUsers<'t, 'a> {
    take: &'t mut Take<'a>,
    count: u64,
    stopped: bool,
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
            let listed = match &user {
                JsonUser::Text(text) => listed(text.trim()),
                JsonUser::Object { id, user_id, username } => {
                    either(user_id.as_deref().or(id.as_deref()), username.as_deref())
                }
            };
            self.count += 1;
            // An error of the parser carries the line, which the row itself does not know.
            let taken = (self.take)(0, Ok(listed.map_err(A::Error::custom)?));
            if !taken {
                self.stopped = true;
                return Err(A::Error::custom("nobody listens"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let (mut total, mut listed, mut more) = (None::<u64>, false, false);
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "results" | "content" => {
                    fields.next_value_seed(&mut *self)?;
                    listed = true;
                }
                "totalCount" => total = fields.next_value()?,
                "links" => {
                    let links: Option<Vec<JsonLink>> = fields.next_value()?;
                    more = links.iter().flatten().any(|link| link.rel.as_deref() == Some("next"));
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        if !listed {
            return Err(A::Error::custom("neither an array nor a list answer: no `results`"));
        }
        match total {
            _ if more => Err(A::Error::custom(
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// What a list of these bytes comes to: its users, or its first broken line.
    fn users(bytes: &[u8]) -> Result<Vec<UserRef>, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let format = detect(&mut file).map_err(|why| why.to_string())?;
        let mut found = Vec::new();
        read(&file, format, &mut |line, listed| {
            found.push(listed.map_err(|why| format!("{line}: {why}")));
            true
        });
        found.into_iter().collect()
    }

    fn known(id: &str) -> UserRef {
        UserRef::Known(User { id: id.to_owned(), username: None, origin: Origin::default() })
    }

    proptest::proptest! {
        /// Foreign bytes: any file is a list, or says what is wrong with it.
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
            let expected: Vec<_> = ids.iter().map(|id| known(id)).collect();
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
