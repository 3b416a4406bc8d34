//! The sandbox implements the reference pages: each rule is taken from them or from docs/sandbox.md, none from its output.

mod access_lists;
mod digest;
mod discovery;
mod errors;
mod events;
mod fault_answers;
mod fault_transport;
mod faults;
mod keys;
mod programmatic;
mod service_accounts;
mod teams;
mod world;

use chrono::{DateTime, Utc};
use digest_auth::{Algorithm, AlgorithmType};
use keysunset_sandbox::{Options, Product, Sandbox};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::Value;

// Ids of the example world: its organizations, and two projects of the first.
const ORG: &str = "5980cfdf0b6d97029d82f86e";
const OTHER_ORG: &str = "5b2a3c4d5e6f708192a3b4c5";
const PRODUCTION: &str = "5991a2b3c4d5e6f708192a3b";
const STAGING: &str = "5991a2b3c4d5e6f708192a3c";

/// A response with its body.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    /// The status and the `errorCode`, which is empty where the body has none.
    fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["errorCode"].as_str().unwrap_or_default().to_owned())
    }

    fn challenges(&self) -> Vec<&str> {
        self.headers.get_all(WWW_AUTHENTICATE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    fn nonce(&self) -> String {
        let challenge = self.challenges().join(", ");
        let (_, rest) = challenge.split_once("nonce=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// The `stale` of a refusal by the digest layer; `None` for any other answer.
    fn stale(&self) -> Option<bool> {
        let last = *self.challenges().last()?;
        Some(last.ends_with("stale=true"))
    }
}

/// A response to a challenge, of which every part can be made wrong.
#[derive(Clone, Debug)]
struct DigestResponse {
    user: String,
    password: String,
    realm: &'static str,
    method: &'static str,
    uri: String,
    nonce: String,
    /// Without it the response is one of RFC 2069.
    qop: Option<&'static str>,
    nc: String,
    algorithm: Option<&'static str>,
}

impl DigestResponse {
    fn header(&self) -> String {
        let hash = |text: String| {
            let kind =
                if self.algorithm == Some("SHA-256") { AlgorithmType::SHA2_256 } else { AlgorithmType::MD5 };
            Algorithm::new(kind, false).hash_str(&text)
        };
        let who = hash(format!("{}:{}:{}", self.user, self.realm, self.password));
        let what = hash(format!("{}:{}", self.method, self.uri));
        let (middle, counted) = match self.qop {
            None => (self.nonce.clone(), String::new()),
            Some(qop) => (
                format!("{}:{}:0a4f113b:{qop}", self.nonce, self.nc),
                format!(r#", qop={qop}, nc={}, cnonce="0a4f113b""#, self.nc),
            ),
        };
        let response = hash(format!("{who}:{middle}:{what}"));
        let algorithm = self.algorithm.map_or(String::new(), |name| format!(", algorithm={name}"));
        format!(
            r#"Digest username="{}", realm="{}", nonce="{}", uri="{}", response="{response}"{counted}{algorithm}"#,
            self.user, self.realm, self.nonce, self.uri
        )
    }
}

/// A client with one credential.
struct Client {
    http: reqwest::Client,
    origin: String,
    base: String,
    user: String,
    password: String,
    /// The header `Accept`.
    accept: &'static str,
}

impl Client {
    fn new(sandbox: &Sandbox, (user, password): (String, String)) -> Self {
        let url = &sandbox.announcement().url;
        let base = url.find("/api/").unwrap();
        Self {
            http: reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(),
            origin: url[..base].to_owned(),
            base: url[base..].to_owned(),
            user,
            password,
            accept: "application/json",
        }
    }

    /// The right response to a nonce, for the first time.
    fn answer(&self, method: &'static str, path: &str, nonce: String) -> DigestResponse {
        DigestResponse {
            user: self.user.clone(),
            password: self.password.clone(),
            realm: "MMS Public API",
            method,
            uri: format!("{}{path}", self.base),
            nonce,
            qop: Some("auth"),
            nc: "00000001".to_owned(),
            algorithm: Some("MD5"),
        }
    }

    /// One exchange, with these `Authorization` headers.
    async fn send(&self, method: &str, target: &str, authorization: &[String], body: Option<&str>) -> Reply {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{target}", self.origin));
        request = request.header(ACCEPT, self.accept);
        for header in authorization {
            request = request.header(AUTHORIZATION, header);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, text: response.text().await.unwrap() }
    }

    /// A challenge, and then this response to it, for the list of organizations.
    async fn attempt(&self, change: impl FnOnce(&mut DigestResponse)) -> Reply {
        let target = format!("{}/orgs", self.base);
        let nonce = self.send("GET", &target, &[], None).await.nonce();
        let mut answer = self.answer("GET", "/orgs", nonce);
        change(&mut answer);
        self.send("GET", &target, &[answer.header()], None).await
    }

    /// A challenge and the right response.
    async fn call(&self, method: &'static str, path: &str, body: Option<&str>) -> Reply {
        let target = format!("{}{path}", self.base);
        let nonce = self.send(method, &target, &[], body).await.nonce();
        self.send(method, &target, &[self.answer(method, path, nonce).header()], body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None).await
    }

    /// A document that must be there.
    async fn read(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        reply.json()
    }
}

fn start(change: impl FnOnce(&mut Options)) -> Sandbox {
    let mut options = Options { clock: Some(time("2026-06-01T12:00:00Z")), ..Options::default() };
    change(&mut options);
    Sandbox::start(options).unwrap()
}

/// A sandbox of a product, and a client with the announced credential. Its clock is the system's, so that nothing is removed yet.
fn start_product(product: Product) -> (Sandbox, Client) {
    let sandbox = start(|options| (options.product, options.clock) = (product, None));
    let client = announced(&sandbox);
    (sandbox, client)
}

fn announced(sandbox: &Sandbox) -> Client {
    let announcement = sandbox.announcement();
    Client::new(sandbox, (announcement.public_key.clone(), announcement.private_key.clone()))
}

/// The example world of the documentation.
fn example(change: impl FnOnce(&mut Options)) -> Sandbox {
    start(|options| {
        options.world = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sandbox-world.json").into());
        change(options);
    })
}

/// A member of the other organization in the example world, with a personal key.
fn chiara(sandbox: &Sandbox) -> Client {
    Client::new(sandbox, ("chiara@example.com".into(), "5d4c3b2a-1908-4f7e-b6d5-c4b3a2918070".into()))
}

fn rows(list: &Value) -> &[Value] {
    list["results"].as_array().unwrap()
}

/// A field that must be there, and a text.
fn field<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("{name} in {row}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const PRODUCTS: [Product; 3] = [Product::OpsManager, Product::CloudManager, Product::Atlas];
