//! Organizations, projects and their users.

use std::collections::BTreeSet;

use keysunset_sandbox::Product;
use serde_json::Value;

use super::{Client, announced, chiara, example, start, start_product};

fn ids(list: &Value) -> Vec<String> {
    list["results"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_first_organization_has_every_user_and_others_have_some() {
    let sandbox = start(|options| options.users = 250);
    let client = announced(&sandbox);
    let all: BTreeSet<String> = sandbox.ground_truth().map(|user| user.id).collect();
    let orgs = ids(&client.read("/orgs").await);
    assert_eq!(orgs[0], sandbox.announcement().org_id);
    assert!(orgs.len() > 1);
    for (at, org) in orgs.iter().enumerate() {
        let mut seen = Vec::new();
        let mut page = 1;
        let total = loop {
            let list = client.read(&format!("/orgs/{org}/users?pageNum={page}&itemsPerPage=60")).await;
            seen.extend(ids(&list));
            if !list["links"].as_array().unwrap().iter().any(|link| link["rel"] == "next") {
                break list["totalCount"].as_u64().unwrap();
            }
            page += 1;
        };
        let set: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!((set.len(), seen.len() as u64), (seen.len(), total));
        assert!(set.is_subset(&all));
        assert_eq!(set == all, at == 0);
    }
}

#[tokio::test]
async fn a_user_is_found_by_id_and_by_encoded_name() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    for (id, name) in [
        ("5af9a1d29cc0cdb6ac0bf3f8", "ann%40example.com"),
        ("5b17c0de9cc0cdb6ac0bf401", "boris%2Bops%40example.com"),
        ("5b17c0de9cc0cdb6ac0bf401", "boris+ops@example.com"),
        ("5d5e6f709cc0cdb6ac0bf601", "o%27neil%40example.com"),
    ] {
        let by_name = client.read(&format!("/users/byName/{name}")).await;
        assert_eq!(by_name["id"], id);
        assert_eq!(by_name, client.read(&format!("/users/{id}")).await);
    }
}

#[tokio::test]
async fn every_random_user_is_found_by_name() {
    let sandbox = start(|options| options.users = 60);
    let client = announced(&sandbox);
    for user in sandbox.ground_truth() {
        let name = user.username.replace('@', "%40").replace('+', "%2B").replace('\'', "%27");
        assert_eq!(client.read(&format!("/users/byName/{name}")).await["id"], user.id);
    }
}

#[tokio::test]
async fn a_user_has_names_roles_and_teams() {
    let sandbox = example(|_| {});
    let user = announced(&sandbox).read("/users/5b17c0de9cc0cdb6ac0bf401").await;
    assert_eq!(
        user,
        serde_json::json!({
            "id": "5b17c0de9cc0cdb6ac0bf401",
            "username": "boris+ops@example.com",
            "emailAddress": "boris+ops@example.com",
            "firstName": "Boris",
            "lastName": "Diaz",
            "roles": [
                { "orgId": "5980cfdf0b6d97029d82f86e", "roleName": "ORG_MEMBER" },
                { "groupId": "5991a2b3c4d5e6f708192a3b", "roleName": "GROUP_READ_ONLY" },
            ],
            "teamIds": ["5c0ffee0c0ffee0c0ffee0c0"],
            "links": [{
                "href": format!("{}/users/5b17c0de9cc0cdb6ac0bf401", sandbox.announcement().url),
                "rel": "self",
            }],
        })
    );
}

#[tokio::test]
async fn a_project_lists_team_and_organization_users_on_request() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    let staging = "/groups/5991a2b3c4d5e6f708192a3c/users";
    assert!(ids(&client.read(staging).await).is_empty());
    assert_eq!(
        ids(&client.read(&format!("{staging}?flattenTeams=true")).await),
        ["5b17c0de9cc0cdb6ac0bf401"]
    );
    assert_eq!(ids(&client.read(&format!("{staging}?includeOrgUsers=true")).await).len(), 3);
    assert_eq!(client.get(&format!("{staging}?flattenTeams=x")).await.refusal().1, "INVALID_QUERY_PARAMETER");
}

#[tokio::test]
async fn the_users_of_a_project_have_a_role_there_or_are_in_its_team() {
    let sandbox = start(|_| {});
    let client = announced(&sandbox);
    for group in ids(&client.read("/groups").await) {
        let direct = client.read(&format!("/groups/{group}/users")).await;
        for user in direct["results"].as_array().unwrap() {
            assert!(user["roles"].as_array().unwrap().iter().any(|role| role["groupId"] == group), "{user}");
        }
        let flat = client.read(&format!("/groups/{group}/users?flattenTeams=true")).await;
        let set: BTreeSet<String> = ids(&flat).into_iter().collect();
        assert_eq!(set.len(), ids(&flat).len());
        assert!(ids(&direct).iter().all(|id| set.contains(id)));
        for user in &flat["results"].as_array().unwrap()[ids(&direct).len()..] {
            assert!(!user["teamIds"].as_array().unwrap().is_empty(), "{user}");
        }
    }
}

