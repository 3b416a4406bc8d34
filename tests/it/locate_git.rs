//! Histories: whatever git keeps is searched once, and git itself says what is right.

mod forms;
mod hostile;
mod repository;
mod truth;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use keysunset::locate::git::{self, Searched};
use keysunset::locate::scan::{Options, Suffixes};
use keysunset::model::Suffix;
use keysunset::place::{Class, NotSearched, Place, State};
use repository::{Git, KEYS, key, suffix};

fn options() -> Options {
    Options { strangers: false, context: false, archives: true, max_size: 1 << 20, usernames: Vec::new() }
}

fn search(folder: &Path) -> Searched {
    search_with(folder, 2)
}

fn search_with(folder: &Path, threads: usize) -> Searched {
    let repository = git::find(folder).unwrap_or_else(|| panic!("no repository: {}", folder.display()));
    let suffixes =
        Suffixes::new((0..KEYS).map(|number| (Suffix::from_key(&suffix(number)).unwrap(), Class::Key)));
    let threads = NonZeroUsize::new(threads).unwrap();
    git::search(&repository, "repo", &suffixes, &options(), threads, &AtomicU64::new(0))
}

fn reasons(searched: &Searched) -> Vec<(&str, NotSearched)> {
    searched.unsearched.iter().map(|row| (row.path.as_str(), row.why)).collect()
}

/// A repository with a key in each corner, and what was found.
fn corners() -> &'static (Git, Searched) {
    static CORNERS: OnceLock<(Git, Searched)> = OnceLock::new();
    CORNERS.get_or_init(|| {
        let git = repository::corners();
        let searched = search(&git.folder);
        (git, searched)
    })
}

fn of(searched: &Searched, number: u64) -> Vec<&Place> {
    searched.places.iter().filter(|place| place.suffix.as_str() == suffix(number)).collect()
}

#[test]
fn every_place_of_a_history_is_as_git_has_it() {
    let (git, searched) = corners();
    let expected = truth::places(git);
    let found: Vec<_> = searched.places.iter().map(truth::row).collect();
    assert_eq!(found, expected);
    let sure: Vec<_> = (0..repository::PLANTED).filter(|number| of(searched, *number).is_empty()).collect();
    assert!(sure.is_empty(), "keys that were not found: {sure:?}");
}

#[test]
fn each_corner_has_its_state() {
    let (_, searched) = corners();
    for (number, state, path) in repository::STATES {
        let places = of(searched, *number);
        let states: Vec<_> = places.iter().map(|place| (place.state, place.path.as_str())).collect();
        if path.is_empty() {
            assert_eq!(states.len(), 1, "{number}: {states:?}");
            assert_eq!(states[0].0, *state, "{number}");
        } else {
            assert!(states.contains(&(*state, *path)), "{number}: {states:?}");
        }
    }
}

#[test]
fn threads_change_nothing() {
    let (git, searched) = corners();
    for threads in [1, 7] {
        let other = search_with(&git.folder, threads);
        assert_eq!(other.places, searched.places);
        assert_eq!(other.unsearched, searched.unsearched);
        assert_eq!((other.objects, other.bytes), (searched.objects, searched.bytes));
    }
}

#[test]
fn a_key_in_a_name_is_masked() {
    let (_, searched) = corners();
    let text = format!("{:?}", (&searched.places, &searched.unsearched));
    for number in 0..repository::PLANTED {
        assert!(!text.contains(&key(number)[..23]), "key {number}");
    }
    let named = of(searched, repository::IN_AUTHOR);
    assert!(named[0].first.as_ref().unwrap().author.contains(&suffix(repository::IN_AUTHOR)));
}

#[test]
fn a_content_of_lfs_is_searched_and_one_that_is_not_there_is_reported() {
    let (_, searched) = corners();
    assert_eq!(reasons(searched), [("lfs/absent.bin", NotSearched::LfsPointer)]);
    assert_eq!(of(searched, repository::IN_LFS)[0].path, "lfs/present.bin");
}

