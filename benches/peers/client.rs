//! The programs that are compared, and how each is started.

use std::path::Path;
use std::process::{Command, Stdio};

use super::deployment::Deployment;
use super::{IN_FLIGHT, bare};

/// How many most clients read.
pub(super) const USERS: u32 = 20_000;

#[derive(Clone, PartialEq)]
pub(super) enum Client {
    /// This program, which writes these formats.
    Keysunset(&'static str),
    /// [`bare`].
    Bare,
    /// `client.go`.
    Go,
    /// `client.py`.
    Httpx,
    /// A process for each user, which sends each request twice.
    Curl,
}

impl Client {
    pub(super) const DEFAULT: Self = Self::Keysunset("csv,markdown,html");
    pub(super) const ALL_FORMATS: Self =
        Self::Keysunset("csv,markdown,html,json,ndjson,sarif,junit,gitlab,prometheus");

    /// Those that are installed; the others are named.
    pub(super) fn installed(folder: &Path) -> Vec<Self> {
        let succeeds = |command: &mut Command| {
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let has_go = succeeds(Command::new("go").arg("version"));
        if has_go {
            let mut build = Command::new("go");
            build.args(["build", "-o"]).arg(folder.join("client")).arg("benches/peers/client.go");
            assert!(build.status().is_ok_and(|status| status.success()), "the client in Go does not build");
        }
        let has_httpx = succeeds(Command::new(python()).args(["-c", "import httpx"]));
        let has_curl = ["curl", "xargs"].iter().all(|name| succeeds(Command::new(name).arg("--version")));
        let mut clients = vec![Self::Keysunset("csv"), Self::DEFAULT, Self::ALL_FORMATS, Self::Bare];
        for (client, is_installed) in [(Self::Go, has_go), (Self::Httpx, has_httpx), (Self::Curl, has_curl)] {
            if is_installed {
                clients.push(client);
            } else {
                println!("{}: left out, since it is not installed", client.name());
            }
        }
        clients
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Keysunset(formats) => match formats.matches(',').count() + 1 {
                1 => format!("keysunset, {formats}"),
                many => format!("keysunset, {many} formats"),
            },
            Self::Bare => "bare loop".to_owned(),
            Self::Go => "Go".to_owned(),
            Self::Httpx => "httpx".to_owned(),
            Self::Curl => "curl with xargs".to_owned(),
        }
    }

    /// A process for each of 20,000 users would take minutes.
    pub(super) fn users(&self) -> u32 {
        if *self == Self::Curl { 1000 } else { USERS }
    }

    /// Whether a run takes a few seconds.
    pub(super) fn is_fast(&self) -> bool {
        !matches!(self, Self::Httpx | Self::Curl)
    }

    /// An audit of all organizations of the deployment, by this URL.
    pub(super) fn command(&self, deployment: &Deployment, url: &str, folder: &Path) -> Command {
        let in_flight = IN_FLIGHT.to_string();
        let mut command = match self {
            Self::Keysunset(formats) => {
                // Earlier runs in the same run database would cost time.
                let reports = folder.join("reports");
                let _ = std::fs::remove_dir_all(&reports);
                let mut command = Command::new(env!("CARGO_BIN_EXE_keysunset"));
                command.args([
                    "audit",
                    "--quiet",
                    "--exit-zero",
                    "--all-orgs",
                    "--url",
                    url,
                    "--format",
                    formats,
                ]);
                command.args(["--concurrency", &in_flight, "--out"]).arg(reports);
                command
            }
            Self::Bare => {
                let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
                command.args(["bare", url]);
                command
            }
            Self::Go => {
                let mut command = Command::new(folder.join("client"));
                command.args([url, &in_flight]).arg(folder.join("keys.csv"));
                command
            }
            Self::Httpx => {
                let mut command = Command::new(python());
                command.args(["benches/peers/client.py", url, &in_flight]);
                command
            }
            Self::Curl => curl(deployment, url, folder),
        };
        command.env("KEYSUNSET_PUBLIC_KEY", &deployment.public_key);
        command.env("KEYSUNSET_PRIVATE_KEY", &deployment.private_key);
        command
    }
}

fn python() -> String {
    std::env::var("KEYSUNSET_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// The users are listed before, which costs one process little.
fn curl(deployment: &Deployment, url: &str, folder: &Path) -> Command {
    let (public_key, private_key) = (&deployment.public_key, &deployment.private_key);
    let users = bare::users(url, public_key, private_key);
    let (list, config) = (folder.join("urls"), folder.join("curl.conf"));
    let urls: Vec<String> =
        users.iter().map(|id| format!("{url}/users/{id}/keys?itemsPerPage=500")).collect();
    std::fs::write(&list, urls.join("\n")).expect("a list");
    let digest = format!("digest\nuser = \"{public_key}:{private_key}\"\n");
    std::fs::write(&config, digest + "silent\nfail\nnoproxy = \"*\"\noutput = \"/dev/null\"\n")
        .expect("a configuration");
    let mut command = Command::new("xargs");
    command.arg("-a").arg(&list).args(["-P", &IN_FLIGHT.to_string(), "-n", "1", "curl", "-K"]).arg(&config);
    command
}
