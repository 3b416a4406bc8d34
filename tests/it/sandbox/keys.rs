//! `/users/{id}/keys`, as both reference pages have it.

use std::collections::BTreeSet;

use keysunset_sandbox::{Product, Sandbox};
use serde_json::{Value, json};

use super::{Client, PRODUCTS, announced, example, start, start_product, time};

/// The first user for whom this holds.
fn user_with(sandbox: &Sandbox, wanted: impl Fn(&keysunset_sandbox::ExpectedUser) -> bool) -> (u64, String) {
    let (index, user) = (0..).zip(sandbox.ground_truth()).skip(1).find(|(_, user)| wanted(user)).unwrap();
    (index, user.id)
}

fn as_user(sandbox: &Sandbox, index: u64) -> Client {
    Client::new(sandbox, sandbox.credential_for(index))
}

fn as_personal_key(sandbox: &Sandbox, index: u64) -> Client {
    Client::new(sandbox, sandbox.personal_credential_for(index).unwrap())
}

#[tokio::test]
async fn all_keys_are_those_of_the_ground_truth() {
    let sandbox = start(|options| options.users = 40);
    let client = announced(&sandbox);
    for user in sandbox.ground_truth() {
        let list = client.read(&format!("/users/{}/keys", user.id)).await;
        assert_eq!(list["totalCount"], user.keys.len());
        let rows = list["results"].as_array().unwrap();
        assert_eq!(rows.len(), user.keys.len());
        for (row, key) in rows.iter().zip(&user.keys) {
            assert_eq!(row["id"], key.id);
            assert_eq!(row["userId"], user.id);
            assert_eq!(row["description"], key.description);
            assert_eq!(row["enabled"], key.enabled);
            assert_eq!(time(row["createdAt"].as_str().unwrap()), key.created);
            assert_eq!(row["lastUsed"].as_str().map(time), key.last_used);
            assert_eq!(row["usedCount"].as_u64(), key.used_count);
            assert_eq!(row["obfuscatedKey"], format!("********-****-****-{}", key.suffix));
        }
    }
}

#[tokio::test]
async fn a_key_has_the_fields_of_the_pages_and_no_others() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let list = client.read("/users/5af9a1d29cc0cdb6ac0bf3f8/keys").await;
    let names: BTreeSet<&str> = list["results"][0].as_object().unwrap().keys().map(String::as_str).collect();
    let page =
        ["createdAt", "description", "enabled", "id", "lastUsed", "obfuscatedKey", "usedCount", "userId"];
    assert_eq!(names, page.into());
}

#[tokio::test]
async fn pages_link_to_their_neighbours() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let (_, id) = user_with(&sandbox, |user| user.keys.len() == 3);
    let rels = |page: &Value| -> Vec<(String, String)> {
        let links = page["links"].as_array().unwrap().iter();
        links
            .map(|link| (link["rel"].as_str().unwrap().into(), link["href"].as_str().unwrap().into()))
            .collect()
    };
    let url = format!("{}/users/{id}/keys", sandbox.announcement().url);
    let href = |rel: &str, page: u32| (rel.to_owned(), format!("{url}?pageNum={page}&itemsPerPage=1"));
    for (page, expected) in [
        (1, vec![href("self", 1), href("next", 2)]),
        (2, vec![href("self", 2), href("previous", 1), href("next", 3)]),
        (3, vec![href("self", 3), href("previous", 2)]),
        (4, vec![href("self", 4), href("previous", 3)]),
    ] {
        let list = client.read(&format!("/users/{id}/keys?pageNum={page}&itemsPerPage=1")).await;
        assert_eq!(rels(&list), expected);
        assert_eq!(list["totalCount"], 3);
        assert_eq!(list["results"].as_array().unwrap().len(), usize::from(page < 4));
    }
}

