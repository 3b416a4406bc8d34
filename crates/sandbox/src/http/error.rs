//! The error documents of the service: one function an `errorCode`, with its status and text.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::product::ListName;
use crate::state::{AddressRefusal, InvalidNetwork};

/// Why the service did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    code: Code,
    detail: String,
    parameters: Vec<String>,
}

impl From<InvalidNetwork> for ApiError {
    fn from(InvalidNetwork(text): InvalidNetwork) -> Self {
        let detail = format!("{text} is neither an IP address nor a CIDR block.");
        bad_request("INVALID_IP_ADDRESS_OR_CIDR_NOTATION", detail, &[&text])
    }
}

type Code = Cow<'static, str>;

fn bad_request(code: impl Into<Code>, detail: impl Into<String>, parameters: &[&str]) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code, detail, parameters)
}

fn unauthorized(code: impl Into<Code>, detail: impl Into<String>, parameters: &[&str]) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, code, detail, parameters)
}

fn forbidden(code: impl Into<Code>, detail: impl Into<String>, parameters: &[&str]) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, detail, parameters)
}

fn not_found(code: impl Into<Code>, detail: impl Into<String>, parameters: &[&str]) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, code, detail, parameters)
}

impl ApiError {
    fn new(
        status: StatusCode,
        code: impl Into<Code>,
        detail: impl Into<String>,
        parameters: &[&str],
    ) -> Self {
        let parameters = parameters.iter().map(|one| (*one).to_owned()).collect();
        Self { status, code: code.into(), detail: detail.into(), parameters }
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "detail": self.detail,
            "error": self.status.as_u16(),
            "errorCode": self.code,
            "parameters": self.parameters,
            "reason": self.status.canonical_reason(),
        })
    }

    pub(super) fn address_refused(refusal: AddressRefusal, list: ListName, address: &str) -> Self {
        let list = list.code();
        match refusal {
            AddressRefusal::NotOnList => forbidden(
                format!("IP_ADDRESS_NOT_ON_{list}"),
                format!("{address} is not on the list of the key in use."),
                &[address],
            ),
            AddressRefusal::ListRequired => forbidden(
                format!("ORG_REQUIRES_{list}"),
                "The organization wants every key to have an IP list.",
                &[],
            ),
        }
    }

    pub(super) fn malformed_json() -> Self {
        bad_request("MALFORMED_JSON", "The request's body is not the JSON expected here.", &[])
    }

    pub(super) fn invalid_query_parameter(name: &str) -> Self {
        bad_request(
            "INVALID_QUERY_PARAMETER",
            format!("The query parameter {name} has no valid value."),
            &[name],
        )
    }

    pub(super) fn invalid_attribute(name: &str) -> Self {
        bad_request("INVALID_ATTRIBUTE", format!("The attribute {name} has no valid value."), &[name])
    }

    pub(super) fn invalid_description() -> Self {
        bad_request(
            "INVALID_API_KEY_DESC",
            "An API key wants a description of 1 to 250 characters.",
            &["250"],
        )
    }

    pub(super) fn missing_roles() -> Self {
        bad_request("MISSING_API_KEY_ROLES", "An API key wants at least one role.", &[])
    }

    pub(super) fn invalid_role_for_org(role: &str, org: &str) -> Self {
        bad_request("INVALID_ROLE_FOR_ORG", format!("{role} is no role of organization {org}."), &[role, org])
    }

    pub(super) fn invalid_role_for_group(role: &str, group: &str) -> Self {
        bad_request(
            "INVALID_ROLE_FOR_GROUP",
            format!("{role} is no role of project {group}."),
            &[role, group],
        )
    }

    pub(super) fn invalid_role_for_global_key(role: &str) -> Self {
        bad_request("INVALID_ROLE_FOR_GLOBAL_KEY", format!("{role} is no role of a global API key."), &[role])
    }

    pub(super) fn cannot_remove_caller(list: ListName, entry: &str) -> Self {
        bad_request(
            format!("CANNOT_REMOVE_CALLER_FROM_{}", list.code()),
            format!("{entry} holds the caller's own address."),
            &[entry],
        )
    }

    pub(super) fn not_self() -> Self {
        unauthorized("NOT_SELF", "The caller is not the user asked for.", &[])
    }

    pub(super) fn user_unauthorized() -> Self {
        unauthorized("USER_UNAUTHORIZED", "The caller may not do this.", &[])
    }

    pub(super) fn not_in_group() -> Self {
        unauthorized("NOT_IN_GROUP", "The caller is not in this project.", &[])
    }

    pub(super) fn not_org_owner(org: &str) -> Self {
        unauthorized("NOT_ORG_OWNER", format!("The caller is no owner of organization {org}."), &[org])
    }

    pub(super) fn not_global_user_admin() -> Self {
        unauthorized("NOT_GLOBAL_USER_ADMIN", "The caller lacks the global role for this.", &[])
    }

    pub(super) fn user_cannot_access_org() -> Self {
        unauthorized("USER_CANNOT_ACCESS_ORG", "The caller is not in this organization.", &[])
    }

    pub(super) fn access_list_denied(list: ListName, user: &str) -> Self {
        unauthorized(
            format!("{}_ACCESS_DENIED", list.code()),
            format!("The list of user {user} is that user's alone."),
            &[user],
        )
    }

    pub(super) fn key_list_denied(list: ListName) -> Self {
        bad_request(
            format!("API_KEY_{}_ACCESS_DENIED", list.code()),
            "The IP list of an API key is for that key and the owners of its organization alone.",
            &[],
        )
    }

    pub(super) fn cannot_add_global_role() -> Self {
        forbidden("CANNOT_ADD_GLOBAL_ROLE", "A global role can't be granted here.", &[])
    }

    pub(super) fn too_many_personal_keys() -> Self {
        forbidden("MAX_PUBLIC_API_KEY_REACHED", "A user has at most 10 personal API keys.", &["10"])
    }

    pub(super) fn user_not_found(id: &str) -> Self {
        not_found("USER_NOT_FOUND", format!("No user with ID {id} exists."), &[id])
    }

    pub(super) fn username_not_found(name: &str) -> Self {
        not_found("USERNAME_NOT_FOUND", format!("No user with username {name} exists."), &[name])
    }

    pub(super) fn invalid_user_id(id: &str) -> Self {
        not_found("INVALID_USER_ID", format!("{id} is not the ID of a user."), &[id])
    }

    pub(super) fn invalid_key_id(id: &str) -> Self {
        not_found("INVALID_KEY_ID", format!("{id} is not the ID of a key of this user."), &[id])
    }

    pub(super) fn org_not_found(id: &str) -> Self {
        not_found("ORG_NOT_FOUND", format!("No organization with ID {id} exists."), &[id])
    }

    pub(super) fn group_not_found(id: &str) -> Self {
        not_found("GROUP_NOT_FOUND", format!("No project with ID {id} exists."), &[id])
    }

    pub(super) fn group_name_not_found(name: &str) -> Self {
        not_found("GROUP_NAME_NOT_FOUND", format!("No project with name {name} exists."), &[name])
    }

    pub(super) fn team_not_found(team: &str) -> Self {
        not_found("TEAM_NOT_FOUND", format!("No team {team} exists in this organization."), &[team])
    }

    pub(super) fn event_not_found(id: &str) -> Self {
        not_found("EVENT_NOT_FOUND", format!("No event with ID {id} exists here."), &[id])
    }

    pub(super) fn api_key_not_found(id: &str) -> Self {
        not_found("API_KEY_NOT_FOUND", format!("No API key with ID {id} exists here."), &[id])
    }

    pub(super) fn service_account_not_found(id: &str) -> Self {
        not_found("SERVICE_ACCOUNT_NOT_FOUND", format!("No service account {id} exists here."), &[id])
    }

    pub(super) fn version_not_acceptable(accept: &str) -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "VERSION_NOT_ACCEPTABLE",
            format!("The header Accept names no version of this resource: {accept}."),
            &[accept],
        )
    }

    pub(super) fn entry_not_found(list: ListName, entry: &str) -> Self {
        not_found(
            format!("{}_NOT_FOUND", list.code()),
            format!("No entry {entry} exists in this list."),
            &[entry],
        )
    }

    pub(super) fn resource_not_found(path: &str) -> Self {
        not_found("RESOURCE_NOT_FOUND", format!("Cannot find resource {path}."), &[path])
    }

    pub(super) fn method_not_allowed(method: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            format!("The resource does not take {method}."),
            &[method],
        )
    }

    pub(super) fn personal_keys_deprecated() -> Self {
        Self::new(
            StatusCode::GONE,
            "PERSONAL_API_KEYS_DEPRECATED",
            "Personal API keys are deprecated: use programmatic API keys.",
            &[],
        )
    }
}
