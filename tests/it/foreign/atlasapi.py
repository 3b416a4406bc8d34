"""The client `atlasapi` of PyPI: organizations, projects, teams, users and events."""

import json
import os
import sys
from datetime import datetime, timedelta, timezone

with open(sys.argv[1], encoding="utf-8") as file:
    expected = json.load(file)
# The client reads it when it is imported.
os.environ["BASE_URL"] = expected["origin"]

from atlasapi.atlas import Atlas  # noqa: E402
from atlasapi.events_event_types import AtlasEventTypes  # noqa: E402

org_id = expected["orgId"]
key = (expected["publicKey"], expected["privateKey"])
(org,) = [one for one in Atlas(*key).Organizations.organizations if one.id == org_id]
assert Atlas(*key).Organizations.organization_by_id(org_id).name == org.name == "Example Platform"
assert Atlas(*key).Organizations.organization_by_name("example platform").id == org_id

projects = list(Atlas(*key).Organizations.get_all_projects_for_org(org_id))
assert [project.name for project in projects] == ["production", "staging", "analytics"], projects
ours = [project.id for project in Atlas(*key).Projects.projects if project.org_id == org_id]
assert ours == [project.id for project in projects]
for project in projects:
    # The first eight digits of an id are the seconds of its creation.
    created = datetime.fromtimestamp(int(project.id[:8], 16), timezone.utc)
    assert project.created_date == created, project.created_date
    atlas = Atlas(*key, group=project.id)
    assert atlas.Projects.project_by_id(project.id).name == project.name
    assert atlas.Projects.project_by_name(project.name).id == project.id

    direct = {user.id: user for user in atlas.Projects.get_project_users()}
    assert all(any(role.get("groupId") == project.id for role in user.roles) for user in direct.values())
    teams = {team.team_id: team.roles for team in atlas.Projects.get_project_teams()}
    flat = {user.id: user for user in atlas.Projects.get_project_users(flatten_teams=True)}
    through_teams = [user for user in flat.values() if user.id not in direct]
    assert len(flat) == atlas.Projects.user_count(flatten_teams=True)
    assert bool(teams) == bool(through_teams), (teams, through_teams)
    assert all(teams.keys() & set(user.team_ids) for user in through_teams)
    everybody = atlas.Projects.user_count(flatten_teams=True, include_org_users=True)
    assert everybody == len(expected["users"])

    events = atlas.Events.all
    assert events and all(event.group_id == project.id for event in events)
    kinds = {event.event_type for event in events}
    assert kinds <= {AtlasEventTypes.API_KEY_ADDED_TO_GROUP, AtlasEventTypes.USER_ROLES_CHANGED_AUDIT}, kinds
    for kind in kinds:
        of_kind = [event.id for event in events if event.event_type == kind]
        assert [event.id for event in atlas.Events.all_by_type(kind)] == of_kind
    middle = events[len(events) // 2].created_date
    # With a zone and without one, which is UTC.
    for since in (middle, middle.replace(tzinfo=None)):
        later = [event.id for event in events if event.created_date >= middle]
        assert [event.id for event in atlas.Events.since(since)] == later
    assert atlas.Events.since(datetime.now(timezone.utc) + timedelta(days=1)) == []
