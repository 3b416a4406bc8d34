//! A deployment with one owner whose keys have every decision, and the context of that owner's script.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value as TemplateValue;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

/// A key with `GLOBAL_OWNER`, made by somebody else than the owner.
pub(super) const ADMIN: (&str, &str) = ("zmmrboas", "c0ffee00-1234-4abc-9def-db2c132ca78d");

pub(super) const ORG: &str = "5980cfdf0b6d97029d82f86e";
/// Its keys need an access list.
pub(super) const STRICT_ORG: &str = "5b2a3c4d5e6f708192a3b4c5";
pub(super) const PRODUCTION: &str = "5991a2b3c4d5e6f708192a3b";
pub(super) const STAGING: &str = "5991a2b3c4d5e6f708192a3c";

pub(super) const OWNER: &str = "5b17c0de9cc0cdb6ac0bf401";
pub(super) const OWNER_NAME: &str = "boris@example.com";

pub(super) const REPLACED: &str = "5b17c1119cc0cdb6ac0bf402";
pub(super) const REPLACED_SECRET: &str = "0c9a8b7d-6e5f-4a3b-8c2d-1e0f9a8b7c6d";
pub(super) const RETIRED: &str = "5b17c1119cc0cdb6ac0bf403";
pub(super) const ASKED: &str = "5b17c1119cc0cdb6ac0bf404";
pub(super) const WAIVED: &str = "5b17c1119cc0cdb6ac0bf405";
pub(super) const WAIVED_SECRET: &str = "7b6a5948-3726-4514-a302-f1e0d9c8b7a6";
pub(super) const DISABLED: &str = "5b17c1119cc0cdb6ac0bf406";

pub(super) const TAG: &str = "keysunset:5b17c0de9cc0cdb6ac0bf401:5980cfdf0b6d97029d82f86e";
pub(super) const STRICT_TAG: &str = "keysunset:5b17c0de9cc0cdb6ac0bf401:5b2a3c4d5e6f708192a3b4c5";
pub(super) const GLOBAL_TAG: &str = "keysunset:5b17c0de9cc0cdb6ac0bf401:global";
pub(super) const ASK_TAG: &str = "keysunset:5b17c0de9cc0cdb6ac0bf401:ask";

pub(super) fn world() -> Value {
    let key = |id: &str, enabled: bool, last_used: Option<&str>, count: u64, secret: &str| {
        let mut key = json!({
            "id": id, "enabled": enabled, "createdAt": "2018-06-06T11:09:05Z", "usedCount": count, "key": secret,
        });
        if let Some(time) = last_used {
            key["lastUsed"] = time.into();
        }
        key
    };
    json!({
        "organizations": [
            { "id": ORG, "name": "Example" },
            { "id": STRICT_ORG, "name": "Strict", "requiresAccessList": true },
        ],
        "projects": [
            { "id": PRODUCTION, "name": "production", "orgId": ORG },
            { "id": STAGING, "name": "staging", "orgId": ORG },
        ],
        "users": [
            {
                "id": "5af9a1d29cc0cdb6ac0bf3f8", "username": "ann@example.com",
                "roles": [{ "orgId": ORG, "roleName": "ORG_OWNER" }, { "roleName": "GLOBAL_OWNER" }],
            },
            {
                "id": OWNER, "username": OWNER_NAME,
                "roles": [
                    { "orgId": ORG, "roleName": "ORG_MEMBER" },
                    { "orgId": STRICT_ORG, "roleName": "ORG_READ_ONLY" },
                    { "groupId": PRODUCTION, "roleName": "GROUP_READ_ONLY" },
                    { "groupId": PRODUCTION, "roleName": "GROUP_DATA_ACCESS_READ_ONLY" },
                    { "groupId": STAGING, "roleName": "GROUP_OWNER" },
                ],
                "keys": [
                    key(REPLACED, true, Some("2024-12-20T06:07:08Z"), 41375, REPLACED_SECRET),
                    key(RETIRED, true, None, 0, "5d4c3b2a-1908-4f7e-b6d5-c4b3a2918070"),
                    key(ASKED, true, None, 12, "3d0d4b6e-5f1c-4a52-9d6f-92732876eeae"),
                    key(WAIVED, true, Some("2024-11-01T00:00:00Z"), 3, WAIVED_SECRET),
                    key(DISABLED, false, Some("2023-01-01T00:00:00Z"), 9, "a2f7c8d1-0b3e-4c64-8f75-4c5d3fc98d30"),
                ],
            },
        ],
        "programmaticKeys": [{
            "id": "5c47503320eef5699e1cce8d", "desc": "audit", "publicKey": ADMIN.0, "privateKey": ADMIN.1,
            "madeBy": "ann@example.com", "roles": [{ "roleName": "GLOBAL_OWNER" }],
        }],
        "globalAccessList": [],
    })
}

