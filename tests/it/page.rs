//! What a real Markdown parser sees in `migration-report.md`.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Rows with their cells, headers among them, in the order of the page.
    pub(crate) rows: Vec<Vec<String>>,
    /// Texts with their levels.
    pub(crate) headings: Vec<(u8, String)>,
    /// Where links and images lead.
    pub(crate) links: Vec<String>,
    /// Raw HTML.
    pub(crate) html: Vec<String>,
    /// Fenced blocks, with their language.
    pub(crate) blocks: Vec<(String, String)>,
    /// All that is text outside of code.
    pub(crate) prose: String,
}

pub(crate) fn parse(markdown: &str) -> Page {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_GFM
        | Options::ENABLE_FOOTNOTES;
    let mut page = Page::default();
    let (mut text, mut block) = (String::new(), String::new());
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => page.rows.push(Vec::new()),
            Event::Start(Tag::TableCell | Tag::Heading { .. }) => text.clear(),
            Event::End(TagEnd::TableCell) => page.rows.last_mut().unwrap().push(std::mem::take(&mut text)),
            Event::End(TagEnd::Heading(level)) => {
                page.headings.push((level as u8, std::mem::take(&mut text)));
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Html(html) | Event::InlineHtml(html) => page.html.push(html.into_string()),
            Event::Start(Tag::CodeBlock(kind)) => {
                text.clear();
                block = match kind {
                    CodeBlockKind::Fenced(language) => language.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
            }
            Event::End(TagEnd::CodeBlock) => {
                page.blocks.push((std::mem::take(&mut block), std::mem::take(&mut text)));
            }
            Event::Text(more) => {
                page.prose.push_str(&more);
                text.push_str(&more);
            }
            Event::Code(more) => text.push_str(&more),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            _ => {}
        }
    }
    page
}

/// The number that a table gives for this label.
pub(crate) fn number(markdown: &str, label: &str) -> Option<usize> {
    parse(markdown).rows.iter().find(|row| row[0] == label).and_then(|row| row.get(1)?.parse().ok())
}
