//! One authenticated request, as the resources see it: who calls, what for, and how to answer in the caller's terms.

use std::net::IpAddr;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Page, Rows, links};
use super::orgs::Organization;
use super::product::Product;
use super::query::Query;
use super::refusal::Refusal;
use super::roles::Role;
use super::service::Service;

/// The methods that some resource takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Patch,
    Delete,
    /// Anything else, which no resource takes.
    Other,
}

impl Method {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Who calls: a programmatic key counts as the user who made it, but has its own roles.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: u64,
    pub(super) key: KeyInUse,
    pub(super) roles: Vec<Role>,
}

/// The key behind the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyInUse {
    /// By its id.
    Personal(String),
    /// By its index.
    Programmatic(u64),
}

/// One authenticated request.
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    pub(super) caller: Caller,
    pub(super) method: Method,
    /// The method as it was sent.
    pub(super) method_name: &'a str,
    /// `http://{host}` and the base path: what every link begins with.
    pub(super) base: String,
    /// What follows the base path, encoded as it came, without a trailing slash.
    pub(super) path: &'a str,
    pub(super) query: Query,
    pub(super) body: &'a [u8],
    /// Where the request came from.
    pub(super) address: IpAddr,
}

impl Call<'_> {
    /// The page that the query asks for, of a list of `total`.
    pub(super) fn list(&self, total: u64, rows: impl FnOnce(Rows) -> Vec<Value>) -> Answer {
        let skip = (self.query.page - 1).saturating_mul(self.query.per_page);
        let rows = rows(Rows { skip, take: self.query.per_page });
        let links = links(&self.href(self.path), &self.query, total);
        let total = self.query.include_count.then_some(total);
        Answer::Page(StatusCode::OK, Page { rows, links, total })
    }

    pub(super) fn href(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The `links` of a single thing.
    pub(super) fn self_link(&self, path: &str) -> Value {
        json!([{ "href": self.href(path), "rel": "self" }])
    }

    pub(super) fn deleted(&self) -> Answer {
        if self.service.served.deletes_with_a_body() { Answer::ok(json!({})) } else { Answer::Nothing }
    }

    pub(super) fn wrong_method(&self) -> Refusal {
        Refusal::MethodNotAllowed(self.method_name.to_owned())
    }

    /// # Errors
    /// What is not the shape of an id, and an id that nobody has.
    pub(super) fn user(&self, id: &str) -> Result<u64, Refusal> {
        if !is_id(id) {
            return Err(Refusal::InvalidUserId(id.to_owned()));
        }
        self.service.world.user_by_id(id).ok_or_else(|| Refusal::UserNotFound(id.to_owned()))
    }

    pub(super) fn is_global_owner(&self) -> bool {
        self.has_global(&["GLOBAL_OWNER"])
    }

    /// Whether the caller sees all organizations, projects and users.
    pub(super) fn sees_everything(&self) -> bool {
        self.has_global(&["GLOBAL_OWNER", "GLOBAL_READ_ONLY", "GLOBAL_USER_ADMIN"])
    }

    /// Only Ops Manager knows global roles.
    pub(super) fn has_global(&self, names: &[&str]) -> bool {
        let known = self.service.served.product == Product::OpsManager;
        known && self.caller.roles.iter().any(|role| role.is_global() && names.contains(&role.name.as_str()))
    }

    /// Whether the caller is in the organization, be it by one of its projects.
    pub(super) fn is_in(&self, org: &Organization) -> bool {
        let by_project = |role: &Role| {
            let id = role.group_id.as_deref();
            let group = id.and_then(|id| self.service.group_by_id(id));
            group.is_some_and(|group| self.service.world.groups()[group].org_id == org.id)
        };
        self.caller.roles.iter().any(|role| role.is_in_org(&org.id) || by_project(role))
    }

    pub(super) fn has_role_in(&self, org_id: &str, names: &[&str]) -> bool {
        self.caller.roles.iter().any(|role| role.is_in_org(org_id) && names.contains(&role.name.as_str()))
    }
}

/// Whether a text has the shape of an id: 24 hexadecimal digits.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}
