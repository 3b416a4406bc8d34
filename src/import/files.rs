//! The files that were named, and those in the folders that were named.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Error;

/// Inputs that can't be read as they were named, all of them.
#[derive(Debug, thiserror::Error)]
pub struct Missing(Vec<(PathBuf, String)>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to import")
    }
}

impl From<Missing> for Error {
    fn from(missing: Missing) -> Self {
        let lines = missing.0.iter().map(|(path, why)| format!("{}: {why}", path.display()));
        Self::input(&missing)
            .details(lines)
            .help("name files with saved answers of GET /users/{id}/keys, or folders of them")
    }
}

/// What was found: files, and what in the folders can't be one.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the inputs, and by name within a folder. None of them twice.
    pub(super) files: Vec<PathBuf>,
    /// What can't be read, and why.
    pub(super) unreadable: Vec<(PathBuf, String)>,
    /// Files and folders by their one true name, so that no link leads in a circle.
    known: HashSet<PathBuf>,
}

/// What systems and version control leave in folders, and what no answer is ever called.
const DROPPINGS: [&str; 14] = [
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".directory",
    ".localized",
    ".git",
    ".gitignore",
    ".gitattributes",
    ".gitkeep",
    ".hg",
    ".svn",
    ".Trashes",
    "__MACOSX",
    "$RECYCLE.BIN",
];

impl Found {
    /// Walks the inputs.
    ///
    /// # Errors
    /// Every input that isn't there, and every folder that holds no file.
    pub(super) fn of(inputs: &[PathBuf]) -> Result<Self, Missing> {
        let mut found = Self::default();
        let mut missing = Vec::new();
        for input in inputs {
            match fs::metadata(input) {
                Err(why) => missing.push((input.clone(), why.to_string())),
                Ok(kind) if kind.is_dir() => {
                    if !found.walk(input) {
                        missing.push((input.clone(), "a folder without files".to_owned()));
                    }
                }
                Ok(_) => {
                    if found.is_new(input) {
                        found.files.push(input.clone());
                    }
                }
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(Missing(missing)) }
    }

    /// Whether there was anything at all, known before or not.
    fn walk(&mut self, folder: &Path) -> bool {
        if !self.is_new(folder) {
            return true;
        }
        let listed = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut paths: Vec<_> = match listed {
            Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
            Err(why) => {
                self.unreadable.push((folder.to_owned(), why.to_string()));
                return true;
            }
        };
        paths.retain(|path| !is_dropping(path));
        paths.sort_unstable();
        let mut any = false;
        for path in paths {
            any |= match fs::metadata(&path) {
                Err(why) => {
                    self.unreadable.push((path, why.to_string()));
                    true
                }
                Ok(kind) if kind.is_dir() => self.walk(&path),
                Ok(kind) if !kind.is_file() => {
                    // Reading a pipe that somebody left in a folder may never end.
                    self.unreadable.push((path, "it is neither a file nor a folder".to_owned()));
                    true
                }
                Ok(_) => {
                    if self.is_new(&path) {
                        self.files.push(path);
                    }
                    true
                }
            };
        }
        any
    }

    fn is_new(&mut self, path: &Path) -> bool {
        // What has no true name, such as a pipe of the shell, is known by the one it was given.
        self.known.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }
}

fn is_dropping(path: &Path) -> bool {
    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    DROPPINGS.contains(&name.as_ref()) || name.starts_with("._")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        folder
    }

    fn names(found: &Found, folder: &Path) -> Vec<String> {
        found.files.iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
    }

    #[test]
    fn folders_are_walked_in_order_without_what_systems_leave() {
        let folder = folder(&[
            "b/2.json",
            "b/.hidden/1.json",
            "a.json",
            ".DS_Store",
            ".git/HEAD",
            "b/._2.json",
            ".ann",
        ]);
        let found = Found::of(&[folder.path().to_owned()]).unwrap();
        assert_eq!(names(&found, folder.path()), [".ann", "a.json", "b/.hidden/1.json", "b/2.json"]);
    }

    #[test]
    fn the_same_file_counts_once() {
        let folder = folder(&["a/1.json", "2.json"]);
        let path = |name: &str| folder.path().join(name);
        let inputs =
            [path("2.json"), path("a/../2.json"), path("a"), path("a/1.json"), folder.path().to_owned()];
        assert_eq!(names(&Found::of(&inputs).unwrap(), folder.path()), ["2.json", "a/1.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_circle_ends_and_one_to_nowhere_is_told() {
        let folder = folder(&["a/1.json"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("a/lost")).unwrap();
        let found = Found::of(&[folder.path().to_owned()]).unwrap();
        assert_eq!(names(&found, folder.path()), ["a/1.json"]);
        assert_eq!(found.unreadable.len(), 1);
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let folder = folder(&["a/.DS_Store", "b/1.json"]);
        let path = |name: &str| folder.path().join(name);
        let missing = Found::of(&[path("a"), path("b"), path("c"), path("d")]).unwrap_err();
        let told = Error::from(missing).to_string();
        for name in ["a: a folder without files", "c: ", "d: "] {
            assert!(told.contains(&path(name).display().to_string()), "{name}: {told}");
        }
        assert!(!told.contains(&format!("{}:", path("b").display())), "{told}");
    }
}
