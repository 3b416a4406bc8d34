//! `plan --tool`: what each tool writes, for which product, and the files of Terraform as others read them.

use std::process::Command;

use super::*;
use crate::foreign::program;

/// What a description and a comment of Terraform could make of a name.
const HOSTILE: &str = "zed ${file(\"/etc/passwd\")} %{ if true } \"quoted\" \\ \u{202e}ü\u{1}\n}# end";

/// On Atlas: roles of a service account, roles of a key alone, a key to decide about, and a name that is no code.
fn atlas_users() -> Vec<User> {
    let used = |number| Reply::ok(&list(&[key(number, true, Some(USED), 7, "00000000000e")]));
    let unknown = Reply::ok(&list(&[key(3, true, None, 7, "00000000000f")]));
    vec![
        ("ann@example.com", roles(&["ORG_OWNER"], &["GROUP_OWNER", "GROUP_READ_ONLY"]), json!([]), used(1)),
        ("bob", roles(&["ORG_MEMBER"], &["GROUP_CHARTS_ADMIN"]), json!([]), used(2)),
        ("cyd", roles(&[], &["GROUP_READ_ONLY"]), json!([]), unknown),
        (HOSTILE, roles(&["ORG_MEMBER"], &["GROUP_BILLING_ADMIN"]), json!([]), used(4)),
    ]
}

fn audited(product: &str, users: impl Fn() -> Vec<User> + Send + Sync + 'static) -> TestEnv {
    let (stub, env) = (deployment(users), env());
    env.audit_at(&stub.url(), &["--all-orgs", "--product", product]);
    env
}

/// The kinds of all replacements in `plan.json`, and the tags.
fn replacements_of(env: &TestEnv) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&env.text("reports/plan.json")).unwrap();
    let owners = document["owners"].as_array().unwrap().iter();
    let all = owners.flat_map(|owner| owner["replacements"].as_array().unwrap());
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    all.map(|one| (text(one, "kind"), text(one, "tag"))).collect()
}

