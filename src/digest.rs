//! SHA-256 in hexadecimal digits: of bytes, of files, and of what is written.

use std::fs::File;
use std::io::{self, BufReader};

use sha2::{Digest as _, Sha256};

/// A writer that keeps nothing but the hash and the length.
#[derive(Default)]
pub(crate) struct HashWriter {
    hasher: Sha256,
    bytes: u64,
}

impl HashWriter {
    /// The hash of all that was written, and how many bytes that was.
    pub(crate) fn end(self) -> (String, u64) {
        (format!("{:x}", self.hasher.finalize()), self.bytes)
    }
}

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Of what is left of the file, and how many bytes that is.
pub(crate) fn sha256_of_file(mut file: &File) -> io::Result<(String, u64)> {
    /// With the 8 KiB of `io::copy`, the calls of the system take as long as the copying.
    const BUFFER: usize = 64 << 10;
    let mut hash = HashWriter::default();
    io::copy(&mut BufReader::with_capacity(BUFFER, &mut file), &mut hash)?;
    Ok(hash.end())
}