/// The context as `keysunset plan` gives it to the template. No waiting for a key that was not used since the run.
pub(super) fn context(url: &str) -> Value {
    let key = |id: &str, suffix: &str, decision: &str, wave: &str, last_used: &str, count: &str| {
        json!({
            "id": id, "suffix": suffix, "description": format!("{decision} key"), "decision": decision,
            "wave": wave, "last_used": last_used, "used_count": count, "enabled": decision != "delete-only",
        })
    };
    json!({
        "deployment": {
            "name": "om", "base_url": url, "product": "ops-manager", "version": "4.4.12",
            "access_list": "whitelist", "tool": "curl",
        },
        "run": { "id": "3", "started_at": "2025-01-01T00:00:00Z" },
        "owner": { "id": OWNER, "name": OWNER_NAME, "number": 7, "file": "07-owner.sh" },
        "verify_days": 0,
        "keys": [
            key(REPLACED, "1e0f9a8b7c6d", "replace", "2", "2024-12-20T06:07:08Z", "41375"),
            key(RETIRED, "c4b3a2918070", "retire", "1", "", "0"),
            key(ASKED, "92732876eeae", "ask", "5", "", "12"),
            key(WAIVED, "f1e0d9c8b7a6", "waived", "", "2024-11-01T00:00:00Z", "3"),
            key(DISABLED, "4c5d3fc98d30", "delete-only", "", "2023-01-01T00:00:00Z", "9"),
        ],
        "replacements": [replacement(ORG, "Example", TAG, "ORG_MEMBER", &json!([
            { "id": PRODUCTION, "name": "production", "roles": ["GROUP_READ_ONLY", "GROUP_DATA_ACCESS_READ_ONLY"] },
            { "id": STAGING, "name": "staging", "roles": ["GROUP_OWNER"] },
        ]))],
    })
}

pub(super) fn replacement(org: &str, name: &str, tag: &str, role: &str, projects: &Value) -> Value {
    json!({
        "org_id": org, "org_name": name, "tag": tag, "description": format!("{tag} boris/ci"),
        "kind": "api-key", "org_roles": [role], "projects": projects, "addresses": [], "needs_decision": false, "existing": "",
        "keys": [REPLACED],
    })
}

/// Renders the script with the settings of the product's own templates.
pub(super) fn render(context: &Value) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.unwrap());
    environment.add_filter("sh", |value: TemplateValue| quoted(&value.to_string()));
    environment.render_str(&super::template("owner.sh.j2"), minijinja::value::Serde(context)).unwrap()
}

/// Single quotes; where a character is not printable ASCII, the quotes of bash that have escapes, so that it is on one
/// line and nothing in it changes how the line looks.
fn quoted(text: &str) -> String {
    if text.chars().all(|one| one == ' ' || one.is_ascii_graphic()) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let byte = |byte: u8| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        other => format!("\\{other:03o}"),
    };
    format!("$'{}'", text.bytes().map(byte).collect::<String>())
}