fn scripts(env: &TestEnv) -> Vec<String> {
    let files = env.files().into_iter().filter(|(path, _)| path.starts_with("reports/plan"));
    let scripts =
        files.filter(|(path, _)| path.extension().is_some_and(|it| it == "sh") && !path.ends_with("lib.sh"));
    scripts.map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

#[test]
fn on_atlas_a_service_account_is_proposed_first_and_a_key_where_its_roles_need_one() {
    let env = audited("atlas", atlas_users);
    assert_eq!(env.run(&["plan"]).code, 0);
    let account = |number| ("service-account".to_owned(), format!("keysunset-{}", id(number)));
    let key = |number| ("api-key".to_owned(), format!("keysunset:{}", id(number)));
    assert_eq!(replacements_of(&env), [account(100), key(101), account(102), key(103)]);
    let rows = rows(&env.bytes("reports/plan.csv"));
    let described: Vec<_> =
        replacements(&rows).iter().map(|row| (row["description"].clone(), row["reason"].clone())).collect();
    // The vendor's names have letters, digits, spaces and `-_.,'` alone.
    assert_eq!(described[0].0, format!("keysunset-{} ann example.com", id(100)));
    assert_eq!(described[0].1, format!("service account to be made, for {}", id(1)));
    let why =
        "programmatic key (a service account cannot have the role GROUP_CHARTS_ADMIN), to be made, for ";
    assert_eq!(described[1].1, format!("{why}{}", id(2)));
    let found = scripts(&env);
    assert!(found.iter().all(|script| script.contains(" 'curl'\n")), "{found:?}");
    assert!(
        found[0].contains(&format!("\nservice_account '{EAST}' 'East' 'keysunset-{}'", id(100))),
        "{found:?}"
    );
    assert!(
        found[1].contains(&format!("\nreplacement '{EAST}' 'East' 'keysunset:{}'", id(101))),
        "{found:?}"
    );
    assert!(!env.path("reports/plan/terraform.tf").exists());
    assert!(env.text("reports/plan.md").contains("| of all these, service accounts | 2 |"));

    assert_eq!(env.run(&["plan", "--tool", "atlas"]).code, 0);
    assert_eq!(replacements_of(&env), [100, 101, 102, 103].map(key));
    assert!(scripts(&env).iter().all(|script| script.contains(" 'atlas'\n")));
    assert_eq!(env.run(&["plan", "--per", "key"]).code, 0);
    assert_eq!(replacements_of(&env)[0].1, format!("keysunset-{}-{}", id(100), id(1)));
}

#[test]
fn a_tool_that_does_not_work_with_the_product_is_refused_and_nothing_is_written() {
    let users = || vec![atlas_users().swap_remove(0)];
    for (product, wrong, instead) in [
        ("atlas", "mongocli", "--tool curl or --tool atlas"),
        ("ops-manager", "atlas", "--tool curl or --tool mongocli"),
        ("cloud-manager", "terraform", "--tool curl or --tool mongocli"),
    ] {
        let env = audited(product, users);
        let ran = env.run(&["plan", "--tool", &format!("curl,{wrong}")]);
        assert_eq!((ran.code, &*ran.stdout), (5, ""), "{ran:?}");
        assert!(ran.stderr.contains(&format!("error: --tool {wrong}: ")), "{ran:?}");
        assert!(ran.stderr.contains(&format!("help: use {instead}")), "{ran:?}");
        assert!(!env.path("reports/plan.md").exists() && !env.path("reports/plan").exists());
    }
    let env = audited("ops-manager", users);
    assert_eq!(env.run(&["plan", "--tool", "mongocli"]).code, 0);
    assert!(scripts(&env)[0].contains(" 'whitelist' 'mongocli'\n"));
    assert_eq!(env.run(&["plan", "--tool", "vault"]).code, 2);
}

/// A parser that nobody here wrote reads the files, and their values are those of plan.json.
const PARSED: &str = r#"
import ast, glob, hcl2, json, os, sys
document, folder = json.load(open(sys.argv[1])), sys.argv[2]
found, outputs = {}, set()
for path in sorted(glob.glob(os.path.join(folder, "*.tf"))):
    text = open(path, encoding="ascii").read()
    parsed = hcl2.loads(text)
    for block in parsed.get("resource", []):
        for kind, named in block.items():
            for name, body in named.items():
                key = (ast.literal_eval(kind), ast.literal_eval(name))
                assert key not in found, key
                found[key] = body
    outputs |= {ast.literal_eval(name) for block in parsed.get("output", []) for name in block}
    assert all(body["sensitive"] for block in parsed.get("output", []) for body in block.values())
def text(quoted):
    assert "${" not in quoted and "%{" not in quoted, quoted
    return ast.literal_eval(quoted)
def texts(quoted):
    return sorted(map(text, quoted))
expected = set()
for owner in document["owners"]:
    for one in owner["replacements"]:
        name = f"owner_{owner['owner_id']}_{one['org_id']}"
        account = one["kind"] == "service-account"
        kind = "mongodbatlas_service_account" if account else "mongodbatlas_api_key"
        body = found[kind, name]
        assert text(body["org_id"]) == one["org_id"] and text(body["description"]) == one["description"]
        roles = {}
        for role in one["roles"]:
            roles.setdefault(role["project_id"], []).append(role["role"])
        assert texts(body["roles" if account else "role_names"]) == sorted(roles.pop(None))
        if account:
            assert text(body["name"]) == one["tag"] and len(one["tag"]) <= 64
        assert ("count" in body) == one["needs_decision"]
        expected |= {(kind, name), ("mongodbatlas_service_account_access_list_entry" if account
            else "mongodbatlas_access_list_api_key", name)}
        for project, names in roles.items():
            assignment = found[kind + "_project_assignment", f"{name}_{project}"]
            assert text(assignment["project_id"]) == project and texts(assignment["roles"]) == sorted(names)
            assert ("count" in assignment) == one["needs_decision"]
            expected.add((kind + "_project_assignment", f"{name}_{project}"))
        assert name in outputs
assert set(found) == expected and len(expected) > 8, set(found) ^ expected
"#;

#[test]
fn files_of_terraform_have_the_replacements_of_the_plan_and_the_style_of_its_formatter() {
    let env = audited("atlas", atlas_users);
    assert_eq!(env.run(&["plan", "--tool", "terraform"]).code, 0);
    let folder = env.path("reports/plan");
    let files: Vec<_> =
        env.files().into_iter().filter(|(path, _)| path.extension().is_some_and(|it| it == "tf")).collect();
    assert_eq!(files.len(), 5, "{files:?}");
    for (path, bytes) in &files {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.chars().all(|one| one == '\n' || one == ' ' || one.is_ascii_graphic()), "{text}");
        assert_eq!(style(&text), [""; 0], "{}", path.display());
    }
    let shared = env.text("reports/plan/terraform.tf");
    assert!(
        shared.contains("stores the secret of each service account and API key in its state, in plain text")
    );
    assert!(env.text("reports/plan.md").contains("in place of step 2. **Terraform stores"));
    let terraform = program("KEYSUNSET_TERRAFORM", "terraform");
    // Its formatter judges where it is at hand: it is in no registry of packages.
    if let Ok(ran) = Command::new(terraform).args(["fmt", "-check", "-diff"]).arg(&folder).output() {
        assert!(
            ran.status.success(),
            "{}{}",
            String::from_utf8_lossy(&ran.stdout),
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    python(&["hcl2"], PARSED, &[&env.path("reports/plan.json"), &folder]);

    // Its scripts create nothing, and with curl they do.
    assert!(scripts(&env).iter().all(|script| script.contains(" 'terraform'\n")));
    assert_eq!(env.run(&["plan", "--tool", "terraform,curl"]).code, 0);
    assert!(scripts(&env).iter().all(|script| script.contains(" 'curl'\n")));
}

/// What the formatter of Terraform would change: two spaces a level, `=` of neighbours in one column, no space at an end
/// of a line, and no two empty lines.
fn style(text: &str) -> Vec<String> {
    let (mut problems, mut depth, mut group, mut empty) =
        (Vec::new(), 0_usize, Vec::<(usize, usize)>::new(), false);
    for line in text.lines() {
        let content = line.trim_start();
        depth -= usize::from(content.starts_with('}'));
        let indent = line.len() - content.len();
        let wrong =
            content.is_empty() && empty || line.ends_with(' ') || !content.is_empty() && indent != 2 * depth;
        let name = content.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or_default();
        let equals =
            content[name..].find("= ").filter(|at| *at > 0 && content[name..name + at].trim().is_empty());
        match equals {
            Some(at) if !content.ends_with('{') => group.push((name, name + at)),
            Some(_) | None => {
                let widest = group.iter().map(|(name, _)| *name).max().unwrap_or_default();
                let aligned = group.drain(..).all(|(_, column)| column == widest + 1);
                if !aligned {
                    problems.push(format!("before: {line}"));
                }
            }
        }
        if wrong {
            problems.push(line.to_owned());
        }
        depth += usize::from(content.ends_with('{'));
        empty = content.is_empty();
    }
    problems
}

#[test]
fn the_rule_for_the_style_of_terraform_finds_what_its_formatter_changes() {
    let right = "a \"b\" {\n  name = 1\n  age  = 2\n\n  id = {\n    x = 2\n  }\n}\n";
    assert_eq!(style(right), [""; 0]);
    for wrong in [
        "a {\n  name = 1\n  id = 2\n}\n",
        "a {\n    id = 2\n}\n",
        "a {\n  id = 2 \n}\n",
        "a {\n\n\n  id = 2\n}\n",
        "a {\n  id   = 2\n}\n",
    ] {
        assert_ne!(style(wrong), [""; 0], "{wrong}");
    }
}
