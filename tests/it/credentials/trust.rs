//! Which certificates are trusted, and the warnings where more are.

#[cfg(target_os = "linux")]
use super::put_private;
use super::root;
use crate::stub::{Stub, USER, key};
#[cfg(target_os = "linux")]
use crate::support::TestEnv;

#[test]
fn unverified_certificates_are_a_warning_and_in_the_report() {
    let stub = Stub::of_keys(vec![key(1, "ci")]);
    let env = crate::stub::env();
    let ran = env.audit_at(&stub.url(), &["--user", USER]);
    assert!(!ran.stderr.contains("warning") && !env.markdown().contains("WARNING"), "{ran:?}");
    let ran = env.audit_at(&stub.url(), &["--user", USER, "--insecure-skip-verify", "--quiet"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("warning: certificates are NOT verified"), "{ran:?}");
    let is_shown =
        |page: &str| page.contains("[!WARNING]") && page.contains("Certificates were not verified");
    assert!(is_shown(&env.markdown()), "{}", env.markdown());
    let ran = env.run(&["report"]);
    assert!(
        is_shown(&env.markdown()) && ran.stdout.contains("NOT verified"),
        "it stays with the run: {ran:?}"
    );
}

#[test]
fn plain_http_to_another_host_is_a_warning_but_not_to_this_one() {
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

/// A server of openssl's, which answers every request with a page of its own.
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
fn openssl(env: &TestEnv, arguments: &str) -> std::process::Command {
    use std::process::{Command, Stdio};
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(env.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Makes certificates; `false` where there is no openssl.
#[cfg(target_os = "linux")]
fn made(env: &TestEnv, steps: &[&str]) -> bool {
    let made = steps.iter().all(|step| openssl(env, step).status().is_ok_and(|status| status.success()));
    if !made {
        crate::foreign::skipped("openssl");
    }
    made
}

#[cfg(target_os = "linux")]
impl Tls {
    /// With the certificate `server.pem` and its key `server.key`.
    fn start(env: &TestEnv, more: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = format!("s_server -accept {port} -key server.key -cert server.pem -www{more}");
        let server = Self(openssl(env, &arguments).spawn().unwrap(), port);
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("openssl does not listen");
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.1)
    }
}

#[cfg(target_os = "linux")]
const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// A certificate of an authority, `ca.pem`, and one for the server that it signed.
#[cfg(target_os = "linux")]
fn signed_by_an_authority(env: &TestEnv) -> bool {
    env.put("server.ext", "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n");
    made(
        env,
        &[
            &format!("req -x509 {NEW_KEY} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem"),
            &format!("req {NEW_KEY} -subj /CN=om -keyout server.key -out server.csr"),
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem",
        ],
    )
}

/// openssl answers with a page, so that who gets through the handshake says that this is not the API.
#[cfg(target_os = "linux")]
#[test]
fn a_private_authority_is_trusted_by_its_certificate_or_not_at_all() {
    let env = crate::stub::env();
    if !signed_by_an_authority(&env) {
        return;
    }
    let server = Tls::start(&env, "");
    let url = server.url();
    let stranger = env.audit_at(&url, &["--user", USER]);
    assert!(stranger.code == 5 && stranger.stderr.contains("no connection"), "{stranger:?}");
    assert!(stranger.stderr.contains("of the server, with --ca-cert FILE"), "{stranger:?}");
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

/// The dates of a certificate are not mended by naming its authority once more.
#[cfg(target_os = "linux")]
#[test]
fn a_certificate_that_is_not_accepted_gets_the_help_of_its_reason() {
    const AUTHORITY: &str = "[ca]\ndefault_ca=d\n[d]\nserial=serial\ndatabase=index\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n\
        x509_extensions=e\n[p]\ncommonName=supplied\n[e]\nbasicConstraints=CA:FALSE\nsubjectAltName=";
    let (here, elsewhere) = ("IP:127.0.0.1", "DNS:om.example");
    let (past, now, future) = ("20200101 20210101", "20200101 20990101", "20980101 20990101");
    for (host, days, what, help) in [
        (here, past, "has expired", "it has expired: renew it"),
        (here, future, "not valid yet", "this machine's clock"),
        (elsewhere, now, "for another host", "use a host name of the certificate"),
    ] {
        let env = crate::stub::env();
        env.put("ca.cnf", format!("{AUTHORITY}{host}\n"));
        env.put("index", "");
        let (from, to) = days.split_once(' ').unwrap();
        let steps = [
            format!("req -x509 {NEW_KEY} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem"),
            format!("req {NEW_KEY} -subj /CN=om -keyout server.key -out server.csr"),
            format!(
                "ca -batch -notext -create_serial -config ca.cnf -cert ca.pem -keyfile ca.key -startdate {from}000000Z \
                 -enddate {to}000000Z -in server.csr -out server.pem"
            ),
        ];
        if !made(&env, &steps.each_ref().map(String::as_str)) {
            return;
        }
        let server = Tls::start(&env, "");
        // Of the authority, and of the server itself.
        for trusted in ["ca.pem", "server.pem"] {
            let ran = env.audit_at(&server.url(), &["--user", USER, "--ca-cert", trusted]);
            assert!(ran.code == 5 && ran.stderr.contains(what) && ran.stderr.contains(help), "{ran:?}");
            assert!(!ran.stderr.contains("with --ca-cert FILE"), "{ran:?}");
            let ran = env.run(&["doctor", "--url", &server.url(), "--ca-cert", trusted]);
            assert!(ran.code == 5 && ran.words().contains(what) && ran.words().contains(help), "{ran:?}");
        }
    }
}

/// seanmonstar/reqwest#2041, rustls/webpki#205: such a certificate says of itself that it is an authority.
#[cfg(target_os = "linux")]
#[test]
fn a_self_signed_certificate_is_trusted_for_itself_and_its_names() {
    let self_signed = |name: &str, more: &str| {
        let (subject, out) = ("-subj /CN=om", format!("-keyout {name}.key -out {name}.pem"));
        format!("req -x509 {NEW_KEY} {subject} {out} -addext subjectAltName={more}")
    };
    let here = "IP:127.0.0.1 -days 2";
    for (own, trusted) in [
        (here, Some("server.pem")),
        // The same subject and names, with another key.
        (here, Some("other.pem")),
        ("DNS:om.example -days 2", None),
    ] {
        let env = crate::stub::env();
        let own = self_signed("server", own);
        if !made(&env, &[&self_signed("other", here), &own]) {
            return;
        }
        let server = Tls::start(&env, "");
        let given = trusted.unwrap_or("server.pem");
        let ran = env.audit_at(&server.url(), &["--user", USER, "--ca-cert", given]);
        let through = ran.stderr.contains("not the API");
        assert!(ran.code == 5 && through == (trusted == Some("server.pem")), "{own}, {given}: {ran:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_gateway_that_asks_for_a_certificate_is_shown_the_clients() {
    let env = crate::stub::env();
    let client = [
        format!("req {NEW_KEY} -subj /CN=client -keyout client.key -out client.csr"),
        "x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile client.ext -out client.crt"
            .to_owned(),
    ];
    env.put("client.ext", "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n");
    if !signed_by_an_authority(&env) || !made(&env, &client.each_ref().map(String::as_str)) {
        return;
    }
    env.put("client.pem", env.text("client.key") + &env.text("client.crt"));
    let server = Tls::start(&env, " -Verify 1 -verify_return_error -CAfile ca.pem");
    let asked = |more: &[&str]| {
        let asked = [&["--user", USER, "--ca-cert", "ca.pem"], more].concat();
        env.audit_at(&server.url(), &asked)
    };
    let without = asked(&[]);
    assert!(without.code == 5 && without.stderr.contains("requires a client certificate"), "{without:?}");
    assert!(without.stderr.contains("help: give a client certificate"), "{without:?}");
    for verified in [&[][..], &["--insecure-skip-verify"]] {
        let ran = asked(&[&["--client-cert", "client.pem"], verified].concat());
        assert!(ran.code == 5 && ran.stderr.contains("not the API"), "{verified:?}: {ran:?}");
    }
    for half in ["client.key", "client.crt"] {
        let ran = asked(&["--client-cert", half]);
        assert!(ran.code == 5 && ran.stderr.contains("--client-cert needs one PEM file"), "{half}: {ran:?}");
        assert!(!ran.stderr.contains("PRIVATE KEY"), "{ran:?}");
    }
}
