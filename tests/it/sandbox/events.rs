//! The events of organizations and projects.

use std::collections::BTreeSet;
use std::net::IpAddr;

use keysunset_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use super::{
    Client, ORG, OTHER_ORG, PRODUCTION, PRODUCTS, STAGING, announced, chiara, example, field, rows, start,
    start_product,
};

fn names(list: &Value) -> Vec<&str> {
    rows(list).iter().map(|event| field(event, "eventTypeName")).collect()
}

/// The example world, at one version.
fn version(version: &str) -> Sandbox {
    example(|options: &mut Options| version.clone_into(&mut options.service_version))
}

#[tokio::test]
async fn an_event_has_its_author_address_and_target() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let url = &sandbox.announcement().url;
    let href = |path: &str| json!([{ "href": format!("{url}{path}"), "rel": "self" }]);
    let list = client.read(&format!("/orgs/{ORG}/events")).await;
    let by_key = json!({
        "apiKeyId": "5c47505f20eef5699e1cce8e",
        "created": "2019-02-18T12:29:49Z",
        "eventTypeName": "USER_ROLES_CHANGED_AUDIT",
        "groupId": STAGING,
        "id": "5c6aa53d9cc0cdb6ac0bf702",
        "isGlobalAdmin": false,
        "links": href(&format!("/orgs/{ORG}/events/5c6aa53d9cc0cdb6ac0bf702")),
        "orgId": ORG,
        "publicKey": "qkdwpfhe",
        "remoteAddress": "127.0.0.1",
        "targetUsername": "boris+ops@example.com",
    });
    let by_user = json!({
        "created": "2019-02-01T08:00:00Z",
        "eventTypeName": "API_KEY_WHITELIST_ENTRY_ADDED",
        "id": "5c5400809cc0cdb6ac0bf701",
        "isGlobalAdmin": true,
        "links": href(&format!("/orgs/{ORG}/events/5c5400809cc0cdb6ac0bf701")),
        "orgId": ORG,
        "remoteAddress": "203.0.113.7",
        "targetPublicKey": "bvhtlmka",
        "userId": "5af9a1d29cc0cdb6ac0bf3f8",
        "username": "ann@example.com",
        "whitelistEntry": "203.0.113.0/24",
    });
    assert_eq!((&list["results"], &list["totalCount"]), (&json!([by_key, by_user]), &json!(2)));
    assert_eq!(client.read(&format!("/orgs/{ORG}/events/5c5400809cc0cdb6ac0bf701")).await, by_user);

    let path = format!("/groups/{STAGING}/events/5c6aa53d9cc0cdb6ac0bf702");
    let mut of_group = by_key.clone();
    of_group["links"] = href(&path);
    assert_eq!(client.read(&path).await, of_group);
    let list = client.read(&format!("/groups/{STAGING}/events")).await;
    assert_eq!((&list["results"], &list["totalCount"]), (&json!([of_group]), &json!(1)));
    for path in [format!("/groups/{PRODUCTION}/events"), format!("/orgs/{OTHER_ORG}/events")] {
        assert_eq!(client.read(&path).await["totalCount"], 0, "{path}");
    }
}

