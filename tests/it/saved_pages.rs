//! Which saved answers make a user read: those that make one read by an audit, and nothing of which it is not known.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::stub::{Asked, Digest, Reply, Stub, id};
use crate::support::{Row, TestEnv, of_user};

/// The user in all answers below, and the first digits of all keys; each case has others in their place.
const USER: &str = "5af9a1d29cc0cdb6ac0bf3f8";
const KEYS: &str = "cafe";
const BASE: &str = "https://om.example/api/public/v1.0";

fn of_case(text: &str, case: usize) -> String {
    let id = id(case + 1);
    text.replace(USER, &id)
        .replace(&USER.to_uppercase(), &id.to_uppercase())
        .replace(KEYS, &format!("{case:04x}"))
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

/// One answer of a service.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    content_type: &'static str,
    text: String,
    encode: fn(&str) -> Vec<u8>,
}

impl Answer {
    fn new(status: u16, text: &impl ToString) -> Self {
        let text = text.to_string();
        Self { status, content_type: "application/json", text, encode: |text| text.as_bytes().to_vec() }
    }

    fn encoded(content_type: &'static str, text: &impl ToString, encode: fn(&str) -> Vec<u8>) -> Self {
        Self { content_type, encode, ..Self::new(200, text) }
    }

    fn bytes(&self, case: usize) -> Vec<u8> {
        (self.encode)(&of_case(&self.text, case))
    }
}

/// What a service may answer to requests for its pages.
fn services() -> Vec<Vec<Answer>> {
    let fine = |pages: Vec<Value>| pages.into_iter().map(|page| Answer::new(200, &page)).collect::<Vec<_>>();
    let mut content = page(&[1], (1, 1), Some(1));
    content =
        json!({"status": 200, "content": content["results"], "links": content["links"], "totalCount": 1});
    let mut used_again = page(&[1, 3], (2, 2), None);
    used_again["results"][0]["usedCount"] = 9.into();
    let mut services = vec![
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
        fine(vec![page(&[1], (1, 2), Some(1))]),
        fine(vec![page(&[1], (2, 2), Some(1))]),
        fine(vec![refusal(404, "USER_NOT_FOUND")]),
        vec![Answer::new(401, &refusal(401, "NOT_SELF"))],
        vec![Answer::new(404, &refusal(404, "RESOURCE_NOT_FOUND"))],
        vec![Answer::new(410, &refusal(410, "PERSONAL_API_KEYS_DEPRECATED"))],
        vec![Answer::new(429, &"")],
        vec![Answer::new(502, &"<html>")],
        vec![Answer::new(404, &"<html>")],
        vec![Answer::new(403, &"<html>")],
        vec![Answer::new(200, &page(&[1, 2], (1, 2), Some(3))), Answer::new(502, &"<html>")],
        vec![Answer::new(200, &page(&[1, 2], (1, 2), Some(3))), Answer::new(200, &"{\"results\": [")],
    ];
    let bodies = bodies().into_iter().map(|body| Answer::new(200, &body));
    services.extend(bodies.chain(encodings()).map(|answer| vec![answer]));
    let statuses = [201, 203, 204, 206, 226, 299, 400, 418, 500, 503];
    services.extend(statuses.map(|status| vec![Answer::new(status, &page(&[1], (1, 1), Some(1)))]));
    services
}

