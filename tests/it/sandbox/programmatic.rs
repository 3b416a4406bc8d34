//! Programmatic keys.

use keysunset_sandbox::Product;
use serde_json::{Value, json};

use super::{Client, ORG, PRODUCTION, PRODUCTS, STAGING, announced, example, start, start_product, text};

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
        let twice = [roles.as_slice(), &roles].concat();
        let reply = client.call("PATCH", &path, Some(&json!({ "roles": twice }).to_string())).await;
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
async fn the_roles_of_a_global_key_are_listed() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let roles = client.read("/admin/apiKeys/roles").await;
    for role in roles.as_array().unwrap() {
        let body = json!({ "desc": "x", "roles": [role["roleName"]] }).to_string();
        assert_eq!(client.call("POST", "/admin/apiKeys", Some(&body)).await.status, 200, "{role}");
    }
    assert_eq!(roles.as_array().unwrap().len(), 6);
    let member = Client::new(&sandbox, sandbox.credential_for(2));
    assert_eq!(member.get("/admin/apiKeys/roles").await.refusal(), (401, "NOT_GLOBAL_USER_ADMIN".to_owned()));
    let (_sandbox, atlas) = start_product(Product::Atlas);
    assert_eq!(atlas.get("/admin/apiKeys/roles").await.refusal().1, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn the_same_creation_twice_makes_two_keys() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    for (path, role) in [
        (format!("/orgs/{ORG}/apiKeys"), "ORG_MEMBER"),
        (format!("/groups/{PRODUCTION}/apiKeys"), "GROUP_READ_ONLY"),
        ("/admin/apiKeys".to_owned(), "GLOBAL_READ_ONLY"),
    ] {
        let body = json!({ "desc": "keysunset:1", "roles": [role] }).to_string();
        let first = client.call("POST", &path, Some(&body)).await.json();
        let second = client.call("POST", &path, Some(&body)).await.json();
        for field in ["id", "publicKey", "privateKey"] {
            assert_ne!(first[field], second[field], "{path}");
        }
        let list = client.read(&format!("{path}?itemsPerPage=500")).await;
        let same = |key: &&Value| key["desc"] == "keysunset:1" && key["roles"] == first["roles"];
        assert_eq!(list["results"].as_array().unwrap().iter().filter(same).count(), 2, "{path}");
    }
}

#[tokio::test]
async fn the_roles_of_a_new_key_decide_what_it_may_do() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let body = r#"{"desc":"x","roles":["ORG_MEMBER"]}"#;
    let key = client.call("POST", &format!("/orgs/{ORG}/apiKeys"), Some(body)).await.json();
    let new = Client::new(&sandbox, (text(&key["publicKey"]), text(&key["privateKey"])));
    for (path, code) in [
        (format!("/groups/{STAGING}"), "NOT_IN_GROUP"),
        ("/orgs/5b2a3c4d5e6f708192a3b4c5".to_owned(), "USER_CANNOT_ACCESS_ORG"),
        ("/users/5b17c0de9cc0cdb6ac0bf401/keys".to_owned(), "NOT_SELF"),
        ("/admin/apiKeys".to_owned(), "NOT_GLOBAL_USER_ADMIN"),
    ] {
        assert_eq!(new.get(&path).await.refusal(), (401, code.to_owned()), "{path}");
    }
    assert_eq!(new.read(&format!("/orgs/{ORG}/users")).await["totalCount"], 3);
    let assign = format!("/groups/{STAGING}/apiKeys/{}", text(&key["id"]));
    let refused = new.call("PATCH", &assign, Some(r#"{"roles":["GROUP_OWNER"]}"#)).await;
    assert_eq!(refused.refusal(), (401, "NOT_IN_GROUP".to_owned()));
    client.call("PATCH", &assign, Some(r#"{"roles":["GROUP_READ_ONLY"]}"#)).await;
    new.read(&format!("/groups/{STAGING}")).await;
    let refused = new.call("PATCH", &assign, Some(r#"{"roles":["GROUP_OWNER"]}"#)).await;
    assert_eq!(refused.refusal(), (401, "USER_UNAUTHORIZED".to_owned()));
    client.call("DELETE", &assign, None).await;
    assert_eq!(new.get(&format!("/groups/{STAGING}")).await.refusal().1, "NOT_IN_GROUP");
}

#[tokio::test]
async fn each_role_changes_keys_in_its_scope_alone() {
    let sandbox = example(|_| {});
    let root = announced(&sandbox);
    for (path, role, changes) in [
        (format!("/orgs/{ORG}/apiKeys"), "ORG_OWNER", [true, true, false]),
        (format!("/orgs/{ORG}/apiKeys"), "ORG_READ_ONLY", [false, false, false]),
        (format!("/groups/{PRODUCTION}/apiKeys"), "GROUP_OWNER", [false, true, false]),
        (format!("/groups/{PRODUCTION}/apiKeys"), "GROUP_USER_ADMIN", [false, true, false]),
        (format!("/groups/{PRODUCTION}/apiKeys"), "GROUP_READ_ONLY", [false, false, false]),
        ("/admin/apiKeys".to_owned(), "GLOBAL_USER_ADMIN", [true, true, true]),
        ("/admin/apiKeys".to_owned(), "GLOBAL_READ_ONLY", [false, false, false]),
    ] {
        let body = json!({ "desc": role, "roles": [role] }).to_string();
        let key = root.call("POST", &path, Some(&body)).await.json();
        let client = Client::new(&sandbox, (text(&key["publicKey"]), text(&key["privateKey"])));
        let mut done = Vec::new();
        for (path, role) in [
            (format!("/orgs/{ORG}/apiKeys"), "ORG_MEMBER"),
            (format!("/groups/{PRODUCTION}/apiKeys"), "GROUP_READ_ONLY"),
            ("/admin/apiKeys".to_owned(), "GLOBAL_READ_ONLY"),
        ] {
            let body = json!({ "desc": "x", "roles": [role] }).to_string();
            let status = client.call("POST", &path, Some(&body)).await.status.as_u16();
            assert!(status == 200 || status == 401, "{status}");
            done.push(status == 200);
        }
        assert_eq!(done, changes, "{role}");
    }
}
