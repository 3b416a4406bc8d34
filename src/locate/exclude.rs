//! `--exclude`: paths that are not searched, as a line of `.gitignore` names them.

use std::path::{Component, Path};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The paths of all `--exclude`.
#[derive(Debug, Clone)]
pub(crate) struct Exclude(Gitignore);

impl Exclude {
    /// # Errors
    /// What is wrong with a glob.
    pub(crate) fn new(globs: &[String]) -> Result<Self, String> {
        let mut builder = GitignoreBuilder::new("");
        for glob in globs {
            builder.add_line(None, glob).map_err(|why| format!("{glob:?}: {why}"))?;
        }
        builder.build().map(Self).map_err(|why| why.to_string())
    }

    /// Whether a path below a root is left out, or a folder that it is in.
    pub(super) fn matches(&self, below: &Path, is_folder: bool) -> bool {
        let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        is_plain
            && !below.as_os_str().is_empty()
            && self.0.matched_path_or_any_parents(below, is_folder).is_ignore()
    }
}
