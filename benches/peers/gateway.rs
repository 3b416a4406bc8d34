//! nginx in front of the sandbox, with and without TLS.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::deployment::Deployment;

/// Dropping it stops it.
pub(super) struct Gateway {
    process: Child,
    pub(super) http: String,
    pub(super) https: String,
    /// The certificate of the gateway, which no authority signed.
    pub(super) certificate: PathBuf,
}

impl Gateway {
    /// `None` where nginx or openssl is missing.
    pub(super) fn start(folder: &Path, deployment: &Deployment) -> Option<Self> {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status();
        made.ok()?;
        let origin = deployment.url.trim_end_matches("/api/public/v1.0");
        let [plain, tls] = [free_port(), free_port()];
        let config = folder.join("nginx.conf");
        std::fs::write(&config, configuration(folder, origin, plain, tls)).expect("a configuration");
        let process = Command::new("nginx").arg("-c").arg(&config).stderr(Stdio::null()).spawn().ok()?;
        while TcpStream::connect(("127.0.0.1", tls)).is_err() {
            std::thread::yield_now();
        }
        let url = |scheme: &str, port: u16| format!("{scheme}://127.0.0.1:{port}/api/public/v1.0");
        Some(Self { process, http: url("http", plain), https: url("https", tls), certificate })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port").port()
}

fn configuration(folder: &Path, origin: &str, plain: u16, tls: u16) -> String {
    let folder = folder.display();
    let origin_address = origin.trim_start_matches("http://");
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
        http {{
            access_log off;
            upstream sandbox {{ server {origin_address}; keepalive 64; keepalive_requests 1000000; }}
            server {{
                listen 127.0.0.1:{plain};
                listen 127.0.0.1:{tls} ssl;
                ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
                keepalive_requests 1000000;
                location / {{ proxy_pass http://sandbox; proxy_http_version 1.1; proxy_set_header Connection ''; }}
            }}
        }}"
    )
}
