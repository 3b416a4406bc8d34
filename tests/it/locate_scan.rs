//! The scanner of bytes: every encoding and archive in which a key is found, what is no key, and what could not be searched.

mod limits;
mod streams;

use std::io::{Read, Seek as _, Write};

use keysunset::locate::scan::{Found, Hit, NotSearched, Options, Scanner, Suffixes};
use keysunset::model::Suffix;
use keysunset::place::Class;
use proptest::prelude::*;

const KEY: &str = "b5e7b0c4-3a1d-4e0e-8f55-92732876eeae";
const DIGITS: &str = "b5e7b0c43a1d4e0e8f5592732876eeae";
const SUFFIX: u64 = 0x9273_2876_eeae;

#[derive(Default)]
struct Results {
    hits: Vec<Hit>,
    not_searched: Vec<(String, NotSearched)>,
}

impl Found for Results {
    fn hit(&mut self, hit: Hit) {
        self.hits.push(hit);
    }

    fn not_searched(&mut self, member: &str, why: NotSearched) {
        self.not_searched.push((member.to_owned(), why));
    }
}

impl Results {
    fn places(&self) -> Vec<(&str, u64, u64, &str)> {
        self.hits
            .iter()
            .map(|hit| (hit.member.as_str(), hit.line, hit.column, hit.encoding.as_str()))
            .collect()
    }

    fn encodings(&self) -> Vec<&str> {
        self.hits.iter().map(|hit| hit.encoding.as_str()).collect()
    }
}

fn options() -> Options {
    Options { strangers: false, context: false, archives: true, max_size: u64::MAX, usernames: Vec::new() }
}

fn scan_with(options: &Options, bytes: &[u8]) -> Results {
    let suffixes = Suffixes::new([(Suffix::from_key(KEY).unwrap(), Class::Key)]);
    let mut results = Results::default();
    Scanner::new(&suffixes, options).bytes("file", bytes, &mut results);
    results
}

fn scan(bytes: impl AsRef<[u8]>) -> Results {
    scan_with(&options(), bytes.as_ref())
}

fn scan_reader(mut reader: impl Read) -> Results {
    let suffixes = Suffixes::new([(Suffix::from_key(KEY).unwrap(), Class::Key)]);
    let options = options();
    let mut results = Results::default();
    Scanner::new(&suffixes, &options).reader("file", &mut reader, &mut results);
    results
}

fn scan_file(bytes: &[u8]) -> Results {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).and_then(|()| file.rewind()).unwrap();
    let suffixes = Suffixes::new([(Suffix::from_key(KEY).unwrap(), Class::Key)]);
    let options = options();
    let mut results = Results::default();
    Scanner::new(&suffixes, &options).file("file", &mut file, &mut results);
    results
}

/// RFC 4648, without the product's code.
fn base64(bytes: &[u8], alphabet: &[u8; 64], padding: bool) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
        for at in 0..=chunk.len() {
            text.push(char::from(alphabet[(bits >> (18 - 6 * at)) as usize & 63]));
        }
        text.extend(std::iter::repeat_n('=', if padding { 3 - chunk.len() } else { 0 }));
    }
    text
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn wrapped(text: &str, width: usize, indentation: &str) -> String {
    let lines = text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line));
    lines.flat_map(|line| [indentation.to_owned(), line.into_owned(), "\n".to_owned()]).collect()
}

fn utf16(bytes: &[u8], to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| to_bytes(u16::from(*byte))).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