#[tokio::test]
async fn projects_have_the_agents_secret() {
    let sandbox = start(|_| {});
    let groups = announced(&sandbox).read("/groups").await;
    for group in groups["results"].as_array().unwrap() {
        assert_eq!(group["agentApiKey"].as_str().unwrap().len(), 32);
    }
}

#[tokio::test]
async fn a_project_of_atlas_has_its_time_of_creation() {
    let sandbox = example(|options| options.product = Product::Atlas);
    let client = announced(&sandbox);
    let staging = client.read("/groups/5991a2b3c4d5e6f708192a3c").await;
    assert_eq!(staging["created"], "2017-08-14T13:16:35Z", "the id begins with these seconds");
    assert!(announced(&example(|_| {})).read("/groups").await["results"][0].get("created").is_none());
}

#[tokio::test]
async fn atlas_members_see_only_what_they_have_a_role_in() {
    let (sandbox, owner) = start_product(Product::Atlas);
    let org = &sandbox.announcement().org_id;
    assert_eq!(owner.read(&format!("/orgs/{org}/users")).await["totalCount"], 100);
    let member = Client::new(&sandbox, sandbox.credential_for(2));
    assert_eq!(ids(&member.read("/orgs").await), [org.as_str()]);
    assert_eq!(ids(&member.read(&format!("/orgs/{org}/groups")).await).len(), 1);
    let global = start(|_| {});
    let other = ids(&announced(&global).read("/orgs").await).remove(1);
    assert_eq!(
        member.get(&format!("/orgs/{other}")).await.refusal(),
        (401, "USER_CANNOT_ACCESS_ORG".to_owned())
    );
}

#[tokio::test]
async fn a_caller_without_a_role_does_not_see_it() {
    let sandbox = example(|_| {});
    let chiara = chiara(&sandbox);
    for (path, code) in [
        ("/orgs/5980cfdf0b6d97029d82f86e/users", "USER_CANNOT_ACCESS_ORG"),
        ("/groups/5991a2b3c4d5e6f708192a3b", "NOT_IN_GROUP"),
        ("/users/5d5e6f709cc0cdb6ac0bf601", "USER_UNAUTHORIZED"),
    ] {
        assert_eq!(chiara.get(path).await.refusal(), (401, code.to_owned()), "{path}");
    }
    assert_eq!(ids(&chiara.read("/groups").await), ["5b2a3c4d5e6f708192a3b4d6"]);
    chiara.read("/users/5af9a1d29cc0cdb6ac0bf3f8").await;
}

#[tokio::test]
async fn a_deleted_organization_is_listed_to_global_roles_and_its_users_are_not() {
    let gone = "5980cfdf0b6d97029d82f8ff";
    let mut world: Value = serde_json::from_str(include_str!("../../../docs/sandbox-world.json")).unwrap();
    let deleted = serde_json::json!({"id": gone, "name": "Gone", "isDeleted": true});
    world["organizations"].as_array_mut().unwrap().push(deleted);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), world.to_string()).unwrap();
    let sandbox = start(|options| options.world = Some(file.path().to_owned()));
    let client = announced(&sandbox);
    let listed = client.read("/orgs").await;
    let marked: Vec<_> =
        listed["results"].as_array().unwrap().iter().filter(|org| org["isDeleted"] == true).collect();
    assert_eq!(marked.iter().map(|org| &org["id"]).collect::<Vec<_>>(), [gone]);
    assert!(!ids(&client.read("/orgs?includeDeletedOrgs=false").await).contains(&gone.to_owned()));
    let refused = client.get(&format!("/orgs/{gone}/users")).await.refusal();
    assert_eq!(refused, (404, "ORG_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn an_organization_is_found_by_its_name() {
    let sandbox = example(|_| {});
    let client = announced(&sandbox);
    for (name, found) in [
        ("Example", vec!["5980cfdf0b6d97029d82f86e"]),
        ("example+SUBSIDIARY", vec!["5b2a3c4d5e6f708192a3b4c5"]),
        ("Exam", vec![]),
    ] {
        let list = client.read(&format!("/orgs?name={name}")).await;
        assert_eq!(
            (ids(&list), &list["totalCount"]),
            (found.iter().map(|id| (*id).to_owned()).collect(), &found.len().into()),
            "{name}"
        );
    }
}
