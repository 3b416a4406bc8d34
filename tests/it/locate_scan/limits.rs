//! What an archive may decompress to, and how much memory its decoders may need: more is an incomplete row, never a crash.

use std::fmt::Write as _;

use keysunset::locate::scan::NotSearched;

use super::{KEY, Results, file_of_another_program, gzip, scan, scan_reader, tar, zip};
use crate::stub::env;

fn reasons(results: &Results) -> Vec<(&str, NotSearched)> {
    results.not_searched.iter().map(|(member, why)| (member.as_str(), *why)).collect()
}

#[test]
fn bombs_end_at_the_limit_and_are_reported() {
    // Zeros compress to a thousandth.
    let zeros = vec![0; 48 << 20];
    let bomb = gzip(&zeros);
    for (bytes, member) in [
        (bomb.clone(), ""),
        (zip("zeros", &zeros), "zeros"),
        (gzip(&gzip(&zeros)), ""),
        (gzip(&tar("bomb.gz", &bomb)), "bomb.gz"),
        (zip("inner.zip", &zip("zeros", &zeros)), "inner.zip!zeros"),
    ] {
        for results in [scan(&bytes), scan_reader(&bytes[..])] {
            assert_eq!(reasons(&results)[0], (member, NotSearched::TooLarge), "{:?}", results.not_searched);
        }
    }
    let reasons: Vec<_> = scan(overlapping(60)).not_searched.into_iter().map(|it| it.1).collect();
    assert!(reasons.len() < 30 && reasons.iter().all(|why| *why == NotSearched::TooLarge), "{reasons:?}");
}

/// A zip archive whose directory has many members with the same bytes.
fn overlapping(times: u16) -> Vec<u8> {
    let archive = zip("zeros", &vec![0; 1 << 20]);
    let end = archive.len() - 22;
    let start = u32::from_le_bytes(archive[end + 16..end + 20].try_into().unwrap());
    let entry = &archive[usize::try_from(start).unwrap()..end];
    let mut bomb = archive[..end].to_vec();
    for number in 1..times {
        bomb.extend(&entry[..46]);
        bomb.extend(format!("{number:05}").into_bytes());
        bomb.extend(&entry[51..]);
    }
    let size = u32::try_from(entry.len()).unwrap() * u32::from(times);
    bomb.extend(b"PK\x05\x06\0\0\0\0");
    bomb.extend([times.to_le_bytes(), times.to_le_bytes()].concat());
    bomb.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    bomb.extend([0, 0]);
    bomb
}

#[test]
fn each_member_of_one_name_is_searched() {
    let archives = [KEY, "nothing"].map(|text| zip("a", text.as_bytes()));
    let place = [("a", 1, 1, "zip")];
    assert_eq!(scan(archives.concat()).places(), place);
    let start = |archive: &[u8]| {
        let end = archive.len() - 22;
        usize::try_from(u32::from_le_bytes(archive[end + 16..end + 20].try_into().unwrap())).unwrap()
    };
    let [one, other] =
        archives.map(|archive| (archive[..start(&archive)].to_vec(), archive[start(&archive)..].to_vec()));
    let (members, entries) =
        ([&one.0[..], &other.0].concat(), [&one.1[..one.1.len() - 22], &other.1[..other.1.len() - 22]]);
    let mut second = entries[1].to_vec();
    second[42..46].copy_from_slice(&u32::try_from(one.0.len()).unwrap().to_le_bytes());
    let directory = [entries[0], &second].concat();
    let lengths = [directory.len(), members.len()].map(|length| u32::try_from(length).unwrap().to_le_bytes());
    let archive =
        [&members, &directory, &b"PK\x05\x06\0\0\0\0\x02\0\x02\0"[..], &lengths.concat(), &[0, 0]].concat();
    assert_eq!(scan(archive).places(), place);
}

/// Small files of xz and zstd that ask for large windows.
#[test]
fn decoders_in_one_another_have_one_limit_of_memory() {
    for (file, hits, expected) in [
        ("window-64.xz", 1, None),
        ("window-64-in-8.xz", 1, None),
        ("window-64-in-64.xz", 0, Some(NotSearched::TooLarge)),
        ("window-128.xz", 0, Some(NotSearched::TooLarge)),
        ("window-32.zst", 1, None),
        ("window-128.zst", 0, Some(NotSearched::TooLarge)),
    ] {
        let results = scan(file_of_another_program(file));
        assert_eq!(results.hits.len(), hits, "{file}");
        let expected: Vec<_> = expected.into_iter().map(|why| ("", why)).collect();
        assert_eq!(reasons(&results), expected, "{file}");
    }
}

#[test]
fn a_bomb_makes_the_search_incomplete() {
    let env = env();
    let mut keys =
        "deployment,user_id,username,read_status,key_id,key_suffix,description,verdict,severity\n".to_owned();
    let _ = writeln!(
        keys,
        "east,{0},ann,read,{0},92732876eeae,ci,used-after-cutoff,critical",
        "5af9a1d29cc0cdb6acdca6d5"
    );
    env.put("keys.csv", keys);
    env.put("in/bomb.zip", zip("zeros", &vec![0; 48 << 20]));
    let locate = |path: &str| env.run(&["locate", path, "--keys", "keys.csv"]);
    let ran = locate("in");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.words().contains("in/bomb.zip!zeros: too-large"), "{ran:?}");
    env.put("in/key.txt", KEY);
    assert_eq!(locate("in").code, 4);
    assert!(env.text("reports/locations.csv").contains(",bomb.zip,zeros,"));
}