fn tar(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(bytes);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

/// With each byte that is no letter or digit as a number.
fn escaped(bytes: &[u8], escape: fn(u8) -> String) -> Vec<u8> {
    let escape =
        |byte: &u8| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { escape(*byte) };
    bytes.iter().map(escape).collect::<String>().into_bytes()
}

fn percent(byte: u8) -> String {
    format!("%{byte:02X}")
}

fn unicode(byte: u8) -> String {
    format!("\\u{byte:04x}")
}

fn html(byte: u8) -> String {
    format!("&#{byte};")
}

#[test]
fn every_spelling_of_a_key_is_found_with_its_line_and_column() {
    for key in
        [KEY, DIGITS, &KEY.to_uppercase(), &DIGITS.to_uppercase(), "B5e7b0c4-3A1d-4E0e-8F55-92732876EeaE"]
    {
        let results = scan(format!("one\ntwo: \"{key}\"\n"));
        assert_eq!(results.places(), [("", 2, 7, "plain")], "{key}");
        assert_eq!((results.hits[0].suffix, results.hits[0].class), (SUFFIX, Class::Key));
    }
    assert_eq!(scan(KEY).places(), [("", 1, 1, "plain")]);
    assert_eq!(scan(format!("{KEY}\n{DIGITS} {KEY}")).places().len(), 3);
}

#[test]
fn every_escape_of_a_key_is_found_where_it_begins() {
    for (dash, encoding) in [
        ("%2D", "percent"),
        ("%2d", "percent"),
        ("%252D", "percent"),
        (r"\u002d", "unicode-escape"),
        (r"\u002D", "unicode-escape"),
        (r"\\u002d", "unicode-escape"),
        ("&#45;", "html"),
        ("&#x2d;", "html"),
        ("&amp;#45;", "html"),
    ] {
        let results = scan(format!("a\nb {}", KEY.replace('-', dash)));
        assert_eq!(results.places(), [("", 2, 3, encoding)], "{dash}");
    }
    // The key is plain, but what is before it hides where it begins.
    for text in [
        format!("%22{KEY}%22"),
        format!("u%3A{DIGITS}%40"),
        format!(r"\u0022{KEY}\u0022"),
        format!(r"\n{DIGITS}\n"),
    ] {
        assert_eq!(scan(&text).hits.len(), 1, "{text}");
    }
    assert_eq!(scan(format!("key=3D{KEY}")).places(), [("", 1, 7, "quoted-printable")]);
}

#[test]
fn base64_is_found_in_every_alignment_alphabet_and_form() {
    for before in ["", "u", "us", "user:", "name@example.com:", "~~~???"] {
        for key in [KEY, DIGITS] {
            if key == DIGITS && before.ends_with(|c: char| c.is_alphanumeric()) {
                continue;
            }
            let plain = format!("{before}{key}");
            for padding in [true, false] {
                let text = base64(plain.as_bytes(), STANDARD, padding);
                let column = 22 + before.len() as u64 / 3 * 4 + before.len() as u64 % 3;
                let results = scan(format!("x\nAuthorization: Basic {text}\n"));
                assert_eq!(results.places(), [("", 2, column, "base64")], "{text}");
                assert_eq!(scan(format!("a/b{text}")).hits.len(), 1, "{text}");
            }
        }
    }
    let url = base64(format!("~~~???{KEY}").as_bytes(), URL, false);
    assert_eq!(scan(url).encodings(), ["base64url"]);
    let twice = base64(base64(KEY.as_bytes(), STANDARD, true).as_bytes(), STANDARD, true);
    assert_eq!(scan(twice).places(), [("", 1, 1, "base64+base64")]);
}

#[test]
fn wrapped_base64_is_found_wherever_a_line_ends() {
    for start in 0..80 {
        let plain =
            format!("{}{KEY} and more text behind the key, for another line of it", "x".repeat(start) + " ");
        let text = base64(plain.as_bytes(), STANDARD, true);
        // Every line has a block, from this width on.
        for end in ["\n", "\r\n"] {
            assert_eq!(scan(wrapped(&text, 31, "").replace('\n', end)).hits.len(), 1, "{text}");
        }
        for (width, indentation) in [
            (64, ""),
            (76, "    "),
            (40, "\t\t"),
            (64, "  # "),
            (60, "> "),
            (64, "// "),
            (64, "  -- "),
            (64, "REM "),
            (64, "% "),
        ] {
            let text = wrapped(&text, width, indentation);
            assert_eq!(scan(&text).encodings(), ["base64"], "{text}");
            assert_eq!(scan(text.replace('\n', "\r\n")).hits.len(), 1, "{text}");
            assert_eq!(scan(text.replace('\n', r"\n")).hits.len(), 1, "{text}");
            assert_eq!(scan(text.replace('\n', "%0A")).hits.len(), 1, "{text}");
            assert_eq!(scan(text.replace('\n', "\" +\n \"")).hits.len(), 1, "{text}");
            // The first line begins behind something else, so that it is shorter.
            let cut = text.trim_start().get(width - 10..).unwrap();
            assert_eq!(
                scan(format!("key: {}{cut}", &text.trim_start()[..width - 10])).hits.len(),
                1,
                "{text}"
            );
        }
    }
}

#[test]
fn utf16_is_found_in_both_byte_orders_with_and_without_a_mark() {
    for (to_bytes, mark) in
        [(u16::to_le_bytes as fn(u16) -> [u8; 2], [0xff, 0xfe]), (u16::to_be_bytes, [0xfe, 0xff])]
    {
        let text = utf16(format!("key\r\nb = {KEY}\r\n").as_bytes(), to_bytes);
        assert_eq!(scan(&text).places(), [("", 2, 9, "utf-16")]);
        assert_eq!(scan([&mark[..], &text].concat()).places(), [("", 2, 9, "utf-16")]);
        // As PowerShell takes its commands.
        assert_eq!(scan(base64(&text, STANDARD, true)).encodings(), ["base64+utf-16"]);
        let inner = utf16(base64(KEY.as_bytes(), STANDARD, true).as_bytes(), to_bytes);
        assert_eq!(scan(inner).encodings(), ["utf-16+base64"]);
    }
}

/// As in the arguments of a process, in BSON and in the string tables of programs.
#[test]
fn a_text_that_a_zero_ends_hides_no_key_behind_it() {
    let encoded = base64(format!("k: {KEY}").as_bytes(), STANDARD, true);
    for start in 0..40 {
        let before = [&b"x".repeat(start)[..], b"curl\0-u\0box\0"].concat();
        for text in [KEY, DIGITS, &encoded] {
            let bytes = [&before[..], text.as_bytes(), b"\0ab\0"].concat();
            assert_eq!(scan(&bytes).hits.len(), 1, "{start}: {text}");
        }
        for to_bytes in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
            let bytes = [&before[..], &utf16(KEY.as_bytes(), to_bytes), b"\0\0ab\0"].concat();
            assert_eq!(scan(&bytes).encodings(), ["utf-16"], "{start}");
        }
    }
}

