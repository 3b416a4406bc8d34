//! A folder of a plan. A new one is written beside its name and renamed when it is complete: to rename each of 20,000 files
//! would cost as much as to write it. In a folder that exists, a file is replaced if its text changed, and others stay.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::output::{rename, rename_folder, temp_file_in, temp_folder_in};

/// The files under way.
pub(super) struct PlanFolder {
    path: PathBuf,
    /// What gets the name of `path` at the end; `None` where that exists.
    new: Option<TempDir>,
}

impl PlanFolder {
    /// Begins the folder of this name in `out`.
    pub(super) fn begin(out: &Path, name: &str) -> io::Result<Self> {
        let path = out.join(name);
        if path.is_dir() {
            return Ok(Self { path, new: None });
        }
        Ok(Self { path, new: Some(temp_folder_in(out)?) })
    }

    /// The names of the files of an earlier plan, and what else is there.
    pub(super) fn names(&self) -> io::Result<Vec<PathBuf>> {
        if self.new.is_some() {
            return Ok(Vec::new());
        }
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into())).collect()
    }

    /// The text of a file of an earlier plan; `None` where this is no file of text, and so none of a plan.
    pub(super) fn read(&self, name: &Path) -> io::Result<Option<String>> {
        let path = self.path.join(name);
        if self.new.is_some() || !path.is_file() {
            return Ok(None);
        }
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(why) if why.kind() == io::ErrorKind::InvalidData => Ok(None),
            Err(why) => Err(io::Error::new(why.kind(), format!("{}: {why}", path.display()))),
        }
    }

    /// Writes a file: another of this name stays whole until the new one is.
    pub(super) fn write(&self, name: &Path, text: &str) -> io::Result<()> {
        if let Some(new) = &self.new {
            return fs::write(new.path().join(name), text);
        }
        let path = self.path.join(name);
        if fs::read(&path).is_ok_and(|earlier| earlier == text.as_bytes()) {
            return Ok(());
        }
        let mut file = temp_file_in(&self.path)?;
        file.write_all(text.as_bytes())?;
        rename(file, &path)
    }

    /// Removes a file of an earlier plan.
    pub(super) fn remove(&self, name: &Path) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Gives a new folder its name.
    pub(super) fn end(self) -> io::Result<()> {
        self.new.map_or(Ok(()), |new| rename_folder(new, &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_folder_appears_when_it_is_complete() {
        let out = tempfile::tempdir().unwrap();
        let given_up = PlanFolder::begin(out.path(), "plan").unwrap();
        given_up.write("a".as_ref(), "1").unwrap();
        assert!(!out.path().join("plan").exists());
        drop(given_up);
        assert_eq!(names(out.path()), [""; 0]);

        let folder = PlanFolder::begin(out.path(), "plan").unwrap();
        folder.write("a".as_ref(), "1").unwrap();
        folder.end().unwrap();
        assert_eq!(names(out.path()), ["plan"]);
        assert_eq!(fs::read_to_string(out.path().join("plan/a")).unwrap(), "1");
    }

    #[test]
    fn in_a_folder_that_exists_only_what_changed_is_replaced() {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("plan");
        fs::create_dir(&path).unwrap();
        for name in ["same", "changed", "journal"] {
            fs::write(path.join(name), "1").unwrap();
        }
        let written = |name: &str| {
            #[cfg(unix)]
            return std::os::unix::fs::MetadataExt::ino(&fs::metadata(path.join(name)).unwrap());
            #[cfg(not(unix))]
            return fs::metadata(path.join(name)).unwrap().modified().unwrap();
        };
        let before = ["same", "changed", "journal"].map(written);
        let folder = PlanFolder::begin(out.path(), "plan").unwrap();
        folder.write("same".as_ref(), "1").unwrap();
        folder.write("changed".as_ref(), "2").unwrap();
        folder.write("new".as_ref(), "3").unwrap();
        folder.end().unwrap();
        assert_eq!(names(&path), ["changed", "journal", "new", "same"]);
        assert_eq!(fs::read_to_string(path.join("changed")).unwrap(), "2");
        let after = ["same", "changed", "journal"].map(written);
        assert_eq!([0, 1, 2].map(|at| before[at] == after[at]), [true, false, true]);
    }
}
