// The client `mongodb-atlas-api-client` of npm: organizations, projects, teams, users and events.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const connect = require("mongodb-atlas-api-client");

const expected = JSON.parse(fs.readFileSync(process.argv[1], "utf8"));
const { publicKey, privateKey, orgId } = expected;
const baseUrl = `${expected.origin}/api/atlas/v1.0`;

/** Every page of a list; `read` gets the query of a page. */
async function all(read, itemsPerPage) {
  const rows = [];
  for (let pageNum = 1; ; pageNum += 1) {
    const page = await read({ pageNum, itemsPerPage });
    rows.push(...page.results);
    if (!page.links.some((link) => link.rel === "next")) {
      assert.equal(page.totalCount, rows.length);
      assert.equal(new Set(rows.map((row) => row.id ?? row.teamId)).size, rows.length);
      return rows;
    }
  }
}

async function project(client, group, users) {
  assert.deepEqual(await client.project.getById(group.id), group);
  assert.deepEqual(await client.project.getByName(group.name), group);
  assert.equal(Date.parse(group.created), parseInt(group.id.slice(0, 8), 16) * 1000);

  const teams = await all((page) => client.project.getTeamsByProjectId(group.id, page), 1);
  const direct = await all((page) => client.atlasUser.getAll(page), 20);
  assert.ok(direct.every((user) => user.roles.some((role) => role.groupId === group.id)));
  const flat = await all((page) => client.atlasUser.getAll({ ...page, flattenTeams: true }), 20);
  const isMember = (user) => teams.some((team) => user.teamIds.includes(team.teamId));
  assert.equal(flat.length, direct.length + users.filter(isMember).length);

  const events = await all((page) => client.event.getAll(page), 5);
  assert.ok(events.length > 0 && events.every((event) => event.groupId === group.id));
  assert.deepEqual(await client.event.get(events[0].id), events[0]);
  const [{ eventTypeName }] = events;
  const ofType = await client.event.getAll({ eventType: eventTypeName });
  assert.deepEqual(ofType.results, events.filter((event) => event.eventTypeName === eventTypeName));
}

async function main() {
  const client = connect({ publicKey, privateKey, baseUrl });
  const [org, ...others] = (await client.organization.getAll()).results.filter((one) => one.id === orgId);
  assert.deepEqual([org.name, others], ["Example Platform", []]);
  assert.deepEqual(await client.organization.getById(orgId), org);

  const users = await all((page) => client.organization.getAllUsersForOrganization(orgId, page), 70);
  assert.deepEqual(Object.fromEntries(users.map((user) => [user.id, user.username])), expected.users);
  for (const user of users.slice(0, 10)) {
    assert.deepEqual(await client.atlasUser.getById(user.id), user);
    assert.deepEqual(await client.atlasUser.getByName(encodeURIComponent(user.username)), user);
  }

  const groups = await all((page) => client.organization.getAllProjectsForOrganization(orgId, page), 2);
  assert.deepEqual(groups.map((group) => group.name), ["production", "staging", "analytics"]);
  const visible = await all((page) => client.project.getAll(page), 2);
  assert.deepEqual(visible.filter((group) => group.orgId === orgId), groups);
  for (const group of groups) {
    await project(connect({ publicKey, privateKey, baseUrl, projectId: group.id }), group, users);
  }

  const events = await all((page) => client.event.getAllByOrganizationId(orgId, page), 25);
  assert.deepEqual(await client.event.getByOrganizationId(orgId, events[1].id), events[1]);
  const minDate = events[10].created;
  const later = await client.event.getAllByOrganizationId(orgId, { minDate });
  assert.deepEqual(later.results, events.filter((event) => event.created >= minDate));
}

main();