#[test]
fn texts_in_base64_are_found_one_a_line() {
    for text in [KEY.to_owned(), format!("user-name-1:{KEY}"), format!("bob:{KEY}\n")] {
        let line = base64(text.as_bytes(), STANDARD, true);
        for end in ["\n", "\r\n", "\",\n\""] {
            for count in 1..4 {
                let lines = format!("\"{}\"\n", vec![&*line; count].join(end));
                assert_eq!(scan(&lines).encodings(), vec!["base64"; count], "{lines}");
            }
        }
    }
}

#[test]
fn an_archive_in_base64_is_found_behind_any_line() {
    let archive = base64(&gzip(format!("a\n  {KEY}\n").as_bytes()), STANDARD, true);
    for before in 0..80 {
        for text in [archive.clone(), wrapped(&archive, 64, "")] {
            let text = format!("{}\n{text}", "a/B1".repeat(20).get(..before).unwrap());
            assert_eq!(scan(&text).encodings(), ["base64+gz"], "{text}");
        }
    }
}

#[test]
fn utf32_is_found_in_both_byte_orders() {
    for to_bytes in [u32::to_le_bytes as fn(u32) -> [u8; 4], u32::to_be_bytes] {
        let wide = |text: &str| text.bytes().flat_map(|byte| to_bytes(byte.into())).collect::<Vec<_>>();
        assert_eq!(scan(wide(&format!("a\nb {KEY}\n"))).places(), [("", 2, 9, "utf-32")]);
        assert_eq!(scan(wide(&base64(KEY.as_bytes(), STANDARD, true))).encodings(), ["utf-32+base64"]);
        assert!(scan(wide(&format!("0{KEY}"))).hits.is_empty());
    }
}

#[test]
fn a_key_that_the_end_of_a_line_splits_is_found() {
    for at in 1..KEY.len() {
        let (start, rest) = KEY.split_at(at);
        for end in ["\n", "\r\n"] {
            let mail = format!("one{end}two {start}={end}{rest}{end}");
            assert_eq!(scan(&mail).places(), [("", 2, 5, "quoted-printable")], "{mail:?}");
            let shell = format!("one{end}two {start}\\{end}    {rest}{end}");
            assert_eq!(scan(&shell).places(), [("", 2, 5, "line-continuation")], "{shell:?}");
            for decoy in [
                format!("0{start}={end}{rest}"),
                format!("{start}={end}{rest}0"),
                format!("{start}{end}{rest}"),
            ] {
                assert!(scan(&decoy).hits.is_empty(), "{decoy:?}");
            }
        }
    }
    for (start, end) in [("a\r\n", "\n"), ("a\n", "\r\n")] {
        let mixed = format!("{start}{}={end}{}{end}", &KEY[..20], &KEY[20..]);
        assert_eq!(scan(&mixed).encodings(), ["quoted-printable"], "{mixed:?}");
    }
    // The end of a line beside a key splits nothing.
    assert_eq!(scan(format!("a=\n{KEY}=\nb")).encodings(), ["plain"]);
}

