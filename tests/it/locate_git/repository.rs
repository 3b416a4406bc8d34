//! Makes repositories: the same bytes each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keysunset::place::State;
use tempfile::TempDir;

/// As many suffixes are looked for.
pub(super) const KEYS: u64 = 40;
/// As many keys are in [`corners`].
pub(super) const PLANTED: u64 = 31;

pub(super) const IN_HEAD: u64 = 0;
pub(super) const IN_AUTHOR: u64 = 12;
pub(super) const IN_LFS: u64 = 15;

/// The state of some keys, and their path where it is not an id.
pub(super) const STATES: &[(u64, State, &str)] = &[
    (IN_HEAD, State::Head, "src/app.py"),
    (1, State::History, "old.env"),
    (2, State::Head, "config/b.ini"),
    (2, State::History, "config/a.ini"),
    (3, State::History, "only-the-merge.txt"),
    (4, State::Head, "third.txt"),
    (5, State::Branch, "orphan.txt"),
    (6, State::Branch, "dir/branch.txt"),
    (7, State::Branch, "remote.txt"),
    (8, State::Tag, "tagged.txt"),
    (9, State::Tag, ""),
    (10, State::History, ""),
    (11, State::History, ""),
    (IN_AUTHOR, State::History, ""),
    (14, State::History, "replacement.txt"),
    (16, State::Stash, "src/stashed.txt"),
    (17, State::Stash, "src/stashed.txt"),
    (18, State::Stash, "untracked.txt"),
    (19, State::Stash, "src/stashed.txt"),
    (20, State::Unreachable, "reflog.txt"),
    (21, State::Unreachable, "unreachable.txt"),
    (22, State::Unreachable, ""),
    (23, State::Head, "linked.txt"),
    (24, State::Tag, ""),
    (25, State::Tag, "of-a-tree.txt"),
    (26, State::Worktree, "staged.txt"),
    (30, State::Worktree, "linked-staged.txt"),
    (27, State::Head, "link"),
    (28, State::Head, "copy/one/same.txt"),
    (28, State::Head, "copy/two/same.txt"),
    (29, State::Unreachable, ""),
];

pub(super) fn suffix(number: u64) -> String {
    format!("{:012x}", 0xa1b2_0000_0000_u64 + number * 0x1_0001)
}

pub(super) fn key(number: u64) -> String {
    format!("{:08x}-3a1d-4e0e-8f55-{}", 0x1000_0000 + number, suffix(number))
}

/// A repository in a folder of its own, which is removed at the end.
pub(super) struct Git {
    root: TempDir,
    pub(super) folder: PathBuf,
}

impl Git {
    pub(super) fn new(name: &str, options: &[&str]) -> Self {
        let root = TempDir::new().unwrap();
        let folder = root.path().join(name);
        let git = Self { root, folder };
        fs::create_dir(&git.folder).unwrap();
        git.run(&[&["init", "-q", "-b", "main"], options].concat());
        git
    }

    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn clone_to(&self, name: &str, options: &[&str]) -> PathBuf {
        let folder = self.beside(name);
        let arguments =
            [&["clone", "-q"], options, &[self.folder.to_str().unwrap(), folder.to_str().unwrap()]].concat();
        self.run(&arguments);
        folder
    }

    pub(super) fn run(&self, arguments: &[&str]) -> String {
        self.input(arguments, "")
    }

    /// Without white space at the end.
    pub(super) fn input(&self, arguments: &[&str], input: &str) -> String {
        String::from_utf8(self.bytes(arguments, input)).unwrap().trim_end().to_owned()
    }

    pub(super) fn bytes(&self, arguments: &[&str], input: &str) -> Vec<u8> {
        let mut command = Command::new("git");
        command
            .current_dir(&self.folder)
            .args(["-c", "protocol.file.allow=always", "-c", "gc.auto=0"])
            .args(arguments);
        for (name, value) in [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
        ] {
            command.env(name, value);
        }
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
            command.env(format!("GIT_{who}_DATE"), "@1700000000 +0000");
        }
        let stdin = self.root.path().join("stdin");
        fs::write(&stdin, input).unwrap();
        let output = command.stdin(fs::File::open(stdin).unwrap()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The stream becomes one pack.
    pub(super) fn import(&self, stream: &str) {
        self.input(&["-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--force"], stream);
    }
}

/// A stream for `git fast-import`.
struct Stream {
    text: String,
    commits: u64,
}

impl Stream {
    /// `change` has lines of fast-import; a file is added with [`file`].
    fn commit(&mut self, reference: &str, author: &str, message: &str, change: &[String]) -> &mut Self {
        self.commits += 1;
        let (mark, date) = (self.commits, 1_600_000_000 + self.commits * 1000);
        self.text.extend([format!(
            "commit {reference}\nmark :{mark}\nauthor {author} <a@example.com> {} +0200\n",
            date - 500
        )]);
        self.text.extend([format!(
            "committer Com Mitter <c@example.com> {date} -0500\ndata {}\n{message}\n",
            message.len()
        )]);
        self.text += &change.concat();
        self.text += "\n";
        self
    }
}

fn file(path: &str, content: &str) -> String {
    format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len())
}