#[tokio::test]
async fn an_empty_list_is_200_with_no_rows() {
    let sandbox = start(|_| {});
    let (_, id) = user_with(&sandbox, |user| user.keys.is_empty());
    let list = announced(&sandbox).read(&format!("/users/{id}/keys")).await;
    assert_eq!((&list["results"], &list["totalCount"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn more_than_500_a_page_is_500() {
    let sandbox = start(|options| options.users = 501);
    let org = &sandbox.announcement().org_id;
    let list = announced(&sandbox).read(&format!("/orgs/{org}/users?itemsPerPage=501")).await;
    assert_eq!(list["results"].as_array().unwrap().len(), 500);
    assert!(list["links"][0]["href"].as_str().unwrap().ends_with("?pageNum=1&itemsPerPage=500"));
}

#[tokio::test]
async fn a_page_has_100_by_default() {
    let sandbox = start(|options| options.users = 101);
    let org = &sandbox.announcement().org_id;
    let list = announced(&sandbox).read(&format!("/orgs/{org}/users")).await;
    assert_eq!(list["results"].as_array().unwrap().len(), 100);
    assert_eq!(list["totalCount"], 101);
}

#[tokio::test]
async fn a_page_below_1_or_no_number_is_an_invalid_parameter() {
    let (_sandbox, client) = start_product(Product::Atlas);
    for query in [
        "pageNum=0",
        "pageNum=-1",
        "pageNum=x",
        "pageNum=",
        "pageNum=1.5",
        "pageNum=99999999999999999999",
        "itemsPerPage=0",
        "itemsPerPage=ten",
        "pretty=perhaps",
        "envelope=1",
        "includeCount=no",
    ] {
        let reply = client.get(&format!("/orgs?{query}")).await;
        assert_eq!(reply.refusal(), (400, "INVALID_QUERY_PARAMETER".to_owned()), "{query}");
        assert_eq!(reply.json()["parameters"], json!([query.split('=').next()]), "{query}");
    }
}

#[tokio::test]
async fn only_atlas_leaves_the_count_out() {
    for product in PRODUCTS {
        let (_sandbox, client) = start_product(product);
        let without = client.read("/orgs?includeCount=false").await;
        assert_eq!(without.get("totalCount").is_none(), product == Product::Atlas, "{product:?}");
        assert!(client.read("/orgs?includeCount=true").await["totalCount"].is_u64());
    }
}

#[tokio::test]
async fn pretty_is_the_same_document_indented() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let plain = client.get("/users/5af9a1d29cc0cdb6ac0bf3f8/keys").await;
    let pretty = client.get("/users/5af9a1d29cc0cdb6ac0bf3f8/keys?pretty=true").await;
    assert!(!plain.text.contains('\n'));
    assert!(pretty.text.starts_with("{\n  \"links\": ["));
    assert_eq!(plain.json()["results"], pretty.json()["results"]);
}

#[tokio::test]
async fn an_envelope_holds_the_status_too() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let path = "/users/5af9a1d29cc0cdb6ac0bf3f8";
    let list = client.read(&format!("{path}/keys?envelope=true")).await;
    let names: Vec<&String> = list.as_object().unwrap().keys().collect();
    assert_eq!(names, ["links", "results", "status", "totalCount"]);
    assert_eq!(list["status"], 200);
    let one = client.read(&format!("{path}?envelope=true")).await;
    assert_eq!(one, json!({ "status": 200, "content": client.read(path).await }));
}

#[tokio::test]
async fn a_trailing_slash_makes_no_difference() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let path = "/users/5af9a1d29cc0cdb6ac0bf3f8/keys";
    assert_eq!(client.read(path).await, client.read(&format!("{path}/")).await);
}

#[tokio::test]
async fn ops_manager_shows_keys_to_their_user_and_a_global_owner() {
    let (sandbox, owner) = start_product(Product::OpsManager);
    let (index, id) = user_with(&sandbox, |user| user.keys.iter().any(|key| key.enabled));
    let path = format!("/users/{id}/keys");
    owner.read(&path).await;
    as_user(&sandbox, index).read(&path).await;
    as_personal_key(&sandbox, index).read(&path).await;
    let other = as_user(&sandbox, index + 1).get(&path).await;
    assert_eq!(other.refusal(), (401, "NOT_SELF".to_owned()));
    assert_eq!(other.stale(), None);
}

#[tokio::test]
async fn atlas_and_cloud_manager_show_keys_to_their_user_alone() {
    for product in [Product::CloudManager, Product::Atlas] {
        let (sandbox, owner) = start_product(product);
        let (index, id) = user_with(&sandbox, |user| !user.keys.is_empty());
        let path = format!("/users/{id}/keys");
        as_user(&sandbox, index).read(&path).await;
        assert_eq!(owner.get(&path).await.refusal(), (401, "NOT_SELF".to_owned()), "{product:?}");
        let own = sandbox.expected_user(0).unwrap().id;
        owner.read(&format!("/users/{own}/keys")).await;
    }
}

#[tokio::test]
async fn using_a_personal_key_updates_its_last_use_and_count() {
    let sandbox = start(|options| options.clock = Some(time("2020-02-03T04:05:06Z")));
    let wanted = |user: &keysunset_sandbox::ExpectedUser| {
        user.keys
            .iter()
            .find(|key| key.enabled)
            .is_some_and(|key| key.used_count.is_some_and(|count| count > 0))
    };
    let (index, id) = user_with(&sandbox, wanted);
    let before = sandbox.expected_user(index).unwrap();
    let client = as_personal_key(&sandbox, index);
    client.read("/orgs").await;
    let list = client.read(&format!("/users/{id}/keys")).await;
    let at = before.keys.iter().position(|key| key.enabled).unwrap();
    assert_eq!(list["results"][at]["usedCount"], before.keys[at].used_count.unwrap() + 2);
    assert_eq!(list["results"][at]["lastUsed"], "2020-02-03T04:05:06Z");
    announced(&sandbox).read(&format!("/users/{id}/keys")).await;
    let after = sandbox.expected_user(index).unwrap();
    assert_eq!(after.keys[at].used_count, before.keys[at].used_count.map(|count| count + 2));
    let others = |user: &keysunset_sandbox::ExpectedUser| {
        user.keys.iter().filter(|key| key.id != before.keys[at].id).cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&after), others(&before));
}

