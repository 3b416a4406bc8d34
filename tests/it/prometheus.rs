//! `keysunset.prom` as Prometheus' own parser for Python and the node exporter read it, held against `keys.csv`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::everything::{NAME, again, cut_short, everything};
use crate::foreign::{program, python, skipped};
use crate::stub::{self, Digest, Reply, Stub, USER, key, list};
use crate::support::{NOW, TestEnv, ops_manager};

/// Reads both files, and holds every sample against the rows.
const SAMPLES: &str = r#"
import collections, csv, itertools, json, sys
from prometheus_client.parser import text_string_to_metric_families
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file, strict=True))
text = open(sys.argv[2], encoding="utf-8", newline="").read()
families = list(text_string_to_metric_families(text))
assert len({family.name for family in families}) == len(families)
found = {}
for family in families:
    assert family.type == "gauge" and family.documentation and family.samples, family
    for sample in family.samples:
        assert sample.name == family.name and sample.timestamp is None, sample
        series = (sample.name, *sorted(sample.labels.items()))
        assert series not in found, series
        found[series] = sample.value
[name] = {row["deployment"] for row in rows}
def series(metric, **labels):
    return (metric, *sorted({"deployment": name, **labels}.items()))
keys = [row for row in rows if row["key_id"]]
counts = collections.Counter((row["verdict"], row["severity"]) for row in keys)
verdicts = "used-after-cutoff not-used-since-cutoff never-used usage-unknown".split()
severities = "critical high medium low info".split()
expected = {series("keysunset_keys", verdict=v, severity=s): counts[v, s] for v, s in itertools.product(verdicts, severities)}
users = {(row["user_id"], row["username"]): row["read_status"] for row in rows if row["user_id"] or row["username"]}
for status in "read forbidden not-found rate-limited partial malformed error removed".split():
    expected[series("keysunset_users", read_status=status)] = list(users.values()).count(status)
good = ("read", "removed")
waived = [row for row in rows if row["waiver"] in ("active", "ending")]
nobody = [row for row in rows if not row["user_id"] and not row["username"]]
expected |= {series(metric): value for metric, value in {
    "keysunset_keys_enabled": sum(row["enabled"] != "false" for row in keys),
    "keysunset_keys_waived": sum(row["key_id"] != "" for row in waived),
    "keysunset_findings": sum(row not in waived for row in keys),
    "keysunset_users_without_keys": sum(not row["key_id"] and row["read_status"] in good for row in rows),
    "keysunset_users_waived": sum(not row["key_id"] for row in waived),
    "keysunset_gaps": sum("INCOMPLETE" not in row["reason"] for row in nobody),
    "keysunset_gaps_waived": sum(row["waiver"] in ("active", "ending") for row in nobody),
    "keysunset_complete": all(status in good for status in users.values()) and not nobody,
}.items()}
times = {metric: float(value) for (metric, *_), value in found.items() if metric.endswith("_seconds")}
missing = expected.items() ^ {series: value for series, value in found.items() if series[0] not in times}.items()
assert not missing, missing
print(json.dumps({"name": name, "times": times, "complete": float(found[series("keysunset_complete")])}))
"#;

/// What Python made of `keysunset.prom`, which it held against `keys.csv`: name, times and whether it is complete.
fn samples(env: &TestEnv, out: &str) -> Option<serde_json::Value> {
    let files = ["keys.csv", "keysunset.prom"].map(|name| env.path(out).join(name));
    let printed = python(&["prometheus_client"], SAMPLES, &[&files[0], &files[1]])?;
    Some(serde_json::from_str(&printed).unwrap())
}

