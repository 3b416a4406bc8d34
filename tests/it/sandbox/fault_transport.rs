//! `--fault`: connections that end or crawl, seen by a socket.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keysunset_sandbox::Sandbox;

use super::{Client, announced, start};

fn broken(spec: &str) -> (Sandbox, Client) {
    let sandbox = start(|options| options.faults = vec![spec.parse().unwrap()]);
    let client = announced(&sandbox);
    (sandbox, client)
}

/// Sends an authorized `GET` of a path on a connection of its own.
async fn ask(client: &Client, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(client.origin.trim_start_matches("http://")).unwrap();
    send(client, &mut stream, path, headers).await;
    stream
}

async fn send(client: &Client, stream: &mut TcpStream, path: &str, headers: &str) {
    let target = format!("{}{path}", client.base);
    let nonce = client.send("GET", &target, &[], None).await.nonce();
    let authorization = client.answer("GET", path, nonce).header();
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    WriterStopped,
    Reset,
}

/// All bytes that come, and how the connection ends.
fn all(mut stream: TcpStream) -> (Vec<u8>, End) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return (bytes, End::WriterStopped),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(why) if why.kind() == ErrorKind::ConnectionReset => return (bytes, End::Reset),
            Err(why) => panic!("{why}"),
        }
    }
}

/// How many bytes of an answer's body are missing; `None` where its head is not whole.
fn missing(answer: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    Some(length.parse::<usize>().unwrap() - body.len())
}

#[tokio::test]
async fn a_connection_is_reset_or_closed_before_the_first_byte() {
    for (kind, end) in [("reset", End::Reset), ("close", End::WriterStopped)] {
        let (_sandbox, client) = broken(&format!("{kind}@1"));
        assert_eq!(all(ask(&client, "/orgs", "").await), (Vec::new(), end), "{kind}");
    }
}

#[tokio::test]
async fn a_cut_leaves_as_many_bytes_as_its_argument() {
    for byte in [0, 1, 9, 17, 100, 250, 400] {
        let (_sandbox, client) = broken(&format!("cut={byte}@1"));
        let (bytes, _) = all(ask(&client, "/orgs", "").await);
        assert_eq!(bytes.len(), byte);
        assert!(b"HTTP/1.1 200 OK\r\n".starts_with(&bytes[..byte.min(17)]));
    }
    let (_sandbox, client) = broken("cut=100000@1");
    let (bytes, _) = all(ask(&client, "/orgs", "Connection: close\r\n").await);
    assert_eq!(missing(&bytes), Some(0));
}

#[tokio::test]
async fn a_cut_without_argument_is_at_a_byte_that_the_seed_decides() {
    let (sandbox, client) = broken("cut@1:keys");
    let (mut in_head, mut in_body, mut resets) = (0, 0, 0);
    for user in sandbox.ground_truth() {
        let path = format!("/users/{}/keys", user.id);
        let (bytes, end) = all(ask(&client, &path, "").await);
        match missing(&bytes) {
            None => in_head += 1,
            Some(0) => panic!("{path} is whole"),
            Some(_) => in_body += 1,
        }
        resets += usize::from(end == End::Reset);
        let (again, same_end) = all(ask(&client, &path, "").await);
        assert_eq!((again.len(), same_end), (bytes.len(), end));
    }
    assert!(in_head > 10 && in_body > 10 && (20..80).contains(&resets), "{in_head} {in_body} {resets}");
}

#[tokio::test]
async fn a_connection_that_hangs_sends_nothing() {
    let (_sandbox, client) = broken("hang@1");
    let mut stream = ask(&client, "/orgs", "").await;
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let why = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{why}");
}

#[tokio::test]
async fn a_slow_drip_sends_every_byte_with_a_pause() {
    let (_sandbox, client) = broken("slow-dripx1=1@1:orgs");
    let started = Instant::now();
    let mut stream = ask(&client, "/orgs", "").await;
    let (mut bytes, mut byte) = (Vec::new(), [0; 4096]);
    while missing(&bytes) != Some(0) {
        let count = stream.read(&mut byte).unwrap();
        assert_ne!(count, 0);
        bytes.extend_from_slice(&byte[..count]);
    }
    assert!(started.elapsed() >= Duration::from_millis(bytes.len() as u64), "{} bytes", bytes.len());
    send(&client, &mut stream, "/orgs", "Connection: close\r\n").await;
    let (mut whole, mut reads) = (Vec::new(), 0);
    while missing(&whole) != Some(0) {
        let count = stream.read(&mut byte).unwrap();
        assert_ne!(count, 0);
        whole.extend_from_slice(&byte[..count]);
        reads += 1;
    }
    assert!(
        reads * 10 < whole.len(),
        "the next answer does not drip: {reads} reads of {} bytes",
        whole.len()
    );
}

/// Some of a body, without the head, and the head.
fn some(mut stream: TcpStream, size: usize) -> (String, Vec<u8>) {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).unwrap();
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = bytes.split_off(at);
    (String::from_utf8(bytes).unwrap(), body)
}

#[tokio::test]
async fn a_body_of_gigabytes_has_a_content_length() {
    let (_sandbox, client) = broken("gigabytes=5@1");
    let (head, body) = some(ask(&client, "/orgs", "").await, 64 << 20);
    assert!(head.contains("content-length: 5368709120\r\n"), "{head}");
    assert!(body.starts_with(br#"{"links":[],"totalCount":1,"results":[{"createdAt":"#));
    let (_sandbox, client) = broken("gigabytes=1@1");
    let mut stream = ask(&client, "/orgs", "Connection: close\r\n").await;
    assert!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap() > 1 << 30);
}

#[tokio::test]
async fn an_endless_body_has_no_content_length() {
    let (_sandbox, client) = broken("endless@1");
    let (head, body) = some(ask(&client, "/orgs", "").await, 64 << 20);
    assert!(head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length"), "{head}");
    assert!(body.ends_with(b",") || body.len() > 63 << 20);
}

#[tokio::test]
async fn before_the_digest_even_the_challenge_is_cut() {
    let (_sandbox, client) = broken("cut=20@1:digest");
    let mut stream = TcpStream::connect(client.origin.trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET /api/public/v1.0/orgs HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(all(stream).0, b"HTTP/1.1 401 Unautho");
}
