"""The client `opsmanager` of PyPI: every list and document that the sandbox serves, and that this client knows."""

import json
import sys

import requests
from opsmanager import OpsManagerClient
from requests.auth import HTTPDigestAuth

with open(sys.argv[1], encoding="utf-8") as file:
    expected = json.load(file)
key = (expected["publicKey"], expected["privateKey"])
client = OpsManagerClient(expected["origin"], *key, rate_limit=0, retry_count=0)
org_id = expected["orgId"]


def ids(rows):
    """The ids of a list, in order; none may be there twice."""
    found = [row.id for row in rows]
    assert len(set(found)) == len(found), found
    return found


version = client.version.get_service_version()
assert len(version["raw"]) == 40, version

orgs = client.organizations.list()
assert [org.name for org in orgs] == ["Example Platform", "Example Payments", "Example Research"], orgs
assert ids(client.organizations.list_iter(items_per_page=2)) == ids(orgs)
assert [client.organizations.get(org.id) for org in orgs] == orgs
assert orgs[0].id == org_id

users = {user.id: user for user in client.organizations.list_users(org_id)}
assert {user.id: user.username for user in users.values()} == expected["users"]
for user in list(users.values())[:20]:
    assert client.users.get(user.id) == user == client.users.get_by_name(user.username)

projects = client.projects.list()
assert ids(client.projects.list_iter(items_per_page=3)) == ids(projects)
assert ids(project for org in orgs for project in client.organizations.list_projects(org.id)) == ids(projects)
for project in projects:
    assert client.projects.get(project.id) == project == client.projects.get_by_name(project.name)
    for user in client.projects.list_users(project.id):
        assert any(role.get("groupId") == project.id for role in users[user.id].roles), user

teams_of_projects = {}
for project in projects:
    for team in client.projects.get_teams(project.id, as_obj=False):
        assert all(name.startswith("GROUP_") for name in team["roleNames"]), team
        teams_of_projects[team["teamId"]] = project.org_id
for org in orgs:
    teams = client.teams.list(org.id)
    assert ids(client.teams.list_iter(org.id)) == ids(teams)
    for team in teams:
        assert client.teams.get(org.id, team.id) == team == client.teams.get_by_name(org.id, team.name)
        assert teams_of_projects.pop(team.id) == org.id
        members = ids(client.teams.list_users(org.id, team.id))
        assert sorted(members) == sorted(user.id for user in users.values() if team.id in user.team_ids), team
assert not teams_of_projects

keys = client.api_keys.list_organization_keys(org_id)
assert len(keys) == len(users) - 1, "the key of the first user is a global one"
assert ids(client.api_keys.list_organization_keys_iter(org_id, items_per_page=500)) == ids(keys)
assert client.api_keys.get_organization_key(org_id, keys[-1].id) == keys[-1]
for project in client.organizations.list_projects(org_id):
    for found in client.api_keys.list_project_keys(project.id):
        assert any(role.get("groupId") == project.id for role in found.roles), found
        assert found.private_key.startswith("********-****-****-"), found

admin_keys = client.global_admin.list_api_keys()
assert [found.public_key for found in admin_keys] == [expected["publicKey"]]
assert client.global_admin.get_api_key(admin_keys[0].id) == admin_keys[0]
entry = {"cidrBlock": "127.0.0.0/8", "description": "here"}
url = expected["origin"] + "/api/public/v1.0"
requests.post(f"{url}/admin/whitelist", json=entry, auth=HTTPDigestAuth(*key), timeout=30).raise_for_status()
(found,) = client.global_admin.list_whitelist()
assert (found.cidr_block, found.description, found.type) == ("127.0.0.0/8", "here", "GLOBAL_ROLE"), found
assert ids(client.global_admin.list_whitelist_iter()) == [found.id]
assert client.global_admin.get_whitelist_entry(found.id) == found

body = {"desc": "new", "roles": ["ORG_MEMBER"]}
made = requests.post(f"{url}/orgs/{org_id}/apiKeys", json=body, auth=HTTPDigestAuth(*key), timeout=30).json()
events = client.events.list_organization_events(org_id)
assert ids(client.events.list_organization_events_iter(org_id, items_per_page=7)) == ids(events)
newest = events[0]
assert (newest.event_type_name, newest.public_key) == ("API_KEY_CREATED", expected["publicKey"]), newest
assert (newest.api_key_id, newest.remote_address) == (admin_keys[0].id, "127.0.0.1"), newest
assert client.events.get_organization_event(org_id, newest.id) == newest
assert client.events.list_organization_events(org_id, event_type="API_KEY_CREATED") == [newest]
middle = events[len(events) // 2].created
later = client.events.list_organization_events(org_id, min_date=middle)
earlier = client.events.list_organization_events(org_id, max_date=middle)
assert {event.id for event in later} | {event.id for event in earlier} == {event.id for event in events}
assert all(event.created >= middle for event in later) and all(event.created <= middle for event in earlier)
by_user = [event for event in events if event.username]
assert by_user and all(users[event.user_id].username == event.username for event in by_user)
for project in projects:
    events = client.events.list_project_events(project.id)
    assert events and ids(client.events.list_project_events_iter(project.id, items_per_page=5)) == ids(events)
    assert client.events.get_project_event(project.id, events[0].id) == events[0]
assert made["publicKey"] == client.api_keys.list_organization_keys(org_id)[-1].public_key
