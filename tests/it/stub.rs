//! Servers that answer what the sandbox is too well-behaved for: a closure from request to answer, behind a digest or not.

mod digest;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use self::digest::{is_right, one_char_a_byte};
use crate::support::TestEnv;

/// The credential that every stub knows.
pub(crate) const PUBLIC: &str = "abcdwxyz";
pub(crate) const PRIVATE: &str = "11111111-2222-3333-4444-555555555555";
/// Some user's id.
pub(crate) const USER: &str = "5af9a1d29cc0cdb6ac0bf3f8";
const BASE: &str = "/api/public/v1.0";
pub(crate) const NONCE: &str = "bm9uY2Ugb2YgYSBzdHViLCAzMiBs+/==";

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// As in the request line.
    pub(crate) target: String,
    /// The path below the base path, without the query.
    pub(crate) path: String,
    /// The query.
    pub(crate) query: String,
    /// The request line and the headers.
    pub(crate) head: String,
    /// Whether it carried a digest that is right for this target.
    pub(crate) authorized: bool,
}

impl Asked {
    /// The page that is asked for.
    pub(crate) fn page(&self) -> usize {
        let number = self.query.split('&').find_map(|pair| pair.strip_prefix("pageNum="));
        number.map_or(1, |number| number.parse().unwrap())
    }
}

/// One answer.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    end: End,
}

/// How an answer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// In the middle, with the connection.
    Cut,
    /// Never, until the client goes away.
    Never,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(200, body)
    }

    /// An error document as the service writes it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let document = json!({"detail": "It says no.", "error": status, "errorCode": code, "parameters": [], "reason": "No"});
        Self::json(status, &document)
    }

    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self::bytes(kind, body.into()).with_status(status)
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// An answer in any charset.
    pub(crate) fn bytes(kind: &str, body: Vec<u8>) -> Self {
        Self { status: 200, headers: Vec::new(), body, end: End::Whole }.header("Content-Type", kind)
    }

    /// Half an answer.
    pub(crate) fn cut() -> Self {
        Self { end: End::Cut, ..Self::text(200, "application/json", r#"{"results":[]"#) }
    }

    /// No answer, until the client goes away.
    pub(crate) fn never() -> Self {
        Self { end: End::Never, ..Self::cut() }
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        Self::text(status, "text/plain", "elsewhere").header("Location", to)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Whether the stub challenges what comes without a right digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digest {
    On,
    Off,
    /// With a realm of these bytes.
    Realm(&'static [u8]),
    /// For a user of this name.
    Name(&'static str),
}

impl Digest {
    fn realm(self) -> &'static [u8] {
        match self {
            Self::On | Self::Off | Self::Name(_) => b"MMS Public API",
            Self::Realm(realm) => realm,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::On | Self::Off | Self::Realm(_) => PUBLIC,
            Self::Name(name) => name,
        }
    }
}

/// An answer that waits until others were given.
#[derive(Default)]
pub(crate) struct AfterOthers(Mutex<BTreeSet<String>>, Condvar);

impl AfterOthers {
    /// Notes that the answer for a path is given.
    pub(crate) fn given(&self, path: &str) {
        self.0.lock().unwrap().insert(path.to_owned());
        self.1.notify_all();
    }

    /// Whether all of them were given.
    pub(crate) fn has(&self, paths: &[String]) -> bool {
        let given = self.0.lock().unwrap();
        paths.iter().all(|path| given.contains(path))
    }

    /// Whether all of them were given in time.
    pub(crate) fn wait_for(&self, paths: &[String]) -> bool {
        let is_early = |given: &mut BTreeSet<String>| paths.iter().any(|path| !given.contains(path));
        let given = self.0.lock().unwrap();
        !self.1.wait_timeout_while(given, Duration::from_secs(20), is_early).unwrap().1.timed_out()
    }
}

/// A server under way; dropping it stops it.
pub(crate) struct Stub {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    pub(crate) fn start(digest: Digest, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), digest, answer)
    }

    pub(crate) fn start_at(
        address: SocketAddr,
        digest: Digest,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopped) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicBool>::default());
        let (log, stop, answer) = (Arc::clone(&asked), Arc::clone(&stopped), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                // A client that goes away in the middle is its own business.
                std::thread::spawn(move || stream.and_then(|stream| serve(stream, digest, &log, &*answer)));
            }
        });
        Self { address, asked, stopped, thread: Some(thread) }
    }

    /// Serves the keys of whomever it is asked for, in one page that adds up.
    pub(crate) fn of_keys(keys: Vec<Value>) -> Self {
        Self::start(Digest::On, move |_| Reply::ok(&list(&keys)))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}{BASE}", self.address)
    }

    /// All requests that came with a right digest, or all at all where there is no digest.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// One connection, one request: for another one the client connects again.
fn serve(
    stream: TcpStream,
    digest: Digest,
    log: &Mutex<Vec<Asked>>,
    answer: &dyn Fn(&Asked) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
    }
    let head: String = bytes.into_iter().map(char::from).collect();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (path, query) = (path.trim_start_matches(BASE).to_owned(), query.to_owned());
    let authorized = is_right(&head, &target, digest.realm(), digest.name());
    let asked = Asked { target, path, query, head, authorized };
    let reply = if digest == Digest::Off || authorized {
        log.lock().unwrap().push(asked.clone());
        answer(&asked)
    } else {
        Reply::text(401, "application/json", r#"{"reason":"Unauthorized","error":401,"detail":"No."}"#).header(
            "WWW-Authenticate",
            &format!(
                r#"Digest realm="{}", domain="", nonce="{NONCE}", algorithm=MD5, qop="auth", stale=false"#,
                one_char_a_byte(digest.realm())
            ),
        )
    };
    let headers: Vec<_> = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers: Vec<_> = headers.concat().chars().map(|c| u8::try_from(c).unwrap()).collect();
    let Reply { status, body, end, .. } = reply;
    let mut stream = stream;
    if end == End::Never {
        return reader.read_to_end(&mut Vec::new()).map(drop);
    }
    let length = body.len() + usize::from(end == End::Cut);
    write!(stream, "HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\nConnection: close\r\n")?;
    stream.write_all(&[&headers, &b"\r\n"[..]].concat())?;
    stream.write_all(&body)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    // The client closes first, so that no answer is lost to a reset.
    reader.read_to_end(&mut Vec::new()).map(drop)
}

/// A port that nobody may connect to.
pub(crate) struct Silent(TcpListener);

impl Silent {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    pub(crate) fn saw_nobody(&self) -> bool {
        self.0.accept().is_err_and(|why| why.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// A desk with the credential of every stub.
pub(crate) fn env() -> TestEnv {
    TestEnv::of((PUBLIC.to_owned(), PRIVATE.to_owned()))
}

/// An id of 24 digits.
pub(crate) fn id(number: usize) -> String {
    format!("{number:024x}")
}

/// A key of [`USER`] as the reference pages print one.
pub(crate) fn key(number: usize, description: &str) -> Value {
    json!({
        "createdAt": "2018-05-14T14:45:22Z", "description": description, "enabled": true, "id": id(number),
        "lastUsed": "2018-05-14T14:45:23Z", "obfuscatedKey": format!("********-****-****-{number:012x}"), "usedCount": 7,
        "userId": USER,
    })
}

/// A whole list in one page.
pub(crate) fn list(rows: &[Value]) -> Value {
    json!({"links": [{"href": "http://example.com", "rel": "self"}], "results": rows, "totalCount": rows.len()})
}