#[test]
fn decoys_are_not_found() {
    let decoys = [
        "********-****-****-92732876eeae".to_owned(),
        "92732876eeae".to_owned(),
        format!("0{KEY}"),
        format!("{KEY}0"),
        format!("{DIGITS}{DIGITS}"),
        format!("a{DIGITS}"),
        format!("x{DIGITS}"),
        format!("{DIGITS}x"),
        "5af9a1d292732876eeae0000".to_owned(),
        "da39a3ee5e6b4b0d3255bfef92732876eeae".to_owned(),
        "b5e7b0c4-3a1d-4e0e-8f55-92732876eeaf".to_owned(),
    ];
    for decoy in decoys {
        assert!(scan(&decoy).hits.is_empty(), "{decoy}");
        assert!(scan(base64(decoy.as_bytes(), STANDARD, true)).hits.is_empty(), "{decoy}");
        assert!(scan(utf16(decoy.as_bytes(), u16::to_le_bytes)).hits.is_empty(), "{decoy}");
    }
}

#[test]
fn the_suffix_decides_the_class() {
    let known = [(KEY, Class::Key), ("00000000-0000-4000-8000-000000000001", Class::NewKey)];
    let suffixes = Suffixes::new(known.map(|(key, class)| (Suffix::from_key(key).unwrap(), class)));
    let options = options();
    let mut results = Results::default();
    let text = format!("{KEY}\n00000000-0000-4000-8000-000000000001\n00000000-0000-4000-8000-000000000002");
    Scanner::new(&suffixes, &options).bytes("file", text.as_bytes(), &mut results);
    assert_eq!(results.hits.iter().map(|hit| hit.class).collect::<Vec<_>>(), [Class::Key, Class::NewKey]);
}

#[test]
fn strangers_are_shapes_near_a_sign_of_the_service() {
    const STRANGER: &str = "11111111-2222-4333-8444-555555555555";
    let options = Options { strangers: true, usernames: vec!["ann@example.com".to_owned()], ..options() };
    for (text, count) in [
        (format!("curl --digest\n\n\n-u x:{STRANGER}"), 1),
        (format!("curl --digest\n\n\n\n-u x:{STRANGER}"), 0),
        (base64(format!("ann@example.com:{STRANGER}").as_bytes(), STANDARD, true), 1),
        (format!("ann@example.com {}", base64(format!("{STRANGER}:").as_bytes(), STANDARD, true)), 1),
        (STRANGER.to_owned(), 0),
        (format!("https://cloud.mongodb.com\nmmsApiKey={}\n", STRANGER.replace('-', "")), 0),
        (format!("https://cloud.mongodb.com\nkey={}\n", STRANGER.replace('-', "")), 1),
    ] {
        let results = scan_with(&options, text.as_bytes());
        assert_eq!(results.hits.len(), count, "{text}");
        assert!(results.hits.iter().all(|hit| hit.class == Class::Stranger));
    }
}

#[test]
fn the_context_of_a_hit_has_no_key_and_no_password() {
    let other = "11111111-2222-4333-8444-555555555555";
    let options = Options { context: true, ..options() };
    let encoded = base64(format!("u:{other}").as_bytes(), STANDARD, true);
    let text = format!("before {other}\nk {KEY} {other} {encoded} https://u:p@ss@h/x é\u{1b}[2J\nafter");
    let results = scan_with(&options, text.as_bytes());
    let context = results.hits[0].context.as_deref().unwrap();
    assert_eq!(
        context,
        "k ******** ******** dT********= https://@h/x é\\u{1b}[2J".replace("https://@", "https://********@")
    );
    let glued = format!("k={KEY} a=prod{other} b={other}{other}");
    let results = scan_with(&options, glued.as_bytes());
    let context = results.hits[0].context.as_deref().unwrap();
    assert!(!context.contains("4333-8444"), "{context}");
    let long = format!("{}{KEY}{other}{}", "x".repeat(10_000), "y".repeat(10_000));
    let results = scan_with(&options, long.as_bytes());
    let context = results.hits.first().map(|hit| hit.context.clone().unwrap());
    assert!(context.is_none_or(|context| context.len() < 400 && !context.contains("11111111")));
}