#[test]
fn a_repository_is_found_by_any_of_its_folders() {
    let (git, _) = corners();
    let main = git::find(&git.folder).unwrap();
    let linked = git::find(&git.beside("linked")).unwrap();
    let own = git::find(&git.folder.join(".git")).unwrap();
    assert_eq!(main.database(), linked.database());
    assert_eq!(main.database(), own.database());
    assert_eq!(git::find(&git.folder.join("src")), None);
    let module = git.folder.join(".git/modules/module");
    std::fs::create_dir_all(module.parent().unwrap()).unwrap();
    git.run(&[
        "init",
        "-q",
        &format!("--separate-git-dir={}", module.display()),
        git.beside("module").to_str().unwrap(),
    ]);
    let submodule = git::find(&git.beside("module")).unwrap();
    assert_eq!(submodule.database(), module.canonicalize().unwrap().join("objects"));
    assert_eq!(git::find(&module), Some(submodule));
    let link = git.beside("by-link");
    std::fs::create_dir(&link).unwrap();
    std::os::unix::fs::symlink(git.folder.join(".git"), link.join(".git")).unwrap();
    assert_eq!(git::find(&link).unwrap().database(), main.database());
}

#[test]
fn a_large_file_is_read_in_pieces_and_one_that_is_too_large_is_reported() {
    let git = Git::new("large", &[]);
    let filler = "0123456789abcde\n";
    let large = format!("{}{}\n", filler.repeat(50_000), key(1));
    let too_large = filler.repeat(70_000);
    let files = [("large.txt", &large), ("too-large.txt", &too_large), ("\"raw\\377.txt\"", &key(3))];
    git.import(&repository::files(&files.map(|(path, content)| (path, content.as_str()))));
    git.input(&["hash-object", "-w", "--stdin"], &large.replace(&key(1), &key(2)));
    // So many threads that a file of this size is not in memory.
    let searched = search_with(&git.folder, 64);
    assert_eq!(reasons(&searched), [("too-large.txt", NotSearched::TooLarge)]);
    let lines: Vec<_> = [1, 2].map(|number| of(&searched, number)[0].line.unwrap()).to_vec();
    assert_eq!(lines, [50_001, 50_001]);
    assert_eq!(of(&searched, 3)[0].path, "raw\\xFF.txt", "as the walk of folders has it");
}

/// The same history in other forms.
#[test]
fn bare_shared_and_sha_256_repositories_have_the_same_places() {
    let (git, searched) = corners();
    let places = |searched: &Searched| -> Vec<_> {
        let kept = searched.places.iter().filter(|place| {
            matches!(place.state, State::Branch | State::Head | State::History | State::Tag)
                && !["lfs/present.bin", "linked.txt"].contains(&&*place.path)
        });
        // The path of a note is the id of its commit.
        let path = |place: &Place| {
            if place.path.contains('.') || place.path.len() < 40 {
                place.path.clone()
            } else {
                "id".to_owned()
            }
        };
        kept.map(|place| (path(place), place.suffix.as_str().to_owned(), place.line, place.versions))
            .collect()
    };
    let bare = git.clone_to("bare.git", &["--mirror", "--no-local"]);
    assert_eq!(places(&search(&bare)), places(searched));
    // The same pack twice.
    let pack = repository::pack(&bare.join("objects"));
    for extension in ["pack", "idx"] {
        let again = pack.with_file_name("pack-again").with_extension(extension);
        std::fs::copy(pack.with_extension(extension), again).unwrap();
    }
    assert_eq!(places(&search(&bare)), places(searched));
    let shared = git.clone_to("shared.git", &["--mirror", "--shared"]);
    assert!(git::find(&shared).unwrap().database().join("info/alternates").exists());
    // The objects of the other repository are its own, also those that no reference leads to.
    assert_eq!(places(&search(&shared)), places(searched));
    assert!(search(&shared).places.iter().any(|place| place.state == State::Unreachable));

    let sha_256 = Git::new("sha256", &["--object-format=sha256"]);
    sha_256.import(&repository::history());
    let sha_1 = Git::new("sha1", &[]);
    sha_1.import(&repository::history());
    let (old, new) = (search(&sha_1.folder), search(&sha_256.folder));
    assert!(old.places.len() > 10);
    assert_eq!(places(&old), places(&new));
    let found: Vec<_> = new.places.iter().map(truth::row).collect();
    assert_eq!(found, truth::places(&sha_256));
    assert!(new.places.iter().all(|place| place.last_commit.as_ref().unwrap().len() == 64));
}

