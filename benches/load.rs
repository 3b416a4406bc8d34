//! How long an audit takes where the deployment is slow, fails, or takes so many requests a second: the program as its own
//! process, the sandbox in this one. `cargo bench --bench load -- latency failures rate gateway` prints a table for each
//! word, or all without a word; docs/benchmarks.md has the numbers. `gateway` needs nginx.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod tables;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keysunset_sandbox::{Options, Sandbox};

fn main() {
    tables::print(&[
        ("latency", latency),
        ("latencies", latencies),
        ("failures", failures),
        ("rate", rate),
        ("gateway", gateway),
    ]);
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

/// The duration of an audit of `users` in seconds, where `slow` responses take so many milliseconds, and what it would be
/// if all requests in flight were always the most, and nothing else took any time.
fn measured_and_ideal(users: u32, milliseconds: u32, slow: &str, concurrency: u32) -> (f64, f64) {
    let sandbox = sandbox(users.into(), &format!("latency={milliseconds}@100%{slow}"));
    let arguments = ["--concurrency", &concurrency.to_string()];
    let measured = audit(&sandbox, &sandbox.announcement().url, &arguments).as_secs_f64();
    (measured, f64::from(users) * f64::from(milliseconds) / 1000.0 / f64::from(concurrency))
}

/// On all paths. The third column is multiplied by the ideal, and the fourth by the latency, for the aim.
fn latency() {
    const LATENCY: f64 = 0.1;
    tables::aims();
    for (users, concurrency, of_ideal, of_latency, before) in
        [(2000, 64, 1.15, 0.0, "7.0 s"), (2000, 256, 1.15, 6.0, "7.1 s"), (20_000, 64, 1.05, 0.0, "46 s")]
    {
        let (measured, ideal) = measured_and_ideal(users, 100, "", concurrency);
        let what = format!("{users} users, 100 ms, {concurrency} in flight (ideal {ideal:.2} s)");
        tables::aim(&what, before, Some(measured), " s", ..=of_ideal * ideal + of_latency * LATENCY);
    }
}

fn latencies() {
    tables::heading(&["latency", "in flight", "ideal", "measured, keys", "measured, all paths"]);
    for milliseconds in [20, 80, 150] {
        for concurrency in [16, 64, 256] {
            let (keys, ideal) = measured_and_ideal(2000, milliseconds, ":keys", concurrency);
            let (all, _) = measured_and_ideal(2000, milliseconds, "", concurrency);
            tables::row(&[
                format!("{milliseconds} ms"),
                concurrency.to_string(),
                format!("{ideal:.2} s"),
                format!("{keys:.2} s"),
                format!("{all:.2} s"),
            ]);
        }
    }
}

fn failures() {
    let measured = |fault| {
        let sandbox = sandbox(20_000, fault);
        audit(&sandbox, &sandbox.announcement().url, &[]).as_secs_f64()
    };
    tables::aims();
    let without = measured("");
    tables::aim("20,000 users without a failure", "2.4 s", Some(without), " s", ..);
    let once = measured("503x1@5%:keys") / without;
    tables::aim("503 once for 5 % of them, compared with none", "3.6 ×", Some(once), " ×", ..=1.3);
    tables::aim("503 for ever for 5 % of them", "115.7 s", Some(measured("503@5%:keys")), " s", ..=6.0);
}

#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn rate() {
    tables::aims();
    for (rate, users, before) in [(300, 3000, "98.7 %"), (2000, 20_000, "93 %")] {
        let sandbox = sandbox(users, "");
        let measured = audit(&sandbox, &sandbox.announcement().url, &["--rate", &rate.to_string()]);
        let used = sandbox.counts().exchanges as f64 / measured.as_secs_f64() / f64::from(rate);
        let what = format!("--rate {rate}, {users} users: used");
        tables::aim(&what, before, Some(used * 100.0), " %", 97.0..);
    }
}

/// 100 requests a second with a burst of 3, refused with 503 or 429 and no more words.
fn gateway() {
    tables::heading(&["refused with", "duration", "refused after 10 s", "passed per second after 10 s"]);
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
        let passed = f64::from(u32::try_from(late.len() - refused).expect("few")) / (last - first - 10.0);
        tables::row(&[
            status.to_string(),
            format!("{:.1} s", measured.as_secs_f64()),
            format!("{refused} of {}", late.len()),
            format!("{passed:.1}"),
        ]);
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
