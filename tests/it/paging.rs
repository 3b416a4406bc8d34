//! All pages of a list by number, whatever its totals, links, envelopes and rows are worth.

use serde_json::{Value, json};

use crate::stub::{Asked, Digest, Reply, Silent, Stub, USER, env, id, key, list};
use crate::support::{Row, TestEnv, count};

/// Pages of rows, `size` at most each, with what `links` and `totalCount` a closure adds.
fn paged(asked: &Asked, keys: &[Value], size: usize, dress: impl Fn(&mut Value, bool)) -> Reply {
    let pages: Vec<_> = keys.chunks(size).collect();
    let rows = pages.get(asked.page() - 1).copied().unwrap_or_default();
    let mut page = json!({"results": rows});
    dress(&mut page, asked.page() < pages.len());
    Reply::ok(&page)
}

/// What a run over the one user finds: its code, the user's own row if there is one, and the key rows.
fn audited(stub: &Stub) -> (i32, Option<Row>, Vec<Row>) {
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--user", USER]);
    assert!(ran.code < 5, "{ran:?}");
    split(&env, ran.code)
}

fn split(env: &TestEnv, code: i32) -> (i32, Option<Row>, Vec<Row>) {
    let (mut keys, mut own) = (Vec::new(), Vec::new());
    for row in env.rows() {
        assert_eq!(row["user_id"], USER);
        if row["key_id"].is_empty() { own.push(row) } else { keys.push(row) }
    }
    assert!(own.len() <= 1, "{own:?}");
    (code, own.pop(), keys)
}

/// Holds that this one answer is read as partial or malformed, with the keys of these numbers kept.
fn assert_unsound(body: Value, status: &str, kept: &[usize]) {
    let text = body.to_string();
    let mut end = list(&[]);
    end["totalCount"] = body["totalCount"].clone();
    let stub = Stub::start(Digest::On, move |asked| Reply::ok(if asked.page() == 1 { &body } else { &end }));
    let (code, own, keys) = audited(&stub);
    let own = own.unwrap_or_else(|| panic!("{text} has no row of its own"));
    assert_eq!(own["read_status"], status, "{text}");
    assert!(!own["reason"].is_empty(), "{text}");
    assert_eq!(code, if kept.is_empty() { 3 } else { 4 }, "{text}");
    let ids: Vec<_> = keys.iter().map(|row| row["key_id"].clone()).collect();
    assert_eq!(ids, kept.iter().map(|number| id(*number)).collect::<Vec<_>>(), "{text}");
    assert_eq!(count(&keys, "read_status", status), keys.len(), "{text}");
}

#[test]
fn pages_are_read_by_number_and_links_are_never_followed() {
    let elsewhere = Silent::start();
    let next = format!("{}/api/public/v1.0/users/{USER}/keys?pageNum=2", elsewhere.origin());
    let keys: Vec<_> = (1..=1203).map(|number| key(number, "ci")).collect();
    let stub = Stub::start(Digest::On, move |asked| {
        let asked_for = asked.query.split('&').find_map(|pair| pair.strip_prefix("itemsPerPage="));
        let size = asked_for.map_or(100, |size| size.parse::<usize>().unwrap());
        assert!(size <= 500, "more than 500 a page is undocumented");
        paged(asked, &keys, size, |page, more| {
            page["totalCount"] = keys.len().into();
            let rel = if more { "next" } else { "previous" };
            let own = next.replace("=2", &format!("={}", asked.page()));
            page["links"] = json!([{"rel": "self", "href": own}, {"rel": rel, "href": next}]);
        })
    });
    let (code, own, keys) = audited(&stub);
    assert_eq!((code, own, keys.len()), (1, None, 1203));
    let mut ids: Vec<_> = keys.iter().map(|row| row["key_id"].clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1203);
    assert!(elsewhere.saw_nobody());
    let pages: Vec<_> = stub.asked().iter().map(Asked::page).collect();
    assert_eq!(pages, [1, 2, 3, 4, 5], "pages of 250");
}

#[test]
fn a_server_of_smaller_pages_is_read_to_its_end() {
    for (links, totals) in [(true, true), (true, false), (false, true)] {
        let keys: Vec<_> = (1..=250).map(|number| key(number, "ci")).collect();
        let stub = Stub::start(Digest::On, move |asked| {
            paged(asked, &keys, 100, |page, more| {
                if totals {
                    page["totalCount"] = keys.len().into();
                }
                if links {
                    let rel = if more { "next" } else { "previous" };
                    page["links"] = json!([{"rel": rel, "href": "?"}, {"href": "?", "rel": "self"}]);
                }
            })
        });
        let (code, own, keys) = audited(&stub);
        assert_eq!((code, own, keys.len()), (1, None, 250), "links: {links}, totals: {totals}");
    }
}

