//! What holds for any repository.

use std::fs;
use std::io::{Read as _, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix_hash::Kind as Hash;

use super::inflate::Inflated;
use super::{Searched, delta, find, index, object, search};
use crate::locate::fuzz::{KEY, suffixes};
use crate::locate::pointer;
use crate::locate::scan::Options;

/// Of what a delta may claim here.
const LARGEST: u64 = 1 << 20;

/// The content of an object, of a delta behind its base, or of an index: what has a size in it, in one byte.
pub(crate) fn git_objects(bytes: &[u8]) {
    let links = object::links(bytes);
    assert!(links.parents.len() <= bytes.len());
    let _ = (object::author(bytes), object::target(bytes), pointer::content_of(bytes));
    assert!(object::header_lines(bytes) >= 1);
    for hash in [Hash::Sha1, Hash::Sha256] {
        let entries: Vec<_> = object::entries(bytes, hash).collect();
        let length: usize = entries.iter().flatten().map(|entry| entry.name.len() + entry.id.len()).sum();
        assert!(length <= bytes.len() && entries.iter().filter(|entry| entry.is_err()).count() <= 1);
        let mut staged = Vec::new();
        let _ = index::read_entries(bytes, hash, &mut |_| true, &mut staged);
        assert!(staged.len() <= bytes.len() / 40);
    }
    let mut content = Vec::new();
    let _ = Inflated::new(bytes, LARGEST).read_to_end(&mut content);
    assert!(content.len() as u64 <= LARGEST);
    let Some((length, rest)) = bytes.split_first() else { return };
    let Some((base, delta)) = rest.split_at_checked(usize::from(*length)) else { return };
    if let Some((_, size, _)) = delta::sizes(delta)
        && size <= LARGEST
    {
        let mut result = Vec::new();
        let applied = delta::apply(base, delta, &mut result);
        assert!(applied.is_none() || result.len() as u64 == size);
    }
}

/// A repository: for each file or object a byte that says what it is, two with its length, and its content.
pub(crate) fn git_repository(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut pack = PackWriter::default();
    let mut loose = 0x80;
    let git = folder.path();
    for path in ["objects/pack", "refs/heads", "refs/tags", "logs/refs"] {
        fs::create_dir_all(git.join(path)).expect("a folder");
    }
    write(git, "HEAD", b"ref: refs/heads/main\n");
    write(git, "refs/heads/main", b"0101010101010101010101010101010101010101\n");
    let mut rest = bytes;
    while let Some((&[kind, high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (content, after) = after.split_at(length);
        rest = after;
        match kind {
            0 => write(git, "HEAD", content),
            1 => write(git, "packed-refs", content),
            2 => write(git, "refs/tags/v1", content),
            3 => write(git, "config", content),
            4 => write(git, "index", content),
            5 => write(git, "logs/refs/stash", content),
            6 => write(git, "shallow", content),
            7 if loose < 0xff => {
                let id = hex(loose);
                fs::create_dir_all(git.join("objects").join(&id[..2])).expect("a folder");
                write(git, &format!("objects/{}/{}", &id[..2], &id[2..]), &deflated(content));
                loose += 1;
            }
            8 => write(git, "objects/pack/raw.pack", content),
            9 => write(git, "objects/pack/raw.idx", content),
            _ => pack.add(content),
        }
    }
    pack.write(&git.join("objects/pack"));
    let [one, two] = [1, 2].map(|threads| searched(git, NonZeroUsize::new(threads).expect("not zero")));
    assert_eq!((&one.places, &one.unsearched, one.objects), (&two.places, &two.unsearched, two.objects));
    let shown = format!("{:?} {:?} {:?}", one.places, one.contexts, one.unsearched);
    assert!(!shown.contains(KEY), "{shown}");
}

fn searched(folder: &Path, threads: NonZeroUsize) -> Searched {
    let options =
        Options { strangers: true, context: true, archives: true, max_size: u64::MAX, usernames: Vec::new() };
    let Some(repository) = find(folder) else { return Searched::default() };
    search(&repository, "repository", &suffixes(), &options, threads, &AtomicU64::new(0))
}

fn write(folder: &Path, name: &str, content: &[u8]) {
    fs::write(folder.join(name), content).expect("a file");
}

/// An id of one byte, again and again.
fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(20)
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(content).expect("bytes in memory");
    encoder.finish().expect("bytes in memory")
}

fn low_byte(size: usize) -> u8 {
    size.to_le_bytes()[0]
}

/// As packs and their indices have it.
fn number(size: usize) -> [u8; 4] {
    u32::try_from(size).expect("a small pack").to_be_bytes()
}

/// A pack in which entry 1 has the id 0101…, and so on.
#[derive(Default)]
struct PackWriter {
    data: Vec<u8>,
    offsets: Vec<usize>,
}

const PACK_HEADER: usize = 12;

impl PackWriter {
    /// An entry: its kind as packs number them, then for a delta its base as a number of entries, then its content.
    fn add(&mut self, entry: &[u8]) {
        let Some((&kind, content)) = entry.split_first().filter(|_| self.offsets.len() < 0x7f) else {
            return;
        };
        let offset = PACK_HEADER + self.data.len();
        let (base, content) =
            if kind & 7 >= 6 { content.split_first_chunk().unwrap_or((&[0], &[])) } else { (&[0], content) };
        // With the upper bit, of another size than it claims.
        let mut size = content.len() + usize::from(kind >> 7);
        let mut byte = (kind & 7) << 4 | low_byte(size) & 15;
        size >>= 4;
        while size > 0 {
            self.data.push(byte | 0x80);
            byte = low_byte(size) & 0x7f;
            size >>= 7;
        }
        self.data.push(byte);
        match kind & 7 {
            6 => {
                let at = self.offsets.len().checked_sub(usize::from(base[0]));
                let distance =
                    at.and_then(|at| self.offsets.get(at)).map_or(usize::from(base[0]), |at| offset - at);
                let mut bytes = vec![low_byte(distance) & 0x7f];
                let mut distance = distance >> 7;
                while distance > 0 {
                    distance -= 1;
                    bytes.push(low_byte(distance) & 0x7f | 0x80);
                    distance >>= 7;
                }
                self.data.extend(bytes.iter().rev());
            }
            7 => self.data.extend([base[0]; 20]),
            _ => {}
        }
        self.data.extend(deflated(content));
        self.offsets.push(offset);
    }

    /// With an index of the older kind, which has no checksums of entries.
    fn write(self, folder: &Path) {
        if self.offsets.is_empty() {
            return;
        }
        let count = self.offsets.len();
        let pack = [&b"PACK\0\0\0\x02"[..], &number(count), &self.data, &[0; 20]].concat();
        let fan = (0..256).flat_map(|byte: usize| number(byte.min(count)));
        let ids =
            (1..).zip(&self.offsets).flat_map(|(byte, offset)| number(*offset).into_iter().chain([byte; 20]));
        let index: Vec<u8> = fan.chain(ids).chain([0; 40]).collect();
        write(folder, "pack-1.pack", &pack);
        write(folder, "pack-1.idx", &index);
    }
}
