//! Which saved answers make a user read: those that make one read by an audit, and nothing of which it is not known.

use serde_json::{Value, json};

use crate::stub::{Asked, Digest, Reply, Stub, id};
use crate::support::{Row, TestEnv, of_user};

/// The user in all answers below, and the first digits of all keys; each case has others in their place.
const USER: &str = "5af9a1d29cc0cdb6ac0bf3f8";
const KEYS: &str = "cafe";
const BASE: &str = "https://om.example/api/public/v1.0";

fn of_case(text: &str, case: usize) -> String {
    text.replace(USER, &id(case + 1)).replace(KEYS, &format!("{case:04x}"))
}

fn key(number: u64) -> Value {
    let mask = "********-****-****-92732876eeae";
    json!({"id": format!("{KEYS}{number:020x}"), "obfuscatedKey": mask, "userId": USER, "usedCount": number})
}

/// One page of several.
fn page(keys: &[u64], (number, last): (u64, u64), total: Option<u64>) -> Value {
    let at = |number| format!("{BASE}/users/{USER}/keys?itemsPerPage=2&pageNum={number}");
    let mut links = vec![json!({"rel": "self", "href": at(number)})];
    links.extend((number < last).then(|| json!({"rel": "next", "href": at(number + 1)})));
    links.extend((number > 1).then(|| json!({"rel": "previous", "href": at(number - 1)})));
    let rows: Vec<_> = keys.iter().map(|number| key(*number)).collect();
    let mut page = json!({"links": links, "results": rows});
    if let Some(total) = total {
        page["totalCount"] = total.into();
    }
    page
}

/// A whole list, with one field of its first row changed.
fn changed(field: &str, value: Value) -> Value {
    let mut page = page(&[1, 2], (1, 1), Some(2));
    page["results"][0][field] = value;
    page
}

fn refusal(status: u64, code: &str) -> Value {
    json!({"error": status, "errorCode": code, "detail": "It says no.", "parameters": []})
}

/// What a service may answer to requests for its pages, each with its status.
fn services() -> Vec<Vec<(u16, String)>> {
    let fine = |pages: Vec<Value>| pages.iter().map(|page| (200, page.to_string())).collect::<Vec<_>>();
    let mut content = page(&[1], (1, 1), Some(1));
    content =
        json!({"status": 200, "content": content["results"], "links": content["links"], "totalCount": 1});
    let mut used_again = page(&[1, 3], (2, 2), None);
    used_again["results"][0]["usedCount"] = 9.into();
    vec![
        fine(vec![page(&[1, 2], (1, 1), Some(2))]),
        fine(vec![page(&[], (1, 1), Some(0))]),
        fine(vec![page(&[1, 2], (1, 2), Some(3)), page(&[3], (2, 2), Some(3))]),
        fine(vec![page(&[1, 2], (1, 2), None), page(&[3], (2, 2), None)]),
        fine(vec![content]),
        fine(vec![page(&[1], (1, 1), Some(2))]),
        fine(vec![page(&[1, 2], (1, 1), Some(1))]),
        fine(vec![page(&[], (1, 1), Some(1))]),
        fine(vec![page(&[1, 2], (1, 2), Some(3)), page(&[3], (2, 2), Some(4))]),
        fine(vec![page(&[1, 2], (1, 2), Some(4)), page(&[2, 3], (2, 2), Some(4))]),
        fine(vec![page(&[2, 1], (1, 2), None), used_again]),
        fine(vec![page(&[1, 2], (1, 9), None), page(&[1, 2], (2, 9), None)]),
        fine(vec![page(&[], (1, 9), None), page(&[], (2, 9), None), page(&[], (3, 9), None)]),
        fine(vec![changed("lastUsed", json!("yesterday"))]),
        fine(vec![changed("id", json!("a/../b"))]),
        fine(vec![changed("userId", json!("5b17c0de9cc0cdb6ac0bf401"))]),
        fine(vec![json!({"status": 500, "content": []})]),
        fine(vec![refusal(404, "USER_NOT_FOUND")]),
        vec![(401, refusal(401, "NOT_SELF").to_string())],
        vec![(404, refusal(404, "RESOURCE_NOT_FOUND").to_string())],
        vec![(410, refusal(410, "PERSONAL_API_KEYS_DEPRECATED").to_string())],
        vec![(429, String::new())],
        vec![(502, "<html>".to_owned())],
        vec![(200, "<html>".to_owned())],
        vec![(200, "{\"results\": [".to_owned())],
        vec![(200, page(&[1, 2], (1, 2), Some(3)).to_string()), (502, "<html>".to_owned())],
        vec![(200, page(&[1, 2], (1, 2), Some(3)).to_string()), (200, "{\"results\": [".to_owned())],
    ]
}

/// What is asked for past the last page is an empty one.
fn answer(asked: &Asked) -> (u16, String) {
    let user = asked.path.split('/').nth(2).unwrap();
    let case = usize::from_str_radix(user, 16).unwrap() - 1;
    let number = asked.page() as u64;
    let beyond = || (200, page(&[], (number, number), None).to_string());
    let (status, body) = services()[case].get(asked.page() - 1).cloned().unwrap_or_else(beyond);
    (status, of_case(&body, case))
}