#[test]
fn archives_are_recognized_by_their_bytes_and_named_in_the_chain() {
    let text = format!("a\n  {KEY}\n");
    let text = text.as_bytes();
    for (bytes, member, encoding) in [
        (gzip(text), "", "gz"),
        (tar("etc/key", text), "etc/key", "tar"),
        (gzip(&tar("etc/key", text)), "etc/key", "tar.gz"),
        (zip("a/b.txt", text), "a/b.txt", "zip"),
        (tar("layer.tar", &tar("app.jar", &zip("k", text))), "layer.tar!app.jar!k", "tar+tar+zip"),
        (zip("k.gz", &gzip(text)), "k.gz", "zip+gz"),
    ] {
        let results = scan(&bytes);
        assert_eq!(results.places(), [(member, 2, 3, encoding)]);
        assert_eq!(scan_reader(&bytes[..]).places(), [(member, 2, 3, encoding)]);
        assert!(results.not_searched.is_empty(), "{:?}", results.not_searched);
        let off = Options { archives: false, ..options() };
        let is_readable = encoding == "tar";
        assert_eq!(scan_with(&off, &bytes).hits.len(), usize::from(is_readable), "{encoding}");
    }
    let release = base64(base64(&gzip(text), STANDARD, true).as_bytes(), STANDARD, true);
    assert_eq!(scan(format!("data:\n  release: {release}")).places(), [("", 2, 12, "base64+base64+gz")]);
}

#[test]
fn what_cannot_be_searched_is_reported_with_its_member() {
    let suffixes = Suffixes::new([(Suffix::from_key(KEY).unwrap(), Class::Key)]);
    for name in ["a.br", "A.BR", "a.lzma", "a.TLZ"] {
        let mut results = Results::default();
        Scanner::new(&suffixes, &options()).bytes(name, b"of unknown bytes", &mut results);
        assert_eq!(results.not_searched.len(), 1, "{name}");
    }
    let text = format!("{KEY}\n").repeat(1000);
    let archive = gzip(&tar("a", text.as_bytes()));
    for cut in [20, archive.len() / 2, archive.len() - 1] {
        let results = scan(&archive[..cut]);
        assert_eq!(results.not_searched, [(String::new(), NotSearched::Damaged)], "{cut}");
    }
    let plain = tar("a", text.as_bytes());
    assert_eq!(scan(&plain[..plain.len() - 1024]).not_searched, [(String::new(), NotSearched::Damaged)]);
    let mut wrong = zip("a", text.as_bytes());
    wrong[60] ^= 0xff;
    assert_eq!(scan(&wrong).not_searched, [("a".to_owned(), NotSearched::Damaged)]);
    for head in [&b"7z\xbc\xaf\x27\x1c"[..], b"Rar!\x1a\x07\x01\0"] {
        assert_eq!(scan(head).not_searched, [(String::new(), NotSearched::UnknownFormat)]);
    }
    let small = Options { max_size: 100, ..options() };
    let results = scan_with(&small, text.as_bytes());
    assert_eq!((results.hits.len(), results.not_searched), (2, vec![(String::new(), NotSearched::TooLarge)]));
    for (archive, member) in [(archive, "a"), (zip("b", text.as_bytes()), "b")] {
        let results = scan_with(&small, &archive);
        assert_eq!(
            (results.hits.len(), results.not_searched),
            (2, vec![(member.to_owned(), NotSearched::TooLarge)])
        );
    }
}

/// Of members with these names and contents.
fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Without its directory.
fn members_of(archive: &[u8]) -> &[u8] {
    &archive[..archive.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap()]
}

/// As `zip -d` of a program that only shortens the directory.
fn without_member(archive: &[u8], name: &str) -> Vec<u8> {
    let start = members_of(archive).len();
    let end = archive.len() - 22;
    let (mut directory, mut at, mut count) = (Vec::new(), start, 0_u16);
    while at < end {
        let number =
            |from: usize| usize::from(u16::from_le_bytes([archive[at + from], archive[at + from + 1]]));
        let next = at + 46 + number(28) + number(30) + number(32);
        if &archive[at + 46..at + 46 + number(28)] != name.as_bytes() {
            directory.extend(&archive[at..next]);
            count += 1;
        }
        at = next;
    }
    let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let counts = [count.to_le_bytes(); 2].concat();
    let offset = u32::try_from(start).unwrap().to_le_bytes();
    [&archive[..start], &directory, b"PK\x05\x06\0\0\0\0", &counts, &size, &offset, &[0; 2]].concat()
}

