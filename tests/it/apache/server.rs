//! Apache httpd as one of these tests starts it: on a free port, in a folder of its own, with the saved answers.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use digest_auth::{Algorithm, AlgorithmType};
use tempfile::TempDir;

/// Debian's.
const BINARY: &str = "/usr/sbin/apache2";
const MODULES: &str = "/usr/lib/apache2/modules";
const SAVED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/apache");

pub(super) const REALM: &str = "MMS Public API";
/// The parts of the one key that Apache knows.
pub(super) const PUBLIC: &str = "abcdwxyz";
pub(super) const PRIVATE: &str = "0f6b1c9e-2d47-4a8b-9c3d-5e7f81a2b3c4";

/// A running server; dropping it stops it.
pub(super) struct Apache {
    folder: TempDir,
    process: Child,
    port: u16,
}

/// One line of its access log.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) status: u16,
    /// Path and query, as they came.
    pub(super) target: String,
    /// What the request's digest says; empty for a request without one.
    pub(super) authorization: String,
}

impl Exchange {
    /// A parameter of the digest, without its quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.authorization.split_once(&format!(" {name}="))?;
        Some(rest.split(',').next().unwrap_or_default().trim_matches('"'))
    }
}

impl Apache {
    /// Starts with these directives for the digest, and room for everybody. `None`, and a line that says so, where there
    /// is no Apache.
    pub(super) fn start(digest: &str) -> Option<Self> {
        Self::start_small(digest, 100)
    }

    /// Starts with so many threads. With less than it has connections, Apache closes those that are idle.
    pub(super) fn start_small(digest: &str, threads: u8) -> Option<Self> {
        if !Path::new(BINARY).exists() {
            assert!(std::env::var_os("KEYSUNSET_CI").is_none(), "apache2 has to be installed for this");
            // Not `eprintln`, which a passing test keeps to itself.
            let mut stderr = std::io::stderr();
            writeln!(stderr, "skipped: apache2 is not installed").unwrap();
            return None;
        }
        // Between being found free and being taken a port may go to somebody else.
        for _ in 0..5 {
            let folder = TempDir::new().unwrap();
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            furnish(folder.path(), &configuration(folder.path(), port, threads, digest));
            let process = httpd(folder.path()).arg("-DFOREGROUND").spawn().unwrap();
            let mut apache = Self { folder, process, port };
            if apache.is_up() {
                return Some(apache);
            }
        }
        panic!("Apache found no free port, five times over");
    }

    /// Waits until it listens; whether it is still there.
    fn is_up(&mut self) -> bool {
        for _ in 0..1000 {
            if let Some(ended) = self.process.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
                assert!(log.contains("Address already in use"), "Apache ended with {ended}: {log}");
                return false;
            }
            // It writes the file once it listens: another server may answer before that.
            if self.folder.path().join("pid").exists()
                && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("Apache does not answer after 20 seconds");
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds users without keys and says their ids.
    pub(super) fn people(&self, how_many: usize) -> Vec<String> {
        let ids: Vec<_> = (0..how_many).map(|index| format!("5e{index:022x}")).collect();
        for id in &ids {
            let keys = self.folder.path().join("www/api/public/v1.0/users").join(id).join("keys");
            std::fs::create_dir_all(&keys).unwrap();
            let page = r#"{"links":[],"results":[],"totalCount":0}"#;
            std::fs::write(keys.join("page-1.json"), page).unwrap();
        }
        ids
    }

    /// Stops it, and says what it logged, in the order in which it was done with each request.
    pub(super) fn exchanges(mut self) -> Vec<Exchange> {
        // Gracefully, so that the line of the last answer is there.
        httpd(self.folder.path()).args(["-k", "graceful-stop"]).status().unwrap();
        self.process.wait().unwrap();
        let log = std::fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        log.lines()
            .map(|line| {
                // Status, method, target, protocol, digest.
                let fields: Vec<&str> = line.splitn(5, ' ').collect();
                Exchange {
                    status: fields[0].parse().unwrap(),
                    target: fields[2].to_owned(),
                    authorization: fields[4].replace("\\\"", "\""),
                }
            })
            .collect()
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            // Its children and its shared memory go with it only if it is asked.
            let asked = httpd(self.folder.path()).args(["-k", "stop"]).status();
            if !asked.is_ok_and(|asked| asked.success()) {
                let _ = self.process.kill();
            }
            let _ = self.process.wait();
        }
    }
}

fn httpd(folder: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().stdin(Stdio::null()).arg("-f").arg(folder.join("httpd.conf"));
    command
}

/// Configuration, password file and documents.
fn furnish(folder: &Path, configuration: &str) {
    let www = folder.join("www");
    copy(Path::new(SAVED), &www);
    let md5 = Algorithm::new(AlgorithmType::MD5, false);
    let secret = md5.hash_str(&format!("{PUBLIC}:{REALM}:{PRIVATE}"));
    std::fs::write(folder.join("digests"), format!("{PUBLIC}:{REALM}:{secret}\n")).unwrap();
    std::fs::write(folder.join("httpd.conf"), configuration).unwrap();
    // Started by root, Apache reads as another user, who must get in here.
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
}

/// A page of a list is the file `page-N.json` in the list's folder.
fn configuration(folder: &Path, port: u16, threads: u8, digest: &str) -> String {
    let folder = folder.display();
    let modules: String = [
        "mpm_event",
        "authn_core",
        "authn_file",
        "authz_core",
        "authz_user",
        "auth_digest",
        "headers",
        "mime",
        "rewrite",
    ]
    .map(|module| format!("LoadModule {module}_module {MODULES}/mod_{module}.so\n"))
    .concat();
    format!(
        r#"{modules}
ServerRoot "{folder}"
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
User www-data
Group www-data
PidFile "{folder}/pid"
DefaultRuntimeDir "{folder}"
ServerLimit 1
StartServers 1
ThreadLimit {threads}
ThreadsPerChild {threads}
MaxRequestWorkers {threads}
MaxSpareThreads {threads}
MaxKeepAliveRequests 0

ErrorLog "{folder}/error.log"
LogFormat "%>s %r %{{Authorization}}i" exchange
CustomLog "{folder}/access.log" exchange

# Room for every client of one-time nonces and checked counts; the default holds a handful.
AuthDigestShmemSize 1M

DocumentRoot "{folder}/www"
TypesConfig /dev/null
AddType application/json .json
Header always set X-MongoDB-Service-Version "gitHash=0123456789abcdef; versionString=4.4.12"
ErrorDocument 404 /errors/USER_NOT_FOUND.json

RewriteEngine On
RewriteCond %{{QUERY_STRING}} (?:^|&)pageNum=(\d+)(?:&|$)
RewriteRule ^(/api/.+)$ $1/page-%1.json [PT,L]
RewriteRule ^(/api/.+/byName/.+)$ $1.json [PT,L]

<Location "/api/">
    AuthType Digest
    AuthName "{REALM}"
    AuthDigestProvider file
    AuthUserFile "{folder}/digests"
    AuthDigestAlgorithm MD5
    AuthDigestQop auth
    {digest}
    Require valid-user
</Location>
"#
    )
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let target: PathBuf = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}
