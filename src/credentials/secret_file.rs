//! Reading a file that holds secrets: refused where others may read it, bounded, and wiped afterwards.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::exit::reason;
use crate::input;
use crate::printable::shell_word;

/// Some hundred thousand users.
const LIMIT: u64 = 64 << 20;

/// Why a file of secrets is not read.
pub(super) enum SecretFileError {
    /// It is not there, or not ours to read; its name may be no name.
    Open(std::io::Error),
    /// Others may read it: how, and what to type against that.
    Shared { why: String, help: String },
    /// What it holds.
    Content(String),
}

/// The text of the file.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let file = input::open(path).map_err(SecretFileError::Open)?;
    let about = file.metadata().map_err(SecretFileError::Open)?;
    if let Some(mode) = shared(&about) {
        return Err(SecretFileError::Shared {
            why: format!("other users can read or change it (mode {mode:04o})"),
            help: format!("chmod 600 {}", quoted(path)),
        });
    }
    // Room for all of it at once, so that no growing buffer leaves copies behind.
    let room = usize::try_from(about.len().min(LIMIT)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 64));
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|why| SecretFileError::Content(reason(&why)))?;
    if bytes.len() as u64 > LIMIT {
        return Err(SecretFileError::Content(format!("it is larger than {} MiB", LIMIT >> 20)));
    }
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(why) => {
            drop(Zeroizing::new(why.into_bytes()));
            Err(SecretFileError::Content("it is not UTF-8".to_owned()))
        }
    }
}

/// The mode of a file that its group or others have any right to.
#[cfg(unix)]
pub(super) fn shared(about: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = about.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Elsewhere rights are lists, which are not read here.
#[cfg(not(unix))]
pub(super) fn shared(_: &std::fs::Metadata) -> Option<u32> {
    None
}

/// As a shell takes it for one word.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shell_word(&if text.starts_with('-') { format!("./{text}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_is_one_word() {
        for (path, word) in [
            ("a/b.toml", "a/b.toml"),
            ("my keys", "'my keys'"),
            ("-x", "./-x"),
            ("it's; rm -rf ~", r"'it'\''s; rm -rf ~'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
