//! Service accounts of Atlas, by the paths, bodies and statuses of the vendor's `OpenAPI` description.

use keysunset_sandbox::{Product, Sandbox};
use serde_json::{Value, json};

use super::{Client, ORG, PRODUCTION, Reply, example, field, rows, text};

const VERSION: &str = "application/vnd.atlas.2024-08-05+json";

/// Ann owns the organization, and her programmatic key calls the versioned API.
fn atlas() -> (Sandbox, Client) {
    let sandbox = example(|options| (options.product, options.clock) = (Product::Atlas, None));
    let mut client = super::announced(&sandbox);
    (client.base, client.accept) = ("/api/atlas/v2".to_owned(), VERSION);
    (sandbox, client)
}

fn accounts() -> String {
    format!("/orgs/{ORG}/serviceAccounts")
}

fn new_account() -> Value {
    json!({ "name": "keysunset-1", "description": "made for ann", "roles": ["ORG_MEMBER"],
        "secretExpiresAfterHours": 8 })
}

async fn create(client: &Client) -> Value {
    let reply = client.call("POST", &accounts(), Some(&new_account().to_string())).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()
}

/// A request for a token, with a client ID and a secret as the user and the password of Basic.
async fn token(client: &Client, id: &str, secret: &str, body: &str) -> Reply {
    let url = format!("{}/api/oauth/token", client.origin);
    let response =
        client.http.post(url).basic_auth(id, Some(secret)).body(body.to_owned()).send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Reply { status, headers, text: response.text().await.unwrap() }
}

const GRANT: &str = "grant_type=client_credentials";

#[tokio::test]
async fn a_service_account_shows_its_secret_once_and_logs_in_with_a_token() {
    let (_sandbox, client) = atlas();
    let account = create(&client).await;
    let (id, secret) = (field(&account, "clientId"), field(&account["secrets"][0], "secret"));
    assert!(id.len() == 34 && id.starts_with("mdb_sa_id_") && secret.starts_with("mdb_sa_sk_"), "{account}");
    let path = format!("{}/{id}", accounts());
    let shown = client.read(&path).await;
    let masked = field(&shown["secrets"][0], "maskedSecretValue");
    assert!(masked.ends_with(&secret[secret.len() - 4..]) && !shown.to_string().contains(secret), "{shown}");
    assert_eq!(rows(&client.read(&accounts()).await), [shown]);

    assert_eq!(token(&client, id, "mdb_sa_sk_wrong", GRANT).await.status, 401);
    assert_eq!(token(&client, id, secret, "grant_type=password").await.status, 400);
    let issued = token(&client, id, secret, GRANT).await.json();
    assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let bearer = [format!("Bearer {}", field(&issued, "access_token"))];
    let target = format!("/api/atlas/v2{path}");
    assert_eq!(client.send("GET", &target, &bearer, None).await.status, 200);
    assert_eq!(client.send("GET", &target, &["Bearer no".to_owned()], None).await.status, 401);
    let v1 = format!("/api/atlas/v1.0/orgs/{ORG}/apiKeys");
    assert_eq!(client.send("GET", &v1, &bearer, None).await.status, 401, "v1.0 has no tokens");
    // An account with the role of a member reads, and creates nothing.
    let body = new_account().to_string();
    let refused = client.send("POST", &format!("/api/atlas/v2{}", accounts()), &bearer, Some(&body)).await;
    assert_eq!(refused.refusal().1, "NOT_ORG_OWNER");

    assert_eq!(client.call("DELETE", &path, None).await.status, 204);
    assert_eq!(client.get(&path).await.refusal().1, "SERVICE_ACCOUNT_NOT_FOUND");
    assert_eq!(client.send("GET", &target, &bearer, None).await.status, 401);
}