#[tokio::test]
async fn events_are_filtered_by_type_and_time() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let (roles, entry) = ("USER_ROLES_CHANGED_AUDIT", "API_KEY_WHITELIST_ENTRY_ADDED");
    for (query, expected) in [
        (format!("eventType={roles}"), vec![roles]),
        (format!("eventType={roles}&eventType={entry}"), vec![roles, entry]),
        ("eventType=JOINED_TEAM".to_owned(), vec![]),
        ("minDate=2019-02-18T12:29:49Z".to_owned(), vec![roles]),
        ("minDate=2019-02-18T12:29:50Z".to_owned(), vec![]),
        ("maxDate=2019-02-01T08:00:00Z".to_owned(), vec![entry]),
        ("maxDate=2019-02-01T07:59:59Z".to_owned(), vec![]),
        ("minDate=2019-02-01&maxDate=2019-02-02".to_owned(), vec![entry]),
        ("minDate=2019-02-18T12:29:49".to_owned(), vec![roles]),
        ("minDate=2019-02-18T13:29:49%2B01:00".to_owned(), vec![roles]),
        ("minDate=2019-02-18T13:29:49+01:00".to_owned(), vec![roles]),
        ("includeRaw=true".to_owned(), vec![roles, entry]),
        ("itemsPerPage=1&pageNum=2".to_owned(), vec![entry]),
    ] {
        let list = client.read(&format!("/orgs/{ORG}/events?{query}")).await;
        assert_eq!(names(&list), expected, "{query}");
    }
    for query in ["minDate=yesterday", "maxDate=", "maxDate=2019-13-01", "includeRaw=x"] {
        let reply = client.get(&format!("/orgs/{ORG}/events?{query}")).await;
        assert_eq!(reply.refusal(), (400, "INVALID_QUERY_PARAMETER".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn events_are_for_who_may_see_the_place() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let chiara = chiara(&sandbox);
    for (path, code) in [
        (format!("/orgs/{ORG}/events"), "USER_CANNOT_ACCESS_ORG"),
        (format!("/orgs/{ORG}/events/5c5400809cc0cdb6ac0bf701"), "USER_CANNOT_ACCESS_ORG"),
        (format!("/groups/{STAGING}/events"), "NOT_IN_GROUP"),
    ] {
        assert_eq!(chiara.get(&path).await.refusal(), (401, code.to_owned()), "{path}");
    }
    for (path, code) in [
        (format!("/orgs/{OTHER_ORG}/events/5c5400809cc0cdb6ac0bf701"), "EVENT_NOT_FOUND"),
        (format!("/groups/{STAGING}/events/5c5400809cc0cdb6ac0bf701"), "EVENT_NOT_FOUND"),
        ("/orgs/ffffffffffffffffffffffff/events".to_owned(), "ORG_NOT_FOUND"),
        ("/groups/ffffffffffffffffffffffff/events".to_owned(), "GROUP_NOT_FOUND"),
    ] {
        assert_eq!(client.get(&path).await.refusal(), (404, code.to_owned()), "{path}");
    }
    assert_eq!(client.call("DELETE", &format!("/orgs/{ORG}/events"), None).await.status, 405);
}

#[tokio::test]
async fn each_change_of_a_key_is_an_event() {
    for (number, list) in [("4.4.12", "WHITELIST"), ("6.0.3", "ACCESS_LIST")] {
        let sandbox = version(number);
        let client = announced(&sandbox);
        let org = format!("/orgs/{ORG}/apiKeys");
        let body = r#"{"desc":"x","roles":["ORG_MEMBER"]}"#;
        let key = client.call("POST", &org, Some(body)).await.json();
        let (id, public) = (field(&key, "id"), field(&key, "publicKey"));
        let (one, entries) = (format!("{org}/{id}"), format!("{org}/{id}/whitelist"));
        let group = format!("/groups/{PRODUCTION}/apiKeys/{id}");
        for (method, path, body) in [
            ("PATCH", &one, Some(r#"{"desc":"y"}"#)),
            ("PATCH", &one, Some(r#"{"roles":["ORG_READ_ONLY"]}"#)),
            ("PATCH", &one, Some(r#"{"desc":"z","roles":["GROUP_OWNER"]}"#)),
            ("POST", &entries, Some(r#"[{"ipAddress":"198.51.100.7"},{"cidrBlock":"198.51.100.7/32"}]"#)),
            ("POST", &entries, Some(r#"[{"ipAddress":"198.51.100.7"}]"#)),
            ("DELETE", &format!("{entries}/198.51.100.7"), None),
            ("PATCH", &group, Some(r#"{"roles":["GROUP_READ_ONLY"]}"#)),
            ("PATCH", &group, Some(r#"{"roles":["GROUP_OWNER"]}"#)),
            ("DELETE", &group, None),
            ("DELETE", &one, None),
        ] {
            client.call(method, path, body).await;
        }
        let added = format!("API_KEY_{list}_ENTRY_ADDED");
        let deleted = format!("API_KEY_{list}_ENTRY_DELETED");
        let expected = [
            "API_KEY_DELETED",
            "API_KEY_REMOVED_FROM_GROUP",
            "API_KEY_ROLES_CHANGED",
            "API_KEY_ADDED_TO_GROUP",
            &deleted,
            &added,
            "API_KEY_ROLES_CHANGED",
            "API_KEY_DESCRIPTION_CHANGED",
            "API_KEY_CREATED",
        ];
        let events = client.read(&format!("/orgs/{ORG}/events?minDate=2026-06-01")).await;
        assert_eq!(names(&events), expected, "{number}");
        for event in rows(&events) {
            assert_eq!((field(event, "targetPublicKey"), field(event, "publicKey")), (public, "zmmrboas"));
            assert_eq!(field(event, "apiKeyId"), "5c47503320eef5699e1cce8d");
            assert_eq!((field(event, "remoteAddress"), &event["isGlobalAdmin"]), ("127.0.0.1", &json!(true)));
            assert_eq!(field(event, "created"), "2026-06-01T12:00:00Z");
            let entry = event["eventTypeName"].as_str().unwrap().contains("_ENTRY_");
            assert_eq!(event.get("whitelistEntry").is_some(), entry, "{event}");
        }
        assert_eq!(field(&rows(&events)[5], "whitelistEntry"), "198.51.100.7");
        let ids: BTreeSet<_> = rows(&events).iter().map(|event| field(event, "id")).collect();
        assert_eq!(ids.len(), expected.len());
        let of_group = client.read(&format!("/groups/{PRODUCTION}/events")).await;
        assert_eq!(names(&of_group), expected[1..4]);
    }
}

#[tokio::test]
async fn an_event_of_a_personal_key_names_its_user() {
    let sandbox = example(|_| {});
    let ann = Client::new(&sandbox, sandbox.personal_credential_for(0).unwrap());
    let path = format!("/groups/{PRODUCTION}/apiKeys");
    ann.call("POST", &path, Some(r#"{"desc":"x","roles":["GROUP_READ_ONLY"]}"#)).await;
    let events = ann.read(&format!("/orgs/{ORG}/events?minDate=2026-06-01")).await;
    assert_eq!(names(&events), ["API_KEY_ADDED_TO_GROUP", "API_KEY_CREATED"]);
    for event in rows(&events) {
        assert_eq!(field(event, "username"), "ann@example.com");
        assert_eq!(field(event, "userId"), "5af9a1d29cc0cdb6ac0bf3f8");
        assert!(event.get("apiKeyId").is_none() && event.get("publicKey").is_none(), "{event}");
    }
}

#[tokio::test]
async fn refused_changes_and_global_keys_leave_no_event() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let org = format!("/orgs/{ORG}/apiKeys");
    client.call("POST", &org, Some(r#"{"desc":"x","roles":["GROUP_OWNER"]}"#)).await;
    client.call("POST", "/admin/apiKeys", Some(r#"{"desc":"x","roles":["GLOBAL_READ_ONLY"]}"#)).await;
    let boris = Client::new(&sandbox, sandbox.personal_credential_for(1).unwrap());
    boris.call("POST", &org, Some(r#"{"desc":"x","roles":["ORG_MEMBER"]}"#)).await;
    let events = client.read(&format!("/orgs/{ORG}/events?minDate=2026-06-01")).await;
    assert_eq!(events["totalCount"], 0, "{events}");
}

#[tokio::test]
async fn the_random_world_has_events_of_its_users() {
    for product in PRODUCTS {
        let (sandbox, client) = start_product(product);
        let org = &sandbox.announcement().org_id;
        let events = client.read(&format!("/orgs/{org}/events?itemsPerPage=500")).await;
        assert!(names(&events).into_iter().collect::<BTreeSet<_>>().len() > 3, "{:?}", names(&events));
        let created: Vec<_> = rows(&events).iter().map(|event| field(event, "created")).collect();
        assert!(created.is_sorted_by(|newer, older| newer >= older), "{created:?}");
        for event in rows(&events) {
            assert!(field(event, "remoteAddress").parse::<IpAddr>().is_ok());
            if event.get("apiKeyId").is_some() {
                let key = client.read(&format!("/orgs/{org}/apiKeys/{}", field(event, "apiKeyId"))).await;
                assert_eq!(key["publicKey"], event["publicKey"]);
            } else {
                let user = client.read(&format!("/users/{}", field(event, "userId"))).await;
                assert_eq!(user["username"], event["username"]);
            }
        }
        let groups = client.read(&format!("/orgs/{org}/groups")).await;
        for group in rows(&groups) {
            let id = field(group, "id");
            let events = client.read(&format!("/groups/{id}/events")).await;
            assert!(!rows(&events).is_empty());
            assert!(rows(&events).iter().all(|event| event["groupId"] == id));
        }
    }
}

#[tokio::test]
async fn ops_manager_4_0_has_no_events_of_programmatic_keys() {
    let sandbox = start(|options| "4.0.19".clone_into(&mut options.service_version));
    let client = announced(&sandbox);
    let path = format!("/orgs/{}/events?itemsPerPage=500", sandbox.announcement().org_id);
    for event in rows(&client.read(&path).await) {
        assert!(!field(event, "eventTypeName").starts_with("API_KEY_"), "{event}");
        assert!(event.get("apiKeyId").is_none(), "{event}");
    }
}