/// RFC 8288: a relation is the same in upper and lower case, and one link may have several.
#[test]
fn relations_of_links_are_read_in_any_case() {
    for (next, own) in [("next", "self"), ("NEXT", "Self"), ("next last", "SELF first")] {
        let keys: Vec<_> = (1..=250).map(|number| key(number, "ci")).collect();
        let stub = Stub::start(Digest::On, move |asked| {
            paged(asked, &keys, 100, |page, more| {
                let rel = if more { next } else { "previous" };
                page["links"] = json!([{"rel": rel, "href": "?"}, {"href": "?", "rel": own}]);
            })
        });
        let (code, row, keys) = audited(&stub);
        assert_eq!((code, row, keys.len()), (1, None, 250), "{next}");
        let other = format!("http://om.example/api/public/v1.0/users/{}/keys?pageNum=1", id(9));
        assert_unsound(
            json!({"results": [], "totalCount": 0, "links": [{"rel": own, "href": other}]}),
            "malformed",
            &[],
        );
    }
}

#[test]
fn a_list_without_links_and_totals_is_read_on_and_never_complete() {
    let keys: Vec<_> = (1..=700).map(|number| key(number, "ci")).collect();
    let stub = Stub::start(Digest::On, move |asked| paged(asked, &keys, 500, |_, _| {}));
    let (code, own, keys) = audited(&stub);
    let own = own.expect("the user has a row of his own");
    assert_eq!((code, own["read_status"].as_str(), keys.len()), (4, "partial", 700));
}

#[test]
fn totals_that_do_not_add_up_are_partial_and_keys_are_kept() {
    let rows = [key(1, "a"), key(2, "b"), key(3, "c")];
    for total in [2, 4, 0, 1000] {
        let mut page = list(&rows);
        page["totalCount"] = total.into();
        assert_unsound(page, "partial", &[1, 2, 3]);
    }
    let mut nothing = list(&[]);
    nothing["totalCount"] = 2.into();
    assert_unsound(nothing, "partial", &[]);
}

#[test]
fn an_empty_page_in_the_middle_is_partial() {
    let stub = Stub::start(Digest::On, |asked| match asked.page() {
        1 => Reply::ok(
            &json!({"results": [key(1, "a")], "totalCount": 2, "links": [{"rel": "next", "href": "?"}]}),
        ),
        _ => Reply::ok(&json!({"results": [], "totalCount": 2, "links": []})),
    });
    let (code, own, keys) = audited(&stub);
    assert_eq!((code, own.unwrap()["read_status"].as_str(), keys.len()), (4, "partial", 1));
}

#[test]
fn an_empty_page_that_says_more_follows_is_not_the_end() {
    for first in [vec![], vec![key(1, "a")]] {
        let kept = first.len();
        let stub = Stub::start(Digest::On, move |asked| match asked.page() {
            1 => Reply::ok(&json!({"results": first, "links": [{"rel": "next", "href": "?"}]})),
            2 => Reply::ok(&json!({"results": [], "links": [{"rel": "next", "href": "?"}]})),
            3 => Reply::ok(&json!({"results": [key(9, "z")], "links": []})),
            _ => Reply::ok(&json!({"results": [], "links": []})),
        });
        let (code, own, keys) = audited(&stub);
        let all = own.is_none() && keys.len() == kept + 1;
        let is_partial = code >= 3 && own.as_ref().is_some_and(|row| row["read_status"] == "partial");
        assert!(all || is_partial, "{code}: {own:?} and {} keys", keys.len());
    }
}

#[test]
fn a_page_that_fails_keeps_the_pages_before_it() {
    let stub = Stub::start(Digest::On, |asked| match asked.page() {
        1 => Reply::ok(
            &json!({"results": [key(1, "a")], "totalCount": 2, "links": [{"rel": "next", "href": "?"}]}),
        ),
        _ => Reply::error(500, "UNEXPECTED_ERROR"),
    });
    let (code, own, keys) = audited(&stub);
    let own = own.unwrap();
    assert_eq!((code, own["http_status"].as_str(), keys.len()), (4, "500", 1), "{own:?}");
    assert!(["error", "partial"].contains(&own["read_status"].as_str()), "{own:?}");
}

#[test]
fn a_server_that_gives_the_same_page_for_ever_is_partial() {
    for total in [json!(null), json!(2), json!(1_000_000)] {
        let page = json!({"results": [key(1, "a"), key(2, "b")], "links": [{"rel": "next", "href": "?"}], "totalCount": total});
        let stub = Stub::start(Digest::On, move |_| Reply::ok(&page));
        let (code, own, keys) = audited(&stub);
        assert_eq!((code, keys.len()), (4, 2), "{total}");
        assert_eq!(own.unwrap()["read_status"], "partial", "{total}");
        assert!(stub.asked().len() <= 101, "{total}: {} requests", stub.asked().len());
    }
}