#[tokio::test]
async fn atlas_refuses_personal_keys_from_the_cutoff() {
    for (clock, expected) in [("2021-02-28T23:59:59Z", 200), ("2021-03-01T00:00:00Z", 401)] {
        let sandbox = start(|options| (options.product, options.clock) = (Product::Atlas, Some(time(clock))));
        let reply = as_personal_key(&sandbox, 0).get("/orgs").await;
        assert_eq!(reply.status, expected, "{clock}");
        assert_eq!(reply.stale(), (expected == 401).then_some(false));
    }
}

#[tokio::test]
async fn ops_manager_5_has_no_personal_keys_at_all() {
    for version in ["5.0.0", "6.0.3", "8.0.1"] {
        let sandbox = start(|options| version.clone_into(&mut options.service_version));
        let id = sandbox.expected_user(0).unwrap().id;
        let reply = announced(&sandbox).get(&format!("/users/{id}/keys")).await;
        assert_eq!(reply.refusal(), (404, "RESOURCE_NOT_FOUND".to_owned()), "{version}");
        let header = reply.headers["x-mongodb-service-version"].to_str().unwrap();
        assert!(
            header.starts_with("gitHash=") && header.ends_with(&format!("; versionString={version}")),
            "{header}"
        );
        assert_eq!(as_personal_key(&sandbox, 0).get("/orgs").await.stale(), Some(false));
    }
}

#[tokio::test]
async fn atlas_and_cloud_manager_remove_the_resource_by_the_set_clock() {
    for (product, clock, gone) in [
        (Product::Atlas, "2021-06-22T23:59:59Z", false),
        (Product::Atlas, "2021-06-23T00:00:00Z", true),
        (Product::CloudManager, "2021-08-02T23:59:59Z", false),
        (Product::CloudManager, "2021-08-03T00:00:00Z", true),
        (Product::OpsManager, "2026-01-01T00:00:00Z", false),
    ] {
        let sandbox = start(|options| (options.product, options.clock) = (product, Some(time(clock))));
        let path = format!("/users/{}/keys", sandbox.expected_user(0).unwrap().id);
        let reply = announced(&sandbox).get(&path).await;
        if gone {
            assert_eq!(
                reply.refusal(),
                (410, "PERSONAL_API_KEYS_DEPRECATED".to_owned()),
                "{product:?} {clock}"
            );
        } else {
            assert_eq!(reply.status, 200, "{product:?} {clock}");
        }
    }
}