#[tokio::test]
async fn roles_in_a_project_are_given_by_an_invitation_and_replaced_by_a_patch() {
    let (_sandbox, client) = atlas();
    let account = create(&client).await;
    let id = field(&account, "clientId");
    let in_project = format!("/groups/{PRODUCTION}/serviceAccounts/{id}");
    assert_eq!(client.get(&in_project).await.refusal().1, "SERVICE_ACCOUNT_NOT_FOUND");
    let invite = |roles: Value| json!({ "roles": roles }).to_string();
    let body = invite(json!(["GROUP_READ_ONLY", "GROUP_CLUSTER_MANAGER"]));
    let invited = client.call("POST", &format!("{in_project}:invite"), Some(&body)).await;
    assert_eq!(invited.status, 200, "{}", invited.text);
    let body = invite(json!(["GROUP_OWNER"]));
    assert_eq!(client.call("PATCH", &in_project, Some(&body)).await.status, 200);
    assert_eq!(client.read(&in_project).await["roles"], json!(["GROUP_OWNER"]));
    let groups = client.read(&format!("{}/{id}/groups", accounts())).await;
    assert_eq!(rows(&groups), [json!({ "groupId": PRODUCTION, "roles": ["GROUP_OWNER"] })]);
    // Of the roles of users, a service account has some.
    let body = invite(json!(["GROUP_AUTOMATION_ADMIN"]));
    assert_eq!(client.call("PATCH", &in_project, Some(&body)).await.refusal().1, "INVALID_ROLE_FOR_GROUP");
}

#[tokio::test]
async fn an_access_list_admits_its_addresses_alone() {
    let (_sandbox, client) = atlas();
    let account = create(&client).await;
    let id = field(&account, "clientId");
    let list = format!("{}/{id}/accessList", accounts());
    let body = json!([{ "cidrBlock": "203.0.113.0/24" }]).to_string();
    let added = client.call("POST", &list, Some(&body)).await;
    assert_eq!((added.status.as_u16(), &added.json()["totalCount"]), (200, &json!(1)));
    let issued = token(&client, id, field(&account["secrets"][0], "secret"), GRANT).await.json();
    let bearer = [format!("Bearer {}", text(&issued["access_token"]))];
    let target = format!("/api/atlas/v2{list}");
    let refused = client.send("GET", &target, &bearer, None).await;
    assert_eq!(refused.refusal().1, "IP_ADDRESS_NOT_ON_ACCESS_LIST");
    let body = json!([{ "ipAddress": "127.0.0.1" }]).to_string();
    client.call("POST", &list, Some(&body)).await;
    assert_eq!(client.send("GET", &target, &bearer, None).await.status, 200);
    assert_eq!(client.call("DELETE", &format!("{list}/127.0.0.1"), None).await.status, 204);
    assert_eq!(client.send("GET", &target, &bearer, None).await.status, 403);
}

#[tokio::test]
async fn a_wrong_body_or_version_is_refused() {
    let (_sandbox, mut client) = atlas();
    for (field, value, code) in [
        // The vendor's pattern has letters, digits, spaces and `-_.,'`.
        ("name", json!("keysunset:1"), "INVALID_ATTRIBUTE"),
        ("name", json!("x".repeat(65)), "INVALID_ATTRIBUTE"),
        ("description", json!("ann@example.com"), "INVALID_ATTRIBUTE"),
        ("description", json!(""), "INVALID_ATTRIBUTE"),
        ("secretExpiresAfterHours", json!(7), "INVALID_ATTRIBUTE"),
        ("secretExpiresAfterHours", json!(8761), "INVALID_ATTRIBUTE"),
        ("roles", json!([]), "MISSING_API_KEY_ROLES"),
        ("roles", json!(["GROUP_OWNER"]), "INVALID_ROLE_FOR_ORG"),
    ] {
        let mut body = new_account();
        body[field] = value;
        let refused = client.call("POST", &accounts(), Some(&body.to_string())).await.refusal();
        assert_eq!((refused.0, &*refused.1), (400, code), "{field}");
    }
    assert_eq!(client.read(&accounts()).await["totalCount"], 0);
    for accept in
        ["application/json", "application/vnd.atlas.2023-01-01+json", "application/vnd.atlas.x+json"]
    {
        client.accept = accept;
        assert_eq!(client.get(&accounts()).await.status, 406, "{accept}");
    }
    // Keys have had a version for longer.
    client.accept = "application/vnd.atlas.2023-01-01+json";
    client.read(&format!("/orgs/{ORG}/apiKeys")).await;
}

#[tokio::test]
async fn only_atlas_has_service_accounts() {
    let sandbox = example(|options| options.product = Product::CloudManager);
    let mut client = super::announced(&sandbox);
    client.accept = VERSION;
    assert_eq!(token(&client, "mdb_sa_id_1", "x", GRANT).await.status, 401);
    client.base = "/api/atlas/v2".to_owned();
    assert_eq!(client.get(&accounts()).await.status, 404);
}
