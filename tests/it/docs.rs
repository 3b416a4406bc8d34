//! README, docs, CHANGELOG and ARCHITECTURE as a reader meets them: the layout of a page, links, and commands to paste.

use std::path::Path;

mod commands;
mod elsewhere;
mod layout;
mod links;
mod picture;
mod terminal;

/// A page, and its path from the root of the repository.
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the pages are to be renewed from what the program prints, as `golden` renews its snapshots.
pub(crate) fn renewing() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always")
}

/// README.md and all pages of `docs`, by name.
pub(crate) fn pages() -> Vec<Page> {
    let mut pages: Vec<_> = markdown(&root().join("docs")).chain([page(&root().join("README.md"))]).collect();
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    pages
}

/// [`pages`], and all other pages of the root.
pub(crate) fn all_pages() -> Vec<Page> {
    let more = markdown(root()).filter(|page| page.name != "README.md");
    more.chain(pages()).collect()
}

fn markdown(folder: &Path) -> impl Iterator<Item = Page> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).map(|path| page(&path))
}

fn page(path: &Path) -> Page {
    let text = std::fs::read_to_string(path).unwrap();
    Page { name: path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), text }
}

/// A block of code: its language, and its lines with their numbers, counted from 1.
pub(crate) struct Fence<'a> {
    pub(crate) language: &'a str,
    pub(crate) lines: Vec<(usize, &'a str)>,
}

/// The blocks of code of a page, and the lines outside of them.
pub(crate) fn split(text: &str) -> (Vec<Fence<'_>>, Vec<(usize, &str)>) {
    let (mut fences, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Fence<'_>> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some(Fence { language, lines: Vec::new() }),
            (Some(_), Some(_)) => fences.extend(open.take()),
            (None, Some(fence)) => fence.lines.push((number, line)),
            (None, None) => prose.push((number, line)),
        }
    }
    assert!(open.is_none(), "a block of code without an end");
    (fences, prose)
}
