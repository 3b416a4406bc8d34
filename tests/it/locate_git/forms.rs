//! The same history as git may keep it: each form of packs, of the index, and of what changes how git itself shows a history.

use std::fs;

use keysunset::place::{NotSearched, State};

use super::repository::{self, Git, key};
use super::{of, reasons, search, truth};

#[test]
fn each_form_of_packs_has_the_same_places() {
    let git = repository::corners();
    let expected = truth::places(&git);
    let objects = git.folder.join(".git/objects");
    for (form, commands, has) in [
        ("long chains", &[&["repack", "-adkqF", "--depth=500", "--window=100"][..]][..], ".rev"),
        ("bases by their ids", &[&["-c", "repack.useDeltaBaseOffset=false", "repack", "-adkqF"]], ".pack"),
        (
            "an old index, not compressed",
            &[&["-c", "pack.indexVersion=1", "-c", "pack.compression=0", "repack", "-adkqF"]],
            ".idx",
        ),
        ("loose", &[&["unpack"]], ""),
        ("several packs", &[&["repack", "-q"], &["pack-refs", "--all"], &["repack", "-q"]], ".pack"),
        ("an index of several packs", &[&["multi-pack-index", "write"]], "multi-pack-index"),
        ("one pack with a bitmap", &[&["repack", "-adkqb"]], ".bitmap"),
        ("unreachable objects in a pack of their own", &[&["repack", "-dq", "--cruft"]], ".mtimes"),
    ] {
        for command in commands {
            if command == &["unpack"] {
                unpack(&git);
            } else {
                git.run(command);
            }
        }
        let files: Vec<_> =
            fs::read_dir(objects.join("pack")).unwrap().map(|file| file.unwrap().file_name()).collect();
        let is_there = files.iter().any(|file| file.to_string_lossy().ends_with(has));
        assert_eq!(is_there, form != "loose", "{form}: {files:?}");
        let searched = search(&git.folder);
        let found: Vec<_> = searched.places.iter().map(truth::row).collect();
        assert_eq!(found, expected, "{form}");
        assert_eq!(reasons(&searched), [("lfs/absent.bin", NotSearched::LfsPointer)], "{form}");
    }
}

/// All objects of packs become loose.
fn unpack(git: &Git) {
    let folder = git.folder.join(".git/objects/pack");
    let away = git.beside("away");
    fs::rename(&folder, &away).unwrap();
    for file in fs::read_dir(&away).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "pack") {
            git.run(&[
                "-c",
                &format!("alias.unpack=!git unpack-objects -q < '{}'", file.display()),
                "unpack",
            ]);
        }
    }
    fs::create_dir(&folder).unwrap();
}

#[test]
fn what_git_hides_from_a_history_is_searched() {
    let git = Git::new("hidden", &[]);
    git.import(&repository::history());
    let before = search(&git.folder).places;
    let [head, first] = ["main", "main~3"].map(|name| git.run(&["rev-parse", name]));
    fs::create_dir_all(git.folder.join(".git/info")).unwrap();
    fs::write(git.folder.join(".git/info/grafts"), format!("{head}\n")).unwrap();
    fs::create_dir_all(git.folder.join(".git/refs/replace")).unwrap();
    assert_eq!(git.run(&["rev-list", "--count", "main"]), "1", "for git, the graft ends the history");
    assert_eq!(search(&git.folder).places, before);
    fs::remove_file(git.folder.join(".git/info/grafts")).unwrap();
    git.run(&["update-ref", &format!("refs/replace/{head}"), &first]);
    assert_eq!(search(&git.folder).places, before);
}

/// Of a fetch that was stopped.
#[test]
fn a_leftover_of_git_is_reported() {
    let git = Git::new("leftovers", &[]);
    git.import(&repository::history());
    for leftover in
        ["objects/pack/tmp_pack_a1b2c3", "objects/12/tmp_obj_a1b2c3", "objects/tmp_objdir-incoming-a1b2c3"]
    {
        let path = git.folder.join(".git").join(leftover);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "cut").unwrap();
        assert_eq!(reasons(&search(&git.folder)), [(leftover, NotSearched::Damaged)]);
        fs::remove_file(&path).unwrap();
        assert_eq!(reasons(&search(&git.folder)), []);
    }
}

#[test]
fn what_is_staged_has_its_path_and_is_live() {
    let git = Git::new("staged", &[]);
    git.import(&repository::files(&[("a.txt", "a"), ("b.txt", &key(1)), ("c.txt", &key(2))]));
    git.run(&["reset", "-q", "--hard"]);
    fs::write(git.folder.join("a.txt"), key(0)).unwrap();
    fs::create_dir(git.folder.join("deep")).unwrap();
    fs::write(git.folder.join("deep/new file"), key(3)).unwrap();
    git.run(&["add", "."]);
    // None of these changes what the next commit has.
    fs::write(git.folder.join("a.txt"), "other").unwrap();
    fs::remove_file(git.folder.join("c.txt")).unwrap();
    for options in [
        &["--index-version=2"][..],
        &["--index-version=3"],
        &["--index-version=4"],
        &["--force-untracked-cache"],
        &["--split-index"],
        &["--no-split-index", "--index-version=4", "--skip-worktree", "b.txt"],
        &["--index-version=2"],
    ] {
        git.run(&[&["update-index"], options].concat());
        let searched = search(&git.folder);
        assert_eq!(
            searched.places.iter().map(truth::row).collect::<Vec<_>>(),
            truth::places(&git),
            "{options:?}"
        );
        let found = |number| (of(&searched, number)[0].state, of(&searched, number)[0].path.as_str());
        assert_eq!(found(0), (State::Worktree, "a.txt"));
        assert_eq!(found(1), (State::Head, "b.txt"));
        assert_eq!(found(2), (State::Head, "c.txt"), "not changed in the index");
        assert_eq!(found(3), (State::Worktree, "deep/new file"));
        assert_eq!(reasons(&searched), []);
    }
    // Another content of a file of the shared index has no name.
    git.run(&["update-index", "--split-index"]);
    let other = git.input(&["hash-object", "-w", "--stdin"], &key(4));
    git.run(&["update-index", "--cacheinfo", &format!("100644,{other},a.txt")]);
    let searched = search(&git.folder);
    assert_eq!((of(&searched, 4)[0].state, &of(&searched, 4)[0].path), (State::Worktree, &other));
    git.run(&["update-index", "--no-split-index"]);

    let index = git.folder.join(".git/index");
    let whole = fs::read(&index).unwrap();
    fs::write(&index, &whole[..100]).unwrap();
    let searched = search(&git.folder);
    assert_eq!(reasons(&searched), [("index", NotSearched::Damaged)]);
    assert_eq!(of(&searched, 0)[0].state, State::Unreachable);
}
