//! What is searched: the paths that were named, and the run database, which is left out.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::cli;
use crate::config::ReportSettings;
use crate::exit::Error;
use crate::input;
use crate::locate::{Root, STDIN, distinct};
use crate::store;

/// All paths, each once.
pub(super) fn roots(args: &cli::Locate) -> Result<Vec<Root>, Error> {
    let mut paths = args.paths.clone();
    if let Some(file) = &args.paths_from {
        if paths.iter().chain([file]).filter(|path| path.as_os_str() == STDIN).count() > 1 {
            return Err(Error::usage("standard input can be read only once"));
        }
        paths.extend(listed(file)?);
    }
    let mut roots = Vec::new();
    for path in &paths {
        roots.push(Root::new(path).map_err(|why| Error::not_read("the path", path.display(), &why))?);
    }
    if roots.is_empty() {
        return Err(Error::input("no paths to search")
            .help("name a folder or a file, or check the file of --paths-from"));
    }
    Ok(distinct(roots, args.gitignore))
}

/// The paths of a file, one a line.
fn listed(file: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |why| Error::not_read("the list of paths", file.display(), &why);
    let input: Box<dyn Read> = if file.as_os_str() == STDIN {
        Box::new(std::io::stdin())
    } else {
        Box::new(input::open(file).map_err(failed)?)
    };
    let mut paths = Vec::new();
    for line in BufReader::new(input).split(b'\n') {
        let mut line = line.map_err(failed)?;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line == STDIN.as_bytes() {
            // Here it is the name of a file.
            line = b"./-".to_vec();
        }
        if !line.is_empty() {
            paths.push(path(line).map_err(failed)?);
        }
    }
    Ok(paths)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no paths of any bytes")]
fn path(bytes: Vec<u8>) -> std::io::Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Ok(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> std::io::Result<PathBuf> {
    String::from_utf8(bytes).map(PathBuf::from).map_err(std::io::Error::other)
}

/// Absolute paths of the run database and the files beside it, which change during the search. Reports are searched: a file of
/// such a name may be another program's.
pub(super) fn own_files(settings: &ReportSettings) -> BTreeSet<PathBuf> {
    store::files(&settings.store).into_iter().filter_map(|path| std::path::absolute(path).ok()).collect()
}
