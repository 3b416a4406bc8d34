//! Every pair of statuses that a user can have in two runs, and the keys with them.

use super::super::summary::tests::complete;
use super::*;
use crate::model::{Origin, Outcome};

fn key(id: &str) -> PersonalKey {
    PersonalKey { id: id.to_owned(), enabled: Some(true), used_count: Some(1), ..PersonalKey::default() }
}

fn reading(status: ReadStatus, keys: &[&str]) -> UserResult {
    UserResult {
        user: User {
            id: Some("5af9a1d29cc0cdb6ac0bf3f8".to_owned()),
            username: None,
            origin: Origin::default(),
        },
        keys: keys.iter().copied().map(key).collect(),
        outcome: Outcome { status, http_status: None, error_code: None, detail: None },
        attempts: 1,
        read_at: None,
    }
}

/// Two runs; whether each was whole, and whether they asked for the same users.
fn pair(before_whole: bool, after_whole: bool, same: bool) -> RunPair {
    let mut pair = RunPair {
        before: complete(1, "2025-01-01T00:00:00Z", 1),
        after: complete(2, "2025-01-08T00:00:00Z", 1),
    };
    pair.before.stats.incomplete_lists = u64::from(!before_whole);
    pair.after.stats.incomplete_lists = u64::from(!after_whole);
    if !same {
        pair.after.run.settings.sources = vec!["user ann".to_owned()];
    }
    pair
}

/// Absent from the run, or in it with any status.
fn statuses() -> impl Iterator<Item = Option<ReadStatus>> + Clone {
    std::iter::once(None).chain(ReadStatus::ALL.iter().copied().map(Some))
}

#[test]
fn what_could_not_be_seen_is_neither_new_nor_gone() {
    let is_complete = |status: Option<ReadStatus>| status.is_some_and(ReadStatus::is_complete);
    for (was, is) in statuses().flat_map(|was| statuses().map(move |is| (was, is))) {
        for bits in 0..8 {
            let (before_whole, after_whole, same) = (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
            let pair = pair(before_whole, after_whole, same);
            // One key in the earlier run alone, one in the later run alone, one in both.
            let before = was.map(|was| reading(was, &["a", "c"]));
            let after = is.map(|is| reading(is, &["b", "c"]));
            let changes = pair.changes(before.as_ref(), after.as_ref());
            let of = |id: &str| -> Vec<ChangeKind> {
                let of_key = |change: &&Change| change.key.is_some_and(|versions| versions.newest().id == id);
                changes.iter().filter(of_key).map(|change| change.kind).collect()
            };
            let described = format!("{was:?} {is:?} {before_whole} {after_whole} {same}: {changes:?}");

            let missing = match is {
                Some(_) if is_complete(is) => ChangeKind::Went,
                None if after_whole && same => ChangeKind::LeftWithUser,
                Some(_) | None => ChangeKind::Unknown,
            };
            assert_eq!(of("a"), was.map(|_| missing).into_iter().collect::<Vec<_>>(), "{described}");
            let new = if is_complete(was) { ChangeKind::Came } else { ChangeKind::FirstSeen };
            assert_eq!(of("b"), is.map(|_| new).into_iter().collect::<Vec<_>>(), "{described}");
            let in_both = match (was, is) {
                (Some(_), None) => vec![missing],
                (None, Some(_)) => vec![ChangeKind::FirstSeen],
                (Some(_), Some(_)) | (None, None) => vec![],
            };
            assert_eq!(of("c"), in_both, "{described}");

            let users: Vec<_> = changes.iter().filter(|it| it.key.is_none()).map(|it| it.kind).collect();
            let expected = match (was, is) {
                (None, None) => None,
                (None, Some(_)) if before_whole && same => Some(ChangeKind::UserCame),
                (None, Some(_)) => Some(ChangeKind::UserFirstSeen),
                (Some(_), None) if after_whole && same => Some(ChangeKind::UserWent),
                (Some(_), None) => Some(ChangeKind::UserUnknown),
                (Some(_), Some(_)) if is_complete(was) == is_complete(is) => None,
                (Some(_), Some(_)) if is_complete(was) => Some(ChangeKind::BecameUnreadable),
                (Some(_), Some(_)) => Some(ChangeKind::BecameReadable),
            };
            assert_eq!(users, expected.into_iter().collect::<Vec<_>>(), "{described}");
        }
    }
}

#[test]
fn a_key_may_be_both_disabled_and_used() {
    let before = reading(ReadStatus::Read, &["a"]);
    let mut after = reading(ReadStatus::Read, &["a"]);
    after.keys[0].enabled = Some(false);
    after.keys[0].used_count = Some(15);
    let pair = pair(true, true, true);
    let changes = pair.changes(Some(&before), Some(&after));
    let described: Vec<_> = changes.iter().map(|change| (change.kind, change.why.as_str())).collect();
    let expected = [
        (ChangeKind::Disabled, "disabled"),
        (ChangeKind::Used, "14 calls in 7.0 days, 2.00 a day; last use unknown"),
    ];
    assert_eq!(described, expected);
}

#[test]
fn an_unknown_enabled_state_counts_as_enabled() {
    let with = |enabled| {
        let mut one = reading(ReadStatus::Read, &["a"]);
        one.keys[0].enabled = enabled;
        one
    };
    for (was, is, change) in [
        (Some(true), Some(false), Some(ChangeKind::Disabled)),
        (None, Some(false), Some(ChangeKind::Disabled)),
        (Some(false), Some(true), Some(ChangeKind::Enabled)),
        (Some(false), None, Some(ChangeKind::Enabled)),
        (Some(true), None, None),
        (None, Some(true), None),
    ] {
        let (before, after) = (with(was), with(is));
        let pair = pair(true, true, true);
        let changes = pair.changes(Some(&before), Some(&after));
        assert_eq!(changes.first().map(|change| change.kind), change, "{was:?} {is:?}");
    }
}
