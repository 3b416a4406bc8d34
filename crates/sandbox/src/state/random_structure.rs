//! The organizations, projects and teams of the random world, and the numbers of the users in each.

use super::members::Members;
use super::model::{Group, Organization, Team, TeamRoles};
use super::world::UsersOf;
use crate::rng::{Rng, object_id, stream};

/// Each organization: its name, every how many-th user is in it, its projects, and the team of its first project.
const ORGANIZATIONS: [(&str, u64, &[&str], &str); 3] = [
    ("Example Platform", 1, &["production", "staging", "analytics"], "on-call"),
    ("Example Payments", 3, &["ledger", "card-vault"], "settlement"),
    ("Example Research", 7, &["notebooks", "warehouse"], "R&D data"),
];

/// The roles that a team may have in its project.
const TEAM_ROLES: [&[&str]; 3] = [
    &["GROUP_READ_ONLY"],
    &["GROUP_AUTOMATION_ADMIN", "GROUP_MONITORING_ADMIN"],
    &["GROUP_DATA_ACCESS_READ_ONLY", "GROUP_READ_ONLY"],
];

pub(super) const YEAR_2015: i64 = 1_420_070_400;
pub(super) const YEAR_2016: i64 = 1_451_606_400;

/// All of them.
pub(super) struct Structure {
    pub(super) organizations: Vec<Organization>,
    pub(super) groups: Vec<Group>,
    pub(super) teams: Vec<Team>,
    users: u64,
    /// The users of each project and, as a second set, of its team.
    pub(super) group_users: Vec<[Members; 2]>,
}

impl Structure {
    pub(super) fn new(seed: u64, users: u64) -> Self {
        let id = |stream: u64, index: usize| {
            let mut rng = Rng::new(seed, stream, index as u64);
            object_id(rng.between(YEAR_2015, YEAR_2016), rng.next_u64())
        };
        let (mut organizations, mut groups, mut group_users) = (Vec::new(), Vec::new(), Vec::new());
        let mut teams = Vec::new();
        for (org, (name, step, projects, team)) in ORGANIZATIONS.into_iter().enumerate() {
            let org_id = id(stream::ORGANIZATION, org);
            for (nth, project) in (0..).zip(projects) {
                let number = groups.len();
                let secret = Rng::new(seed, stream::GROUP, number as u64).next_u64();
                let team_id = (nth == 0).then(|| id(stream::GROUP, 1000 + number));
                groups.push(Group {
                    id: id(stream::GROUP, number),
                    name: (*project).to_owned(),
                    org_id: org_id.clone(),
                    teams: team_id.iter().map(|id| team_roles(seed, number, id)).collect(),
                    agent_api_key: format!("{secret:016x}{secret:016x}"),
                });
                group_users.push(users_of_project(step, nth, users));
                teams.extend(team_id.map(|id| Team { id, name: team.to_owned(), org_id: org_id.clone() }));
            }
            let name = name.to_owned();
            organizations.push(Organization {
                id: org_id,
                name,
                requires_access_list: false,
                is_deleted: false,
            });
        }
        Self { organizations, groups, teams, users, group_users }
    }

    pub(super) fn org_users(&self, org: usize) -> Members {
        Members::every(0, ORGANIZATIONS[org].1, self.users)
    }

    pub(super) fn team_ids(&self, user: u64) -> Vec<String> {
        let groups = self.groups.iter().zip(&self.group_users);
        let teams = groups.filter(|(_, [_, team])| team.contains(user)).flat_map(|(group, _)| &group.teams);
        teams.map(|team| team.team_id.clone()).collect()
    }

    pub(super) fn users_of(&self, set: UsersOf) -> Members {
        let of_group = |id: &str| {
            let at = self.groups.iter().position(|group| group.id == id)?;
            self.group_users.get(at).cloned()
        };
        let of_team = |id: &str| {
            let has_team = |group: &Group| group.teams.iter().any(|team| team.team_id == id);
            let at = self.groups.iter().position(has_team)?;
            self.group_users.get(at).cloned()
        };
        let users = match set {
            UsersOf::Org(id) => {
                self.organizations.iter().position(|org| org.id == id).map(|org| self.org_users(org))
            }
            UsersOf::Group(id) => of_group(id).map(|[users, _]| users),
            UsersOf::GroupWithTeams(id) => of_group(id).map(|[users, team]| users.then(team)),
            UsersOf::Team(id) => of_team(id).map(|[_, team]| team),
        };
        users.unwrap_or_default()
    }
}

/// Who of an organization, in which every `step`-th user is, belongs to its `nth` project, and to that project's team:
/// the first project has every third of them, its team the next of every three, and so on. User 0, who owns everything,
/// is in none.
fn users_of_project(step: u64, nth: u64, users: u64) -> [Members; 2] {
    let each = step * (nth + 3);
    let team = if nth == 0 { Members::every(step * 2, each, users) } else { Members::default() };
    [Members::every(step * (nth + 1), each, users), team]
}

fn team_roles(seed: u64, project: usize, team_id: &str) -> TeamRoles {
    let names = Rng::new(seed, stream::TEAM, project as u64).pick(&TEAM_ROLES);
    TeamRoles {
        team_id: team_id.to_owned(),
        role_names: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}
