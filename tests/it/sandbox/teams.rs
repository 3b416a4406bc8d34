//! Teams, and the roles that users have through them.

use std::collections::BTreeSet;

use keysunset_sandbox::ExpectedUser;
use serde_json::{Value, json};

use super::{
    Client, ORG, OTHER_ORG, PRODUCTION, PRODUCTS, STAGING, announced, chiara, example, field, rows, start,
    start_product,
};

const TEAM: &str = "5c0ffee0c0ffee0c0ffee0c0";

#[tokio::test]
async fn a_team_is_listed_and_found_by_id_and_by_name() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let url = &sandbox.announcement().url;
    let team = json!({
        "id": TEAM, "name": "R&D on-call",
        "links": [{ "href": format!("{url}/orgs/{ORG}/teams/{TEAM}"), "rel": "self" }],
    });
    let list = client.read(&format!("/orgs/{ORG}/teams")).await;
    assert_eq!((&list["results"], &list["totalCount"]), (&json!([team]), &json!(1)));
    assert_eq!(client.read(&format!("/orgs/{ORG}/teams/{TEAM}")).await, team);
    assert_eq!(client.read(&format!("/orgs/{ORG}/teams/byName/R%26D%20on-call")).await, team);
    assert_eq!(client.read(&format!("/orgs/{OTHER_ORG}/teams")).await["results"], json!([]));
    let users = client.read(&format!("/orgs/{ORG}/teams/{TEAM}/users")).await;
    assert_eq!(users["results"], json!([client.read("/users/5b17c0de9cc0cdb6ac0bf401").await]));
}

#[tokio::test]
async fn a_project_lists_its_teams_with_their_roles() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let url = &sandbox.announcement().url;
    let list = client.read(&format!("/groups/{STAGING}/teams")).await;
    let team = json!({
        "teamId": TEAM, "roleNames": ["GROUP_DATA_ACCESS_READ_WRITE"],
        "links": [{ "href": format!("{url}/groups/{STAGING}/teams/{TEAM}"), "rel": "self" }],
    });
    assert_eq!((&list["results"], &list["totalCount"]), (&json!([team]), &json!(1)));
    assert_eq!(client.read(&format!("/groups/{PRODUCTION}/teams")).await["results"], json!([]));
}

#[tokio::test]
async fn a_team_that_is_missing_or_of_another_organization_is_not_found() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    for (path, code) in [
        (format!("/orgs/{ORG}/teams/ffffffffffffffffffffffff"), "TEAM_NOT_FOUND"),
        (format!("/orgs/{ORG}/teams/ffffffffffffffffffffffff/users"), "TEAM_NOT_FOUND"),
        (format!("/orgs/{ORG}/teams/byName/none"), "TEAM_NOT_FOUND"),
        (format!("/orgs/{OTHER_ORG}/teams/{TEAM}"), "TEAM_NOT_FOUND"),
        ("/orgs/ffffffffffffffffffffffff/teams".to_owned(), "ORG_NOT_FOUND"),
        ("/groups/ffffffffffffffffffffffff/teams".to_owned(), "GROUP_NOT_FOUND"),
        ("/groups/byName/none".to_owned(), "GROUP_NAME_NOT_FOUND"),
        (format!("/groups/{STAGING}/teams/{TEAM}/users"), "RESOURCE_NOT_FOUND"),
    ] {
        assert_eq!(client.get(&path).await.refusal(), (404, code.to_owned()), "{path}");
    }
    let post = client.call("POST", &format!("/orgs/{ORG}/teams"), Some("{}")).await;
    assert_eq!(post.refusal(), (405, "METHOD_NOT_ALLOWED".to_owned()));
}

