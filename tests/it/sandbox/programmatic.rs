//! Programmatic keys and IP lists.

use keysunset_sandbox::Product;
use serde_json::{Value, json};

use super::{Client, PRODUCTS, announced, example, start, start_product};

const ORG: &str = "5980cfdf0b6d97029d82f86e";
const PRODUCTION: &str = "5991a2b3c4d5e6f708192a3b";

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_key_shows_its_private_part_once_and_logs_in() {
    for product in PRODUCTS {
        let (sandbox, client) = start_product(product);
        let path = format!("/orgs/{}/apiKeys", sandbox.announcement().org_id);
        let before = client.read(&path).await["totalCount"].as_u64().unwrap();
        let reply =
            client.call("POST", &path, Some(r#"{"desc":"migrated: ann/ci","roles":["ORG_MEMBER"]}"#)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let key = reply.json();
        let (public, private) = (text(&key["publicKey"]), text(&key["privateKey"]));
        assert!(public.len() == 8 && public.bytes().all(|byte| byte.is_ascii_lowercase()), "{public}");
        assert_eq!(private.len(), 36);
        assert_eq!(
            key["roles"],
            json!([{ "orgId": sandbox.announcement().org_id, "roleName": "ORG_MEMBER" }])
        );

        let shown = client.read(&format!("{path}/{}", text(&key["id"]))).await;
        assert_eq!(shown["privateKey"], format!("********-****-****-{}", &private[24..]));
        let last = client.read(&format!("{path}?itemsPerPage=1&pageNum={}", before + 1)).await;
        assert_eq!((&last["results"], &last["totalCount"]), (&json!([shown]), &json!(before + 1)));

        let user = Client::new(&sandbox, (public, private));
        assert_eq!(user.read("/orgs").await["totalCount"], 1);
        let own = sandbox.expected_user(0).unwrap().id;
        user.read(&format!("/users/{own}/keys")).await;
    }
}

#[tokio::test]
async fn a_deleted_key_logs_in_no_more_and_leaves_the_list() {
    let sandbox = start(|options| options.users = 5);
    let client = announced(&sandbox);
    let path = format!("/orgs/{}/apiKeys", sandbox.announcement().org_id);
    let list = client.read(&path).await;
    let ids: Vec<&Value> = list["results"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids.len(), 4);
    let gone = Client::new(&sandbox, sandbox.credential_for(2));
    gone.read("/orgs").await;
    assert_eq!(client.call("DELETE", &format!("{path}/{}", text(ids[1])), None).await.status, 204);
    assert_eq!(gone.get("/orgs").await.stale(), Some(false));
    let mut seen = Vec::new();
    for page in 1..=3 {
        let page = client.read(&format!("{path}?itemsPerPage=1&pageNum={page}")).await;
        assert_eq!(page["totalCount"], 3);
        seen.push(page["results"][0]["id"].clone());
    }
    assert_eq!(seen.iter().collect::<Vec<_>>(), [ids[0], ids[2], ids[3]]);
    assert_eq!(client.get(&format!("{path}/{}", text(ids[1]))).await.refusal().1, "API_KEY_NOT_FOUND");
}

#[tokio::test]
async fn roles_and_descriptions_are_validated() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let long = format!(r#"{{"desc":"{}","roles":["ORG_MEMBER"]}}"#, "é".repeat(251));
    let org = format!("/orgs/{ORG}/apiKeys");
    let group = format!("/groups/{PRODUCTION}/apiKeys");
    let admin = "/admin/apiKeys".to_owned();
    for (path, body, status, code) in [
        (&org, r#"{"desc":"x","roles":["GROUP_OWNER"]}"#, 400, "INVALID_ROLE_FOR_ORG"),
        (&org, r#"{"desc":"x","roles":["ORG_BILLING_ADMIN"]}"#, 400, "INVALID_ROLE_FOR_ORG"),
        (&org, r#"{"desc":"x","roles":["GLOBAL_OWNER"]}"#, 403, "CANNOT_ADD_GLOBAL_ROLE"),
        (&org, r#"{"desc":"x","roles":[]}"#, 400, "MISSING_API_KEY_ROLES"),
        (&org, r#"{"desc":"x"}"#, 400, "MISSING_API_KEY_ROLES"),
        (&org, r#"{"desc":"x","roles":"ORG_MEMBER"}"#, 400, "INVALID_ATTRIBUTE"),
        (&org, r#"{"desc":"","roles":["ORG_MEMBER"]}"#, 400, "INVALID_API_KEY_DESC"),
        (&org, r#"{"roles":["ORG_MEMBER"]}"#, 400, "INVALID_API_KEY_DESC"),
        (&org, long.as_str(), 400, "INVALID_API_KEY_DESC"),
        (&group, r#"{"desc":"x","roles":["ORG_MEMBER"]}"#, 400, "INVALID_ROLE_FOR_GROUP"),
        (&group, r#"{"desc":"x","roles":["GLOBAL_READ_ONLY"]}"#, 403, "CANNOT_ADD_GLOBAL_ROLE"),
        (&admin, r#"{"desc":"x","roles":["ORG_OWNER"]}"#, 400, "INVALID_ROLE_FOR_GLOBAL_KEY"),
    ] {
        let reply = client.call("POST", path, Some(body)).await;
        assert_eq!(reply.refusal(), (status, code.to_owned()), "{path} {body:.60}");
    }
    let longest = long.replacen('é', "", 1);
    assert_eq!(client.call("POST", &org, Some(&longest)).await.status, 200);
}

#[tokio::test]
async fn some_roles_are_those_of_one_product() {
    for product in PRODUCTS {
        let (sandbox, client) = start_product(product);
        let org = &sandbox.announcement().org_id;
        let groups = client.read(&format!("/orgs/{org}/groups")).await;
        let group = text(&groups["results"][0]["id"]);
        let cloud = product != Product::OpsManager;
        for (path, role, known) in [
            (format!("/orgs/{org}/apiKeys"), "ORG_BILLING_ADMIN", cloud),
            (format!("/groups/{group}/apiKeys"), "GROUP_BILLING_ADMIN", cloud),
            (format!("/groups/{group}/apiKeys"), "GROUP_CLUSTER_MANAGER", product == Product::Atlas),
        ] {
            let reply =
                client.call("POST", &path, Some(&format!(r#"{{"desc":"x","roles":["{role}"]}}"#))).await;
            assert_eq!(reply.status == 200, known, "{product:?} {role}");
        }
    }
}

#[tokio::test]
async fn assigning_a_key_to_a_project_replaces_its_roles_there() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let path = format!("/groups/{PRODUCTION}/apiKeys/5c47505f20eef5699e1cce8e");
    for roles in [vec!["GROUP_OWNER", "GROUP_BACKUP_ADMIN"], vec!["GROUP_READ_ONLY"]] {
        let reply = client.call("PATCH", &path, Some(&json!({ "roles": roles }).to_string())).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let key = client.read(&format!("/orgs/{ORG}/apiKeys/5c47505f20eef5699e1cce8e")).await;
        assert_eq!(key, reply.json());
        let of = |field: &str, id: &str| -> Vec<&str> {
            let all = key["roles"].as_array().unwrap().iter().filter(|role| role[field] == id);
            all.map(|role| role["roleName"].as_str().unwrap()).collect()
        };
        assert_eq!(of("groupId", PRODUCTION), roles);
        assert_eq!(of("orgId", ORG), ["ORG_OWNER"]);
        assert_eq!(of("groupId", "5991a2b3c4d5e6f708192a3c"), ["GROUP_OWNER"]);
    }
    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert_eq!(client.call("DELETE", &path, None).await.refusal().1, "API_KEY_NOT_FOUND");
    let other = format!("/groups/{PRODUCTION}/apiKeys/5c4750d120eef5699e1cce90");
    let reply = client.call("PATCH", &other, Some(r#"{"roles":["GROUP_READ_ONLY"]}"#)).await;
    assert_eq!(reply.refusal(), (404, "API_KEY_NOT_FOUND".to_owned()), "a key belongs to one organization");
}

#[tokio::test]
async fn a_key_made_in_a_project_is_a_member_of_the_organization() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let path = format!("/groups/{PRODUCTION}/apiKeys");
    let key = client.call("POST", &path, Some(r#"{"desc":"x","roles":["GROUP_READ_ONLY"]}"#)).await.json();
    assert_eq!(
        key["roles"],
        json!([
            { "groupId": PRODUCTION, "roleName": "GROUP_READ_ONLY" },
            { "orgId": ORG, "roleName": "ORG_MEMBER" },
        ])
    );
    assert_eq!(client.read(&path).await["totalCount"], 2);
    assert_eq!(client.read(&format!("/orgs/{ORG}/apiKeys")).await["totalCount"], 3);
}

#[tokio::test]
async fn a_renamed_key_keeps_what_was_not_sent() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let path = format!("/orgs/{ORG}/apiKeys/5c47509a20eef5699e1cce8f");
    let before = client.read(&path).await;
    let after = client.call("PATCH", &path, Some(r#"{"desc":"renamed"}"#)).await.json();
    assert_eq!((&after["desc"], &after["roles"]), (&json!("renamed"), &before["roles"]));
    let after = client.call("PATCH", &path, Some(r#"{"roles":["ORG_READ_ONLY"]}"#)).await.json();
    assert_eq!(
        after["roles"],
        json!([
            { "groupId": PRODUCTION, "roleName": "GROUP_READ_ONLY" },
            { "orgId": ORG, "roleName": "ORG_READ_ONLY" },
        ])
    );
}

#[tokio::test]
async fn only_owners_change_the_keys_of_an_organization() {
    let sandbox = start(|_| {});
    let org = &sandbox.announcement().org_id;
    let user = announced(&sandbox);
    let owner = |roles: &Value| {
        let roles = roles.as_array().unwrap();
        roles.iter().any(|role| role["roleName"] == "GLOBAL_OWNER" || role["roleName"] == "ORG_OWNER")
    };
    let users = user.read(&format!("/orgs/{org}/users")).await;
    let member = users["results"].as_array().unwrap().iter().position(|one| !owner(&one["roles"])).unwrap();
    let member = Client::new(&sandbox, sandbox.credential_for(member as u64));
    let path = format!("/orgs/{org}/apiKeys");
    member.read(&path).await;
    let reply = member.call("POST", &path, Some(r#"{"desc":"x","roles":["ORG_OWNER"]}"#)).await;
    assert_eq!(reply.refusal(), (401, "NOT_ORG_OWNER".to_owned()));
    assert_eq!(member.get("/admin/apiKeys").await.refusal(), (401, "NOT_GLOBAL_USER_ADMIN".to_owned()));
}

#[tokio::test]
async fn global_keys_are_ops_managers_alone() {
    for product in PRODUCTS {
        let (_sandbox, client) = start_product(product);
        let reply =
            client.call("POST", "/admin/apiKeys", Some(r#"{"desc":"x","roles":["GLOBAL_READ_ONLY"]}"#)).await;
        if product == Product::OpsManager {
            let id = text(&reply.json()["id"]);
            assert_eq!(reply.json()["roles"], json!([{ "roleName": "GLOBAL_READ_ONLY" }]));
            assert_eq!(client.read("/admin/apiKeys").await["totalCount"], 2);
            assert_eq!(client.read(&format!("/admin/apiKeys/{id}")).await["desc"], "x");
            assert_eq!(client.call("DELETE", &format!("/admin/apiKeys/{id}"), None).await.status, 204);
        } else {
            assert_eq!(reply.refusal(), (404, "RESOURCE_NOT_FOUND".to_owned()), "{product:?}");
        }
    }
}

#[tokio::test]
async fn ops_manager_4_0_announces_a_personal_key() {
    let sandbox = start(|options| "4.0.19".clone_into(&mut options.service_version));
    let client = announced(&sandbox);
    assert_eq!(Some((client.user.clone(), client.password.clone())), sandbox.personal_credential_for(0));
    let path = format!("/orgs/{}/apiKeys", sandbox.announcement().org_id);
    assert_eq!(client.get(&path).await.refusal(), (404, "RESOURCE_NOT_FOUND".to_owned()));
    let programmatic = Client::new(&sandbox, sandbox.credential_for(0));
    assert_eq!(programmatic.get("/orgs").await.stale(), Some(false));
}

#[tokio::test]
async fn ip_lists_have_the_name_of_the_version() {
    for (product, version, spelt, other) in [
        (Product::OpsManager, "4.2.0", "whitelist", "accessList"),
        (Product::OpsManager, "4.4.12", "whitelist", "accessList"),
        (Product::OpsManager, "5.0.0", "accessList", "whitelist"),
        (Product::CloudManager, "4.4.12", "accessList", "whitelist"),
        (Product::Atlas, "4.4.12", "accessList", "whitelist"),
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
            client.read(&format!("{place}/{spelt}")).await;
            let wrong = client.get(&format!("{place}/{other}")).await;
            assert_eq!(
                wrong.refusal(),
                (404, "RESOURCE_NOT_FOUND".to_owned()),
                "{product:?} {version} {place}"
            );
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
    let sandbox = example(|_| {});
    let chiara = Client::new(&sandbox, ("yoxgwnze".into(), "4a5b6c7d-8e9f-4012-b345-67890abcdef1".into()));
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
