//! `keysunset man`: a page a command, which `groff` takes without a warning and which says all that `--help` says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::support::{CliOutput, TestEnv};

/// The pages that the program writes, by file name.
fn pages(env: &TestEnv) -> BTreeMap<String, String> {
    let ran = env.run(&["man", "share/man1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let named = |(path, page): (std::path::PathBuf, Vec<u8>)| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), String::from_utf8(page).unwrap())
    };
    env.files().into_iter().map(named).collect()
}

/// The commands that the help lists, but for `help` itself.
fn commands() -> Vec<String> {
    let help = TestEnv::empty().run(&["--help"]).stdout;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !["", "help"].contains(name)).map(str::to_owned).collect()
}

fn long_flags(help: &str) -> BTreeSet<String> {
    let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', '=', '[', ',']));
    words.filter(|word| word.starts_with("--")).map(|word| word.trim_end_matches('.').to_owned()).collect()
}

/// Whether this is installed; in CI it has to be.
fn is_here(program: &str, package: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        assert!(std::env::var_os("KEYSUNSET_CI").is_none(), "{package} has to be installed for this");
        // Not `eprintln`, which a passing test keeps to itself.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: {package} is not installed").unwrap();
    }
    found.is_ok()
}

/// A page as `man` shows it: plain, in lines so long that nothing is broken.
fn shown(env: &TestEnv, page: &str) -> String {
    let arguments = ["-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=500n", "-rHY=0", "-dAD=l", "share/man1/"]
        .map(str::to_owned);
    let (folder, arguments) = arguments.split_last().unwrap();
    let ran = CliOutput::of(env.start(Command::new("groff").args(arguments).arg(format!("{folder}{page}"))));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{page}");
    ran.stdout
}

#[test]
fn every_command_has_a_page_with_all_that_its_help_says() {
    if !is_here("groff", "groff-base") {
        return;
    }
    // groff calls programs of its own.
    let env = TestEnv::empty().with("PATH", &std::env::var("PATH").unwrap());
    let pages = pages(&env);
    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    let mut expected: BTreeSet<_> = commands.iter().map(|name| format!("keysunset-{name}.1")).collect();
    expected.insert("keysunset.1".to_owned());
    assert_eq!(pages.keys().cloned().collect::<BTreeSet<_>>(), expected);

    for command in std::iter::once("").chain(commands.iter().map(String::as_str)) {
        let typed: Vec<_> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = env.run(&typed).stdout;
        let name = if command.is_empty() { "keysunset".to_owned() } else { format!("keysunset-{command}") };
        let shown = shown(&env, &format!("{name}.1"));
        let flags = long_flags(&help);
        assert!(flags.contains("--help") && flags.contains("--quiet"), "{flags:?}");
        for flag in flags {
            assert!(shown.contains(&flag), "{flag} is not in the page of {command:?}: {shown}");
        }
        // What stands below a help is there line by line, so that an example can be pasted.
        let below = help.split_once("\nExamples:\n").map_or("", |(_, below)| below);
        for line in below.split("\n\n").next().unwrap().lines() {
            assert!(shown.contains(line), "{line} is not in the page of {command:?}: {shown}");
        }
        assert!(shown.starts_with(&format!("{}(1)", name.to_uppercase())), "{shown}");
        assert!(shown.contains(&format!("keysunset {}", env!("CARGO_PKG_VERSION"))), "{shown}");
    }
    for command in &commands {
        assert!(shown(&env, "keysunset.1").contains(&format!("keysunset-{command}(1)")), "{command}");
    }
    for name in pages.keys() {
        let ran = CliOutput::of(env.start(Command::new("groff").args([
            "-man",
            "-Tutf8",
            "-P-cbou",
            "-rLL=80n",
            &format!("share/man1/{name}"),
        ])));
        let wide: Vec<_> = ran.stdout.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(ran.code == 0 && wide.is_empty(), "{name}: {wide:#?}");
    }
    let exits = shown(&env, "keysunset.1");
    let (_, exits) = exits.split_once("EXIT STATUS\n").unwrap();
    assert!(exits.trim_start().starts_with("0    no findings, and all users were read\n"), "{exits}");
    let audit = shown(&env, "keysunset-audit.1");
    for heading in ["CREDENTIALS\n", "ENVIRONMENT AND SETTINGS FILE\n", "EXAMPLES\n", "EXIT STATUS\n"] {
        assert!(audit.contains(heading), "{heading}");
    }
}

#[test]
fn the_same_program_makes_the_same_pages_and_the_clock_is_the_packagers() {
    let (one, other) = (pages(&TestEnv::empty()), pages(&TestEnv::empty()));
    assert_eq!(one, other);
    let undated = pages(&TestEnv::empty().with("TZ", "Pacific/Kiritimati"));
    assert_eq!(one, undated);
    for (name, page) in &one {
        let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
        assert!(title.contains(" 1 2025-01-01 \"keysunset "), "{name}: {title}");
        assert!(!page.contains(['~', '^', '`']), "{name}: roff shows these as accents and quotation marks");
    }
}

#[test]
fn without_a_clock_of_its_own_no_page_bears_a_date() {
    let env = TestEnv::empty();
    let child = env.start(Command::new("env").args([
        "-u",
        "SOURCE_DATE_EPOCH",
        env!("CARGO_BIN_EXE_keysunset"),
        "man",
        "here",
    ]));
    assert_eq!(CliOutput::of(child).code, 0);
    let page = env.text("here/keysunset-audit.1");
    let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(title, format!(".TH KEYSUNSET-AUDIT 1 \"\" \"keysunset {version}\" \"keysunset manual\""));
}

#[test]
fn the_written_pages_are_printed_and_nothing_else_is_left() {
    let env = TestEnv::empty();
    env.put("share/man1/keysunset.1", "of an older version\n");
    let printed = env.run(&["man", "share/man1"]).stdout;
    assert_eq!(env.run(&["man", "share/man1", "--quiet"]).stdout, "");
    let there: BTreeSet<_> = env.files().into_keys().map(|path| path.to_str().unwrap().to_owned()).collect();
    assert_eq!(printed.lines().map(str::to_owned).collect::<BTreeSet<_>>(), there);
    assert!(env.text("share/man1/keysunset.1").starts_with(".ie "), "the older page is replaced");
}

#[test]
fn an_unwritable_page_is_reported_and_ends_with_6() {
    let env = TestEnv::empty();
    env.put("file", "");
    env.put("taken/keysunset-audit.1/in-the-way", "");
    for (dir, expected) in
        [("file", "file"), ("file/below", "file/below"), ("taken", "taken/keysunset-audit.1")]
    {
        let ran = env.run(&["man", dir]);
        assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{dir}");
        assert!(ran.stderr.starts_with(&format!("error: can't write {expected}: ")), "{}", ran.stderr);
        assert!(ran.stderr.contains("\n  help: "), "{}", ran.stderr);
    }
    let parts = env.files().into_keys().filter(|path| path.extension().is_some_and(|it| it == "part"));
    assert_eq!(parts.count(), 0);
}
