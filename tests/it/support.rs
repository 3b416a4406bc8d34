//! What every topic needs: a sandbox, the real program in a folder of its own, and what it left there.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use unicode_normalization::char::is_combining_mark;

use chrono::{DateTime, SecondsFormat, Utc};
use keysunset_sandbox::{Options, Sandbox};
use tempfile::TempDir;

/// The now of the program and of the service: 2025-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_735_689_600;
/// 2021-03-01T00:00:00Z, the default cutoff of the contract.
pub(crate) const CUTOFF: i64 = 1_614_556_800;

/// The columns of `keys.csv`, in the order that is promised.
pub(crate) const COLUMNS: &str = "deployment,user_id,username,read_status,http_status,error_code,attempts,read_at,\
    key_id,key_suffix,description,enabled,created_at,age_days,last_used,days_since_last_use,used_count,verdict,severity,\
    action,reason,cutoff,auditing_key,org_id,waiver,waiver_reason,waiver_owner,waiver_expires,waiver_ticket,org_ids,org_names,\
    places,live_places";

/// One row of `keys.csv`, by column.
pub(crate) type Row = BTreeMap<String, String>;

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// RFC 3339, UTC, to the second.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A strict Ops Manager with so many users, whose now is the program's.
pub(crate) fn ops_manager(users: u64) -> Sandbox {
    sandbox(Options { users, ..Options::default() })
}

/// A service by these options; its clock is the program's unless they have another.
pub(crate) fn sandbox(options: Options) -> Sandbox {
    let clock = options.clock.or(Some(at(NOW)));
    Sandbox::start(Options { clock, ..options }).unwrap()
}

/// How the program ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CliOutput {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl CliOutput {
    /// The words on standard output with a space between two: where its lines end does not count.
    pub(crate) fn words(&self) -> String {
        self.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits for the end.
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A folder of its own and the environment in which the program runs there.
pub(crate) struct TestEnv {
    folder: TempDir,
    environment: BTreeMap<String, String>,
}

impl TestEnv {
    /// Without credentials.
    pub(crate) fn empty() -> Self {
        let env = Self { folder: TempDir::new().unwrap(), environment: BTreeMap::new() };
        env.with("SOURCE_DATE_EPOCH", &NOW.to_string())
    }

    /// With the two parts of a credential where the program looks first.
    pub(crate) fn of((public, private): (String, String)) -> Self {
        Self::empty().with("KEYSUNSET_PUBLIC_KEY", &public).with("KEYSUNSET_PRIVATE_KEY", &private)
    }

    /// With the credential that the sandbox announces.
    pub(crate) fn at(sandbox: &Sandbox) -> Self {
        let announced = sandbox.announcement();
        Self::of((announced.public_key.clone(), announced.private_key.clone()))
    }

    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.environment.insert(variable.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, variable: &str) -> Self {
        self.environment.remove(variable);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    /// Every file below the folder, with its bytes.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        walk(self.folder.path(), &mut |path| {
            files.insert(
                path.strip_prefix(self.folder.path()).unwrap().to_owned(),
                std::fs::read(path).unwrap(),
            );
        });
        files
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> CliOutput {
        self.fed(arguments, b"")
    }

    /// Runs the program to its end with this on its standard input.
    pub(crate) fn fed(&self, arguments: &[&str], input: &[u8]) -> CliOutput {
        let mut child = self.spawn(arguments);
        // Whoever ends without reading it does not want it.
        let _ = child.stdin.take().unwrap().write_all(input);
        CliOutput::of(child)
    }

    /// Starts the program.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.start(Command::new(env!("CARGO_BIN_EXE_keysunset")).args(arguments))
    }

    /// Starts a command in this folder and environment.
    pub(crate) fn start(&self, command: &mut Command) -> Child {
        let command = self.place(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Gives a command this folder and environment.
    pub(crate) fn place<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let folder = self.folder.path();
        command.current_dir(folder).env_clear().env("HOME", folder).envs(&self.environment)
    }

    /// `audit` of the sandbox.
    pub(crate) fn audit(&self, sandbox: &Sandbox, arguments: &[&str]) -> CliOutput {
        self.audit_at(&sandbox.announcement().url, arguments)
    }

    /// `audit` of what listens at this URL. Nothing is asked for twice, so that no test waits.
    pub(crate) fn audit_at(&self, url: &str, arguments: &[&str]) -> CliOutput {
        self.run(&[&["audit", "--url", url, "--retries", "0"], arguments].concat())
    }

    /// `keys.csv` of the default `--out`.
    pub(crate) fn rows(&self) -> Vec<Row> {
        rows(&self.bytes("reports/keys.csv"))
    }

    /// `migration-report.md` of the default `--out`.
    pub(crate) fn markdown(&self) -> String {
        self.text("reports/migration-report.md")
    }
}

pub(crate) fn walk(folder: &Path, each: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, each) } else { each(&path) }
    }
}

/// A CSV with a header, as the csv crate reads it.
pub(crate) fn rows(csv: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(csv);
    let columns = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        columns.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// The rows of one user.
pub(crate) fn of_user<'a>(rows: &'a [Row], id: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row["user_id"] == id).collect()
}

/// How many rows have this in this column.
pub(crate) fn count(rows: &[Row], column: &str, value: &str) -> usize {
    rows.iter().filter(|row| row[column] == value).count()
}

/// Ids of everybody in the sandbox, one a line.
pub(crate) fn list_of_ids(sandbox: &Sandbox) -> String {
    sandbox.ground_truth().map(|user| user.id + "\n").collect()
}

/// What a spreadsheet must not run, as the contract has it: an apostrophe stands before a sign of a formula at the start of
/// the text and after every separator, whatever white space or unseen mark is between; after a separator also quotes, which a CSV doubles.
pub(crate) fn guarded(text: &str) -> String {
    // Category M, category Cf, and what is blank without being white space.
    let is_format = |c: char| {
        matches!(u32::from(c),
            0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2 | 0x180e | 0xfeff
            | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfff9..=0xfffb | 0x110bd | 0x110cd
            | 0x13430..=0x1343f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0001 | 0xe0020..=0xe007f
            | 0x115f | 0x1160 | 0x2800 | 0x3164 | 0xffa0)
    };
    let skipped = |c: char| c.is_whitespace() || c.is_control() || is_combining_mark(c) || is_format(c);
    let mut guarded = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        // A text with an apostrophe gets another, so that it is the same when it is read back.
        let quoted = rest.trim_start_matches('\'');
        let seen = if guarded.is_empty() {
            quoted.trim_start_matches(skipped)
        } else {
            quoted.trim_start_matches(|c| skipped(c) && !"\t\n\r".contains(c) || c == '"')
        };
        if seen.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
            || quoted.starts_with(['\t', '\r'])
        {
            guarded.push('\'');
        }
        let end = rest.len() - seen.len();
        let end = end + seen.find([',', ';', '\t', '|', '\n', '\r']).map_or(seen.len(), |at| at + 1);
        guarded.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    guarded
}

/// Waits until what is typed on a terminal is not shown, and typed signals are none.
#[cfg(unix)]
pub(crate) fn until_echo_is_off(terminal: &str) {
    loop {
        let stty = Command::new("stty").args(["-a", "-F", terminal]).output().unwrap();
        assert!(stty.status.success(), "{stty:?}");
        if String::from_utf8(stty.stdout).unwrap().contains(" -echo ") {
            return;
        }
    }
}
