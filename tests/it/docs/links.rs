//! Links of the pages lead somewhere, and the README leads to every page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Page, all_pages, root};

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut anchors, mut counts) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let kept = |c: char| c.is_alphanumeric() || "-_ ".contains(c);
                let slug: String =
                    heading.take().unwrap().to_lowercase().chars().filter(|c| kept(*c)).collect();
                let slug = slug.replace(' ', "-");
                let count = counts.entry(slug.clone()).or_default();
                anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                *count += 1;
            }
            _ => {}
        }
    }
    anchors
}

/// What a page links to, and the pictures that it shows.
fn targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                targets.push(dest_url.into_string());
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let sources = html.split("src=\"").skip(1);
                targets.extend(sources.map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
            _ => {}
        }
    }
    targets
}

/// A path without `..`, from the root of the repository.
fn resolved(page: &Page, path: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for component in Path::new(&page.name).parent().unwrap().join(path).components() {
        if component == Component::ParentDir {
            assert!(resolved.pop(), "{} links out of the repository: {path}", page.name);
        } else {
            resolved.push(component);
        }
    }
    resolved
}

#[test]
fn every_link_leads_to_a_file_and_an_anchor_that_exist() {
    let mut seen = 0;
    for page in all_pages() {
        for target in targets(&page.text).iter().filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let name = if path.is_empty() { page.name.clone().into() } else { resolved(&page, path) };
            let file = root().join(&name);
            assert!(file.exists(), "{} links to {target}, which does not exist", page.name);
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&file).unwrap();
                assert!(anchors(&text).contains(anchor), "{} links to {target}: no such anchor", page.name);
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} links");
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let pages = all_pages();
    let readme = pages.iter().find(|page| page.name == "README.md").unwrap();
    let linked: BTreeSet<_> = targets(&readme.text).into_iter().collect();
    let others: BTreeSet<_> =
        pages.iter().map(|page| page.name.clone()).filter(|name| name != "README.md").collect();
    let missing: Vec<_> = others.difference(&linked).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
