//! What may pass is asked for again and counted, what may not is not, and the deployment sets the pace.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead as _, BufReader};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keysunset_sandbox::{Options, Sandbox};
use serde_json::json;

use crate::stub::{self, Digest, Reply, Stub, id, list};
use crate::support::{CliOutput, TestEnv, count, list_of_ids, sandbox};

fn faulty(users: u64, faults: &[&str]) -> Sandbox {
    let faults = faults.iter().map(|spec| spec.parse().unwrap()).collect();
    sandbox(Options { users, faults, ..Options::default() })
}

fn audited(sandbox: &Sandbox, arguments: &[&str]) -> (TestEnv, CliOutput) {
    let env = TestEnv::at(sandbox);
    let url = &sandbox.announcement().url;
    let ran = env.run(&[&["audit", "--all-orgs", "--url", url], arguments].concat());
    (env, ran)
}

#[test]
fn transient_errors_are_retried_and_counted() {
    for (fault, attempts) in [
        ("503x2@100%:keys", "3"),
        ("500x1@100%:keys", "2"),
        ("408x1@100%:keys", "2"),
        ("400x1=RATE_LIMITED_IP@100%:keys", "2"),
        ("resetx1@100%:keys", "2"),
        ("cutx1@100%:keys", "2"),
    ] {
        let (env, ran) = audited(&faulty(5, &[fault]), &[]);
        assert_eq!(ran.code, 1, "{fault}: {ran:?}");
        assert!(env.rows().iter().all(|row| row["attempts"] == attempts), "{fault}: {:?}", env.rows());
    }
}

#[test]
fn a_failure_that_outlasts_the_attempts_is_a_row() {
    for (fault, retries, status) in [("503@100%:keys", "2", "error"), ("429@100%:keys", "0", "rate-limited")]
    {
        let (env, ran) = audited(&faulty(3, &[fault]), &["--retries", retries]);
        assert_eq!(ran.code, 3, "{fault}: {ran:?}");
        let attempts = (retries.parse::<u32>().unwrap() + 1).to_string();
        for row in env.rows() {
            assert_eq!((&row["read_status"][..], &row["attempts"][..]), (status, &attempts[..]), "{row:?}");
        }
    }
}

/// A list of users has no request before the first user's.
#[test]
fn what_fails_for_the_first_user_of_a_list_is_not_the_failure_of_the_run() {
    for (fault, status) in [
        ("redirect-loop@100%:keys", "error"),
        ("html@100%:keys", "malformed"),
        ("cut@100%:keys", "error"),
        ("stale@100%:keys", "error"),
        ("hang@100%:keys", "error"),
    ] {
        let sandbox = faulty(3, &[fault]);
        let env = TestEnv::at(&sandbox);
        env.put("list.txt", list_of_ids(&sandbox));
        let few = ["--users", "list.txt", "--retries", "0", "--timeout", "1"];
        let arguments = [&["audit", "--url", &sandbox.announcement().url][..], &few].concat();
        for more in [&[][..], &["--resume"]] {
            let ran = env.run(&[&arguments[..], more].concat());
            assert_eq!(ran.code, 3, "{fault} {more:?}: {ran:?}");
            assert_eq!(count(&env.rows(), "read_status", status), 3, "{fault}: {:?}", env.rows());
        }
        let nowhere = faulty(3, &[&fault.replace(":keys", "")]);
        let env = TestEnv::at(&nowhere);
        env.put("list.txt", list_of_ids(&nowhere));
        let ran = env.run(&[&["audit", "--url", &nowhere.announcement().url][..], &few].concat());
        assert_eq!(ran.code, 5, "{fault}: {ran:?}");
    }
}

#[test]
fn lasting_refusals_are_not_retried() {
    for fault in ["401@100%:keys", "403@100%:keys", "404@100%:keys", "410@100%:keys", "html@100%:keys"] {
        let sandbox = faulty(4, &[fault]);
        audited(&sandbox, &[]);
        // One for each user and each of the four lists, and the challenge; without owners of keys, no lists for the plan.
        assert_eq!(sandbox.counts().exchanges, 4 + 4 + 1, "{fault}");
    }
}

