//! Zip archives that are read from front to back, since they are in a stream: as Python writes them.

use keysunset::locate::scan::NotSearched;

use super::{KEY, scan, scan_reader, tar};
use crate::foreign::python;
use crate::stub::env;

/// Archives of more than a window, with a key in the last member.
const WRITE: &str = r#"
import io, os, random, sys, zipfile
folder, key = sys.argv[1:]
filler = bytes(byte | 128 for byte in random.Random(1).randbytes(1_300_000))

class Unseekable(io.RawIOBase):
    def __init__(self, file): self.file = file
    def writable(self): return True
    def write(self, data): return self.file.write(data)

def write(name, method, seekable=True, zip64=False, comment=b""):
    with open(os.path.join(folder, name), "wb") as file:
        with zipfile.ZipFile(file if seekable else Unseekable(file), "w", method) as archive:
            archive.comment = comment
            archive.writestr("folder/", b"")
            for member, content in [("filler", filler), ("key.txt", b"one\nkey = " + key.encode())]:
                with archive.open(member, "w", force_zip64=zip64) as it:
                    it.write(content)

write("stored", zipfile.ZIP_STORED)
write("deflated", zipfile.ZIP_DEFLATED, comment=b"a comment")
write("bzip2", zipfile.ZIP_BZIP2)
write("zip64", zipfile.ZIP_DEFLATED, zip64=True)
write("streamed", zipfile.ZIP_DEFLATED, seekable=False)
write("streamed-zip64", zipfile.ZIP_DEFLATED, seekable=False, zip64=True)
write("streamed-stored", zipfile.ZIP_STORED, seekable=False)
write("lzma", zipfile.ZIP_LZMA)
"#;

#[test]
fn a_zip_archive_in_a_stream_is_searched_as_in_a_file() {
    let env = env();
    if python(&["zipfile"], WRITE, &[&env.path(""), KEY.as_ref()]).is_none() {
        return;
    }
    let place = [("key.txt", 2, 7, "zip")];
    for name in ["stored", "deflated", "bzip2", "zip64", "streamed", "streamed-zip64"] {
        let bytes = env.bytes(name);
        for results in [scan(&bytes), scan_reader(&bytes[..])] {
            assert_eq!((results.places(), &results.not_searched[..]), (place.to_vec(), &[][..]), "{name}");
        }
        let nested = scan_reader(&tar("a.zip", &bytes)[..]);
        assert_eq!(nested.places(), [("a.zip!key.txt", 2, 7, "tar+zip")], "{name}");
        if !name.starts_with("stored") && name != "streamed-zip64" {
            continue;
        }
        let two = scan_reader(&[&bytes[..], &bytes].concat()[..]);
        assert_eq!(two.places().len(), 2, "{name}");
        for cut in [bytes.len() - 1, bytes.len() - 90, 1_100_000] {
            let results = scan_reader(&bytes[..cut]);
            let reasons: Vec<_> = results.not_searched.iter().map(|it| it.1).collect();
            assert!(reasons.contains(&NotSearched::Damaged), "{name} {cut} {reasons:?}");
        }
        let mut wrong = bytes.clone();
        wrong[600_000] ^= 1;
        assert!(!scan_reader(&wrong[..]).not_searched.is_empty(), "{name}");
    }
    // Nothing shows where such a member ends.
    let results = scan_reader(&env.bytes("streamed-stored")[..]);
    assert_eq!(results.not_searched, [(String::new(), NotSearched::UnknownFormat)]);
    assert_eq!(scan(env.bytes("streamed-stored")).places(), place);
    for results in [scan(env.bytes("lzma")), scan_reader(&env.bytes("lzma")[..])] {
        let unknown = ["filler", "key.txt"].map(|name| (name.to_owned(), NotSearched::UnknownFormat));
        assert_eq!(results.not_searched, unknown);
    }
    // The start of a program, and an archive at its end: the stream is over when that is seen.
    let program = [&b"MZ"[..], &vec![b'x'; 1 << 20], &env.bytes("deflated")].concat();
    assert_eq!(scan(&program).places(), place);
    let not_searched = scan_reader(&program[..]).not_searched;
    assert_eq!(not_searched, [(String::new(), NotSearched::UnknownFormat)]);
}
