//! `action.yml`: its steps run as GitHub runs them, by bash with the inputs as variables; what is uploaded to GitHub is not
//! tried here.

mod job;
mod release;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use self::job::{ACTION, AUDIT, Job, VERSION, defaults, script, step};
use super::support::{list_of_ids, ops_manager};

#[test]
fn the_action_ends_with_the_exit_code_of_the_audit() {
    let sandbox = ops_manager(10);
    let somebody_else = list_of_ids(&sandbox) + "ffffffffffffffffffffffff\n";
    let people = |job: Job| {
        job.env.put("people.txt", &somebody_else);
        job.input("all-orgs", "").input("users", "people.txt")
    };
    let at = || Job::at(&sandbox);
    let taken = at();
    taken.env.put("taken", "");
    for (code, job) in [
        (0, at().input("fail-on", "never")),
        (1, at()),
        (2, at().input("args", "--no-such-flag")),
        (2, at().input("all-orgs", "yes")),
        (2, at().input("args", "--name 'half a quote")),
        (3, people(at().input("fail-on", "never"))),
        (4, people(at())),
        (5, at().input("private-key", "00000000-0000-0000-0000-000000000000")),
        (2, at().input("all-orgs", "")),
        (5, at().input("url", "http://127.0.0.1:1")),
        (6, taken.input("out", "taken")),
        (0, people(at()).input("args", "--retries 0 --exit-zero")),
        (127, at().input("binary", "./no-such-program")),
    ] {
        let done = job.run();
        assert_eq!(done.code, code, "{:?}: {:?}", job.inputs, done.audit);
        assert_eq!(done.outputs["exit-code"], code.to_string());
        let reported = matches!(code, 0 | 1 | 3 | 4);
        assert_eq!(done.outputs.get("written").map(String::as_str), reported.then_some("true"), "{code}");
        assert_eq!(job.env.path("reports/keys.csv").exists(), reported, "{code}");
        assert_eq!(done.said.starts_with("::error title=keysunset::exit code "), code != 0, "{}", done.said);
    }
}

#[test]
fn nothing_in_an_input_is_executed() {
    let hostile = [
        "; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "\"; touch pwned; \"",
        "'; touch pwned #",
        "x\ntouch pwned",
        "&& touch pwned",
        "| touch pwned",
        "> pwned",
        "${IFS}",
        "\\",
        "*",
    ];
    for text in hostile {
        for name in defaults().into_keys().filter(|name| name != "binary") {
            let job = Job::recorded(0).input(&name, text);
            job.run();
            assert!(!job.env.path("pwned").exists(), "{name}: {text}");
        }
    }
    let sandbox = ops_manager(1);
    for text in ["; touch pwned", "$(touch pwned)", "`touch pwned`"] {
        let job = Job::at(&sandbox).input("args", text);
        assert_eq!(job.run().code, 2, "{text}");
        assert!(!job.env.path("pwned").exists(), "{text}");
    }
}

#[test]
fn every_input_arrives_word_by_word() {
    assert_eq!(Job::recorded(0).words(), ["audit", "--format=csv,markdown", "--out=reports"]);
    let job = Job::recorded(0)
        .input("url", "https://om.example:8080")
        .input("name", "--our own *")
        .input("all-orgs", "true")
        .input("orgs", "  one\r\n\n two three \n")
        .input("projects", "four")
        .input("users", "a list.csv\nanother.csv")
        .input("fail-on", "used")
        .input("waivers", "waivers.toml")
        .input("baseline", "base line.ndjson")
        .input("ratchet", "true")
        .input("formats", "csv")
        .input("out", "re ports")
        .input("args", "--cutoff 2023-01-01\n  --ca-cert \"our ca.pem\" --user 'it''s me' $HOME *");
    assert_eq!(
        job.words(),
        [
            "audit",
            "--url=https://om.example:8080",
            "--name=--our own *",
            "--all-orgs",
            "--org=one",
            "--org=two three",
            "--project=four",
            "--users=a list.csv",
            "--users=another.csv",
            "--fail-on=used",
            "--waivers=waivers.toml",
            "--baseline=base line.ndjson",
            "--ratchet",
            "--format=csv",
            "--out=re ports",
            "--cutoff",
            "2023-01-01",
            "--ca-cert",
            "our ca.pem",
            "--user",
            "its me",
            "$HOME",
            "*",
        ]
    );
    assert_eq!(Job::recorded(0).input("ratchet", "false").input("all-orgs", "false").words().len(), 3);
}

#[test]
fn the_private_key_is_masked_and_goes_nowhere_but_into_its_variable() {
    let key = "0f6b1c9e-50%25-secret";
    let job = Job::recorded(0).input("public-key", "abcdwxyz").input("private-key", &format!("{key}\r\n"));
    let done = job.run();
    assert_eq!(
        done.audit.stdout, "::add-mask::0f6b1c9e-50%2525-secret\n",
        "as a workflow command escapes it"
    );
    assert!(!done.audit.stderr.contains("secret") && !job.env.text("output").contains("secret"));
    assert!(!job.env.text("words").contains("secret"));
    let variables = job.env.text("variables");
    let holders: Vec<_> = variables.lines().filter(|line| line.contains("secret")).collect();
    assert_eq!(holders, [format!("KEYSUNSET_PRIVATE_KEY={key}")]);
    assert!(variables.contains("KEYSUNSET_PUBLIC_KEY=abcdwxyz\n"));
}

