//! The worlds: random, or read from a file.

use std::collections::BTreeSet;
use std::io::Write;

use keysunset_sandbox::{ExpectedKey, ExpectedUser, Options, Product, Sandbox};

use super::{Client, announced, example, start, time};

#[test]
fn the_same_seed_and_day_give_the_same_world() {
    let world = |seed, clock| -> Vec<ExpectedUser> {
        start(|options| (options.seed, options.clock) = (seed, Some(time(clock)))).ground_truth().collect()
    };
    let one = world(1, "2026-06-01T12:00:00Z");
    assert_eq!(one, world(1, "2026-06-01T23:59:59Z"));
    assert_ne!(one, world(1, "2026-06-02T00:00:00Z"));
    assert_ne!(one, world(2, "2026-06-01T12:00:00Z"));
}

#[test]
fn the_random_world_has_every_state_of_a_key() {
    let sandbox = start(|options| options.users = 2_000);
    let (now, cutoff) = (time("2026-06-01T12:00:00Z"), time("2021-03-01T00:00:00Z"));
    let keys: Vec<ExpectedKey> = sandbox.ground_truth().flat_map(|user| user.keys).collect();
    let share = |wanted: &dyn Fn(&ExpectedKey) -> bool| {
        keys.iter().filter(|key| wanted(key)).count() * 100 / keys.len()
    };
    let days = |key: &ExpectedKey| key.last_used.map(|used| (now - used).num_days());
    assert!((10..40).contains(&share(&|key| !key.enabled)));
    assert!((10..40).contains(&share(&|key| key.used_count == Some(0) && key.last_used.is_none())));
    assert!((10..40).contains(&share(&|key| key.last_used.is_some_and(|used| used < cutoff))));
    assert!((10..40).contains(&share(&|key| key.last_used >= Some(cutoff) && days(key) > Some(90))));
    assert!((10..40).contains(&share(&|key| days(key) <= Some(90) && key.last_used.is_some())));
    assert!((1..10).contains(&share(&|key| key.last_used.is_none() && key.used_count > Some(0))));
    assert!((0..5).contains(&share(&|key| key.used_count.is_none())));
    assert!(keys.iter().any(|key| key.used_count.is_none()));
    assert!(keys.iter().any(|key| key.last_used == Some(cutoff)));
    for key in &keys {
        assert!(key.created >= time("2016-01-01T00:00:00Z") && key.created < time("2019-07-30T00:00:00Z"));
        assert!(key.last_used.is_none_or(|used| key.created <= used && used < now), "{key:?}");
    }
    for awkward in ["=HYPERLINK(", "|", "<script>", "\n", "🚀", "](http://", ","] {
        assert!(keys.iter().any(|key| key.description.contains(awkward)), "{awkward}");
    }
    assert!(keys.iter().any(|key| key.description.is_empty()));
    let counts: BTreeSet<usize> = sandbox.ground_truth().map(|user| user.keys.len()).collect();
    assert!(counts.contains(&0) && counts.contains(&10) && counts.iter().all(|count| *count <= 10));
}

#[test]
fn ids_names_and_suffixes_are_unique() {
    let sandbox = start(|options| options.users = 5_000);
    let users: Vec<ExpectedUser> = sandbox.ground_truth().collect();
    let mut seen = BTreeSet::new();
    for user in &users {
        assert!(seen.insert(user.id.clone()) && seen.insert(user.username.clone()), "{user:?}");
        for key in &user.keys {
            assert!(seen.insert(key.id.clone()) && seen.insert(key.suffix.clone()), "{key:?}");
            assert_eq!((key.id.len(), key.suffix.len()), (24, 12));
        }
        assert_eq!(user.id.len(), 24);
    }
}

#[test]
fn no_time_is_after_the_set_clock() {
    let clock = time("2018-01-01T00:00:00Z");
    let sandbox = start(|options| options.clock = Some(clock));
    for key in sandbox.ground_truth().flat_map(|user| user.keys) {
        assert!(key.created < clock && key.last_used.is_none_or(|used| used < clock), "{key:?}");
    }
}

#[tokio::test]
async fn a_million_users_start_at_once() {
    let sandbox = start(|options| options.users = 1_000_000);
    let client = announced(&sandbox);
    let org = &sandbox.announcement().org_id;
    let last = client.read(&format!("/orgs/{org}/users?pageNum=10000")).await;
    assert_eq!(last["totalCount"], 1_000_000);
    let user = sandbox.expected_user(999_999).unwrap();
    assert_eq!(last["results"][99]["id"], user.id);
    let name = user.username.replace('+', "%2B");
    assert_eq!(client.read(&format!("/users/byName/{name}")).await["id"], user.id);
    assert_eq!(client.read(&format!("/users/{}/keys", user.id)).await["totalCount"], user.keys.len());
    Client::new(&sandbox, sandbox.credential_for(999_999)).read(&format!("/users/{}/keys", user.id)).await;
}

