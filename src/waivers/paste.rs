//! The entry that would waive something, to be pasted into the file and completed by a person.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::Target;

const ANY_PATH: &str = "**";

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
        Target::Key(id) => ("key", id.as_str()),
        Target::User(user) => ("user", user.as_str()),
        Target::Organization(organization) => ("organization", organization.as_str()),
        Target::Path => ("path", ANY_PATH),
    };
    // Writing to a string can't fail.
    let _ = write!(
        entry,
        "[[waiver]]\n\
         {field} = {}\n\
         reason = \"\"  # fill in: why the exception is accepted, and what ends it\n\
         owner = \"\"  # fill in: who is responsible\n\
         expires = {expires}  # the last valid day (UTC), at most a year ahead\n\
         # ticket = \"\"  # where the exception was approved, if anywhere\n",
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::waivers::Waivers;

    fn read(text: &str) -> Result<Waivers, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Waivers::read(file.path(), day("2025-01-15")).map_err(|why| why.to_string())
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// As somebody completes it.
    fn filled(entry: &str) -> String {
        entry.replace("\nreason = \"\"", "\nreason = \"r\"").replace("\nowner = \"\"", "\nowner = \"o\"")
    }

    #[test]
    fn it_is_what_the_docs_show() {
        let entry = entry_to_paste(
            &Target::Key("5af9a1d29cc0cdb6acdca6d5".to_owned()),
            day("2025-03-31"),
            "key of ann@example.com\nci\u{1b}[31m\r\n",
        );
        assert_eq!(
            entry,
            "# key of ann@example.com\n\
             # ci\\u{1b}[31m\n\
             [[waiver]]\n\
             key = \"5af9a1d29cc0cdb6acdca6d5\"\n\
             reason = \"\"  # fill in: why the exception is accepted, and what ends it\n\
             owner = \"\"  # fill in: who is responsible\n\
             expires = 2025-03-31  # the last valid day (UTC), at most a year ahead\n\
             # ticket = \"\"  # where the exception was approved, if anywhere\n"
        );
    }

    #[test]
    fn it_is_refused_until_a_person_has_filled_it_in() {
        let entry = entry_to_paste(&Target::User("ann".to_owned()), day("2025-03-31"), "");
        let why = read(&entry).map(|_| ()).unwrap_err();
        assert!(
            why.contains(":3: reason: the value is empty") && why.contains(":4: owner: the value is empty"),
            "{why}"
        );
        assert_eq!(read(&filled(&entry)).unwrap().iter().count(), 1);
        assert!(read(&entry.replace("reason = \"\"", "reason = \"r\"")).is_err());
        assert!(read(&filled(&entry).replace("# ticket", "ticket")).is_err());
    }

    proptest! {
        #[test]
        fn any_name_and_comment_read_back_to_the_same_target(
            name in prop_oneof![
                "[\"'\\\\\n\r\t#=\\[\\]\u{0}\u{1b}\u{7f}\u{85}\u{2028}\u{202e}\u{feff}a]{0,12}",
                any::<String>(),
            ],
            comment in any::<String>(),
        ) {
            let target = Target::User(format!("x{name}").to_lowercase());
            let entry = entry_to_paste(&target, day("2025-03-31"), &comment);
            prop_assert!(!entry.contains(|c: char| c != '\n' && is_invisible(c)), "{:?}", entry);
            let read = read(&filled(&entry)).map_err(TestCaseError::fail)?;
            let targets: Vec<_> = read.iter().map(|waiver| waiver.target.clone()).collect();
            prop_assert_eq!(targets, [target]);
            prop_assert_eq!(read.iter().next().map(|waiver| waiver.expires), Some(day("2025-03-31")));
        }

        #[test]
        fn a_key_reads_back_too(id in "[0-9a-f]{24}") {
            let target = Target::Key(id.clone());
            let read = read(&filled(&entry_to_paste(&target, day("2025-03-31"), ""))).map_err(TestCaseError::fail)?;
            prop_assert_eq!(read.of_key(&id, "prod").map(|waiver| &waiver.target), Some(&target));
        }
    }
}
