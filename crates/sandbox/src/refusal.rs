//! The error documents of the service: one variant a code, and every code's status and text in one place.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::product::Spelling;

/// The body of the digest layer's own refusal, which has no `errorCode`.
pub(super) const NOT_AUTHORIZED: &str =
    r#"{"reason":"Unauthorized","error":401,"detail":"You are not authorized for this resource."}"#;

/// Why the service did not do what it was asked to; the strings are the document's `parameters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    InvalidQueryParameter(String),
    MalformedJson,
    InvalidAttribute(String),
    InvalidApiKeyDescription,
    MissingApiKeyRoles,
    InvalidRoleForOrg(String, String),
    InvalidRoleForGroup(String, String),
    InvalidRoleForGlobalKey(String),
    InvalidAddress(String),
    CannotRemoveCaller(Spelling, String),
    NotSelf,
    UserUnauthorized,
    NotInGroup,
    NotOrgOwner(String),
    NotGlobalUserAdmin,
    UserCannotAccessOrg,
    AccessListDenied(Spelling, String),
    AddressNotListed(Spelling, String),
    OrgRequiresList(Spelling),
    CannotAddGlobalRole,
    TooManyPersonalKeys,
    UserNotFound(String),
    UsernameNotFound(String),
    InvalidUserId(String),
    InvalidKeyId(String),
    OrgNotFound(String),
    GroupNotFound(String),
    ApiKeyNotFound(String),
    EntryNotFound(Spelling, String),
    ResourceNotFound(String),
    MethodNotAllowed(String),
    PersonalKeysDeprecated,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::InvalidQueryParameter(_)
            | Self::MalformedJson
            | Self::InvalidAttribute(_)
            | Self::InvalidApiKeyDescription
            | Self::MissingApiKeyRoles
            | Self::InvalidRoleForOrg(..)
            | Self::InvalidRoleForGroup(..)
            | Self::InvalidRoleForGlobalKey(_)
            | Self::InvalidAddress(_)
            | Self::CannotRemoveCaller(..) => StatusCode::BAD_REQUEST,
            Self::NotSelf
            | Self::UserUnauthorized
            | Self::NotInGroup
            | Self::NotOrgOwner(_)
            | Self::NotGlobalUserAdmin
            | Self::UserCannotAccessOrg
            | Self::AccessListDenied(..) => StatusCode::UNAUTHORIZED,
            Self::AddressNotListed(..)
            | Self::OrgRequiresList(_)
            | Self::CannotAddGlobalRole
            | Self::TooManyPersonalKeys => StatusCode::FORBIDDEN,
            Self::UserNotFound(_)
            | Self::UsernameNotFound(_)
            | Self::InvalidUserId(_)
            | Self::InvalidKeyId(_)
            | Self::OrgNotFound(_)
            | Self::GroupNotFound(_)
            | Self::ApiKeyNotFound(_)
            | Self::EntryNotFound(..)
            | Self::ResourceNotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::PersonalKeysDeprecated => StatusCode::GONE,
        }
    }

    fn code(&self) -> Cow<'static, str> {
        let code = match self {
            Self::CannotRemoveCaller(list, _) => {
                return format!("CANNOT_REMOVE_CALLER_FROM_{}", list.code()).into();
            }
            Self::AccessListDenied(list, _) => return format!("{}_ACCESS_DENIED", list.code()).into(),
            Self::AddressNotListed(list, _) => return format!("IP_ADDRESS_NOT_ON_{}", list.code()).into(),
            Self::OrgRequiresList(list) => return format!("ORG_REQUIRES_{}", list.code()).into(),
            Self::EntryNotFound(list, _) => return format!("{}_NOT_FOUND", list.code()).into(),
            Self::InvalidQueryParameter(_) => "INVALID_QUERY_PARAMETER",
            Self::MalformedJson => "MALFORMED_JSON",
            Self::InvalidAttribute(_) => "INVALID_ATTRIBUTE",
            Self::InvalidApiKeyDescription => "INVALID_API_KEY_DESC",
            Self::MissingApiKeyRoles => "MISSING_API_KEY_ROLES",
            Self::InvalidRoleForOrg(..) => "INVALID_ROLE_FOR_ORG",
            Self::InvalidRoleForGroup(..) => "INVALID_ROLE_FOR_GROUP",
            Self::InvalidRoleForGlobalKey(_) => "INVALID_ROLE_FOR_GLOBAL_KEY",
            Self::InvalidAddress(_) => "INVALID_IP_ADDRESS_OR_CIDR_NOTATION",
            Self::NotSelf => "NOT_SELF",
            Self::UserUnauthorized => "USER_UNAUTHORIZED",
            Self::NotInGroup => "NOT_IN_GROUP",
            Self::NotOrgOwner(_) => "NOT_ORG_OWNER",
            Self::NotGlobalUserAdmin => "NOT_GLOBAL_USER_ADMIN",
            Self::UserCannotAccessOrg => "USER_CANNOT_ACCESS_ORG",
            Self::CannotAddGlobalRole => "CANNOT_ADD_GLOBAL_ROLE",
            Self::TooManyPersonalKeys => "MAX_PUBLIC_API_KEY_REACHED",
            Self::UserNotFound(_) => "USER_NOT_FOUND",
            Self::UsernameNotFound(_) => "USERNAME_NOT_FOUND",
            Self::InvalidUserId(_) => "INVALID_USER_ID",
            Self::InvalidKeyId(_) => "INVALID_KEY_ID",
            Self::OrgNotFound(_) => "ORG_NOT_FOUND",
            Self::GroupNotFound(_) => "GROUP_NOT_FOUND",
            Self::ApiKeyNotFound(_) => "API_KEY_NOT_FOUND",
            Self::ResourceNotFound(_) => "RESOURCE_NOT_FOUND",
            Self::MethodNotAllowed(_) => "METHOD_NOT_ALLOWED",
            Self::PersonalKeysDeprecated => "PERSONAL_API_KEYS_DEPRECATED",
        };
        code.into()
    }

    fn detail(&self) -> String {
        match self {
            Self::InvalidQueryParameter(name) => format!("The query parameter {name} has no valid value."),
            Self::MalformedJson => "The request's body is not the JSON expected here.".to_owned(),
            Self::InvalidAttribute(name) => format!("The attribute {name} has no valid value."),
            Self::InvalidApiKeyDescription => {
                "An API key wants a description of 1 to 250 characters.".to_owned()
            }
            Self::MissingApiKeyRoles => "An API key wants at least one role.".to_owned(),
            Self::InvalidRoleForOrg(role, org) => format!("{role} is no role of organization {org}."),
            Self::InvalidRoleForGroup(role, group) => format!("{role} is no role of project {group}."),
            Self::InvalidRoleForGlobalKey(role) => format!("{role} is no role of a global API key."),
            Self::InvalidAddress(text) => format!("{text} is neither an IP address nor a CIDR block."),
            Self::CannotRemoveCaller(_, entry) => format!("{entry} holds the caller's own address."),
            Self::NotSelf => "The caller is not the user asked for.".to_owned(),
            Self::UserUnauthorized => "The caller may not do this.".to_owned(),
            Self::NotInGroup => "The caller is not in this project.".to_owned(),
            Self::NotOrgOwner(org) => format!("The caller is no owner of organization {org}."),
            Self::NotGlobalUserAdmin => "The caller lacks the global role for this.".to_owned(),
            Self::UserCannotAccessOrg => "The caller is not in this organization.".to_owned(),
            Self::AccessListDenied(_, user) => format!("The list of user {user} is that user's alone."),
            Self::AddressNotListed(_, address) => format!("{address} is not on the list of the key in use."),
            Self::OrgRequiresList(_) => "The organization wants every key to have an IP list.".to_owned(),
            Self::CannotAddGlobalRole => "A global role can't be granted here.".to_owned(),
            Self::TooManyPersonalKeys => "A user has at most 10 personal API keys.".to_owned(),
            Self::UserNotFound(id) => format!("No user with ID {id} exists."),
            Self::UsernameNotFound(name) => format!("No user with username {name} exists."),
            Self::InvalidUserId(id) => format!("{id} is not the ID of a user."),
            Self::InvalidKeyId(id) => format!("{id} is not the ID of a key of this user."),
            Self::OrgNotFound(id) => format!("No organization with ID {id} exists."),
            Self::GroupNotFound(id) => format!("No project with ID {id} exists."),
            Self::ApiKeyNotFound(id) => format!("No API key with ID {id} exists here."),
            Self::EntryNotFound(_, entry) => format!("No entry {entry} exists in this list."),
            Self::ResourceNotFound(path) => format!("Cannot find resource {path}."),
            Self::MethodNotAllowed(method) => format!("The resource does not take {method}."),
            Self::PersonalKeysDeprecated => {
                "Personal API keys are deprecated: use programmatic API keys.".to_owned()
            }
        }
    }

    fn parameters(&self) -> Vec<&str> {
        match self {
            Self::InvalidRoleForOrg(role, place) | Self::InvalidRoleForGroup(role, place) => {
                vec![role, place]
            }
            Self::InvalidQueryParameter(one)
            | Self::InvalidAttribute(one)
            | Self::InvalidRoleForGlobalKey(one)
            | Self::InvalidAddress(one)
            | Self::CannotRemoveCaller(_, one)
            | Self::NotOrgOwner(one)
            | Self::AccessListDenied(_, one)
            | Self::AddressNotListed(_, one)
            | Self::UserNotFound(one)
            | Self::UsernameNotFound(one)
            | Self::InvalidUserId(one)
            | Self::InvalidKeyId(one)
            | Self::OrgNotFound(one)
            | Self::GroupNotFound(one)
            | Self::ApiKeyNotFound(one)
            | Self::EntryNotFound(_, one)
            | Self::ResourceNotFound(one)
            | Self::MethodNotAllowed(one) => vec![one],
            Self::TooManyPersonalKeys => vec!["10"],
            Self::InvalidApiKeyDescription => vec!["250"],
            Self::MalformedJson
            | Self::MissingApiKeyRoles
            | Self::NotSelf
            | Self::UserUnauthorized
            | Self::NotInGroup
            | Self::NotGlobalUserAdmin
            | Self::UserCannotAccessOrg
            | Self::OrgRequiresList(_)
            | Self::CannotAddGlobalRole
            | Self::PersonalKeysDeprecated => Vec::new(),
        }
    }

    pub(super) fn document(&self) -> Value {
        let status = self.status();
        json!({
            "detail": self.detail(),
            "error": status.as_u16(),
            "errorCode": self.code(),
            "parameters": self.parameters(),
            "reason": status.canonical_reason(),
        })
    }
}
