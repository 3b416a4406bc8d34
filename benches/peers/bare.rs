//! The HTTP stack of this program and one nonce for all requests, without a run database, a policy or a report.

use std::collections::BTreeSet;
use std::sync::Mutex;

use digest_auth::{AuthContext, HttpMethod, WwwAuthenticateHeader};
use futures::StreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::IN_FLIGHT;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    results: Vec<T>,
    total_count: usize,
}

#[derive(Deserialize)]
struct Item {
    id: String,
}

/// Reads all keys of all users, with the credential in the environment.
pub(super) fn audit(url: &str) {
    let secret = |name: &str| std::env::var(name).expect("a credential");
    let client = Client::new(url, &secret("KEYSUNSET_PUBLIC_KEY"), &secret("KEYSUNSET_PRIVATE_KEY"));
    let keys = block_on(async {
        let users = client.users().await;
        let lists = futures::stream::iter(&users).map(|id| client.all::<Item>(format!("/users/{id}/keys")));
        lists.buffer_unordered(IN_FLIGHT).fold(0, |sum, list| async move { sum + list.len() }).await
    });
    println!("{keys} keys");
}

/// The ids of all users.
pub(super) fn users(url: &str, public_key: &str, private_key: &str) -> BTreeSet<String> {
    block_on(Client::new(url, public_key, private_key).users())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

struct Client {
    http: reqwest::Client,
    url: String,
    public_key: String,
    private_key: String,
    challenge: Mutex<Option<WwwAuthenticateHeader>>,
}

impl Client {
    fn new(url: &str, public_key: &str, private_key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (url, public_key, private_key) = (url.to_owned(), public_key.to_owned(), private_key.to_owned());
        Self { http, url, public_key, private_key, challenge: Mutex::new(None) }
    }

    async fn users(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for org in self.all::<Item>("/orgs".to_owned()).await {
            let users = self.all::<Item>(format!("/orgs/{}/users", org.id)).await;
            ids.extend(users.into_iter().map(|user| user.id));
        }
        ids
    }

    /// All pages of a list.
    async fn all<T: DeserializeOwned>(&self, path: String) -> Vec<T> {
        let mut items = Vec::new();
        for number in 1.. {
            let path = format!("{path}?pageNum={number}&itemsPerPage=500");
            let page: Page<T> = serde_json::from_slice(&self.get(&path).await).expect("a page");
            let is_empty = page.results.is_empty();
            items.extend(page.results);
            if is_empty || items.len() >= page.total_count {
                break;
            }
        }
        items
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        let url = format!("{}{path}", self.url);
        loop {
            let mut request = self.http.get(&url);
            let authorization = self.authorization(&url);
            let is_answer = authorization.is_some();
            if let Some(authorization) = authorization {
                request = request.header("Authorization", authorization);
            }
            let response = request.send().await.expect("a response");
            if response.status() == 401 {
                let challenge = response.headers()["www-authenticate"].to_str().expect("a text");
                let challenge = digest_auth::parse(challenge).expect("a challenge");
                assert!(!is_answer || challenge.stale, "the credential is refused");
                *self.challenge.lock().expect("no panic") = Some(challenge);
                continue;
            }
            assert!(response.status().is_success(), "{url}: {}", response.status());
            return response.bytes().await.expect("a body").to_vec();
        }
    }

    /// `None` before the first challenge.
    fn authorization(&self, url: &str) -> Option<String> {
        let path = &url[url.match_indices('/').nth(2).expect("a path").0..];
        let (user, password) = (self.public_key.as_str(), self.private_key.as_str());
        let context = AuthContext::new_with_method(user, password, path, None::<&[u8]>, HttpMethod::GET);
        let mut challenge = self.challenge.lock().expect("no panic");
        let header = challenge.as_mut()?.respond(&context).expect("an answer");
        Some(header.to_header_string())
    }
}