#[test]
fn a_history_that_is_not_whole_is_reported() {
    let (git, _) = corners();
    let url = format!("file://{}", git.folder.display());
    let shallow = git.beside("shallow.git");
    git.run(&["clone", "-q", "--bare", "--depth=1", &url, shallow.to_str().unwrap()]);
    let searched = search(&shallow);
    assert!(reasons(&searched).contains(&("", NotSearched::Shallow)));
    assert!(!reasons(&searched).contains(&("", NotSearched::Missing)));
    assert!(of(&searched, repository::IN_HEAD)[0].state == State::Head);

    let partial = git.beside("partial.git");
    git.run(&["config", "uploadpack.allowFilter", "true"]);
    git.run(&[
        "-c",
        "protocol.file.allow=always",
        "clone",
        "-q",
        "--bare",
        "--filter=blob:none",
        &url,
        partial.to_str().unwrap(),
    ]);
    let searched = search(&partial);
    assert!(reasons(&searched).contains(&("", NotSearched::Partial)));
    assert!(of(&searched, repository::IN_HEAD).is_empty());
}

#[test]
fn an_unknown_format_is_reported() {
    let git = Git::new("formats", &[]);
    git.import(&repository::history());
    let config = git.folder.join(".git/config");
    let known = std::fs::read_to_string(&config).unwrap();
    for (added, path) in
        [("[extensions]\n\tobjectFormat = sha3\n", ""), ("[extensions]\n\tnewOne = true\n", "config")]
    {
        std::fs::write(&config, format!("{known}{added}")).unwrap();
        assert_eq!(reasons(&search(&git.folder)), [(path, NotSearched::UnknownFormat)], "{added}");
    }
    std::fs::write(&config, &known).unwrap();
    assert_eq!(reasons(&search(&git.folder)), []);

    let reftable = Git::new("reftable", &["--ref-format=reftable"]);
    reftable.import(&repository::history());
    let searched = search(&reftable.folder);
    assert_eq!(reasons(&searched), [("reftable", NotSearched::UnknownFormat)]);
    // What may be at the end of a branch is live.
    assert!(of(&searched, repository::IN_HEAD)[0].state.is_live());
}

