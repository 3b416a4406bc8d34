//! A small deployment that changes between runs: one organization, its users, and the keys of each or why not.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::stub::{Digest, Reply, Stub, env, id, list};
use crate::support::{CliOutput, TestEnv, rfc3339};

pub(crate) const ORG: &str = "5980000000000000000000aa";

/// What the service answers to the question for one user's keys.
#[derive(Clone)]
pub(crate) enum Keys {
    /// A page of them.
    Are(Vec<Value>),
    /// A refusal: its status and code.
    Refused(u16, &'static str),
}

/// The users by number: `id(number)`, `u<number>@example.com`.
#[derive(Clone)]
pub(crate) struct World {
    users: Arc<Mutex<Vec<(usize, Keys)>>>,
}

impl World {
    pub(crate) fn of(users: Vec<(usize, Keys)>) -> (Self, Stub) {
        let world = Self { users: Arc::new(Mutex::new(users)) };
        let served = world.clone();
        let stub = Stub::start(Digest::On, move |asked| {
            let users = served.users.lock().unwrap();
            if asked.path.starts_with("/orgs/") {
                let user =
                    |(number, _): &(usize, Keys)| json!({"id": id(*number), "username": name(*number)});
                return Reply::ok(&list(&users.iter().map(user).collect::<Vec<_>>()));
            }
            let asked_for = |(number, _): &&(usize, Keys)| asked.path.contains(&id(*number));
            match users.iter().find(asked_for) {
                Some((_, Keys::Are(keys))) => Reply::ok(&list(keys)),
                Some((_, Keys::Refused(status, code))) => Reply::error(*status, code),
                None => Reply::error(404, "USER_NOT_FOUND"),
            }
        });
        (world, stub)
    }

    /// What it is from now on.
    pub(crate) fn becomes(&self, users: Vec<(usize, Keys)>) {
        *self.users.lock().unwrap() = users;
    }
}

pub(crate) fn name(user: usize) -> String {
    format!("u{user}@example.com")
}

/// An enabled key; `last_used` is in seconds since 1970.
pub(crate) fn key(user: usize, number: usize, last_used: Option<i64>, used_count: u64) -> Value {
    json!({
        "createdAt": "2018-05-14T14:45:22Z", "description": "ci", "enabled": true, "id": id(number),
        "lastUsed": last_used.map(|at| rfc3339(crate::support::at(at))),
        "obfuscatedKey": format!("********-****-****-{number:012x}"), "usedCount": used_count, "userId": id(user),
    })
}

pub(crate) fn disabled(mut key: Value) -> Value {
    key["enabled"] = json!(false);
    key
}

/// The desk at which every world is audited.
pub(crate) fn audited(env: &TestEnv, stub: &Stub, more: &[&str]) -> CliOutput {
    env.audit_at(&stub.url(), &[&["--org", ORG, "--name", "east"], more].concat())
}

/// A desk of its own, and what the first audit there came to.
pub(crate) fn first(stub: &Stub, more: &[&str]) -> (TestEnv, CliOutput) {
    let env = env();
    let ran = audited(&env, stub, more);
    (env, ran)
}
