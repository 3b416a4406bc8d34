//! What the service sends when it did what it was asked to: documents, pages, links and envelopes.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::input::Query;
use crate::state::suffix;

/// The outcome of a call.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Document(StatusCode, Value),
    List(Page),
    NoContent,
}

/// One page of a list: its rows, its links, and the count if the caller wants it.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Value>,
    pub(super) links: Vec<Value>,
    pub(super) total: Option<u64>,
}

impl Answer {
    pub(super) fn ok(document: Value) -> Self {
        Self::Document(StatusCode::OK, document)
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Document(status, _) => *status,
            Self::List(_) => StatusCode::OK,
            Self::NoContent => StatusCode::NO_CONTENT,
        }
    }

    /// The document to send, in its envelope if there is to be one; `None` for no body at all.
    pub(super) fn into_document(self, envelope: bool) -> Option<Value> {
        let status = self.status().as_u16();
        match self {
            Self::NoContent => None,
            Self::Document(_, content) if envelope => Some(json!({ "status": status, "content": content })),
            Self::Document(_, content) => Some(content),
            Self::List(page) => {
                let mut document = json!({ "links": page.links, "results": page.rows });
                if let Some(total) = page.total {
                    document["totalCount"] = total.into();
                }
                if envelope {
                    document["status"] = status.into();
                }
                Some(document)
            }
        }
    }
}

/// The links of a page: itself, the one before unless it is the first, the one after unless it is the last.
pub(super) fn links(href: &str, query: &Query, total: u64) -> Vec<Value> {
    let link =
        |rel: &str, page: u64| json!({ "href": format!("{href}?{}", query.for_page(page)), "rel": rel });
    let mut links = vec![link("self", query.page)];
    if query.page > 1 {
        links.push(link("previous", query.page - 1));
    }
    if query.page.saturating_mul(query.per_page) < total {
        links.push(link("next", query.page + 1));
    }
    links
}

/// A UUID as it is shown after its creation: with four groups, not five.
pub(super) fn masked(secret: &str) -> String {
    format!("********-****-****-{}", suffix(secret))
}

/// A time as the service writes it: UTC, to the second.
pub(super) fn time(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}
