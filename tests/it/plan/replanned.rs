//! A plan over an earlier one: what was decided before and no longer holds must not be carried out.

use std::process::Command;

use super::*;

fn used(number: usize) -> Value {
    key(number, true, Some(USED), 7, &format!("{number:012x}"))
}

fn member_with(name: &'static str, keys: &[Value]) -> User {
    (name, roles(&["ORG_MEMBER"], &[]), json!([]), Reply::ok(&list(keys)))
}

/// What a script ends with, and what it says on standard error.
fn script(env: &TestEnv, name: &str, stage: &str) -> (i32, String) {
    let output = env.place(Command::new("bash").args([name, stage])).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_script_without_a_place_in_the_new_plan_is_withdrawn() {
    let stub = deployment(|| vec![member_with("ann", &[used(1)]), member_with("bob", &[used(2)])]);
    let (env, _, _) = planned(&stub, "");
    let (ann, letter) = ("reports/plan/01-ann.sh", env.path("reports/letters/01-ann.md"));
    assert!(letter.exists() && env.text(ann).contains(&id(1)));
    // Another deployment has scripts of its own in the same folder.
    let foreign = env
        .text(ann)
        .replace(&stub.url(), "https://om.example/api/public/v1.0")
        .replace("01-ann.sh", "09-x.sh");
    let foreign = foreign.replace(&id(100), &id(999));
    env.put("reports/plan/09-x.sh", &foreign);
    let journal = "{\"time\":\"2025-01-01T00:00:00Z\",\"stage\":\"create\",\"key_id\":\"x\"}\n";
    env.put("reports/plan/01-ann.done", journal);

    let waiver =
        format!("[[waiver]]\nkey = \"{}\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"2025-03-01\"\n", id(1));
    env.put("waivers.toml", waiver);
    let ran = env.run(&["plan", "--waivers", "waivers.toml"]);
    assert!(ran.stdout.contains("1 scripts"), "{ran:?}");
    assert!(!letter.exists() && !env.text(ann).contains(&id(1)));
    assert!(
        env.text("reports/plan/02-bob.sh").contains(&id(2)) && env.path("reports/letters/02-bob.md").exists()
    );
    assert_eq!(
        (env.text("reports/plan/09-x.sh"), env.text("reports/plan/01-ann.done")),
        (foreign, journal.to_owned())
    );
    for stage in ["create", "check", "verify", "disable", "delete"] {
        let (code, stderr) = script(&env, ann, stage);
        assert!(
            code == 1 && stderr.contains("the newest plan has no script for this owner"),
            "{stage}: {stderr}"
        );
    }
    assert_eq!(script(&env, ann, "rollback"), (0, String::new()));
    let withdrawn = env.text(ann);
    env.run(&["plan", "--waivers", "waivers.toml"]);
    assert_eq!(env.text(ann), withdrawn);

    // A run that was not of everybody says nothing of the others.
    let bob = env.text("reports/plan/02-bob.sh");
    env.audit_at(&stub.url(), &["--user", &id(100)]);
    env.run(&["plan"]);
    assert_eq!(env.text("reports/plan/02-bob.sh"), bob);
    env.audit_at(&stub.url(), &["--all-orgs"]);

    // The owner gets the same script again.
    assert_eq!(env.run(&["plan"]).code, 0);
    assert!(letter.exists() && env.text(ann).contains(&id(1)) && !env.text(ann).contains("withdrawn"));
}

/// A copy for a rehearsal has the same ids, so that its journal would count for the other deployment.
#[test]
fn a_plan_is_not_written_beside_the_journal_of_another_deployment() {
    let stub = deployment(|| vec![member_with("ann", &[used(1)])]);
    let (env, _, _) = planned(&stub, "");
    let (script, journal) = ("reports/plan/01-ann.sh", "reports/plan/01-ann.done");
    let line = json!({"time": "2025-01-01T00:00:00Z", "stage": "check", "key_id": "x"});
    let of = |name: &str, url: &str| {
        let mut line = line.clone();
        (line["deployment"], line["base_url"]) = (name.into(), url.into());
        line
    };
    let name = stub.url().replace("/api/public/v1.0", "");
    let is_refused = |journal: String, deployment: &str| {
        env.put("reports/plan/01-ann.done", journal);
        let before = env.files();
        let ran = env.run(&["plan", "--verify-days", "3"]);
        let why = format!("01-ann.done is the journal of {deployment}");
        assert!(ran.code == 5 && ran.stderr.contains(&why), "{ran:#?}");
        assert!(ran.stderr.contains("choose another folder with --out"), "{ran:#?}");
        assert_eq!(env.files(), before);
    };
    let cut_off = "{\"stage\":\"disa";
    for (other, url) in [("staging", stub.url()), (&*name, "https://om.example/api/public/v1.0".to_owned())] {
        let expected = format!("another deployment: {other}, {url}");
        is_refused(format!("{line}\n{}\n{}\n{cut_off}", of(&name, &stub.url()), of(other, &url)), &expected);
    }

    // The journal of an earlier version is of the deployment of the script beside it.
    let text = env.text(script);
    for (from, to) in
        [(&*stub.url(), "https://om.example/api/public/v1.0"), ("deployment '", "deployment 'x")]
    {
        env.put(script, text.replacen(from, to, 1));
        is_refused(format!("{line}\n"), "another deployment: '");
    }
    std::fs::remove_file(env.path(script)).unwrap();
    is_refused(format!("{line}\n"), "an unknown deployment");
    env.put(script, &text);

    for own in [line.to_string(), of(&name, &stub.url()).to_string(), "done".to_owned()] {
        env.put(journal, &own);
        assert_eq!(env.run(&["plan", "--verify-days", "3"]).code, 0);
        assert_eq!(env.text(journal), own);
        env.put(script, &text);
    }
}

#[test]
fn what_is_no_script_of_the_plan_does_not_take_part_in_it() {
    let (env, _, _) = planned(&deployment(|| vec![member_with("ann", &[used(1)])]), "");
    let copy = env.bytes("reports/plan/01-ann.sh");
    env.put("reports/plan/07-copy.sh", &copy);
    env.put("reports/plan/50-latin1.sh", b"\xfc\n");
    std::fs::create_dir(env.path("reports/plan/60-folder.sh")).unwrap();
    let ran = env.run(&["plan", "--verify-days", "3"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(env.bytes("reports/plan/07-copy.sh"), copy);
    let rows = rows(&env.bytes("reports/plan.csv"));
    assert!(rows.iter().all(|row| row["script"] == "plan/01-ann.sh"), "{rows:?}");
}

/// Terraform deletes what was in its files and no longer is.
#[test]
fn terraform_forgets_a_replacement_that_is_no_longer_planned_and_does_not_delete_it() {
    let disabled = Arc::new(AtomicU64::new(0));
    let is_disabled = Arc::clone(&disabled);
    let users = move || {
        let mut first = used(1);
        first["enabled"] = (is_disabled.load(Ordering::Relaxed) == 0).into();
        vec![member_with("ann", &[first, used(2)])]
    };
    let (stub, env) = (deployment(users), env());
    let plan = |flags: &[&str]| {
        env.audit_at(&stub.url(), &["--all-orgs", "--product", "atlas"]);
        assert_eq!(env.run(&[&["plan", "--tool", "terraform"], flags].concat()).code, 0);
        env.text("reports/plan/01-ann.tf")
    };
    let names = |text: &str, start: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(start)).map(str::to_owned);
        lines.collect::<std::collections::BTreeSet<_>>()
    };
    let address = |declared: &str| declared.replace("\" \"", ".").replace("\" {", "");
    let resources = |text: &str| {
        names(text, "resource \"").iter().map(|it| address(it)).collect::<std::collections::BTreeSet<_>>()
    };
    let removed = |text: &str| names(text, "  from = ");

    let both = plan(&["--per", "key"]);
    assert_eq!((resources(&both).len(), removed(&both).len()), (4, 0));
    disabled.store(1, Ordering::Relaxed);
    let one = plan(&["--per", "key"]);
    assert_eq!(resources(&one).len(), 2);
    let gone: std::collections::BTreeSet<_> =
        resources(&both).difference(&resources(&one)).cloned().collect();
    assert_eq!((removed(&one), gone.len()), (gone, 2));
    // Also by the plan after that, and by one of another kind.
    assert_eq!(plan(&["--per", "key"]), one);
    let by_owner = plan(&[]);
    assert_eq!((resources(&by_owner).len(), removed(&by_owner)), (2, resources(&both)));
    let keys = plan(&["--tool", "atlas,terraform"]);
    assert!(resources(&keys).iter().all(|it| it.contains("api_key")), "{keys}");
    assert_eq!(removed(&keys), resources(&both).union(&resources(&by_owner)).cloned().collect());
    // What is planned again is looked after again.
    disabled.store(0, Ordering::Relaxed);
    let again = plan(&["--per", "key"]);
    assert_eq!(resources(&again), resources(&both));
    assert!(removed(&again).is_disjoint(&resources(&again)));
}

/// The order of the service's answers decides nothing.
#[test]
fn of_two_teams_and_of_two_keys_with_one_tag_the_same_one_counts() {
    let tag = format!("keysunset:{}", id(100));
    let planned = |is_reversed: bool| {
        let tag = tag.clone();
        let (first, second) = ("5980000000000000000000d1", "5980000000000000000000d2");
        let ordered = move |mut rows: Vec<Value>| {
            if is_reversed {
                rows.reverse();
            }
            Reply::ok(&list(&rows))
        };
        let users = move || {
            let keys = Reply::ok(&list(&[used(1)]));
            vec![("ann", roles(&["ORG_MEMBER"], &[]), json!([first, second]), keys)]
        };
        let stub = deployment_with(users, move |asked| match asked.path.as_str() {
            path if path == format!("/orgs/{EAST}/teams") => Some(ordered(vec![
                json!({"id": first, "name": "zeta"}),
                json!({"id": second, "name": "alpha"}),
            ])),
            path if path == format!("/groups/{PROJECT}/teams") => {
                let of = |team| json!({"teamId": team, "roleNames": ["GROUP_READ_ONLY"]});
                Some(ordered(vec![of(first), of(second)]))
            }
            path if path == format!("/orgs/{EAST}/apiKeys") => {
                let made = |number| {
                    json!({"id": id(number), "desc": format!("{tag} ann"), "publicKey": "abcdefgh",
                    "privateKey": "********-****-****-00000000000a", "roles": []})
                };
                Some(ordered(vec![made(71), made(70)]))
            }
            _ => None,
        });
        let (env, rows, _) = super::planned(&stub, "");
        let origin = stub.url().replace("/api/public/v1.0", "");
        (replacements(&rows)[0].clone(), env.text("reports/plan.csv").replace(&origin, "om"))
    };
    let ((row, text), (_, reversed)) = (planned(false), planned(true));
    assert_eq!(row["roles_from"], "own;team alpha");
    assert!(row["reason"].contains(&format!("made already as {}", id(70))), "{row:?}");
    assert!(row["reason"].ends_with(&format!(
        "{} has the same tag: find out which one is in use, and delete the other",
        id(71)
    )));
    assert_eq!(text, reversed);
}

#[test]
fn a_plan_for_a_version_without_programmatic_keys_says_so() {
    for (version, is_told) in [("4.0.5", true), ("4.2.0", false)] {
        let sandbox =
            sandbox(Options { users: 20, service_version: version.to_owned(), ..Options::default() });
        let env = TestEnv::at(&sandbox);
        env.audit(&sandbox, &["--all-orgs"]);
        let ran = env.run(&["plan"]);
        let told = "has no programmatic API keys";
        assert_eq!(
            (ran.stderr.contains(told), env.text("reports/plan.md").contains(told)),
            (is_told, is_told)
        );
    }
}
