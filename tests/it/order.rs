//! The order of `keys.csv`: deployment, username, user id, creation, key id, whatever the order of answers.

use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, env, id, key, list};
use crate::support::Row;

const ORG: &str = "5980000000000000000000aa";

fn place(row: &Row) -> [String; 5] {
    ["deployment", "username", "user_id", "created_at", "key_id"].map(|column| row[column].clone())
}

/// Audits these users, all of whom have these keys, and returns where each row stands.
fn places(users: Vec<Value>, keys: Vec<Value>, at_once: &str) -> Vec<[String; 5]> {
    let stub = Stub::start(Digest::On, move |asked| {
        Reply::ok(&list(if asked.path.starts_with("/orgs") { &users } else { &keys }))
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--org", ORG, "--name", "east", "--concurrency", at_once]);
    assert_eq!(ran.code, 1, "{ran:?}");
    env.rows().iter().map(place).collect()
}

/// A key that says neither whose it is nor, where there is none, when it was made.
fn made(number: usize, created: Option<&str>) -> Value {
    let mut key = key(number, "ci");
    key.as_object_mut().unwrap().remove("userId");
    key["createdAt"] = created.map_or(Value::Null, Value::from);
    key
}

#[test]
fn keys_of_a_user_are_sorted_by_creation_then_by_id() {
    let keys = vec![
        made(1, Some("2019-03-01T00:00:00Z")),
        made(2, Some("2018-12-31T23:59:59Z")),
        made(6, Some("2019-01-01T00:00:00Z")),
        made(5, Some("2019-01-01T01:00:00+01:00")),
        made(9, None),
        made(8, None),
    ];
    let users = vec![json!({"id": id(70), "username": "ann@example.com"})];
    let places = places(users, keys, "1");
    let order: Vec<_> = places.iter().map(|place| place[4].clone()).collect();
    assert_eq!(order, [8, 9, 2, 5, 6, 1].map(id));
}

#[test]
fn users_are_sorted_by_name_then_by_id() {
    let names =
        [Some("b"), Some("a"), None, Some("B"), Some("é"), Some("a"), Some("a b"), Some("=a"), Some("z")];
    let users: Vec<_> =
        names.iter().enumerate().map(|(at, name)| json!({"id": id(90 - at), "username": name})).collect();
    let keys = vec![made(2, Some("2018-01-01T00:00:00Z")), made(1, Some("2019-01-01T00:00:00Z"))];
    let mut backwards = users.clone();
    backwards.reverse();
    let one = places(users, keys.clone(), "1");
    let other = places(backwards, keys, "16");
    assert_eq!(one, other);
    assert_eq!(one.len(), 2 * names.len());
    let unguarded = |place: &[String; 5]| {
        let mut place = place.clone();
        place[1] = place[1].trim_start_matches('\'').to_owned();
        place
    };
    assert!(one.iter().map(unguarded).is_sorted(), "{one:#?}");
}
