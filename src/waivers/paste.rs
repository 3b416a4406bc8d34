//! The entry that would waive something, to be pasted into the file and completed by a person.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::Target;

/// The entry to paste that would waive this target until `expires`, as TOML, with `comment` above it.
///
/// What only a person can say is left empty, and [`Waivers::read`](super::Waivers::read) refuses it until it is filled in.
/// Whatever is in the name or the comment, nothing invisible comes out, and no line that the caller did not mean.
#[must_use]
pub fn entry_to_paste(target: &Target, expires: NaiveDate, comment: &str) -> String {
    let mut entry = String::new();
    for line in comment.lines() {
        entry.push_str("# ");
        for c in line.chars() {
            if is_invisible(c) {
                entry.extend(c.escape_unicode());
            } else {
                entry.push(c);
            }
        }
        entry.truncate(entry.trim_end().len());
        entry.push('\n');
    }
    let (field, value) = match target {
        Target::Key(id) => ("key", id),
        Target::User(user) => ("user", user),
    };
    // Writing to a string can't fail.
    let _ = write!(
        entry,
        "[[waiver]]\n\
         {field} = {}\n\
         reason = \"\"  # fill in: why it is accepted, and what ends it\n\
         owner = \"\"  # fill in: who answers for it\n\
         expires = {expires}  # the last day on which it counts (UTC), at most a year ahead\n\
         # ticket = \"\"  # where it was agreed on, if anywhere\n",
        basic_string(value)
    );
    entry
}

/// A basic string of TOML, in one line and with nothing invisible in it.
fn basic_string(text: &str) -> String {
    let mut string = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => string.extend(['\\', c]),
            c if is_invisible(c) => {
                let _ = write!(string, "\\U{:08X}", u32::from(c));
            }
            c => string.push(c),
        }
    }
    string.push('"');
    string
}

/// What Rust would escape, but for the marks that it escapes for its own sake.
fn is_invisible(c: char) -> bool {
    !matches!(c, '"' | '\'' | '\\') && c.escape_debug().next() == Some('\\')
}
