//! Repositories in a tree: each object database is searched once, with the name of the folder that people know.

use std::process::Command;

use super::{ANN, BOB, OLD, audit, columns, git, located, suffix};
use crate::support::{CliOutput, rows};

#[test]
fn submodules_and_linked_work_trees_are_searched_once() {
    if !crate::evidence::has("git", &["--version"]) {
        return;
    }
    let env = audit();
    // Each has one key in its history alone.
    for (folder, key) in [("library", ANN), ("all/main", BOB)] {
        env.put(&format!("{folder}/key.txt"), format!("{key}\n"));
        git(&env, folder, &["init"]);
        git(&env, folder, &["add", "."]);
        git(&env, folder, &["commit", "-m", "with key"]);
        git(&env, folder, &["rm", "key.txt"]);
        git(&env, folder, &["commit", "--allow-empty", "-m", "without"]);
    }
    let library = env.path("library").display().to_string();
    git(&env, "all/main", &["-c", "protocol.file.allow=always", "submodule", "add", &library, "libs/one"]);
    git(&env, "all/main", &["commit", "-m", "submodule"]);
    git(&env, "all/main", &["worktree", "add", "../linked", "-b", "linked"]);
    env.put("all/linked/new.txt", format!("{OLD}\n"));
    git(&env, "all/linked", &["add", "."]);
    // Staged, and no longer in the file.
    env.put("all/linked/new.txt", "\n");
    git(&env, "all", &["clone", "--bare", "--shared", "main", "shared.git"]);
    assert_eq!(env.run(&["locate", "all"]).code, 1);
    let found = located(&env);
    let mut found = columns(&found, ["repository", "path", "key_suffix", "state"]);
    // The objects of the clone are those of its alternate: the key is in its own history too.
    found.retain(|row| row[0] != "all/shared.git");
    assert_eq!(
        found,
        [
            ["all/main", "key.txt", suffix(BOB), "history"],
            ["all/main", "new.txt", suffix(OLD), "worktree"],
            ["all/main/libs/one", "key.txt", suffix(ANN), "history"],
        ]
    );
}

/// Each has all that the repository has, so that nothing was searched.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_of_objects_that_cannot_be_read_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;

    if !crate::evidence::has("git", &["--version"]) {
        return;
    }
    let env = audit();
    env.put("in/main/a.txt", "nothing\n");
    git(&env, "in/main", &["init"]);
    git(&env, "in/main", &["add", "."]);
    git(&env, "in/main", &["commit", "-m", "one"]);
    let tip = std::fs::read_dir(env.path("in/main/.git/objects")).unwrap();
    let tip = tip.map(|entry| entry.unwrap().file_name().into_string().unwrap()).find(|name| name.len() == 2);
    git(&env, "in", &["clone", "--bare", "main", "module"]);
    git(&env, "in", &["clone", "--bare", "--shared", "main", "shared.git"]);
    std::fs::create_dir(env.path("in/main/.git/modules")).unwrap();
    std::fs::rename(env.path("in/module"), env.path("in/main/.git/modules/m")).unwrap();
    git(&env, "in/main/.git/modules/m", &["repack", "-ad"]);
    // The superuser reads everything, but for one without capabilities.
    let without = ["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_keysunset")];
    let flags = ["locate", "in", "--quiet", "--out", "-", "--format", "csv"];
    let run = || CliOutput::of(env.start(Command::new("setpriv").args(without).args(flags)));
    let ran = run();
    assert_eq!(ran.code, 0, "{ran:?}");
    let tip = format!("main/.git/objects/{}", tip.unwrap());
    for (path, repository, reported) in [
        ("main/.git/objects", "in/main", "objects"),
        (&tip, "in/main", tip.strip_prefix("main/.git/").unwrap()),
        ("main/.git/modules/m/objects", "in/main/.git/modules/m", "objects"),
        ("main/.git/modules/m/objects/pack", "in/main/.git/modules/m", "objects/pack"),
        ("shared.git/objects/info", "in/shared.git", "objects/info/alternates"),
        ("shared.git/objects/info/alternates", "in/shared.git", "objects/info/alternates"),
        ("main/.git/HEAD", "in/main", "HEAD"),
        ("main/.git/index", "in/main", "index"),
        ("main/.git/refs/heads", "in/main", "refs/heads"),
    ] {
        let folder = env.path("in").join(path);
        let before = folder.metadata().unwrap().permissions();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).unwrap();
        let ran = run();
        std::fs::set_permissions(&folder, before).unwrap();
        let found = rows(ran.stdout.as_bytes());
        let found = columns(&found, ["repository", "path", "description"]);
        let row = [repository, reported, "not searched: A file, folder or object that could not be read"];
        assert!(ran.code == 3 && found.contains(&row), "{path}: {ran:?}");
        if path == "main/.git/objects" {
            let others = found.iter().filter(|row| row[0] == "in/shared.git" && row[1].ends_with("/objects"));
            assert_eq!(others.count(), 1, "the alternate of another one: {found:?}");
        }
    }
}

#[test]
fn a_pointer_of_lfs_without_its_content_is_reported_wherever_it_is() {
    if !crate::evidence::has("git", &["--version"]) {
        return;
    }
    let env = audit();
    let content = "ab".repeat(32);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{content}\nsize 100\n");
    env.put("repo/sub/data.bin", &pointer);
    git(&env, "repo", &["init"]);
    git(&env, "repo", &["add", "."]);
    git(&env, "repo", &["commit", "-m", "pointer"]);
    git(&env, "repo", &["archive", "-o", "sub/data.zip", "HEAD"]);
    git(&env, "repo", &["add", "."]);
    git(&env, "repo", &["commit", "-m", "archive"]);
    env.put("plain/data.bin", &pointer);
    env.put("named.zip", env.bytes("repo/sub/data.zip"));
    let in_repository = [["sub/data.bin", ""], ["sub/data.zip", "sub/data.bin"]];
    let search = |arguments: &[&str], code| {
        let ran = env.run(&[&["locate"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        located(&env)
    };
    for (arguments, rows) in [
        (&["plain"][..], &[["data.bin", ""]][..]),
        (&["named.zip"], &[["named.zip", "sub/data.bin"]]),
        (&["repo/sub/data.bin"], &[["sub/data.bin", ""]]),
        (&["repo/sub"], &in_repository),
        (&["repo", "--no-history"], &in_repository),
        (&["repo"], &in_repository),
        (&["repo", "--no-archives"], &in_repository[..1]),
    ] {
        let found = search(arguments, 3);
        assert_eq!(columns(&found, ["path", "member"]), rows, "{arguments:?}");
        for row in found {
            assert!(row["description"].contains("pointer of Git LFS"), "{row:?}");
        }
    }
    let ran = env.fed(&["locate", "-"], pointer.as_bytes());
    assert_eq!((ran.code, located(&env).len()), (3, 1), "{ran:?}");
    // A content that is searched is searched for all its pointers.
    env.put(&format!("repo/.git/lfs/objects/ab/ab/{content}"), format!("{ANN}\n"));
    let found = search(&["repo", "plain"], 1);
    let places = [["repo", "sub/data.bin", ""], ["repo", "sub/data.zip", "sub/data.bin"]];
    assert_eq!(columns(&found, ["repository", "path", "member"]), places);
    search(&["repo", "--no-history"], 1);
    search(&["repo/sub"], 3);
    search(&["repo", "--no-history", "--exclude", "lfs"], 3);
}