#[test]
fn what_the_directory_of_a_zip_archive_does_not_list_is_searched() {
    let text = format!("{KEY}\n").repeat(100);
    let hidden = zip("hidden", text.as_bytes());
    let all = zip_of(&[("a", b"a"), ("hidden", text.as_bytes()), ("z", b"z")]);
    let last = zip_of(&[("a", b"a"), ("hidden", text.as_bytes())]);
    let first = zip_of(&[("hidden", text.as_bytes()), ("z", b"z")]);
    let before = |start: &[u8]| [start, members_of(&hidden), &zip("z", b"z")].concat();
    let stub = b"MZ a program that knows PK\x03\x04 and PK\x01\x02 as the first bytes of headers";
    let large = [&vec![b'M'; 2 << 20], members_of(&hidden), &zip("z", b"z")].concat();
    for (name, archive) in [
        ("between", without_member(&all, "hidden")),
        ("before the directory", without_member(&last, "hidden")),
        ("the first", without_member(&first, "hidden")),
        ("in front", before(b"")),
        ("behind a program", before(stub)),
        ("behind a large one", large),
    ] {
        for results in [scan(&archive), scan_file(&archive)] {
            assert_eq!(results.not_searched, [], "{name}");
            assert_eq!(results.places().len(), 100, "{name}");
            assert_eq!(results.places()[0], ("hidden", 1, 1, "zip"), "{name}");
        }
        // Bytes of it that are wrong are no clean ones.
        let at = archive.windows(6).position(|bytes| bytes == b"hidden").unwrap();
        let mut damaged = archive;
        damaged[at + 10] ^= 0xff;
        assert!(!scan(&damaged).not_searched.is_empty(), "{name}");
    }
    // What other programs have there: text, zeros, and a program without a member.
    let space = |filler: &[u8]| {
        let (members, directory) = all.split_at(members_of(&all).len());
        let mut directory = directory.to_vec();
        let offset = directory.len() - 6;
        let moved = u32::try_from(members.len() + filler.len()).unwrap();
        directory[offset..offset + 4].copy_from_slice(&moved.to_le_bytes());
        [members, filler, &directory].concat()
    };
    assert_eq!(scan(space(&[0; 5000])).places().len(), 100);
    assert_eq!(scan(space(&[0; 5000])).not_searched, []);
    assert_eq!(scan(space(format!("APK Sig Block 42 {KEY}").as_bytes())).places().len(), 101);
    let program = [&stub[..], &all].concat();
    assert_eq!((scan(&program).places().len(), scan(&program).not_searched), (100, vec![]));
}

#[test]
fn archives_in_one_another_are_searched_to_depth_four() {
    let mut archive = KEY.as_bytes().to_vec();
    for depth in 1..=5 {
        archive = zip(&format!("m{depth}"), &archive);
        let results = scan(&archive);
        if depth <= 4 {
            assert_eq!((results.hits.len(), results.not_searched.len()), (1, 0), "{depth}");
        } else {
            assert_eq!(results.hits.len(), 0);
            assert_eq!(results.not_searched, [("m5!m4!m3!m2".to_owned(), NotSearched::TooDeep)]);
        }
    }
}

#[test]
fn hostile_names_of_members_are_harmless() {
    let name = format!("../\u{1b}[2J/{KEY}");
    let results = scan(tar(&name, KEY.as_bytes()));
    assert_eq!(results.places(), [("../\\u{1b}[2J/********-****-****-92732876eeae", 1, 1, "tar")]);
    let results = scan(zip(&name, KEY.as_bytes()));
    assert_eq!(results.places(), [("../\\u{1b}[2J/********-****-****-92732876eeae", 1, 1, "zip")]);
}

#[test]
fn a_read_error_is_reported_and_what_was_read_is_searched() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }
    let results = scan_reader(KEY.as_bytes().chain(Broken));
    assert_eq!(results.hits.len(), 1);
    assert_eq!(results.not_searched, [(String::new(), NotSearched::Unreadable)]);
}

