//! `plan/NN-owner.sh`, a script an owner, and the library that they share. What they look like is in `templates/plan/`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use serde::Serialize;

use super::folder::PlanFolder;
use super::inventory::Inventory;
use super::owner::{OwnerPlan, PlannedKey, Replacement};
use super::template::{LIBRARY, SCRIPT, Templates, quoted};
use super::tool::{Kind, Tool};
use super::{Decision, PlanHead};
use crate::inventory::AccessListName;
use crate::model::{Suffix, object_id, rfc3339};
use crate::network::Network;

/// Below `--out`.
pub(super) const FOLDER: &str = "plan";
/// The line that withdraws a script.
const WITHDRAWN: &str = "withdrawn";
/// Characters of an owner's name in a file name.
const NAME: usize = 40;

/// The scripts under way. A file keeps its number and name from plan to plan, since the journal beside it has them too.
pub(super) struct Scripts {
    folder: PlanFolder,
    /// By owner, the names of scripts that are there already.
    names: HashMap<String, String>,
    /// Those of them that this plan does not have, and of these the ones whose owner is in the run.
    not_planned: BTreeSet<String>,
    without_script: BTreeSet<String>,
    last_number: u32,
}

impl Scripts {
    /// Begins the folder with the library.
    pub(super) fn begin(out: &Path) -> io::Result<Self> {
        let folder = PlanFolder::begin(out, FOLDER)?;
        let mut scripts = Self {
            folder,
            names: HashMap::new(),
            not_planned: BTreeSet::new(),
            without_script: BTreeSet::new(),
            last_number: 0,
        };
        scripts.find()?;
        scripts.folder.write("lib.sh".as_ref(), LIBRARY)?;
        Ok(scripts)
    }

    /// Looks which owners have a script already.
    fn find(&mut self) -> io::Result<()> {
        for name in self.folder.names()? {
            let Some(name) = name.to_str().filter(|name| name.strip_suffix(".sh").is_some()) else {
                continue;
            };
            let Some(number) = name.split('-').next().and_then(|number| number.parse::<u32>().ok()) else {
                continue;
            };
            let Some(text) = self.folder.read(name.as_ref())? else { continue };
            let owner = text.lines().find_map(|line| line.strip_prefix("owner '"));
            // A copy has the name of another file.
            let owner = owner.filter(|rest| rest.ends_with(&format!(" '{name}'")));
            if let Some(id) = owner.and_then(|rest| object_id(rest.get(..24)?)) {
                self.last_number = self.last_number.max(number);
                self.names.insert(id, name.to_owned());
                self.not_planned.insert(name.to_owned());
            }
        }
        Ok(())
    }

    /// Writes the script of an owner, and gives its path below `--out`; `None` where there is nothing to be done by one.
    pub(super) fn add(
        &mut self,
        plan: &OwnerPlan,
        head: &PlanHead,
        inventory: &Inventory,
        templates: &Templates,
    ) -> io::Result<Option<String>> {
        let Some(id) = plan.user.id.as_deref().and_then(object_id) else { return Ok(None) };
        if plan.unknown.is_some() || head.base_url.is_none() || plan.keys.iter().all(is_waived) {
            self.without_script.extend(self.names.get(&id).cloned());
            return Ok(None);
        }
        let name = self.name(id, plan.user.label());
        let text = templates.render(SCRIPT, &ScriptContext::new(plan, head, inventory, &name));
        self.folder.write(name.as_ref(), &text.map_err(io::Error::other)?)?;
        self.not_planned.remove(&name);
        Ok(Some(format!("{FOLDER}/{name}")))
    }

    fn name(&mut self, id: String, owner: &str) -> String {
        let next = &mut self.last_number;
        let entry = self.names.entry(id).or_insert_with(|| {
            *next += 1;
            format!("{:02}-{}.sh", *next, file_name(owner))
        });
        entry.clone()
    }

    /// Writes another file beside the scripts.
    pub(super) fn write_file(&self, name: &str, text: &str) -> io::Result<()> {
        self.folder.write(name.as_ref(), text)
    }

