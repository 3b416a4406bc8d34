//! What a file of waivers may say, and what it is refused for.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::waivers::{Target, Waivers};

const TODAY: &str = "2025-01-15";
const KEY: &str = "5af9a1d29cc0cdb6acdca6d5";
/// All that an entry needs besides its target.
const REST: &str = "reason = \"r\"\nowner = \"o\"\nexpires = 2025-03-31\n";

fn read_bytes(bytes: &[u8]) -> Result<Waivers, Error> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let name = file.path().display().to_string();
    let read = Waivers::read(file.path(), TODAY.parse().unwrap());
    read.map_err(|mut why| {
        for line in &mut why.details {
            *line = line.replace(&name, "FILE");
        }
        why
    })
}

fn read(text: &str) -> Result<Waivers, Error> {
    read_bytes(text.as_bytes())
}

/// The lines of problems.
fn problems(text: &str) -> Vec<String> {
    let why = read(text).map(|waivers| panic!("{text}: {waivers:?}")).unwrap_err();
    assert_eq!(why.message, "invalid waiver file");
    assert_eq!(why.help.as_deref(), Some("docs/waivers.md has examples"));
    why.details
}

#[test]
fn an_entry_says_what_is_waived_why_by_whom_and_until_when() {
    let text = format!(
        "# ours\n[[waiver]]\nkey = \"{}\"\nreason = \" Nightly export \"\nowner = \"data@example.com\"\n\
         expires = 2025-03-31\nticket = \"OPS-1234\"\n\n\
         [[waiver]]\nuser = \"Ann@Example.com\"\nreason = '''two\nlines'''\nowner = 'o'\nexpires = \"2024-02-29\"\n",
        KEY.to_uppercase()
    );
    let waivers = read(&text).unwrap();
    let all: Vec<_> = waivers.iter().cloned().collect();
    let day = |text: &str| text.parse().unwrap();
    assert_eq!(
        all,
        [
            Waiver {
                line: 2,
                target: Target::Key(KEY.to_owned()),
                reason: "Nightly export".to_owned(),
                owner: "data@example.com".to_owned(),
                expires: day("2025-03-31"),
                ticket: Some("OPS-1234".to_owned()),
                path: None,
                deployment: None,
            },
            Waiver {
                line: 9,
                target: Target::User("ann@example.com".to_owned()),
                reason: "two\nlines".to_owned(),
                owner: "o".to_owned(),
                // A day that has passed is no problem.
                expires: day("2024-02-29"),
                ticket: None,
                path: None,
                deployment: None,
            },
        ]
    );
}

#[test]
fn the_names_of_columns_are_taken_and_so_is_any_spelling_of_a_list() {
    let user = Target::User("ann".to_owned());
    for (text, target) in [
        (format!("[[waivers]]\nkey_id = \"{KEY}\"\n{REST}"), Target::Key(KEY.to_owned())),
        (format!("[[waiver]]\nuser_id = \"{KEY}\"\n{REST}"), Target::User(KEY.to_owned())),
        (format!("\u{feff}[[waiver]]\r\nusername = \"ANN\"\r\n{REST}"), user.clone()),
        (format!("waiver = [ {{ user = 'ann', {} }} ]", REST.trim().replace('\n', ", ")), user),
    ] {
        let waivers = read(&text).unwrap();
        let targets: Vec<_> = waivers.iter().map(|waiver| (waiver.line, &waiver.target)).collect();
        assert_eq!(targets, [(1, &target)], "{text}");
    }
}

#[test]
fn the_file_that_the_docs_show_is_one() {
    let docs = include_str!("../../../docs/waivers.md");
    let shown = docs.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let all = super::waivers(shown, "2025-12-31".parse().unwrap(), &mut Problems::new("FILE"));
    let targets: Vec<_> = all.into_iter().map(|waiver| waiver.target).collect();
    let organization = Target::Organization("5980cfdf0b6d97029d82f86e".to_owned());
    let user = Target::User("ann@example.com".to_owned());
    assert_eq!(targets, [Target::Key(KEY.to_owned()), user, organization]);
}