/// The value of a metric that has one sample, as it stands there.
fn value(env: &TestEnv, file: &str, metric: &str) -> Option<i64> {
    let text = env.text(file);
    let found: Vec<_> = text.lines().filter(|line| line.starts_with(&format!("{metric}{{"))).collect();
    assert!(found.len() < 2, "{found:?}");
    found.first().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[test]
fn prometheus_parser_reads_what_the_rows_add_up_to() {
    let env = everything("csv,prometheus");
    let store = rusqlite::Connection::open(env.path("reports/keysunset.db")).unwrap();
    store.execute("UPDATE runs SET finished_at = finished_at + 4000", []).unwrap();
    again(&env, "reports", &["--format", "csv,prometheus", "--csv-raw"]);
    cut_short(&env);
    again(&env, "cut", &["--format", "csv,prometheus", "--csv-raw"]);
    let sandbox = ops_manager(60);
    let clean = TestEnv::at(&sandbox);
    assert_eq!(clean.audit(&sandbox, &["--all-orgs", "--format", "csv,prometheus"]).code, 1);

    let Some(found) = samples(&env, "reports") else { return };
    let times = json!({
        "keysunset_run_duration_seconds": 4000.0,
        "keysunset_run_started_timestamp_seconds": 1_735_689_600.0,
        "keysunset_run_finished_timestamp_seconds": 1_735_693_600.0,
    });
    assert_eq!(found, json!({"name": NAME, "times": times, "complete": 0.0}));
    let cut = samples(&env, "cut").unwrap();
    assert_eq!(cut["times"], json!({"keysunset_run_started_timestamp_seconds": 1_735_689_600.0}));
    let clean = samples(&clean, "reports").unwrap();
    assert_eq!(
        (&clean["complete"], &clean["times"]["keysunset_run_duration_seconds"]),
        (&1.0.into(), &0.0.into())
    );
    assert_eq!(clean["times"]["keysunset_last_success_timestamp_seconds"], 1_735_689_600.0);
}

#[test]
fn the_last_success_is_of_the_last_complete_run_up_to_this_one() {
    let refuses = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let no = std::sync::Arc::clone(&refuses);
    let stub = Stub::start(Digest::On, move |asked| {
        let yes = asked.path.contains(USER) && !no.load(std::sync::atomic::Ordering::Relaxed);
        if yes { Reply::ok(&list(&[key(1, "k")])) } else { Reply::error(403, "NO") }
    });
    let run = |env: TestEnv, day: i64, who: &[&str], name: &str, code: i32| {
        let env = env.with("SOURCE_DATE_EPOCH", &(NOW + 86_400 * day).to_string());
        let out = format!("day-{day}");
        let arguments = [
            "--name",
            name,
            "--out",
            &out,
            "--store",
            "keysunset.db",
            "--format",
            "prometheus",
            "--fail-on",
            "never",
        ];
        assert_eq!(env.audit_at(&stub.url(), &[&arguments, who].concat()).code, code);
        env
    };
    let (whole, unread, gap) = (
        &["--user", USER][..],
        &["--user", USER, "--user", "5af9a1d29cc0cdb6ac0bf3f9"],
        &["--user", USER, "--org", "5980000000000000000000aa"],
    );
    let mut env = stub::env();
    env = run(env, 0, unread, "x", 3);
    env = run(env, 1, gap, "x", 3);
    env = run(env, 2, whole, "other", 0);
    env = run(env, 3, gap, "x", 3);
    env = run(env, 4, whole, "x", 0);
    env = run(env, 5, whole, "x", 0);
    refuses.store(true, std::sync::atomic::Ordering::Relaxed);
    env = run(env, 6, whole, "x", 3);
    refuses.store(false, std::sync::atomic::Ordering::Relaxed);
    env = run(env, 7, gap, "x", 3);
    let last = |file: &str| value(&env, file, "keysunset_last_success_timestamp_seconds");
    let day = |day: i64| Some(NOW + 86_400 * day);
    let found: Vec<_> = (0..8).map(|day| last(&format!("day-{day}/keysunset.prom"))).collect();
    // A run of one user is no success of those who ask for more.
    assert_eq!(found, [None, None, day(2), None, day(4), day(5), day(5), None]);

    // What came later is not yet known to an older run, and one that was cut short is none.
    let report = |run: &str| {
        let to = ["--out", "old", "--format", "prometheus"];
        env.run(&[&["report", "--store", "keysunset.db", "--run", run], &to[..]].concat());
        last("old/keysunset.prom")
    };
    assert_eq!((report("4"), report("5")), (None, day(4)));
    let store = rusqlite::Connection::open(env.path("keysunset.db")).unwrap();
    store.execute("UPDATE runs SET finished_at = NULL WHERE id = 6", []).unwrap();
    assert_eq!((report("6"), report("7")), (day(4), day(4)));
    store.execute("UPDATE readings SET status = NULL WHERE run = 5", []).unwrap();
    assert_eq!(report("7"), None, "somebody who was never asked was not read");
}

/// A node exporter that serves nothing but our file.
struct Exporter {
    process: Child,
    port: u16,
}

impl Exporter {
    /// `None`, having said so, where there is none. `KEYSUNSET_NODE_EXPORTER` says where it is.
    fn start(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new(program("KEYSUNSET_NODE_EXPORTER", "prometheus-node-exporter"))
            .args(["--collector.disable-defaults", "--collector.textfile"])
            .arg(format!("--collector.textfile.directory={}", folder.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            skipped("prometheus-node-exporter");
            return None;
        };
        Some(Self { process, port })
    }

    /// What it serves, once it does.
    fn metrics(&mut self) -> String {
        loop {
            assert!(self.process.try_wait().unwrap().is_none(), "the node exporter did not stay");
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                return answer;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }
}

/// Series and value of every sample of ours.
fn ours(text: &str) -> BTreeMap<&str, f64> {
    let samples = text.lines().filter(|line| line.starts_with("keysunset_"));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    samples.map(|(series, value)| (series, value.parse().unwrap())).collect()
}

#[test]
fn the_node_exporter_serves_every_sample() {
    let env = everything("prometheus");
    let Some(mut exporter) = Exporter::start(&env.path("reports")) else { return };
    let served = exporter.metrics();
    assert!(served.contains("\nnode_textfile_scrape_error 0\n"), "{served}");
    let written = env.text("reports/keysunset.prom");
    assert_eq!(ours(&served), ours(&written));
    assert_eq!(ours(&written).len(), 20 + 8 + 8 + 3);
    for line in written.lines().filter(|line| line.starts_with('#')) {
        assert!(served.contains(line), "{line}");
    }
}

/// `prometheus/node_exporter#1885`, `#485`, `prometheus-community/windows_exporter#272`: a metric of two files had two texts, or
/// the same sample twice.
#[test]
fn the_metrics_of_two_deployments_can_be_in_one_folder() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = stub::env();
    let texts = ["om \"1\" \\ aü", "om \"2\" \\ aü"].map(|name| {
        let arguments = ["--user", USER, "--name", name, "--out", name, "--format", "prometheus"];
        assert_eq!(env.audit_at(&stub.url(), &arguments).code, 1);
        env.text(&format!("{name}/keysunset.prom"))
    });
    let [one, two] = texts.each_ref().map(|text| {
        assert!(text.ends_with('\n') && !text.contains('\r'), "{text:?}");
        text.lines().partition::<Vec<_>, _>(|line| line.starts_with('#'))
    });
    assert_eq!(one.0, two.0, "HELP and TYPE");
    let series =
        |samples: &[&str]| samples.iter().map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect();
    let [one, two]: [BTreeSet<String>; 2] = [series(&one.1), series(&two.1)];
    assert!(!one.is_empty() && one.is_disjoint(&two), "{one:?}");
    for (number, text) in texts.iter().enumerate() {
        env.put(&format!("both/{number}.prom"), text);
    }
    let Some(mut exporter) = Exporter::start(&env.path("both")) else { return };
    let served = exporter.metrics();
    assert!(served.contains("\nnode_textfile_scrape_error 0\n"), "{served}");
    assert_eq!(ours(&served).len(), one.len() + two.len());
}