    /// The text of a file of an earlier plan beside the scripts, empty where there is none.
    pub(super) fn earlier_file(&self, name: &str) -> io::Result<String> {
        Ok(self.folder.read(name.as_ref())?.unwrap_or_default())
    }

    /// Withdraws the scripts of this deployment that this plan does not have, of owners of whom the run says something: what an
    /// earlier plan decided no longer counts. The names of those scripts.
    pub(super) fn withdraw(&mut self, head: &PlanHead) -> io::Result<Vec<String>> {
        let Some(base_url) = &head.base_url else { return Ok(Vec::new()) };
        let mut withdrawn = Vec::new();
        let is_whole = head.has_all_organizations && head.incomplete.is_empty();
        for name in std::mem::take(&mut self.not_planned) {
            if !is_whole && !self.without_script.contains(&name) {
                continue;
            }
            let text = self.folder.read(name.as_ref())?.unwrap_or_default();
            if deployment_of(&text) == Some(base_url) {
                self.folder.write(name.as_ref(), &without_plan(&text))?;
                withdrawn.push(name);
            }
        }
        Ok(withdrawn)
    }

    /// Gives a new folder its name.
    pub(super) fn end(self) -> io::Result<()> {
        self.folder.end()
    }
}

/// The words of bash in a script that are its deployment: the name, the base URL, and what follows.
fn deployment_line(script: &str) -> Option<&str> {
    script.lines().find_map(|line| line.strip_prefix("deployment "))
}

/// The base URL in a script, which has no quote. The name before it may be a URL, too.
fn deployment_of(script: &str) -> Option<&str> {
    let words = deployment_line(script)?;
    words.split('\'').rfind(|word| word.starts_with("http://") || word.starts_with("https://"))
}

/// Whether a script is of the deployment with this name and base URL.
pub(super) fn names_deployment(script: &str, name: &str, base_url: &str) -> bool {
    let expected = format!("{} {} ", quoted(name), quoted(base_url));
    deployment_line(script).is_some_and(|words| words.starts_with(&expected))
}

/// Name and base URL in a script, as they are there.
pub(super) fn deployment_words(script: &str) -> Option<String> {
    let (name, _) = deployment_line(script)?.split_once(deployment_of(script)?)?;
    Some(format!("{name}{}'", deployment_of(script)?))
}

/// A script without its keys and replacements, of which `rollback` alone works: each of them has a line of its own.
fn without_plan(script: &str) -> String {
    const PLANNED: [&str; 4] = ["key ", "replacement ", "service_account ", WITHDRAWN];
    let mut text = String::new();
    for line in script.lines().filter(|line| !PLANNED.iter().any(|word| line.starts_with(word))) {
        if line.starts_with("main ") {
            text.extend([WITHDRAWN, "\n"]);
        }
        text.extend([line, "\n"]);
    }
    text
}

fn is_waived(key: &PlannedKey) -> bool {
    key.decided.decision == Decision::Waived
}

/// The part of a name before `@`, of letters and digits.
fn file_name(owner: &str) -> String {
    let local = owner.split('@').next().unwrap_or_default();
    let words = local.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let name = name.chars().take(NAME).collect::<String>();
    if name.is_empty() { "owner".to_owned() } else { name }
}

/// What the template may use.
#[derive(Serialize)]
struct ScriptContext<'a> {
    deployment: DeploymentContext<'a>,
    run: RunContext<'a>,
    owner: OwnerContext<'a>,
    verify_days: u32,
    keys: Vec<KeyContext<'a>>,
    replacements: Vec<ReplacementContext<'a>>,
}

#[derive(Serialize)]
struct DeploymentContext<'a> {
    name: &'a str,
    base_url: &'a str,
    product: &'a str,
    version: &'a str,
    /// The last part of the path of a list of addresses.
    access_list: AccessListName,
    /// With what replacements are created.
    tool: Tool,
}

#[derive(Serialize)]
struct RunContext<'a> {
    id: i64,
    started_at: &'a str,
}

