//! What the service says when it does what it was asked to: documents, pages, links and envelopes.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::Query;

/// The outcome of a call.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    One(StatusCode, Value),
    /// One page of a list: its rows, its links, and the count if the caller wants it.
    Page(StatusCode, Page),
    /// 204.
    Nothing,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Value>,
    pub(super) links: Vec<Value>,
    pub(super) total: Option<u64>,
}

/// Which rows of a list a page shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub(super) skip: u64,
    pub(super) take: u64,
}

impl Rows {
    /// These rows of a list that is there as a whole.
    pub(super) fn of<T>(self, all: &[T]) -> impl Iterator<Item = &T> {
        self.cut(all.iter())
    }

    pub(super) fn cut<I: Iterator>(self, all: I) -> impl Iterator<Item = I::Item> {
        let (skip, take) = (usize::try_from(self.skip), usize::try_from(self.take));
        all.skip(skip.unwrap_or(usize::MAX)).take(take.unwrap_or(usize::MAX))
    }
}

impl Answer {
    pub(super) fn ok(document: Value) -> Self {
        Self::One(StatusCode::OK, document)
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::One(status, _) | Self::Page(status, _) => *status,
            Self::Nothing => StatusCode::NO_CONTENT,
        }
    }

    /// The document to send, in its envelope if there is to be one; `None` for no body at all.
    pub(super) fn document(self, envelope: bool) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::One(status, content) if envelope => {
                Some(json!({ "status": status.as_u16(), "content": content }))
            }
            Self::One(_, content) => Some(content),
            Self::Page(status, page) => {
                let mut document = json!({ "links": page.links, "results": page.rows });
                if let Some(total) = page.total {
                    document["totalCount"] = total.into();
                }
                if envelope {
                    document["status"] = status.as_u16().into();
                }
                Some(document)
            }
        }
    }
}

/// The links of a page: itself, the one before unless it is the first, the one after unless it is the last.
pub(super) fn links(href: &str, query: &Query, total: u64) -> Vec<Value> {
    let link = |rel: &str, page: u64| json!({ "href": format!("{href}?{}", query.at(page)), "rel": rel });
    let mut links = vec![link("self", query.page)];
    if query.page > 1 {
        links.push(link("previous", query.page - 1));
    }
    if query.page.saturating_mul(query.per_page) < total {
        links.push(link("next", query.page + 1));
    }
    links
}
