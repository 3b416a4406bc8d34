//! `--fault`: what it takes, and which requests meet it.

use keysunset_sandbox::{
    AuthFault, Fault, FaultError, FaultKind, Options, Product, Replacement, Sandbox, StatusDetail, Transport,
    WrongData, WrongTotal,
};

use super::{announced, start};

fn fault(spec: &str) -> Fault {
    spec.parse().unwrap_or_else(|why| panic!("{why}"))
}

fn faults(specs: &[&str]) -> Vec<Fault> {
    specs.iter().map(|spec| fault(spec)).collect()
}

fn broken(specs: &[&str], change: impl FnOnce(&mut Options)) -> Sandbox {
    start(|options| {
        options.faults = faults(specs);
        change(options);
    })
}

/// Below the base path, for each user.
fn key_lists(sandbox: &Sandbox) -> Vec<String> {
    sandbox.ground_truth().map(|user| format!("/users/{}/keys", user.id)).collect()
}

/// The faults there, as they were typed.
fn faults_at(sandbox: &Sandbox, path: &str) -> Vec<String> {
    sandbox.faults_for(path).iter().map(ToString::to_string).collect()
}

#[test]
fn a_fault_is_a_kind_times_an_argument_a_share_and_a_place() {
    let status = |status, said| FaultKind::Replacement(Replacement::Status(status, said));
    for (spec, kind, first) in [
        ("429@0.05", status(429, StatusDetail::Document), None),
        ("500x2@10%", status(500, StatusDetail::Document), Some(2)),
        ("429x1=3@1", status(429, StatusDetail::RetryAfter(3)), Some(1)),
        ("503=date@1:keys", status(503, StatusDetail::RetryDate), None),
        ("403=GROUP_RATE_LIMITED@1", status(403, StatusDetail::Code("GROUP_RATE_LIMITED".to_owned())), None),
        ("cut=17@0.02:keys+users", FaultKind::Transport(Transport::Cut(Some(17))), None),
        ("total=-2@1:orgs", FaultKind::WrongData(WrongData::Total(WrongTotal::Offset(-2))), None),
        ("total=7@1", FaultKind::WrongData(WrongData::Total(WrongTotal::Exactly(7))), None),
        ("stalex3@0.5%", FaultKind::Auth(AuthFault::Stale), Some(3)),
        (
            "redirect-away=http://a@127.0.0.1:81/x@1:byname+digest",
            FaultKind::Replacement(Replacement::RedirectAway("http://127.0.0.1:81".to_owned())),
            None,
        ),
    ] {
        let fault = fault(spec);
        assert_eq!((fault.kind(), fault.failures()), (&kind, first), "{spec}");
        assert_eq!(fault.is_permanent(), first.is_none());
        assert_eq!(fault.to_string(), spec);
    }
}

#[test]
fn an_invalid_fault_is_refused_with_a_hint() {
    for unknown in ["", "help", "500", "teapot@1", "418@1", "500y2@1", "@1", "x2@1"] {
        let why = unknown.parse::<Fault>().unwrap_err();
        assert_eq!(why, FaultError::Unknown(unknown.to_owned()));
        let text = why.to_string();
        assert!(text.contains("KIND[xN][=ARG]@SHARE[:WHERE]") && text.contains("slow-drip"), "{text}");
    }
    for (wrong, hint) in [
        ("500@1.1", "0% to 100%"),
        ("500@-1", "0% to 100%"),
        ("500@NaN", "0% to 100%"),
        ("500@101%", "0% to 100%"),
        ("500@", "0% to 100%"),
        ("500x0@1", "x1 or more"),
        ("500x@1", "x1 or more"),
        ("500@1:everywhere", "keys, users, orgs, byname or digest"),
        ("500@1:", "keys, users, orgs, byname or digest"),
        ("500=soon@1", "a number of seconds"),
        ("html=1@1", "no argument"),
        ("cut=-1@1", "number of bytes"),
        ("latency=0@1", "number from 1"),
        ("deep=99999999@1", "not too large"),
        ("total=+0@1", "+1 and more"),
        ("redirect=304@1", "307 or 308"),
        ("redirect-away@1", "the other origin"),
        ("another-user@1:users", "does not go with WHERE"),
        ("repeats@1:byname", "does not go with WHERE"),
    ] {
        let why = wrong.parse::<Fault>().unwrap_err().to_string();
        assert!(why.contains(wrong) && why.contains(hint), "{wrong}: {why}");
    }
}