#[test]
fn a_file_without_an_entry_waives_nothing() {
    for text in ["", "\n# nothing\n", "\u{feff}", "waiver = []", "waivers = []\nwaiver = []\n"] {
        assert!(read(text).unwrap().iter().next().is_none(), "{text}");
    }
}

#[test]
fn the_last_day_is_at_most_a_year_after_the_day_of_reading() {
    let until = |day: &str| format!("[[waiver]]\nuser = 'a'\nreason = 'r'\nowner = 'o'\nexpires = {day}\n");
    for day in ["2026-01-15", "\"2026-01-15\"", "2025-01-15", "2025-01-14", "1999-12-31"] {
        assert!(read(&until(day)).is_ok(), "{day}");
    }
    for day in ["2026-01-16", "\"2026-01-16\"", "9999-12-31"] {
        let reported = problems(&until(day));
        assert!(
            reported[0].starts_with("FILE:5: expires: ") && reported[0].contains("2026-01-15"),
            "{reported:?}"
        );
    }
    // The last day of a February that the next year does not have.
    let mut problems = Problems::new("FILE");
    let last =
        |today: &str| today.parse::<NaiveDate>().unwrap().checked_add_months(LONGEST).unwrap().to_string();
    assert_eq!(last("2024-02-29"), "2025-02-28");
    assert_eq!(waivers(&until("2025-02-28"), last("2024-02-29").parse().unwrap(), &mut problems).len(), 1);
}

#[test]
fn each_problem_is_reported_with_its_line() {
    let entry = |fields: &str| format!("\n[[waiver]]\n{fields}\n");
    let user = |field: &str| entry(&format!("user = 'ann'\n{field}\n{REST}"));
    let without = |name: &str| {
        let rest = REST.split_inclusive('\n').filter(|line| !line.starts_with(name)).collect::<String>();
        format!("\n[[waiver]]\nuser = 'ann'\n{rest}")
    };
    let but = |name: &str, field: &str| without(name) + field;
    for (text, line, fragment) in [
        (user("reason"), 4, "invalid TOML: "),
        (user("ticket = 'unclosed"), 4, "invalid TOML: "),
        (user("owner = 'o'"), 6, "repeated name"),
        (but("expires", "expires = 2025-02-30"), 6, "invalid TOML: "),
        (but("expires", "expires = 2025-02-30T00:00:00Z"), 6, "invalid TOML: "),
        (
            user("until = 2025-01-01"),
            4,
            "until: unknown field; the fields are key, user, organization or path, reason, owner, expires, ticket and deployment",
        ),
        (user("\"a\\u001bb\" = 1"), 4, "\"a\\u{1b}b\": unknown field"),
        (user("a.b = 1"), 4, "a: unknown field"),
        (without("reason"), 2, "reason is missing"),
        (without("owner"), 2, "owner is missing"),
        (without("expires"), 2, "expires is missing"),
        (but("reason", "reason = ''"), 6, "reason: the value is empty"),
        (but("owner", "owner = \" \\t\\n\\u200b\""), 6, "owner: the value is empty"),
        (but("expires", "expires = ''"), 6, "expires: expected a day such as 2026-01-15, not \"\""),
        (but("expires", "expires = '2025-3-31'"), 6, "expires: expected a day"),
        (but("expires", "expires = ' 2025-03-31'"), 6, "expires: expected a day"),
        (but("expires", "expires = '2025-02-30'"), 6, "expires: expected a day"),
        (but("expires", "expires = '2025-03-31T00:00:00Z'"), 6, "expires: expected a day"),
        (but("expires", "expires = 2025-03-31T00:00:00Z"), 6, "without a time"),
        (but("expires", "expires = 2025-03-31 10:00:00"), 6, "without a time"),
        (but("expires", "expires = 10:00:00"), 6, "not a time"),
        (but("expires", "expires = 20250331"), 6, "not a number"),
        (user("ticket = ''"), 4, "ticket: the value is empty"),
        (user("ticket = 1234"), 4, "ticket: expected text in quotes, not a number"),
        (but("reason", "reason = ['r']"), 6, "not a list"),
        (but("owner", "owner = true"), 6, "not true or false"),
        (but("owner", "owner.name = 'o'"), 6, "not a table"),
        (entry(REST), 2, "key, user, organization or path is missing"),
        (user(&format!("key = '{KEY}'")), 4, "key: a waiver is for one key, user or organization"),
        (user("user_id = 'ann'"), 4, "user_id: a waiver is for one key, user or organization"),
        (user("org_id = 'ann'"), 4, "org_id: a waiver is for one key, user or organization"),
        (entry(&format!("organization = ' '\n{REST}")), 3, "organization: the value is empty"),
        (entry(&format!("user = ' '\n{REST}")), 3, "user: the value is empty"),
        (entry(&format!("user = 1\n{REST}")), 3, "user: expected text"),
        (entry(&format!("key = ''\n{REST}")), 3, "key: \"\" is not a key ID"),
        (
            entry(&format!("key_id = '{}'\n{REST}", &KEY[1..])),
            3,
            "key_id: \"af9a1d29cc0cdb6acdca6d5\" is not a key ID",
        ),
        (entry(&format!("key = '{}g'\n{REST}", &KEY[1..])), 3, "is not a key ID"),
        (entry(&format!("key = '********-****-****-92732876eeae'\n{REST}")), 3, "is not a key ID"),
        (
            entry(&format!("key = \"a\\u001b[31m\\u202e\"\n{REST}")),
            3,
            "\"a\\u{1b}[31m\\u{202e}\" is not a key ID",
        ),
        (format!("\nuser = 'ann'\n{REST}"), 2, "\"user\" is outside a waiver"),
        ("\n[waiver]\nuser = 'ann'\n".to_owned(), 2, "begins with [[waiver]], with double brackets"),
        ("\n[[wavier]]\nuser = 'ann'\n".to_owned(), 2, "\"wavier\" is outside a waiver"),
        ("\nwaiver = 1\n".to_owned(), 2, "begins with [[waiver]]"),
        ("waiver = [\n 1,\n {} ]\n".to_owned(), 2, "expected a table"),
        ("key_id,reason\n5af,r\n".to_owned(), 1, "invalid TOML: "),
    ] {
        let reported = problems(&text);
        let place = format!("FILE:{line}: ");
        let found =
            reported.iter().any(|reported| reported.starts_with(&place) && reported.contains(fragment));
        assert!(found, "{place}{fragment}:\n{text}\n{reported:#?}");
    }
}