#[derive(Serialize)]
struct OwnerContext<'a> {
    id: &'a str,
    name: &'a str,
    file: &'a str,
}

/// Times and counts as the service gives them, empty where it gives none: a script compares them with what it reads.
#[derive(Serialize)]
struct KeyContext<'a> {
    id: &'a str,
    suffix: &'a str,
    description: &'a str,
    decision: Decision,
    wave: String,
    last_used: String,
    used_count: String,
}

#[derive(Serialize)]
pub(super) struct ReplacementContext<'a> {
    kind: Kind,
    /// Empty: the whole deployment.
    org_id: &'a str,
    org_name: &'a str,
    tag: &'a str,
    description: String,
    needs_decision: bool,
    org_roles: Vec<&'a str>,
    projects: Vec<ProjectContext<'a>>,
    addresses: &'a [Network],
    keys: &'a [String],
}

#[derive(Serialize)]
struct ProjectContext<'a> {
    id: &'a str,
    roles: Vec<&'a str>,
}

impl<'a> ScriptContext<'a> {
    fn new(plan: &'a OwnerPlan, head: &'a PlanHead, inventory: &'a Inventory, file: &'a str) -> Self {
        let version = head.service_version.unwrap_or_default();
        let replacements = plan.replacements.iter();
        Self {
            deployment: DeploymentContext {
                name: head.deployment,
                base_url: head.base_url.as_deref().unwrap_or_default(),
                product: head.product.as_str(),
                version,
                access_list: AccessListName::new(head.product, head.service_version),
                tool: head.tools.script,
            },
            run: RunContext { id: head.run, started_at: &head.started_at },
            owner: OwnerContext { id: plan.user.id_or_empty(), name: plan.user.label(), file },
            verify_days: head.verify_days,
            keys: plan.keys.iter().map(KeyContext::new).collect(),
            replacements: replacements.map(|it| ReplacementContext::new(plan, it, inventory)).collect(),
        }
    }
}

impl<'a> KeyContext<'a> {
    fn new(planned: &'a PlannedKey) -> Self {
        let key = &planned.key;
        Self {
            id: &key.id,
            suffix: key.suffix.as_ref().map_or("", Suffix::as_str),
            description: &key.description,
            decision: planned.decided.decision,
            wave: planned.wave.map_or_else(String::new, |wave| wave.to_string()),
            last_used: key.last_used.map_or_else(String::new, rfc3339),
            used_count: key.used_count.map_or_else(String::new, |count| count.to_string()),
        }
    }
}

impl<'a> ReplacementContext<'a> {
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn new(plan: &OwnerPlan, replacement: &'a Replacement, inventory: &'a Inventory) -> Self {
        let org_id = replacement.org_id.as_deref();
        let mut projects: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut org_roles = Vec::new();
        for grant in &replacement.grants {
            match &grant.project_id {
                Some(id) => projects.entry(id).or_default().push(&grant.role),
                None => org_roles.push(&*grant.role),
            }
        }
        let name = org_id.and_then(|id| inventory.organization(id)).and_then(|it| it.name.as_deref());
        Self {
            kind: replacement.kind,
            org_id: org_id.unwrap_or_default(),
            org_name: name.unwrap_or_default(),
            tag: &replacement.tag,
            description: replacement.description(&plan.user),
            needs_decision: replacement.needs_decision,
            org_roles,
            projects: projects.into_iter().map(|(id, roles)| ProjectContext { id, roles }).collect(),
            addresses: &replacement.addresses,
            keys: &replacement.keys,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_of_letters_and_digits() {
        for (owner, name) in [
            ("ann.lee@example.com", "ann-lee"),
            ("../../etc/passwd", "etc-passwd"),
            ("Ünal", "nal"),
            ("@", "owner"),
            ("-rf", "rf"),
        ] {
            assert_eq!(file_name(owner), name);
        }
        assert_eq!(file_name(&"x".repeat(300)).len(), NAME);
    }
}
