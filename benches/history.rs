//! What the search of a history costs beside git and ripgrep, and beside kingfisher if it is installed:
//! `cargo bench --bench history -- REPOSITORY.git`. A clone that shares its objects gets 500 keys in 50 commits.
//! docs/benchmarks.md has the numbers.

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
    use std::num::NonZeroUsize;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::Duration;

    use keysunset::locate::git::{self, Searched};
    use keysunset::locate::scan::{Options, Suffixes};
    use keysunset::model::Suffix;
    use keysunset::place::Class;
    use nix::sys::resource::{UsageWho, getrusage};

    const KEYS: u64 = 500;
    const COMMITS: u64 = 50;

    pub(super) fn main() {
        let repository =
            std::env::args().skip(1).find(|argument| !argument.starts_with('-')).expect("a repository");
        let folder = tempfile::tempdir().expect("a folder");
        let clone = folder.path().join("clone.git");
        plant(&repository, &clone);
        let suffixes: String = (0..KEYS).map(|number| suffix(number) + "\n").collect();
        let list = folder.path().join("suffixes");
        fs::write(&list, suffixes).expect("a list");

        let before = cpu(UsageWho::RUSAGE_SELF);
        let (searched, memory) = search(&clone);
        let own = cpu(UsageWho::RUSAGE_SELF) - before;
        assert_eq!(searched.places.len() as u64, KEYS, "all keys are found");
        println!("{} objects, {} MB", searched.objects, searched.bytes / 1_000_000);
        println!("keysunset     {own:>7.1} s CPU, {memory} MiB of anonymous memory (aim: at most 100)");
        let pipe = format!(
            "git -C '{}' cat-file --batch-all-objects --unordered --batch | rg -a -i -F -c -f '{}'",
            clone.display(),
            list.display()
        );
        compare("git and rg", own, &pipe);
        let rules = folder.path().join("rules");
        fs::create_dir(&rules).expect("a folder");
        fs::write(rules.join("key.yml"), RULE).expect("a rule");
        let kingfisher = format!(
            "kingfisher scan --git-history full --rules-path '{}' --load-builtins=false --confidence low --no-validate \
             --no-base64 --no-update-check -f jsonl '{}'",
            rules.display(),
            clone.display()
        );
        compare("kingfisher", own, &kingfisher);
    }

    /// The shape of a key.
    const RULE: &str = r"rules:
  - name: personal key
    id: keysunset.key.1
    pattern: '(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b'
    min_entropy: 0
    confidence: low
    examples:
      - 10000001-3a1d-4e0e-8f55-a1b200010001
";

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

    /// With the peak of the anonymous memory in MiB.
    fn search(clone: &Path) -> (Searched, u64) {
        let suffixes = Suffixes::new(
            (0..KEYS).filter_map(|number| Some((Suffix::from_key(&suffix(number))?, Class::Key))),
        );
        let options = Options {
            strangers: false,
            context: false,
            archives: true,
            max_size: 1 << 30,
            usernames: Vec::new(),
        };
        let repository = git::find(clone).expect("a repository");
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let (is_done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
        let searched = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    peak.fetch_max(anonymous(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let searched =
                git::search(&repository, "clone", &suffixes, &options, threads, &AtomicU64::new(0));
            is_done.store(true, Ordering::Relaxed);
            searched
        });
        (searched, peak.into_inner() / 1024)
    }

    /// In KiB; 0 where the system does not show it.
    fn anonymous() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|size| size.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    fn cpu(who: UsageWho) -> f64 {
        let usage = getrusage(who).expect("what was used");
        let seconds = |time: nix::sys::time::TimeVal| {
            Duration::from_secs(time.tv_sec().unsigned_abs())
                + Duration::from_micros(time.tv_usec().unsigned_abs())
        };
        (seconds(usage.user_time()) + seconds(usage.system_time())).as_secs_f64()
    }

    fn compare(name: &str, own: f64, command: &str) {
        let before = cpu(UsageWho::RUSAGE_CHILDREN);
        let status =
            Command::new("sh").args(["-c", command]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let used = cpu(UsageWho::RUSAGE_CHILDREN) - before;
        match status.expect("a shell").code() {
            Some(127) => println!("{name:<13} is not installed"),
            _ => println!("{name:<13} {used:>7.1} s CPU; keysunset has {:.2} times that", own / used),
        }
    }
}