/// Files that programs of Debian made: `locate_scan/make.sh`.
#[test]
fn files_of_other_programs_are_searched() {
    let long = "folder/".repeat(18) + "key.txt";
    for (file, member, encoding) in [
        ("gnu.tar.gz", &long[..], "tar.gz"),
        ("pax.tar.gz", &long, "tar.gz"),
        ("v7.tar.bz2", "key.txt", "tar.bz2"),
        ("ustar.tar.xz", "key.txt", "tar.xz"),
        ("ustar.tar.zst", "key.txt", "tar.zst"),
        ("two.xz", "", "xz"),
        ("two.zst", "", "zst"),
        ("two.gz", "", "gz"),
        ("plain.zip", "key.txt", "zip"),
        ("streamed.zip", "-", "zip"),
        ("program.zip", "key.txt", "zip"),
        ("wrapped.txt", "", "base64"),
        ("utf-16.txt", "", "utf-16"),
        ("utf-32.txt", "", "utf-32"),
        ("key.a", "key.txt", "ar"),
        ("key.deb", "data.tar.xz!key.txt", "ar+tar.xz"),
        ("image.cpio.gz", "key.txt", "cpio.gz"),
    ] {
        let bytes = file_of_another_program(file);
        let results = scan(&bytes);
        let (line, column) = match (file, encoding) {
            (_, "base64") => (2, 22),
            // The mark is two bytes of the first line alone.
            (_, "utf-16") => (2, 13),
            (_, "utf-32") => (2, 25),
            ("two.xz" | "two.zst" | "two.gz", _) => (3, 7),
            _ => (2, 7),
        };
        assert_eq!(results.places(), [(member, line, column, encoding)], "{file}");
        assert_eq!(results.not_searched, [], "{file}");
        assert_eq!(scan_reader(&bytes[..]).places(), results.places(), "{file}");
    }
    let sparse = scan(file_of_another_program("sparse.tar.gz"));
    assert_eq!(
        (sparse.hits.len(), sparse.hits[0].member.as_str(), sparse.not_searched.len()),
        (1, "sparse", 0)
    );
    assert_eq!(scan(file_of_another_program("archive.yaml")).places(), [("key.txt", 3, 5, "base64+zip")]);
    // A package has its scripts as text, an image of Linux one archive behind the other.
    let package = scan(file_of_another_program("key.rpm"));
    let found: Vec<_> = package.hits.iter().map(|hit| (&*hit.member, &*hit.encoding)).collect();
    assert_eq!(found, [("", "plain"), ("./etc/key.txt", "rpm+cpio.gz")]);
    let image = scan(file_of_another_program("two.cpio"));
    assert_eq!(image.places(), [("key.txt", 2, 7, "cpio"), ("key.txt", 2, 7, "cpio+cpio.zst")]);
    assert_eq!([package.not_searched, image.not_searched].concat(), []);
    for (file, member, why) in [
        ("encrypted.zip", "key.txt", NotSearched::Encrypted),
        ("key.7z", "", NotSearched::UnknownFormat),
        ("key.lz4", "", NotSearched::UnknownFormat),
    ] {
        let results = scan(file_of_another_program(file));
        assert_eq!(results.not_searched, [(member.to_owned(), why)], "{file}");
    }
    // What is not compressed of such a file is searched.
    let page = [&b"%PDF-1.7\n"[..], &vec![b'x'; 2 << 20], b"\n", KEY.as_bytes()].concat();
    for results in [scan(&page), scan_reader(&page[..])] {
        assert_eq!(results.not_searched, [(String::new(), NotSearched::UnknownFormat)]);
        assert_eq!(results.hits.len(), 1);
    }
    for file in ["key.deb", "key.rpm", "image.cpio.gz"] {
        let bytes = file_of_another_program(file);
        for cut in [bytes.len() - 1, bytes.len() / 2] {
            assert!(!scan(&bytes[..cut]).not_searched.is_empty(), "{file} {cut}");
        }
    }
}

fn file_of_another_program(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/locate_scan/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

/// One encoding of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoder {
    Plain,
    Percent,
    Unicode,
    Html,
    Base64,
    Base64Url,
    Wrapped,
    Utf16Le,
    Utf16Be,
    Gzip,
    Tar,
    Zip,
}

impl Encoder {
    const ALL: [Self; 12] = [
        Self::Plain,
        Self::Percent,
        Self::Unicode,
        Self::Html,
        Self::Base64,
        Self::Base64Url,
        Self::Wrapped,
        Self::Utf16Le,
        Self::Utf16Be,
        Self::Gzip,
        Self::Tar,
        Self::Zip,
    ];

    /// Encoders of text cannot take bytes that are none.
    fn takes_text(self) -> bool {
        matches!(self, Self::Percent | Self::Unicode | Self::Html | Self::Utf16Le | Self::Utf16Be)
    }

    fn gives_text(self) -> bool {
        !matches!(self, Self::Utf16Le | Self::Utf16Be) && !self.gives_archive()
    }

    /// An archive is recognized at the start of a file, a member, or a base64 text.
    fn gives_archive(self) -> bool {
        matches!(self, Self::Gzip | Self::Tar | Self::Zip)
    }

