//! A shell in which the commands of a page are pasted, at a deployment of its own.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use keysunset_sandbox::{Options, Sandbox};

use super::{Fence, Page, root, split};
use crate::support::{TestEnv, at, list_of_ids, sandbox};

/// The clock of `reports/example`, and of the output that the pages show.
pub(super) const CLOCK: i64 = 1_750_000_000;

/// Addresses that the pages write in the place of the reader's own.
pub(super) const ADDRESSES: [&str; 3] =
    ["https://om.example:8080", "https://om-east.example:8080", "https://om-west.example:8080"];
const PUBLIC: &str = "abcdwxyz";
const PRIVATE: &str = "01234567-89ab-cdef-0123-456789abcdef";
const ORG: &str = "5980a1d29cc0cdb6ac0bf3f8";
const USER: &str = "5af9a1d29cc0cdb6ac0bf3f8";
const KEY: &str = "5af9a1d29cc0cdb6acdca6d5";
const PORT: &str = "127.0.0.1:4711";

/// A command as it is typed, over one or several lines, and what the page shows as its output.
pub(super) struct Statement {
    pub(super) number: usize,
    pub(super) typed: String,
    pub(super) shown: Option<String>,
}

/// Whether a shell would run this, and not wait for another line.
fn is_whole(typed: &str) -> bool {
    let mut shell = Command::new("sh");
    let parsed = shell.args(["-n", "-c", typed]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    !typed.ends_with('\\') && parsed.unwrap().success()
}

/// The commands of a block. In one of `console`, what is typed begins with `$ `, and the rest is output.
fn statements(fence: &Fence<'_>) -> Vec<Statement> {
    let mut found: Vec<Statement> = Vec::new();
    let mut open: Option<Statement> = None;
    for (number, line) in &fence.lines {
        let typed = if fence.language == "console" { line.strip_prefix("$ ") } else { Some(*line) };
        match (typed, &mut open) {
            (typed, Some(statement)) => {
                statement.typed.push('\n');
                statement.typed.push_str(typed.unwrap_or(line));
            }
            (Some(typed), None) if typed.is_empty() || typed.starts_with('#') => {}
            (Some(typed), None) => {
                open = Some(Statement { number: *number, typed: typed.to_owned(), shown: None });
            }
            (None, None) => {
                let shown = found.last_mut().unwrap().shown.get_or_insert_default();
                shown.push_str(line);
                shown.push('\n');
            }
        }
        if open.as_ref().is_some_and(|statement| is_whole(&statement.typed)) {
            found.extend(open.take());
        }
    }
    assert!(open.is_none(), "line {}: half a command", fence.lines[0].0);
    found
}

pub(super) fn commands(page: &Page) -> Vec<Statement> {
    let (fences, _) = split(&page.text);
    let shells = fences.iter().filter(|fence| ["sh", "console"].contains(&fence.language));
    shells.flat_map(statements).collect()
}

/// The deployment of the pages, so many weeks ago: its users leave, week by week.
pub(super) fn deployment(weeks: i64) -> Sandbox {
    let users = 30 + 4 * u64::try_from(weeks).unwrap();
    sandbox(Options { users, clock: Some(at(CLOCK - weeks * 7 * 86_400)), ..Options::default() })
}

/// A terminal at the deployment of today.
pub(super) struct Terminal {
    sandbox: Sandbox,
    pub(super) env: TestEnv,
    /// A port on which nothing listens.
    free: u16,
}

impl Terminal {
    /// With the files that `page` takes for granted: lists of users, stored runs, and the settings that it shows.
    pub(super) fn new(page: &Page) -> Self {
        let sandbox = deployment(0);
        let announced = sandbox.announcement();
        let mut env = TestEnv::empty();
        if page.name != "README.md" {
            env = TestEnv::at(&sandbox).with("URL", &announced.url);
        }
        let env = env.with("SOURCE_DATE_EPOCH", &CLOCK.to_string());
        let names: String = sandbox.ground_truth().map(|user| user.username + "\n").collect();
        env.put("users.csv", format!("username\n{names}"));
        env.put("names.txt", names);
        env.put("ids.txt", list_of_ids(&sandbox));
        env.put("digest.conf", format!("user = \"{}:{}\"\n", announced.public_key, announced.private_key));
        let world = std::fs::read(root().join("docs/sandbox-world.json")).unwrap();
        env.put("docs/sandbox-world.json", world);
        env.put("boris.key", "01234567-89ab-cdef-0123-456789abcdee\n");
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let terminal = Self { sandbox, env, free };
        let id = terminal.own(USER);
        let empty = r#"{"links":[],"results":[],"totalCount":0}"#;
        terminal.env.put(&format!("answers/{id}-p1.json"), empty);
        let certificate =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Example";
        let prepare = format!(
            "set -e\nchmod 600 boris.key digest.conf\n\
             {certificate} -keyout client.key -out authority.pem 2>.openssl || {{ cat .openssl >&2; exit 1; }}\ncat authority.pem client.key >client.pem"
        );
        assert_eq!(terminal.shell(&prepare), Some(0));
        for fence in split(&page.text).0.iter().filter(|fence| fence.language == "toml") {
            let name = fence.lines[0].1.strip_prefix("# ").map(|head| head.split(':').next().unwrap());
            if let Some(name) = name.filter(|name| Path::new(name).extension().is_some()) {
                let lines = fence.lines.iter().map(|(_, line)| terminal.own(line) + "\n");
                terminal.env.put(name, lines.collect::<String>());
            }
        }
        terminal
    }

    /// What a reader types in the place of what the page has: the reader's own deployment, credential and ids.
    pub(super) fn own(&self, text: &str) -> String {
        self.replacements().iter().fold(text.to_owned(), |text, (shown, own)| text.replace(shown, own))
    }

    /// The reverse of [`Terminal::own`], for output.
    pub(super) fn as_shown(&self, output: &str) -> String {
        self.replacements()
            .iter()
            .fold(output.to_owned(), |text, (shown, own)| text.replace(own.as_str(), shown))
    }

    fn replacements(&self) -> Vec<(&'static str, String)> {
        let announced = self.sandbox.announcement();
        let origin = announced.url.split("/api/").next().unwrap();
        let user = self.sandbox.ground_truth().find(|user| !user.keys.is_empty()).unwrap();
        let mut replacements: Vec<_> = ADDRESSES.iter().map(|shown| (*shown, origin.to_owned())).collect();
        replacements.extend([
            (PUBLIC, announced.public_key.clone()),
            (PRIVATE, announced.private_key.clone()),
            (ORG, announced.org_id.clone()),
            (KEY, user.keys[0].id.clone()),
            (USER, user.id),
            (PORT, format!("127.0.0.1:{}", self.free)),
            // A password manager, and a file that only the reader has.
            ("\"pass\", \"show\", ", "\"echo\", ".to_owned()),
            ("/run/secrets/boris", self.env.path("boris.key").display().to_string()),
        ]);
        replacements
    }

    /// Runs a script as one shell would, and returns its exit code.
    pub(super) fn shell(&self, script: &str) -> Option<i32> {
        let binaries = Path::new(env!("CARGO_BIN_EXE_keysunset")).parent().unwrap().to_owned();
        let system = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(binaries).chain(std::env::split_paths(&system)));
        let mut shell = Command::new("sh");
        let shell = self.env.place(shell.args(["-c", script])).env("PATH", path.unwrap());
        shell.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().code()
    }

    /// Runs the commands one after the other in one shell, each with its output in files of its own.
    pub(super) fn paste(&self, statements: &[&Statement]) {
        // By way of a file: the subshell of `$(jobs -p)` has no jobs in dash, and the sandboxes would stay.
        let mut script =
            String::from("trap 'jobs -p >.jobs; kill $(cat .jobs) 2>/dev/null' EXIT\nmkdir -p .out\n");
        for statement in statements {
            let (number, typed) = (statement.number, self.own(&statement.typed));
            let to = format!("\"$HOME\"/.out/{number}");
            writeln!(script, "{{\n{typed}\n}} >{to}.out 2>{to}.err\necho $? >{to}.code").unwrap();
        }
        self.shell(&script);
    }

    pub(super) fn output(&self, statement: &Statement, of: &str) -> String {
        let path = self.env.path(&format!(".out/{}.{of}", statement.number));
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
    }
}