#[test]
fn what_is_left_empty_comes_from_the_jobs_environment() {
    let sandbox = ops_manager(3);
    let announced = sandbox.announcement();
    let job = Job::new()
        .variable("KEYSUNSET_URL", &announced.url)
        .variable("KEYSUNSET_PUBLIC_KEY", &announced.public_key)
        .variable("KEYSUNSET_PRIVATE_KEY", &announced.private_key)
        .variable("KEYSUNSET_FAIL_ON", "never")
        .input("all-orgs", "true");
    let done = job.run();
    assert_eq!(done.code, 0, "{:?}", done.audit);
}

#[test]
fn code_scanning_is_given_only_what_this_run_has_written() {
    for (code, formats, given) in [
        (0, "csv,sarif", true),
        (1, "sarif", true),
        (3, "sarif,github", true),
        (4, "csv,sarif,github", true),
        (1, "csv,markdown", false),
        (2, "sarif", false),
        (5, "sarif", false),
        (6, "sarif", false),
        (130, "sarif", false),
    ] {
        let done = Job::recorded(code).input("formats", formats).run();
        assert_eq!(done.outputs.contains_key("sarif"), given, "{code} {formats}");
        assert_eq!(done.code, code);
    }
}

#[test]
fn with_its_defaults_it_writes_what_it_uploads_and_every_flag_exists() {
    let sandbox = ops_manager(10);
    let job =
        Job::at(&sandbox).input("formats", &defaults()["formats"]).variable("GITHUB_STEP_SUMMARY", "summary");
    job.env.put("summary", "");
    let done = job.run();
    assert_eq!(done.code, 1, "{:?}", done.audit);
    assert_eq!(done.outputs["sarif"], "true");
    assert!(job.env.path("reports/findings.sarif").exists());
    assert!(done.audit.stdout.lines().any(|line| line.starts_with("::error ")), "{}", done.audit.stdout);
    assert!(!job.env.text("summary").is_empty());

    let help = job.env.run(&["audit", "--help"]).stdout;
    for line in script(step(AUDIT)).lines() {
        let mut words = line.split(' ');
        if ["flag", "switch", "each_line"].contains(&words.next().unwrap()) {
            let flag = format!("--{}", words.next().unwrap());
            assert!(help.split([' ', '[', '\n']).any(|word| word == flag), "{flag}");
        }
    }
}

#[test]
fn the_build_is_known_by_its_sources() {
    let job = Job::new().variable("GITHUB_ACTION_PATH", "action");
    job.env.put("action/packaging/source-hash", include_str!("../../packaging/source-hash"));
    let script = job.env.path("action/packaging/source-hash");
    assert!(Command::new("chmod").arg("+x").arg(script).status().unwrap().success());
    let key = || {
        job.env.put("output", "");
        let ran = job.bash(
            step(VERSION),
            &[("GITHUB_OUTPUT".to_owned(), job.env.path("output").display().to_string())],
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let text = job.env.text("output");
        let key =
            text.strip_prefix("key=keysunset-").unwrap().trim_end().rsplit('-').next().unwrap().to_owned();
        assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
        key
    };
    let sources = [
        "Cargo.toml",
        "Cargo.lock",
        "src/main.rs",
        "crates/sandbox/src/lib.rs",
        "templates/migration-report.md.j2",
    ];
    for file in sources {
        job.env.put(&format!("action/{file}"), file);
    }
    let mut last = key();
    job.env.put("action/docs/ci.md", "not built from");
    assert_eq!(last, key());
    for file in sources {
        job.env.put(&format!("action/{file}"), "another");
        assert_ne!(last, key(), "{file}");
        last = key();
    }
    let build_script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    assert!(!build_script.exists(), "a build script belongs into the key");
}

/// GitHub refuses a file in which a plain value has a colon and a space.
#[test]
fn a_text_with_a_colon_is_quoted() {
    let texts = || ACTION.lines().filter_map(|line| line.trim_start().split_once("description: "));
    assert!(texts().count() > 15);
    for (_, text) in texts().filter(|(_, text)| text.contains(": ") || text.contains(" #")) {
        assert!(text.len() > 2 && text.starts_with('"') && text.ends_with('"'), "{text}");
    }
}

#[test]
fn no_script_has_an_expression_and_every_input_is_used() {
    let mut used = BTreeSet::new();
    for line in ACTION.lines() {
        for rest in line.split("inputs.").skip(1) {
            used.insert(rest.split([' ', ')', ',']).next().unwrap().to_owned());
        }
        if let Some((_, used)) = line.split_once(" uses: ") {
            let (_, version) = used.split_once("@v").unwrap();
            assert!(version.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
        }
    }
    assert_eq!(used, defaults().into_keys().collect(), "inputs that are used, inputs that there are");
    let (_, steps) = ACTION.split_once("\n  steps:\n").unwrap();
    let mut scripts = 0;
    for step in steps.split("    - name: ").filter(|step| step.contains("      run: |\n")) {
        assert!(!script(step).contains("${{"), "{step}");
        scripts += 1;
    }
    assert_eq!(scripts, 5);
    for line in ACTION.lines().filter(|line| line.contains("      run: ") && !line.ends_with('|')) {
        assert!(!line.contains("${{"), "{line}");
    }
    let secret = ACTION.lines().filter(|line| line.contains("inputs.private-key"));
    assert_eq!(secret.collect::<Vec<_>>(), ["        INPUT_PRIVATE_KEY: ${{ inputs.private-key }}"]);
}
