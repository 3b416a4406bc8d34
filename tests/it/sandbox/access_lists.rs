//! IP lists: which addresses a user or a programmatic key may call from.

use keysunset_sandbox::Product;
use serde_json::json;

use super::{Client, ORG, announced, example, start, text};

#[tokio::test]
async fn a_new_version_serves_ip_lists_under_both_names() {
    for (product, version, has_access_list) in [
        (Product::OpsManager, "4.2.0", false),
        (Product::OpsManager, "4.4.12", false),
        (Product::OpsManager, "5.0.0", true),
        (Product::OpsManager, "6.0.3", true),
        (Product::CloudManager, "4.4.12", true),
        (Product::Atlas, "4.4.12", true),
    ] {
        let sandbox = start(|options| {
            (options.product, options.clock) = (product, None);
            version.clone_into(&mut options.service_version);
        });
        let client = announced(&sandbox);
        let user = format!("/users/{}", sandbox.expected_user(0).unwrap().id);
        let org = format!("/orgs/{}/apiKeys", sandbox.announcement().org_id);
        let key = format!("{org}/{}", text(&client.read(&org).await["results"][0]["id"]));
        for place in [user.as_str(), &key, "/admin"] {
            if place == "/admin" && product != Product::OpsManager {
                continue;
            }
            let whitelist = client.read(&format!("{place}/whitelist")).await;
            let other = client.get(&format!("{place}/accessList")).await;
            if has_access_list {
                assert_eq!(other.json()["results"], whitelist["results"], "{product:?} {version} {place}");
            } else {
                let unknown = (404, "RESOURCE_NOT_FOUND".to_owned());
                assert_eq!(other.refusal(), unknown, "{product:?} {version} {place}");
            }
        }
    }
}

#[tokio::test]
async fn an_ip_list_is_filled_read_and_emptied() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let path = format!("/orgs/{ORG}/apiKeys/5c47509a20eef5699e1cce8f/whitelist");
    let body =
        r#"[{"ipAddress":"203.0.113.7"},{"cidrBlock":"198.51.100.0/24"},{"cidrBlock":"203.0.113.7/32"}]"#;
    let list = client.call("POST", &path, Some(body)).await.json();
    assert_eq!(list["totalCount"], 3);
    let one = client.read(&format!("{path}/203.0.113.7")).await;
    assert_eq!((&one["ipAddress"], &one["cidrBlock"]), (&json!("203.0.113.7"), &json!("203.0.113.7/32")));
    assert_eq!((&one["created"], &one["count"]), (&json!("2026-06-01T12:00:00Z"), &json!(0)));
    let block = client.read(&format!("{path}/198.51.100.0%2F24")).await;
    assert!(block.get("ipAddress").is_none());
    assert_eq!(client.call("DELETE", &format!("{path}/198.51.100.0%2F24"), None).await.status, 204);
    let gone = client.get(&format!("{path}/198.51.100.0%2F24")).await;
    assert_eq!(gone.refusal(), (404, "WHITELIST_NOT_FOUND".to_owned()));
    for bad in [r#"[{"ipAddress":"203.0.113"}]"#, r#"[{"cidrBlock":"203.0.113.0/33"}]"#] {
        let reply = client.call("POST", &path, Some(bad)).await;
        assert_eq!(reply.refusal(), (400, "INVALID_IP_ADDRESS_OR_CIDR_NOTATION".to_owned()), "{bad}");
    }
    assert_eq!(client.call("POST", &path, Some("[{}]")).await.refusal().1, "INVALID_ATTRIBUTE");
    assert_eq!(client.call("POST", &path, Some("{}")).await.refusal().1, "MALFORMED_JSON");
}

