//! What holds for any `keys.csv`.

use chrono::DateTime;

use super::KeyList;
use crate::input::Problems;
use crate::waivers::Waivers;

/// A file of `locate --keys`.
pub(crate) fn keys_csv(bytes: &[u8]) {
    let mut problems = Problems::new("keys.csv");
    let mut list = KeyList { now: DateTime::UNIX_EPOCH, ..KeyList::default() };
    list.read(bytes, &Waivers::default(), &mut problems);
    assert!(list.keys.iter().all(|key| !key.id.is_empty() && key.suffix.as_str().len() == 12));
}
