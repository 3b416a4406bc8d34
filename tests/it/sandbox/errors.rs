//! The error documents.

use keysunset_sandbox::Product;
use serde_json::json;

use super::{PRODUCTS, announced, start, start_product};

#[tokio::test]
async fn an_error_is_a_document_with_its_code() {
    let sandbox = start(|_| {});
    let reply = announced(&sandbox).get("/users/000000000000000000000000").await;
    assert_eq!(reply.status, 404);
    assert_eq!(
        reply.json(),
        json!({
            "detail": "No user with ID 000000000000000000000000 exists.",
            "error": 404,
            "errorCode": "USER_NOT_FOUND",
            "parameters": ["000000000000000000000000"],
            "reason": "Not Found",
        })
    );
    assert_eq!(reply.headers["content-type"], "application/json");
}

#[tokio::test]
async fn each_missing_thing_has_its_error_code() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let user = sandbox.expected_user(0).unwrap().id;
    let org = &sandbox.announcement().org_id;
    for (path, code) in [
        ("/users/ffffffffffffffffffffffff/keys".to_owned(), "USER_NOT_FOUND"),
        ("/users/me/keys".to_owned(), "INVALID_USER_ID"),
        ("/users/%00".to_owned(), "INVALID_USER_ID"),
        ("/users/byName/nobody%40example.com".to_owned(), "USERNAME_NOT_FOUND"),
        (format!("/users/{user}/keys/ffffffffffffffffffffffff"), "INVALID_KEY_ID"),
        ("/orgs/ffffffffffffffffffffffff".to_owned(), "ORG_NOT_FOUND"),
        ("/orgs/x/users".to_owned(), "ORG_NOT_FOUND"),
        ("/groups/ffffffffffffffffffffffff/users".to_owned(), "GROUP_NOT_FOUND"),
        (format!("/orgs/{org}/apiKeys/ffffffffffffffffffffffff"), "API_KEY_NOT_FOUND"),
        ("/nothing".to_owned(), "RESOURCE_NOT_FOUND"),
        ("/users".to_owned(), "RESOURCE_NOT_FOUND"),
        (format!("/users/{user}/keys/x/y"), "RESOURCE_NOT_FOUND"),
        (format!("/users//{user}"), "RESOURCE_NOT_FOUND"),
        ("/users/%ff".to_owned(), "RESOURCE_NOT_FOUND"),
        ("x".to_owned(), "RESOURCE_NOT_FOUND"),
    ] {
        assert_eq!(client.get(&path).await.refusal(), (404, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn each_product_has_a_base_path_of_its_own() {
    for product in PRODUCTS {
        let (_sandbox, mut client) = start_product(product);
        client.read("").await;
        client.read("/").await;
        let atlas = product == Product::Atlas;
        assert_eq!(client.base, if atlas { "/api/atlas/v1.0" } else { "/api/public/v1.0" });
        client.base = if atlas { "/api/public/v1.0" } else { "/api/atlas/v1.0" }.to_owned();
        assert_eq!(
            client.get("/orgs").await.refusal(),
            (404, "RESOURCE_NOT_FOUND".to_owned()),
            "{product:?}"
        );
    }
}

#[tokio::test]
async fn the_version_needs_no_credentials() {
    for product in PRODUCTS {
        let (sandbox, client) = start_product(product);
        let reply = client.send("GET", "/api/private/unauth/version", &[], None).await;
        let header = reply.headers["x-mongodb-service-version"].to_str().unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(header, format!("gitHash={}; versionString=4.4.12", reply.text));
        assert_eq!(sandbox.counts().exchanges, 0);
        assert_eq!(client.send("POST", "/api/private/unauth/version", &[], None).await.status, 401);
    }
}

#[tokio::test]
async fn a_method_that_a_resource_does_not_take_is_405() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let user = sandbox.expected_user(0).unwrap().id;
    for (method, path) in [
        ("PUT", format!("/users/{user}/keys")),
        ("OPTIONS", "/orgs".to_owned()),
        ("DELETE", "/orgs".to_owned()),
        ("PATCH", format!("/users/{user}")),
        ("BREW", "/groups".to_owned()),
    ] {
        let reply = client.call(method, &path, None).await;
        assert_eq!(reply.refusal(), (405, "METHOD_NOT_ALLOWED".to_owned()), "{method} {path}");
    }
    assert_eq!(client.call("HEAD", "/orgs", None).await.status, 405);
}

#[tokio::test]
async fn a_body_that_is_not_json_or_too_large_is_malformed() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    let path = format!("/orgs/{}/apiKeys", sandbox.announcement().org_id);
    let large = format!(r#"{{"desc":"{}","roles":["ORG_MEMBER"]}}"#, "x".repeat(1 << 20));
    for body in ["", "{", "null", "[]", "\u{0}", large.as_str()] {
        let reply = client.call("POST", &path, Some(body)).await;
        assert_eq!(reply.refusal(), (400, "MALFORMED_JSON".to_owned()), "{body:.20}");
    }
}

#[tokio::test]
async fn every_request_is_answered_with_a_document() {
    for product in PRODUCTS {
        let (sandbox, client) = start_product(product);
        let (user, org) = (sandbox.expected_user(0).unwrap().id, sandbox.announcement().org_id.clone());
        let words = [
            "users",
            "byName",
            "keys",
            "orgs",
            "groups",
            "apiKeys",
            "admin",
            "whitelist",
            "accessList",
            "teams",
            "events",
        ];
        let parts: Vec<&str> =
            words.into_iter().chain([user.as_str(), &org, "%2F", "..%2e", "%E2%82%AC"]).collect();
        let mut number = 0_usize;
        for first in &parts {
            for second in &parts {
                number += 7;
                let third = parts[number % parts.len()];
                let method = ["GET", "POST", "PATCH", "DELETE", "PUT"][number % 5];
                let path = format!("/{first}/{second}/{third}?envelope=true&pretty=true&x=%");
                let reply = client.call(method, &path, Some(r#"{"roles":[7],"desc":null}"#)).await;
                assert!(reply.status.as_u16() < 500, "{method} {path}");
                if reply.status != 204 {
                    assert!(reply.json().is_object(), "{method} {path}");
                }
            }
        }
    }
}
