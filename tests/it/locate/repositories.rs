//! Repositories in a tree: each object database is searched once, with the name of the folder that people know.

use super::{ANN, BOB, OLD, audit, columns, git, located, suffix};

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