    fn encode(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => bytes.to_vec(),
            Self::Percent => escaped(bytes, percent),
            Self::Unicode => escaped(bytes, unicode),
            Self::Html => escaped(bytes, html),
            Self::Base64 => base64(bytes, STANDARD, true).into_bytes(),
            Self::Base64Url => base64(bytes, URL, false).into_bytes(),
            Self::Wrapped => wrapped(&base64(bytes, STANDARD, true), 64, "  ").into_bytes(),
            Self::Utf16Le => utf16(bytes, u16::to_le_bytes),
            Self::Utf16Be => utf16(bytes, u16::to_be_bytes),
            Self::Gzip => gzip(bytes),
            Self::Tar => tar("member", bytes),
            Self::Zip => zip("member", bytes),
        }
    }
}

fn keys() -> impl Strategy<Value = String> {
    prop_oneof![Just(KEY.to_owned()), Just(DIGITS.to_owned()), Just(KEY.to_uppercase())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_scanned(bytes in prop::collection::vec(any::<u8>(), 0..4000), max_size in 0_u64..5000) {
        let options = Options { strangers: true, context: true, max_size, ..options() };
        scan_with(&options, &bytes);
        for head in [&b"\x1f\x8b\x08\0"[..], b"PK\x03\x04", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"MZ"] {
            scan_with(&options, &[head, &bytes].concat());
        }
    }

    #[test]
    fn text_of_what_keys_are_made_of_is_scanned(text in "[0-9a-fA-F%&#;u\\\\=\n\0+/_-]{0,600}") {
        scan_with(&Options { strangers: true, context: true, ..options() }, text.as_bytes());
        scan_with(&options(), &utf16(text.as_bytes(), u16::to_le_bytes));
    }

    #[test]
    fn a_key_in_any_two_encodings_in_any_bytes_is_found(
        key in keys(),
        inner in prop::sample::select(&Encoder::ALL[..]),
        outer in prop::sample::select(&Encoder::ALL[..]),
        around in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 4),
    ) {
        prop_assume!(!outer.takes_text() || inner.gives_text());
        let text: Vec<Vec<u8>> = around.iter().map(|bytes| {
            if inner.takes_text() || outer.takes_text() { bytes.iter().map(|byte| byte & 0x7f).collect() } else { bytes.clone() }
        }).collect();
        let planted = [&text[0], &b"\n\n"[..], key.as_bytes(), b"\n\n", &text[1]].concat();
        let once = inner.encode(&planted);
        let once = if inner.gives_archive() { once } else { [&text[2], &b"\n\n"[..], &once, b"\n\n", &text[3]].concat() };
        let twice = outer.encode(&once);
        let found = scan(&twice);
        prop_assert!(found.hits.iter().any(|hit| hit.suffix == SUFFIX), "{} {:?}", twice.escape_ascii(), found.not_searched);
        prop_assert!(found.hits.iter().all(|hit| hit.suffix == SUFFIX));
        prop_assert_eq!(scan_reader(&twice[..]).hits, found.hits);
    }

    #[test]
    fn decoys_in_any_bytes_are_not_found(
        before in prop::collection::vec(any::<u8>(), 0..100),
        after in prop::collection::vec(any::<u8>(), 0..100),
        decoy in prop_oneof![
            Just("********-****-****-92732876eeae".to_owned()),
            Just(" 92732876eeae ".to_owned()),
            "[g-zG-Z]{1}b5e7b0c43a1d4e0e8f5592732876eeae",
            "[0-9a-f]{1,40}b5e7b0c43a1d4e0e8f5592732876eeae ",
            " b5e7b0c4-3a1d-4e0e-8f55-92732876eeae[0-9a-f]{1,40}",
            " [0-9a-f]{12}92732876eeae ",
        ],
        encoder in prop::sample::select(&Encoder::ALL[4..]),
    ) {
        // A line of base64 may be a text of its own, which ends where the digits of the decoy go on.
        prop_assume!(!matches!(encoder, Encoder::Wrapped));
        // What is before a digit may be an escape that it belongs to.
        let before: Vec<u8> = before.into_iter().filter(|byte| !b"\\%&=".contains(byte)).collect();
        let planted = [&before, decoy.as_bytes(), &after].concat();
        prop_assert!(scan(&planted).hits.is_empty());
        prop_assert!(scan(encoder.encode(&planted)).hits.is_empty());
    }
}