#[tokio::test]
async fn ops_manager_4_0_shows_a_new_key_whole_once() {
    let sandbox = start(|options| "4.0.19".clone_into(&mut options.service_version));
    let client = announced(&sandbox);
    let path = format!("/users/{}/keys", sandbox.expected_user(0).unwrap().id);
    let reply = client.call("POST", &path, Some(r#"{"description":"ci"}"#)).await;
    assert_eq!(reply.status, 201);
    let created = reply.json();
    let whole = created["key"].as_str().unwrap();
    assert_eq!(whole.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert_eq!(created["obfuscatedKey"], format!("********-****-****-{}", &whole[24..]));
    assert_eq!((&created["description"], &created["enabled"]), (&json!("ci"), &json!(true)));

    let user = Client::new(&sandbox, (client.user.clone(), whole.to_owned()));
    let list = user.read(&path).await;
    let row = list["results"].as_array().unwrap().last().unwrap();
    assert_eq!((&row["id"], &row["usedCount"]), (&created["id"], &json!(1)));
    assert!(row.get("key").is_none());
}

#[tokio::test]
async fn a_user_has_at_most_10_keys() {
    let sandbox = start(|options| "4.0.0".clone_into(&mut options.service_version));
    let client = announced(&sandbox);
    let user = sandbox.expected_user(0).unwrap();
    let path = format!("/users/{}/keys", user.id);
    for _ in user.keys.len()..10 {
        assert_eq!(client.call("POST", &path, Some("{}")).await.status, 201);
    }
    let refused = client.call("POST", &path, Some("{}")).await;
    assert_eq!(refused.refusal(), (403, "MAX_PUBLIC_API_KEY_REACHED".to_owned()));
}

#[tokio::test]
async fn only_the_user_makes_a_key_and_only_on_ops_manager_4_0() {
    let sandbox = start(|options| "4.0.0".clone_into(&mut options.service_version));
    let (_, id) = user_with(&sandbox, |_| true);
    let reply = announced(&sandbox).call("POST", &format!("/users/{id}/keys"), Some("{}")).await;
    assert_eq!(reply.refusal(), (401, "NOT_SELF".to_owned()));
    for product in PRODUCTS {
        let (sandbox, client) = start_product(product);
        let path = format!("/users/{}/keys", sandbox.expected_user(0).unwrap().id);
        let reply = client.call("POST", &path, Some(r#"{"description":"ci"}"#)).await;
        assert_eq!(reply.refusal(), (410, "PERSONAL_API_KEYS_DEPRECATED".to_owned()), "{product:?}");
    }
}

#[tokio::test]
async fn a_disabled_key_can_no_longer_log_in() {
    let (sandbox, owner) = start_product(Product::OpsManager);
    let (index, id) = user_with(&sandbox, |user| user.keys.iter().filter(|key| key.enabled).count() == 1);
    let key = sandbox.expected_user(index).unwrap().keys.into_iter().find(|key| key.enabled).unwrap();
    let path = format!("/users/{id}/keys/{}", key.id);
    let person = as_personal_key(&sandbox, index);
    for (body, enabled) in [(r#"{"enabled":false}"#, false), (r#"{"enabled":"true"}"#, true), ("{}", true)] {
        let reply = owner.call("PATCH", &path, Some(body)).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["enabled"]), (200, &json!(enabled)), "{body}");
    }
    assert_eq!(person.call("PATCH", &path, Some(r#"{"enabled":"false"}"#)).await.status, 200);
    assert_eq!(person.get("/orgs").await.stale(), Some(false));
    let stranger = as_user(&sandbox, index + 1).call("PATCH", &path, Some("{}")).await;
    assert_eq!(stranger.refusal(), (401, "NOT_SELF".to_owned()));
    assert_eq!(owner.call("PATCH", &path, Some(r#"{"enabled":7}"#)).await.refusal().1, "INVALID_ATTRIBUTE");
    assert_eq!(owner.call("PATCH", &path, Some("{")).await.refusal(), (400, "MALFORMED_JSON".to_owned()));
}

#[tokio::test]
async fn a_key_is_deleted_by_its_user_alone() {
    for product in PRODUCTS {
        let (sandbox, owner) = start_product(product);
        let (index, id) = user_with(&sandbox, |user| user.keys.len() == 2);
        let keys = sandbox.expected_user(index).unwrap().keys;
        let path = format!("/users/{id}/keys/{}", keys[0].id);
        assert_eq!(owner.call("DELETE", &path, None).await.refusal(), (401, "NOT_SELF".to_owned()));
        let client = as_user(&sandbox, index);
        let reply = client.call("DELETE", &path, None).await;
        let expected = if product == Product::Atlas { (200, "{}") } else { (204, "") };
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), expected, "{product:?}");
        assert_eq!(client.call("DELETE", &path, None).await.refusal(), (404, "INVALID_KEY_ID".to_owned()));
        assert_eq!(sandbox.expected_user(index).unwrap().keys, keys[1..]);
    }
}

#[tokio::test]
async fn ops_manager_4_0_deletes_no_keys_yet() {
    let sandbox = start(|options| "4.0.0".clone_into(&mut options.service_version));
    let user = sandbox.expected_user(0).unwrap();
    let path = format!("/users/{}/keys/{}", user.id, user.keys[1].id);
    assert_eq!(
        announced(&sandbox).call("DELETE", &path, None).await.refusal(),
        (405, "METHOD_NOT_ALLOWED".to_owned())
    );
}

#[tokio::test]
async fn one_key_can_be_read() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let path = "/users/5af9a1d29cc0cdb6ac0bf3f8/keys";
    let list = client.read(path).await;
    assert_eq!(client.read(&format!("{path}/5af9a1d29cc0cdb6acdca6d5")).await, list["results"][0]);
}

#[tokio::test]
async fn last_used_is_missing_if_never_used_and_null_if_unknown() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let unknown = client.read("/users/5b17c0de9cc0cdb6ac0bf401/keys/5b17c1729cc0cdb6ac0bf403").await;
    assert_eq!(unknown.get("lastUsed"), Some(&Value::Null));
    let never = client.read("/users/5c3e90aa9cc0cdb6ac0bf501/keys/5c3e91159cc0cdb6ac0bf502").await;
    assert_eq!((never.get("lastUsed"), &never["usedCount"]), (None, &json!(0)));
}
