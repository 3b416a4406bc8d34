//! The events of the random world: a bounded number, of the last 90 days, whatever the number of users.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::event::{Author, Event, KeyChange, Target};
use super::members::Members;
use super::model::{Organization, Role, Scope};
use super::random_world::RandomWorld;
use super::world::{UsersOf, World};
use crate::product::ListName;
use crate::rng::{Rng, object_id, stream};

/// How many events an organization has.
const EVENTS: u64 = 60;

/// How many seconds back they go.
const SPAN: i64 = 90 * 86_400;

/// All that the events are computed from.
pub(super) struct EventSource<'a> {
    pub(super) world: &'a RandomWorld,
    pub(super) seed: u64,
    /// No event is after it.
    pub(super) day: DateTime<Utc>,
    /// What IP lists are called; `None` where there are no programmatic keys.
    pub(super) list: Option<ListName>,
}

impl EventSource<'_> {
    /// All events, oldest first.
    pub(super) fn events(&self) -> Vec<Event> {
        let orgs = (0..).zip(self.world.organizations());
        let of_org = |(org, organization)| {
            (0..EVENTS).map(move |number| self.event(organization, org * EVENTS + number))
        };
        let mut events: Vec<Event> = orgs.flat_map(of_org).collect();
        events.sort_by_key(|event| event.created);
        events
    }

    fn event(&self, org: &Organization, number: u64) -> Event {
        let mut rng = Rng::new(self.seed, stream::EVENT, number);
        let created = self.day - TimeDelta::seconds(1 + rng.between(0, SPAN));
        let keys = self.world.programmatic_keys_in(Scope::Org(&org.id));
        let key = self.list.and_then(|list| Some((list, pick(&keys, &mut rng)?)));
        let (type_name, group_id, target) = match key {
            Some((list, key)) if rng.below(2) == 0 => self.key_change(list, key, &mut rng),
            Some(_) | None => self.user_change(org, &mut rng),
        };
        let (author, is_global_admin) = self.author(org, key.map(|(_, key)| key), &mut rng);
        Event {
            id: object_id(created.timestamp(), rng.next_u64()),
            created,
            type_name,
            org_id: org.id.clone(),
            group_id,
            author,
            is_global_admin,
            remote_address: [203, 0, 113, u8::try_from(rng.below(256)).unwrap_or_default()].into(),
            target,
        }
    }

    /// A member of the organization, or in one case of four a key of it.
    fn author(&self, org: &Organization, key: Option<u64>, rng: &mut Rng) -> (Author, bool) {
        if let Some(key) = key.filter(|_| rng.below(4) == 0) {
            let key = self.world.programmatic_key(key);
            return (Author::ProgrammaticKey { id: key.id, public_key: key.public_key }, false);
        }
        let members = self.world.users_of(UsersOf::Org(&org.id));
        let user = self.world.user(pick(&members, rng).unwrap_or_default());
        let is_global_admin = user.roles.iter().any(Role::is_global_owner);
        (Author::User { id: user.id, username: user.username }, is_global_admin)
    }

    fn key_change(&self, list: ListName, key: u64, rng: &mut Rng) -> (String, Option<String>, Target) {
        let key = self.world.programmatic_key(key);
        let group = key.roles.iter().find_map(|role| role.group_id.clone());
        let network = IpAddr::from([198, 51, 100, u8::try_from(rng.below(256)).unwrap_or_default()]).into();
        let change = rng.pick(&[KeyChange::Roles, KeyChange::AddedToGroup, KeyChange::EntryAdded(network)]);
        let change =
            if group.is_none() && change == KeyChange::AddedToGroup { KeyChange::Roles } else { change };
        let group = group.filter(|_| change == KeyChange::AddedToGroup);
        (change.type_name(list), group, change.target(&key.public_key))
    }

    /// Another role of a user in a project, or a user new in a team.
    fn user_change(&self, org: &Organization, rng: &mut Rng) -> (String, Option<String>, Target) {
        let members = self.world.users_of(UsersOf::Org(&org.id));
        let user = self.world.user(pick(&members, rng).unwrap_or_default());
        let mut teams = self.world.teams().iter().filter(|team| team.org_id == org.id);
        let team = teams.find(|team| user.team_ids.contains(&team.id)).map(|team| team.id.clone());
        let username = Some(user.username);
        if team.is_some() {
            return ("JOINED_TEAM".to_owned(), None, Target { username, team_id: team, ..Target::default() });
        }
        let groups: Vec<_> = self.world.groups().iter().filter(|group| group.org_id == org.id).collect();
        let group = Some(rng.pick(&groups).id.clone());
        ("USER_ROLES_CHANGED_AUDIT".to_owned(), group, Target { username, ..Target::default() })
    }
}

fn pick(members: &Members, rng: &mut Rng) -> Option<u64> {
    members.nth(rng.below(members.len()))
}