/// A history with one commit.
pub(super) fn files(files: &[(&str, &str)]) -> String {
    let mut stream = Stream { text: String::new(), commits: 0 };
    let change: Vec<_> = files.iter().map(|(path, content)| file(path, content)).collect();
    stream.commit("refs/heads/main", "Ada", "one", &change);
    stream.text
}

fn text(line: &str) -> String {
    text_of(line, 12)
}

/// Long enough that versions become deltas.
fn text_of(line: &str, lines: u64) -> String {
    let line_of = |number: u64| format!("line {number} of a file that has {number} and a few words more\n");
    let filler = (0..lines).map(line_of).collect::<Vec<_>>().concat();
    format!("{filler}token = {line} # a comment\n{filler}")
}

/// A history with all that references lead to.
pub(super) fn history() -> String {
    let mut stream = Stream { text: String::new(), commits: 0 };
    let main = "refs/heads/main";
    let app = |line: u64, key: &str| file("src/app.py", &text_of(key, line));
    stream
        .commit(
            main,
            "Ada",
            "root",
            &[
                app(9, "none"),
                file("old.env", &text(&key(1))),
                file("config/a.ini", &text(&key(2))),
                file("decoys.txt", &decoys()),
            ],
        )
        .commit(main, "Ada", "two", &[app(10, &key(IN_HEAD)), file(".gitattributes", "*.bin filter=lfs\n")])
        .commit(main, "Bob", "three", &["D old.env\n".to_owned(), "R config/a.ini config/b.ini\n".to_owned()])
        .commit(main, "Bob", &format!("use {}\n\nnot in the files", key(10)), &[app(14, &key(IN_HEAD))])
        .commit("refs/heads/side", "Ada", "side", &["from :3\n".to_owned(), file("side.txt", "side\n")])
        .commit(
            main,
            "Ada",
            "evil merge",
            &["from :4\nmerge :5\n".to_owned(), file("only-the-merge.txt", &text(&key(3)))],
        )
        .commit(main, "Ada", "undo", &["D only-the-merge.txt\n".to_owned(), file("side.txt", "side\n")])
        .commit(
            "refs/heads/third",
            "Ada",
            "third",
            &["from :1\n".to_owned(), file("third.txt", &text(&key(4)))],
        )
        .commit(
            "refs/heads/other",
            "Ada",
            "other root",
            &["deleteall\n".to_owned(), file("orphan.txt", &text(&key(5)))],
        )
        .commit(
            main,
            "Ada",
            "octopus",
            &["from :7\nmerge :8\nmerge :9\n".to_owned(), file("third.txt", &text(&key(4)))],
        )
        .commit(
            "refs/heads/topic",
            "Ada",
            "topic",
            &["from :7\n".to_owned(), file("dir/branch.txt", &text(&key(6)))],
        )
        .commit(
            "refs/remotes/origin/dev",
            "Ada",
            "dev",
            &["from :7\n".to_owned(), file("remote.txt", &text(&key(7)))],
        )
        .commit(
            "refs/tags/light",
            "Ada",
            "light",
            &["from :7\n".to_owned(), file("tagged.txt", &text(&key(8)))],
        )
        .commit(
            "refs/notes/commits",
            "Ada",
            "note",
            &[format!("N inline :1\ndata {}\n{}\n", key(11).len() + 1, key(11))],
        )
        .commit(
            main,
            &format!("Eve {}", key(IN_AUTHOR)),
            "by Eve",
            &["from :10\n".to_owned(), file("eve.txt", "eve\n")],
        )
        .commit(main, "Ada", "named", &[file(&format!("keys/{}.txt", key(13)), &text(&key(13)))])
        .commit(
            "refs/replace/replaced",
            "Ada",
            "replacement",
            &["from :1\n".to_owned(), file("replacement.txt", &text(&key(14)))],
        );
    let same = text(&key(28));
    let link = format!("M 120000 inline link\ndata {}\n{}\n", key(27).len(), key(27));
    let changes = [file("copy/one/same.txt", &same), file("copy/two/same.txt", &same), link];
    stream.commit(main, "Ada", "copies", &changes);
    stream.commit(main, "Ada", "last", &[app(20, &format!("{0} and {0}", key(IN_HEAD)))]);
    let message = format!("version 1\n\nwith {}", key(9));
    stream.text.extend([format!(
        "tag v1\nfrom :7\ntagger Ada <a@example.com> 1600001000 +0000\ndata {}\n{message}\n",
        message.len()
    )]);
    stream.text
}

