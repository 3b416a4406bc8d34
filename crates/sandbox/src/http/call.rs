//! One authenticated request, as the resources see it: the caller, what it asks for, and what the caller may do.

use std::net::IpAddr;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, Page, links};
use super::error::ApiError;
use super::input::Query;
use crate::product::Product;
use crate::state::{Caller, Deployment, Organization, PageRange, Scope, World, is_id};

/// One authenticated request.
pub(super) struct Call<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) caller: Caller,
    pub(super) method: &'a Method,
    /// `http://{host}` and the base path: what every link begins with.
    pub(super) base_url: String,
    /// What follows the base path, encoded as it came, without a trailing slash.
    pub(super) path: &'a str,
    pub(super) query: Query,
    pub(super) body: &'a [u8],
    /// The address that the request came from.
    pub(super) address: IpAddr,
}

impl<'a> Call<'a> {
    pub(super) fn world(&self) -> &'a dyn World {
        &*self.deployment.world
    }

    /// The rows of the page that the query asks for.
    pub(super) fn range(&self) -> PageRange {
        PageRange {
            skip: (self.query.page - 1).saturating_mul(self.query.per_page),
            take: self.query.per_page,
        }
    }

    /// The page that the query asks for, of a list of `total`.
    pub(super) fn list(&self, rows: Vec<Value>, total: u64) -> Answer {
        let links = links(&self.href(self.path), &self.query, total);
        Answer::List(Page { rows, links, total: self.query.include_count.then_some(total) })
    }

    /// The page that the query asks for, of a list that is in memory as a whole.
    pub(super) fn list_all<T>(&self, all: &[T], row: impl FnMut(&T) -> Value) -> Answer {
        self.list(self.range().slice(all).iter().map(row).collect(), all.len() as u64)
    }

    pub(super) fn href(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The `links` of a single thing.
    pub(super) fn self_link(&self, path: &str) -> Value {
        json!([{ "href": self.href(path), "rel": "self" }])
    }

    pub(super) fn deleted(&self) -> Answer {
        if self.deployment.rules.deletes_with_a_body() {
            Answer::Document(StatusCode::OK, json!({}))
        } else {
            Answer::NoContent
        }
    }

    pub(super) fn wrong_method(&self) -> ApiError {
        ApiError::method_not_allowed(self.method.as_str())
    }

    /// # Errors
    /// Any other method.
    pub(super) fn only_get(&self) -> Result<(), ApiError> {
        if self.method == Method::GET { Ok(()) } else { Err(self.wrong_method()) }
    }

    /// The user with this id.
    ///
    /// # Errors
    /// What is not the shape of an id, and an id that no user has.
    pub(super) fn user(&self, id: &str) -> Result<u64, ApiError> {
        if !is_id(id) {
            return Err(ApiError::invalid_user_id(id));
        }
        self.world().user_by_id(id).ok_or_else(|| ApiError::user_not_found(id))
    }

    pub(super) fn is_global_owner(&self) -> bool {
        self.has_global_role(&["GLOBAL_OWNER"])
    }

    /// Whether the caller sees all organizations, projects and users.
    pub(super) fn sees_everything(&self) -> bool {
        self.has_global_role(&["GLOBAL_OWNER", "GLOBAL_READ_ONLY", "GLOBAL_USER_ADMIN"])
    }

    /// Only Ops Manager knows global roles.
    pub(super) fn has_global_role(&self, names: &[&str]) -> bool {
        self.deployment.rules.product == Product::OpsManager && self.has_role_in(Scope::Global, names)
    }

    /// Whether the caller is in the organization, directly or in one of its projects.
    pub(super) fn is_in(&self, org: &Organization) -> bool {
        self.caller.roles.iter().any(|role| role.reaches(&org.id, self.world().groups()))
    }

    pub(super) fn has_role_in(&self, scope: Scope, names: &[&str]) -> bool {
        self.caller.roles.iter().any(|role| role.is_in(scope) && names.contains(&role.name.as_str()))
    }
}
