//! What the search of a history costs beside git with ripgrep, and beside kingfisher if it is installed:
//! `cargo bench --bench history -- REPOSITORY.git`. A clone that shares its objects gets 500 keys in 50 commits. Each program
//! runs as its own process, with as many threads as it likes. docs/benchmarks.md has the numbers.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[cfg(not(unix))]
fn main() {
    println!("skipped: what a process used is asked of the operating system in the way of Unix");
}

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use nix::sys::resource::{UsageWho, getrusage};

    const KEYS: u64 = 500;
    const COMMITS: u64 = 50;
    /// Between two looks at the memory of a process.
    const SAMPLE: Duration = Duration::from_millis(5);

    pub(super) fn main() {
        let repository =
            std::env::args().skip(1).find(|argument| !argument.starts_with('-')).expect("a repository");
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let clone = folder.join("clone.git");
        plant(&repository, &clone);
        println!("{:<28} {:>7} {:>8} {:>8} {:>14} {:>6}", "", "CPU", "time", "memory", "CPU of all", "found");

        let own = run("keysunset", &keysunset(folder, &clone), |text| {
            text.lines().filter(|line| line.contains(",key,")).count()
        });
        let own = own.expect("this program");
        assert_eq!(own.found as u64, KEYS, "all keys are found, and nothing else");
        let list = folder.join("suffixes");
        fs::write(&list, (0..KEYS).map(|number| suffix(number) + "\n").collect::<String>()).expect("a list");
        let pipe = format!(
            "git -C '{}' cat-file --batch-all-objects --unordered --batch | rg -a -i -F -c -f '{}'",
            clone.display(),
            list.display()
        );
        let lines = |text: &str| text.trim().parse().unwrap_or_default();
        compare(&own, run("git cat-file | rg -aiFf", &command("sh", &["-c", &pipe]), lines).as_ref());
        let rule = folder.join("rule.yml");
        fs::write(&rule, RULE).expect("a rule");
        let kingfisher = std::env::var("KINGFISHER").unwrap_or_else(|_| "kingfisher".to_owned());
        let [rule, clone] = [&rule, &clone].map(|path| path.to_str().expect("a path"));
        let scan = ["scan", "--git-history=full", "--rules-path", rule, "--load-builtins=false"];
        let quiet = ["--confidence=low", "--no-validate", "--no-update-check", "--format=jsonl", clone];
        let lines = |text: &str| text.lines().filter(|line| line.contains("-3a1d-4e0e-8f55-")).count();
        for (name, options) in [("kingfisher", &[][..]), ("kingfisher --turbo", &["--turbo"][..])] {
            let arguments = [&scan[..], options, &quiet].concat();
            compare(&own, run(name, &command(&kingfisher, &arguments), lines).as_ref());
        }
    }

    /// The shape of a key.
    const RULE: &str = r"rules:
  - name: personal key
    id: keysunset.key.1
    pattern: '(?i)\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b'
    min_entropy: 0
    confidence: low
    examples:
      - 10000001-3a1d-4e0e-8f55-a1b200010001
";

    /// What a process used.
    struct Used {
        cpu: f64,
        found: usize,
    }

    fn command(program: &str, arguments: &[&str]) -> Vec<String> {
        [&[program], arguments].concat().into_iter().map(str::to_owned).collect()
    }

    /// `None` if the program is not installed.
    fn run(name: &str, command: &[String], found: impl Fn(&str) -> usize) -> Option<Used> {
        let before = children();
        let started = Instant::now();
        let output = tempfile::NamedTempFile::new().expect("a file");
        let stdout = output.reopen().expect("the file");
        let child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = child else {
            println!("{name:<28} is not installed");
            return None;
        };
        let mut peak = 0;
        while child.try_wait().expect("a child").is_none() {
            peak = peak.max(anonymous(child.id()));
            std::thread::sleep(SAMPLE);
        }
        let (cpu, time) = (children() - before, started.elapsed().as_secs_f64());
        let all: f64 = cpu / time;
        let found = found(&fs::read_to_string(output.path()).expect("text"));
        let peak = peak / 1024;
        println!("{name:<28} {cpu:>6.1}s {time:>7.1}s {peak:>4} MiB {all:>9.2} cores {found:>6}");
        Some(Used { cpu, found })
    }

    fn compare(own: &Used, other: Option<&Used>) {
        if let Some(Used { cpu, found }) = other {
            println!("{:<28} {:.2} times the CPU of keysunset", "", cpu / own.cpu);
            assert!(*found >= own.found, "all keys are found");
        }
    }

    /// The command, which prints the rows.
    fn keysunset(folder: &Path, clone: &Path) -> Vec<String> {
        let keys = folder.join("keys.csv");
        let mut rows =
            "deployment,user_id,username,read_status,key_id,key_suffix,description,verdict,severity\n"
                .to_owned();
        for number in 0..KEYS {
            let suffix = suffix(number);
            rows.extend([format!(
                "om,u{number},n{number},read,k{number},{suffix},,used-after-cutoff,high\n"
            )]);
        }
        fs::write(&keys, rows).expect("keys");
        let [keys, clone] = [&keys, clone].map(|path| path.to_str().expect("a path"));
        command(
            env!("CARGO_BIN_EXE_keysunset"),
            &["locate", "--quiet", "--keys", keys, "--format=csv", "--out=-", clone],
        )
    }

    fn suffix(number: u64) -> String {
        // Any digits, different ones for each number.
        format!("{:012x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16)
    }

    fn git(arguments: &[&str]) -> Command {
        let mut git = Command::new("git");
        git.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
        git
    }

    fn plant(repository: &str, clone: &Path) {
        let clone = clone.to_str().expect("a path");
        assert!(
            git(&["clone", "-q", "--mirror", "--shared", repository, clone]).status().expect("git").success()
        );
        let head = git(&["-C", clone, "rev-parse", "HEAD"]).output().expect("git").stdout;
        let mut stream = String::new();
        for commit in 0..COMMITS {
            let date = 1_700_000_000 + commit;
            stream
                .extend([format!("commit refs/heads/planted\ncommitter A <a@b> {date} +0000\ndata 1\nx\n")]);
            if commit == 0 {
                stream.extend([format!("from {}\n", String::from_utf8_lossy(&head).trim())]);
            }
            for number in commit * KEYS / COMMITS..(commit + 1) * KEYS / COMMITS {
                let content = format!("line\ntoken = {number:08x}-3a1d-4e0e-8f55-{}\n", suffix(number));
                let path = format!("planted/{number}.txt");
                stream.extend([format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len())]);
            }
            stream += "\n";
        }
        let file = Path::new(clone).with_extension("stream");
        fs::write(&file, stream).expect("a stream");
        let stream = fs::File::open(file).expect("a stream");
        assert!(git(&["-C", clone, "fast-import", "--quiet"]).stdin(stream).status().expect("git").success());
    }

    /// In KiB; 0 where the system does not show it.
    fn anonymous(process: u32) -> u64 {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|size| size.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    /// The seconds of CPU of all processes that ended.
    fn children() -> f64 {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what was used");
        let seconds = |time: nix::sys::time::TimeVal| {
            Duration::from_secs(time.tv_sec().unsigned_abs())
                + Duration::from_micros(time.tv_usec().unsigned_abs())
        };
        (seconds(usage.user_time()) + seconds(usage.system_time())).as_secs_f64()
    }
}