/// What `git fsck` has as an error: an id of a reference, a reflog or the index that no object has.
#[test]
fn an_object_that_is_named_and_gone_is_reported() {
    let git = Git::new("gone", &[]);
    git.import(&repository::history());
    let folder = git.folder.join(".git");
    let (gone, zeros) = ("deadbeef".repeat(5), "0".repeat(40));
    let log = |old: &str, new: &str| format!("{old} {new} A <a@b> 1600000000 +0000\tx\n");
    let [packed, head] = ["packed-refs", "HEAD"].map(|name| std::fs::read(folder.join(name)));
    let (packed, head) = (packed.unwrap_or_default(), String::from_utf8(head.unwrap()).unwrap());
    let with_packed = format!("{}{gone} refs/heads/bad\n", String::from_utf8(packed).unwrap());
    let missing = [("", NotSearched::Missing)];
    for (path, content, rows) in [
        ("refs/heads/bad", format!("{gone}\n"), &missing[..]),
        ("refs/tags/deep/bad", format!("{gone}\n"), &missing),
        ("packed-refs", with_packed, &missing),
        ("HEAD", format!("{gone}\n"), &missing),
        ("HEAD", "ref: refs/heads/none\n".to_owned(), &[]),
        ("HEAD", "x\n".to_owned(), &[("HEAD", NotSearched::Damaged)]),
        ("worktrees/w/HEAD", format!("{gone}\n"), &missing),
        ("worktrees/w/HEAD", "x\n".to_owned(), &[("worktrees/w/HEAD", NotSearched::Damaged)]),
        ("worktrees/w/logs/HEAD", log(&gone, &zeros), &missing),
        ("logs/refs/heads/main", log(&zeros, &gone), &missing),
        ("logs/refs/stash", log(&zeros, &gone), &missing),
        ("logs/refs/heads/main", log(&zeros, &zeros), &[]),
        // Git itself follows these for one command, and does not keep what they name.
        ("ORIG_HEAD", format!("{gone}\n"), &[]),
        ("FETCH_HEAD", format!("{gone}\tbranch 'x' of y\n"), &[]),
        ("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/none\n".to_owned(), &[]),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = std::fs::read(&path).ok();
        std::fs::write(&path, content).unwrap();
        assert_eq!(reasons(&search(&git.folder)), rows, "{}", path.display());
        std::fs::remove_file(&path).unwrap();
        if let Some(before) = before {
            std::fs::write(&path, before).unwrap();
        }
        std::fs::write(folder.join("HEAD"), &head).unwrap();
    }
    let bodies = [
        "tree 12\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n",
        "author A <a@b> 1 +0000\n\nx\n",
    ];
    for body in bodies {
        let id = git.input(&["hash-object", "-w", "-t", "commit", "--literally", "--stdin"], body);
        assert_eq!(reasons(&search(&git.folder)), missing, "{body}");
        std::fs::remove_file(folder.join("objects").join(&id[..2]).join(&id[2..])).unwrap();
    }
    for mode in ["100644", "120000"] {
        git.run(&["update-index", "--add", "--cacheinfo", &format!("{mode},{gone},staged.txt")]);
        assert_eq!(reasons(&search(&git.folder)), missing, "{mode}");
    }
    git.run(&["update-index", "--add", "--cacheinfo", &format!("160000,{gone},staged.txt")]);
    assert_eq!(reasons(&search(&git.folder)), [], "a commit of another repository");
    git.run(&["update-index", "--force-remove", "staged.txt"]);
    git.input(&["update-index", "--index-info"], &format!("100644 {gone} 2\tconflict.txt\n"));
    assert_eq!(reasons(&search(&git.folder)), missing, "a side of a conflict");
}

#[test]
fn without_the_objects_of_its_references_a_repository_is_not_searched() {
    let git = Git::new("lender", &[]);
    git.import(&repository::history());
    let shared = git.clone_to("shared.git", &["--bare", "--shared"]);
    std::fs::write(shared.join("objects/info/alternates"), "").unwrap();
    let searched = search(&shared);
    assert_eq!((searched.places.len(), reasons(&searched)), (0, vec![("", NotSearched::Missing)]));
    std::fs::remove_file(shared.join("objects/info/alternates")).unwrap();
    assert_eq!(reasons(&search(&shared)), [("", NotSearched::Missing)]);
    // The tip of a branch: what it alone leads to looks unreachable.
    let blob = git.input(&["hash-object", "-w", "--stdin"], &key(39));
    let tree = git.input(&["mktree"], &format!("100644 blob {blob}\tkey.txt\n"));
    let tip = git.run(&["commit-tree", "-m", "tip", &tree]);
    git.run(&["update-ref", "refs/heads/tip", &tip]);
    assert_eq!(of(&search(&git.folder), 39).iter().filter(|place| place.state.is_live()).count(), 1);
    std::fs::remove_file(git.folder.join(".git/objects").join(&tip[..2]).join(&tip[2..])).unwrap();
    assert_eq!(reasons(&search(&git.folder)), [("", NotSearched::Missing)]);
}

