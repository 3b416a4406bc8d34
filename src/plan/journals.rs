//! The journals beside the scripts: each belongs to one deployment, and must not count for another that has the same ids, such
//! as the copy of a rehearsal.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

use super::PlanHead;
use super::scripts::{FOLDER, deployment_words, names_deployment};

/// A journal in the folder of the scripts with which they would not work.
pub(crate) struct ForeignJournal {
    pub(crate) path: PathBuf,
    /// Name and address of its deployment; `None` where neither the journal nor a script beside it names one.
    pub(crate) deployment: Option<String>,
}

/// What a line says of the deployment; an earlier version wrote nothing of it.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "stage")]
    _stage: String,
    deployment: Option<String>,
    base_url: Option<String>,
}

impl ForeignJournal {
    /// The first journal in `out` that is not of this deployment.
    pub(crate) fn find(out: &Path, head: &PlanHead) -> io::Result<Option<Self>> {
        let (folder, Some(base_url)) = (out.join(FOLDER), &head.base_url) else { return Ok(None) };
        if !folder.is_dir() {
            return Ok(None);
        }
        let paths = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path()));
        let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
        paths.retain(|path| path.extension() == Some(OsStr::new("done")) && path.is_file());
        paths.sort();
        for path in paths {
            let found = Self::unless_of(path, head.deployment, base_url)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// `None` where a journal is of the deployment with this name and base URL.
    fn unless_of(path: PathBuf, name: &str, base_url: &str) -> io::Result<Option<Self>> {
        let text = fs::read(&path)?;
        let lines = text.split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok());
        let lines: Vec<_> = lines.map(|line| line.deployment.zip(line.base_url)).collect();
        let other = lines.iter().flatten().find(|it| (&*it.0, &*it.1) != (name, base_url));
        if let Some((other, url)) = other {
            return Ok(Some(Self { path, deployment: Some(format!("{other}, {url}")) }));
        }
        if lines.iter().all(Option::is_some) {
            return Ok(None);
        }
        // The script beside lines without a deployment wrote them.
        let script = fs::read(path.with_extension("sh")).unwrap_or_default();
        let script = String::from_utf8_lossy(&script);
        if names_deployment(&script, name, base_url) {
            return Ok(None);
        }
        Ok(Some(Self { path, deployment: deployment_words(&script) }))
    }
}
