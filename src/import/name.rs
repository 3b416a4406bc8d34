//! Whom the name of a file speaks of, for answers that don't say it themselves.

use std::path::Path;

use percent_encoding::percent_decode_str;

use crate::model::object_id;

/// What a file's name and its folder's name say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Ids in the file's own name, in lower case, none twice.
    pub(super) ids: Vec<String>,
    /// A username, where the name is an e-mail address.
    pub(super) username: Option<String>,
    /// The id in the name of its folder, which may be a user's or an organization's.
    pub(super) folder: Option<String>,
}

impl Named {
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
        let folder = path.parent().and_then(Path::file_name).map(std::ffi::OsStr::to_string_lossy);
        let folder = folder.and_then(|folder| match ids(&folder).as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        });
        Self { ids: ids(&name), username: username(&name), folder }
    }

    /// Whether the file's own name speaks of somebody.
    pub(super) fn is_somebody(&self) -> bool {
        !self.ids.is_empty() || self.username.is_some()
    }
}

/// Every run of exactly 24 hexadecimal digits.
fn ids(name: &str) -> Vec<String> {
    let mut ids: Vec<_> = name.split(|c: char| !c.is_ascii_hexdigit()).filter_map(object_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Endings that tell of what is in a file, not of whom.
const ENDINGS: [&str; 9] =
    [".json", ".txt", ".http", ".out", ".log", ".body", ".response", ".headers", ".html"];

/// An e-mail address, perhaps percent-encoded, with or without an ending and a page's number.
fn username(name: &str) -> Option<String> {
    let decoded = percent_decode_str(name).decode_utf8().ok()?;
    let mut stem = decoded.trim();
    loop {
        let lower = stem.to_ascii_lowercase();
        let ending = ENDINGS.iter().find(|ending| lower.ends_with(**ending)).map_or(0, |ending| ending.len());
        let shorter = without_page(&stem[..stem.len() - ending]);
        if shorter.len() == stem.len() {
            break;
        }
        stem = shorter;
    }
    let (local, domain) = stem.split_once('@')?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | '/' | '\\');
    let sound =
        !local.is_empty() && !domain.is_empty() && local.chars().all(plain) && domain.chars().all(plain);
    sound.then(|| stem.to_owned())
}

/// Without `-2`, `_p2`, `.page2`, `-page-2` or ` (2)` behind an e-mail address, whose last part is never a number.
fn without_page(stem: &str) -> &str {
    const MARKS: [char; 3] = ['-', '_', '.'];
    let unbracketed = stem.strip_suffix(')').unwrap_or(stem);
    let digitless = unbracketed.trim_end_matches(|c: char| c.is_ascii_digit());
    if digitless.len() == unbracketed.len() {
        return stem;
    }
    if unbracketed.len() < stem.len() {
        return digitless.strip_suffix('(').map_or(stem, str::trim_end);
    }
    let rest = digitless.trim_end_matches(MARKS);
    for word in ["page", "p", "Page", "P"] {
        if let Some(rest) = rest.strip_suffix(word).and_then(|rest| rest.strip_suffix(MARKS)) {
            return rest;
        }
    }
    if rest.len() < digitless.len() { rest } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5af9a1d29cc0cdb6ac0bf3f8";

    #[test]
    fn an_id_is_found_anywhere_in_the_name() {
        for name in [
            ID,
            "5af9a1d29cc0cdb6ac0bf3f8.json",
            "keys-5AF9A1D29CC0CDB6AC0BF3F8_2.json",
            "user5af9a1d29cc0cdb6ac0bf3f8",
        ] {
            let named = Named::of(Path::new(name));
            assert_eq!((named.ids, named.folder), (vec![ID.to_owned()], None), "{name}");
        }
        let longer = Named::of(Path::new("05af9a1d29cc0cdb6ac0bf3f8.json"));
        assert_eq!(longer, Named::default(), "a longer number is another");
        let two = Named::of(Path::new(
            "000000000000000000000001/5af9a1d29cc0cdb6ac0bf3f8_000000000000000000000002.json",
        ));
        assert_eq!((two.ids.len(), two.folder.as_deref()), (2, Some("000000000000000000000001")));
    }

    #[test]
    fn a_username_is_an_address_without_endings_and_numbers() {
        for name in [
            "ann+ci@example.com",
            "ann+ci@example.com.json",
            "ann%2Bci%40example.com.json",
            "ann+ci@example.com-p2.json",
            "ann+ci@example.com_2.JSON",
            "ann+ci@example.com.page2.txt",
            "ann+ci@example.com-page-2",
            "ann+ci@example.com.2.json",
            "ann+ci@example.com (2).json",
            "ann+ci@example.com.json.1",
            "x/ann+ci@example.com.out.txt",
        ] {
            assert_eq!(Named::of(Path::new(name)).username.as_deref(), Some("ann+ci@example.com"), "{name}");
        }
        for (name, expected) in [
            ("ann_2@example.com.json", "ann_2@example.com"),
            ("root@localhost", "root@localhost"),
            ("ann@team.shop.json", "ann@team.shop"),
            ("ann@page.json", "ann@page"),
        ] {
            assert_eq!(Named::of(Path::new(name)).username.as_deref(), Some(expected), "{name}");
        }
        for name in
            ["page1.json", "ann.json", "@.json", "a@b@c.json", "a b@c.json", "%ff@x.json", "", "%00@x"]
        {
            assert_eq!(Named::of(Path::new(name)).username, None, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_speaks_of_somebody_or_nobody(name in "\\PC{0,60}") {
            let _ = Named::of(Path::new(&name));
        }
    }
}
