//! The command that was run, as one that can be run again for the page that a person reads.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli;
use crate::printable::{masked, printable, shell_word};

/// With more paths, a line is nothing to read or copy.
const MOST_PATHS: usize = 20;

/// What gives the same search as Markdown, for a sentence.
pub(super) fn as_markdown(args: &cli::Locate) -> String {
    let words = words(args).filter(|_| args.paths.len() <= MOST_PATHS);
    words.map_or_else(
        || "the same command with `--format markdown`".to_owned(),
        |words| format!("`{}`", words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")),
    )
}

/// `None` if one of them cannot be shown as it is.
fn words(args: &cli::Locate) -> Option<Vec<String>> {
    let cli::Locate {
        paths,
        paths_from,
        run,
        store,
        keys,
        exclude,
        gitignore,
        no_history,
        no_archives,
        max_size,
        unknown,
        context,
        fail_on,
        waivers,
        format: _,
        out,
        config,
    } = args;
    let mut words = ["keysunset", "locate", "--format=markdown"].map(OsString::from).to_vec();
    let path = |path: &Option<PathBuf>| path.clone().map(OsString::from);
    let flags = [
        ("--out", path(out)),
        ("--config", path(config)),
        ("--store", path(store)),
        ("--keys", path(keys)),
        ("--waivers", path(waivers)),
        ("--paths-from", path(paths_from)),
        ("--run", run.map(|run| run.to_string().into())),
        ("--max-size", max_size.map(|size| size.to_string().into())),
        ("--fail-on", fail_on.map(|which| which.as_str().into())),
    ];
    let globs = exclude.iter().map(|glob| ("--exclude", Some(glob.into())));
    for (name, value) in flags.into_iter().chain(globs) {
        let Some(value) = value else { continue };
        let mut word = OsString::from(name);
        word.push("=");
        word.push(value);
        words.push(word);
    }
    for (name, is_set) in [
        ("--gitignore", gitignore),
        ("--no-history", no_history),
        ("--no-archives", no_archives),
        ("--unknown", unknown),
        ("--context", context),
    ] {
        words.extend(is_set.then(|| name.into()));
    }
    let is_flag = |path: &PathBuf| path.as_os_str().as_encoded_bytes().starts_with(b"-");
    if paths.iter().any(is_flag) {
        words.push("--".into());
    }
    words.extend(paths.iter().map(|path| path.clone().into()));
    let shown = |word: OsString| word.into_string().ok().filter(|word| masked(&printable(word)) == *word);
    words.into_iter().map(shown).collect()
}
