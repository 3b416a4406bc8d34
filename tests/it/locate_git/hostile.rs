//! Repositories that want to do harm: nothing of them runs, and the search ends.

use std::fs;
use std::path::Path;
use std::process::Command;

use keysunset::locate::git;
use keysunset::place::NotSearched;

use super::repository::{Git, history, key, suffix};
use super::{reasons, search};

/// Nobody writes into it: whatever opens it waits.
fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn nothing_of_a_repository_is_run() {
    let git = Git::new("runs", &[]);
    git.import(&history());
    let before = search(&git.folder).places;
    let mark = git.beside("mark");
    let program = git.beside("program.sh");
    fs::write(&program, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    git.run(&["config", "core.sshCommand", program.to_str().unwrap()]);
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = program.display();
    let waits = git.beside("waits");
    fifo(&waits);
    let mut config = fs::read_to_string(git.folder.join(".git/config")).unwrap();
    config.extend([format!(
        "[core]\n\tfsmonitor = {program}\n\thooksPath = {}\n\tgitProxy = {program}\n\tpager = {program}\n\
         [filter \"lfs\"]\n\tsmudge = {program}\n\tclean = {program}\n\tprocess = {program}\n\
         [include]\n\tpath = {}\n[uploadpack]\n\tpackObjectsHook = {program}\n",
        git.beside("").display(),
        waits.display(),
    )]);
    fs::write(git.folder.join(".git/config"), config).unwrap();
    let searched = search(&git.folder);
    assert_eq!((searched.places, searched.unsearched), (before, Vec::new()));
    assert!(!mark.exists());
}

#[test]
fn files_that_are_none_are_reported() {
    let git = Git::new("fifos", &[]);
    git.import(&history());
    let folder = git.folder.join(".git");
    for (path, reported) in [
        ("packed-refs", "packed-refs"),
        ("refs/heads/waits", "refs/heads/waits"),
        ("objects/pack/pack-1.pack", "objects/pack/pack-1.pack"),
        ("objects/12/34567890123456789012345678901234567890", "1234567890123456789012345678901234567890"),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fifo(&path);
        let rows = search(&git.folder).unsearched;
        assert!(rows.iter().any(|row| row.path == reported), "{reported}: {rows:?}");
        fs::remove_file(&path).unwrap();
    }
    for link in ["refs/heads/up", "refs/up"] {
        std::os::unix::fs::symlink("..", folder.join(link)).unwrap();
        assert_eq!(reasons(&search(&git.folder)), [(link, NotSearched::Unreadable)]);
        fs::remove_file(folder.join(link)).unwrap();
    }
    for path in ["logs/refs/stash", "objects/info/alternates", "shallow", "commondir", "index"] {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fifo(&folder.join(path));
        assert!(search(&git.folder).places.len() > 10, "{path}");
    }
    fifo(&folder.join("HEAD"));
    assert_eq!(reasons(&search(&git.folder)), [("", NotSearched::Damaged)]);
    let other = git.beside("other");
    fs::create_dir(&other).unwrap();
    fifo(&other.join(".git"));
    assert_eq!(git::find(&other), None);
    for (content, why) in [
        (b"gitdir: ../nowhere\n".as_slice(), NotSearched::Missing),
        (b"gitdir: \xff", NotSearched::Unreadable),
    ] {
        fs::remove_file(other.join(".git")).unwrap();
        fs::write(other.join(".git"), content).unwrap();
        assert_eq!(reasons(&search(&other)), [("", why)]);
    }
    fs::remove_file(other.join(".git")).unwrap();
    std::os::unix::fs::symlink("nowhere", other.join(".git")).unwrap();
    assert_eq!(reasons(&search(&other)), [("", NotSearched::Missing)]);
}

/// What is there and cannot be read is never taken for what is not there.
#[test]
fn a_file_in_place_of_a_folder_and_the_other_way_round_are_reported() {
    let git = Git::new("wrong", &[]);
    git.import(&history());
    git.run(&["read-tree", "HEAD"]);
    let folder = git.folder.join(".git");
    let away = git.beside("away");
    for (path, reported, is_file) in [
        ("objects/pack", "objects/pack", true),
        ("objects/12", "objects/12", true),
        ("objects/info", "objects/info/alternates", true),
        ("worktrees", "worktrees", true),
        ("logs", "logs", true),
        ("lfs/objects", "lfs/objects", true),
        ("lfs/objects/12/34", "lfs/objects/12/34", true),
        ("objects/info/alternates", "objects/info/alternates", false),
        ("config", "config", false),
        ("shallow", "shallow", false),
        ("index", "index", false),
        ("packed-refs", "packed-refs", false),
        ("logs/HEAD", "logs/HEAD/x", false),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let is_there = fs::rename(&path, &away).is_ok();
        if is_file {
            fs::write(&path, "").unwrap();
        } else {
            fs::create_dir(&path).unwrap();
            fifo(&path.join("x"));
        }
        let rows = search(&git.folder).unsearched;
        let has_row = rows.iter().any(|row| row.path == reported && row.why == NotSearched::Unreadable);
        assert!(has_row, "{reported}: {rows:?}");
        if is_file {
            fs::remove_file(&path).unwrap();
        } else {
            fs::remove_dir_all(&path).unwrap();
        }
        if is_there {
            fs::rename(&away, &path).unwrap();
        }
    }
    assert_eq!(reasons(&search(&git.folder)), []);
}

#[test]
fn alternates_end() {
    let one = Git::new("one", &[]);
    let two = Git::new("two", &[]);
    two.import(&history());
    let objects = |git: &Git| git.folder.join(".git/objects");
    fs::write(
        objects(&one).join("info/alternates"),
        format!("{}\n# no\n./../objects\n", objects(&two).display()),
    )
    .unwrap();
    fs::write(objects(&two).join("info/alternates"), format!("{}\n", objects(&one).display())).unwrap();
    let searched = search(&one.folder);
    assert_eq!(reasons(&searched), []);
    assert!(searched.places.len() > 10);
    assert!(
        searched.places.iter().all(|place| !place.state.is_live()),
        "references of another repository do not count"
    );
    fs::write(objects(&one).join("info/alternates"), "/nowhere/at-all\n").unwrap();
    assert_eq!(reasons(&search(&one.folder)), [("/nowhere/at-all", NotSearched::Missing)]);
}

#[test]
fn a_hostile_pack_ends() {
    let blob = |text: &str| entry(3, text.len() as u64, &[], text.as_bytes());
    let base = format!("{}\n{}", key(1), "x".repeat(15_000));
    let mut bomb = size_of_delta(base.len() as u64);
    bomb.extend(size_of_delta(100 * base.len() as u64));
    bomb.extend([0xb0, base.len().to_le_bytes()[0], base.len().to_le_bytes()[1]].repeat(100));
    // Of 42 MB.
    let mut large = size_of_delta(base.len() as u64);
    large.extend(size_of_delta(2800 * base.len() as u64));
    large.extend([0xb0, base.len().to_le_bytes()[0], base.len().to_le_bytes()[1]].repeat(2800));
    let by_id = |id: u8, delta: &[u8]| entry(7, delta.len() as u64, &[id; 20], delta);
    let copy = b"\x01\x01\x90\x01";
    let tree = [b"40000 again\0".as_slice(), &[9; 20], b"100644 file\0", &[1; 20]].concat();
    let commit =
        format!("tree {}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n", "09".repeat(20));
    let git = Git::new("hostile", &[]);
    write_pack(
        &git,
        &[
            (1, blob(&base)),
            (2, by_id(1, &bomb)),
            (3, by_id(4, copy)),
            (4, by_id(3, copy)),
            (5, by_id(5, copy)),
            (6, entry(6, 4, &[0], copy)),
            (7, entry(3, 1 << 60, &[], b"short")),
            (8, entry(3, 500, &[], b"short")),
            (9, entry(2, tree.len() as u64, &[], &tree)),
            (10, entry(1, commit.len() as u64, &[], commit.as_bytes())),
            (11, by_id(77, copy)),
            (12, by_id(7, copy)),
            (13, entry(5, 1, &[], b"x")),
            (14, by_id(1, &large)),
            (15, by_id(14, copy)),
        ],
    );
    let searched = search(&git.folder);
    let places: Vec<_> =
        searched.places.iter().map(|place| (place.path.as_str(), place.suffix.as_str().to_owned())).collect();
    let bomb = "02".repeat(20);
    assert_eq!(places, [(&*bomb, suffix(1)), ("file", suffix(1))], "the tree in itself is passed once");
    let reasons = reasons(&searched);
    for (id, why) in [
        (2, NotSearched::TooLarge),
        (3, NotSearched::Damaged),
        (4, NotSearched::Damaged),
        (5, NotSearched::Damaged),
        (6, NotSearched::Damaged),
        (7, NotSearched::Damaged),
        (8, NotSearched::Damaged),
        (11, NotSearched::Missing),
        (12, NotSearched::TooLarge),
        (13, NotSearched::Damaged),
        (14, NotSearched::TooLarge),
        (15, NotSearched::TooLarge),
    ] {
        let id = format!("{id:02x}").repeat(20);
        assert!(reasons.contains(&(&*id, why)), "{id}: {reasons:?}");
    }
}

/// A chain without an end for a recursion.
#[test]
fn a_long_chain_of_deltas_is_read() {
    let git = Git::new("chain", &[]);
    let text = key(2);
    let mut entries = vec![([0; 4], entry(3, text.len() as u64, &[], text.as_bytes()))];
    let delta = [36, 36, 0x90, 36];
    let mut before = entries[0].1.len();
    for number in 1..12_000_u32 {
        let next = entry(6, 4, &distance(before), &delta);
        before = next.len();
        entries.push((number.to_be_bytes(), next));
    }
    let entries = entries.into_iter().map(|(id, entry)| (id.repeat(5), entry)).collect();
    write_pack_with_ids(&git, entries);
    let searched = search(&git.folder);
    assert_eq!(searched.places.len(), 12_000);
    assert_eq!(reasons(&searched), []);
}

fn size_of_delta(size: u64) -> Vec<u8> {
    let mut size = size;
    let mut bytes = Vec::new();
    while size > 0x7f {
        bytes.push(size.to_le_bytes()[0] | 0x80);
        size >>= 7;
    }
    bytes.push(size.to_le_bytes()[0]);
    bytes
}

/// To the base, in front of a delta; less than 16384.
fn distance(distance: usize) -> Vec<u8> {
    let low = distance.to_le_bytes()[0] & 0x7f;
    if distance < 0x80 { vec![low] } else { vec![0x80 | ((distance >> 7) - 1).to_le_bytes()[0], low] }
}

/// An entry of a pack, which claims a size.
fn entry(kind: u8, size: u64, base: &[u8], content: &[u8]) -> Vec<u8> {
    let mut rest = size >> 4;
    let mut bytes = vec![kind << 4 | (size & 15) as u8];
    while rest > 0 {
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push((rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes.extend(base);
    // Not compressed: a block for all.
    let length = u16::try_from(content.len()).unwrap();
    bytes.extend([0x78, 0x01, 0x01]);
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(content);
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in content {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    bytes.extend((b << 16 | a).to_be_bytes());
    bytes
}

fn write_pack(git: &Git, entries: &[(u8, Vec<u8>)]) {
    write_pack_with_ids(git, entries.iter().map(|(id, entry)| (vec![*id; 20], entry.clone())).collect());
}

/// With an index of version 1, which has no checksums. Sorted by id.
fn write_pack_with_ids(git: &Git, entries: Vec<(Vec<u8>, Vec<u8>)>) {
    let count = u32::try_from(entries.len()).unwrap();
    let mut pack = [b"PACK".as_slice(), &2_u32.to_be_bytes(), &count.to_be_bytes()].concat();
    let mut index = Vec::new();
    for first in 0..=255 {
        let below = entries.iter().filter(|(id, _)| id[0] <= first).count();
        index.extend(u32::try_from(below).unwrap().to_be_bytes());
    }
    for (id, entry) in entries {
        index.extend(u32::try_from(pack.len()).unwrap().to_be_bytes());
        index.extend(id);
        pack.extend(entry);
    }
    pack.extend([0; 20]);
    index.extend([0; 40]);
    let folder = git.folder.join(".git/objects/pack");
    fs::write(folder.join("pack-1.pack"), pack).unwrap();
    fs::write(folder.join("pack-1.idx"), index).unwrap();
}