/// Bodies that come with status 200, as the documented list and otherwise.
fn bodies() -> Vec<String> {
    let own = |href: &str| page(&[1], (1, 1), Some(1)).to_string().replacen(BASE, href, 1);
    let link = |href: &str| {
        let mut page = page(&[], (1, 1), Some(0));
        page["links"][0]["href"] = href.into();
        page
    };
    let total = |total: &str| format!(r#"{{"links":[{{"rel":"self"}}],"results":[],"totalCount":{total}}}"#);
    let mut bodies: Vec<_> = [
        changed("lastUsed", json!("yesterday")),
        changed("id", json!("a/../b")),
        changed("id", json!("")),
        changed("userId", json!("5b17c0de9cc0cdb6ac0bf401")),
        changed("userId", json!(USER.to_uppercase())),
        changed("usedCount", json!(7.5)),
        changed("description", json!(7)),
        json!({"status": 500, "content": []}),
        json!({"status": "200", "results": [], "totalCount": 0}),
        json!({"results": [], "totalCount": 0, "error": null}),
        json!({"results": [], "totalCount": 0, "error": 500}),
        json!({"results": [], "totalCount": 0}),
        json!({"results": [], "content": [], "totalCount": 0}),
        json!({"results": null, "totalCount": 0}),
        json!({"results": []}),
        json!({"results": [key(1)], "totalCount": 1}),
        json!({"results": [{"id": format!("{KEYS}01")}], "totalCount": 1}),
        json!({"results": [key(1)]}),
        json!([key(1)]),
        json!([]),
        key(1),
        json!({"status": 200, "content": key(1)}),
        json!(42),
        link("http://example.com/x"),
        link("/keys?pageNum=1"),
        link(&format!("/api/public/v1.0/users/{USER}/keys")),
        link(&format!("{BASE}/users/{USER}/keys")),
        link(&format!("{BASE}/users/{USER}/keys?pageNum=0")),
        link(&format!("{BASE}/users/{USER}/keys?pageNum=2")),
        link(
            &format!("{BASE}/users/{USER}/keys/?itemsPerPage=1&pageNum=1#x")
                .replace(USER, &USER.to_uppercase()),
        ),
        link(&format!("{BASE}/users/{USER}/whitelist")),
        link(&format!("{BASE}/orgs/{USER}/users")),
        link(&format!("{BASE}/orgs")),
        link(&format!("{BASE}/users/ann/keys")),
    ]
    .iter()
    .map(Value::to_string)
    .collect();
    bodies.extend([own("https://om.example"), own("http://[::1]:8080/om/api")]);
    bodies.extend(["0", "-1", "0.0", "\"0\"", "null", "1e0", "99999999999999999999"].map(total));
    bodies.extend(
        [
            "",
            " ",
            "<html>",
            "{\"results\": [",
            "{}",
            "null",
            "{\"results\":[],\"totalCount\":0,\"totalCount\":0}",
        ]
        .map(str::to_owned),
    );
    bodies
}

/// The same list in the encodings that a `Content-Type` or a byte order mark declares, and in those that none does.
fn encodings() -> Vec<Answer> {
    let list = changed("description", json!("Büro")).to_string();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let utf16_with_mark =
        |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let half = |text: &str| {
        [
            &[0xff, 0xfe][..],
            &text
                .replace('ü', "\u{1}")
                .encode_utf16()
                .map(|unit| if unit == 1 { 0xd800 } else { unit })
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>(),
        ]
        .concat()
    };
    let latin_1 = |text: &str| text.chars().map(|c| u8::try_from(c).unwrap()).collect::<Vec<_>>();
    vec![
        Answer::encoded("application/json", &list, |text| format!("\u{feff}{text}").into_bytes()),
        Answer::encoded("application/json", &list, |text| format!("{text}\r\n \n").into_bytes()),
        Answer::encoded("text/html; charset=ISO-8859-1", &list, latin_1),
        Answer::encoded("application/json", &list, latin_1),
        Answer::encoded("application/json", &list, utf16_with_mark),
        Answer::encoded("application/json; charset=utf-8", &list, half),
        Answer::encoded("application/json; charset=utf-16", &list, utf16),
    ]
}

/// What is asked for past the last page is an empty one.
fn answer(asked: &Asked) -> (Answer, Vec<u8>) {
    let user = asked.path.split('/').nth(2).unwrap();
    let case = usize::from_str_radix(user, 16).unwrap() - 1;
    let number = asked.page() as u64;
    let beyond = || Answer::new(200, &page(&[], (number, number), None));
    let answer = services()[case].get(asked.page() - 1).cloned().unwrap_or_else(beyond);
    let bytes = answer.bytes(case);
    (answer, bytes)
}

#[test]
fn the_same_bytes_have_the_same_outcome_in_an_audit_and_an_import() {
    let stub = Stub::start(Digest::On, |asked| {
        let (Answer { status, content_type, .. }, bytes) = answer(asked);
        Reply::bytes(content_type, bytes).with_status(status)
    });
    let (audit, import) = (crate::stub::env(), TestEnv::empty());
    let ids: String = (1..=services().len()).map(|case| id(case) + "\n").collect();
    audit.put("ids.txt", ids);
    let common = ["--name", "x", "--out", "reports"];
    let ran =
        audit.audit_at(&stub.url(), &[&common[..], &["--users", "ids.txt", "--concurrency", "1"]].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    let mut saved = BTreeSet::new();
    for asked in stub.asked() {
        let (Answer { status, content_type, .. }, body) = answer(&asked);
        let name = format!("answers/{}-p{}.http", asked.path.split('/').nth(2).unwrap(), asked.page());
        // An answer for another user is asked for twice.
        if saved.insert(name.clone()) {
            let headers = format!("HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n\r\n");
            import.put(&name, [headers.into_bytes(), body].concat());
        }
    }
    let ran = import.run(&[&["import", "answers", "--product", "ops-manager"][..], &common].concat());
    assert_eq!(ran.code, 4, "{ran:?}");
    let facts = |rows: &[Row], case: usize| {
        let columns = ["read_status", "http_status", "error_code", "key_id", "used_count", "description"];
        let facts = |row: &Row| columns.map(|column| row[column].clone());
        of_user(rows, &id(case + 1)).into_iter().map(facts).collect::<Vec<_>>()
    };
    let (imported, audited) = (import.rows(), audit.rows());
    let services = services();
    let both = |case| (facts(&imported, case), facts(&audited, case));
    let differing = services.iter().enumerate().filter(|(case, _)| both(*case).0 != both(*case).1);
    let differing: Vec<_> =
        differing.map(|(case, service)| format!("{service:?}: {:?}", both(case))).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
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
    let alone = "contradicts the pages of the list";
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
        case(&[unnumbered], 1, "read", ""),
        case(&[json!({"results": [], "totalCount": 0})], 0, "read", ""),
        case(&[whole(), page(&[], (2, 2), Some(1))], 1, "read", ""),
        case(&[of_three(1, &[1, 2]), of_three(3, &[5])], 3, "partial", "page 2 was not saved"),
        case(&[of_three(3, &[5])], 1, "partial", "page 1 was not saved"),
        case(
            &[of_three(1, &[1, 2])],
            2,
            "partial",
            "counts 5 keys, but the saved pages contain 2; page 1 has a next page",
        ),
        case(&[uncounted(1, 2)], 1, "partial", "page 1 has a next page"),
        case(&[json!({"results": [key(1)]})], 1, "partial", "page 1 has a next page"),
        case(&[json!([key(1)])], 0, "malformed", "an array"),
        case(&[json!([])], 0, "malformed", "an array"),
        case(&[key(1)], 0, "malformed", "neither `results` nor `content`"),
        case(&[json!({"status": 200, "content": key(1)})], 0, "malformed", "neither `results` nor `content`"),
        case(&[json!([key(2)]), whole()], 1, "malformed", "contradicts it: malformed"),
        case(&[whole(), page(&[2], (1, 1), Some(1))], 2, "partial", alone),
        case(&[whole(), page(&[2], (2, 2), Some(1))], 2, "partial", alone),
        case(&[whole(), page(&[], (2, 2), Some(2))], 1, "partial", alone),
        case(&[uncounted(1, 1), uncounted(1, 2)], 1, "partial", alone),
        case(
            &[changed("usedCount", 9.into()), changed("usedCount", 7.into())],
            2,
            "partial",
            "with different values",
        ),
        case(&[whole(), elsewhere], 1, "partial", "come from several addresses"),
        case(
            &[whole(), refusal(401, "NOT_SELF")],
            1,
            "partial",
            "contradicts it: forbidden NOT_SELF It says no.",
        ),
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
        text("", "malformed", "an empty body instead of JSON"),
        text("{\"results\": [", "malformed", "not a response of GET /users/{id}/keys: EOF"),
        text("HTTP/1.1 502 Bad Gateway\n\n<html>", "error", "an HTML page with HTTP status 502"),
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
        assert!(rows.iter().any(|row| row["reason"].contains("contains several users")), "{rows:?}");
        assert_eq!((of_user(&rows, USER).len(), of_user(&rows, &other).len()), (3, 1), "{rows:?}");
    }
}
