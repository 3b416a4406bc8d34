//! `--credentials FILE`: users and their own credentials, as TOML or CSV. The file is read as a whole and all its problems
//! are reported at once; only when its form is right are variables, files and commands asked for what they hold.

use std::collections::HashMap;
use std::path::Path;

use super::entry::CredentialEntry;
use super::secret_file::{self, SecretFileError, quoted};
use super::source::SecretSource;
use super::{Commands, csv, new_credential, toml};
use crate::client::{Credential, Credentials};
use crate::context::Env;
use crate::exit::Error;
use crate::input::Problems;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

const EXAMPLES: &str = "docs/configuration.md has examples";

/// The credentials of the file; its default only if that is wanted.
pub(super) fn read(
    path: &Path,
    commands: Commands,
    env: &Env,
    default_wanted: bool,
) -> Result<Credentials, Error> {
    let name = path.display().to_string();
    let text = secret_file::read(path).map_err(|why| match why {
        SecretFileError::Open(why) => Error::not_read("the credentials file", &name, &why),
        SecretFileError::Shared { why, help } => {
            Error::input(format!("the credentials file {name} is not safe: {why}")).help(help)
        }
        SecretFileError::Content(why) => {
            Error::input(format!("invalid credentials file {name}: {why}")).help(EXAMPLES)
        }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut problems = Problems::new(&name);
    let entries = entries(path, text, &mut problems);
    checked(problems)?;
    if commands == Commands::Refused {
        without_commands(&name, &entries)?;
    }
    let mut problems = Problems::new(&name);
    let mut all = Credentials::default();
    for entry in entries.into_iter().filter(|entry| entry.user.is_some() || default_wanted) {
        match (resolved(&entry, env, &mut problems), entry.user) {
            (Some(credential), Some(user)) => all.per_user.push((user, credential)),
            (Some(credential), None) => all.default = Some(credential),
            (None, _) => {}
        }
    }
    checked(problems)?;
    Ok(all)
}

/// Refuses all commands before any of them runs.
fn without_commands(name: &str, entries: &[CredentialEntry]) -> Result<(), Error> {
    let mut problems = Problems::new(name);
    for entry in entries.iter().filter(|entry| entry.has_command()) {
        problems.push(entry.line, format!("command for {}", entry.owner()));
    }
    problems.into_result(
        "the commands in the credentials file were not run: the file is named by a keysunset.toml in the working folder",
        &format!(
            "if you trust the commands, name the file with `--credentials {}` or KEYSUNSET_CREDENTIALS",
            quoted(Path::new(name))
        ),
    )
}

fn checked(problems: Problems) -> Result<(), Error> {
    problems.into_result("invalid credentials file", EXAMPLES)
}

fn entries(path: &Path, text: &str, problems: &mut Problems) -> Vec<CredentialEntry> {
    let entries =
        if is_csv(path, text) { csv::entries(text, problems) } else { toml::entries(text, problems) };
    let mut lines: HashMap<Option<String>, u64> = HashMap::new();
    for entry in &entries {
        let owner = entry.user.as_ref().map(|user| user.to_lowercase());
        if let Some(before) = lines.insert(owner, entry.line) {
            problems.push(entry.line, format!("same user as in line {before}"));
        }
    }
    entries
}

/// By the name, or else by the first line that says something.
fn is_csv(path: &Path, text: &str) -> bool {
    match path.extension().and_then(|kind| kind.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => return true,
        Some("toml") => return false,
        _ => {}
    }
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| !line.starts_with('[') && !line.contains('='))
}

fn resolved(entry: &CredentialEntry, env: &Env, problems: &mut Problems) -> Option<Credential> {
    let owner = entry.owner();
    let mut half = |source: &SecretSource| {
        let half = source.get(&owner, env);
        half.map_err(|why| problems.push_with_help(entry.line, why.message, why.help)).ok()
    };
    let (public, private) = (half(&entry.public), half(&entry.private));
    let credential = new_credential(&public?, &private?);
    credential.map_err(|why| problems.push(entry.line, format!("{owner}: {why}"))).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    const SECRET: &str = "s3cr3t-0123456789";

    /// Reads a private file of these bytes.
    fn read_bytes(suffix: &str, bytes: &[u8]) -> Result<Credentials, Error> {
        let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(file.path(), Commands::Allowed, &|name| (name == "SET").then(|| SECRET.to_owned()), true)
    }

    fn problems(suffix: &str, text: &str) -> String {
        let why = read_bytes(suffix, text.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(!why.contains("s3cr3t"), "{why}");
        why
    }

    fn all(credentials: &Credentials) -> Vec<(&str, &str, &str)> {
        let each = credentials.per_user.iter().map(|(user, own)| (user.as_str(), own));
        each.chain(credentials.default.iter().map(|default| ("", default)))
            .map(|(user, it)| (user, it.public.as_str(), it.private.expose_secret()))
            .collect()
    }

    #[test]
    fn toml_and_csv_say_the_same() {
        let toml = format!(
            "[default]\npublic-key = \"all\"\nprivate-key = \"{SECRET}\"\n\
             [users.\"ann@example.com\"]\npublic-key = 'ann'\nprivate-key-env = \"SET\"\n"
        );
        let csv = format!(
            "user,public_key,private_key,private_key_env\nann@example.com,ann,,SET\n*,all,{SECRET},\n"
        );
        for (suffix, text) in
            [(".toml", &toml), (".csv", &csv), ("", &toml), ("", &csv), (".csv", &csv.replace(',', ";"))]
        {
            let read = read_bytes(suffix, text.as_bytes()).unwrap();
            assert_eq!(all(&read), [("ann@example.com", "ann", SECRET), ("", "all", SECRET)], "{text}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once_by_line_and_without_a_value() {
        let why = problems(
            ".toml",
            "[default]\npublic-key = 7\nprivate-key = \"s3cr3t\"\n[users.ann]\nprivate-key = \"s3cr3t\"\n\
             [users.bob]\npublic-key = \"bob\"\nprivate-key = \"s3cr3t\"\ns3cr3t = \"s3cr3t\"\n[s3cr3t]\n\
             [users.cem]\npublic-key = \"c\"\nprivate-key = \"s3cr3t\"\nprivate-key-file = \"s3cr3t\"\n",
        );
        for line in
            [":2:", ":4: the public key is missing", ":9:", ":10:", ":14: the private key is set twice"]
        {
            assert!(why.contains(line), "{line}: {why}");
        }
        let why = problems(
            ".csv",
            "user,public_key,private_key\nann,s3cr3t\n,b,s3cr3t\nAnn,a,s3cr3t\nann,a,s3cr3t\n",
        );
        for line in [":2:", ":3:", ":5: same user as in line 4"] {
            assert!(why.contains(line), "{line}: {why}");
        }
        assert!(problems(".csv", "ann,abcdwxyz,s3cr3t\nbob,abcdwxyz,s3cr3t\n").contains(":1: column 1"));
        assert!(
            problems(".toml", "[users.ann]\npublic-key = \"a\"\nprivate-key = \"s3cr3t\n").contains(":3:")
        );
    }

    #[test]
    fn what_a_field_names_in_vain_is_reported_at_once_and_not_shown() {
        let why = problems(
            ".csv",
            "user,public_key,private_key_env,private_key_file\nann,a,s3cr3t,\nbob,b,,s3cr3t/file\ncem,c,SET,\n",
        );
        assert!(why.contains(":2:") && why.contains("\"ann\"") && why.contains(":3:"), "{why}");
        assert!(!why.contains(":4:"), "{why}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for suffix in [".toml", ".csv", ""] {
                let _ = read_bytes(suffix, &bytes);
            }
        }

        #[test]
        fn a_file_cut_and_twisted_anywhere_shows_no_value(at in 0_usize..260, with in "[\\PC\n\r\"=\\[\\],]{0,3}", take in 0_usize..9) {
            let toml = format!("[default]\npublic-key = \"all\"\nprivate-key = \"{SECRET}\"\n[users.\"ann@example.com\"]\n\
                public-key = \"{SECRET}\"\nprivate-key-env = \"{SECRET}\"\n[users.bob]\npublic-key-file = \"{SECRET}\"\n\
                private-key = \"\"\"\n{SECRET}\"\"\"\n");
            let csv = format!("user,public_key,private_key,private_key_env\nann,ann,,{SECRET}\n*,\"{SECRET}\",{SECRET},\n");
            for (suffix, text) in [(".toml", toml), (".csv", csv)] {
                let (start, end) = (at.min(text.len()), (at + take).min(text.len()));
                let twisted = [&text[..start], &with, &text[end..]].concat();
                if let Err(why) = read_bytes(suffix, twisted.as_bytes()) {
                    prop_assert!(!why.to_string().contains("0123456"), "{why}");
                }
            }
        }
    }
}