#[tokio::test]
async fn the_teams_of_an_organization_are_for_its_members_alone() {
    let sandbox = example(|_| {});
    let chiara = chiara(&sandbox);
    for (path, code) in [
        (format!("/orgs/{ORG}/teams"), "USER_CANNOT_ACCESS_ORG"),
        (format!("/orgs/{ORG}/teams/{TEAM}/users"), "USER_CANNOT_ACCESS_ORG"),
        (format!("/groups/{STAGING}/teams"), "NOT_IN_GROUP"),
        ("/groups/byName/staging".to_owned(), "NOT_IN_GROUP"),
    ] {
        assert_eq!(chiara.get(&path).await.refusal(), (401, code.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_role_through_a_team_opens_the_project() {
    let sandbox = example(|_| {});
    let boris = Client::new(&sandbox, sandbox.personal_credential_for(1).unwrap());
    let staging = boris.read(&format!("/groups/{STAGING}")).await;
    assert_eq!(boris.read("/groups/byName/staging").await, staging);
    let user = boris.read("/users/5b17c0de9cc0cdb6ac0bf401").await;
    assert!(user["roles"].as_array().unwrap().iter().all(|role| role["groupId"] != STAGING), "{user}");
}

#[tokio::test]
async fn every_random_team_has_members_and_roles_in_a_project() {
    for product in PRODUCTS {
        let (sandbox, client) = start_product(product);
        let org = &sandbox.announcement().org_id;
        let teams = client.read(&format!("/orgs/{org}/teams")).await;
        for team in rows(&teams) {
            let users = client.read(&format!("/orgs/{org}/teams/{}/users", field(team, "id"))).await;
            assert!(!rows(&users).is_empty());
            for user in rows(&users) {
                assert!(user["teamIds"].as_array().unwrap().contains(&team["id"]), "{user}");
            }
            let name = field(team, "name").replace(' ', "%20");
            assert_eq!(client.read(&format!("/orgs/{org}/teams/byName/{name}")).await, *team);
        }
        let mut used = BTreeSet::new();
        for group in rows(&client.read(&format!("/orgs/{org}/groups")).await) {
            for team in rows(&client.read(&format!("/groups/{}/teams", field(group, "id"))).await) {
                assert!(!team["roleNames"].as_array().unwrap().is_empty());
                used.insert(field(team, "teamId").to_owned());
            }
        }
        let all: BTreeSet<_> = rows(&teams).iter().map(|team| field(team, "id").to_owned()).collect();
        assert!(!all.is_empty());
        assert_eq!(used, all);
    }
}

#[tokio::test]
async fn a_team_has_pages_of_users() {
    let sandbox = start(|options| options.users = 300);
    let client = announced(&sandbox);
    let org = &sandbox.announcement().org_id;
    let team = client.read(&format!("/orgs/{org}/teams")).await["results"][0].clone();
    let path = format!("/orgs/{org}/teams/{}/users", field(&team, "id"));
    let first = client.read(&format!("{path}?itemsPerPage=60")).await;
    let second = client.read(&format!("{path}?itemsPerPage=60&pageNum=2")).await;
    let ids = |list: &Value| -> BTreeSet<String> {
        rows(list).iter().map(|user| field(user, "id").to_owned()).collect()
    };
    assert!(ids(&first).is_disjoint(&ids(&second)));
    let seen: BTreeSet<String> = ids(&first).union(&ids(&second)).cloned().collect();
    let mut expected = BTreeSet::new();
    for ExpectedUser { id, .. } in sandbox.ground_truth() {
        let user = client.read(&format!("/users/{id}")).await;
        if user["teamIds"].as_array().unwrap().contains(&team["id"]) {
            expected.insert(id);
        }
    }
    assert_eq!(seen, expected);
    assert_eq!(first["totalCount"], expected.len());
}

#[tokio::test]
async fn a_user_of_two_teams_of_a_project_is_listed_once() {
    let mut world: Value = serde_json::from_str(include_str!("../../../docs/sandbox-world.json")).unwrap();
    let second = "5c0ffee0c0ffee0c0ffee0c1";
    world["teams"].as_array_mut().unwrap().push(json!({ "id": second, "name": "two", "orgId": ORG }));
    for project in [0, 1] {
        let roles = json!({ "teamId": second, "roleNames": ["GROUP_READ_ONLY"] });
        match &mut world["projects"][project]["teams"] {
            Value::Array(teams) => teams.push(roles),
            none => *none = json!([roles]),
        }
    }
    world["users"][1]["teamIds"] = json!([TEAM, second]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), world.to_string()).unwrap();
    let sandbox = start(|options| options.world = Some(file.path().to_owned()));
    let client = announced(&sandbox);
    for (group, members) in [(STAGING, 1), (PRODUCTION, 2)] {
        let users = client.read(&format!("/groups/{group}/users?flattenTeams=true")).await;
        let boris = rows(&users).iter().filter(|user| user["username"] == "boris+ops@example.com").count();
        assert_eq!((boris, rows(&users).len()), (1, members), "{group}");
    }
}
