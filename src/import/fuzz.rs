//! What holds for any file of saved answers.

use std::collections::BTreeMap;
use std::io;

use super::Reading;
use super::documents::{self, SavedDocument};
use crate::model::{Product, ReadStatus};

/// A file of saved answers.
pub(crate) fn saved(bytes: &[u8]) {
    let text = documents::decoded(bytes.to_vec());
    let documents = documents::split(&text);
    let mut rest = text.as_slice();
    for document in &documents {
        let at = if document.body.is_empty() {
            0
        } else {
            document.body.as_ptr() as usize - rest.as_ptr() as usize
        };
        rest = &rest[at + document.body.len()..];
    }
    let in_order = statuses(documents);
    assert!(!in_order.is_empty(), "no user is clean without an answer");
    let mut reversed = documents::split(&text);
    reversed.reverse();
    assert_eq!(statuses(reversed), in_order);
}

/// What is known of each user and of each list that nothing can be known of, by name.
fn statuses(documents: Vec<SavedDocument>) -> BTreeMap<String, (ReadStatus, Vec<String>)> {
    let read = || {
        let mut reading = Reading::new()?;
        for document in documents {
            reading.add_answer(document, "answers", None)?;
        }
        let (mut saved, mut statuses) = (reading.end()?, BTreeMap::new());
        while let Some(list) = saved.next_incomplete_list()? {
            statuses.insert(list.source, (list.outcome.status, Vec::new()));
        }
        while let Some(result) = saved.next_user_result(Product::OpsManager)? {
            let mut keys: Vec<_> = result.keys.into_iter().map(|key| key.id.to_ascii_lowercase()).collect();
            keys.sort_unstable();
            statuses.insert(result.user.id.unwrap_or_default(), (result.outcome.status, keys));
        }
        Ok::<_, io::Error>(statuses)
    };
    read().expect("a temporary file")
}
