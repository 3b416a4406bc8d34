//! What git says of a repository, object by object.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use keysunset::place::{Place, State};

use super::repository::{Git, KEYS, key, suffix};

/// A place as text.
pub(super) fn row(place: &Place) -> String {
    let first = place.first.as_ref();
    format!(
        "{} {} {} {:?}:{:?} {} {} {} {} {:?}",
        place.path,
        place.suffix.as_str(),
        place.state,
        place.line,
        place.column,
        first.map_or("", |commit| &commit.id),
        first.map_or(0, |commit| commit.date.timestamp()),
        first.map_or("", |commit| &commit.author),
        place.last_commit.as_deref().unwrap_or_default(),
        place.versions,
    )
}

struct Commit {
    id: String,
    committed: i64,
    authored: i64,
    author: String,
    state: State,
}

/// All that has one key at one path: the commit, if any, the object with its line and column.
type Sightings = Vec<(State, Option<usize>, String, (usize, usize))>;

/// All places, in order.
pub(super) fn places(git: &Git) -> Vec<String> {
    let objects = objects(git);
    let commits = commits(git, &objects);
    let mut found: BTreeMap<(String, u64), Sightings> = BTreeMap::new();
    let mut with_path = HashSet::new();
    let mut trees = Vec::new();
    for (rank, commit) in commits.iter().enumerate() {
        trees.push((Some(rank), commit.state, commit.id.clone()));
        let (before, message) = split(&objects[&commit.id].1);
        for (number, place) in
            keys(before).into_iter().map(|(number, _)| (number, (0, 0))).chain(keys(message))
        {
            let sightings = found.entry((String::new(), number)).or_default();
            sightings.push((commit.state, Some(rank), commit.id.clone(), place));
        }
    }
    let heads: BTreeSet<_> = commits
        .iter()
        .filter(|commit| commit.state == State::Head)
        .flat_map(|commit| files(git, &commit.id))
        .collect();
    for (path, blob) in staged(git) {
        with_path.insert(blob.clone());
        for (number, place) in keys(&objects[&blob].1) {
            if !heads.contains(&(path.clone(), blob.clone())) {
                let sightings = found.entry((path.clone(), number)).or_default();
                sightings.push((State::Worktree, None, blob.clone(), place));
            }
        }
    }
    let references =
        git.run(&["for-each-ref", "--format=%(objectname) %(objecttype) %(*objectname) %(refname)"]);
    let mut direct = HashMap::new();
    for line in references.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [id, "tree", ..] => trees.push((None, State::Tag, id.to_owned())),
            [id, kind @ ("blob" | "tag"), ..] => drop(direct.insert(id.to_owned(), kind)),
            _ => {}
        }
    }
    for (rank, state, tree) in trees {
        for (path, blob) in files(git, &tree) {
            with_path.insert(blob.clone());
            for (number, place) in keys(&objects[&blob].1) {
                found.entry((path.clone(), number)).or_default().push((state, rank, blob.clone(), place));
            }
        }
    }
    for (id, (kind, content)) in &objects {
        let state = if direct.contains_key(id) { State::Tag } else { State::Unreachable };
        if kind == "blob" && (!with_path.contains(id) || direct.contains_key(id)) {
            for (number, place) in keys(content) {
                found.entry((id.clone(), number)).or_default().push((state, None, id.clone(), place));
            }
        }
        if kind == "tag" {
            let of = git.run(&["rev-parse", &format!("{id}^{{commit}}")]);
            let rank = commits.iter().position(|commit| commit.id == of);
            for (number, place) in keys(split(content).1) {
                found.entry((String::new(), number)).or_default().push((state, rank, id.clone(), place));
            }
        }
    }
    found
        .into_iter()
        .map(|((path, number), sightings)| expected(&commits, &path, number, &sightings))
        .collect()
}

fn expected(commits: &[Commit], path: &str, number: u64, sightings: &Sightings) -> String {
    let state = sightings.iter().map(|sighting| sighting.0).min().unwrap();
    let kept: Vec<_> = sightings
        .iter()
        .filter(|sighting| sighting.0 != State::Unreachable || state == State::Unreachable)
        .collect();
    let first = kept.iter().filter_map(|sighting| sighting.1).min().map(|rank| &commits[rank]);
    let last = kept.iter().max_by_key(|sighting| sighting.1).unwrap();
    // A version with the key twice has its first line.
    let is_staged = state == State::Worktree;
    let shown =
        kept.iter().filter(|sighting| if is_staged { sighting.0 == state } else { sighting.1 == last.1 });
    let place = shown.map(|sighting| sighting.3).min().unwrap();
    let (line, column) = if place.0 == 0 { (None, None) } else { (Some(place.0), Some(place.1)) };
    let versions: BTreeSet<_> = sightings.iter().map(|sighting| &sighting.2).collect();
    format!(
        "{} {} {state} {line:?}:{column:?} {} {} {} {} {:?}",
        masked(path),
        suffix(number),
        first.map_or("", |commit| &commit.id),
        first.map_or(0, |commit| commit.authored),
        first.map_or(String::new(), |commit| masked(&commit.author)),
        last.1.map_or("", |rank| &commits[rank].id),
        Some(versions.len()),
    )
}

fn masked(text: &str) -> String {
    (0..KEYS).fold(text.to_owned(), |text, number| {
        text.replace(&key(number), &format!("********-****-****-{}", suffix(number)))
    })
}

/// Before and after the first empty line.
fn split(object: &str) -> (&str, &str) {
    object.split_once("\n\n").unwrap()
}