/// The first user fails until all others have been asked for, which only those see who are asked meanwhile.
#[test]
fn a_retry_that_waits_delays_no_other_user() {
    let users = 50;
    for lookups in [false, true] {
        let others: &'static Mutex<BTreeSet<String>> = Box::leak(Box::default());
        let stub = Stub::start(Digest::On, move |asked| {
            let Some(name) = asked.path.strip_prefix("/users/byName/") else {
                let mut others = others.lock().unwrap();
                if asked.path.contains(&id(1)) && !lookups && others.len() < users - 1 {
                    return Reply::error(503, "SERVICE_UNAVAILABLE");
                }
                others.insert(asked.path.clone());
                return Reply::ok(&list(&[]));
            };
            let number: usize = name.trim_start_matches('u').parse().unwrap();
            if number == 1 && others.lock().unwrap().len() < users - 1 {
                return Reply::error(503, "SERVICE_UNAVAILABLE");
            }
            Reply::ok(&json!({"id": id(number), "username": name}))
        });
        let env = stub::env();
        let line = |number| if lookups { format!("u{number}") } else { id(number) };
        env.put("users.txt", (1..=users).map(line).collect::<Vec<_>>().join("\n"));
        let arguments = ["audit", "--url", &stub.url(), "--users", "users.txt", "--concurrency", "1"];
        let ran = env.run(&[&arguments[..], &["--retries", "12"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(count(&env.rows(), "read_status", "read"), users);
    }
}

/// Users by ids, in a list of its own.
fn listed(env: &TestEnv, users: usize) {
    let ids: Vec<_> = (1..=users).map(id).collect();
    env.put("users.txt", ids.join("\n"));
}

#[test]
fn a_requested_pause_holds_all_requests() {
    for header in [("Retry-After", "1"), ("RateLimit-Remaining", "0")] {
        let seen: &'static Mutex<Vec<(Instant, bool)>> = Box::leak(Box::default());
        let stub = Stub::start(Digest::On, move |_| {
            let mut seen = seen.lock().unwrap();
            let first = seen.is_empty();
            seen.push((Instant::now(), first));
            if first {
                return Reply::error(429, "RATE_LIMITED").header(header.0, header.1);
            }
            Reply::ok(&list(&[]))
        });
        let env = stub::env();
        listed(&env, 40);
        let ran = env.run(&["audit", "--url", &stub.url(), "--users", "users.txt"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let seen = seen.lock().unwrap();
        let (told, _) = seen[0];
        // The first request goes alone, so whoever comes later has heard of the pause. A lower bound only.
        assert!(seen.iter().skip(1).all(|(at, _)| *at - told >= Duration::from_millis(990)), "{header:?}");
    }
}

/// urllib3/urllib3#2861, getsentry/sentry#7919: fractions, words and dates gone by.
#[test]
fn an_odd_retry_after_costs_a_second_try_and_no_user() {
    let odd = ["0.5", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1", "", "1e0", "99999999999999999999"];
    let seen = Mutex::new(Vec::new());
    let stub = Stub::start(Digest::On, move |asked| {
        let mut seen = seen.lock().unwrap();
        if seen.contains(&asked.path) {
            return Reply::ok(&list(&[]));
        }
        seen.push(asked.path.clone());
        Reply::text(429, "text/plain", "").header("Retry-After", odd[seen.len() - 1])
    });
    let env = stub::env();
    listed(&env, odd.len());
    let ran = env.run(&["audit", "--url", &stub.url(), "--users", "users.txt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(count(&env.rows(), "attempts", "2"), odd.len());
}

#[test]
fn a_pause_of_more_than_five_seconds_is_printed_and_cut_short_without_measure() {
    for (asked, printed) in
        [("86400", "24h; the run continues after 2m"), ("60", "1m; the run continues after 1m")]
    {
        let stub = Stub::start(Digest::On, move |_| Reply::ok(&list(&[])).header("Retry-After", asked));
        let env = stub::env();
        listed(&env, 3);
        let mut child = env.spawn(&["audit", "--url", &stub.url(), "--users", "users.txt"]);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("requested a pause"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(line.unwrap(), format!("warning: the service requested a pause of {printed}"));
    }
}

#[test]
fn a_wait_of_more_than_five_seconds_for_the_rate_is_printed() {
    let stub = Stub::of_keys(Vec::new());
    let env = stub::env();
    listed(&env, 3);
    let arguments = ["audit", "--url", &stub.url(), "--users", "users.txt", "--rate", "0.1", "--quiet"];
    let mut child = env.spawn(&arguments);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let waits = lines.find(|line| line.contains("next request"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(waits.as_deref(), Some("next request in 10s (rate limit)"));
}

#[test]
fn overload_halves_the_concurrency_and_is_logged() {
    for (fault, halves) in [("429x1@100%:keys", true), ("429x1@5%:keys", false)] {
        let (_, ran) = audited(&faulty(100, &[fault]), &["-v", "--concurrency", "128"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(ran.stderr.contains("concurrency lowered from"), halves, "{fault}: {ran:?}");
        assert!(ran.stderr.contains("concurrency raised to"), "{ran:?}");
    }
}

/// A gateway that takes 100 requests a second and 3 more at once, and says nothing else.
#[test]
fn a_limit_without_words_costs_no_user() {
    for status in [429, 503] {
        let bucket: &'static Mutex<(f64, Instant)> = Box::leak(Box::new(Mutex::new((4.0, Instant::now()))));
        let stub = Stub::start(Digest::On, move |_| {
            let mut bucket = bucket.lock().unwrap();
            let tokens = (bucket.0 + bucket.1.elapsed().as_secs_f64() * 100.0).min(4.0);
            *bucket = (tokens - if tokens < 1.0 { 0.0 } else { 1.0 }, Instant::now());
            if tokens < 1.0 { Reply::text(status, "text/html", "<html>") } else { Reply::ok(&list(&[])) }
        });
        let env = stub::env();
        listed(&env, 300);
        let ran = env.run(&["audit", "-v", "--url", &stub.url(), "--users", "users.txt", "--retries", "8"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(count(&env.rows(), "read_status", "read"), 300);
        assert!(ran.stderr.contains("request rate lowered to"), "{ran:?}");
        let asked = stub.asked().len();
        assert!(asked <= 900, "{status}: {asked} requests for 300 users");
    }
}

/// haproxy's `http_req_rate(1s)`: what it refuses counts as well, so whoever goes on as before is refused for ever.
#[test]
fn a_limit_that_counts_refusals_costs_no_user() {
    for status in [429, 503] {
        let counted: &'static Mutex<VecDeque<Instant>> = Box::leak(Box::default());
        let stub = Stub::start(Digest::On, move |_| {
            let (mut counted, now) = (counted.lock().unwrap(), Instant::now());
            counted.push_back(now);
            counted.retain(|asked| now - *asked < Duration::from_secs(1));
            if counted.len() > 100 {
                Reply::text(status, "text/html", "<html>")
            } else {
                Reply::ok(&list(&[]))
            }
        });
        let env = stub::env();
        listed(&env, 400);
        let arguments = ["audit", "--url", &stub.url(), "--users", "users.txt", "--concurrency", "64"];
        let ran = env.run(&[&arguments[..], &["--retries", "1"]].concat());
        assert_eq!(ran.code, 0, "{status}: {ran:?}");
        assert_eq!(count(&env.rows(), "read_status", "read"), 400, "{status}");
        let asked = stub.asked().len();
        assert!(asked <= 1200, "{status}: {asked} requests for 400 users");
        assert!(ran.stderr.contains("the service limits the request rate: "), "{status}: {ran:?}");
    }
}

#[test]
fn no_more_requests_are_in_flight_than_allowed() {
    let in_flight: &'static Mutex<(usize, usize)> = Box::leak(Box::default());
    let stub = Stub::start(Digest::On, move |_| {
        {
            let mut counts = in_flight.lock().unwrap();
            counts.0 += 1;
            counts.1 = counts.1.max(counts.0);
        }
        for _ in 0..200 {
            std::thread::yield_now();
        }
        in_flight.lock().unwrap().0 -= 1;
        Reply::ok(&list(&[]))
    });
    let env = stub::env();
    listed(&env, 200);
    let ran = env.run(&["audit", "--url", &stub.url(), "--users", "users.txt", "--concurrency", "3"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(in_flight.lock().unwrap().1 <= 3);
}

/// A server that answers 503 to everything from its 21st answer on, as often as `down` says.
fn down_for(down: &'static AtomicUsize) -> Stub {
    let answered = AtomicUsize::new(0);
    Stub::start(Digest::On, move |_| {
        let is_up = answered.fetch_add(1, Ordering::Relaxed) < 20;
        let fails = || down.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if is_up || fails().is_err() {
            return Reply::ok(&list(&[]));
        }
        Reply::text(503, "text/html", "<html>")
    })
}

/// Without retries every failure that is not taken for the outage's is a row.
#[test]
fn an_outage_in_mid_run_is_waited_for_and_costs_no_user() {
    for retries in ["4", "0"] {
        let stub = down_for(Box::leak(Box::new(AtomicUsize::new(10))));
        let env = stub::env();
        listed(&env, 40);
        let arguments = ["audit", "--url", &stub.url(), "--users", "users.txt", "--concurrency", "1"];
        let ran = env.run(&[&arguments[..], &["--retries", retries]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(count(&env.rows(), "attempts", "1"), 40, "{retries} retries");
        for told in ["is down: HTTP status 503; waiting up to 5m (--patience)", "responds again"] {
            assert_eq!(ran.stderr.matches(told).count(), 1, "{ran:?}");
        }
    }
}

#[test]
fn an_outage_past_patience_interrupts_the_run_and_resume_reads_the_rest() {
    let down: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(usize::MAX)));
    let stub = down_for(down);
    let env = stub::env();
    listed(&env, 40);
    let url = stub.url();
    let arguments = ["audit", "--url", &url, "--users", "users.txt", "--concurrency", "1", "--patience", "1"];
    let ran = env.run(&arguments);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.stderr.contains("--resume") && ran.stderr.contains("was down for 1s: "), "{ran:?}");
    down.store(0, Ordering::Relaxed);
    let ran = env.run(&[&arguments[..], &["--resume"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(count(&env.rows(), "read_status", "read"), 40);
}

/// What is asked for to find out if the deployment is down must have worked before, by its answer and not by its status.
#[test]
fn an_error_with_status_200_for_one_user_costs_no_other() {
    for (body, status) in [
        (json!({"errorCode": "RATE_LIMITED", "error": 429}), "rate-limited"),
        (json!({"status": 503, "content": {"error": 503, "errorCode": "UNEXPECTED_ERROR"}}), "error"),
    ] {
        let none = list(&[]);
        let stub = Stub::start(Digest::On, move |asked| {
            Reply::ok(if asked.path.contains(&id(2)) { &body } else { &none })
        });
        let env = stub::env();
        listed(&env, 3);
        let url = stub.url();
        let arguments = ["audit", "--url", &url, "--users", "users.txt", "--retries", "1", "--patience", "1"];
        for more in [&[][..], &["--resume"]] {
            let ran = env.run(&[&arguments[..], more].concat());
            assert_eq!(ran.code, 3, "{more:?}: {ran:?}");
            let rows = env.rows();
            assert_eq!((count(&rows, "read_status", "read"), count(&rows, "read_status", status)), (2, 1));
        }
    }
}

/// What a gateway refuses before the digest layer is no answer without a challenge: one nonce still serves all.
#[test]
fn a_refusal_before_the_challenge_costs_no_exchange_afterwards() {
    for fault in ["503x1@100%:orgs+digest", "429x1@100%:orgs+digest", "500x1@100%:orgs+digest"] {
        let sandbox = faulty(60, &[fault]);
        let (_, ran) = audited(&sandbox, &["--fail-on", "never"]);
        assert_eq!(ran.code, 0, "{fault}: {ran:?}");
        let counts = sandbox.counts();
        // One for each user and each of the four lists, the challenge, what is sent again, and the lists for the plan. A
        // challenge for each request would double it.
        assert!(counts.exchanges <= 60 + 4 + 1 + 4 + 2 * 15, "{fault}: {counts:?}");
    }
}