#[test]
fn repeated_keys_are_dropped_and_others_may_be_missing() {
    for total in [json!(3), json!(4), json!(null)] {
        let count = total.clone();
        let stub = Stub::start(Digest::On, move |asked| match asked.page() {
            1 => Reply::ok(&json!({"results": [key(1, "a"), key(2, "b")], "totalCount": count,
                "links": [{"rel": "next", "href": "?"}]})),
            _ => Reply::ok(&json!({"results": [key(2, "b"), key(3, "c")], "totalCount": count, "links": []})),
        });
        let (code, own, keys) = audited(&stub);
        assert_eq!((code, keys.len()), (4, 3), "totalCount {total}");
        assert_eq!(own.unwrap()["read_status"], "partial", "totalCount {total}");
    }
}

#[test]
fn a_list_is_read_out_of_every_envelope() {
    let keys = [key(1, "a"), key(2, "b")];
    for body in [
        json!({"results": keys, "totalCount": 2}),
        json!({"status": 200, "links": [], "results": keys, "totalCount": 2}),
        json!({"status": 200, "content": keys, "totalCount": 2}),
        json!({"status": 200, "content": {"links": [], "results": keys, "totalCount": 2}}),
        json!({"totalCount": 2, "new": {"deep": [1]}, "links": null, "results": keys}),
    ] {
        let text = body.to_string();
        let stub = Stub::start(Digest::On, move |_| Reply::ok(&body));
        let (code, own, keys) = audited(&stub);
        assert_eq!((code, own, keys.len()), (1, None, 2), "{text}");
    }
}

#[test]
fn an_error_in_an_envelope_is_no_empty_list() {
    let error =
        json!({"detail": "No", "error": 401, "errorCode": "NOT_SELF", "parameters": [], "reason": "No"});
    let mut flat = error.clone();
    flat["status"] = 401.into();
    for body in [json!({"status": 401, "content": error}), flat] {
        assert_unsound(body, "forbidden", &[]);
    }
}

#[test]
fn any_field_but_the_id_may_be_missing_or_null() {
    let fields = ["createdAt", "description", "enabled", "lastUsed", "obfuscatedKey", "usedCount", "userId"];
    let bare = json!({"id": id(1)});
    let mut null = bare.clone();
    for field in fields {
        null[field] = Value::Null;
    }
    for key in [bare, null] {
        let stub = Stub::of_keys(vec![key]);
        let (code, own, keys) = audited(&stub);
        assert_eq!((code, own, keys.len()), (1, None, 1));
        for column in
            ["key_suffix", "description", "enabled", "created_at", "age_days", "last_used", "used_count"]
        {
            assert_eq!(keys[0][column], "", "{column}");
        }
        // Unknown use is not no use, and a key that does not say may be in force.
        let judged = ["verdict", "severity", "action"].map(|column| keys[0][column].as_str());
        assert_eq!(judged, ["usage-unknown", "medium", "investigate"]);
    }
    for field in fields {
        let mut one = key(1, "ci");
        one.as_object_mut().unwrap().remove(field);
        one["somethingNew"] = json!({"of": ["tomorrow"]});
        let stub = Stub::of_keys(vec![one]);
        let (code, own, keys) = audited(&stub);
        assert_eq!((code, own, keys.len()), (1, None, 1), "without {field}");
    }
}

/// pandas-dev/pandas#57224, #28335: a table program writes 7.0 for 7, and texts for what is none.
#[test]
fn an_unreadable_row_is_malformed_and_the_others_are_kept() {
    let good = key(1, "a");
    for broken in [
        json!({"description": "no id"}),
        json!({"id": null, "description": "no id"}),
        json!({"id": "", "description": "no id"}),
        json!({"id": 7}),
        json!({"id": id(2), "lastUsed": "yesterday"}),
        json!({"id": id(2), "usedCount": "often"}),
        json!({"id": id(2), "usedCount": 7.0}),
        json!({"id": id(2), "usedCount": "7"}),
        json!({"id": id(2), "enabled": "true"}),
        json!({"id": id(2), "lastUsed": ""}),
        json!("a text"),
        json!(null),
        json!([]),
    ] {
        assert_unsound(list(&[good.clone(), broken]), "malformed", &[1]);
    }
}

#[test]
fn a_key_of_another_user_is_malformed() {
    let mut foreign = key(2, "b");
    foreign["userId"] = "5af9a1d29cc0cdb6ac0bf3f9".into();
    let stub = Stub::of_keys(vec![key(1, "a"), foreign]);
    let (code, own, keys) = audited(&stub);
    assert_eq!((code, own.unwrap()["read_status"].as_str()), (4, "malformed"));
    assert!(keys.iter().any(|row| row["key_id"] == id(1)));
}