/// Number, line and column of all keys in a text.
fn keys(text: &str) -> Vec<(u64, (usize, usize))> {
    let mut found = Vec::new();
    for (line, content) in text.lines().enumerate().filter(|(_, line)| line.contains("-3a1d-4e0e-8f55-")) {
        for number in 0..KEYS {
            let key = key(number);
            let matches = content.match_indices(&key).filter(|(at, key)| is_whole(content, *at, key));
            found.extend(matches.map(|(at, _)| (number, (line + 1, at + 1))));
        }
    }
    found
}

/// Whether no digit of a longer number is beside a key.
fn is_whole(text: &str, at: usize, key: &str) -> bool {
    let (before, after) = (text[..at].chars().next_back(), text[at + key.len()..].chars().next());
    [before, after].into_iter().flatten().all(|c| !c.is_ascii_hexdigit())
}

/// Path and id of all files of the index, of all work trees.
fn staged(git: &Git) -> Vec<(String, String)> {
    let list = git.run(&["worktree", "list", "--porcelain"]);
    let folders = list.lines().filter_map(|line| line.strip_prefix("worktree "));
    let mut staged = Vec::new();
    for folder in folders.filter(|_| !list.lines().any(|line| line == "bare")) {
        let files = git.run(&["-C", folder, "ls-files", "-s", "-z"]);
        for entry in files.split('\0').filter(|entry| entry.starts_with("10") || entry.starts_with("12")) {
            let (entry, path) = entry.split_once('\t').unwrap();
            if let [_, id, "0"] = entry.split(' ').collect::<Vec<_>>()[..] {
                staged.push((path.to_owned(), id.to_owned()));
            }
        }
    }
    staged
}

/// Kind and content by id; of a pointer of Git LFS, the content that it is to.
fn objects(git: &Git) -> HashMap<String, (String, String)> {
    let all = git.bytes(&["cat-file", "--batch-all-objects", "--batch"], "");
    let mut rest = &all[..];
    let mut objects = HashMap::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
        let header = String::from_utf8(rest[..end].to_vec()).unwrap();
        let [id, kind, size] = header.split(' ').collect::<Vec<_>>()[..] else { panic!("{header}") };
        let start = end + 1;
        let end = start + size.parse::<usize>().unwrap();
        let mut content = String::from_utf8_lossy(&rest[start..end]).into_owned();
        if let Some(content_id) = content.lines().find_map(|line| line.strip_prefix("oid sha256:")) {
            let path = git.folder.join(format!(
                ".git/lfs/objects/{}/{}/{content_id}",
                &content_id[..2],
                &content_id[2..4]
            ));
            content = std::fs::read_to_string(path).unwrap_or_default();
        }
        objects.insert(id.to_owned(), (kind.to_owned(), content));
        rest = &rest[end + 1..];
    }
    objects
}

/// In the order of their dates, then ids.
fn commits(git: &Git, objects: &HashMap<String, (String, String)>) -> Vec<Commit> {
    let ids: String =
        objects.iter().filter(|(_, (kind, _))| kind == "commit").map(|(id, _)| id.clone() + "\n").collect();
    let lines = |text: String| -> HashSet<String> { text.lines().map(str::to_owned).collect() };
    let heads: Vec<_> = git
        .run(&["worktree", "list", "--porcelain"])
        .lines()
        .filter_map(|line| line.strip_prefix("HEAD ").map(str::to_owned))
        .collect();
    let refs = |folder: &str| {
        lines(git.run(&[
            "for-each-ref",
            "--format=%(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)",
            folder,
        ]))
    };
    let mut branches = refs("refs/heads");
    branches.extend(refs("refs/remotes"));
    let tags = refs("refs/tags");
    let list = git.run(&["stash", "list", "--format=%H %P"]);
    let mut stashed = HashSet::new();
    for line in list.lines() {
        let ids: Vec<_> = line.split(' ').collect();
        stashed.extend(ids.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, id)| (*id).to_owned()));
    }
    let roots: Vec<_> = heads.iter().chain(&stashed).map(String::as_str).collect();
    let reachable = lines(git.run(&[&["rev-list", "--all"], &roots[..]].concat()));
    let log =
        git.input(&["log", "--no-walk=unsorted", "--stdin", "--format=%H%x00%ct%x00%at%x00%an <%ae>"], &ids);
    let mut commits: Vec<_> = log
        .lines()
        .map(|line| {
            let [id, committed, authored, author] = line.split('\0').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let state = match () {
                () if heads.iter().any(|head| head == id) => State::Head,
                () if branches.contains(id) => State::Branch,
                () if tags.contains(id) => State::Tag,
                () if stashed.contains(id) => State::Stash,
                () if reachable.contains(id) => State::History,
                () => State::Unreachable,
            };
            let (committed, authored) = (committed.parse().unwrap(), authored.parse().unwrap());
            Commit { id: id.to_owned(), committed, authored, author: author.to_owned(), state }
        })
        .collect();
    commits.sort_by(|a, b| (a.committed, &a.id).cmp(&(b.committed, &b.id)));
    commits
}

/// Path and id of all files of a tree.
fn files(git: &Git, tree: &str) -> Vec<(String, String)> {
    let list = git.run(&["ls-tree", "-r", "-z", "--full-tree", tree]);
    let entries = list.split('\0').filter_map(|entry| entry.split_once('\t'));
    entries
        .filter_map(|(entry, path)| {
            let [_, "blob", id] = entry.split(' ').collect::<Vec<_>>()[..] else { return None };
            Some((path.to_owned(), id.to_owned()))
        })
        .collect()
}
