//! The paths of a waiver.

use globset::{GlobBuilder, GlobMatcher};

/// Paths below a repository: `*` matches within a folder, `**` across folders.
#[derive(Debug, Clone)]
pub struct PathGlob(GlobMatcher);

impl PathGlob {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(glob: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build();
        glob.map(|glob| Self(glob.compile_matcher())).map_err(|why| why.kind().to_string())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }

    /// Whether it matches a path as the outputs have it.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}

impl PartialEq for PathGlob {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for PathGlob {}
