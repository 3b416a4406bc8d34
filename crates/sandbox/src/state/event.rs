//! Events: the changes in an organization or project, with their author and the author's address.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::Deployment;
use super::access_list::Network;
use super::model::{Caller, Role, Scope};
use crate::product::ListName;
use crate::rng::{Rng, object_id, stream};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) created: DateTime<Utc>,
    /// The `eventTypeName`.
    pub(crate) type_name: String,
    pub(crate) org_id: String,
    /// Of a project's event, which is one of its organization too.
    pub(crate) group_id: Option<String>,
    pub(crate) author: Author,
    /// Whether the author has the role `GLOBAL_OWNER`.
    pub(crate) is_global_admin: bool,
    pub(crate) remote_address: IpAddr,
    pub(crate) target: Target,
}

/// The user or key that made the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    User { id: String, username: String },
    ProgrammaticKey { id: String, public_key: String },
}

/// The objects of the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) public_key: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) team_id: Option<String>,
    /// An entry of the key's IP list.
    pub(crate) network: Option<Network>,
}

/// A change of a programmatic key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    Created,
    Deleted,
    Description,
    Roles,
    AddedToGroup,
    RemovedFromGroup,
    EntryAdded(Network),
    EntryDeleted(Network),
}

impl KeyChange {
    /// The `eventTypeName`, where IP lists have this name.
    pub(crate) fn type_name(self, list: ListName) -> String {
        match self {
            Self::Created => "API_KEY_CREATED".to_owned(),
            Self::Deleted => "API_KEY_DELETED".to_owned(),
            Self::Description => "API_KEY_DESCRIPTION_CHANGED".to_owned(),
            Self::Roles => "API_KEY_ROLES_CHANGED".to_owned(),
            Self::AddedToGroup => "API_KEY_ADDED_TO_GROUP".to_owned(),
            Self::RemovedFromGroup => "API_KEY_REMOVED_FROM_GROUP".to_owned(),
            Self::EntryAdded(_) => format!("API_KEY_{}_ENTRY_ADDED", list.code()),
            Self::EntryDeleted(_) => format!("API_KEY_{}_ENTRY_DELETED", list.code()),
        }
    }

    pub(crate) fn target(self, public_key: &str) -> Target {
        let network = match self {
            Self::EntryAdded(network) | Self::EntryDeleted(network) => Some(network),
            Self::Created
            | Self::Deleted
            | Self::Description
            | Self::Roles
            | Self::AddedToGroup
            | Self::RemovedFromGroup => None,
        };
        Target { public_key: Some(public_key.to_owned()), network, ..Target::default() }
    }
}

impl Event {
    pub(crate) fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::Global => false,
            Scope::Org(id) => self.org_id == id,
            Scope::Group(id) => self.group_id.as_deref() == Some(id),
        }
    }
}

impl Deployment {
    /// Records a change that the caller made: in an organization or in one of its projects, of the key with this public
    /// part.
    pub(crate) fn record_event(
        &self,
        caller: &Caller,
        remote_address: IpAddr,
        place: (&str, Option<&str>),
        (change, public_key): (KeyChange, &str),
    ) {
        let (org_id, group_id) = place;
        let created = self.rules.now();
        let mut changes = self.changes();
        let mut rng = Rng::new(self.seed, stream::RECORDED, changes.events.len() as u64);
        changes.events.push(Event {
            id: object_id(created.timestamp(), rng.next_u64()),
            created,
            type_name: change.type_name(self.rules.list_name()),
            org_id: org_id.to_owned(),
            group_id: group_id.map(str::to_owned),
            author: caller.author.clone(),
            is_global_admin: caller.roles.iter().any(Role::is_global_owner),
            remote_address,
            target: change.target(public_key),
        });
    }

    /// The events of a scope, newest first.
    pub(crate) fn events(&self, scope: Scope) -> Vec<Event> {
        let mut events = self.world.events();
        events.extend(self.changes().events.iter().cloned());
        events.retain(|event| event.is_in(scope));
        events.sort_by_key(|event| event.created);
        events.reverse();
        events
    }
}
