//! Which certificates are trusted, and that whoever trusts more is told so.

#[cfg(target_os = "linux")]
use super::put_private;
use super::root;
use crate::stub::{Stub, USER, key};
#[cfg(target_os = "linux")]
use crate::support::TestEnv;

#[test]
fn certificates_that_were_not_verified_are_told_loudly_and_stand_in_the_report() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = crate::stub::env();
    let ran = env.audit_at(&stub.url(), &["--user", USER]);
    assert!(!ran.stderr.contains("warning") && !env.markdown().contains("WARNING"), "{ran:?}");
    let ran = env.audit_at(&stub.url(), &["--user", USER, "--insecure-skip-verify", "--quiet"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("warning: certificates are NOT verified"), "{ran:?}");
    let told = |page: &str| page.contains("[!WARNING]") && page.contains("Certificates were not verified");
    assert!(told(&env.markdown()), "{}", env.markdown());
    let ran = env.run(&["report"]);
    assert!(told(&env.markdown()) && ran.stdout.contains("NOT verified"), "it stays with the run: {ran:?}");
}

#[test]
fn plain_http_to_another_host_is_told_loudly_and_to_this_one_is_not() {
    // Reserved for documentation: nobody answers there.
    let ran = crate::stub::env().audit_at("http://192.0.2.1", &["--user", USER, "--timeout", "1", "--quiet"]);
    assert!(ran.code == 5 && ran.stderr.starts_with("warning: plain http to 192.0.2.1"), "{ran:?}");
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let port = root(&stub).rsplit(':').next().unwrap().to_owned();
    let ran = crate::stub::env().audit_at(&format!("http://localhost:{port}"), &["--user", USER]);
    assert!(ran.code == 1 && !ran.stderr.contains("warning"), "{ran:?}");
}

#[test]
fn a_file_of_certificates_that_holds_none_ends_with_5() {
    let env = crate::stub::env();
    env.put("ca.pem", "no certificate");
    for file in ["ca.pem", "nothing.pem"] {
        let ran = env.audit_at("https://127.0.0.1:1", &["--user", USER, "--ca-cert", file]);
        assert_eq!(ran.code, 5, "{ran:?}");
    }
}

/// A server of openssl's with a certificate that an authority of its own signed; hands it the only thing it can say.
#[cfg(target_os = "linux")]
struct Tls(std::process::Child, u16);

#[cfg(target_os = "linux")]
impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
impl Tls {
    /// Leaves `ca.pem` on the desk. `None` where there is no openssl.
    fn start(env: &TestEnv) -> Option<Self> {
        use std::process::{Command, Stdio};
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command
                .args(arguments.split(' '))
                .current_dir(env.path(""))
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        env.put("server.ext", "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n");
        for step in [
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=om -keyout server.key -out server.csr",
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem",
        ] {
            openssl(step).status().ok().filter(std::process::ExitStatus::success)?;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = openssl(&format!("s_server -accept {port} -key server.key -cert server.pem -www"));
        let child = { server }.spawn().ok()?;
        let server = Self(child, port);
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("openssl does not listen");
    }
}

/// openssl answers with a page, so that who gets through the handshake says that this is not the API.
#[cfg(target_os = "linux")]
#[test]
fn a_private_authority_is_trusted_by_its_certificate_or_not_at_all() {
    let env = crate::stub::env();
    let Some(server) = Tls::start(&env) else {
        eprintln!("skipped: there is no `openssl` here");
        return;
    };
    let url = format!("https://127.0.0.1:{}", server.1);
    let stranger = env.audit_at(&url, &["--user", USER]);
    assert!(stranger.code == 5 && stranger.stderr.contains("no connection"), "{stranger:?}");
    for trusted in [&["--ca-cert", "ca.pem"][..], &["--insecure-skip-verify"]] {
        let ran = env.audit_at(&url, &[&["--user", USER], trusted].concat());
        assert!(ran.code == 5 && ran.stderr.contains("not the API"), "{trusted:?}: {ran:?}");
    }
    for (field, value) in [("ops_manager_ca_certificate", "ca.pem"), ("ops_manager_skip_verify", "yes")] {
        let content =
            format!("[p]\nservice = \"ops-manager\"\nops_manager_url = \"{url}\"\n{field} = \"{value}\"\n");
        put_private(&env, ".config/mongocli/config.toml", &content);
        let ran = env.run(&["audit", "--retries", "0", "--profile", "p", "--user", USER]);
        assert!(ran.code == 5 && ran.stderr.contains("not the API"), "{field}: {ran:?}");
        assert_eq!(ran.stderr.contains("NOT verified"), field.ends_with("verify"), "{ran:?}");
        let elsewhere = content.replace("https://127.0.0.1", "https://om.example");
        put_private(&env, ".config/mongocli/config.toml", &elsewhere);
        let ran = env.audit_at(&url, &["--profile", "p", "--user", USER]);
        assert!(
            ran.stderr.contains("no connection"),
            "trust is for the deployment it was given for: {ran:?}"
        );
    }
}
