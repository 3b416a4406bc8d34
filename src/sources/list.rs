//! Lists of users that somebody wrote. A list is read once, before the first request, so that every broken line of it is
//! reported then; its users wait in a temporary file, so that neither pass holds more than one user at a time.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::UserRef;
use super::formats::{self, LineNumber};
use crate::exit::Error;
use crate::input::{self, Problems};
use crate::model::{IncompleteList, ListLine, Origin, Outcome, ReadStatus};
use crate::printable::name_of_bytes;
use crate::v1::ListFingerprint;

/// The error for a list that can't be used.
pub(super) fn invalid(problems: Problems) -> Error {
    problems.into_error(
        "invalid user list",
        "use one user ID (24 hexadecimal digits) or username per line, CSV with a column `user_id` or `username`, or JSON",
    )
}

/// A list that was read through and holds no broken line.
pub(crate) struct UserList {
    name: String,
    /// Its users, each with its line, one after the other as JSON.
    entries: File,
    users: u64,
    /// SHA-256 of the list as it was given, in hexadecimal digits.
    digest: String,
}

impl UserList {
    /// Reads the list at `path` (`-`: standard input) through.
    ///
    /// # Errors
    /// Every broken line, or why it can't be read at all.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let name = match path.as_os_str() {
            stdin if stdin == "-" => "standard input".to_owned(),
            name => name_of_bytes(name.as_encoded_bytes()),
        };
        let unreadable = |why: io::Error| Error::not_read("the user list", &name, &why);
        let no_copy = |why: io::Error| Error::no_temporary_file(&why);
        let mut input = HashingReader::new(open(path).map_err(unreadable)?);
        let mut entries = BufWriter::new(tempfile::tempfile().map_err(no_copy)?);
        let mut problems = Problems::new(&name);
        let (mut users, mut written) = (0, Ok(()));
        formats::read(&mut input, &mut |line, user| match user {
            Err(why) => problems.push(line.map(NonZeroU64::get), why),
            Ok(user) => {
                users += 1;
                if written.is_ok() {
                    written = serde_json::to_writer(&mut entries, &(line, user));
                }
            }
        })
        .map_err(unreadable)?;
        if problems.is_empty() && users == 0 {
            problems.push(None, "the list contains no users");
        }
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        let entries = written.map_err(io::Error::from).and_then(|()| rewound(entries)).map_err(no_copy)?;
        Ok(Self { entries, users, digest: format!("{:x}", input.hasher.finalize()), name })
    }

    /// What distinguishes this list from another of the same name: how many users, and the SHA-256 of its bytes.
    pub(crate) fn fingerprint(&self) -> ListFingerprint {
        ListFingerprint { users: self.users, sha256: self.digest.clone() }
    }

    /// How many users it names, repeats included.
    pub(crate) fn count(&self) -> u64 {
        self.users
    }

    /// The users, each with the line that names him.
    pub(super) fn users(self) -> impl Iterator<Item = Result<(UserRef, Origin), IncompleteList>> {
        let list: Arc<str> = self.name.as_str().into();
        let origin = move |number| Origin {
            memberships: Vec::new(),
            line: Some(ListLine { list: Arc::clone(&list), number }),
        };
        let incomplete = move |why| IncompleteList {
            source: format!("users from {}", self.name),
            org_id: None,
            outcome: Outcome::unread(
                ReadStatus::Error,
                None,
                format!("the temporary copy of the list can't be read: {why}"),
            ),
        };
        let entries = serde_json::Deserializer::from_reader(BufReader::new(self.entries))
            .into_iter::<(LineNumber, UserRef)>();
        entries.map(move |entry| entry.map(|(number, user)| (user, origin(number))).map_err(&incomplete))
    }
}

fn rewound(entries: BufWriter<File>) -> io::Result<File> {
    let mut file = entries.into_inner()?;
    file.rewind()?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    Ok(if path.as_os_str() == "-" { Box::new(io::stdin().lock()) } else { Box::new(input::open(path)?) })
}

/// Hashes all that is read through it.
struct HashingReader<R> {
    input: R,
    hasher: Sha256,
}

impl<R> HashingReader<R> {
    fn new(input: R) -> Self {
        Self { input, hasher: Sha256::new() }
    }
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