#[tokio::test]
async fn a_change_leaves_the_rest_of_the_world() {
    let sandbox = start(|_| {});
    let before: Vec<ExpectedUser> = sandbox.ground_truth().collect();
    let (index, user) = (0..).zip(&before).find(|(_, user)| !user.keys.is_empty()).unwrap();
    let client = Client::new(&sandbox, sandbox.credential_for(index));
    client.call("DELETE", &format!("/users/{}/keys/{}", user.id, user.keys[0].id), None).await;
    let mut expected = before.clone();
    expected[usize::try_from(index).unwrap()].keys.remove(0);
    assert_eq!(sandbox.ground_truth().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_address() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    client.read("/orgs").await;
    let address = client.origin.strip_prefix("http://").unwrap().parse().unwrap();
    sandbox.stop();
    assert!(client.http.get(&client.origin).send().await.is_err());
    let again = start(|options| options.listen = address);
    announced(&again).read("/orgs").await;
}

#[tokio::test]
async fn the_example_world_is_announced_by_its_most_powerful_key() {
    for (product, public) in [(Product::OpsManager, "zmmrboas"), (Product::Atlas, "qkdwpfhe")] {
        let sandbox = example(|options| options.product = product);
        let announcement = sandbox.announcement();
        assert_eq!((announcement.public_key.as_str(), announcement.users), (public, 4));
        assert_eq!(announcement.org_id, "5980cfdf0b6d97029d82f86e");
        announced(&sandbox).read(&format!("/orgs/{}/users", announcement.org_id)).await;
    }
}

/// The error of a sandbox with this world.
fn start_error(world: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(world.as_bytes()).unwrap();
    let options = Options { world: Some(file.path().to_owned()), ..Options::default() };
    let error = Sandbox::start(options).unwrap_err().to_string();
    assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    error
}

#[test]
fn a_wrong_world_file_is_refused_with_place_and_reason() {
    let good =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sandbox-world.json")).unwrap();
    for (from, to, expected) in [
        ("\"users\": [", "\"people\": [", "unknown field `people`"),
        ("\"enabled\": true,", "\"enabled\": 1,", "line 34 column"),
        ("\"usedCount\": 7,", "\"useCount\": 7,", "unknown field `useCount`"),
        ("2018-05-14T14:45:22Z", "yesterday", "line"),
        ("5af9a1d29cc0cdb6ac0bf3f8", "5AF9", "users[0].id: `5AF9` is not 24 lower-case hexadecimal digits"),
        (
            "5af9a1d29cc0cdb6acce1c30",
            "5af9a1d29cc0cdb6acdca6d5",
            "users[0].keys[1].id: 5af9a1d29cc0cdb6acdca6d5 is there twice",
        ),
        ("o'neil@example.com", "ann@example.com", "users[3].username: ann@example.com is there twice"),
        ("3d0d4b6e-5f1c", "3d0d4b6e5f1c", "users[0].keys[0].key: not a UUID"),
        ("\"ORG_READ_ONLY\"", "\"GROUP_READ_ONLY\"", "users[3].roles[0]: GROUP_READ_ONLY is no role there"),
        (
            "\"publicKey\": \"zmmrboas\"",
            "\"publicKey\": \"ZMMR\"",
            "programmaticKeys[0].publicKey: not 8 lower-case",
        ),
        (
            "\"madeBy\": \"chiara@",
            "\"madeBy\": \"carla@",
            "programmaticKeys[3].madeBy: no user carla@example.com",
        ),
        (
            "\"teamId\": \"5c0ffee0c0ffee0c0ffee0c0\"",
            "\"teamId\": \"5c0ffee0c0ffee0c0ffee0c1\"",
            "projects[1].teams[0].teamId: no team 5c0ffee0c0ffee0c0ffee0c1 in the project's organization",
        ),
        (
            "\"GROUP_DATA_ACCESS_READ_WRITE\"",
            "\"ORG_OWNER\"",
            "projects[1].teams[0].roleNames[0]: ORG_OWNER is no",
        ),
        (
            "\"orgId\": \"5980cfdf0b6d97029d82f86e\" }],",
            "\"orgId\": \"5b2a3c4d5e6f708192a3b4c5\" }],",
            "users[1].teamIds[0]: no team 5c0ffee0c0ffee0c0ffee0c0 in an organization of this user",
        ),
        (
            "\"publicKey\": \"qkdwpfhe\",\n      \"remoteAddress\"",
            "\"remoteAddress\"",
            "events[1]: an event needs the `username` of a user or the `publicKey` of a programmatic key",
        ),
        (
            "\"groupId\": \"5991a2b3c4d5e6f708192a3c\",\n      \"publicKey\"",
            "\"groupId\": \"5b2a3c4d5e6f708192a3b4d6\",\n      \"publicKey\"",
            "events[1].groupId: no project 5b2a3c4d5e6f708192a3b4d6 in that organization",
        ),
        ("203.0.113.0/24", "203.0.113.0/99", "`203.0.113.0/99` is neither an IP address nor a CIDR block"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = start_error(&good.replacen(from, to, 1));
        assert!(error.contains(expected), "{error}\nlacks {expected}");
    }
    let two = start_error(&good.replacen("5af9a1d29cc0cdb6ac0bf3f8", "x", 1).replacen("zmmrboas", "y", 1));
    assert!(two.contains("users[0].id") && two.contains("programmaticKeys[0].publicKey"), "{two}");
    assert!(start_error(r#"{"organizations":[],"users":[]}"#).contains("organizations: there is none"));
    assert!(start_error("").contains("line 1 column 0"));
}

#[test]
fn wrong_options_are_refused_at_the_start() {
    let error = |change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        Sandbox::start(options).unwrap_err().to_string()
    };
    assert!(error(|options| options.users = 0).contains("not 0"));
    assert!(error(|options| options.service_version = "new".into()).contains("`new`"));
    assert!(error(|options| options.service_version = "4.4.1\n2".into()).contains("no service version"));
    assert!(
        error(|options| options.world = Some("/nowhere/world.json".into())).contains("/nowhere/world.json")
    );
    assert!(error(|options| options.listen = "192.0.2.1:80".parse().unwrap()).contains("192.0.2.1:80"));
}