#[test]
fn an_empty_repository_is_clean() {
    let git = Git::new("empty", &[]);
    let searched = search(&git.folder);
    assert_eq!((searched.places.len(), reasons(&searched)), (0, Vec::new()));
    let head = git.folder.join(".git/HEAD");
    assert_eq!(std::fs::read_to_string(head).unwrap(), "ref: refs/heads/main\n", "no commit");
}

#[test]
fn what_is_damaged_or_gone_is_reported() {
    let git = Git::new("damaged", &[]);
    git.import(&repository::history());
    let folder = git.folder.join(".git/objects");
    // A loose object that is cut.
    let loose = git.input(&["hash-object", "-w", "--stdin"], &format!("{}\n", "x".repeat(5000)));
    let loose = folder.join(&loose[..2]).join(&loose[2..]);
    let whole = std::fs::read(&loose).unwrap();
    repository::replace(&loose, &whole[..whole.len() / 2]);
    let id = format!("{:?}", loose.file_name().unwrap());
    let searched = search(&git.folder);
    assert!(reasons(&searched)[0].0.contains(id.trim_matches('"')), "{:?}", reasons(&searched));
    assert_eq!(reasons(&searched)[0].1, NotSearched::Damaged);
    std::fs::remove_file(&loose).unwrap();
    assert_eq!(reasons(&search(&git.folder)), []);

    // A file of a commit that is gone.
    git.run(&["read-tree", "HEAD"]);
    let blob = git.input(&["hash-object", "-w", "--stdin"], "gone");
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},gone.txt")]);
    let commit = git.run(&["commit-tree", "-m", "gone", &git.run(&["write-tree"])]);
    assert_eq!(reasons(&search(&git.folder)), []);
    std::fs::remove_file(folder.join(&blob[..2]).join(&blob[2..])).unwrap();
    assert_eq!(reasons(&search(&git.folder)), [("", NotSearched::Missing)]);
    for loose in [commit.clone(), git.run(&["rev-parse", &format!("{commit}^{{tree}}")])] {
        std::fs::remove_file(folder.join(&loose[..2]).join(&loose[2..])).unwrap();
    }
    assert_eq!(reasons(&search(&git.folder)), [("", NotSearched::Missing)], "it is staged");
    git.run(&["read-tree", "HEAD"]);
    assert_eq!(reasons(&search(&git.folder)), []);

    // Each byte of a pack: nothing is lost in silence.
    let pack = repository::pack(&folder);
    let whole = std::fs::read(&pack).unwrap();
    let all = search(&git.folder).places;
    for at in (12..whole.len() - 20).step_by(101) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        repository::replace(&pack, &damaged);
        let searched = search_with(&git.folder, 1);
        assert!(searched.places == all || !searched.unsearched.is_empty(), "byte {at}");
    }
    // A pack that is cut, without its index, gone.
    repository::replace(&pack, &whole[..whole.len() - 200]);
    assert!(!search(&git.folder).unsearched.is_empty());
    repository::replace(&pack, &whole);
    let index = pack.with_extension("idx");
    let moved = pack.with_extension("away");
    std::fs::rename(&index, &moved).unwrap();
    assert!(
        reasons(&search(&git.folder))
            .iter()
            .any(|(path, why)| path.contains(".pack") && *why == NotSearched::Missing)
    );
    std::fs::rename(&moved, &index).unwrap();
    std::fs::rename(&pack, &moved).unwrap();
    assert!(
        reasons(&search(&git.folder))
            .iter()
            .any(|(path, why)| path.contains(".idx") && *why == NotSearched::Missing)
    );
    std::fs::rename(&moved, &pack).unwrap();
    assert_eq!(search(&git.folder).places, all);
}
