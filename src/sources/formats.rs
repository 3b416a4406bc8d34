//! What a list of users may look like: text, CSV or JSON, told apart by how it begins. None holds more than one user at a
//! time.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::num::NonZeroU64;

use encoding_rs_io::DecodeReaderBytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::UserRef;
use crate::input::{Lines, Rows, delimiter};
use crate::model::object_id;
use crate::spreadsheet;

/// What tells the formats apart, a header of hundreds of columns included, is within the first bytes.
const START: u64 = 1 << 18;
const DELIMITERS: &[u8] = b",;\t";
/// Some editors and spreadsheets begin a file with it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Of a list, from 1; `None` where the format has no lines.
pub(super) type LineNumber = Option<NonZeroU64>;

/// Takes a user and the line that names him, or what is wrong with the line.
pub(super) type EachUser<'a> = dyn FnMut(LineNumber, Result<UserRef, String>) + 'a;

/// Reads a list through, in whichever format it is; a mark at its start says whether it is UTF-16.
///
/// # Errors
/// Why it can't be read at all.
pub(super) fn read(list: impl Read, each: &mut EachUser) -> io::Result<()> {
    let mut list = DecodeReaderBytes::new(list);
    let mut start = Vec::new();
    list.by_ref().take(START).read_to_end(&mut start)?;
    if start.starts_with(BYTE_ORDER_MARK.to_string().as_bytes()) {
        start.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    let format = detect(&start);
    let list = BufReader::new(io::Cursor::new(start).chain(list));
    match format {
        Format::Text => read_text(list, each),
        Format::Csv { header, delimiter } => read_csv(list, header, delimiter, each),
        Format::Json => read_json(list, each),
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Format {
    /// One id or name a line.
    Text,
    /// With a header that names one of our columns.
    Csv {
        /// The line that it begins at, from 1.
        header: u64,
        delimiter: u8,
    },
    /// An array, or the API's own list answer.
    Json,
}

/// JSON starts with a bracket, CSV with a header that names one of our columns. Before the header there may be blank lines,
/// comments such as PowerShell's `#TYPE`, and a line such as `sep=;`, by which spreadsheets tell the delimiter.
fn detect(start: &[u8]) -> Format {
    if matches!(start.trim_ascii_start().first(), Some(b'[' | b'{')) {
        return Format::Json;
    }
    let mut named = None;
    let mut rest = start;
    for number in 1.. {
        let line = &rest[..memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())];
        let delimiter = named.unwrap_or_else(|| delimiter(rest, DELIMITERS));
        let text = line.trim_ascii();
        if has_our_column(rest, delimiter) && !text.is_empty() {
            return Format::Csv { header: number, delimiter };
        }
        match text {
            [] | [b'#', ..] => {}
            [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', sign] if named.is_none() => named = Some(*sign),
            _ => return Format::Text,
        }
        let end = if rest[line.len()..].starts_with(b"\r\n") { 2 } else { 1 };
        match rest.get(line.len() + end..) {
            Some(next) if !next.is_empty() => rest = next,
            Some(_) | None => return Format::Text,
        }
    }
    Format::Text
}

fn has_our_column(table: &[u8], delimiter: u8) -> bool {
    match Rows::new(Lines::new(table), delimiter).next() {
        Some(Ok(header)) => {
            header.cells.iter().any(|cell| matches!(&*column_name(cell), "user_id" | "username"))
        }
        Some(Err(_)) | None => false,
    }
}

/// One id or name a line, quoted where it holds blanks or a sign that parts columns; `#` starts a comment, at the start of a
/// line or after white space.
fn read_text(list: impl BufRead, each: &mut EachUser) {
    let (mut lines, mut bytes) = (Lines::new(list), Vec::new());
    loop {
        let line = match lines.next(&mut bytes) {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(why) => return each(None, Err(why.to_string())),
        };
        match std::str::from_utf8(&bytes) {
            Err(_) => each(NonZeroU64::new(line), Err("is not UTF-8".to_owned())),
            // Files that were put together have marks inside.
            Ok(text) => {
                let text = text.trim_start_matches(BYTE_ORDER_MARK).trim();
                if text.starts_with('"') {
                    each(NonZeroU64::new(line), quoted_name(text));
                } else {
                    match without_comment(text).trim() {
                        "" => {}
                        user => each(NonZeroU64::new(line), unquoted(user)),
                    }
                }
            }
        }
    }
}

fn without_comment(line: &str) -> &str {
    let comment = line
        .char_indices()
        .find(|&(at, c)| c == '#' && line[..at].chars().last().is_none_or(char::is_whitespace));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// A line of text that begins with a quote: a CSV field, and perhaps a comment behind it.
fn quoted_name(line: &str) -> Result<UserRef, String> {
    let name = line.strip_prefix('"').unwrap_or(line);
    let end = name.find('"').ok_or("a quote is left open")?;
    match without_comment(&name[end + 1..]).trim() {
        "" => id_or_name(&name[..end]),
        more => Err(format!("{more:?} is behind the closing quote")),
    }
}

fn read_csv(list: impl BufRead, header_line: u64, delimiter: u8, each: &mut EachUser) {
    let (mut lines, mut before) = (Lines::new(list), Vec::new());
    for _ in 1..header_line {
        if let Err(why) = lines.next(&mut before) {
            return each(None, Err(why.to_string()));
        }
    }
    let mut rows = Rows::new(lines, delimiter);
    let header = match rows.next() {
        Some(Ok(header)) => header,
        Some(Err(problem)) => return each(NonZeroU64::new(problem.line), Err(problem.why)),
        None => return,
    };
    let names: Vec<_> = header.cells.iter().map(|cell| column_name(cell)).collect();
    if let Some(user) =
        header.cells.iter().flat_map(|cell| cell.lines().skip(1)).find(|line| names_users(line))
    {
        let why = format!("the header goes on over {user:?}: a quote is left open");
        return each(NonZeroU64::new(header.line_break.unwrap_or(header.line)), Err(why));
    }
    // keys.csv neutralises what a spreadsheet would run.
    let is_ours = names.starts_with(&["deployment", "user_id", "username"].map(str::to_owned));
    let column = |name: &str| names.iter().position(|column| column == name);
    let (id, username) = (column("user_id"), column("username"));
    while let Some(row) = rows.next() {
        let row = match row {
            Ok(row) => row,
            Err(problem) => {
                each(NonZeroU64::new(problem.line), Err(problem.why));
                if problem.is_end {
                    return;
                }
                continue;
            }
        };
        let field =
            |column: Option<usize>| column.and_then(|column| row.cells.get(column)).map(String::as_str);
        let user = if let Some(line) = row.line_break {
            each(
                NonZeroU64::new(line),
                Err("a field goes on over the end of the line: is a quote left open?".to_owned()),
            );
            continue;
        } else if row.cells.len() != names.len() {
            Err(format!("{} fields, where the header has {}", row.cells.len(), names.len()))
        } else if is_ours {
            id_and_name(field(id), field(username).map(spreadsheet::unguard).as_deref())
        } else {
            id_and_name(field(id), field(username))
        };
        each(NonZeroU64::new(row.line), user);
    }
}

/// Whether a line inside a header's field looks like a row: then an open quote has swallowed it.
fn names_users(line: &str) -> bool {
    line.split([',', ';', '\t']).any(|cell| cell.contains('@') || object_id(cell.trim()).is_some())
}

fn column_name(header: &str) -> String {
    header.trim().trim_matches('"').trim().to_ascii_lowercase()
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
        let (mut total, mut has_rows, mut neighbour) = (None::<u64>, false, None);
        while let Some(field) = fields.next_key::<String>()? {
            match field.as_str() {
                "results" | "content" => {
                    fields.next_value_seed(&mut *self)?;
                    has_rows = true;
                }
                "totalCount" => total = fields.next_value()?,
                "links" => {
                    let links: Option<Vec<JsonLink>> = fields.next_value()?;
                    let mut links = links.into_iter().flatten().filter_map(|link| link.rel);
                    neighbour = links.find(|rel| matches!(rel.as_str(), "previous" | "next"));
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        if !has_rows {
            return Err(A::Error::custom("neither an array nor a list answer: no `results`"));
        }
        match total {
            _ if neighbour.is_some() => Err(A::Error::custom(format!(
                "a part of a list: its links name another page ({}); save all its pages",
                neighbour.unwrap_or_default()
            ))),
            Some(total) if total != self.count => Err(A::Error::custom(format!(
                "a part of a list: {} users of {total} (totalCount); save all its pages",
                self.count
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// An id or a name, whichever it looks like. A name may hold blanks and signs, as those of directory services do.
pub(super) fn id_or_name(text: &str) -> Result<UserRef, String> {
    object_id(text.trim()).map_or_else(|| by_name(text), |id| Ok(UserRef::Id { id, username: None }))
}

/// The same out of a line of text: what it holds beside a name is no name.
fn unquoted(text: &str) -> Result<UserRef, String> {
    if text.contains([',', ';']) {
        return Err(format!(
            "{text:?} is no name; for CSV the first line has to name a column `user_id` or `username`, and a name with \
             such a sign stands in double quotes"
        ));
    }
    if text.contains(char::is_whitespace) {
        return Err(format!(
            "{text:?} is neither an id nor a name; a name with blanks stands in double quotes"
        ));
    }
    id_or_name(text)
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
    let name = name.trim();
    if name.contains('\0') {
        return Err("holds NUL bytes, as UTF-16 without a mark does: save the file as UTF-8".to_owned());
    }
    if name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(format!("{name:?} holds a character that could not be decoded"));
    }
    if name.is_empty() || name.contains(char::is_control) {
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

    /// The names of a list, or its first problem as "LINE: why".
    fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        read(bytes, &mut |line, user| {
            found.push(match user {
                Ok(UserRef::Id { id, .. }) => Ok(id),
                Ok(UserRef::Name(name)) => Ok(name),
                Err(why) => Err(format!("{}: {why}", line.map_or(0, NonZeroU64::get))),
            });
        })
        .map_err(|why| why.to_string())?;
        found.into_iter().collect()
    }

    fn utf16(text: &str) -> Vec<u8> {
        "\u{feff}"
            .chars()
            .chain(text.chars())
            .collect::<String>()
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    }

    /// wonderwhy-er/DesktopCommanderMCP#610, openwall/john#2802, smart-mobile-software/gitstack#85, owncloud/pyocclient#85.
    #[test]
    fn lists_as_shells_spreadsheets_and_directories_write_them_are_read() {
        let wide = (0..300).map(|n| format!("\"Column {n}, with a comma\"")).collect::<Vec<_>>().join(",");
        let wide_row = |name: &str| format!("{}\"{name}\"", "x,".repeat(300));
        for (list, expected) in [
            (utf16("ann\r\nbob\r\n"), vec!["ann", "bob"]),
            (utf16("Name\tusername\r\nA B\tann\r\n"), vec!["ann"]),
            (b"sep=;\r\nusername;team\r\nann;a,b\r\n".to_vec(), vec!["ann"]),
            (b"#TYPE Selected.User\r\n\"team\",\"username\"\r\n\"x\",\"ann\"\r\n".to_vec(), vec!["ann"]),
            (b"\r\n\n  \nusername\nann\n\nbob\n".to_vec(), vec!["ann", "bob"]),
            (b"ann\rbob\r# c\rcid".to_vec(), vec!["ann", "bob", "cid"]),
            (b"username,team\rann,x\rbob,y\r".to_vec(), vec!["ann", "bob"]),
            (
                b"team,username\nx,B User\ny,\"CN=Ann Lee,OU=Ops\"\nz,CORP\\boris\n".to_vec(),
                vec!["B User", "CN=Ann Lee,OU=Ops", "CORP\\boris"],
            ),
            (
                b"\"B User\"\n\"CN=Ann,OU=Ops\" # why\nCORP\\boris\n".to_vec(),
                vec!["B User", "CN=Ann,OU=Ops", "CORP\\boris"],
            ),
            (b"\"full name\n(last, first)\",username\nx,ann\n".to_vec(), vec!["ann"]),
            (format!("{wide},username\n{}\n", wide_row("ann")).into_bytes(), vec!["ann"]),
            (b"deployment,user_id,username\nx,,'=ann\n".to_vec(), vec!["=ann"]),
            (b"user_id,username\n,'=ann\n".to_vec(), vec!["'=ann"]),
            (r#"["B User","CN=Ann,OU=Ops"]"#.into(), vec!["B User", "CN=Ann,OU=Ops"]),
        ] {
            assert_eq!(names(&list).unwrap(), expected, "{:?}", String::from_utf8_lossy(&list));
        }
    }

    /// BurntSushi/rust-csv#289, #252, sqlitebrowser/sqlitebrowser#542: users behind an open quote vanished without an error.
    #[test]
    fn an_open_quote_is_refused_where_it_began() {
        for (list, line) in [
            ("username,remark\nann,\"temp\nbob,ok\n", 2),
            ("username,remark\nann,x\nbob,\"temp\ncid,ok\ndan,until \"May\neve,ok\n", 3),
            ("username,remark\nann,\"temp\nbob,\"\ncid,x\n", 2),
            ("username,\"remark\nann@example.com,\"\nbob@example.com,x\n", 1),
            ("\"ann\nbob\n", 1),
            ("ann\n\"bob\" cid\n", 2),
        ] {
            let why = names(list.as_bytes()).unwrap_err();
            assert!(why.starts_with(&format!("{line}: ")), "{list:?}: {why}");
        }
    }

    /// akshaykarle/go-mongodbatlas#21: one page was taken for the whole list.
    #[test]
    fn a_page_of_a_list_is_not_the_list() {
        for rel in ["previous", "next"] {
            let page = format!(
                r#"{{"links":[{{"rel":"self"}},{{"rel":"{rel}"}}],"results":[{{"username":"ann"}}]}}"#
            );
            assert!(names(page.as_bytes()).unwrap_err().contains(rel), "{page}");
        }
    }

    #[test]
    fn text_that_was_not_decoded_is_no_name() {
        let unmarked: Vec<u8> = "ann\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(names(&unmarked).unwrap_err().contains("UTF-16 without a mark"));
        assert!(names(b"\xff\xfe\0\xd8\n\0").unwrap_err().contains("could not be decoded"));
    }
}
