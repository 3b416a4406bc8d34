//! What holds for any list of users.

use super::UserRef;
use super::formats::{self, LineNumber};
use crate::model::object_id;

/// A list of users.
pub(crate) fn user_list(bytes: &[u8]) {
    let whole = read(bytes);
    for user in whole.iter().filter_map(|(_, user)| user.as_ref().ok()) {
        match user {
            UserRef::Id { id, .. } => assert_eq!(object_id(id).as_ref(), Some(id)),
            UserRef::Name(name) => assert!(!name.is_empty() && !name.contains(char::is_control), "{name:?}"),
        }
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    // It has a mark already, or begins as one of UTF-16 does.
    if !text.starts_with('\u{feff}') {
        let marked = format!("\u{feff}{text}");
        assert_eq!(read(marked.as_bytes()), whole);
        let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&wide), whole);
    }
}

fn read(bytes: &[u8]) -> Vec<(LineNumber, Result<UserRef, String>)> {
    let mut users = Vec::new();
    formats::read(bytes, &mut |line, user| users.push((line, user))).expect("bytes in memory");
    users
}
