//! How many different ids a list has: a list whose rows repeat leaves others out, however far apart the repeats are.

use std::collections::HashSet;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use sha2::{Digest as _, Sha256};
use tempfile::SpooledTempFile;

/// What is held in memory of a list, of which some are read at the same time; the rest waits in a temporary file.
const IN_MEMORY: usize = 1 << 18;
/// Ids that are compared at once when they are counted.
const AT_ONCE: u64 = 1 << 16;

/// The ids of one list. Memory does not grow with the list.
pub(super) struct DistinctIds {
    /// The first 16 bytes of each id's SHA-256, in the order of the list.
    digests: SpooledTempFile,
    rows: u64,
    failed: Option<io::Error>,
}

impl DistinctIds {
    pub(super) fn new() -> Self {
        Self { digests: SpooledTempFile::new(IN_MEMORY), rows: 0, failed: None }
    }

    /// Takes the id of the next row. Upper and lower case are one id.
    pub(super) fn add(&mut self, id: &str) {
        self.rows += 1;
        let digest = Sha256::digest(id.to_ascii_lowercase());
        if let Err(why) = self.digests.write_all(&digest[..16]) {
            self.failed.get_or_insert(why);
        }
    }

    /// How many rows came, repeats included.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// How many of them differ.
    ///
    /// # Errors
    /// A temporary file that can't be written or read.
    pub(super) fn count(&mut self) -> io::Result<u64> {
        if let Some(why) = self.failed.take() {
            return Err(why);
        }
        // Digests are spread evenly: each pass compares those of one share.
        let passes = self.rows / AT_ONCE + 1;
        let mut count = 0;
        for pass in 0..passes {
            self.digests.seek(SeekFrom::Start(0))?;
            let mut digests = io::BufReader::with_capacity(1 << 16, &mut self.digests);
            let (mut seen, mut digest) = (HashSet::new(), [0; 16]);
            for _ in 0..self.rows {
                digests.read_exact(&mut digest)?;
                let [first, .., last] = digest;
                if u64::from(u16::from_be_bytes([first, last])) % passes == pass {
                    seen.insert(digest);
                }
            }
            count += seen.len() as u64;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_found_however_far_apart_and_in_any_case() {
        let mut ids = DistinctIds::new();
        let rows = 3 * AT_ONCE;
        for row in 0..rows {
            ids.add(&format!("{row:024x}"));
        }
        ids.add(&format!("{:024X}", 0xabc));
        assert_eq!((ids.rows(), ids.count().unwrap()), (rows + 1, rows));
    }
}