#[test]
fn every_kind_in_the_help_is_parsed_and_in_the_manual() {
    let manual = include_str!("../../../docs/sandbox.md");
    let kinds = keysunset_sandbox::FAULT_HELP.lines().filter_map(|line| {
        let word = line.strip_prefix("  ")?;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        (word.starts_with(is_name) && !word.starts_with("xN")).then_some(word)
    });
    let (mut seen, mut usages) = (0, Vec::new());
    for line in kinds {
        let usage = line.split("  ").next().unwrap();
        usages.extend(usage.split(", "));
    }
    for usage in usages {
        let name = usage.split(['[', '=']).next().unwrap();
        let spec = if name == "redirect-away" { "redirect-away=http://x@1" } else { &format!("{name}@1") };
        fault(spec);
        assert!(manual.contains(&format!("`{name}")), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 11 + 25);
}

#[test]
fn faults_follow_from_the_seed_and_the_request_alone() {
    let specs = ["500@30%", "cut@30%"];
    let one = broken(&specs, |_| {});
    let again = broken(&specs, |options| options.product = Product::Atlas);
    let other = broken(&specs, |options| options.seed = 2);
    let paths = key_lists(&one);
    let hits = |sandbox: &Sandbox| -> Vec<_> { paths.iter().map(|path| faults_at(sandbox, path)).collect() };
    assert_eq!(hits(&one), hits(&again));
    assert_ne!(hits(&one), hits(&other));
    for path in &paths {
        let here = faults_at(&one, path);
        for same in [
            format!("/api/public/v1.0{path}"),
            format!("{path}/"),
            format!("{path}?itemsPerPage=500&pageNum=1&pretty=true"),
            path.replace("keys", "%6beys").replace("%6b", "k"),
        ] {
            assert_eq!(faults_at(&one, &same), here, "{same}");
        }
    }
    let second_pages =
        paths.iter().filter(|path| faults_at(&one, path) != faults_at(&one, &format!("{path}?pageNum=2")));
    assert!(second_pages.count() > 10);
}

#[test]
fn the_share_is_kept_and_faults_are_independent() {
    let sandbox = broken(&["500@5%", "cut@0.2", "html@0", "empty@1"], |options| options.users = 20_000);
    let hits: Vec<Vec<String>> = key_lists(&sandbox).iter().map(|path| faults_at(&sandbox, path)).collect();
    let count = |specs: &[&str]| {
        hits.iter().filter(|hits| specs.iter().all(|spec| hits.contains(&(*spec).to_owned()))).count()
    };
    // Each within five standard deviations.
    assert!((846..=1154).contains(&count(&["500@5%"])));
    assert!((3717..=4283).contains(&count(&["cut@0.2"])));
    assert!((130..=270).contains(&count(&["500@5%", "cut@0.2"])));
    assert_eq!((count(&["html@0"]), count(&["empty@1"])), (0, 20_000));
}

#[test]
fn a_resource_limits_a_fault() {
    let id = "5af9a1d29cc0cdb6ac0bf3f8";
    let place = |place: &str, path: &str| {
        let sandbox = broken(&[&format!("500@1{place}")], |options| options.users = 1);
        !sandbox.faults_for(&path.replace("ID", id)).is_empty()
    };
    let (keys, users, orgs) = (
        ["/users/ID/keys", "/users/ID/keys/ID"],
        ["/users/ID", "/orgs/ID/users", "/groups/ID/users"],
        ["/orgs", "/orgs/ID", "/orgs/ID/groups", "/groups", "/groups/ID"],
    );
    let (names, others) = (["/users/byName/ann%40example.com"], ["/orgs/ID/apiKeys", "/admin/apiKeys", "/"]);
    let all: Vec<&str> = [&keys[..], &users, &orgs, &names, &others].concat();
    for (limit, hit) in [
        ("", all.clone()),
        (":digest", all.clone()),
        (":keys", keys.to_vec()),
        (":users", users.to_vec()),
        (":orgs", orgs.to_vec()),
        (":byname", names.to_vec()),
        (":keys+byname+digest", [&keys[..], &names].concat()),
    ] {
        for path in &all {
            assert_eq!(place(limit, path), hit.contains(path), "{limit} {path}");
        }
    }
}

#[test]
fn a_list_fault_applies_to_all_pages_or_none() {
    let sandbox = broken(&["repeats@50%", "another-user@1"], |options| options.users = 300);
    let mut hit = 0;
    for path in key_lists(&sandbox) {
        let here = faults_at(&sandbox, &path);
        hit += usize::from(here.len() == 2);
        assert!((2..9).all(|page| faults_at(&sandbox, &format!("{path}?pageNum={page}")) == here));
    }
    assert!((100..200).contains(&hit), "{hit}");
    assert_eq!(faults_at(&sandbox, "/users/5af9a1d29cc0cdb6ac0bf3f8"), [""; 0]);
    let orgs = faults_at(&sandbox, "/orgs");
    assert!(!orgs.contains(&"another-user@1".to_owned()), "{orgs:?}");
}

#[tokio::test]
async fn predicted_faults_happen_in_any_order() {
    let sandbox = broken(&["500@20%:keys", "404@20%:keys"], |options| options.users = 60);
    let client = announced(&sandbox);
    let mut paths = key_lists(&sandbox);
    for _ in 0..2 {
        for path in &paths {
            let expected = match sandbox.faults_for(path).first().map(|fault| fault.kind()) {
                Some(FaultKind::Replacement(Replacement::Status(status, _))) => *status,
                None => 200,
                other => panic!("{other:?}"),
            };
            assert_eq!(client.get(path).await.status, expected, "{path}");
        }
        paths.reverse();
    }
    let hit = paths.iter().filter(|path| !sandbox.faults_for(path).is_empty()).count() as u64;
    assert_eq!(sandbox.counts().faulty, 2 * hit);
    assert!((10..35).contains(&hit), "{hit}");
}

#[tokio::test]
async fn a_temporary_fault_fails_n_times_for_each_request() {
    let sandbox = broken(&["503x2@1:keys", "429x1@1:keys"], |options| options.users = 3);
    let client = announced(&sandbox);
    for path in key_lists(&sandbox) {
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(client.get(&path).await.status.as_u16());
        }
        assert_eq!(seen, [503, 503, 429, 200, 200], "{path}");
    }
    assert_eq!(client.get("/orgs").await.status, 200);
}

#[tokio::test]
async fn the_first_fault_wins_and_those_before_the_digest_come_first() {
    let sandbox = broken(&["404@1:keys", "500@1:keys", "502@1:users+digest"], |_| {});
    let client = announced(&sandbox);
    let user = sandbox.expected_user(0).unwrap().id;
    assert_eq!(client.get(&format!("/users/{user}/keys")).await.status, 404);
    let target = format!("{}/users/{user}", client.base);
    assert_eq!(client.send("GET", &target, &[], None).await.status, 502);
    let both = broken(&["404@1", "502@1:digest"], |_| {});
    assert_eq!(faults_at(&both, "/orgs"), ["502@1:digest", "404@1"]);
}

#[tokio::test]
async fn a_fault_after_the_digest_leaves_the_challenge_alone() {
    let sandbox = broken(&["500@1"], |_| {});
    let client = announced(&sandbox);
    assert_eq!(client.send("GET", "/api/public/v1.0/orgs", &[], None).await.status, 401);
    assert_eq!(client.attempt(|answer| answer.password.clear()).await.status, 401);
    assert_eq!(client.attempt(|_| {}).await.status, 500);
    assert_eq!(client.send("GET", "/sandbox/counts", &[], None).await.json()["faulty"], 1);
}