/// Of each key what looks like it and is none.
fn decoys() -> String {
    let decoys = |number| {
        let (key, suffix) = (key(number), suffix(number));
        let plain = key.replace('-', "");
        format!(
            "{suffix}\n********-****-****-{suffix}\n0{key}\n{key}0\nobject {}{plain}\n{plain}{}\n\
             x{plain}\n{}\n{}\n",
            &plain[..8],
            &plain[..31],
            key.replace('-', "_"),
            &key[..35],
        )
    };
    (0..KEYS).map(decoys).collect()
}

fn pointer(id: &str, size: usize) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize {size}\n")
}

/// A key in each corner: packed and loose.
pub(super) fn corners() -> Git {
    let git = Git::new("corners", &[]);
    let mut stream = history();
    let (present, absent) = ("ab".repeat(32), "cd".repeat(32));
    let change = [
        file("lfs/present.bin", &pointer(&present, 100)),
        file("lfs/absent.bin", &pointer(&absent, 100)),
        "M 160000 1234567890123456789012345678901234567890 module\n".to_owned(),
    ];
    stream += "commit refs/heads/main\ncommitter Ada <a@example.com> 1600030000 +0000\ndata 3\nlfs\n";
    stream += &change.concat();
    git.import(&stream);
    let folder = git.folder.join(".git/lfs/objects/ab/ab");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(present), text(&key(IN_LFS))).unwrap();
    git.run(&["reset", "-q", "--hard"]);
    stashes(&git);
    strays(&git);
    git
}

/// Two stashes, one of them with index and untracked files.
fn stashes(git: &Git) {
    let path = git.folder.join("src/stashed.txt");
    fs::write(&path, text(&key(19))).unwrap();
    git.run(&["add", "src/stashed.txt"]);
    git.run(&["stash", "push", "-q"]);
    fs::write(&path, text(&key(17))).unwrap();
    git.run(&["add", "src/stashed.txt"]);
    fs::write(&path, text(&key(16))).unwrap();
    fs::write(git.folder.join("untracked.txt"), text(&key(18))).unwrap();
    git.run(&["stash", "push", "-q", "-u"]);
}

/// What no branch has.
fn strays(git: &Git) {
    let blob = |number| git.input(&["hash-object", "-w", "--stdin"], &text(&key(number)));
    let tree =
        |path: &str, number| git.input(&["mktree"], &format!("100644 blob {}\t{path}\n", blob(number)));
    let commit = |path, number| git.run(&["commit-tree", "-m", "stray", &tree(path, number)]);
    let gone = commit("reflog.txt", 20);
    git.run(&["update-ref", "refs/heads/third", &gone]);
    git.run(&["update-ref", "refs/heads/third", "main~2"]);
    commit("unreachable.txt", 21);
    blob(22);
    let linked = commit("linked.txt", 23);
    git.run(&["worktree", "add", "-q", "--detach", git.beside("linked").to_str().unwrap(), &linked]);
    git.run(&["update-ref", "refs/tags/of-a-blob", &blob(24)]);
    git.run(&["update-ref", "refs/tags/of-a-tree", &tree("of-a-tree.txt", 25)]);
    let staged = blob(26);
    git.run(&["update-index", "--add", "--cacheinfo", &format!("100644,{staged},staged.txt")]);
    let in_linked = format!("100644,{},linked-staged.txt", blob(30));
    git.run(&[
        "-C",
        git.beside("linked").to_str().unwrap(),
        "update-index",
        "--add",
        "--cacheinfo",
        &in_linked,
    ]);
    let tag = format!(
        "object {}\ntype commit\ntag gone\ntagger A <a@example.com> 1600000000 +0000\n\n{}\n",
        git.run(&["rev-parse", "main~3"]),
        key(29)
    );
    git.input(&["mktag"], &tag);
}

/// The only pack of a folder of objects.
pub(super) fn pack(objects: &Path) -> PathBuf {
    let mut packs = fs::read_dir(objects.join("pack")).unwrap().map(|entry| entry.unwrap().path());
    packs.find(|path| path.extension().is_some_and(|extension| extension == "pack")).unwrap()
}

/// Git's files are read-only.
pub(super) fn replace(path: &Path, content: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
}
