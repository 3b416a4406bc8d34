//! Connections: by an IPv6 address, refused for a while, and out of step with their requests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::Mutex;

use keysunset_sandbox::Options;

use crate::foreign::skipped;
use crate::stub::{self, Digest, NONCE, Reply, Stub, id, key, list};
use crate::support::{CliOutput, TestEnv, count, sandbox};

/// curl/curl#2353, wg/wrk#34: the brackets got lost, or a proxy was asked.
#[test]
fn a_deployment_is_read_by_its_ipv6_address_and_past_a_proxy() {
    let listen = (Ipv6Addr::LOCALHOST, 0).into();
    if TcpListener::bind(listen).is_err() {
        return skipped("IPv6 on the loopback");
    }
    let sandbox = sandbox(Options { users: 3, listen, ..Options::default() });
    let url = &sandbox.announcement().url;
    let root = url.strip_suffix("/api/public/v1.0").unwrap();
    assert!(root.starts_with("http://[::1]:"), "{root}");
    let env = TestEnv::at(&sandbox)
        .with("http_proxy", "http://127.0.0.1:9")
        .with("ALL_PROXY", "http://127.0.0.1:9");
    for typed in [url, root] {
        let ran = env.audit_at(typed, &["--all-orgs"]);
        assert_eq!(ran.code, 1, "{typed}: {ran:?}");
        let rows = env.rows();
        assert_eq!(count(&rows, "deployment", root), rows.len(), "{rows:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_outage_of_refused_connections_costs_no_user() {
    let (answered, was_answered) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    // An address that no other test has, since its port is free in between.
    let stub = Stub::start_at(([127, 0, 0, 77], 0).into(), Digest::On, move |asked| {
        let _ = answered.send(());
        if !asked.path.contains(&id(21)) {
            return Reply::ok(&list(&[]));
        }
        let _ = may_go_on.lock().unwrap().recv();
        Reply::cut()
    });
    let (url, address) = (stub.url(), stub.address());
    let env = stub::env();
    env.put("users.txt", (1..=40).map(id).collect::<Vec<_>>().join("\n"));
    let mut child = env.spawn(&["audit", "--url", &url, "--users", "users.txt", "--concurrency", "1"]);
    assert_eq!(was_answered.iter().take(21).count(), 21);
    // Nothing listens any more when the 21st answer breaks off.
    drop((stub, go_on));
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = stderr.find(|line| line.contains("is down: ")).unwrap();
    assert!(line.contains("can't connect"), "{line}");
    let _stub = Stub::start_at(address, Digest::On, |_| Reply::ok(&list(&[])));
    assert!(stderr.any(|line| line.contains("responds again")));
    drop(stderr);
    assert_eq!(CliOutput::of(child).code, 0);
    assert_eq!(count(&env.rows(), "read_status", "read"), 40);
}

/// Answers every request of a connection but its first with the list of the user before, as a proxy does that has lost count.
fn out_of_step(stream: TcpStream) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut lines = BufReader::new(stream).lines();
    let mut before: Option<usize> = None;
    loop {
        let head: Vec<_> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let Some(target) = head.first() else { return Ok(()) };
        let number = target
            .split('/')
            .find_map(|part| usize::from_str_radix(part, 16).ok().filter(|_| part.len() == 24));
        let is_authorized = head.iter().any(|line| line.to_lowercase().starts_with("authorization: digest"));
        if !is_authorized {
            write!(
                writer,
                "HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"{NONCE}\", qop=\"auth\"\r\n\r\n"
            )?;
            continue;
        }
        let user = before.or(number).unwrap();
        before = number;
        let mut key = key(user, "ci");
        key["userId"] = id(user).into();
        let mut body = list(&[key]);
        body["links"][0]["href"] =
            format!("http://om.example/api/public/v1.0/users/{}/keys", id(user)).into();
        let body = body.to_string();
        write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
}

#[test]
fn a_connection_out_of_step_gives_no_user_the_keys_of_another() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || stream.and_then(out_of_step));
        }
    });
    let env = stub::env();
    env.put("users.txt", (1..=40).map(id).collect::<Vec<_>>().join("\n"));
    let ran = env.audit_at(&url, &["--users", "users.txt", "--concurrency", "1"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let rows = env.rows();
    assert_eq!((rows.len(), count(&rows, "read_status", "read")), (40, 40), "{rows:?}");
    assert!(rows.iter().all(|row| row["user_id"] == row["key_id"]), "{rows:?}");
    assert_eq!(count(&rows, "attempts", "2"), 1, "from the first wrong answer on, each request has its own");
}