#[test]
fn the_same_bytes_have_the_same_outcome_in_an_audit_and_an_import() {
    let stub = Stub::start(Digest::On, |asked| {
        let (status, body) = answer(asked);
        Reply::text(status, "application/json", &body)
    });
    let (audit, import) = (crate::stub::env(), TestEnv::empty());
    let ids: String = (1..=services().len()).map(|case| id(case) + "\n").collect();
    audit.put("ids.txt", ids);
    let common = ["--name", "x", "--out", "reports"];
    let ran =
        audit.audit_at(&stub.url(), &[&common[..], &["--users", "ids.txt", "--concurrency", "1"]].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    for asked in stub.asked() {
        let (status, body) = answer(&asked);
        let user = asked.path.split('/').nth(2).unwrap();
        let text = format!("HTTP/1.1 {status} X\r\n\r\n{body}");
        import.put(&format!("answers/{user}-p{}.http", asked.page()), text);
    }
    let ran = import.run(&[&["import", "answers", "--product", "ops-manager"][..], &common].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    for case in 0..services().len() {
        let facts = |env: &TestEnv| {
            let (rows, columns) =
                (env.rows(), ["read_status", "http_status", "error_code", "key_id", "used_count"]);
            let facts = |row: &Row| columns.map(|column| row[column].clone());
            of_user(&rows, &id(case + 1)).into_iter().map(facts).collect::<Vec<_>>()
        };
        assert_eq!(facts(&import), facts(&audit), "{:?}", services()[case]);
    }
}

/// Answers of one user, in files of their own; how many keys they give, the read status, and what the reason says.
type Case = (Vec<String>, usize, &'static str, &'static str);

fn case(answers: &[Value], keys: usize, status: &'static str, why: &'static str) -> Case {
    (answers.iter().map(Value::to_string).collect(), keys, status, why)
}

/// Imports all cases in one run, each as a user; and once more with the files of each in the opposite order.
fn assert_outcomes(cases: &[Case]) {
    for is_reversed in [false, true] {
        let env = TestEnv::empty();
        for (number, (answers, ..)) in cases.iter().enumerate() {
            for (at, answer) in answers.iter().enumerate() {
                let at = if is_reversed { answers.len() - at } else { at };
                env.put(&format!("answers/{}-{at}.json", id(number + 1)), of_case(answer, number));
            }
        }
        let ran = env.run(&["import", "answers", "--product", "ops-manager", "--name", "x"]);
        assert!(ran.code < 5, "{ran:?}");
        let rows = env.rows();
        for (number, (answers, keys, status, why)) in cases.iter().enumerate() {
            let own = of_user(&rows, &id(number + 1));
            assert!(own.iter().all(|row| row["read_status"] == *status), "{answers:?}: {own:?}");
            assert_eq!(
                own.iter().filter(|row| !row["key_id"].is_empty()).count(),
                *keys,
                "{answers:?}: {own:?}"
            );
            assert!(
                why.is_empty() || own.iter().any(|row| row["reason"].contains(why)),
                "{answers:?}: {own:?}"
            );
        }
    }
}

#[test]
fn a_list_is_whole_only_where_nothing_speaks_against_it() {
    let whole = || page(&[1], (1, 1), Some(1));
    let of_three = |number, keys: &[u64]| page(keys, (number, 3), Some(5));
    let uncounted = |number, last| page(&[number], (number, last), None);
    let elsewhere: Value = serde_json::from_str(&whole().to_string().replace("om.", "om2.")).unwrap();
    let mut unnumbered = whole();
    unnumbered["links"][0]["href"] = format!("{BASE}/users/{USER}/keys").into();
    let alone = "does not agree with the pages of the list";
    assert_outcomes(&[
        case(&[of_three(1, &[1, 2]), of_three(3, &[5]), of_three(2, &[3, 4])], 5, "read", ""),
        case(
            &[of_three(1, &[1, 2]), of_three(3, &[5]), of_three(2, &[3, 4]), of_three(1, &[1, 2])],
            5,
            "read",
            "",
        ),
        case(&[uncounted(2, 2), uncounted(1, 2)], 2, "read", ""),
        case(&[page(&[], (1, 1), Some(0))], 0, "read", ""),
        case(&[json!({"results": [key(1)], "totalCount": 1})], 1, "read", ""),
        case(&[json!([key(1)]), whole()], 1, "read", ""),
        case(&[whole(), page(&[], (2, 2), Some(1))], 1, "read", ""),
        case(&[of_three(1, &[1, 2]), of_three(3, &[5])], 3, "partial", "page 2 was not saved"),
        case(&[of_three(3, &[5])], 1, "partial", "page 1 was not saved"),
        case(
            &[of_three(1, &[1, 2])],
            2,
            "partial",
            "counts 5 keys, but the saved pages hold 2; page 1 says that another",
        ),
        case(&[uncounted(1, 2)], 1, "partial", "page 1 says that another follows"),
        case(&[unnumbered], 1, "partial", alone),
        case(&[json!({"results": [key(1)]})], 1, "partial", alone),
        case(&[json!([key(1)])], 1, "partial", alone),
        case(&[json!([])], 0, "partial", "page 1 was not saved"),
        case(&[key(1)], 1, "partial", alone),
        case(&[json!({"status": 200, "content": key(1)})], 1, "partial", alone),
        case(&[json!({"results": [], "totalCount": 0})], 0, "partial", alone),
        case(&[json!([key(2)]), whole()], 2, "partial", alone),
        case(&[whole(), page(&[2], (1, 1), Some(1))], 2, "partial", alone),
        case(&[whole(), page(&[2], (2, 2), Some(1))], 2, "partial", alone),
        case(&[whole(), page(&[], (2, 2), Some(2))], 1, "partial", alone),
        case(&[uncounted(1, 1), uncounted(1, 2)], 1, "partial", alone),
        case(&[changed("usedCount", 9.into()), changed("usedCount", 7.into())], 2, "partial", "not the same"),
        case(&[whole(), elsewhere], 1, "partial", "come from several addresses"),
        case(&[whole(), refusal(401, "NOT_SELF")], 1, "partial", "otherwise: forbidden NOT_SELF It says no."),
    ]);
}

#[test]
fn a_refusal_needs_no_headers_and_two_are_not_decided_between() {
    let text = |text: &str, status, why| (vec![text.to_owned()], 0, status, why);
    let unknown = refusal(404, "USER_NOT_FOUND");
    assert_outcomes(&[
        case(&[refusal(401, "NOT_SELF")], 0, "forbidden", "It says no."),
        case(&[json!({"error": 401, "reason": "Unauthorized"})], 0, "forbidden", ""),
        case(&[unknown.clone(), unknown.clone()], 0, "not-found", "It says no."),
        case(&[json!({"status": 404, "content": unknown})], 0, "not-found", "It says no."),
        case(&[refusal(410, "PERSONAL_API_KEYS_DEPRECATED")], 0, "removed", ""),
        case(
            &[refusal(410, "PERSONAL_API_KEYS_DEPRECATED"), refusal(401, "NOT_SELF")],
            0,
            "forbidden",
            "contradict each other: forbidden NOT_SELF It says no.; removed PERSONAL_API_KEYS_DEPRECATED",
        ),
        text("<html>", "malformed", "an HTML page instead of JSON"),
        text("", "malformed", "nothing instead of JSON"),
        text("{\"results\": [", "malformed", "no answer of GET /users/{id}/keys: EOF"),
        text("HTTP/1.1 502 Bad Gateway\n\n<html>", "error", "an HTML page with status 502"),
    ]);
}

#[test]
fn an_answer_without_an_owner_is_reported_by_file() {
    let list_of = |what: &str| json!({"links": [{"rel": "self", "href": format!("{BASE}/{what}")}], "results": [], "totalCount": 0});
    for answer in [
        json!({"results": [{"id": USER, "username": "ann"}], "totalCount": 1}),
        list_of("orgs"),
        list_of(&format!("users/{USER}/whitelist")),
        list_of("users/ann/keys"),
        refusal(401, "NOT_SELF"),
        json!([{"id": "a"}]),
        json!({"id": USER, "username": "ann"}),
        json!(42),
    ] {
        // Of two ids in a name nobody knows which is the user's, and an address is no id.
        for name in
            ["page.json".to_owned(), format!("{}-{}.json", id(1), id(2)), "ann@example.com.json".to_owned()]
        {
            let env = TestEnv::empty();
            env.put(&format!("answers/{name}"), answer.to_string());
            env.put("answers/fine.json", page(&[1], (1, 1), Some(1)).to_string());
            assert_eq!(env.run(&["import", "answers"]).code, 4, "{answer}");
            let rows = env.rows();
            assert_eq!((rows.len(), of_user(&rows, USER).len()), (2, 1), "{answer}: {rows:?}");
            let own = &of_user(&rows, "")[0];
            assert_eq!(own["read_status"], "malformed", "{answer}: {own:?}");
            assert!(own["reason"].contains(&name), "{answer}: {own:?}");
        }
    }
}

#[test]
fn nothing_of_one_user_passes_for_anothers() {
    let (mixed, other) = (changed("userId", id(1).into()), id(1));
    for (name, answer) in
        [("page.json".to_owned(), mixed), (format!("{other}.json"), page(&[1, 2], (1, 1), Some(2)))]
    {
        let env = TestEnv::empty();
        env.put(&format!("answers/{name}"), answer.to_string());
        assert_eq!(env.run(&["import", "answers"]).code, 4);
        let rows = env.rows();
        assert!(rows.iter().all(|row| row["read_status"] == "malformed"), "{rows:?}");
        assert!(rows.iter().any(|row| row["reason"].contains("names several users")), "{rows:?}");
        assert_eq!((of_user(&rows, USER).len(), of_user(&rows, &other).len()), (3, 1), "{rows:?}");
    }
}