#[test]
fn a_target_waived_twice_is_reported_with_both_lines() {
    let text = format!(
        "[[waiver]]\nkey = \"{KEY}\"\n{REST}[[waivers]]\nuser = \"Ann\"\n{REST}\
         [[waiver]]\nkey_id = \"{}\"\n[[waiver]]\nusername = \"aNN\"\n{REST}",
        KEY.to_uppercase()
    );
    assert_eq!(
        problems(&text),
        [
            "FILE:11: reason is missing: add why the exception is accepted",
            "FILE:11: owner is missing: add who is responsible",
            "FILE:11: expires is missing: add the last valid day",
            &format!("FILE:12: key {KEY} is already waived in line 2"),
            "FILE:14: user \"ann\" is already waived in line 7",
        ]
    );
    // A key and a user of the same id are two things.
    assert_eq!(
        read(&format!("[[waiver]]\nkey = '{KEY}'\n{REST}[[waiver]]\nuser = '{KEY}'\n{REST}"))
            .unwrap()
            .iter()
            .count(),
        2
    );
}

#[test]
fn a_syntax_error_affects_no_other_entry() {
    let text = "[[waiver]]\nuser = \"ann\nreason = \"r\"\n[[waiver]]\nuser = 'bob'\nowner = 'o'\nexpires = 2025-03-31\n";
    let reported = problems(text);
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(reported[0].starts_with("FILE:2: invalid TOML: "), "{reported:?}");
    assert_eq!(reported[1], "FILE:4: reason is missing: add why the exception is accepted");
}

