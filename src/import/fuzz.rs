//! What holds for any file of saved answers.

use std::collections::BTreeMap;

use super::SavedAnswers;
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
    let mut saved = SavedAnswers::read(&[]).expect("a temporary file");
    saved.responses.files.push("answers".to_owned());
    for document in documents {
        saved.add_answer(document, None).expect("a temporary file");
    }
    let lists: Vec<_> =
        saved.incomplete_lists().map(|list| (list.source, (list.outcome.status, Vec::new()))).collect();
    let users = saved.user_results(Product::OpsManager).map(|result| {
        let mut keys: Vec<_> = result.keys.into_iter().map(|key| key.id.to_ascii_lowercase()).collect();
        keys.sort_unstable();
        (result.user.id.unwrap_or_default(), (result.outcome.status, keys))
    });
    users.chain(lists).collect()
}
