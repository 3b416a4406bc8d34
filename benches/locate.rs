//! What the search for keys costs in files, beside ripgrep with the same keys as patterns. The scanner runs in a process of
//! its own, with one thread, as ripgrep does. `cargo bench --bench locate [-- FOLDER]` prints a table; docs/benchmarks.md has
//! the numbers. Without a folder, a tree is made of the source code of this project.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keysunset::locate::scan::{Found, Hit, NotSearched, Options, Scanner, Suffixes};
use keysunset::model::Suffix;
use keysunset::place::Class;

/// Of a made tree.
const FILES: usize = 5000;
const FILE_SIZE: usize = 20_000;
/// Of a stream that is never stored.
const STREAM: u64 = 2 << 30;
const RUNS: usize = 3;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [child, keys, folder] if child == "child" => search(Path::new(keys), Path::new(folder)),
        [folder] => compare(Path::new(folder)),
        _ => {
            let folder = tempfile::tempdir().expect("a folder");
            make_tree(folder.path());
            compare(folder.path());
        }
    }
}

fn compare(tree: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = |count: usize| {
        let path = folder.path().join(count.to_string());
        let keys: String = (0..count as u64).map(|number| key(number) + "\n").collect();
        std::fs::write(&path, keys).expect("a file");
        path
    };
    println!("{:>24} {:>8} {:>9} {:>14}", "", "keys", "CPU", "highest peak");
    for count in [10, 500, 10_000, 100_000] {
        row("keysunset", count, || this_program(&keys(count), tree));
    }
    row("keysunset, 2 GiB stream", 500, || this_program(&keys(500), Path::new("-")));
    for count in [500, 10_000] {
        row("rg -uuu -a -i -F -f", count, || ripgrep(&keys(count), tree));
    }
}

/// The least CPU of some runs, in milliseconds, and the highest peak so far, in MiB.
fn row(name: &str, keys: usize, command: impl Fn() -> Command) {
    let mut least = f64::MAX;
    for _ in 0..RUNS {
        let (before, _) = children();
        if command().stdin(Stdio::null()).stdout(Stdio::null()).status().is_err() {
            println!("{name:>24} {keys:>8}   not installed");
            return;
        }
        least = least.min(children().0 - before);
    }
    println!("{name:>24} {keys:>8} {least:>6.0} ms {:>10.1} MiB", children().1);
}

fn this_program(keys: &Path, tree: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("child").arg(keys).arg(tree);
    command
}

fn ripgrep(keys: &Path, tree: &Path) -> Command {
    let mut command = Command::new("rg");
    command.args(["-uuu", "-a", "-i", "-F", "-c", "-j1", "-f"]).arg(keys).arg(tree);
    command
}

struct Count(usize);

impl Found for Count {
    fn hit(&mut self, _: Hit) {
        self.0 += 1;
    }

    fn not_searched(&mut self, _: &str, _: NotSearched) {}
}

fn search(keys: &Path, tree: &Path) {
    let keys = std::fs::read_to_string(keys).expect("keys");
    let suffixes =
        Suffixes::new(keys.lines().filter_map(Suffix::from_key).map(|suffix| (suffix, Class::Key)));
    let (strangers, context, archives) = (false, false, true);
    let options = Options { strangers, context, archives, max_size: u64::MAX, usernames: Vec::new() };
    let mut scanner = Scanner::new(&suffixes, &options);
    let mut count = Count(0);
    if tree == Path::new("-") {
        scanner.reader("stream", &mut Text(include_bytes!("locate.rs")).take(STREAM), &mut count);
    } else {
        for path in files(tree) {
            let mut file = std::fs::File::open(&path).expect("a file");
            scanner.file(&path.to_string_lossy(), &mut file, &mut count);
        }
    }
    println!("{} found", count.0);
}

/// The same text again and again.
struct Text(&'static [u8]);

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for piece in buffer.chunks_mut(self.0.len()) {
            piece.copy_from_slice(&self.0[..piece.len()]);
        }
        Ok(buffer.len())
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// Files of source code, in each hundredth of which there is a key.
fn make_tree(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = ["src", "docs", "tests"].into_iter().flat_map(|part| files(&root.join(part)));
    let text: Vec<u8> = sources.flat_map(|path| std::fs::read(path).expect("a source")).collect();
    for number in 0..FILES {
        let start = number * 7919 % (text.len() - FILE_SIZE);
        let mut file = text[start..start + FILE_SIZE].to_vec();
        if number % 100 == 0 {
            file.extend(key(number as u64 / 100).into_bytes());
        }
        let folder = folder.join((number % 100).to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{number}.rs")), file).expect("a file");
    }
}

fn key(number: u64) -> String {
    let mix = |number: u64| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ number;
    let (high, low) = (mix(number), mix(!number));
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0x0fff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

/// CPU milliseconds of all children so far, and the largest peak among them in MiB.
#[cfg(unix)]
#[expect(clippy::cast_precision_loss, reason = "figures of a few digits")]
fn children() -> (f64, f64) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike as _;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system's own figures");
    let cpu = usage.user_time() + usage.system_time();
    let per_mib = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    (cpu.num_microseconds() as f64 / 1000.0, usage.max_rss() as f64 / per_mib)
}

#[cfg(not(unix))]
fn children() -> (f64, f64) {
    (f64::NAN, f64::NAN)
}