#[tokio::test]
async fn a_users_list_is_that_users_alone() {
    let sandbox = example(|_| {});
    let path = "/users/5af9a1d29cc0cdb6ac0bf3f8/whitelist";
    let ann = announced(&sandbox);
    assert_eq!(ann.read(path).await["results"][0]["cidrBlock"], "203.0.113.7/32");
    let boris = Client::new(&sandbox, sandbox.personal_credential_for(1).unwrap());
    assert_eq!(boris.get(path).await.refusal(), (401, "WHITELIST_ACCESS_DENIED".to_owned()));
    ann.call("POST", path, Some(r#"[{"ipAddress":"127.0.0.1"}]"#)).await;
    let own = ann.call("DELETE", &format!("{path}/127.0.0.1"), None).await;
    assert_eq!(own.refusal(), (400, "CANNOT_REMOVE_CALLER_FROM_WHITELIST".to_owned()));
    assert_eq!(ann.call("DELETE", &format!("{path}/203.0.113.7"), None).await.status, 204);
}

#[tokio::test]
async fn a_programmatic_key_works_from_its_list_only() {
    for (version, code) in
        [("4.4.12", "IP_ADDRESS_NOT_ON_WHITELIST"), ("5.0.0", "IP_ADDRESS_NOT_ON_ACCESS_LIST")]
    {
        let sandbox = example(|options| version.clone_into(&mut options.service_version));
        let elsewhere =
            Client::new(&sandbox, ("bvhtlmka".into(), "9e8d7c6b-5a49-4837-a625-140f3e2d1c0b".into()));
        let reply = elsewhere.get("/orgs").await;
        assert_eq!(reply.refusal(), (403, code.to_owned()));
        assert_eq!(reply.json()["parameters"], json!(["127.0.0.1"]));
        let here = Client::new(&sandbox, ("qkdwpfhe".into(), "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0f9".into()));
        here.read("/orgs").await;
        let list = if version == "5.0.0" { "accessList" } else { "whitelist" };
        let entry =
            here.read(&format!("/orgs/{ORG}/apiKeys/5c47505f20eef5699e1cce8e/{list}/127.0.0.0%2F8")).await;
        assert_eq!((&entry["count"], &entry["lastUsedAddress"]), (&json!(2), &json!("127.0.0.1")));
    }
}

#[tokio::test]
async fn an_organization_may_require_an_ip_list() {
    let key = || ("yoxgwnze".into(), "4a5b6c7d-8e9f-4012-b345-67890abcdef1".into());
    let sandbox = example(|options| "6.0.3".clone_into(&mut options.service_version));
    let refusal = Client::new(&sandbox, key()).get("/orgs").await.refusal();
    assert_eq!(refusal, (403, "ORG_REQUIRES_ACCESS_LIST".to_owned()));

    let sandbox = example(|_| {});
    let chiara = Client::new(&sandbox, key());
    assert_eq!(chiara.get("/orgs").await.refusal(), (403, "ORG_REQUIRES_WHITELIST".to_owned()));
    let path = "/orgs/5b2a3c4d5e6f708192a3b4c5/apiKeys/5c4750d120eef5699e1cce90/whitelist";
    announced(&sandbox).call("POST", path, Some(r#"[{"cidrBlock":"127.0.0.0/8"}]"#)).await;
    chiara.read("/orgs").await;
}

#[tokio::test]
async fn global_keys_share_one_list() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let body = r#"{"cidrBlock":"127.0.0.1","description":"here"}"#;
    let entry = client.call("POST", "/admin/whitelist", Some(body)).await.json();
    assert_eq!((&entry["cidrBlock"], &entry["description"]), (&json!("127.0.0.1/32"), &json!("here")));
    let path = format!("/admin/whitelist/{}", text(&entry["id"]));
    assert_eq!(client.read(&path).await, entry);
    client.call("POST", "/admin/whitelist", Some(r#"{"cidrBlock":"203.0.113.0/24"}"#)).await;
    assert_eq!(client.read("/admin/whitelist").await["totalCount"], 2);
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert_eq!(client.get("/orgs").await.refusal(), (403, "IP_ADDRESS_NOT_ON_WHITELIST".to_owned()));
}

#[tokio::test]
async fn both_names_of_a_list_lead_to_the_same_entries() {
    let sandbox = example(|options| "6.0.3".clone_into(&mut options.service_version));
    let client = announced(&sandbox);
    for (place, body) in [
        (format!("/orgs/{ORG}/apiKeys/5c47509a20eef5699e1cce8f"), r#"[{"ipAddress":"198.51.100.9"}]"#),
        ("/users/5af9a1d29cc0cdb6ac0bf3f8".to_owned(), r#"[{"ipAddress":"198.51.100.9"}]"#),
    ] {
        let (old, new) = (format!("{place}/whitelist"), format!("{place}/accessList"));
        assert_eq!(client.call("POST", &old, Some(body)).await.status, 200);
        let entry = client.read(&format!("{new}/198.51.100.9")).await;
        assert_eq!(entry["cidrBlock"], "198.51.100.9/32");
        assert!(text(&entry["links"][0]["href"]).ends_with("/accessList/198.51.100.9"), "{entry}");
        assert_eq!(client.call("DELETE", &format!("{new}/198.51.100.9"), None).await.status, 204);
        for (list, code) in [(&old, "WHITELIST_NOT_FOUND"), (&new, "ACCESS_LIST_NOT_FOUND")] {
            let gone = client.get(&format!("{list}/198.51.100.9")).await;
            assert_eq!(gone.refusal(), (404, code.to_owned()));
        }
    }
    let body = Some(r#"{"cidrBlock":"127.0.0.1/32"}"#);
    let entry = client.call("POST", "/admin/whitelist", body).await.json();
    assert_eq!(client.read(&format!("/admin/accessList/{}", text(&entry["id"]))).await, entry);
}

#[tokio::test]
async fn an_entry_of_the_global_list_can_be_changed() {
    for (version, list) in [("4.4.12", "whitelist"), ("6.0.3", "whitelist"), ("6.0.3", "accessList")] {
        let sandbox = example(|options| version.clone_into(&mut options.service_version));
        let client = announced(&sandbox);
        let body = r#"{"cidrBlock":"127.0.0.1/32","description":"here"}"#;
        let entry = client.call("POST", &format!("/admin/{list}"), Some(body)).await.json();
        let path = format!("/admin/{list}/{}", text(&entry["id"]));
        for (body, block, description) in [
            (r#"{"description":"the office"}"#, "127.0.0.1/32", "the office"),
            (r#"{"cidrBlock":"127.0.0.0/8"}"#, "127.0.0.0/8", "the office"),
            (r#"{"cidrBlock":"127.0.0.1","description":""}"#, "127.0.0.1/32", ""),
            ("{}", "127.0.0.1/32", ""),
        ] {
            let changed = client.call("PATCH", &path, Some(body)).await.json();
            assert_eq!(
                (&changed["cidrBlock"], &changed["description"]),
                (&json!(block), &json!(description))
            );
            assert_eq!((&changed["id"], &changed["created"]), (&entry["id"], &entry["created"]));
            assert_eq!(client.read(&path).await, changed);
        }
        let wrong = client.call("PATCH", &path, Some(r#"{"cidrBlock":"here"}"#)).await;
        assert_eq!(wrong.refusal(), (400, "INVALID_IP_ADDRESS_OR_CIDR_NOTATION".to_owned()));
        let missing = format!("/admin/{list}/ffffffffffffffffffffffff");
        assert_eq!(client.call("PATCH", &missing, Some("{}")).await.refusal().0, 404);
        // From now on the list admits another address alone.
        client.call("PATCH", &path, Some(r#"{"cidrBlock":"203.0.113.0/24"}"#)).await;
        assert_eq!(client.get(&path).await.refusal().0, 403);
    }
}

#[tokio::test]
async fn the_first_entry_of_a_keys_list_locks_other_addresses_out() {
    let sandbox = example(|_| {});
    let root = announced(&sandbox);
    let body = Some(r#"{"desc":"x","roles":["ORG_MEMBER"]}"#);
    let key = root.call("POST", &format!("/orgs/{ORG}/apiKeys"), body).await.json();
    let client = Client::new(&sandbox, (text(&key["publicKey"]), text(&key["privateKey"])));
    let list = format!("/orgs/{ORG}/apiKeys/{}/whitelist", text(&key["id"]));
    assert_eq!(client.read(&list).await["totalCount"], 0, "an empty list admits everybody");
    let entry = Some(r#"[{"ipAddress":"203.0.113.7"}]"#);
    assert_eq!(client.call("POST", &list, entry).await.status, 200);
    assert_eq!(client.get(&list).await.refusal(), (403, "IP_ADDRESS_NOT_ON_WHITELIST".to_owned()));
    root.call("POST", &list, Some(r#"[{"cidrBlock":"127.0.0.0/8"}]"#)).await;
    assert_eq!(client.read(&list).await["totalCount"], 2);
    for entry in ["203.0.113.7", "127.0.0.0%2F8"] {
        assert_eq!(root.call("DELETE", &format!("{list}/{entry}"), None).await.status, 204);
    }
    assert_eq!(client.read(&list).await["totalCount"], 0);
}

#[tokio::test]
async fn a_keys_list_is_for_the_key_and_owners_alone() {
    for (number, name, code) in [
        ("4.4.12", "whitelist", "API_KEY_WHITELIST_ACCESS_DENIED"),
        ("6.0.3", "accessList", "API_KEY_ACCESS_LIST_ACCESS_DENIED"),
    ] {
        let sandbox = example(|options| number.clone_into(&mut options.service_version));
        let root = announced(&sandbox);
        let body = Some(r#"{"desc":"x","roles":["ORG_READ_ONLY"]}"#);
        let key = root.call("POST", &format!("/orgs/{ORG}/apiKeys"), body).await.json();
        let client = Client::new(&sandbox, (text(&key["publicKey"]), text(&key["privateKey"])));
        client.read(&format!("/orgs/{ORG}/apiKeys/{}/{name}", text(&key["id"]))).await;
        let other = format!("/orgs/{ORG}/apiKeys/5c47505f20eef5699e1cce8e/{name}");
        for (method, body) in [("GET", None), ("POST", Some(r#"[{"ipAddress":"127.0.0.1"}]"#))] {
            assert_eq!(client.call(method, &other, body).await.refusal(), (400, code.to_owned()));
        }
    }
}
