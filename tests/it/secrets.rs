//! A private key stands nowhere: not in what is printed at the highest verbosity, not in a report, not in the store.

use digest_auth::{Algorithm, AlgorithmType};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::credentials::put_private;
use crate::stub::{Digest, Reply, Stub, env, list};
use crate::support::{CliOutput, TestEnv, list_of_ids, ops_manager};

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits =
            (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
        (0..4).map(|at| if at <= group.len() { digit(at) } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

/// Every way in which a secret would still be one. Of base64 only what does not depend on what stands before and after.
fn disguises(public: &str, private: &str) -> Vec<String> {
    let pair = format!("{public}:{private}");
    let mut all = vec![private.to_owned(), private.to_uppercase(), private.replace('-', "")];
    all.extend((0..3).map(|skip| base64(&private.as_bytes()[skip..]).trim_end_matches('=').to_owned()));
    all.push(base64(pair.as_bytes()));
    all.push(utf8_percent_encode(private, NON_ALPHANUMERIC).to_string());
    all.extend([AlgorithmType::MD5, AlgorithmType::SHA2_256].map(|algorithm| {
        Algorithm::new(algorithm, false).hash_str(&format!("{public}:MMS Public API:{private}"))
    }));
    // The last digits of base64 hold bits of what follows.
    all.iter().map(|text| text[..text.len() - 1].to_owned()).collect()
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Holds that nothing the program printed or left behind has any of these.
fn assert_nowhere(env: &TestEnv, ran: &CliOutput, secrets: &[String]) {
    let mut places = env.files();
    places.insert("standard output".into(), ran.stdout.clone().into_bytes());
    places.insert("standard error".into(), ran.stderr.clone().into_bytes());
    for (place, bytes) in places {
        for secret in secrets {
            assert!(!holds(&bytes, secret), "{secret} is in {}", place.display());
        }
    }
}

#[test]
fn base64_is_base64() {
    for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64(text.as_bytes()), expected);
    }
}

#[test]
fn a_programmatic_key_is_nowhere_after_a_verbose_run() {
    let sandbox = ops_manager(30);
    let (public, private) = sandbox.credential_for(0);
    let env = TestEnv::of((public.clone(), private.clone()));
    let secrets = disguises(&public, &private);
    let ran = env.audit(&sandbox, &["--all-orgs", "--user", "nobody@example.com", "-vvv"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(!ran.stderr.is_empty(), "-vv prints something");
    assert_nowhere(&env, &ran, &secrets);
    for (arguments, code) in [(["report", "-vvv"], 4), (["export", "-vvv"], 0), (["verify", "-vvv"], 0)] {
        let ran = env.run(&arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        assert_nowhere(&env, &ran, &secrets);
    }
}

#[test]
fn of_a_personal_key_only_the_last_digits_are_anywhere() {
    let sandbox = ops_manager(10);
    let (public, private) = sandbox.personal_credential_for(0).unwrap();
    let env = TestEnv::of((public.clone(), private.clone()));
    let ran = env.audit(&sandbox, &["--all-orgs", "-vvv"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let mut secrets = disguises(&public, &private);
    secrets.push(private[..23].to_owned());
    assert_nowhere(&env, &ran, &secrets);
    let reported = holds(&env.bytes("reports/keys.csv"), &private[24..]);
    assert!(reported, "the digits that the service shows identify the key");
}

#[test]
fn failures_show_no_secret() {
    let (public, private) = ("abcdwxyz", "s3cr/t+p@ss w%rd:ü-0123456789");
    let secrets = disguises(public, private);
    let sandbox = ops_manager(5);
    let page = Stub::start(Digest::Off, |_| Reply::text(200, "text/html", "<html>"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for url in [&sandbox.announcement().url, &page.url(), &closed] {
        let env = TestEnv::of((public.to_owned(), private.to_owned()));
        let ran = env.audit_at(url, &["--all-orgs", "-vvv"]);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert_nowhere(&env, &ran, &secrets);
    }
    let half = TestEnv::empty().with("KEYSUNSET_PRIVATE_KEY", private);
    let ran = half.audit_at(&closed, &["--all-orgs", "-vvv"]);
    assert_eq!(ran.code, 5);
    assert_nowhere(&half, &ran, &secrets);
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_is_nowhere_whichever_way_it_is_given() {
    let sandbox = ops_manager(10);
    let (public, private) = sandbox.credential_for(0);
    let secrets = disguises(&public, &private);
    let default = |part: &str| format!("[default]\npublic-key = \"{public}\"\n{part}\n");
    let profile = format!("[p]\npublic_api_key = \"{public}\"\nprivate_api_key = \"{private}\"\n");
    let file = |name| ["--credentials", name];
    for (name, content, arguments) in [
        ("own.toml", default(&format!("private-key = \"{private}\"")), file("own.toml")),
        ("own.csv", format!("user,public_key,private_key\n*,{public},{private}\n"), file("own.csv")),
        ("own.toml", default("private-key-env = \"SOME_VARIABLE\""), file("own.toml")),
        ("own.toml", default("private-key-file = \"secret.txt\""), file("own.toml")),
        ("own.toml", default("private-key-command = [\"cat\", \"secret.txt\"]"), file("own.toml")),
        (".config/mongocli/config.toml", profile.clone(), ["--profile", "p"]),
        (".config/atlascli/config.toml", profile, ["--profile", "p"]),
    ] {
        let env = TestEnv::empty().with("SOME_VARIABLE", &private).with("PATH", "/usr/bin:/bin");
        put_private(&env, name, &content);
        put_private(&env, "secret.txt", &private);
        let ran = env.audit(&sandbox, &[&["--all-orgs", "-vvv"], &arguments[..]].concat());
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        // What was put there is the one place where it may stand.
        for given in [name, "secret.txt"] {
            std::fs::remove_file(env.path(given)).unwrap();
        }
        assert_nowhere(&env, &ran, &secrets);
    }
}

#[test]
fn help_and_usage_show_no_secret() {
    let (public, private) = ("abcdwxyz", "11111111-2222-3333-4444-555555555555");
    let env = TestEnv::of((public.to_owned(), private.to_owned()))
        .with("MCLI_PRIVATE_API_KEY", private)
        .with("MONGODB_ATLAS_PRIVATE_API_KEY", private);
    let secrets = disguises(public, private);
    for arguments in [
        &["--help"][..],
        &["audit", "--help"],
        &["audit", "-h"],
        &["report", "--help"],
        &["demo", "--help"],
        &["sandbox", "--help"],
        &["--version"],
    ] {
        let ran = env.run(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_nowhere(&env, &ran, &secrets);
    }
    for arguments in [&["audit"][..], &["audit", "--no-such-flag"], &["nothing"]] {
        let ran = env.run(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert_nowhere(&env, &ran, &secrets);
    }
}

#[test]
fn a_secret_in_the_url_or_settings_is_refused_and_not_shown() {
    let secret = "s3cr3t-0123456789";
    let env = env();
    for url in [format!("https://user:{secret}@om.example"), format!("https://{secret}@om.example")] {
        let ran = env.audit_at(&url, &["--all-orgs"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(!ran.stderr.contains(secret), "{ran:?}");
        let environment = crate::stub::env().with("KEYSUNSET_URL", &url);
        let ran = environment.run(&["audit", "--all-orgs"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(!ran.stderr.contains(secret), "{ran:?}");
    }
    env.put("keysunset.toml", format!("private-key = \"{secret}\""));
    let ran = env.run(&["report"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(!ran.stderr.contains(secret), "{ran:?}");
}

#[test]
fn a_live_key_in_a_list_is_neither_shown_nor_stored() {
    let secret = "77777777-8888-9999-aaaa-bbbbbbbbbbbb";
    let carrying = move || json!({"id": crate::stub::USER, "username": "ann@example.com", "name": "x", "agentApiKey": secret});
    let stub = Stub::start(Digest::On, move |asked| match asked.path.as_str() {
        path if path.ends_with("/keys") => {
            let mut key = crate::stub::key(1, "ci");
            key["key"] = secret.into();
            Reply::ok(&list(&[key]))
        }
        _ => Reply::ok(&list(&[carrying()])),
    });
    let env = env();
    let ran = env.audit_at(&stub.url(), &["--project", "5b0000000000000000000000", "--all-orgs", "-vvv"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_nowhere(&env, &ran, &[secret.to_owned()]);
}

/// Such as the wrong column of a table: a name goes into the address of a request and into every report.
#[test]
fn a_key_in_place_of_a_name_is_refused_before_the_first_request() {
    let secret = "77777777-8888-9999-aaaa-bbbbbbbbbbbb";
    let sandbox = ops_manager(3);
    let env = TestEnv::at(&sandbox);
    env.put("lists/text.txt", format!("ann@example.com\n{secret}\n"));
    env.put("lists/named.csv", format!("user_id,username\n5af9a1d29cc0cdb6ac0bf3f8,{secret}\n"));
    env.put("lists/users.json", format!("[\"{secret}\"]"));
    for flags in [
        ["--users", "lists/text.txt"],
        ["--users", "lists/users.json"],
        ["--user", secret],
        ["--org", secret],
        ["--project", secret],
    ] {
        let before = sandbox.counts().exchanges;
        let ran = env.audit(&sandbox, &flags);
        assert_eq!((ran.code, sandbox.counts().exchanges), (5, before), "{ran:?}");
        assert!(
            ran.stderr.contains("has the shape of a whole key") && !ran.stderr.contains(secret),
            "{ran:?}"
        );
    }
    // Beside an ID, the name is left out.
    assert_eq!(env.audit(&sandbox, &["--users", "lists/named.csv"]).code, 3);
    for (path, bytes) in env.files().into_iter().filter(|(path, _)| !path.starts_with("lists")) {
        assert!(!holds(&bytes, secret), "{}", path.display());
    }
    // A variable that is not set.
    for flag in ["--org", "--project"] {
        let ran = env.audit(&sandbox, &[flag, ""]);
        assert!(ran.code == 5 && ran.stderr.contains(&format!("{flag}: is empty")), "{ran:?}");
    }
}

#[test]
fn a_key_in_a_description_or_an_error_is_masked_everywhere() {
    use crate::stub::{USER, id, key};
    let secret = "77777777-8888-9999-aaaa-bbbbbbbbbbbb";
    let digests = ["0123456789abcdef".repeat(2), "fedcba9876543210".repeat(4)];
    let detail = format!("sent: Digest response=\"{}\", cnonce=\"{}\"", digests[0], digests[1]);
    let stub = Stub::start(Digest::On, move |asked| match asked.path.as_str() {
        path if path.contains(USER) => {
            let descriptions = [format!("old pw {secret}"), secret.replace('-', "").to_uppercase()];
            let keys = descriptions.iter().enumerate().map(|(at, description)| key(at + 1, description));
            Reply::ok(&list(&keys.collect::<Vec<_>>()))
        }
        path if path.ends_with("/keys") => {
            Reply::json(403, &json!({"error": 403, "errorCode": "ACCESS_FORBIDDEN", "detail": detail}))
        }
        _ => Reply::ok(&list(&[json!({"id": USER, "username": "ann@example.com"}), json!({"id": id(7)})])),
    });
    let env = env();
    let formats = "csv,markdown,html,xlsx,json,ndjson,sarif,junit,gitlab,prometheus";
    let ran = env.audit_at(&stub.url(), &["--org", "5b0000000000000000000000", "-vvv", "--format", formats]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(env.text("reports/keys.csv").contains("old pw ********-****-****-bbbbbbbbbbbb"));
    let mut secrets = [secret.to_owned(), secret.replace('-', "").to_uppercase()].to_vec();
    secrets.extend(digests.iter().map(|digest| digest[..24].to_owned()));
    assert_nowhere(&env, &ran, &secrets);
    let ran = env.run(&["plan"]);
    assert_eq!(ran.code, 3, "the roles are unknown: {ran:?}");
    assert_nowhere(&env, &ran, &secrets);
    let ran = env.run(&["doctor", "--json", "--url", &stub.url(), "--user", &id(7)]);
    assert_nowhere(&env, &ran, &secrets);
}

/// The error of what reads JSON quotes the value.
#[test]
fn a_key_in_any_field_of_a_response_is_masked_everywhere() {
    use crate::stub::{USER, id, key};
    let secret = "77777777-8888-9999-aaaa-bbbbbbbbbbbb";
    let of_a_row = ["createdAt", "lastUsed", "enabled", "usedCount", "userId", secret];
    let of_a_page = ["totalCount", "links", "results", "status", "content"];
    let env = env();
    for (number, field) in of_a_row.into_iter().chain(of_a_page).enumerate() {
        let mut page = list(&[key(1, "ci")]);
        let place = if number < of_a_row.len() { &mut page["results"][0] } else { &mut page };
        place[field] = json!(secret);
        // A field that is there twice.
        let body = page
            .to_string()
            .replace(&format!("{secret:?}:{secret:?}"), &format!("{secret:?}:1,{secret:?}:2"));
        env.put(&format!("saved/{USER}.json"), &body);
        env.put(&format!("saved/{secret}.json"), "[");
        let stub = Stub::start(Digest::On, move |asked| match asked.path.as_str() {
            path if path.ends_with("/keys") => Reply::text(200, "application/json", &body),
            _ => {
                Reply::ok(&list(&[json!({"id": USER, "username": "ann@example.com"}), json!({"id": id(7)})]))
            }
        });
        let formats = "csv,markdown,html,json,ndjson,sarif,junit,gitlab";
        let ran =
            env.audit_at(&stub.url(), &["--org", "5b0000000000000000000000", "-vvv", "--format", formats]);
        assert!([3, 4].contains(&ran.code), "{field}: {ran:?}");
        let imported = env.run(&["import", "saved", "--out", "imported", "--format", formats]);
        assert!([3, 4].contains(&imported.code), "{field}: {imported:?}");
        for name in [USER, secret] {
            std::fs::remove_file(env.path(&format!("saved/{name}.json"))).unwrap();
        }
        for ran in [ran, imported] {
            assert_nowhere(&env, &ran, &[secret.to_owned()]);
        }
    }
}

#[test]
fn the_store_holds_the_users_and_the_public_key() {
    let sandbox = ops_manager(5);
    let env = TestEnv::at(&sandbox);
    env.put("list.txt", list_of_ids(&sandbox));
    assert_eq!(env.audit(&sandbox, &["--users", "list.txt"]).code, 1);
    let store = env.bytes("reports/keysunset.db");
    assert!(sandbox.ground_truth().all(|user| holds(&store, &user.id)));
    assert!(holds(&store, &sandbox.announcement().public_key), "the public part identifies the credential");
}

#[test]
fn a_private_part_in_the_public_ones_place_is_shown_nowhere() {
    let sandbox = crate::support::ops_manager(3);
    let announced = sandbox.announcement();
    let env = crate::support::TestEnv::of((announced.private_key.clone(), announced.public_key.clone()));
    let ran = env.audit(&sandbox, &["--all-orgs", "-vvv"]);
    assert_eq!((ran.code, ran.stderr.contains("swapped")), (5, true), "{ran:?}");
    assert!(!format!("{ran:?}").contains(&announced.private_key));
    let ran = env.run(&["doctor", "--url", &announced.url]);
    assert!(!format!("{ran:?}").contains(&announced.private_key));
    let kept = env.files().into_values().any(|bytes| {
        bytes.windows(announced.private_key.len()).any(|window| window == announced.private_key.as_bytes())
    });
    assert!(!kept);
}

/// Whatever is quoted: names of files, settings, arguments, fields of lists and waivers.
#[test]
fn no_error_shows_a_key_or_an_escape() {
    let dashed = "b5e7b0c4-3a1d-4e0e-8f55-92732876eeae";
    for key in [dashed.to_owned(), dashed.replace('-', ""), dashed.to_uppercase()] {
        let name = format!("{key}\u{1b}[2J");
        let env = crate::stub::env();
        env.put("w.toml", format!("[[waiver]]\nkey = \"{key}\"\n\"{key}\" = 1\n"));
        env.put("c.toml", format!("\"{key}\" = 1\n"));
        env.put("users.json", format!("[\"{key}\", {{\"{key}\": 1}}"));
        let at: &[&str] = &["--url", "http://127.0.0.1:1", "--retries", "0"];
        for arguments in [
            &["report", "--store", &name][..],
            &["report", "--waivers", &name],
            &["report", "--waivers", "w.toml"],
            &["report", "--config", &name],
            &["report", "--config", "c.toml"],
            &["report", "--baseline", &name],
            &["report", &name],
            &["report", "--fail-on", &name],
            &["report", "--cutoff", &name],
            &["report", "--run", &name],
            &[&name],
            &[&format!("--{key}")],
            &["import", &name],
            &["explain", &name],
            &["verify", &name],
            &["merge", &name],
            &[&["audit", "--users", &name][..], at].concat(),
            &[&["audit", "--users", "users.json"][..], at].concat(),
            &[&["audit", "--user", &name][..], at].concat(),
            &[&["audit", "--org", &name][..], at].concat(),
            &[&["audit", "--all-orgs", "--profile", &name][..], at].concat(),
            &[&["audit", "--all-orgs", "--credentials", &name][..], at].concat(),
            &[&["audit", "--all-orgs", "--ca-cert", &name][..], at].concat(),
            &[&["audit", "--all-orgs", "--templates", &name][..], at].concat(),
        ] {
            let ran = env.run(arguments);
            assert!(ran.code != 0 && !ran.stderr.is_empty(), "{arguments:?}: {ran:?}");
            for shown in [&ran.stdout, &ran.stderr] {
                assert!(!shown.contains(&key) && !shown.contains('\u{1b}'), "{arguments:?}: {shown:?}");
            }
        }
    }
}

#[test]
fn no_line_of_the_log_shows_a_key() {
    let key = "b5e7b0c4-3a1d-4e0e-8f55-92732876eeae";
    let stub = crate::stub::Stub::of_keys(Vec::new());
    let env = crate::stub::env();
    for user in [key.to_owned(), key.replace('-', "")] {
        let ran = env.audit_at(&stub.url(), &["--user", &user, "-vvv"]);
        assert!(ran.stderr.contains("92732876eeae") && ran.stderr.contains("INFO"), "{}", ran.stderr);
        assert!(!ran.stderr.contains(&user) && !ran.stderr.contains(key), "{}", ran.stderr);
    }
}