#[test]
fn twenty_problems_are_reported_by_line_and_the_rest_counted() {
    // The first entries are those of which most is wrong; by line they are reported first all the same.
    let text = "[[waiver]]\n".repeat(2) + &"[[waiver]]\nuser = 'a'\nreason = 'r'\nowner = 'o'\n".repeat(15);
    let reported = problems(&text);
    assert_eq!(reported.len(), 21);
    assert!(reported[..4].iter().all(|reported| reported.starts_with("FILE:1: ")), "{reported:#?}");
    let lines: Vec<u64> =
        reported[..20].iter().map(|reported| reported.split(':').nth(1).unwrap().parse().unwrap()).collect();
    assert!(lines.is_sorted(), "{lines:?}");
    // Four each of the first two, a day missing in fifteen, and a name that comes again in fourteen of them.
    assert_eq!(reported[20], "and 17 more");
}

#[test]
fn a_file_that_is_no_text_is_reported_by_name() {
    let gone = Waivers::read(Path::new("no/such.toml"), TODAY.parse().unwrap()).unwrap_err().to_string();
    assert!(gone.starts_with("can't read the waiver file no/such.toml: "), "{gone}");
    let folder = tempfile::tempdir().unwrap();
    let why = Waivers::read(folder.path(), TODAY.parse().unwrap()).unwrap_err().to_string();
    assert!(why.contains(&folder.path().display().to_string()), "{why}");
    let why = read_bytes(b"# a\n# \xff\n").unwrap_err();
    assert_eq!(why.details, ["FILE:2: not UTF-8"]);
    assert!(why.help.is_some());
    let limit = usize::try_from(LIMIT).unwrap();
    assert!(read(&"#\n".repeat(limit / 2)).unwrap().iter().next().is_none());
    let why = read(&"#\n".repeat(limit / 2 + 1)).unwrap_err();
    assert!(why.details[0].starts_with("FILE: larger than "), "{why}");
}

/// Text that is often nearly a file of waivers, and sometimes one.
fn nearly() -> impl Strategy<Value = String> {
    let whole = || (0..9_u8).prop_map(|name| format!("[[waiver]]\nuser = \"{name}\"\n{REST}"));
    let piece = prop_oneof![
        8 => whole(),
        1 => Just("[[waiver]]\n".to_owned()),
        1 => Just(format!("key = \"{KEY}\"\n{REST}")),
        1 => "(key|user|reason|owner|expires|ticket|x) = ?",
        1 => "[\"'\\[\\]{}=.,#\n\\\\]{1,3}",
        1 => "\"[\\PC ]{0,5}\"\n",
        1 => "20[0-9]{2}-[01][0-9]-[0-3][0-9]\n",
        1 => "\\PC{0,4}",
    ];
    prop_oneof![
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        prop::collection::vec(whole(), 0..4).prop_map(|pieces| pieces.concat()),
    ]
}

/// How many entries a reader that knows nothing of waivers sees.
fn counted(text: &str) -> usize {
    let table: toml::Table = text.parse().unwrap();
    let lists = ["waiver", "waivers"].map(|name| table.get(name).and_then(|list| list.as_array()));
    lists.into_iter().flatten().map(Vec::len).sum()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_bytes(&bytes);
    }

    #[test]
    fn any_text_is_taken_whole_or_refused_with_places(text in nearly()) {
        match read(&text) {
            Ok(waivers) => {
                let last = NaiveDate::from_ymd_opt(2026, 1, 15).unwrap();
                prop_assert_eq!(waivers.iter().count(), counted(&text), "{}", text);
                for waiver in waivers.iter() {
                    prop_assert!(waiver.expires <= last && !waiver.reason.is_empty() && !waiver.owner.is_empty());
                    prop_assert!(waiver.line <= text.matches('\n').count() as u64 + 1);
                }
            }
            Err(why) => {
                let reported = why.details.iter().filter(|line| line.starts_with("FILE:")).count();
                let why = why.to_string();
                prop_assert!((1..=20).contains(&reported), "{}", why);
                prop_assert!(!why.contains(|c: char| c.is_control() && c != '\n'), "{:?}", why);
            }
        }
    }
}
