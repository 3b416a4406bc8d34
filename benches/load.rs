//! How long an audit takes where the deployment is slow, fails, or takes so many requests a second: the program as its own
//! process, the sandbox in this one. `cargo bench --bench load -- latency failures rate gateway` prints a table for each
//! word; docs/benchmarks.md has the numbers. `gateway` needs nginx.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keysunset_sandbox::{Options, Sandbox};

fn main() {
    let tables: [(&str, fn()); 4] =
        [("latency", latency), ("failures", failures), ("rate", rate), ("gateway", gateway)];
    for (name, table) in tables {
        if std::env::args().any(|argument| argument == name) {
            println!("{name}");
            table();
        }
    }
}

fn sandbox(users: u64, fault: &str) -> Sandbox {
    let faults = if fault.is_empty() { Vec::new() } else { vec![fault.parse().expect("a fault")] };
    Sandbox::start(Options { users, faults, ..Options::default() }).expect("a sandbox")
}

/// Audits all organizations at `url`, and returns how long that took.
fn audit(sandbox: &Sandbox, url: &str, arguments: &[&str]) -> Duration {
    let announced = sandbox.announcement();
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_keysunset"))
        .args(["audit", "--quiet", "--exit-zero", "--all-orgs", "--url", url, "--out"])
        .arg(folder.path())
        .args(arguments)
        .env("KEYSUNSET_PUBLIC_KEY", &announced.public_key)
        .env("KEYSUNSET_PRIVATE_KEY", &announced.private_key)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("the program");
    assert!(status.code().is_some_and(|code| code == 0 || code == 3), "the audit ended with {status}");
    began.elapsed()
}

/// What a deployment that answers nothing sooner allows at best, and the aim.
fn latency() {
    const USERS: u32 = 2000;
    println!("{:>5} {:>5} {:>9} {:>8} {:>8} {:>8}", "ms", "most", "slow", "ideal", "aim", "measured");
    for milliseconds in [20, 80, 150] {
        for concurrency in [16, 64, 256_u32] {
            for (slow, place) in [("keys", ":keys"), ("all", "")] {
                let sandbox = sandbox(USERS.into(), &format!("latency={milliseconds}@100%{place}"));
                let latency = f64::from(milliseconds) / 1000.0;
                let ideal = f64::from(USERS) * latency / f64::from(concurrency);
                let aim = 1.15 * ideal + 6.0 * latency;
                let arguments = ["--concurrency", &concurrency.to_string()];
                let measured = audit(&sandbox, &sandbox.announcement().url, &arguments).as_secs_f64();
                println!(
                    "{milliseconds:>5} {concurrency:>5} {slow:>9} {ideal:>7.2}s {aim:>7.2}s {measured:>7.2}s"
                );
            }
        }
    }
}

fn failures() {
    for fault in ["", "503@5%:keys", "503x1@5%:keys"] {
        let sandbox = sandbox(20_000, fault);
        let measured = audit(&sandbox, &sandbox.announcement().url, &[]).as_secs_f64();
        println!(
            "20,000 users, {:>14}: {measured:.2} s",
            if fault.is_empty() { "no failures" } else { fault }
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn rate() {
    for (rate, users) in [(300, 3000), (2000, 20_000)] {
        let sandbox = sandbox(users, "");
        let measured = audit(&sandbox, &sandbox.announcement().url, &["--rate", &rate.to_string()]);
        let used = sandbox.counts().exchanges as f64 / measured.as_secs_f64() / f64::from(rate);
        println!(
            "--rate {rate}, {users} users: {:.2} s, {:.1} % of it",
            measured.as_secs_f64(),
            used * 100.0
        );
    }
}

/// 100 requests a second with a burst of 3, refused with 503 or 429 and no more words.
fn gateway() {
    for status in [503, 429] {
        let sandbox = sandbox(3000, "");
        let folder = tempfile::tempdir().expect("a folder");
        let origin = sandbox.announcement().url.replace("/api/public/v1.0", "");
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
        let port = port.expect("a port").port();
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, nginx_config(folder.path(), port, &origin, status)).expect("a configuration");
        let nginx = Command::new("nginx").arg("-c").arg(&config).stderr(Stdio::null()).spawn();
        let Ok(mut nginx) = nginx else { return println!("skipped: there is no nginx") };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        let measured = audit(&sandbox, &format!("http://127.0.0.1:{port}/api/public/v1.0"), &[]);
        nginx.kill().expect("it runs");
        nginx.wait().expect("it ends");
        let log = std::fs::read_to_string(folder.path().join("access.log")).expect("its log");
        let answers: Vec<(f64, bool)> = log.lines().filter_map(|line| parse(line, status)).collect();
        let (first, last) = (answers[0].0, answers[answers.len() - 1].0);
        let late: Vec<_> = answers.iter().filter(|(at, _)| *at >= first + 10.0).collect();
        let refused = late.iter().filter(|(_, is_refused)| *is_refused).count();
        println!(
            "{status}: {:.1} s; after 10 s {refused} of {} requests refused, {:.1} a second passed",
            measured.as_secs_f64(),
            late.len(),
            f64::from(u32::try_from(late.len() - refused).expect("few")) / (last - first - 10.0)
        );
    }
}

fn nginx_config(folder: &Path, port: u16, origin: &str, status: u16) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
        http {{
            log_format answers '$msec $status'; access_log {folder}/access.log answers;
            limit_req_zone $server_name zone=api:1m rate=100r/s;
            server {{
                listen 127.0.0.1:{port}; server_name gateway;
                limit_req zone=api burst=3 nodelay; limit_req_status {status};
                location / {{ proxy_pass {origin}; proxy_http_version 1.1; proxy_set_header Connection ''; }}
            }}
        }}"
    )
}

/// When an answer was sent, in seconds, and whether it was a refusal.
fn parse(line: &str, refusal: u16) -> Option<(f64, bool)> {
    let (at, status) = line.split_once(' ')?;
    Some((at.parse().ok()?, status == refusal.to_string()))
}
