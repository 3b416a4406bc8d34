//! How many different ids a list has: a list whose rows repeat leaves others out, however far apart the repeats are.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::disk_sort::DiskSorter;

/// What is held in memory of a list, of which some are read at the same time; the rest is sorted on disk.
const IN_MEMORY: usize = 1 << 18;

/// The ids of one list. Memory does not grow with the list.
pub(super) struct DistinctIds {
    /// The first 16 bytes of each id's SHA-256.
    digests: DiskSorter,
    rows: u64,
    failed: Option<io::Error>,
}

impl DistinctIds {
    pub(super) fn new() -> Self {
        Self { digests: DiskSorter::new(IN_MEMORY), rows: 0, failed: None }
    }

    /// Takes the id of the next row. Upper and lower case are one id.
    pub(super) fn add(&mut self, id: &str) {
        self.rows += 1;
        let digest = Sha256::digest(id.to_ascii_lowercase());
        if let Err(why) = self.digests.add(&digest[..16], &[]) {
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
    pub(super) fn count(self) -> io::Result<u64> {
        if let Some(why) = self.failed {
            return Err(why);
        }
        let mut sorted = self.digests.sort()?;
        let (mut last, mut count) = (None, 0);
        while let Some((digest, _)) = sorted.next()? {
            let digest = <[u8; 16]>::try_from(digest).map_err(io::Error::other)?;
            count += u64::from(last != Some(digest));
            last = Some(digest);
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
        // More than is sorted in memory.
        let rows = 50_000;
        for row in 0..rows {
            ids.add(&format!("{row:024x}"));
        }
        ids.add(&format!("{:024X}", 0xabc));
        assert_eq!((ids.rows(), ids.count().unwrap()), (rows + 1, rows));
    }
}
