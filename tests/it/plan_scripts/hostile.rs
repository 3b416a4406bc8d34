//! Text of users and of the plan is data in the scripts, and a plan that is not valid stops them.

use serde_json::{Value, json};

use super::context::*;
use super::{Migration, NAME, render, script, shellcheck};

const HOSTILE: [&str; 5] = [
    "'; touch pwned; '",
    "$(touch pwned) `touch pwned` ${IFS} \\",
    "first\n touch pwned\r\n#\u{0}\u{1b}[31mred\u{7f}",
    "\u{202e}gnp.exe\u{2066} \u{200b}ünï \u{feff}",
    "EOF\n\"quoted\" %s %n -n --dry-run {{ 7 * 7 }} {% raw %}",
];

fn hostile(text: &str) -> impl Fn(&mut Value) {
    let text = text.replace('\0', "");
    move |context| {
        for place in
            ["/deployment/name", "/deployment/product", "/deployment/version", "/run/id", "/owner/name"]
        {
            *context.pointer_mut(place).unwrap() = text.clone().into();
        }
        for key in context["keys"].as_array_mut().unwrap() {
            key["description"] = text.clone().into();
        }
        let one = &mut context["replacements"][0];
        one["org_name"] = text.clone().into();
        one["description"] = format!("{TAG} {text}").into();
        one["projects"][0]["name"] = text.clone().into();
    }
}

#[test]
fn hostile_text_is_inert_in_every_stage() {
    for text in [HOSTILE[..2].concat(), HOSTILE[2..].concat()] {
        let Some(migration) = Migration::with(|_| (), |_| (), hostile(&text)) else { return };
        let mut printed = String::new();
        for arguments in [
            &[][..],
            &["create", "--dry-run"],
            &["create"],
            &["check"],
            &["disable"],
            &["rollback"],
            &["delete"],
        ] {
            let output = migration.run(arguments);
            assert_eq!(output.code, i32::from(arguments == ["delete"]), "{output:#?}");
            printed.extend([output.stdout, output.stderr]);
        }
        assert!(migration.env.files().keys().all(|path| path.file_name().unwrap() != "pwned"));
        assert!(
            printed.chars().all(|one| one == '\n' || one == ' ' || one.is_ascii_graphic()),
            "{printed:?}"
        );
        let key = &migration.tagged("/orgs/5980cfdf0b6d97029d82f86e/apiKeys", TAG)[0];
        assert_eq!(key["desc"], format!("{TAG} {}", text.replace('\0', "")));
    }
}

#[test]
fn a_script_is_short_and_printable_whatever_the_plan_has() {
    let mut long = context("http://127.0.0.1:1/api/public/v1.0");
    hostile(HOSTILE[2])(&mut long);
    let key = long["keys"][0].clone();
    long["keys"] = json!(vec![key; 10]);
    let one = long["replacements"][0].clone();
    for count in [0, 1, 20, 200] {
        long["replacements"] = json!(vec![one.clone(); count]);
        let script = render(&long);
        assert!(script.lines().count() <= 60, "{count}: {}", script.lines().count());
        assert!(script.chars().all(|one| one == '\n' || one == ' ' || one.is_ascii_graphic()), "{script:?}");
        assert_eq!(
            script.matches("\nreplacement ").count() + script.matches("; replacement ").count(),
            count
        );
    }
}

#[test]
fn shellcheck_finds_nothing() {
    let Some(migration) = Migration::with(|_| (), |_| (), hostile(HOSTILE[0])) else { return };
    shellcheck(&migration.env.path("plan"), &["lib.sh", &format!("{NAME}.sh")]);
}

#[test]
fn a_dry_run_sends_nothing_and_writes_nothing() {
    let Some(migration) = Migration::new() else { return };
    let before = migration.env.files();
    let credentials =
        [("KEYSUNSET_PUBLIC_KEY", ""), ("KEYSUNSET_PRIVATE_KEY", ""), ("KEYSUNSET_SECRETS", "")];
    for (stage, expected) in [
        ("create", "POST http"),
        ("check", "GET http"),
        ("verify", "GET http"),
        ("disable", "{\"enabled\":false}"),
        ("rollback", ""),
        ("delete", "DELETE http"),
    ] {
        let output = migration.bash(&[&script(), stage, "--dry-run"], &credentials);
        assert_eq!(output.code, 0, "{output:#?}");
        assert!(output.stdout.contains(expected), "{output:#?}");
        assert!(!output.stdout.contains(ASKED) && !output.stdout.contains(WAIVED), "{output:#?}");
    }
    let output = migration.bash(&[&script()], &credentials);
    assert!(output.stdout.contains("Nothing was sent."), "{output:#?}");
    assert_eq!((migration.requests(), migration.env.files()), (0, before));
}

#[test]
fn data_that_is_not_valid_stops_the_script_before_any_request() {
    for (place, value) in [
        ("/owner/id", "../admin"),
        ("/owner/file", "../07-owner.sh"),
        ("/keys/0/id", "5b17c1119cc0cdb6ac0bf40"),
        ("/keys/0/decision", "delete"),
        ("/keys/0/last_used", "$(date)"),
        ("/keys/0/used_count", "1+1"),
        ("/replacements/0/org_id", "5980cfdf0b6d97029d82f86e/users"),
        ("/replacements/0/projects/0/id", "x"),
        ("/replacements/0/projects/0/roles/0", "GROUP OWNER"),
        ("/replacements/0/org_roles/0", "a\"b"),
        ("/replacements/0/tag", "other:tag"),
        ("/replacements/0/description", "without the tag"),
        ("/deployment/base_url", "file:///etc/passwd"),
        ("/deployment/access_list", "keys"),
        ("/run/started_at", "yesterday"),
    ] {
        let change = |context: &mut Value| *context.pointer_mut(place).unwrap() = value.into();
        let Some(migration) = Migration::with(|_| (), |_| (), change) else { return };
        let output = migration.ends(1, &["create"]);
        assert!(output.stderr.starts_with("error: "), "{place}: {output:#?}");
        assert_eq!(migration.requests(), 0, "{place}");
    }
    let long = |context: &mut Value| {
        context["replacements"][0]["description"] = format!("{TAG} {}", "é".repeat(250)).into();
    };
    let Some(migration) = Migration::with(|_| (), |_| (), long) else { return };
    assert!(migration.ends(1, &["create"]).stderr.contains("more than 250 characters"));
}

#[test]
fn usage_is_the_head_of_the_library() {
    let Some(migration) = Migration::new() else { return };
    let help = migration.ends(0, &["--help"]);
    assert!(
        help.stdout.contains("Usage: bash NN-owner.sh") && help.stdout.contains("KEYSUNSET_SECRET_COMMAND"),
        "{help:#?}"
    );
    for wrong in [&["destroy"][..], &["create", "check"], &["--force"]] {
        assert!(migration.ends(2, wrong).stderr.contains("--help"));
    }
}
