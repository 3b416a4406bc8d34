//! API clients of others, against the sandbox: whether it implements the API is not only for our own tests to decide.

use keysunset_sandbox::{Options, Product, Sandbox};
use serde_json::{Map, json};
use tempfile::NamedTempFile;

use super::{node, python};

/// A random world, and a file with what the client needs and must find.
fn start(product: Product, version: &str, users: u64) -> (Sandbox, NamedTempFile) {
    let options = Options { product, users, service_version: version.to_owned(), ..Options::default() };
    let sandbox = Sandbox::start(options).unwrap();
    let announced = sandbox.announcement();
    let users: Map<_, _> = sandbox.ground_truth().map(|user| (user.id, json!(user.username))).collect();
    let expected = json!({
        "origin": announced.url.split_once("/api/").unwrap().0,
        "publicKey": announced.public_key,
        "privateKey": announced.private_key,
        "orgId": announced.org_id,
        "users": users,
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), expected.to_string()).unwrap();
    (sandbox, file)
}

#[test]
fn opsmanager_of_pypi_reads_ops_manager_4_4_and_6_0() {
    for version in ["4.4.12", "6.0.3"] {
        let (_sandbox, expected) = start(Product::OpsManager, version, 250);
        python(&["opsmanager"], include_str!("opsmanager.py"), &[expected.path()]);
    }
}

#[test]
fn atlasapi_of_pypi_reads_atlas() {
    // It reads the first page of users alone, which has 100.
    let (_sandbox, expected) = start(Product::Atlas, "4.4.12", 90);
    python(&["atlasapi"], include_str!("atlasapi.py"), &[expected.path()]);
}

#[test]
fn mongodb_atlas_api_client_of_npm_reads_atlas() {
    let (_sandbox, expected) = start(Product::Atlas, "4.4.12", 250);
    node("mongodb-atlas-api-client", include_str!("atlas_api_client.js"), &[expected.path()]);
}
