use std::cell::Cell;

use serde::Deserializer;

use super::page::MOST_UNREADABLE;
use super::*;

const KEY: &str = r#"{"createdAt":"2018-05-14T14:45:22Z","description":"ci","enabled":true,
    "id":"5af9a1d29cc0cdb6acdca6d5","lastUsed":"2018-05-14T14:45:23Z",
    "obfuscatedKey":"********-****-****-92732876eeae","usedCount":7,"userId":"5af9a1d29cc0cdb6ac0bf3f8"}"#;

fn keys(body: &str) -> Page<Key> {
    Page::read(body.as_bytes()).unwrap()
}

#[test]
fn a_page_is_read_out_of_every_envelope() {
    for body in [
        format!(r#"{{"links":[{{"href":"x","rel":"next"}}],"results":[{KEY}],"totalCount":3}}"#),
        format!(r#"{{"totalCount":3,"status":200,"results":[{KEY}],"links":[{{"rel":"next"}}]}}"#),
        format!(r#"{{"status":200,"content":[{KEY}],"totalCount":3,"links":[{{"rel":"next"}}]}}"#),
        format!(
            r#"{{"status":200,"content":{{"results":[{KEY}],"totalCount":3,"links":[{{"rel":"next"}}]}}}}"#
        ),
    ] {
        let page = keys(&body);
        assert_eq!((page.rows.len(), page.total, page.has_next), (1, Some(3), true), "{body}");
        assert!(page.unreadable_row.is_none());
    }
}

#[test]
fn a_key_with_nothing_but_an_id_is_a_key_of_unknown_use() {
    for key in
        [r#"{"id":"a"}"#, r#"{"id":"a","lastUsed":null,"usedCount":null,"enabled":null,"createdAt":null}"#]
    {
        let page = keys(&format!(r#"{{"results":[{key}]}}"#));
        let key = page.rows.into_iter().next().unwrap().into_model(|_| false);
        assert_eq!((key.last_used, key.used_count, key.enabled, key.created_at), (None, None, None, None));
    }
}

#[test]
fn times_are_cut_to_the_second_in_utc() {
    let read = |time: &str| {
        let page = keys(&format!(r#"{{"results":[{{"id":"a","lastUsed":"{time}"}}]}}"#));
        let key = page.rows.into_iter().next().unwrap().into_model(|_| false);
        key.last_used.map(|time| time.to_rfc3339())
    };
    for time in ["2021-02-28T23:59:59.999Z", "2021-03-01T01:59:59+02:00", "2021-03-01T01:59:59.5+0200"] {
        assert_eq!(read(time).as_deref(), Some("2021-02-28T23:59:59+00:00"), "{time}");
    }
}

#[test]
fn an_unreadable_row_is_reported_and_the_others_are_kept() {
    let page =
        keys(&format!(r#"{{"results":[{KEY},{{"id":"b","lastUsed":"yesterday"}},{KEY}],"totalCount":3}}"#));
    assert_eq!(page.rows.len(), 2);
    let why = page.unreadable_row.unwrap();
    assert!(why.starts_with("row 2 of a page: ") && why.contains("\"yesterday\""), "{why}");
}

#[test]
fn rubbish_is_counted_and_not_parsed_row_by_row() {
    thread_local!(static PARSED: Cell<usize> = const { Cell::new(0) });
    struct Unreadable;
    impl<'de> Deserialize<'de> for Unreadable {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            PARSED.set(PARSED.get() + 1);
            Err(D::Error::custom("no"))
        }
    }
    let body = format!(r#"{{"results":[{}]}}"#, vec!["1"; 100_000].join(","));
    let page = Page::<Unreadable>::read(body.as_bytes()).unwrap();
    // The first time as a page that has nothing wrong with it.
    assert_eq!((page.left_out, PARSED.get()), (100_000, 1 + MOST_UNREADABLE));
}

#[test]
fn rows_are_the_same_read_together_or_each_alone() {
    let page = format!(
        r#"{{"results":[{KEY},{{"id":"b"}}],"totalCount":7,"links":[{{"rel":"self","href":"http://a/v1.0/x?pageNum=2"}}]}}"#
    );
    for body in
        [&page, &format!(r#"{{"status":200,"content":{page}}}"#), &format!(r#"{{"content":[{KEY}]}}"#)]
    {
        let together = Page::<Key>::from_body::<false>(body.as_bytes()).unwrap();
        assert!(together == Page::from_body::<true>(body.as_bytes()).unwrap(), "{body}");
        assert!(together == keys(body) && !together.rows.is_empty(), "{body}");
    }
    for wrong in [r#"{"results":[1]}"#, r#"{"results":{}}"#, r#"{"links":[]}"#, r#"{"results":[],"error":1}"#]
    {
        assert!(Page::<Key>::from_body::<false>(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn a_single_thing_says_nothing_beside_itself() {
    let read = |body: &str| single::<Account>(body.as_bytes()).map(|account| account.id().to_owned());
    for body in [
        r#"{"id":"a","username":"ann"}"#,
        r#"{"status":200,"content":{"id":"a"}}"#,
        r#"{"id":"a","links":[]}"#,
    ] {
        assert_eq!(read(body).as_deref(), Ok("a"), "{body}");
    }
    for body in [
        r#"{"id":"a","error":500}"#,
        r#"{"id":"a","errorCode":"X"}"#,
        r#"{"id":"a","content":{"id":"b"}}"#,
        r#"{"status":404,"content":{"id":"a"}}"#,
        r#"{"status":200,"content":{"id":"a","error":500}}"#,
        r#"{"content":{"content":{"id":"a"}}}"#,
        r#"{"id":"../a"}"#,
        r#"{"id":"a","id":"b"}"#,
    ] {
        assert!(read(body).is_err(), "{body}");
    }
}

#[test]
fn a_body_that_is_no_page_is_refused() {
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        "null",
        r#"{"results":null}"#,
        r#"{"results":{}}"#,
        r#"{"results":[],"totalCount":-1}"#,
    ] {
        assert!(Page::<Key>::read(body.as_bytes()).is_err(), "{body}");
    }
    let deep = "[".repeat(100_000);
    assert!(Page::<Key>::read(deep.as_bytes()).is_err());
}

#[test]
fn an_error_document_is_read_bare_wrapped_or_not_at_all() {
    let bare = ErrorDocument::read(br#"{"detail":"d","error":404,"errorCode":"USER_NOT_FOUND"}"#);
    assert_eq!(bare.error_code.as_deref(), Some("USER_NOT_FOUND"));
    let wrapped = ErrorDocument::read(br#"{"status":404,"content":{"errorCode":"USER_NOT_FOUND"}}"#);
    assert_eq!((wrapped.error_code.as_deref(), wrapped.status), (Some("USER_NOT_FOUND"), Some(404)));
    for other in [&b"<html>"[..], br#"["USER_NOT_FOUND"]"#, br#"{"status":404,"content":["USER_NOT_FOUND"]}"#]
    {
        assert!(ErrorDocument::read(other).error_code.is_none());
    }
}

proptest::proptest! {
    /// Any body is a page or is refused.
    #[test]
    fn any_body_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = (Page::<Key>::read(&bytes), single::<Account>(&bytes), ErrorDocument::read(&bytes));
    }

    /// A true page, cut at any byte, is never taken for a whole one.
    #[test]
    fn a_page_cut_short_is_refused(at in 0_usize..280) {
        let body = format!(r#"{{"links":[],"results":[{KEY}],"totalCount":1}}"#);
        proptest::prop_assume!(at < body.len());
        proptest::prop_assert!(Page::<Key>::read(&body.as_bytes()[..at]).is_err());
    }

    /// One byte of a page replaced: still read or refused, and never more keys than there were.
    #[test]
    fn a_page_with_a_wrong_byte_is_read_or_refused(at in 0_usize..280, byte: u8) {
        let mut body = format!(r#"{{"links":[],"results":[{KEY}],"totalCount":1}}"#).into_bytes();
        proptest::prop_assume!(at < body.len());
        body[at] = byte;
        if let Ok(page) = Page::<Key>::read(&body) {
            proptest::prop_assert!(page.rows.len() <= 1);
        }
    }
}
