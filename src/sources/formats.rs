//! The formats of a list of users: text, CSV or JSON, recognized by how it begins. None holds more than one user at a time.

mod json;

use std::io::{self, BufRead, Read};
use std::num::NonZeroU64;

use super::UserRef;
use crate::input::{Lines, ListFormat, TableRow, TableRows, column_name};
use crate::model::object_id;
use crate::printable::masked;
use crate::spreadsheet;

/// Some editors and spreadsheets begin a file with it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Of a list, from 1; `None` where the format has no lines.
pub(super) type LineNumber = Option<NonZeroU64>;

/// Called with each user and the line that names him, or with what is wrong with the line.
pub(super) type EachUser<'a> = dyn FnMut(LineNumber, Result<UserRef, String>) + 'a;

/// Reads a list through, in whichever format it is; a mark at its start says whether it is UTF-16.
///
/// # Errors
/// Why it can't be read at all.
pub(super) fn read(list: impl Read, each: &mut EachUser) -> io::Result<()> {
    let (format, list) = ListFormat::open(list, |column| matches!(column, "user_id" | "username"))?;
    match format {
        ListFormat::Text => read_text(list, each),
        ListFormat::Csv { header, delimiter } => read_csv(list, header, delimiter, each),
        ListFormat::Json => json::read(list, each),
    }
    Ok(())
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
            Err(_) => each(NonZeroU64::new(line), Err("not UTF-8; save the file as UTF-8".to_owned())),
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
    let end = name.find('"').ok_or("the closing quote is missing")?;
    match without_comment(&name[end + 1..]).trim() {
        "" => id_or_name(&name[..end]),
        more => Err(format!("unexpected {more:?} after the closing quote")),
    }
}

fn read_csv(list: impl BufRead, header_line: u64, delimiter: u8, each: &mut EachUser) {
    let (mut lines, mut before) = (Lines::new(list), Vec::new());
    for _ in 1..header_line {
        if let Err(why) = lines.next(&mut before) {
            return each(None, Err(why.to_string()));
        }
    }
    let mut rows = TableRows::new(lines, delimiter);
    let header = match rows.next() {
        Some(Ok(header)) => header,
        Some(Err(problem)) => return each(NonZeroU64::new(problem.line), Err(problem.why)),
        None => return,
    };
    let names: Vec<_> = header.cells.iter().map(|cell| column_name(cell)).collect();
    if let Some(user) =
        header.cells.iter().flat_map(|cell| cell.lines().skip(1)).find(|line| names_users(line))
    {
        let why = format!("the header includes the line {user:?}; the closing quote is missing");
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
        if let Some(line) = row.line_break.filter(|_| !(is_ours && is_one_row(&row, delimiter))) {
            each(
                NonZeroU64::new(line),
                Err("a field continues on the next line; the closing quote may be missing".to_owned()),
            );
            continue;
        }
        let user = if row.cells.len() != names.len() {
            Err(format!("{} fields, but the header has {}", row.cells.len(), names.len()))
        } else if is_ours {
            let [id, username] = [id, username].map(|column| field(column).map(spreadsheet::unguard));
            let has_no_user = [&id, &username].iter().all(|it| it.as_deref().is_none_or(str::is_empty));
            if has_no_user {
                Err(INCOMPLETE.to_owned())
            } else {
                id_and_name(id.as_deref(), username.as_deref())
            }
        } else {
            id_and_name(field(id), field(username))
        };
        each(NonZeroU64::new(row.line), user);
    }
}

/// What a row of `keys.csv` without a user is.
const INCOMPLETE: &str = "the row of an incomplete list or run: this report does not have all users; \
                          audit again with --resume, or remove the row if these users are enough";

/// Whether no line inside a field of a keys.csv is a row, with a user ID as its second cell: then an open quote has swallowed
/// it. A description may have line breaks; other lists are edited by hand, and an open quote is more likely there.
fn is_one_row(row: &TableRow, delimiter: u8) -> bool {
    let is_row = |line: &str| {
        line.split(char::from(delimiter)).nth(1).is_some_and(|id| object_id(id.trim()).is_some())
    };
    !row.cells.iter().flat_map(|cell| cell.lines().skip(1)).any(is_row)
}

/// Whether a line inside a header's field looks like a row: then an open quote has swallowed it.
fn names_users(line: &str) -> bool {
    line.split([',', ';', '\t']).any(|cell| cell.contains('@') || object_id(cell.trim()).is_some())
}

/// An id or a name, whichever it looks like. A name may hold blanks and signs, as those of directory services do.
pub(super) fn id_or_name(text: &str) -> Result<UserRef, String> {
    object_id(text.trim()).map_or_else(|| by_name(text), |id| Ok(UserRef::Id { id, username: None }))
}

/// The same out of a line of text: what it holds beside a name is no name.
fn unquoted(text: &str) -> Result<UserRef, String> {
    if text.contains([',', ';']) {
        return Err(format!(
            "{text:?} is not a username: put a name with `,` or `;` in double quotes; a CSV file needs a header with a \
             column `user_id` or `username`"
        ));
    }
    if text.contains(char::is_whitespace) {
        return Err(format!(
            "{text:?} is neither a user ID nor a username; put a name with spaces in double quotes"
        ));
    }
    id_or_name(text)
}

/// From a column or field for each; either may be missing or empty.
fn id_and_name(id: Option<&str>, username: Option<&str>) -> Result<UserRef, String> {
    let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    match (given(id), given(username)) {
        // Beside an ID, such a name is of no use.
        (Some(id), username) => by_id(&id, username.filter(|name| not_a_key(name).is_ok())),
        (None, Some(username)) => by_name(&username),
        (None, None) => Err("neither a user ID nor a username".to_owned()),
    }
}

fn by_id(id: &str, username: Option<String>) -> Result<UserRef, String> {
    let id = object_id(id).ok_or_else(|| format!("{id:?} is not a user ID (24 hexadecimal digits)"))?;
    Ok(UserRef::Id { id, username })
}

fn by_name(name: &str) -> Result<UserRef, String> {
    let name = name.trim();
    if name.contains('\0') {
        return Err("NUL bytes, as in UTF-16 without a byte order mark; save the file as UTF-8".to_owned());
    }
    if name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(format!("{name:?} contains a character that can't be decoded; save the file as UTF-8"));
    }
    if name.is_empty() || name.contains(char::is_control) {
        return Err(format!("{name:?} is neither a user ID nor a username"));
    }
    not_a_key(name)?;
    Ok(UserRef::Name(name.to_owned()))
}

/// A name goes into addresses of requests and into every report, where a key must not be.
pub(super) fn not_a_key(text: &str) -> Result<(), String> {
    let shown = masked(text);
    if shown == text {
        return Ok(());
    }
    Err(format!(
        "{shown:?} has the shape of a whole key, and was not used; if it is a username, give the user ID instead"
    ))
}

#[cfg(test)]
mod tests;
